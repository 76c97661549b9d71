//! One zone, one request, one set of options: sent through every way, which must all give what the model says.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use kamailio_dns::host::options;
use kamailio_dns::lookup;
use kamailio_dns::resolver::servers;

use super::allowed::{is_allowed, is_turned};
use super::draw::Draw;
use super::model::{Model, Selection, Target};
use super::other;
use super::policy::{
    Downgrade, INTERLEAVE, IPV4_ONLY, IPV6_FIRST, IPV6_ONLY, Policy, ROTATE, Request, SRV_LB,
    TRY_NAPTR, UDP,
};
use super::ways::{self, HostFound, Hostent, Manner};
use super::zone::{SRV_PREFIXES, Zone};
use crate::support::network::Network;

/// The nameserver of all cases.
pub const SERVER: &str = "192.0.2.53:53";

/// One case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    pub seed: u64,
    pub zone: Zone,
    pub request: Request,
    pub policy: Policy,
    /// A child process asks first.
    pub child_first: bool,
    /// Failures are remembered.
    pub remembers: bool,
}

/// A way that gave something else than the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    pub way: String,
    pub expected: String,
    pub seen: String,
}

/// What one process found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub mismatches: Vec<Mismatch>,
    /// The list of the request's seed, in words.
    pub seeded: Option<String>,
}

/// One question to the library.
#[derive(Clone, Debug)]
enum Step {
    Walk(Manner),
    WalkOwn,
    Suspended,
    Explain,
    Hostent(Hostent),
    HostPort,
    PastCache(Hostent),
    SrvGet(String),
    HostGet(String),
}

impl Case {
    pub fn random(seed: u64) -> Self {
        let mut draw = Draw::new(seed);
        let zone = Zone::random(format!("z{seed:x}.test"), &mut draw);
        let policy = Policy::random(&mut draw);
        let mut case = Self {
            seed,
            request: Request::random(&zone.domain, &mut draw),
            policy,
            child_first: draw.percent(30),
            remembers: draw.percent(50),
            zone,
        };
        case.request.draw_order(&mut draw);
        case
    }

    /// The seed of the order of equals, where the request draws one.
    fn order_seed(&self) -> Option<u32> {
        let draws = self.request.flags & SRV_LB != 0;
        draws.then_some((self.seed as u32) << 1 | 1)
    }

    pub fn model(&self) -> Model<'_> {
        Model::new(&self.zone, &self.policy)
    }

    /// Puts the options in force.
    pub fn apply(&self) {
        let Request { flags, .. } = self.request;
        let policy = &self.policy;
        let on = |value: bool| u8::from(value).to_string();
        let [udp, tcp, tls, sctp] = policy.preferences.map(|preference| preference.to_string());
        let family = flags & (IPV6_ONLY | IPV6_FIRST);
        // There are two spellings of "always".
        let lenient = policy.downgrade == Downgrade::Always && self.seed.is_multiple_of(2);
        let downgrade = match policy.downgrade {
            Downgrade::Never => "never",
            Downgrade::Always if !lenient => "always",
            _ => "on_absence",
        };
        let family_order = match flags & INTERLEAVE {
            0 => "as_flags",
            _ => "interleave",
        };
        let values = [
            ("dns_naptr_ignore_rfc", on(policy.ignore_rfc)),
            ("dns_udp_pref", udp),
            ("dns_tcp_pref", tcp),
            ("dns_tls_pref", tls),
            ("dns_sctp_pref", sctp),
            ("tcp_disable", on(policy.tcp_disabled)),
            ("tls_disable", on(policy.tls_disabled)),
            ("sctp_disable", on(policy.sctp_disabled)),
            ("dns_try_naptr", on(flags & TRY_NAPTR != 0)),
            ("dns_srv_lb", on(flags & SRV_LB != 0)),
            ("dns_try_ipv6", on(flags & IPV4_ONLY == 0)),
            ("dns_cache_flags", family.to_string()),
            ("dns_failure_ttl", on(self.remembers)),
            ("dns_downgrade", downgrade.to_owned()),
            ("dns_fallback_on_failure", on(lenient)),
            ("dns_sips_naptr", on(policy.sips_naptr)),
            ("dns_rotate", on(flags & ROTATE != 0)),
            ("dns_family_order", family_order.to_owned()),
        ];
        for (name, value) in values {
            options::set(name, &value).unwrap_or_else(|e| panic!("{name}={value}: {e:?}"));
        }
    }

    /// Sends the request through every way in this process and in another.
    pub fn check(&self) -> Report {
        servers::forget_all();
        lookup::forget_failures();
        self.apply();
        let (mine, others);
        if self.child_first {
            others = other::process(|| self.observe(true));
            mine = self.observe(false);
        } else {
            mine = self.observe(false);
            others = other::process(|| self.observe(true));
        }
        let mut all = mine;
        if all.seeded != others.seeded {
            all.mismatches.push(Mismatch {
                way: "seed in another process".to_owned(),
                expected: format!("{:?}", all.seeded),
                seen: format!("{:?}", others.seeded),
            });
        }
        let in_child = |mismatch: Mismatch| Mismatch {
            way: format!("another process: {}", mismatch.way),
            ..mismatch
        };
        let others = others.mismatches.into_iter().map(in_child);
        all.mismatches.extend(others);
        all
    }

    /// The questions, in an order that depends on the seed.
    fn steps(&self, in_child: bool) -> Vec<Step> {
        let mut draw = Draw::new(self.seed ^ u64::from(in_child) << 63);
        let manners = Manner::all(self.order_seed());
        let mut steps: Vec<Step> = manners.into_iter().map(Step::Walk).collect();
        if in_child {
            steps = vec![steps.swap_remove(draw.below(steps.len()))];
            steps.push(Step::Hostent(draw.pick(&Hostent::ALL)));
        } else {
            steps.extend([Step::WalkOwn, Step::Suspended, Step::HostPort]);
            steps.extend(Hostent::ALL.map(Step::Hostent));
            steps.extend(Hostent::ALL.map(Step::PastCache));
            for _ in 0..2 {
                let prefix = draw.pick(&SRV_PREFIXES);
                steps.push(Step::SrvGet(format!("{prefix}{}", self.zone.domain)));
                let host = draw.pick(&["h0.", "h1.", "h2.", ""]);
                steps.push(Step::HostGet(format!("{host}{}", self.zone.domain)));
            }
        }
        steps.push(Step::Explain);
        for last in (1..steps.len()).rev() {
            steps.swap(last, draw.below(last + 1));
        }
        // Warm again.
        let again = steps.iter().filter(|step| matches!(step, Step::Walk(_)));
        steps.extend(again.take(1).cloned().collect::<Vec<_>>());
        steps
    }

    fn observe(&self, in_child: bool) -> Report {
        let network = Network::default();
        let zone = Arc::new(self.zone.clone());
        network.script(SERVER, move |query, _| zone.reply(query));
        let mut report = Report::default();
        let expected = self.model().select(&self.request);
        network.run(|| {
            for (number, step) in self.steps(in_child).iter().enumerate() {
                self.step(step, number, &expected, &mut report);
            }
        });
        report
    }

    fn step(&self, step: &Step, number: usize, expected: &Selection, report: &mut Report) {
        let Report { mismatches, seeded } = report;
        let mut compare = |way: &str, expected: String, seen: String| {
            if expected != seen {
                mismatches.push(Mismatch {
                    way: format!("{way} (step {number})"),
                    expected,
                    seen,
                });
            }
        };
        let family = self.request.flags & (IPV4_ONLY | IPV6_ONLY | IPV6_FIRST);
        let asked = family | self.request.flags & (ROTATE | INTERLEAVE);
        match step {
            Step::Walk(_) | Step::WalkOwn => {
                let seed = self.order_seed();
                let (walked, way) = match step {
                    Step::Walk(manner) => {
                        let (size, copied) = (manner.layout.size, manner.copied);
                        let way = format!("walk {size} octets, copied {copied}");
                        (ways::walk(&self.request, *manner), way)
                    }
                    _ => {
                        let (walked, reasons) = ways::walk_own(&self.request, seed);
                        let targets = walked.0.iter().zip(&reasons);
                        for (target, reason) in targets {
                            let by_srv = reason.srv_present != 0;
                            let port = if by_srv { reason.srv_port } else { target.1 };
                            let seen = (port, reason.naptr_present != 0);
                            let said = (target.1, expected.by_naptr);
                            compare("reason", format!("{said:?}"), format!("{seen:?}"));
                        }
                        (walked, "walk by a handle of our own".to_owned())
                    }
                };
                if seed.is_none() {
                    let expected = (self.in_turn(expected, &walked.0), expected.code);
                    compare(&way, words(&expected), words(&walked));
                    return;
                }
                let fine = is_allowed(expected, &walked.0) && expected.code == walked.1;
                if !fine {
                    let expected = (expected.list(), expected.code);
                    let expected = format!("by weight {}", words(&expected));
                    compare(&format!("{way}, seed"), expected, words(&walked));
                }
                let list = words(&walked);
                let before = seeded.get_or_insert_with(|| list.clone()).clone();
                let another = format!("{way}, another list of the same seed");
                compare(&another, before, list);
            }
            Step::Suspended => {
                let seed = self.order_seed();
                let seen = ways::suspended(&self.request, seed);
                let fine = match seed {
                    None => self.in_turn(expected, &seen) == seen,
                    Some(_) => is_allowed(expected, &seen),
                };
                if !fine {
                    let way = "a search that never waits";
                    compare(way, list_words(&expected.list()), list_words(&seen));
                }
            }
            Step::Explain => {
                let explained = ways::explain(&self.request);
                let is_drawn = self.request.flags & SRV_LB != 0;
                let fine = if is_drawn {
                    is_allowed(expected, &explained.targets)
                } else {
                    self.in_turn(expected, &explained.targets) == explained.targets
                };
                if !fine {
                    let seen = format!("{}\n{}", list_words(&explained.targets), explained.text);
                    compare("explain", list_words(&expected.list()), seen);
                }
                let mut targets: Vec<_> = explained.targets.iter().map(|target| target.0).collect();
                let mut tree = explained.tree.clone();
                if expected.interleaved {
                    // The tree has family by family.
                    targets.sort();
                    tree.sort();
                }
                if targets != tree {
                    let seen = format!("{:?}\n{}", explained.tree, explained.text);
                    compare(
                        "explain, addresses of the tree",
                        format!("{targets:?}"),
                        seen,
                    );
                }
            }
            Step::Hostent(function) => {
                let seen = ways::hostent(&self.request, *function, false);
                let mut expected = self.hostent(&self.model(), *function, family);
                self.turn_host(&mut expected, seen.as_ref());
                compare(
                    &format!("hostent {function:?}"),
                    host_words(&expected),
                    host_words(&seen),
                );
            }
            Step::HostPort => {
                let expected = self.hostent(&self.model(), Hostent::Configured, family);
                let seen = ways::hostport(&self.request);
                let expected = expected.map(|(list, port, transport)| {
                    (
                        self.turn_one(&list, seen.map(|seen| seen.0)),
                        port,
                        transport,
                    )
                });
                compare(
                    "sip_hostport2su",
                    format!("{expected:?}"),
                    format!("{seen:?}"),
                );
            }
            Step::PastCache(function) => {
                // Past the cache the library goes by `dns_try_ipv6` alone.
                let is_literal = self.request.host.parse::<IpAddr>().is_ok();
                if family & !IPV4_ONLY != 0 || is_literal {
                    return;
                }
                options::set("use_dns_cache", "0").expect("an option");
                let seen = ways::hostent(&self.request, *function, true);
                options::set("use_dns_cache", "1").expect("an option");
                let mut expected = self.hostent(&self.model(), *function, family);
                self.turn_host(&mut expected, seen.as_ref());
                compare(
                    &format!("past the cache {function:?}"),
                    host_words(&expected),
                    host_words(&seen),
                );
            }
            Step::SrvGet(owner) => {
                let host = self.model().srv_host(owner, family);
                let (one, all) = ways::srv_get(owner, asked);
                let found = host.map(|host| (host.families[0].clone(), host.port));
                let as_seen = |seen: Option<&ways::Places>| {
                    let (list, port) = found.as_ref()?;
                    Some((self.turn(list, seen.map(|seen| &seen.0)), *port))
                };
                let expected_all = as_seen(all.as_ref());
                let expected_one = found
                    .as_ref()
                    .map(|(list, port)| (self.turn_one(list, one.map(|one| one.0)), *port));
                compare(
                    "dns_srv_get_ip",
                    format!("{owner} {expected_one:?}"),
                    format!("{owner} {one:?}"),
                );
                compare(
                    "dns_srv_get_he",
                    format!("{owner} {expected_all:?}"),
                    format!("{owner} {all:?}"),
                );
                if family & !IPV4_ONLY == 0 {
                    let seen = ways::srv_name_past_cache(owner);
                    let expected_all = as_seen(seen.as_ref());
                    compare(
                        "past the cache, srv_sip_resolvehost of an SRV name",
                        format!("{owner} {expected_all:?}"),
                        format!("{owner} {seen:?}"),
                    );
                }
            }
            Step::HostGet(owner) => {
                let host = self.model().address_host(owner, family);
                let (one, all) = ways::host_get(owner, asked);
                let found = host.map_or_else(Vec::new, |host| host.families[0].clone());
                let expected = self.turn(&found, Some(&all));
                let expected_one = (!found.is_empty()).then(|| self.turn_one(&found, one));
                compare(
                    "dns_get_ip",
                    format!("{owner} {:?}", expected_one.as_ref()),
                    format!("{owner} {:?}", one.as_ref()),
                );
                compare(
                    "dns_get_he",
                    format!("{owner} {expected:?}"),
                    format!("{owner} {all:?}"),
                );
            }
        }
    }

    /// The list that is expected: with `dns_rotate` the one that was seen, if a call can have it on its turn.
    fn in_turn(&self, expected: &Selection, seen: &[Target]) -> Vec<Target> {
        let all = if self.request.takes_turns() {
            0..expected.turns()
        } else {
            0..0
        };
        let mut lists = all.map(|number| expected.list_in_turn(number));
        lists
            .find(|list| list == seen)
            .unwrap_or_else(|| expected.list())
    }

    /// As [`Self::in_turn`], for the addresses of a host; the functions that give them draw no seed.
    fn turn(&self, expected: &[IpAddr], seen: Option<&Vec<IpAddr>>) -> Vec<IpAddr> {
        let seen = seen.filter(|_| self.request.flags & ROTATE != 0);
        let seen = seen.filter(|seen| is_turned(expected, seen));
        seen.map_or_else(|| expected.to_vec(), Vec::clone)
    }

    /// As [`Self::turn`], for the first of them.
    fn turn_one(&self, expected: &[IpAddr], seen: Option<IpAddr>) -> IpAddr {
        let seen = seen.filter(|seen| self.request.flags & ROTATE != 0 && expected.contains(seen));
        seen.unwrap_or(expected[0])
    }

    fn turn_host(&self, expected: &mut HostFound, seen: Option<&(Vec<IpAddr>, u16, u8)>) {
        if let Some((list, ..)) = expected {
            *list = self.turn(list, seen.map(|seen| &seen.0));
        }
    }

    /// What a function that gives a `struct hostent` has to give: the first target without seed, with its addresses of
    /// one family.
    fn hostent(&self, model: &Model<'_>, function: Hostent, family: u32) -> HostFound {
        let naptr = match function {
            Hostent::Configured => self.request.flags & TRY_NAPTR,
            Hostent::Naptr => TRY_NAPTR,
            Hostent::List | Hostent::Srv => 0,
        };
        let single = function == Hostent::Srv || (function == Hostent::Configured && naptr == 0);
        let mut request = Request {
            flags: family | naptr,
            ..self.request.clone()
        };
        if single && request.transport == 0 {
            request.transport = UDP;
        }
        let selection = model.select(&request);
        let (host, transport) = selection.first()?;
        Some((host.families[0].clone(), host.port, transport))
    }
}

fn list_words(list: &[Target]) -> String {
    let names = ["?", "udp", "tcp", "tls", "sctp", "ws", "wss"];
    let word = |(address, port, transport): &Target| {
        let place = std::net::SocketAddr::new(*address, *port);
        format!("{} {place}", names[usize::from(*transport)])
    };
    let words: Vec<String> = list.iter().map(word).collect();
    words.join(", ")
}

fn words((list, code): &ways::Walked) -> String {
    format!("[{}] then {code}", list_words(list))
}

fn host_words(found: &HostFound) -> String {
    match found {
        None => "nothing".to_owned(),
        Some((list, port, transport)) => {
            let targets: Vec<Target> = list.iter().map(|a| (*a, *port, *transport)).collect();
            list_words(&targets)
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "; seed {}", self.seed)?;
        writeln!(f, "; {} flags {}", self.request.uri(), self.request.flags)?;
        let (first, remembers) = (self.child_first, self.remembers);
        writeln!(f, "; {:?}", self.policy)?;
        writeln!(f, "; child first {first}, failures remembered {remembers}")?;
        write!(f, "{}", self.zone)
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.way)?;
        writeln!(f, "  expected: {}", self.expected)?;
        write!(f, "  seen:     {}", self.seen)
    }
}
