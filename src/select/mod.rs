//! RFC 3263 / 2782 / 3403: from a name to targets, and on to the next target.
//!
//! All progress of one call lives in its [`Cursor`]; nothing is ever written into a cached record.

#[cfg(feature = "use_dns_cache")]
pub mod cursor;
#[cfg(feature = "use_dns_cache")]
pub mod explain;
#[cfg(feature = "use_dns_cache")]
pub mod handle;
pub(crate) mod naptr;
mod past_cache;
#[cfg(feature = "use_dns_cache")]
pub mod pins;
#[cfg(feature = "use_dns_cache")]
pub mod prefetch;
pub mod protocols;
pub(crate) mod security;
pub mod sip_host;
pub mod sip_uri;
pub(crate) mod srv;
#[cfg(feature = "use_dns_cache")]
pub mod suspended;
#[cfg_attr(
    not(feature = "use_dns_cache"),
    allow(dead_code, reason = "failover and explain alone use all of it")
)]
mod tree;

#[cfg(feature = "use_dns_cache")]
use crate::lookup::Source;
#[cfg(feature = "use_dns_cache")]
pub use cursor::{Cursor, Position};

/// SIP transports by Kamailio's numbers (`enum sip_protos`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Transport {
    /// UDP
    Udp = 1,
    /// TCP
    Tcp = 2,
    /// TLS over TCP
    Tls = 3,
    /// SCTP
    Sctp = 4,
    /// WebSocket
    Ws = 5,
    /// WebSocket over TLS
    Wss = 6,
    /// Anything else
    Other = 7,
}

impl Transport {
    /// The transport of a number; `None` for 0 ("not given") and above 7.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Udp,
            2 => Self::Tcp,
            3 => Self::Tls,
            4 => Self::Sctp,
            5 => Self::Ws,
            6 => Self::Wss,
            7 => Self::Other,
            _ => return None,
        })
    }

    /// The transport of a request that names none, to a name whose records name none (RFC 3263 section 4.1).
    pub(crate) const DEFAULT: Self = Self::Udp;

    /// The transport of a number, the default for 0.
    #[must_use]
    #[inline]
    pub fn or_default(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::DEFAULT),
            number => Self::from_number(number),
        }
    }

    /// True for the transports that a SIP URI can name, and for 0 ("not given"): the others have
    /// neither SRV names nor a default port.
    #[must_use]
    pub fn is_known(number: u8) -> bool {
        number < Self::Other as u8
    }

    /// True when what is sent over it is encrypted.
    #[must_use]
    pub fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    /// Name as in `;transport=`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Sctp => "sctp",
            Self::Ws => "ws",
            Self::Wss => "wss",
            Self::Other => "other",
        }
    }

    /// Port when neither URI nor DNS give one (RFC 3261 section 19.1.2, RFC 7118 section 5).
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Self::Tls => 5061,
            Self::Ws => 80,
            Self::Wss => 443,
            _ => 5060,
        }
    }
}

/// Request flags (`DNS_*` of dns_cache.h).
pub mod flags {
    pub use crate::lookup::request::{
        INTERLEAVE, IPV4_ONLY, IPV6_FIRST, IPV6_ONLY, ROTATE, TRACED,
    };

    /// Weighted choice among SRV records.
    pub const SRV_RR_LB: u32 = 8;
    /// NAPTR first.
    pub const TRY_NAPTR: u32 = 16;
}

/// Why no target was given; the numbers are those of `enum dns_errors`, negated by ffi.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum SelectError {
    /// All targets were given already.
    EndOfList = 1,
    /// No SRV record, or its query failed.
    NoSrv = 5,
    /// No address, or its query failed.
    NoIp = 7,
    /// 256 octets or more.
    NameTooLong = 10,
    /// An IP literal of the family that the flags exclude.
    AfMismatch = 11,
    /// The NAPTR query failed (a failure, not an absence).
    NoNaptr = 12,
    /// A transport that SIP does not know, and no port.
    Critical = 13,
}

/// Why a target was chosen; filled on request, for people.
#[cfg(feature = "use_dns_cache")]
#[derive(Clone, Debug, Default)]
pub struct Reason {
    /// The NAPTR record, if one led here.
    pub naptr: Option<NaptrReason>,
    /// The SRV record, if one led here.
    pub srv: Option<SrvReason>,
    /// The address record or literal.
    pub address: Option<AddressReason>,
}

/// Part of a [`Reason`].
#[cfg(feature = "use_dns_cache")]
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the record's fields")]
pub struct NaptrReason {
    pub owner: Vec<u8>,
    pub order: u16,
    pub preference: u16,
    pub service: Vec<u8>,
    pub replacement: Vec<u8>,
    /// Seconds left; -1 = permanent.
    pub ttl: i32,
    pub source: Source,
}

/// Part of a [`Reason`].
#[cfg(feature = "use_dns_cache")]
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the record's fields")]
pub struct SrvReason {
    pub owner: Vec<u8>,
    pub priority: u16,
    pub weight: u16,
    pub port: u16,
    pub target: Vec<u8>,
    /// Seconds left; -1 = permanent.
    pub ttl: i32,
    pub source: Source,
}

/// Part of a [`Reason`].
#[cfg(feature = "use_dns_cache")]
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the record's fields")]
pub struct AddressReason {
    /// Owner of the A/AAAA record: the canonical name when the host is an alias.
    pub owner: Vec<u8>,
    /// Seconds left; -1 = permanent or a literal.
    pub ttl: i32,
    pub source: Source,
}
