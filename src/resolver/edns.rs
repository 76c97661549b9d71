//! The queries that carry an OPT record (RFC 6891).
//!
//! Some servers refuse such queries, some make nonsense of them, some gateways drop them. All of that shows in
//! the answers to questions about somebody's zone, and a forwarder passes on what a zone's servers say. So no
//! single zone may decide for all: a reply has to prove by itself that the server does not know EDNS, or the
//! same has to be seen with two zones that have nothing to do with each other; each time the question has to
//! fare better without the record; and a server that has shown of late that it knows EDNS is not suspected at
//! all, but asked without for that zone. A server that never sends an OPT record loses nothing by it: EDNS does
//! nothing for its answers.

use super::wire_name::Octets;
use crate::host::random;

/// The value of the option `dns_edns`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Policy {
    /// A server that the record does not suit is asked without it.
    #[default]
    Auto,
    /// Every query has the record, and no question is repeated without.
    Always,
    /// No query has it.
    Never,
}

impl Policy {
    /// Reads the option; `None` for words that it does not have. Not every host asks when it is set.
    pub(super) fn of_text(text: &[u8]) -> Option<Self> {
        match text.trim_ascii().to_ascii_lowercase().as_slice() {
            b"" | b"auto" => Some(Self::Auto),
            b"yes" => Some(Self::Always),
            b"no" => Some(Self::Never),
            _ => None,
        }
    }
}

/// Why a question is put once more without the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The reply shows by itself that the server does not know EDNS.
    Proof,
    /// The trouble may be due to the zone as well as to the server.
    Sign,
}

/// Stands for the zone of a question: its name's last two labels. Never 0.
pub(super) fn zone_of(question: &[u8]) -> u64 {
    let mut starts = [0, 0];
    let mut at = 0;
    while let Some(&length @ 1..=63) = question.get(at) {
        let [_, second] = starts;
        starts = [second, at];
        at += usize::from(length) + 1;
    }
    let [start, _] = starts;
    let zone: Octets = question
        .get(start..at)
        .unwrap_or_default()
        .iter()
        .map(u8::to_ascii_lowercase)
        .collect();
    let mix = |hash: u64, octet: &u8| random::split_mix(&mut (hash ^ u64::from(*octet)));
    zone.iter().fold(1, mix).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> u64 {
        let mut question = super::super::wire_name::name_of_text(name.as_bytes()).unwrap();
        question.extend_from_slice(&[0, 1, 0, 1]);
        zone_of(&question)
    }

    #[test]
    fn a_zone_is_two_labels() {
        for name in ["a.example.net", "_sip._udp.Example.NET", "example.net."] {
            assert_eq!(zone(name), zone("example.net"), "{name}");
        }
        let all = ["example.net", "example.org", "net", "org", ".", "a.org"];
        let distinct: std::collections::HashSet<u64> = all.iter().map(|n| zone(n)).collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn texts_of_the_option() {
        assert_eq!(Policy::of_text(b""), Some(Policy::Auto));
        assert_eq!(Policy::of_text(b"auto"), Some(Policy::Auto));
        assert_eq!(Policy::of_text(b" YES "), Some(Policy::Always));
        assert_eq!(Policy::of_text(b"no"), Some(Policy::Never));
        assert_eq!(Policy::of_text(b"0"), None);
    }
}
