//! resolv.conf and the environment variables that go over it, as glibc reads them.
//!
//! Octets that are no text do no harm: lines end at line feeds, and only the words that count must have their form.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use resolv_conf::Config;

use super::regular_file::{self, Stamp};
use crate::host::interface;

const DNS_PORT: u16 = 53;
/// Servers used of the file. The libc stops at 3; more only make a failing lookup longer.
const MAX_FILE_SERVERS: usize = 8;
/// Octets of the file; one that is longer is not read. Ten thousand lines are below.
const MAX_FILE_OCTETS: u64 = 1 << 20;
/// Lines of one file that the log names.
const MAX_COMPLAINTS: usize = 8;
/// Octets of a word that the log shows.
const MAX_SHOWN_OCTETS: usize = 64;

/// The use of an option of resolv.conf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// The option does what resolv.conf(5) says.
    Honoured,
    /// The option cannot matter here, for the reason given.
    NoEffect(&'static str),
}

/// The options of resolv.conf(5) and their use here.
const RESOLV_CONF_OPTIONS: &[(&str, Use)] = &[
    ("ndots", Use::Honoured),
    ("timeout", Use::Honoured),
    ("attempts", Use::Honoured),
    ("rotate", Use::Honoured),
    ("edns0", Use::NoEffect("dns_edns decides")),
    ("use-vc", Use::Honoured),
    ("trust-ad", Use::Honoured),
    ("no-aaaa", Use::Honoured),
    ("no-tld-query", Use::Honoured),
    ("no-reload", Use::Honoured),
    ("debug", Use::NoEffect("the feature resolve_dbg traces")),
    ("inet6", Use::NoEffect("dns_try_ipv6 decides")),
    ("no-check-names", Use::NoEffect("names are always checked")),
    (
        "single-request",
        Use::NoEffect("no two queries share a socket"),
    ),
    (
        "single-request-reopen",
        Use::NoEffect("no two queries share a socket"),
    ),
    ("ip6-bytestring", Use::NoEffect("no reverse lookups")),
    ("ip6-dotint", Use::NoEffect("no reverse lookups")),
    ("no-ip6-dotint", Use::NoEffect("no reverse lookups")),
];

/// The file as it was read.
#[derive(Clone, Debug)]
pub(super) struct ResolvConf {
    pub(super) stamp: Option<Stamp>,
    pub(super) config: Config,
    /// At least one.
    pub(super) servers: Vec<SocketAddr>,
    /// The file names a server.
    pub(super) names_server: bool,
    /// The file has a line that says something.
    pub(super) says_something: bool,
    pub(super) search: Vec<Vec<u8>>,
    /// Digest of all that decides on the names asked for a relative name; `None` = relative names are asked as they
    /// are.
    pub(super) search_digest: Option<u64>,
    /// The lines and options that are not understood, with the numbers of the lines.
    pub(super) complaints: Vec<String>,
}

impl ResolvConf {
    /// Reads the file.
    ///
    /// # Errors
    /// As of [`regular_file::read`], and when it is too long.
    pub(super) fn read(path: &Path, stamp: Option<Stamp>) -> std::io::Result<Self> {
        let (text, is_longer) = regular_file::read(path, MAX_FILE_OCTETS)?;
        if is_longer {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        Ok(Self::of_text(&text, stamp))
    }

    /// The configuration without a file: a server on this host, as for libc.
    pub(super) fn missing(stamp: Option<Stamp>) -> Self {
        Self::of_text(b"", stamp)
    }

    fn of_text(text: &[u8], stamp: Option<Stamp>) -> Self {
        let environment = |name| std::env::var_os(name).map(|v| v.as_bytes().to_vec());
        Self::parse(
            text,
            environment("RES_OPTIONS"),
            environment("LOCALDOMAIN"),
            stamp,
        )
    }

    /// RES_OPTIONS and LOCALDOMAIN go over what the file says, as in libc.
    fn parse(
        text: &[u8],
        res_options: Option<Vec<u8>>,
        local_domain: Option<Vec<u8>>,
        stamp: Option<Stamp>,
    ) -> Self {
        let mut reading = Reading::new();
        for (number, line) in (1..).zip(text.split(|&octet| octet == b'\n')) {
            reading.line(number, line.strip_suffix(b"\r").unwrap_or(line));
        }
        if let Some(options) = res_options {
            reading.options(&options, &"RES_OPTIONS");
        }
        if let Some(domains) = local_domain {
            // LOCALDOMAIN without a domain says that there is no list.
            reading.config.set_search(domains_of(&domains));
        }
        let Reading {
            config,
            mut servers,
            says_something,
            complaints,
        } = reading;
        servers.truncate(MAX_FILE_SERVERS);
        let names_server = !servers.is_empty();
        if !names_server {
            servers.push((Ipv4Addr::LOCALHOST, DNS_PORT).into());
        }
        let search = search_of(&config);
        Self {
            stamp,
            search_digest: digest_of(&search, &config),
            search,
            config,
            servers,
            names_server,
            says_something,
            complaints,
        }
    }
}

/// A file that is being read.
struct Reading {
    config: Config,
    servers: Vec<SocketAddr>,
    says_something: bool,
    complaints: Vec<String>,
}

impl Reading {
    fn new() -> Self {
        Self {
            config: Config::new(),
            servers: Vec::new(),
            says_something: false,
            complaints: Vec::new(),
        }
    }

    /// Reads a line. A keyword stands at the line's beginning; a line that is not understood is left out, and the
    /// others count.
    fn line(&mut self, number: usize, line: &[u8]) {
        if line.trim_ascii().is_empty() || matches!(line.first(), Some(b'#' | b';')) {
            return;
        }
        self.says_something = true;
        let place = format!("line {number}");
        let end = line.iter().position(|&octet| is_blank(octet));
        let (keyword, rest) = line.split_at(end.unwrap_or(line.len()));
        match keyword {
            b"nameserver" => {
                let text = words(rest).next().unwrap_or_default();
                match server(text) {
                    Some(server) => self.servers.push(server),
                    None => self.complain(&place, "no address of a server", text),
                }
            }
            // `domain` and `search` with nothing behind leave the list as it is.
            b"domain" => {
                if let Some(domain) = domains_of(rest).into_iter().next() {
                    self.config.set_domain(domain);
                }
            }
            b"search" => {
                let domains = domains_of(rest);
                if !domains.is_empty() {
                    self.config.set_search(domains);
                }
            }
            b"options" => self.options(rest, &place),
            b"sortlist" => {}
            _ => self.complain(&place, "not understood", line.trim_ascii()),
        }
    }

    fn options(&mut self, text: &[u8], place: &dyn std::fmt::Display) {
        for word in words(text) {
            if self.option(word).is_none() {
                self.complain(place, "unknown option", word);
            }
        }
    }

    /// Reads an option; a `-` in front of a switch turns it off. `None` = the option is not understood.
    fn option(&mut self, word: &[u8]) -> Option<()> {
        let config = &mut self.config;
        if let Some(colon) = word.iter().position(|&octet| octet == b':') {
            let (name, value) = word.split_at(colon);
            let value = std::str::from_utf8(value.get(1..)?).ok()?.parse().ok()?;
            match name {
                b"ndots" => config.ndots = value,
                b"timeout" => config.timeout = value,
                b"attempts" => config.attempts = value,
                _ => return None,
            }
            return Some(());
        }
        let (name, on) = match word.strip_prefix(b"-") {
            Some(name) => (name, false),
            None => (word, true),
        };
        match name {
            b"rotate" => config.rotate = on,
            b"use-vc" => config.use_vc = on,
            b"trust-ad" => config.trust_ad = on,
            b"no-aaaa" => config.no_aaaa = on,
            b"no-tld-query" | b"no_tld_query" => config.no_tld_query = on,
            b"no-reload" => config.no_reload = on,
            _ => {
                let known = |(option, _): &&(&str, Use)| option.as_bytes() == name;
                RESOLV_CONF_OPTIONS
                    .iter()
                    .find(known)
                    .filter(|(_, r#use)| *r#use != Use::Honoured)?;
            }
        }
        Some(())
    }

    fn complain(&mut self, place: &dyn std::fmt::Display, what: &str, word: &[u8]) {
        if self.complaints.len() < MAX_COMPLAINTS {
            let shown = word.get(..MAX_SHOWN_OCTETS).unwrap_or(word).escape_ascii();
            self.complaints.push(format!("{place}: {what}: {shown}"));
        }
    }
}

fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

/// The words of a line, up to a comment.
fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let end = text.iter().position(|octet| matches!(octet, b'#' | b';'));
    text.get(..end.unwrap_or(text.len()))
        .unwrap_or_default()
        .split(|&octet| is_blank(octet))
        .filter(|word| !word.is_empty())
}

/// The domains among the words. A word that is no text cannot be appended to a name, so it is left out.
fn domains_of(text: &[u8]) -> Vec<String> {
    words(text)
        .filter_map(|word| String::from_utf8(word.to_vec()).ok())
        .collect()
}

/// The address of a server as glibc reads it: IPv6 with or without scope, IPv4 in one to four numbers.
fn server(text: &[u8]) -> Option<SocketAddr> {
    if let Some(ip) = ipv4(text) {
        return Some(SocketAddr::new(IpAddr::V4(ip), DNS_PORT));
    }
    let text = std::str::from_utf8(text).ok()?;
    let (ip, scope) = match text.split_once('%') {
        None => (text, 0),
        Some((ip, scope)) => (ip, interface::index_of(scope)?),
    };
    let ip: Ipv6Addr = ip.parse().ok()?;
    Some(SocketAddrV6::new(ip, DNS_PORT, 0, scope).into())
}

/// `inet_aton()`: decimal, octal (0...) and hexadecimal (0x...) numbers; the last of fewer than four fills the rest.
fn ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    let text = std::str::from_utf8(text).ok()?;
    let mut numbers = text.split('.').map(number);
    let (mut address, mut count) = (0_u32, 0_u32);
    let mut next = numbers.next()??;
    for number in numbers {
        // All but the last are octets.
        address = address << 8 | u32::from(u8::try_from(next).ok()?);
        count += 1;
        next = number?;
    }
    let octets_left = 4_u32.checked_sub(count).filter(|left| *left > 0)?;
    let room_bits = 8 * octets_left;
    let high = u64::from(address) << room_bits;
    let fits = u64::from(next) < 1 << room_bits;
    fits.then(|| Ipv4Addr::from((high | u64::from(next)) as u32))
}

/// A number of an IPv4 address: decimal, octal or hexadecimal.
fn number(text: &str) -> Option<u32> {
    let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let (digits, radix) = match (hexadecimal, text.strip_prefix('0')) {
        (Some(digits), _) => (digits, 16),
        (None, Some(digits)) if !digits.is_empty() => (digits, 8),
        _ => (text, 10),
    };
    // A sign is no digit.
    let is_number = digits.chars().all(|digit| digit.is_digit(radix));
    is_number.then(|| u32::from_str_radix(digits, radix).ok())?
}

fn digest_of(search: &[Vec<u8>], config: &Config) -> Option<u64> {
    if search.iter().all(Vec::is_empty) {
        return None;
    }
    // The same in all processes.
    let mut hasher = DefaultHasher::new();
    for domain in search {
        domain.to_ascii_lowercase().hash(&mut hasher);
    }
    (config.ndots, config.no_tld_query).hash(&mut hasher);
    Some(hasher.finish().max(2))
}

/// The domains of the last `search` or `domain` line, else that of the host's name.
fn search_of(config: &Config) -> Vec<Vec<u8>> {
    let mut domains: Vec<String> = config.get_last_search_or_domain().cloned().collect();
    if domains.is_empty() && config.get_search().is_none() {
        domains.extend(config.get_system_domain());
    }
    domains
        .iter()
        .map(|domain| {
            domain
                .strip_suffix('.')
                .unwrap_or(domain)
                .as_bytes()
                .to_vec()
        })
        .collect()
}

/// Reads the text of a resolv.conf; for the fuzzer. Returns the number of servers.
#[cfg(feature = "testing")]
#[must_use]
pub fn parse_for_tests(text: &[u8]) -> usize {
    ResolvConf::parse(text, None, None, None).servers.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> ResolvConf {
        ResolvConf::parse(text.as_bytes(), None, None, None)
    }

    fn domains(file: &ResolvConf) -> Vec<String> {
        file.search
            .iter()
            .map(|d| String::from_utf8_lossy(d).into_owned())
            .collect()
    }

    #[test]
    fn odd_lines_do_not_cost_the_others() {
        let file = parse(
            "nameserver not-an-address\nbogus\n\u{1}\nnameserver 192.0.2.1 # comment\n\
             options ndots:x timeout:3\n; nothing\nnameserver fe80::1%7\nsearch a.example b.example.",
        );
        let servers: Vec<String> = file.servers.iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["192.0.2.1:53", "[fe80::1%7]:53"]);
        assert_eq!(file.config.timeout, 3);
        assert_eq!(domains(&file), ["a.example", "b.example"]);
    }

    #[test]
    fn scopes_are_numbers_or_interfaces() {
        let file = parse(
            "nameserver fe80::1%lo\nnameserver fe80::2%no-such-if\nnameserver fe80::3\n\
             nameserver fe80::4%9",
        );
        let lo = interface::index_of("lo").unwrap();
        let servers: Vec<String> = file.servers.iter().map(ToString::to_string).collect();
        let expected = [
            format!("[fe80::1%{lo}]:53"),
            "[fe80::3]:53".into(),
            "[fe80::4%9]:53".into(),
        ];
        assert_eq!(servers, expected);
    }

    #[test]
    fn last_of_domain_and_search_counts() {
        assert_eq!(domains(&parse("search a b\ndomain c")), ["c"]);
        assert_eq!(domains(&parse("domain c\nsearch a b")), ["a", "b"]);
        assert_eq!(domains(&parse("search .")), [""]);
    }

    #[test]
    fn no_server_means_this_host() {
        assert_eq!(parse("").servers, [SocketAddr::from(([127, 0, 0, 1], 53))]);
    }

    #[test]
    fn environment_goes_over_the_file() {
        let file = ResolvConf::parse(
            b"search a\noptions ndots:2 timeout:4",
            Some(b"ndots:5 rotate".to_vec()),
            Some(b"b c".to_vec()),
            None,
        );
        assert_eq!(domains(&file), ["b", "c"]);
        assert_eq!((file.config.ndots, file.config.timeout), (5, 4));
        assert!(file.config.rotate);
    }

    #[test]
    fn every_option_of_the_table_is_understood() {
        for (name, _) in RESOLV_CONF_OPTIONS {
            let value = if matches!(*name, "ndots" | "timeout" | "attempts") {
                ":1"
            } else {
                ""
            };
            let file = parse(&format!("options {name}{value}"));
            assert!(file.complaints.is_empty(), "{name}");
        }
    }

    fn servers(text: &[u8]) -> Vec<String> {
        let file = ResolvConf::parse(text, None, None, None);
        file.servers.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn addresses_as_inet_aton_reads_them() {
        for (text, address) in [
            ("127.0.0.002", Some("127.0.0.2")),
            ("10.1", Some("10.0.0.1")),
            ("10.1.2", Some("10.1.0.2")),
            ("10.65535", Some("10.0.255.255")),
            ("3221225985", Some("192.0.2.1")),
            ("0xC0.0.02.0x1", Some("192.0.2.1")),
            ("010.1", Some("8.0.0.1")),
            ("0", Some("0.0.0.0")),
            ("4294967296", None),
            ("10.1.2.256", None),
            ("10.256.1", None),
            ("10.16777216", None),
            ("256.1", None),
            ("1.2.3.4.5", None),
            ("1.2.3.08", None),
            ("0x", None),
            ("1..2", None),
            ("1.2.", None),
            ("+1.2.3.4", None),
            ("1.2.3.-4", None),
            ("", None),
        ] {
            let found = ipv4(text.as_bytes()).map(|ip| ip.to_string());
            assert_eq!(found.as_deref(), address, "{text}");
        }
    }

    #[test]
    fn octets_that_are_no_text_do_no_harm() {
        let text =
            b"# B\xFCro\nnameserver 192.0.2.1 # Stra\xDFe\nnameserver\t192.0.2.2;x\n\xE9\xE8\n\
            search a.example b\xFC c.example\r\noptions rotate \xFF\n";
        assert_eq!(servers(text), ["192.0.2.1:53", "192.0.2.2:53"]);
        let file = ResolvConf::parse(text, None, None, None);
        assert_eq!(domains(&file), ["a.example", "c.example"]);
        assert!(file.config.rotate);
        assert_eq!(
            file.complaints,
            [
                "line 4: not understood: \\xe9\\xe8",
                "line 6: unknown option: \\xff"
            ]
        );
    }

    #[test]
    fn search_with_nothing_behind_changes_nothing() {
        for line in ["search", "search  ", "search\t# none", "domain", "domain "] {
            let file = parse(&format!("search a b\n{line}\n"));
            assert_eq!(domains(&file), ["a", "b"], "{line}");
            assert!(file.complaints.is_empty());
        }
        let none = ResolvConf::parse(b"search a b", None, Some(Vec::new()), None);
        assert!(none.search.is_empty() && none.search_digest.is_none());
    }

    #[test]
    fn a_sign_turns_an_option_off() {
        let file = ResolvConf::parse(
            b"options rotate use-vc trust-ad no_tld_query",
            Some(b"-rotate -trust-ad -single-request -nonsense".to_vec()),
            None,
            None,
        );
        assert!(!file.config.rotate && file.config.use_vc);
        assert!(!file.config.trust_ad && file.config.no_tld_query);
        assert_eq!(file.complaints, ["RES_OPTIONS: unknown option: -nonsense"]);
    }

    #[test]
    fn what_is_not_understood_is_named_by_its_line() {
        let file = parse(
            "nameserver 192.0.2.1\n nameserver 192.0.2.2\nnameserver\nnameserver 1.2.3.400\n\
             Search a\noptions ndots:x timeout: frob\nsortlist 10.0.0.0\n",
        );
        assert_eq!(
            file.complaints,
            [
                "line 2: not understood: nameserver 192.0.2.2",
                "line 3: no address of a server: ",
                "line 4: no address of a server: 1.2.3.400",
                "line 5: not understood: Search a",
                "line 6: unknown option: ndots:x",
                "line 6: unknown option: timeout:",
                "line 6: unknown option: frob",
            ]
        );
        assert_eq!(
            servers(b"nameserver 192.0.2.1\n nameserver 192.0.2.2"),
            ["192.0.2.1:53"]
        );
        assert_eq!(
            parse(&"bogus\n".repeat(100)).complaints.len(),
            MAX_COMPLAINTS
        );
    }
}
