//! What is asked for, and the options in force.

use super::draw::Draw;

pub const IPV4_ONLY: u32 = 1;
pub const IPV6_ONLY: u32 = 2;
pub const IPV6_FIRST: u32 = 4;
pub const SRV_LB: u32 = 8;
pub const TRY_NAPTR: u32 = 16;
pub const ROTATE: u32 = 0x2000_0000;
pub const INTERLEAVE: u32 = 0x4000_0000;

pub const UDP: u8 = 1;
pub const TCP: u8 = 2;
pub const TLS: u8 = 3;
pub const SCTP: u8 = 4;
pub const WS: u8 = 5;
pub const WSS: u8 = 6;

/// `dns_downgrade`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Downgrade {
    Never,
    OnAbsence,
    Always,
}

/// The options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub ignore_rfc: bool,
    pub downgrade: Downgrade,
    pub sips_naptr: bool,
    /// Preferences of UDP, TCP, TLS, SCTP.
    pub preferences: [i32; 4],
    pub tcp_disabled: bool,
    pub tls_disabled: bool,
    pub sctp_disabled: bool,
}

/// One destination, and how it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// As it stands in the URI.
    pub host: String,
    /// 0 = not given.
    pub port: u16,
    /// 0 = not given; TLS stands for `sips:` and for `transport=tls`.
    pub transport: u8,
    /// The URI is a `sips:` one.
    pub sips: bool,
    /// `DNS_*`.
    pub flags: u32,
}

impl Policy {
    /// What the documentation calls the defaults, SCTP in use.
    pub fn usual() -> Self {
        Self {
            ignore_rfc: true,
            downgrade: Downgrade::OnAbsence,
            sips_naptr: false,
            preferences: [30, 20, 10, 20],
            tcp_disabled: false,
            tls_disabled: false,
            sctp_disabled: false,
        }
    }

    pub fn random(draw: &mut Draw) -> Self {
        let preferences = match draw.percent(55) {
            true => Self::usual().preferences,
            false => [(); 4].map(|()| draw.pick(&[-1, 0, 1, 10, 20, 30, 30, 90])),
        };
        Self {
            ignore_rfc: draw.percent(50),
            downgrade: match draw.below(100) {
                0..15 => Downgrade::Never,
                15..30 => Downgrade::Always,
                _ => Downgrade::OnAbsence,
            },
            sips_naptr: draw.percent(40),
            preferences,
            tcp_disabled: draw.percent(3),
            tls_disabled: draw.percent(12),
            sctp_disabled: draw.percent(50),
        }
    }
}

impl Request {
    pub fn random(domain: &str, draw: &mut Draw) -> Self {
        let host = match draw.below(100) {
            0..3 => "192.0.2.250".to_owned(),
            3..6 => "2001:db8::250".to_owned(),
            6..10 => format!("h0.{domain}"),
            10..15 => format!("{domain}."),
            15..20 => domain.to_uppercase(),
            _ => domain.to_owned(),
        };
        let transport = match draw.below(100) {
            0..60 => 0,
            60..70 => UDP,
            70..78 => TCP,
            78..94 => TLS,
            94..97 => SCTP,
            97 => WSS,
            _ => WS,
        };
        Self {
            host,
            port: if draw.percent(10) { 5070 } else { 0 },
            transport,
            sips: transport == TLS && draw.percent(50),
            flags: draw.pick(&[0, 0, 0, IPV4_ONLY, IPV6_ONLY, IPV6_FIRST])
                | if draw.percent(20) { SRV_LB } else { 0 }
                | if draw.percent(70) { TRY_NAPTR } else { 0 },
        }
    }

    /// Draws the options that say in what order the addresses of a host are used.
    pub fn draw_order(&mut self, draw: &mut Draw) {
        for option in [ROTATE, INTERLEAVE] {
            if draw.percent(25) {
                self.flags |= option;
            }
        }
    }

    /// Calls begin in turn with each address of a set: those that draw a seed have drawn where they begin.
    pub fn takes_turns(&self) -> bool {
        self.flags & ROTATE != 0 && self.flags & SRV_LB == 0
    }

    /// The URI.
    pub fn uri(&self) -> String {
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        let port = match self.port {
            0 => String::new(),
            port => format!(":{port}"),
        };
        let (scheme, parameter) = match self.transport {
            UDP => ("sip", ";transport=udp"),
            TCP => ("sip", ";transport=tcp"),
            TLS if self.sips => ("sips", ""),
            TLS => ("sip", ";transport=tls"),
            SCTP => ("sip", ";transport=sctp"),
            WS => ("sip", ";transport=ws"),
            WSS => ("sip", ";transport=wss"),
            _ => ("sip", ""),
        };
        format!("{scheme}:user@{host}{port}{parameter}")
    }
}
