//! Error values of the core. No C codes live here.

/// Why a query produced neither an answer nor a proof of absence (RFC 9520 "resolution failure").
///
/// Never to be treated as "the name does not exist".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// No nameserver replied before the deadline.
    Timeout,
    /// The last reply was SERVFAIL or another error rcode that proves nothing about the name.
    ServFail,
    /// The last reply was REFUSED.
    Refused,
    /// Every reply was unusable: it could not be decoded, or did not fit the question.
    Malformed,
    /// Sending failed everywhere (no route, port closed, out of descriptors).
    Network,
    /// No nameserver is configured, or all are marked down by the watchdog.
    NoServers,
    /// A swapped-in `dns_func` search function reported an error without saying which.
    Hook,
    /// The caller gave up before the nameserver had its time, for too many waited. No failure of the name's.
    GivenUp,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Timeout => "no answer in time",
            Self::ServFail => "the nameserver failed (SERVFAIL)",
            Self::Refused => "refused",
            Self::Malformed => "no reply that can be used",
            Self::Network => "no nameserver can be reached",
            Self::NoServers => "there is no nameserver to ask",
            Self::Hook => "the search function of a module failed",
            Self::GivenUp => "given up, for too many wait for DNS",
        })
    }
}

/// Why a lookup gave no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LookupError {
    /// An authority said that the name does not exist (RFC 2308 NXDOMAIN).
    NxDomain,
    /// The name exists without records of the type asked (RFC 2308 NODATA).
    NoData,
    /// The name holds an octet that host names may not have, or is empty; nothing was asked.
    BadName,
    /// The name has 256 octets or more; nothing was asked and nothing is cached.
    NameTooLong,
    /// The CNAME chain is a loop or longer than [`crate::rr::MAX_CNAME_HOPS`].
    CnameChain,
    /// Resolution failed; this says nothing about the name.
    Failed(Failure),
    /// There is no answer yet: the question was left open, and something else may be tried meanwhile.
    Open,
    /// The answer is known but the memory for a shared entry is exhausted.
    OutOfMemory,
    /// The cache was never initialised (`dns_cache_init=0`, or called too early).
    NoCache,
}

impl LookupError {
    /// True when absence was proven (or nothing could be asked), false when it is merely unknown.
    #[must_use]
    pub fn is_absence(self) -> bool {
        matches!(
            self,
            Self::NxDomain | Self::NoData | Self::BadName | Self::CnameChain
        )
    }
}
