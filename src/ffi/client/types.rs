//! Types and constants, and how they become those of the library.
#![allow(
    unsafe_code,
    reason = "reads and writes structs of a size that the caller says"
)]
#![allow(non_camel_case_types, reason = "C names")]
#![allow(missing_docs, reason = "constants are named by what they mean")]

use std::ffi::{c_char, c_int, c_uchar, c_uint, c_ushort, c_void};
use std::net::SocketAddr;

use libc::sockaddr_storage;

use super::super::ptr;
use super::super::resolve::current_flags;
use crate::client::{Asks, Destination, Lack, Outcome, Target, Terms, Trouble, parse_uri};
use crate::error::Failure;
use crate::select::flags;

/// A context: requests under way, and what is kept for them.
pub struct kdns {
    _private: (),
}

/// A SIP URI or a question that is being resolved, or was.
pub struct kdns_request {
    _private: (),
}

/// A name whose targets are watched.
pub struct kdns_watch {
    _private: (),
}

/// The results of functions, 0 and less, and the outcomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum kdns_error {
    /// All is well.
    KDNS_OK = 0,
    /// Of kdns_status(): the request has not ended.
    KDNS_UNDER_WAY = 1,
    /// There is no such name, or it has no such records.
    KDNS_E_ABSENT = -1,
    /// The domain says that it does not offer the service (SRV target ".").
    KDNS_E_NOT_OFFERED = -2,
    /// No nameserver answered in its time.
    KDNS_E_TIMEOUT = -3,
    /// A nameserver said that it failed.
    KDNS_E_SERVFAIL = -4,
    /// A nameserver refused.
    KDNS_E_REFUSED = -5,
    /// No reply that can be used.
    KDNS_E_MALFORMED = -6,
    /// No nameserver can be reached.
    KDNS_E_NETWORK = -7,
    /// There is no nameserver to ask.
    KDNS_E_NO_SERVERS = -8,
    /// The time of the request was over.
    KDNS_E_DEADLINE = -9,
    /// As many requests are under way as may be.
    KDNS_E_SHED = -10,
    /// KDNS_CACHE_ONLY, and something is not in the cache.
    KDNS_E_NOT_CACHED = -11,
    /// kdns_cancel().
    KDNS_E_CANCELLED = -12,
    /// The context of the request was closed.
    KDNS_E_CLOSED = -13,
    /// An address of a family that the flags exclude.
    KDNS_E_FAMILY = -14,
    /// dns_max_queries: the name leads to more questions than one request may ask.
    KDNS_E_BUDGET = -15,
    /// No SIP URI, or a port or transport that it cannot have.
    KDNS_E_BAD_URI = -16,
    /// A name that is not asked for.
    KDNS_E_BAD_NAME = -17,
    /// NULL, or a value that is none.
    KDNS_E_BAD_ARGUMENT = -18,
    /// The context or request belongs to the parent process.
    KDNS_E_FORKED = -19,
    /// There is no cache: dns_cache_init is 0, or there was no memory for it.
    KDNS_E_NO_CACHE = -20,
    /// There is no memory for what was found.
    KDNS_E_NO_MEMORY = -21,
    /// The kernel gave no event queue.
    KDNS_E_SYSTEM = -22,
    /// A module has put a search function of its own into dns_func; such a function can only be waited for.
    KDNS_E_SWAPPED = -23,
    /// Nobody would ask: there is neither a context nor a refresher.
    KDNS_E_NO_REFRESHER = -24,
    /// A defect of the library was caught.
    KDNS_E_DEFECT = -99,
}

impl kdns_error {
    pub(super) fn code(self) -> c_int {
        self as c_int
    }

    pub(super) fn of(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Cancelled => Self::KDNS_E_CANCELLED,
            Trouble::Closed => Self::KDNS_E_CLOSED,
            Trouble::Lack(lack) => Self::of_lack(lack),
        }
    }

    fn of_lack(lack: Lack) -> Self {
        match lack {
            Lack::Absent => Self::KDNS_E_ABSENT,
            Lack::NotOffered => Self::KDNS_E_NOT_OFFERED,
            Lack::Deadline => Self::KDNS_E_DEADLINE,
            Lack::Budget => Self::KDNS_E_BUDGET,
            Lack::NotCached => Self::KDNS_E_NOT_CACHED,
            Lack::Family => Self::KDNS_E_FAMILY,
            Lack::Uri => Self::KDNS_E_BAD_URI,
            Lack::Name => Self::KDNS_E_BAD_NAME,
            Lack::NoCache => Self::KDNS_E_NO_CACHE,
            Lack::OutOfMemory => Self::KDNS_E_NO_MEMORY,
            Lack::Failed(failure) => match failure {
                Failure::Timeout => Self::KDNS_E_TIMEOUT,
                Failure::ServFail => Self::KDNS_E_SERVFAIL,
                Failure::Refused => Self::KDNS_E_REFUSED,
                Failure::Malformed => Self::KDNS_E_MALFORMED,
                Failure::Network => Self::KDNS_E_NETWORK,
                Failure::NoServers => Self::KDNS_E_NO_SERVERS,
                Failure::Hook => Self::KDNS_E_SWAPPED,
                Failure::GivenUp => Self::KDNS_E_SHED,
            },
        }
    }
}

/// Of kdns_terms: nothing is asked. Missing records give KDNS_E_NOT_CACHED, expired ones are served.
pub const KDNS_CACHE_ONLY: c_uint = 1;
/// A alone.
pub const KDNS_IPV4_ONLY: c_uint = 2;
/// AAAA alone.
pub const KDNS_IPV6_ONLY: c_uint = 4;
/// As dns_try_naptr=yes.
pub const KDNS_NAPTR: c_uint = 8;
/// As dns_try_naptr=no.
pub const KDNS_NO_NAPTR: c_uint = 16;
/// As dns_srv_lb=yes: SRV records of one priority are drawn by weight.
pub const KDNS_BY_WEIGHT: c_uint = 32;
/// As dns_srv_lb=no.
pub const KDNS_IN_ORDER: c_uint = 64;
/// The first target is enough.
pub const KDNS_FIRST: c_uint = 128;

/// Of targets and records: something that led there has expired, and nothing newer could be had.
pub const KDNS_STALE: c_uint = 1;
/// An operator put in what led there.
pub const KDNS_EDITED: c_uint = 2;
/// The request asked for something; else all was in the cache.
pub const KDNS_ASKED: c_uint = 4;
/// kdns_report_failed() was told of the target, so it stands behind the others.
pub const KDNS_REPORTED: c_uint = 8;

/// How something is resolved. A member that is 0 is as the options of the library say. NULL stands for terms that are
/// all 0.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct kdns_terms {
    /// sizeof.
    pub size: usize,
    /// KDNS_CACHE_ONLY, ...
    pub flags: c_uint,
    /// Time for the whole request; 0: as kdns_set() says, or else dns_resolve_deadline.
    pub deadline_ms: c_uint,
    /// Seed of the draw among SRV records: equal seeds give equal orders. 0: a seed is drawn.
    pub seed: c_uint,
    /// For kdns_user().
    pub user: *mut c_void,
}

/// A target.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct kdns_target {
    /// Address and port.
    pub to: sockaddr_storage,
    /// Octets of `to` that count.
    pub to_length: c_uint,
    /// 1 UDP, 2 TCP, 3 TLS, 4 SCTP, 5 WS, 6 WSS.
    pub transport: c_uchar,
    /// KDNS_STALE, ...
    pub marks: c_uchar,
    /// Of the SRV record, if one led here.
    pub priority: c_ushort,
    /// As priority.
    pub weight: c_ushort,
    /// The least of the records that led here, s; 4294967295: nothing that lives for a time.
    pub ttl: c_uint,
    /// The name that has the address, or the address where the URI has it. Ends with NUL.
    pub host: [c_char; 256],
}

/// A record.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct kdns_record {
    /// Of which type.
    pub r#type: c_ushort,
    /// KDNS_STALE, ...
    pub marks: c_uchar,
    /// s; 4294967295: it does not expire.
    pub ttl: c_uint,
    /// Octets of data.
    pub length: usize,
    /// As in a DNS message (RFC 1035 section 3.3), names not compressed.
    pub data: [c_uchar; 4096],
    /// As in a zone file, cut where it is longer. Ends with NUL.
    pub text: [c_char; 4096],
}

/// Why there is nothing.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct kdns_failure {
    /// As kdns_status().
    pub error: c_int,
    /// Type of the question that counts; 0: none does.
    pub r#type: c_ushort,
    /// Name of that question. Ends with NUL.
    pub name: [c_char; 256],
    /// The nameserver that said so, or was silent last.
    pub server: sockaddr_storage,
    /// Octets of `server` that count; 0: no nameserver said so.
    pub server_length: c_uint,
}

/// A struct that comes with its size. All members are plain numbers, for which all octets are good.
///
/// # Safety
/// Every octet, but for padding, may have any value, and all that is 0 is a value.
pub(super) unsafe trait Plain: Copy {}

// SAFETY: numbers and a pointer that is never followed.
unsafe impl Plain for kdns_terms {}
// SAFETY: numbers.
unsafe impl Plain for kdns_target {}
// SAFETY: numbers.
unsafe impl Plain for kdns_record {}
// SAFETY: numbers.
unsafe impl Plain for kdns_failure {}

/// A struct of all 0.
pub(super) fn zeroed<T: Plain>() -> T {
    // SAFETY: plain, so this is a value.
    unsafe { std::mem::zeroed() }
}

/// Writes as much of a value as the caller's struct has room for; false for NULL or no room.
///
/// # Safety
/// `place` is NULL or has `size` writable octets.
pub(super) unsafe fn put<T: Plain>(place: *mut T, size: usize, value: &T) -> bool {
    if place.is_null() || size == 0 {
        return false;
    }
    let octets = size.min(size_of::<T>());
    let source = std::ptr::from_ref(value).cast::<u8>();
    // SAFETY: both are valid for so many octets, and one is ours alone.
    unsafe { std::ptr::copy_nonoverlapping(source, place.cast::<u8>(), octets) };
    true
}

/// The caller's terms, as far as its struct has them; `None` where that cannot be.
///
/// # Safety
/// NULL, or the struct has as many readable octets as its first member says.
pub(super) unsafe fn terms(given: *const kdns_terms) -> Option<(Terms, usize)> {
    let mut whole: kdns_terms = zeroed();
    // SAFETY: the contract is the caller's.
    if let Some(size) = unsafe { ptr::get(given.cast::<usize>()) } {
        if size < size_of::<usize>() {
            return None;
        }
        let octets = size.min(size_of::<kdns_terms>());
        let target = std::ptr::from_mut(&mut whole).cast::<u8>();
        // SAFETY: both are valid for so many octets, and one is ours alone.
        unsafe { std::ptr::copy_nonoverlapping(given.cast::<u8>(), target, octets) };
    }
    super::super::settings::sync();
    let asks = match whole.flags & KDNS_CACHE_ONLY {
        0 => Asks::All,
        _ => Asks::NothingServesStale,
    };
    let terms = Terms {
        flags: request_flags(whole.flags)?,
        asks,
        seed: whole.seed,
        most_ms: (whole.deadline_ms > 0).then_some(whole.deadline_ms.into()),
        first_alone: whole.flags & KDNS_FIRST != 0,
    };
    Some((terms, whole.user as usize))
}

/// The request flags that the options give, changed by those of this interface; `None` where they contradict each other.
fn request_flags(given: c_uint) -> Option<u32> {
    let mut result = current_flags();
    let changes = [
        (
            KDNS_IPV4_ONLY,
            KDNS_IPV6_ONLY,
            flags::IPV4_ONLY,
            flags::IPV6_ONLY | flags::IPV6_FIRST,
        ),
        (
            KDNS_IPV6_ONLY,
            KDNS_IPV4_ONLY,
            flags::IPV6_ONLY,
            flags::IPV4_ONLY | flags::IPV6_FIRST,
        ),
        (KDNS_NAPTR, KDNS_NO_NAPTR, flags::TRY_NAPTR, 0),
        (KDNS_NO_NAPTR, KDNS_NAPTR, 0, flags::TRY_NAPTR),
        (KDNS_BY_WEIGHT, KDNS_IN_ORDER, flags::SRV_RR_LB, 0),
        (KDNS_IN_ORDER, KDNS_BY_WEIGHT, 0, flags::SRV_RR_LB),
    ];
    for (flag, contrary, set, clear) in changes {
        if given & flag != 0 {
            if given & contrary != 0 {
                return None;
            }
            result = result & !clear | set;
        }
    }
    Some(result)
}

/// Texts of more octets are a mistake of the caller's.
const MAX_OCTETS: usize = 65_535;

/// A counted text; `None` for NULL, for none, and for more than is sound.
///
/// # Safety
/// NULL, or readable for so many octets during `'a`.
pub(super) unsafe fn text<'a>(start: *const c_char, length: usize) -> Option<&'a [u8]> {
    if start.is_null() || !(1..=MAX_OCTETS).contains(&length) {
        return None;
    }
    // SAFETY: the contract is the caller's.
    Some(unsafe { ptr::octets(start.cast::<u8>(), length) })
}

/// The destination that a URI names.
///
/// # Safety
/// As [`text`].
pub(super) unsafe fn destination(
    uri: *const c_char,
    length: usize,
) -> Result<Destination, kdns_error> {
    // SAFETY: the contract is the caller's.
    let uri = unsafe { text(uri, length) }.ok_or(kdns_error::KDNS_E_BAD_ARGUMENT)?;
    parse_uri(uri).map_err(|_| kdns_error::KDNS_E_BAD_URI)
}

fn socket_address(address: SocketAddr) -> (sockaddr_storage, c_uint) {
    // SAFETY: numbers alone, so all-zero is a value.
    let mut storage: sockaddr_storage = unsafe { std::mem::zeroed() };
    let place = &raw mut storage;
    let length = match address {
        SocketAddr::V4(address) => {
            let value = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: address.port().to_be(),
                sin_addr: libc::in_addr {
                    s_addr: u32::from_ne_bytes(address.ip().octets()),
                },
                sin_zero: [0; 8],
            };
            // SAFETY: a `sockaddr_storage` has room and alignment for every address.
            unsafe { place.cast::<libc::sockaddr_in>().write(value) };
            size_of::<libc::sockaddr_in>()
        }
        SocketAddr::V6(address) => {
            let value = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: address.port().to_be(),
                sin6_flowinfo: 0,
                sin6_addr: libc::in6_addr {
                    s6_addr: address.ip().octets(),
                },
                sin6_scope_id: address.scope_id(),
            };
            // SAFETY: as above.
            unsafe { place.cast::<libc::sockaddr_in6>().write(value) };
            size_of::<libc::sockaddr_in6>()
        }
    };
    (storage, length as c_uint)
}

fn marks(is_stale: bool, is_edited: bool, has_asked: bool, is_reported: bool) -> c_uchar {
    let marks = [
        (is_stale, KDNS_STALE),
        (is_edited, KDNS_EDITED),
        (has_asked, KDNS_ASKED),
        (is_reported, KDNS_REPORTED),
    ];
    let set = marks.into_iter().filter(|(is_set, _)| *is_set);
    set.map(|(_, mark)| mark as c_uchar).sum()
}

impl kdns_target {
    pub(super) fn of(target: &Target, has_asked: bool, is_reported: bool) -> Self {
        let (to, to_length) = socket_address(target.address);
        let mut whole = Self {
            to,
            to_length,
            transport: target.transport as c_uchar,
            marks: marks(target.is_stale, target.is_edited, has_asked, is_reported),
            priority: target.priority,
            weight: target.weight,
            ttl: target.ttl_s.unwrap_or(u32::MAX),
            host: [0; 256],
        };
        ptr::fill(&mut whole.host, &target.host);
        whole
    }
}

impl kdns_record {
    pub(super) fn of(found: &crate::client::Found, has_asked: bool) -> Self {
        let mut whole: Self = zeroed();
        whole.r#type = found.rtype.0;
        whole.marks = marks(found.is_stale, found.is_edited, has_asked, false);
        whole.ttl = found.ttl_s;
        let data = crate::client::wire(&found.rdata);
        whole.length = data.len().min(whole.data.len());
        for (place, octet) in whole.data.iter_mut().zip(data) {
            *place = octet;
        }
        ptr::fill(
            &mut whole.text,
            crate::client::text(&found.rdata).as_bytes(),
        );
        whole
    }
}

impl kdns_failure {
    pub(super) fn of(outcome: &Outcome) -> Self {
        let mut whole: Self = zeroed();
        whole.error = outcome
            .trouble
            .map_or(0, |trouble| kdns_error::of(trouble).code());
        if let Some(culprit) = &outcome.culprit {
            whole.r#type = culprit.qtype.0;
            ptr::fill(&mut whole.name, &culprit.name);
            if let Some(server) = culprit.server {
                (whole.server, whole.server_length) = socket_address(server);
            }
        }
        whole
    }
}
