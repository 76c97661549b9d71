//! Plays a scenario: gives the library the settings, the queries and the replies that the file
//! says, and compares what comes out.

use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;

use kamailio_dns::cache::{Cache, due};
use kamailio_dns::host::clock;
use kamailio_dns::lookup::refresh::{self, Refresher};
use kamailio_dns::resolver;

use crate::support::net::director::{Arrival, OutQuery};
use crate::support::net::query::Query;
use crate::support::network::Network;
use crate::support::wire;

use super::client::{Manner, Outcome, ask};
use super::expect::{self, Expected};
use super::parser::{Action, Entry, Scenario};
use super::settings::{FAILURE_TTL_S, Settings};

/// TTL that the library reports for expired data, s.
const STALE_TTL_S: u32 = 30;

/// How a scenario is played by a stub resolver.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Number of queries that must go out.
    pub queries: usize,
    /// Its nameservers; empty = those of the file.
    pub servers: Vec<String>,
    /// Its one nameserver knows what all servers of the file know, and gives no referrals.
    pub recursor: bool,
    /// Expired data is given out before the server is asked, unless the file says otherwise: so it is in
    /// bookworm's unbound.
    pub answers_at_once: bool,
    /// Last step that is played.
    pub until: u32,
    /// First and last of the steps that are left out.
    pub skip: Option<(u32, u32)>,
    /// Checks that want expired data without saying so.
    pub stale_checks: Vec<u32>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            queries: 0,
            servers: Vec::new(),
            recursor: false,
            answers_at_once: false,
            until: u32::MAX,
            skip: None,
            stale_checks: Vec::new(),
        }
    }
}

impl Plan {
    /// True when the check wants data that unbound serves although it has expired.
    pub fn wants_stale(&self, step: u32, entry: &Entry) -> bool {
        entry.has_match("ede=3") || self.stale_checks.contains(&step)
    }

    /// True when the step is played.
    pub fn plays(&self, step: u32) -> bool {
        step <= self.until && !self.skip.is_some_and(|(a, z)| (a..=z).contains(&step))
    }
}

/// How a run ended.
#[derive(Debug)]
pub enum Verdict {
    Passed,
    Failed(String),
    /// Real time moved the cache's clock meanwhile: says nothing.
    Disturbed,
}

/// Plays a scenario once, with an empty cache.
pub fn play(scenario: &Scenario, plan: &Plan) -> Verdict {
    let settings = match Settings::read(scenario, plan) {
        Ok(settings) => settings,
        Err(error) => return Verdict::Failed(error),
    };
    let _options = settings.put();
    let Ok(cache) = Cache::init() else {
        return Verdict::Failed("no cache".into());
    };
    cache.flush(true);
    kamailio_dns::lookup::forget_failures();
    let start = start_of_tick();
    let mut run = Run {
        scenario,
        plan,
        manner: settings.manner,
        refresher: settings.refresher,
        refreshing: Vec::new(),
        net: Network::directed(plain_query),
        clients: Vec::new(),
        heard: Vec::new(),
        step: 0,
    };
    let result = run.steps().and_then(|()| run.finish());
    let passed_ms = run.net.now_ms();
    let end = clock::now_ticks();
    run.net.close_all();
    for (_, thread) in run.refreshing {
        let _panicked = thread.join();
    }
    for client in run.clients {
        // What a panic says was shown when it happened, and its check has failed.
        let _panicked = client.thread.join();
    }
    // 16 ticks a second; all that passes in scenarios are whole seconds.
    let expected = start.wrapping_add((passed_ms / 1000 * u64::from(clock::TICKS_PER_S)) as u32);
    match result {
        _ if end != expected => Verdict::Disturbed,
        Ok(()) => Verdict::Passed,
        Err(error) => Verdict::Failed(format!("step {}: {error}", run.step)),
    }
}

/// Moves the cache's clock to where a tick has just begun.
fn start_of_tick() -> u32 {
    let before = clock::now_ticks();
    loop {
        clock::advance_for_tests(1);
        let now = clock::now_ticks();
        if now != before {
            return now;
        }
    }
}

/// A client that was started.
#[derive(Debug)]
struct Client {
    /// How it sees the network.
    net: Network,
    name: String,
    qtype: u16,
    outcome: Receiver<Outcome>,
    thread: JoinHandle<()>,
    checked: bool,
}

/// What was last said about a question.
#[derive(Debug)]
struct Heard {
    name: String,
    qtype: u16,
    expected: Expected,
    at_ms: u64,
}

struct Run<'a> {
    scenario: &'a Scenario,
    plan: &'a Plan,
    manner: Manner,
    refresher: bool,
    /// Rounds of the refresher, as clients of the network.
    refreshing: Vec<(Network, JoinHandle<()>)>,
    net: Network,
    clients: Vec<Client>,
    heard: Vec<Heard>,
    step: u32,
}

impl Run<'_> {
    fn steps(&mut self) -> Result<(), String> {
        for step in &self.scenario.steps {
            if !self.plan.plays(step.number) {
                continue;
            }
            self.step = step.number;
            self.net.settle();
            // A reply that stands in the steps goes before those that stand in ranges.
            if !matches!(step.action, Action::Reply(_)) {
                self.answer_from_ranges();
            }
            self.act(&step.action)?;
            self.net.settle();
            // Time passes in one leap, at whose end a client asks first: in unbound that is what sets a fetch off.
            if !matches!(step.action, Action::TimePasses(_)) {
                self.refresh();
                self.net.settle();
            }
        }
        Ok(())
    }

    fn act(&mut self, action: &Action) -> Result<(), String> {
        match action {
            Action::Nothing => {}
            Action::TimePasses(ms) => self.net.pass(*ms),
            Action::Query(entry) => self.start_client(entry)?,
            Action::CheckOutQuery(entry) => {
                if !self.net.has_open(|q| entry.fits(&q.name, q.qtype, q.tcp)) {
                    return Err(format!("no query for {:?} is under way", entry.question));
                }
            }
            Action::Reply(entry) => {
                if !self.reply(entry, |_| true) {
                    return Err(format!("no query for {:?} to reply to", entry.question));
                }
            }
            Action::Error => {
                if !self.net.deliver(|_| Some(Arrival::Failure)) {
                    return Err("no query that could fail".into());
                }
            }
            Action::Timeout => self.time_out()?,
            Action::CheckAnswer(entry) => self.check(entry)?,
        }
        Ok(())
    }

    /// Has the refresher do a round, if the last one is over; it goes on in the background.
    fn refresh(&mut self) {
        let over = |(net, _): &(Network, _)| net.is_done();
        if !self.refresher || !self.refreshing.iter().all(over) {
            return;
        }
        let client = self.net.new_client();
        let net = client.clone();
        let thread = std::thread::spawn(move || {
            let _panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                resolver::with_transport(Box::new(net.clone()), || {
                    refresh::run_for_tests(&mut Refresher::default())
                })
            }));
            net.done();
        });
        self.refreshing.push((client, thread));
    }

    fn start_client(&mut self, entry: &Entry) -> Result<(), String> {
        if self.refresher {
            // It is alive, however much time has passed in one leap.
            due::refresher_works(clock::TICKS_PER_S);
        } else {
            due::refresher_ends();
        }
        let (name, qtype) = entry.question.clone().ok_or("QUERY without question")?;
        let recursion_desired = entry.flags & 0x0100 != 0;
        let manner = if recursion_desired {
            self.manner
        } else {
            Manner::CacheOnly
        };
        let client = self.net.new_client();
        let (sender, outcome) = channel();
        let (net, question) = (client.clone(), name.clone());
        let thread = std::thread::spawn(move || {
            // A client that panics drops its sender and is done: the check then fails.
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                resolver::with_transport(Box::new(net.clone()), || ask(&question, qtype, manner))
            }));
            if let Ok(outcome) = result {
                let _nobody_listens = sender.send(outcome);
            }
            drop(sender);
            net.done();
        });
        self.clients.push(Client {
            net: client,
            name,
            qtype,
            outcome,
            thread,
            checked: false,
        });
        Ok(())
    }

    /// Lets the servers answer as the ranges say for this step, until there is nothing to answer.
    fn answer_from_ranges(&mut self) {
        let (scenario, step) = (self.scenario, self.step);
        let ranges = || {
            let now = scenario.ranges.iter();
            now.filter(move |r| (r.first..=r.last).contains(&step))
        };
        loop {
            let answered = ranges().any(|range| {
                let recursor = self.plan.recursor;
                let at = |q: &OutQuery| {
                    recursor || range.address.is_none_or(|address| address == q.server)
                };
                let entries = range.entries.iter();
                let mut usable = entries.filter(|entry| !(recursor && entry.is_referral()));
                usable.any(|entry| self.reply(entry, at))
            });
            if !answered {
                return;
            }
            self.net.settle();
        }
    }

    /// Replies to the newest query that fits the entry.
    fn reply(&mut self, entry: &Entry, at: impl Fn(&OutQuery) -> bool) -> bool {
        let question = std::cell::OnceCell::new();
        let sent = self.net.deliver(|query| {
            if !at(query) || !entry.fits(&query.name, query.qtype, query.tcp) {
                return None;
            }
            let asked = question.get_or_init(|| (query.name.clone(), query.qtype));
            let sections = [
                &entry.answers[..],
                &entry.authorities[..],
                &entry.additional[..],
            ];
            let message = wire::message(0, entry.flags, (&asked.0, asked.1), sections);
            Some(Arrival::Message(message))
        });
        if let Some((name, qtype)) = question.into_inner() {
            let expected = expect::of_entry(entry, &name, qtype);
            self.hear(name, qtype, expected);
        }
        sent
    }

    fn time_out(&mut self) -> Result<(), String> {
        let question = std::cell::OnceCell::new();
        let found = self.net.deliver(|query| {
            question.get_or_init(|| (query.name.clone(), query.qtype));
            Some(Arrival::Silence)
        });
        if !found {
            return Err("no query that could time out".into());
        }
        if let Some((name, qtype)) = question.into_inner() {
            self.hear(name, qtype, Expected::Failed);
        }
        Ok(())
    }

    fn hear(&mut self, name: String, qtype: u16, expected: Expected) {
        self.heard.push(Heard {
            name,
            qtype,
            expected,
            at_ms: self.net.now_ms(),
        });
    }

    fn check(&mut self, entry: &Entry) -> Result<(), String> {
        let (name, qtype) = entry.question.clone().ok_or("CHECK_ANSWER without one")?;
        let wants_stale = self.plan.wants_stale(self.step, entry);
        let client = self
            .clients
            .iter_mut()
            .find(|c| !c.checked && c.name == name && c.qtype == qtype)
            .ok_or("nobody has asked this")?;
        client.checked = true;
        if !client.net.is_done() && wants_stale {
            // The library waits for 1.8 s before it gives old data, whatever the scenario waits.
            self.net.pass(2000);
            self.net.settle();
        }
        if !client.net.is_done() {
            return Err(format!("no answer yet for {name}"));
        }
        let outcome = client.outcome.try_recv().ok();
        let outcome = outcome.ok_or("the client panicked")?;
        let mut expected = expect::of_entry(entry, &name, qtype);
        if wants_stale {
            match &mut expected {
                Expected::Data { ttl, .. } if entry.has_match("ttl") => *ttl = Some(STALE_TTL_S),
                // Absence is not served stale: what the server says now is expected.
                Expected::Absent { .. } | Expected::Nothing => {
                    expected = self.last_heard(&name, qtype)?;
                }
                _ => expected.forget_ttl(),
            }
        } else if !entry.has_match("ttl") {
            expected.forget_ttl();
        }
        expected.compare(&outcome)
    }

    /// What a client must get now that goes by what the servers say alone.
    fn last_heard(&self, name: &str, qtype: u16) -> Result<Expected, String> {
        let heard = self
            .heard
            .iter()
            .rfind(|h| h.name == name && h.qtype == qtype)
            .ok_or("no server was asked")?;
        let age_s = (self.net.now_ms() - heard.at_ms) / 1000;
        let life_s = heard.expected.ttl().map_or(FAILURE_TTL_S, u64::from);
        // What has no life at all still serves the client that asked for it.
        if age_s > 0 && age_s >= life_s {
            return Err("expired data was given out, no server was asked".into());
        }
        Ok(heard.expected.clone().aged(age_s))
    }

    fn finish(&self) -> Result<(), String> {
        let refreshing = |(net, _): &(Network, _)| !net.is_done();
        if self.refreshing.iter().any(refreshing) {
            return Err("a refresh is left that nobody replied to".into());
        }
        if let Some(client) = self.clients.iter().find(|c| !c.checked) {
            return Err(format!("the answer for {} was never checked", client.name));
        }
        if !self.clients.iter().all(|client| client.net.is_done()) || self.net.open() > 0 {
            return Err("queries are left that nobody replied to".into());
        }
        let sent = self.net.sent_so_far();
        if sent != self.plan.queries {
            return Err(format!("{sent} queries sent, not {}", self.plan.queries));
        }
        Ok(())
    }
}

/// What the library sends is one question with RD set, and EDNS with a buffer of 1232 octets.
fn plain_query(octets: &[u8], query: &Query) {
    let mut wanted = wire::message(0, 0x0100, (&query.spelled, query.qtype), [&[], &[], &[]]);
    wanted[11] = 1;
    wanted.extend([0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(octets[2..], wanted[2..], "a plain query with RD set");
}
