//! The one rule about security: which transports are open to a request.
//!
//! Clear transports are those without encryption. The caller's wish closes them, or the domain's offer, or a question
//! about a secure transport that was not answered; a lost packet never opens one. `dns_downgrade` says how much closes
//! them, see [`Downgrade`]. Secure transports are always open.

use crate::error::{Failure, LookupError};
use crate::host::options::{self, ExtraOpt, StrOpt};

use super::Transport;

/// How far a search may go from a secure transport to a clear one: `dns_downgrade`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Downgrade {
    /// Never, once the domain has offered a secure one.
    Never,
    /// Where the secure one is known to be absent, or as failover where the domain offers both.
    OnAbsence,
    /// Always: a question that was not answered counts as "no such record".
    Always,
}

impl Downgrade {
    /// The policy of the options; `dns_fallback_on_failure=yes` is another spelling of `always`. Not every host refuses
    /// other words when they are set: such words open nothing.
    #[must_use]
    pub(crate) fn configured() -> Self {
        if options::extra(ExtraOpt::FallbackOnFailure) != 0 {
            return Self::Always;
        }
        let says = |word| options::is_word(StrOpt::Downgrade, word);
        match () {
            () if says("never") => Self::Never,
            () if says("always") => Self::Always,
            () => Self::OnAbsence,
        }
    }

    /// The option and its value.
    #[must_use]
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Never => "dns_downgrade=never",
            Self::OnAbsence => "dns_downgrade=on_absence",
            Self::Always => "dns_downgrade=always",
        }
    }
}

/// Why a part of the search gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nothing {
    /// There are no such records.
    Absent,
    /// There are SRV records, and none leads to an address.
    Dead,
    /// There are SRV records that say that the service is not offered (target ".").
    Refused,
    /// A question was not answered, or with an error.
    Failed,
    /// The call has used up what it may spend on targets without address, or has given up because too many waited:
    /// neither says anything of the domain.
    Exhausted,
    /// A question has no answer yet, and the search will come here again: nothing clear that stands behind may be used
    /// meanwhile in the place of a secure transport, and nothing that is there for lack of records.
    Open,
}

impl Nothing {
    /// Puts this part and another part together, neither of which gave anything: a failure goes before an absence, the
    /// end of the call before a failure, and an open question before all.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        let weight = |nothing| match nothing {
            Self::Absent | Self::Dead | Self::Refused => 0,
            Self::Failed => 1,
            Self::Exhausted => 2,
            Self::Open => 3,
        };
        if weight(other) > weight(self) {
            other
        } else {
            self
        }
    }
}

impl From<LookupError> for Nothing {
    fn from(error: LookupError) -> Self {
        match error {
            LookupError::NameTooLong => Self::Absent,
            LookupError::Open => Self::Open,
            LookupError::Failed(Failure::GivenUp) => Self::Exhausted,
            error if error.is_absence() => Self::Absent,
            _ => Self::Failed,
        }
    }
}

/// Why clear transports are closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closure {
    /// All NAPTR records for SIP name secure transports.
    NamedAlone,
    /// `never`, and a NAPTR record that goes first names a secure transport.
    NamedFirst,
    /// `never`, and a secure transport that goes first has SRV records.
    HasRecords,
    /// A question about a secure transport that goes first was not answered.
    Unanswered,
}

/// A set of transports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Transports(u8);

impl Transports {
    fn add(&mut self, transport: Transport) {
        self.0 |= 1 << transport as u8;
    }

    fn has(self, transport: Transport) -> bool {
        self.0 & 1 << transport as u8 != 0
    }
}

/// The state of the transports, as far as a search has learnt it. In the beginning all are open.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gate {
    /// `None` = as the options say: most searches meet nothing that depends on the policy, so it is read when it
    /// matters.
    downgrade: Option<Downgrade>,
    closed: Option<Closure>,
    /// SRV records were asked for.
    asked: Transports,
    /// Asked for by the names that belong to the transports, not by those in NAPTR records.
    listed: Transports,
    /// The domain does not offer it.
    refused: Transports,
    failed: bool,
    open: bool,
}

impl Gate {
    /// As [`Self::default`], whatever the options say.
    #[cfg(test)]
    fn of(downgrade: Downgrade) -> Self {
        Self {
            downgrade: Some(downgrade),
            ..Self::default()
        }
    }

    fn downgrade(&self) -> Downgrade {
        self.downgrade.unwrap_or_else(Downgrade::configured)
    }

    /// Why a transport is closed; `None` = it is open.
    #[must_use]
    pub(crate) fn closure(&self, transport: Transport) -> Option<Closure> {
        self.closed.filter(|_| !transport.is_secure())
    }

    /// True when what the domain offers over a secure transport could not be had, or the call has used up what it may
    /// spend: then there is no other way.
    #[must_use]
    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }

    /// True when a question has no answer yet.
    #[must_use]
    pub(crate) fn has_open(&self) -> bool {
        self.open
    }

    fn close(&mut self, why: Closure) {
        self.closed.get_or_insert(why);
    }

    /// The question for NAPTR records gave nothing; true when the search has to end there. `open`: clear transports
    /// are open to the caller.
    #[must_use]
    pub(crate) fn ends_without_naptr(&self, nothing: Nothing, open: bool) -> bool {
        nothing == Nothing::Open || open && self.is_unanswered(nothing)
    }

    fn is_unanswered(&self, nothing: Nothing) -> bool {
        matches!(nothing, Nothing::Failed | Nothing::Exhausted)
            && self.downgrade() != Downgrade::Always
    }

    /// A NAPTR record names a transport, and its turn has come.
    pub(crate) fn named(&mut self, transport: Transport) {
        if transport.is_secure() && self.downgrade() == Downgrade::Never {
            self.close(Closure::NamedFirst);
        }
    }

    /// All NAPTR records for SIP have been of no use. `alone`: they name secure transports alone.
    pub(crate) fn end_of_named(&mut self, alone: bool) {
        if alone && self.downgrade() != Downgrade::Always {
            self.close(Closure::NamedAlone);
        }
    }

    /// The transport that a NAPTR record names has no target.
    pub(crate) fn named_without(&mut self, transport: Transport, nothing: Nothing) {
        self.asked.add(transport);
        // The domain offers the transport: of a secure one a failure is no absence.
        self.failed |= transport.is_secure() && self.is_unanswered(nothing);
        self.without(transport, nothing);
    }

    /// A transport's own SRV name has no target.
    pub(crate) fn listed_without(&mut self, transport: Transport, nothing: Nothing) {
        self.asked.add(transport);
        self.listed.add(transport);
        self.without(transport, nothing);
    }

    fn without(&mut self, transport: Transport, nothing: Nothing) {
        if nothing == Nothing::Refused {
            self.refused.add(transport);
        }
        let unanswered = self.is_unanswered(nothing);
        // A failure about a clear transport is as good as absence: an error that led nowhere would protect nobody, for
        // who can make one can make silence.
        self.failed |= unanswered && nothing == Nothing::Exhausted;
        let is_open = nothing == Nothing::Open;
        self.open |= is_open;
        if transport.is_secure() && (unanswered || is_open) {
            self.close(Closure::Unanswered);
        }
        let dead = transport.is_secure() && nothing == Nothing::Dead;
        if dead && self.downgrade() == Downgrade::Never {
            self.close(Closure::HasRecords);
        }
    }

    /// The transport over which the addresses of the name itself may be used, after all SRV records asked for gave
    /// nothing. `given` is the caller's.
    #[must_use]
    pub(crate) fn without_records(&self, given: Option<Transport>) -> Option<Transport> {
        let udp = Transport::Udp;
        let transport = match (given, self.closed) {
            (Some(given), _) => given,
            (None, None) => udp,
            // RFC 3263 section 4.2: "using the transport protocol determined previously".
            (None, Some(Closure::NamedAlone | Closure::NamedFirst)) => Transport::Tls,
            // UDP was asked for before the transport that closed it: this server prefers UDP.
            (None, Some(_)) if self.listed.has(udp) => udp,
            (None, Some(_)) => return None,
        };
        let all_refused = self.asked != Transports::default() && self.asked == self.refused;
        (!all_refused && !self.refused.has(transport)).then_some(transport)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Transport::{Tcp, Tls, Udp};

    const POLICIES: [Downgrade; 3] = [Downgrade::Never, Downgrade::OnAbsence, Downgrade::Always];
    const ALL: [Nothing; 6] = [
        Nothing::Absent,
        Nothing::Dead,
        Nothing::Refused,
        Nothing::Failed,
        Nothing::Exhausted,
        Nothing::Open,
    ];

    /// The closure of UDP when TLS, which goes first, has no target; for never, on_absence, always.
    fn closures(of: impl Fn(&mut Gate)) -> [Option<Closure>; 3] {
        POLICIES.map(|policy| {
            let mut gate = Gate::of(policy);
            of(&mut gate);
            assert_eq!(gate.closure(Tls), None);
            gate.closure(Udp)
        })
    }

    #[test]
    fn what_a_secure_transport_closes() {
        use Closure::{HasRecords, NamedAlone, NamedFirst, Unanswered};
        for nothing in ALL {
            let listed = closures(|gate| gate.listed_without(Tls, nothing));
            let unanswered = [Some(Unanswered), Some(Unanswered), None];
            let expected = match nothing {
                Nothing::Absent | Nothing::Refused => [None; 3],
                Nothing::Dead => [Some(HasRecords), None, None],
                Nothing::Failed | Nothing::Exhausted => unanswered,
                // Whatever comes of it: its turn is before theirs.
                Nothing::Open => [Some(Unanswered); 3],
            };
            assert_eq!(listed, expected, "{nothing:?}");
            let named = closures(|gate| {
                gate.named(Tls);
                gate.named_without(Tls, nothing);
            });
            let expected = match nothing {
                Nothing::Failed | Nothing::Exhausted => [Some(NamedFirst), Some(Unanswered), None],
                Nothing::Open => [Some(NamedFirst), Some(Unanswered), Some(Unanswered)],
                _ => [Some(NamedFirst), None, None],
            };
            assert_eq!(named, expected, "{nothing:?}");
            let clear = closures(|gate| {
                gate.named(Udp);
                gate.named_without(Udp, nothing);
                gate.listed_without(Tcp, nothing);
            });
            assert_eq!(clear, [None; 3], "{nothing:?}");
        }
        let alone = [Some(NamedAlone), Some(NamedAlone), None];
        assert_eq!(closures(|gate| gate.end_of_named(true)), alone);
        assert_eq!(closures(|gate| gate.end_of_named(false)), [None; 3]);
    }

    #[test]
    fn what_says_more_stays_whichever_comes_first() {
        let rising = [
            Nothing::Absent,
            Nothing::Failed,
            Nothing::Exhausted,
            Nothing::Open,
        ];
        for (place, &less) in rising.iter().enumerate() {
            for &more in &rising[place..] {
                assert_eq!((less.and(more), more.and(less)), (more, more));
            }
        }
        let given_up = LookupError::Failed(Failure::GivenUp);
        assert_eq!(Nothing::from(given_up), Nothing::Exhausted);
    }

    #[test]
    fn failure_is_the_end_only_where_the_domain_has_named_the_secure_transport() {
        for policy in POLICIES {
            for transport in [Udp, Tls] {
                for nothing in ALL {
                    let (mut named, mut listed) = (Gate::of(policy), Gate::of(policy));
                    named.named_without(transport, nothing);
                    listed.listed_without(transport, nothing);
                    let strict = policy != Downgrade::Always;
                    let exhausted = strict && nothing == Nothing::Exhausted;
                    let failed = strict && nothing == Nothing::Failed;
                    assert_eq!(listed.has_failed(), exhausted, "{policy:?} {nothing:?}");
                    let expected = exhausted || failed && transport == Tls;
                    assert_eq!(named.has_failed(), expected, "{policy:?} {nothing:?}");
                }
            }
        }
    }

    #[test]
    fn a_refusal_denies_its_own_transport() {
        let after = |refused: &[Transport], absent: &[Transport]| {
            let mut gate = Gate::of(Downgrade::OnAbsence);
            for transport in refused {
                gate.listed_without(*transport, Nothing::Refused);
            }
            for transport in absent {
                gate.listed_without(*transport, Nothing::Absent);
            }
            gate
        };
        assert_eq!(after(&[Tls], &[Udp, Tcp]).without_records(None), Some(Udp));
        assert_eq!(after(&[Tls], &[]).without_records(None), None);
        assert_eq!(after(&[Udp], &[Tcp]).without_records(None), None);
        assert_eq!(after(&[Tcp], &[]).without_records(Some(Tcp)), None);
        assert_eq!(after(&[], &[Tcp]).without_records(Some(Tcp)), Some(Tcp));
        assert_eq!(after(&[], &[]).without_records(None), Some(Udp));
    }

    #[test]
    fn the_address_of_the_name_is_no_way_round() {
        let after = |of: &dyn Fn(&mut Gate)| {
            POLICIES.map(|policy| {
                let mut gate = Gate::of(policy);
                of(&mut gate);
                gate.without_records(None)
            })
        };
        // TLS goes first, and its question fails.
        let failed = after(&|gate| {
            gate.listed_without(Tls, Nothing::Failed);
        });
        assert_eq!(failed, [None, None, Some(Udp)]);
        // UDP goes first, and all fail.
        let failed = after(&|gate| {
            gate.listed_without(Udp, Nothing::Failed);
            gate.listed_without(Tls, Nothing::Failed);
        });
        assert_eq!(failed, [Some(Udp); 3]);
        let alone = after(&|gate| {
            gate.named_without(Tls, Nothing::Absent);
            gate.end_of_named(true);
        });
        assert_eq!(alone, [Some(Tls), Some(Tls), Some(Udp)]);
    }
}
