//! The parts of a SIP URI that decide where a request goes (RFC 3261 section 19.1): host, port, transport.

use super::Transport;

/// The parts that the search for targets takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// `maddr` if there is one, else the host; IPv6 addresses without brackets.
    pub host: Vec<u8>,
    /// 0 = not given.
    pub port: u16,
    /// `None` = not given.
    pub transport: Option<Transport>,
    /// The scheme is `sips:`.
    pub is_sips: bool,
}

/// Why a text is no usable URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UriError {
    /// The URI does not begin with `sip:` or `sips:`.
    Scheme,
    /// The host is missing or longer than 255 octets.
    Host,
    /// The port is no number from 1 to 65535.
    Port,
    /// `transport=` names none that is known, or one that `sips:` excludes.
    Transport,
}

/// Reads a URI as a proxy does to find the next hop: user, headers and other parameters are skipped.
///
/// `sips:` means TLS, or WSS if the transport is WS; a bare host without scheme is taken as `sip:`.
///
/// # Errors
/// Says which part is wrong.
pub fn parse(uri: &[u8]) -> Result<Destination, UriError> {
    let (secure, rest) = scheme(uri)?;
    // A user part may hold `;` and `?`; behind it `@` is escaped.
    let rest = rest
        .iter()
        .rposition(|o| *o == b'@')
        .map_or(rest, |at| rest.get(at + 1..).unwrap_or_default());
    let rest = rest.split(|o| *o == b'?').next().unwrap_or_default();
    let mut parts = rest.split(|o| *o == b';');
    let (host, port) = host_and_port(parts.next().unwrap_or_default())?;
    let (mut host, mut transport) = (host.to_vec(), None);
    for part in parts {
        let mut sides = part.splitn(2, |o| *o == b'=');
        let name = sides.next().unwrap_or_default().to_ascii_lowercase();
        let value = sides.next().unwrap_or_default();
        match name.as_slice() {
            b"transport" => transport = Some(transport_named(value).ok_or(UriError::Transport)?),
            b"maddr" => host = without_brackets(value)?.to_vec(),
            _ => {}
        }
    }
    if secure {
        transport = Some(match transport {
            None | Some(Transport::Tcp | Transport::Tls) => Transport::Tls,
            Some(Transport::Ws | Transport::Wss) => Transport::Wss,
            Some(_) => return Err(UriError::Transport),
        });
    }
    Ok(Destination {
        host,
        port,
        transport,
        is_sips: secure,
    })
}

fn scheme(uri: &[u8]) -> Result<(bool, &[u8]), UriError> {
    let starts = |text: &[u8]| {
        let head = uri.get(..text.len())?;
        head.eq_ignore_ascii_case(text).then_some(text.len())
    };
    if let Some(length) = starts(b"sips:") {
        return Ok((true, uri.get(length..).unwrap_or_default()));
    }
    if let Some(length) = starts(b"sip:") {
        return Ok((false, uri.get(length..).unwrap_or_default()));
    }
    // `tel:` and the like lead nowhere; a bare host has no colon but that of a port.
    let bare = uri.first().is_some_and(u8::is_ascii_alphanumeric)
        && uri
            .split(|o| *o == b':')
            .nth(1)
            .is_none_or(|port| port.first().is_some_and(u8::is_ascii_digit));
    let bracket = uri.first() == Some(&b'[');
    if bare || bracket {
        Ok((false, uri))
    } else {
        Err(UriError::Scheme)
    }
}

fn host_and_port(text: &[u8]) -> Result<(&[u8], u16), UriError> {
    let (host, port) = if text.first() == Some(&b'[') {
        let end = text.iter().position(|o| *o == b']').ok_or(UriError::Host)?;
        (
            text.get(..=end).unwrap_or_default(),
            text.get(end + 1..).unwrap_or_default(),
        )
    } else {
        let end = text.iter().position(|o| *o == b':').unwrap_or(text.len());
        text.split_at(end)
    };
    let port = match port {
        [] => 0,
        [b':', digits @ ..] => std::str::from_utf8(digits)
            .ok()
            .and_then(|digits| digits.parse().ok())
            .filter(|port| *port != 0)
            .ok_or(UriError::Port)?,
        _ => return Err(UriError::Port),
    };
    Ok((without_brackets(host)?, port))
}

fn without_brackets(host: &[u8]) -> Result<&[u8], UriError> {
    let bare = match host {
        [b'[', inner @ .., b']'] => inner,
        _ => host,
    };
    if bare.is_empty() || bare.len() > crate::rr::MAX_NAME_OCTETS {
        Err(UriError::Host)
    } else {
        Ok(bare)
    }
}

fn transport_named(name: &[u8]) -> Option<Transport> {
    [
        Transport::Udp,
        Transport::Tcp,
        Transport::Tls,
        Transport::Sctp,
        Transport::Ws,
        Transport::Wss,
    ]
    .into_iter()
    .find(|transport| transport.name().as_bytes().eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(uri: &str) -> Option<(String, u16, Option<Transport>)> {
        let found = parse(uri.as_bytes()).ok()?;
        let host = String::from_utf8(found.host).unwrap();
        Some((host, found.port, found.transport))
    }

    #[test]
    fn what_counts_of_a_uri() {
        use Transport::{Sctp, Tcp, Tls, Udp, Wss};
        for (uri, host, port, transport) in [
            ("sip:example.org", "example.org", 0, None),
            ("SIP:alice@example.org:5070", "example.org", 5070, None),
            (
                "sip:a;b?c@example.org;transport=TCP?x=y;z",
                "example.org",
                0,
                Some(Tcp),
            ),
            ("sips:example.org", "example.org", 0, Some(Tls)),
            (
                "sips:example.org;transport=tcp",
                "example.org",
                0,
                Some(Tls),
            ),
            ("sips:example.org;transport=ws", "example.org", 0, Some(Wss)),
            (
                "sip:[2001:db8::1]:5061;transport=sctp",
                "2001:db8::1",
                5061,
                Some(Sctp),
            ),
            (
                "sip:x@h.example;maddr=192.0.2.1;transport=udp",
                "192.0.2.1",
                0,
                Some(Udp),
            ),
            ("sip:h.example;maddr=[::1]", "::1", 0, None),
            ("example.org", "example.org", 0, None),
            ("example.org:5062", "example.org", 5062, None),
        ] {
            let wanted = Some((host.to_owned(), port, transport));
            assert_eq!(parts(uri), wanted, "{uri}");
        }
    }

    #[test]
    fn what_is_no_uri() {
        for (uri, error) in [
            ("", UriError::Scheme),
            ("tel:+49301", UriError::Scheme),
            ("mailto:a@b", UriError::Scheme),
            ("sip:", UriError::Host),
            ("sip:user@", UriError::Host),
            ("sip:[::1", UriError::Host),
            ("sip:h:", UriError::Port),
            ("sip:h:0", UriError::Port),
            ("sip:h:65536", UriError::Port),
            ("sip:[::1]x", UriError::Port),
            ("sip:h;transport=pigeon", UriError::Transport),
            ("sips:h;transport=udp", UriError::Transport),
        ] {
            assert_eq!(parse(uri.as_bytes()), Err(error), "{uri}");
        }
    }
}
