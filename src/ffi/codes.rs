//! Error numbers of the C interface and their texts.
#![allow(unsafe_code, reason = "exported symbols")]

use std::ffi::{CStr, c_char, c_int};

use super::guard::guard;

/// Success.
pub(crate) const E_DNS_OK: c_int = 0;
/// An unspecified failure; also the answer to arguments that make no sense.
pub(crate) const E_DNS_UNKNOWN: c_int = 2;
/// A defect or lack of memory.
pub(crate) const E_DNS_INTERNAL_ERR: c_int = 3;
/// No such SRV record.
pub(crate) const E_DNS_NO_SRV: c_int = 5;
/// No address.
pub(crate) const E_DNS_NO_IP: c_int = 7;
/// 256 octets or more.
pub(crate) const E_DNS_NAME_TOO_LONG: c_int = 10;

/// Lack of memory, as result of an init function.
pub(crate) const E_OUT_OF_MEM: c_int = -2;
/// A setting of the configuration file that cannot be used, as result of an init function.
pub(crate) const E_CFG: c_int = -6;

/// Texts in the order of the numbers, 0 to 13.
const TEXTS: [&CStr; 14] = [
    c"no error",
    c"no more records",
    c"unknown error",
    c"internal error",
    c"bad SRV entry",
    c"unresolvable SRV name",
    c"bad A or AAAA entry",
    c"unresolvable A or AAAA name",
    c"invalid address in the record",
    c"the address is blocklisted",
    c"name too long",
    c"address family mismatch",
    c"unresolvable NAPTR name",
    c"critical error, a transport without SRV records needs a port",
];

fn error_text(number: c_int) -> &'static CStr {
    number
        .checked_neg()
        .and_then(|n| usize::try_from(n).ok())
        .and_then(|n| TEXTS.get(n).copied())
        .unwrap_or(c"bad error number")
}

/// A text for a result of `dns_sip_resolve()` and its kin (0 or a negative number).
///
/// Never NULL, whatever the number; the text is static.
///
/// # Safety
/// Always safe to call.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dns_strerror(err: c_int) -> *const c_char {
    guard!(c"bad error number".as_ptr(), { error_text(err).as_ptr() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_text() {
        assert_eq!(error_text(0), c"no error");
        assert_eq!(error_text(-10), c"name too long");
        for odd in [1, 13, -14, c_int::MIN, c_int::MAX] {
            assert_eq!(error_text(odd), c"bad error number");
        }
    }
}
