//! The transports that can be used, and the order in which their SRV records are asked for.

use crate::host::kamailio;
use crate::host::options::{self, ExtraOpt, Opt};

use super::Transport;

/// Transports in order; at most four.
#[derive(Clone, Copy, Debug)]
pub struct TransportList {
    list: [Transport; 4],
    count: usize,
}

impl TransportList {
    /// A list of one.
    #[must_use]
    pub fn single(transport: Transport) -> Self {
        Self {
            list: [transport; 4],
            count: 1,
        }
    }

    /// The transports.
    pub fn iter(&self) -> std::slice::Iter<'_, Transport> {
        self.list.get(..self.count).unwrap_or(&[]).iter()
    }
}

/// True when the program around us can send over the transport.
#[must_use]
pub fn available(transport: Transport) -> bool {
    let disabled = |in_host: Option<bool>, opt| in_host.unwrap_or_else(|| options::extra(opt) != 0);
    match transport {
        Transport::Udp => true,
        Transport::Tcp => !disabled(kamailio::tcp_disable(), ExtraOpt::TcpDisable),
        Transport::Tls => {
            !disabled(kamailio::tcp_disable(), ExtraOpt::TcpDisable)
                && !disabled(kamailio::tls_disable(), ExtraOpt::TlsDisable)
        }
        Transport::Sctp => !disabled(kamailio::sctp_disable(), ExtraOpt::SctpDisable),
        Transport::Ws | Transport::Wss | Transport::Other => false,
    }
}

fn configured_preference(transport: Transport) -> i32 {
    match transport {
        Transport::Udp => options::int(Opt::UdpPref),
        Transport::Tcp => options::int(Opt::TcpPref),
        Transport::Tls => options::int(Opt::TlsPref),
        Transport::Sctp => options::int(Opt::SctpPref),
        Transport::Ws | Transport::Wss | Transport::Other => -1,
    }
}

/// Weight of a transport in the choice among NAPTR records: the configured preference, or, with
/// `dns_naptr_ignore_rfc` off, 1 for all that are not disabled, so that order and preference of the
/// records decide.
#[must_use]
pub fn preference(transport: Transport) -> i32 {
    let configured = configured_preference(transport);
    if options::on(Opt::NaptrIgnoreRfc) {
        configured
    } else {
        configured.min(1).max(configured.signum())
    }
}

/// True when a transport is available and its preference is not negative.
#[must_use]
pub fn supported(transport: Transport) -> bool {
    available(transport) && configured_preference(transport) >= 0
}

/// The transports of SIP; of equally preferred ones the first counts.
const ALL: [Transport; 4] = [
    Transport::Udp,
    Transport::Tcp,
    Transport::Tls,
    Transport::Sctp,
];

/// The first of [`list`], without making it.
#[must_use]
pub fn most_preferred() -> Option<Transport> {
    let mut best: Option<(i32, Transport)> = None;
    for transport in ALL {
        let preference = configured_preference(transport);
        let is_better = best.is_none_or(|(most, _)| preference > most);
        if preference >= 0 && is_better && available(transport) {
            best = Some((preference, transport));
        }
    }
    best.map(|(_, transport)| transport)
}

/// All supported transports, most preferred first; equal ones in the order UDP, TCP, TLS, SCTP.
#[must_use]
pub fn list() -> TransportList {
    let mut result = TransportList {
        list: [Transport::Udp; 4],
        count: 0,
    };
    for transport in ALL {
        if !supported(transport) {
            continue;
        }
        if let Some(place) = result.list.get_mut(result.count) {
            *place = transport;
            result.count += 1;
        }
    }
    if let Some(used) = result.list.get_mut(..result.count) {
        used.sort_by_key(|t| std::cmp::Reverse(configured_preference(*t)));
    }
    result
}

/// The part of an SRV name before the host; `None` for transports without SRV records.
#[must_use]
pub fn srv_prefix(transport: Transport) -> Option<&'static [u8]> {
    match transport {
        Transport::Udp => Some(b"_sip._udp."),
        Transport::Tcp => Some(b"_sip._tcp."),
        Transport::Tls => Some(b"_sips._tcp."),
        Transport::Sctp => Some(b"_sip._sctp."),
        Transport::Ws | Transport::Wss | Transport::Other => None,
    }
}

/// Room for an SRV name.
pub const SRV_NAME_ROOM: [u8; crate::rr::MAX_NAME_OCTETS] = [0; crate::rr::MAX_NAME_OCTETS];

/// An SRV name on the stack.
#[derive(Clone, Copy, Debug)]
pub struct SrvName {
    octets: [u8; crate::rr::MAX_NAME_OCTETS],
    length: usize,
}

impl std::ops::Deref for SrvName {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or(&[])
    }
}

/// The SRV name of a host; `None` when the transport has none or the name would exceed 255 octets.
#[must_use]
pub fn srv_name(transport: Transport, host: &[u8]) -> Option<SrvName> {
    let mut name = SrvName {
        octets: SRV_NAME_ROOM,
        length: 0,
    };
    name.length = write_srv_name(transport, host, &mut name.octets)?.len();
    Some(name)
}

/// As [`srv_name`], written to the caller's room.
#[must_use]
#[inline]
pub fn write_srv_name<'r>(
    transport: Transport,
    host: &[u8],
    room: &'r mut [u8; crate::rr::MAX_NAME_OCTETS],
) -> Option<&'r [u8]> {
    let prefix = srv_prefix(transport)?;
    let length = prefix.len() + host.len();
    if host.is_empty() {
        return None;
    }
    let (head, tail) = room.get_mut(..length)?.split_at_mut_checked(prefix.len())?;
    head.copy_from_slice(prefix);
    tail.copy_from_slice(host);
    room.get(..length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn srv_names() {
        assert_eq!(
            &*srv_name(Transport::Tls, b"a.b").unwrap(),
            b"_sips._tcp.a.b"
        );
        assert!(srv_name(Transport::Ws, b"a.b").is_none());
        assert!(srv_name(Transport::Udp, &[b'a'; 245]).is_some());
        assert!(srv_name(Transport::Udp, &[b'a'; 246]).is_none());
    }

    #[test]
    fn default_order_prefers_udp() {
        let order: Vec<_> = list().iter().copied().collect();
        assert_eq!(order, [Transport::Udp, Transport::Tcp, Transport::Tls]);
    }
}
