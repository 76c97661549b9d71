//! The NAPTR records that lead to SIP (RFC 3263 section 4.1).

/// Kamailio's transport number of a NAPTR record that leads to SIP servers, else `None`.
///
/// The record must end in SRV (flags exactly `s`), must not have a regexp, and its service must be one of `SIP+D2U` (1,
/// UDP), `SIP+D2T` (2, TCP), `SIPS+D2T` (3, TLS), `SIP+D2S` (4, SCTP).
#[must_use]
pub fn sip_transport(flags: &[u8], services: &[u8], regexp: &[u8]) -> Option<u8> {
    if !matches!(flags, [b's' | b'S']) || !regexp.is_empty() {
        return None;
    }
    match services {
        [
            b's' | b'S',
            b'i' | b'I',
            b'p' | b'P',
            b'+',
            b'd' | b'D',
            b'2',
            last,
        ] => match last {
            b'u' | b'U' => Some(1),
            b't' | b'T' => Some(2),
            b's' | b'S' => Some(4),
            _ => None,
        },
        [
            b's' | b'S',
            b'i' | b'I',
            b'p' | b'P',
            b's' | b'S',
            b'+',
            b'd' | b'D',
            b'2',
            b't' | b'T',
        ] => Some(3),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sip_services_that_end_in_srv() {
        assert_eq!(sip_transport(b"s", b"SIP+D2U", b""), Some(1));
        assert_eq!(sip_transport(b"S", b"sip+d2t", b""), Some(2));
        assert_eq!(sip_transport(b"s", b"SIPS+D2T", b""), Some(3));
        assert_eq!(sip_transport(b"s", b"SIP+D2S", b""), Some(4));
        for (flags, services, regexp) in [
            ("u", "SIP+D2U", ""),
            ("a", "SIP+D2U", ""),
            ("", "SIP+D2U", ""),
            ("ss", "SIP+D2U", ""),
            ("s", "SIPS+D2U", ""),
            ("s", "SIPS+D2S", ""),
            ("s", "SIP+D2W", ""),
            ("s", "E2U+sip", ""),
            ("s", "SIP+D2U", "!^.*$!sip:x@y!"),
        ] {
            let got = sip_transport(flags.as_bytes(), services.as_bytes(), regexp.as_bytes());
            assert_eq!(got, None, "{flags} {services} {regexp}");
        }
    }
}
