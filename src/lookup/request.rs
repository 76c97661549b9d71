//! The request of a caller: the `DNS_*` flags, the family order, the name as it is asked.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::error::LookupError;
use crate::rr::{MAX_NAME_OCTETS, RecordType, strip_root};

/// Only A (`DNS_IPV4_ONLY`).
pub const IPV4_ONLY: u32 = 1;
/// Only AAAA (`DNS_IPV6_ONLY`).
pub const IPV6_ONLY: u32 = 2;
/// AAAA before A (`DNS_IPV6_FIRST`).
pub const IPV6_FIRST: u32 = 4;
/// Calls begin in turn with each address of a set (`dns_rotate`); a bit that no version of Kamailio uses.
pub const ROTATE: u32 = 1 << 29;
/// The addresses of both families in turn (`dns_family_order`); as [`ROTATE`].
pub const INTERLEAVE: u32 = 1 << 30;
/// Somebody follows names (`dns.trace`): the quick looks, which tell nobody, are left out; as [`ROTATE`].
pub const TRACED: u32 = 1 << 28;

/// The address types to look up, in order.
///
/// The same order holds for the first lookup and for stepping through all addresses (B40):
/// "IPv6 only" means that no A record is ever asked for, also together with other flags.
#[must_use]
pub fn family_order(flags: u32) -> (RecordType, Option<RecordType>) {
    let (only_4, only_6, first_6) = (
        flags & IPV4_ONLY != 0,
        flags & IPV6_ONLY != 0,
        flags & IPV6_FIRST != 0,
    );
    match (only_4, only_6, first_6) {
        (_, true, _) => (RecordType::AAAA, None),
        (_, false, true) => (RecordType::AAAA, Some(RecordType::A)),
        (true, false, false) => (RecordType::A, None),
        (false, false, false) => (RecordType::A, Some(RecordType::AAAA)),
    }
}

/// True when A records come first, in the order of their set, and nobody follows names: what the quick looks are made
/// for.
#[must_use]
#[inline(always)]
#[cfg(feature = "use_dns_cache")]
pub(crate) fn is_plain(flags: u32) -> bool {
    flags & (IPV6_ONLY | IPV6_FIRST | ROTATE | TRACED) == 0
}

/// True when the caller takes addresses of either family, in the one order or the other.
#[must_use]
#[inline]
#[cfg(feature = "use_dns_cache")]
pub(crate) fn takes_either(flags: u32) -> bool {
    family_order(flags).1.is_some()
}

/// True when the flags do not exclude the family of a literal.
#[must_use]
pub fn family_allowed(address: IpAddr, flags: u32) -> bool {
    match address {
        IpAddr::V4(_) => flags & IPV6_ONLY == 0,
        IpAddr::V6(_) => flags & IPV4_ONLY == 0,
    }
}

/// The name without its trailing dot, if it has one that is not escaped, and whether it had one.
#[must_use]
pub(crate) fn split_absolute(name: &[u8]) -> (&[u8], bool) {
    let text = strip_root(name);
    (text, text.len() < name.len())
}

/// Refuses a name, without trailing dot, that cannot be asked for.
pub(super) fn check_name(name: &[u8]) -> Result<(), LookupError> {
    match name.len() {
        0 => Err(LookupError::BadName),
        1..=MAX_NAME_OCTETS => Ok(()),
        _ => Err(LookupError::NameTooLong),
    }
}

/// The name as a question: with a trailing dot when no search domain may be appended.
#[must_use]
pub(crate) fn question_text(name: &[u8], absolute: bool) -> Cow<'_, [u8]> {
    if absolute {
        [name, b"."].concat().into()
    } else {
        name.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn family_order_for_every_flag_value() {
        let (a, aaaa) = (RecordType::A, RecordType::AAAA);
        let expected = [
            (a, Some(aaaa)),
            (a, None),
            (aaaa, None),
            (aaaa, None),
            (aaaa, Some(a)),
            (aaaa, Some(a)),
            (aaaa, None),
            (aaaa, None),
        ];
        for (flags, order) in (0..).zip(expected) {
            assert_eq!(family_order(flags), order, "flags {flags}");
            assert_eq!(family_order(flags | 24), order);
        }
    }

    #[test]
    fn only_a_real_trailing_dot_makes_a_name_absolute() {
        assert_eq!(split_absolute(b"a.b."), (&b"a.b"[..], true));
        assert_eq!(split_absolute(b"a.b"), (&b"a.b"[..], false));
        assert_eq!(split_absolute(b"a\\."), (&b"a\\."[..], false));
        assert_eq!(split_absolute(b"a\\\\."), (&b"a\\\\"[..], true));
        assert_eq!(split_absolute(b"."), (&b""[..], true));
    }

    #[test]
    fn literal_family_rules() {
        let (v4, v6): (IpAddr, IpAddr) = ("1.2.3.4".parse().unwrap(), "::1".parse().unwrap());
        assert!(family_allowed(v4, 0) && family_allowed(v6, 0));
        assert!(family_allowed(v4, IPV4_ONLY) && !family_allowed(v6, IPV4_ONLY));
        assert!(!family_allowed(v4, IPV6_ONLY) && family_allowed(v6, IPV6_ONLY));
    }
}
