//! What one server does with queries. It knows neither sockets nor a clock: it says what comes back, and after how long.
//!
//! What it does is looked for in this order: [`Scripted::answer_with`], [`Scripted::in_turn`], [`Scripted::script`],
//! [`Scripted::manner`], and last its records ([`Scripted::add`]): from them questions are answered, CNAMEs followed, names
//! without records get NXDOMAIN and names without records of the type NODATA, both with a SOA.
//!
//! Every query is noted: [`Scripted::queries`], [`Scripted::count`]. The question whether it lives is answered, whatever
//! else it is told, and counted for itself: [`Scripted::ignore_probes`], [`Scripted::probes`].

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::query::{Query, name_text, reply};
use super::reply::{Nothing, Reply, Source};
use super::wire::{CNAME, Rr};

/// What a server does, whatever it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// An address after so many ms.
    Answers(u64),
    /// The same, and that is the way to it: the probe takes as long.
    Far(u64),
    /// SERVFAIL after so many ms.
    Fails(u64),
    /// Nothing.
    Silent,
    /// Answers, but for names that begin with `slow`.
    SilentForSlow(u64),
    /// TC after so many ms, and connections are refused.
    NoTcp(u64),
    /// "Port unreachable" after so many ms.
    Closed(u64),
    /// It cannot be sent to.
    Unsendable,
}

/// In place of a type: any type.
pub const ANY: u16 = 0;

/// The longest that a server takes which answers the probe, ms.
const PROBE_MS: u64 = 20;

/// What happens after a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A message comes from where the query went.
    Message(Vec<u8>),
    /// A message comes from another port.
    Stranger(Vec<u8>),
    /// Nothing comes any more: the port is closed, the connection ended.
    Failed,
}

/// One thing that happens after a query, so many ms after it was sent.
pub type Deed = (u64, What);

/// All that happens after a query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Course {
    /// In the order in which they were said.
    pub deeds: Vec<Deed>,
    /// Not before the server has had so many queries.
    pub hold_until: usize,
}

impl Course {
    fn one(after_ms: u64, what: What) -> Self {
        Self {
            deeds: vec![(after_ms, what)],
            hold_until: 0,
        }
    }
}

/// Says what comes back to the octets of a query; the flag is true over TCP.
pub type Answerer = Box<dyn FnMut(&[u8], bool) -> Vec<Deed> + Send>;

#[derive(Default)]
pub(super) struct State {
    records: Vec<Rr>,
    /// Records of all names that begin like this.
    prefixes: Vec<(String, Rr)>,
    scripts: HashMap<(String, u16), Vec<Reply>>,
    in_turn: Option<VecDeque<Reply>>,
    answerer: Option<Answerer>,
    /// What comes besides, and after how long.
    besides: Option<Answerer>,
    manner: Option<Manner>,
    default: Option<Reply>,
    negative_ttl: (u32, u32),
    pub(super) queries: Vec<Query>,
    /// When they came.
    arrived: Vec<Instant>,
    probes: usize,
    losing: u32,
    is_mute: bool,
    takes_probes_as_questions: bool,
    takes_no_notes: bool,
    closes_tcp: bool,
    refuses_tcp: bool,
    ends_silent_tcp: bool,
}

impl State {
    /// What comes of a query; `None` when it cannot be sent.
    pub(super) fn receive(&mut self, octets: &[u8], tcp: bool, port: u16) -> Option<Course> {
        let Some(query) = Query::parse(octets, tcp, port) else {
            // A function may know more of it.
            return Some(self.by_function(octets, tcp).unwrap_or_default());
        };
        if self.answerer.is_none() && self.manner == Some(Manner::Unsendable) {
            return None;
        }
        if query.tcp && self.refuses_tcp {
            return None;
        }
        if query.is_probe() && !self.takes_probes_as_questions {
            self.probes += 1;
            return Some(self.answer_probe(octets));
        }
        if !self.takes_no_notes {
            self.queries.push(query.clone());
            self.arrived.push(Instant::now());
        }
        if self.losing > 0 {
            self.losing -= 1;
            return Some(Course::default());
        }
        let mut course = Course::default();
        if let Some(besides) = &mut self.besides {
            course.deeds.extend(besides(octets, tcp));
        }
        let own = self.own_course(octets, &query)?;
        course.deeds.extend(own.deeds);
        course.hold_until = own.hold_until;
        Some(course)
    }

    fn own_course(&mut self, octets: &[u8], query: &Query) -> Option<Course> {
        if query.tcp && self.closes_tcp {
            return Some(Course::one(1, What::Failed));
        }
        if let Some(course) = self.by_function(octets, query.tcp) {
            return Some(course);
        }
        if let Some(steps) = &mut self.in_turn {
            let reply = steps.pop_front().unwrap_or_else(Reply::silent);
            return self.course_of(reply, query);
        }
        if let Some(reply) = self.scripted(query) {
            return self.course_of(reply, query);
        }
        match self.manner {
            Some(manner) => Some(by_manner(manner, octets, query.tcp)),
            None => self.course_of(self.look_up(query), query),
        }
    }

    /// What the function says, if there is one.
    fn by_function(&mut self, octets: &[u8], tcp: bool) -> Option<Course> {
        let answerer = self.answerer.as_mut()?;
        let mut deeds = answerer(octets, tcp);
        if deeds.is_empty() && tcp && self.ends_silent_tcp {
            deeds.push((1, What::Failed));
        }
        Some(Course {
            deeds,
            hold_until: 0,
        })
    }

    /// The next reply of the script for a question.
    fn scripted(&mut self, query: &Query) -> Option<Reply> {
        let name = || query.name.clone();
        let any_name = || "*".to_owned();
        let keys = [
            (name(), query.qtype),
            (name(), ANY),
            (any_name(), query.qtype),
            (any_name(), ANY),
        ];
        let key = keys
            .into_iter()
            .find(|key| self.scripts.contains_key(key))?;
        let script = self.scripts.get_mut(&key)?;
        // A truncated reply and its repetition over TCP are one step of the script.
        let udp_half = script.first().is_some_and(|r| r.truncate_udp) && !query.tcp;
        Some(if script.len() > 1 && !udp_half {
            script.remove(0)
        } else {
            script.first().cloned().unwrap_or_else(Reply::dropped)
        })
    }

    fn course_of(&self, reply: Reply, query: &Query) -> Option<Course> {
        let mut course = Course {
            deeds: Vec::new(),
            hold_until: reply.hold_until,
        };
        let (mut next, mut after_ms) = (Some(reply), 0);
        while let Some(mut reply) = next {
            after_ms += reply.delay_ms;
            let at_ms = after_ms.max(1);
            if reply.source == Source::Records {
                let found = self.look_up(query);
                reply.answers = found.answers;
                reply.authorities = found.authorities;
                reply.rcode = found.rcode;
            }
            match reply.nothing {
                Some(Nothing::Unsendable) => return None,
                Some(Nothing::Closed) => course.deeds.push((at_ms, What::Failed)),
                Some(Nothing::Dropped) if query.tcp => course.deeds.push((at_ms, What::Failed)),
                Some(Nothing::Dropped | Nothing::Silent) => {}
                None => {
                    let octets = reply.encode(query).unwrap_or_default();
                    course.deeds.push(if reply.wrong_source {
                        (at_ms, What::Stranger(octets))
                    } else {
                        (at_ms, What::Message(octets))
                    });
                }
            }
            next = reply.then.map(|next| *next);
        }
        Some(course)
    }

    /// A server that lives answers the probe by itself, however long it takes to find a name.
    fn answer_probe(&self, octets: &[u8]) -> Course {
        let after_ms = match self.manner {
            _ if self.is_mute => return Course::default(),
            _ if self.answerer.is_some() => 1,
            None => 1,
            Some(Manner::Silent | Manner::Unsendable) => return Course::default(),
            Some(Manner::Closed(ms)) => return Course::one(ms, What::Failed),
            Some(Manner::Far(ms)) => ms,
            Some(
                Manner::Fails(ms)
                | Manner::Answers(ms)
                | Manner::SilentForSlow(ms)
                | Manner::NoTcp(ms),
            ) => ms.min(PROBE_MS),
        };
        Course::one(after_ms, What::Message(reply(octets, 0x8005, false)))
    }

    /// The records that a name has because of how it begins.
    fn of_prefixes(&self, owner: &str, qtype: u16) -> impl Iterator<Item = Rr> {
        let fitting = self.prefixes.iter().filter(move |(prefix, record)| {
            record.rtype == qtype && owner.to_ascii_lowercase().starts_with(prefix)
        });
        fitting.map(move |(_, record)| Rr {
            owner: owner.to_owned(),
            ..record.clone()
        })
    }

    fn look_up(&self, query: &Query) -> Reply {
        let mut owner = query.name.clone();
        let mut answers = Vec::new();
        for _ in 0..20 {
            let here = |r: &&Rr| r.owner.eq_ignore_ascii_case(&owner);
            let found: Vec<Rr> = self
                .records
                .iter()
                .filter(here)
                .filter(|r| r.rtype == query.qtype)
                .cloned()
                .chain(self.of_prefixes(&owner, query.qtype))
                .collect();
            if !found.is_empty() {
                answers.extend(found);
                return Reply::answer(answers);
            }
            let Some(alias) = self.records.iter().filter(here).find(|r| r.rtype == CNAME) else {
                break;
            };
            answers.push(alias.clone());
            owner = name_text(&alias.rdata);
        }
        let below = format!(".{owner}").to_ascii_lowercase();
        let exists = self.records.iter().any(|r| {
            let candidate = r.owner.to_ascii_lowercase();
            candidate.eq_ignore_ascii_case(&owner) || candidate.ends_with(&below)
        });
        if let (false, true, Some(reply)) = (exists, answers.is_empty(), &self.default) {
            return reply.clone();
        }
        let zone = owner.rsplit('.').next().unwrap_or_default();
        let soa = Rr::soa(zone, self.negative_ttl.0, self.negative_ttl.1);
        let mut reply = Reply::rcode(if exists { 0 } else { 3 }).authority(vec![soa]);
        reply.answers = answers;
        reply
    }
}

fn by_manner(manner: Manner, octets: &[u8], tcp: bool) -> Course {
    let slow = octets
        .get(13..17)
        .is_some_and(|label| label.eq_ignore_ascii_case(b"slow"));
    let (after_ms, what) = match manner {
        Manner::Silent | Manner::Unsendable => return Course::default(),
        Manner::SilentForSlow(_) if slow => return Course::default(),
        Manner::Closed(ms) => (ms, What::Failed),
        Manner::Fails(ms) => (ms, What::Message(reply(octets, 0x8182, false))),
        Manner::Answers(ms) | Manner::Far(ms) | Manner::SilentForSlow(ms) => {
            (ms, What::Message(reply(octets, 0x8180, true)))
        }
        Manner::NoTcp(ms) if !tcp => (ms, What::Message(reply(octets, 0x8380, false))),
        Manner::NoTcp(ms) => (ms, What::Failed),
    };
    Course::one(after_ms, what)
}

/// A server that does as it is told, wherever it stands; clones are the same one.
#[derive(Clone)]
pub struct Scripted(Arc<Mutex<State>>);

impl Default for Scripted {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State {
            negative_ttl: (60, 30),
            ..State::default()
        })))
    }
}

impl Scripted {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // A thread that panicked has failed its test already.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a record.
    pub fn add(&self, record: Rr) -> &Self {
        self.lock().records.push(record);
        self
    }

    /// Adds several records.
    pub fn add_all(&self, records: impl IntoIterator<Item = Rr>) -> &Self {
        self.lock().records.extend(records);
        self
    }

    /// Adds a record that all names have which begin like its owner.
    pub fn add_for_prefix(&self, record: Rr) -> &Self {
        let prefix = record.owner.to_ascii_lowercase();
        self.lock().prefixes.push((prefix, record));
        self
    }

    /// Does from now on what another one was told; what this one was asked stays.
    pub fn become_like(&self, other: &Self) {
        let told = std::mem::take(&mut *other.lock());
        let state = &mut *self.lock();
        let asked = std::mem::replace(state, told);
        (state.queries, state.arrived) = (asked.queries, asked.arrived);
        state.probes = asked.probes;
    }

    /// Removes all records of a name and type, and the script for them.
    pub fn remove(&self, name: &str, rtype: u16) {
        let mut state = self.lock();
        state
            .records
            .retain(|r| !(r.owner.eq_ignore_ascii_case(name) && r.rtype == rtype));
        state.scripts.remove(&key(name, rtype));
    }

    /// Says what a question gets: the replies in turn, the last one from then on. The name may be `*`, the type [`ANY`].
    pub fn script(&self, name: &str, qtype: u16, replies: Vec<Reply>) -> &Self {
        self.lock().scripts.insert(key(name, qtype), replies);
        self
    }

    /// Short for a script of one positive reply.
    pub fn answer(&self, name: &str, qtype: u16, records: Vec<Rr>) -> &Self {
        self.script(name, qtype, vec![Reply::answer(records)])
    }

    /// Says what the next queries get, whatever they ask; then nothing.
    pub fn in_turn(&self, replies: impl IntoIterator<Item = Reply>) -> &Self {
        self.lock().in_turn = Some(replies.into_iter().collect());
        self
    }

    /// Replies of [`in_turn`](Self::in_turn) that nobody got yet.
    pub fn turns_left(&self) -> usize {
        self.lock().in_turn.as_ref().map_or(0, VecDeque::len)
    }

    /// Has a function say what comes back to the octets of a query.
    pub fn answer_with(
        &self,
        answerer: impl FnMut(&[u8], bool) -> Vec<Deed> + Send + 'static,
    ) -> &Self {
        self.lock().answerer = Some(Box::new(answerer));
        self
    }

    /// Has a function say what comes besides.
    pub fn besides(
        &self,
        answerer: impl FnMut(&[u8], bool) -> Vec<Deed> + Send + 'static,
    ) -> &Self {
        self.lock().besides = Some(Box::new(answerer));
        self
    }

    /// Says what it does, whatever it is asked.
    pub fn manner(&self, manner: Manner) -> &Self {
        self.lock().manner = Some(manner);
        self
    }

    /// True when nobody listens there.
    pub(super) fn is_closed(&self) -> bool {
        matches!(self.lock().manner, Some(Manner::Closed(_)))
    }

    /// Reply to names that have neither records nor a script, instead of NXDOMAIN.
    pub fn default_reply(&self, reply: Reply) -> &Self {
        self.lock().default = Some(reply);
        self
    }

    /// TTL and MINIMUM of the SOA in negative replies made from the records; 60 and 30 at first.
    pub fn negative_ttl(&self, ttl: u32, minimum: u32) -> &Self {
        self.lock().negative_ttl = (ttl, minimum);
        self
    }

    /// Loses the next queries, but no probes.
    pub fn lose(&self, queries: u32) -> &Self {
        self.lock().losing = queries;
        self
    }

    /// Makes it refuse TCP connections at once.
    pub fn refuse_tcp(&self) -> &Self {
        self.lock().refuses_tcp = true;
        self
    }

    /// Makes it end each TCP connection without a word.
    pub fn close_tcp(&self) -> &Self {
        self.lock().closes_tcp = true;
        self
    }

    /// Makes it end a TCP connection when a function for the replies has none.
    pub fn end_silent_tcp(&self) -> &Self {
        self.lock().ends_silent_tcp = true;
        self
    }

    /// Makes it not answer the question whether it lives.
    pub fn ignore_probes(&self) -> &Self {
        self.lock().is_mute = true;
        self
    }

    /// Makes the question whether it lives one as any other.
    pub fn take_probes_as_questions(&self) -> &Self {
        self.lock().takes_probes_as_questions = true;
        self
    }

    /// Makes it keep no note of queries: for one that runs for long.
    pub fn take_no_notes(&self) -> &Self {
        self.lock().takes_no_notes = true;
        self
    }

    /// All queries so far, in the order of arrival.
    pub fn queries(&self) -> Vec<Query> {
        self.lock().queries.clone()
    }

    /// The queries from this one on, and when they came.
    pub fn queries_since(&self, first: usize) -> Vec<(Query, Instant)> {
        let state = self.lock();
        let both = state.queries.iter().zip(&state.arrived).skip(first);
        both.map(|(query, at)| (query.clone(), *at)).collect()
    }

    /// Number of queries for this name (any case) and type.
    pub fn count(&self, name: &str, qtype: u16) -> usize {
        let (name, qtype) = key(name, qtype);
        self.lock()
            .queries
            .iter()
            .filter(|q| q.name == name && q.qtype == qtype)
            .count()
    }

    /// Number of questions so far whether the server lives.
    pub fn probes(&self) -> usize {
        self.lock().probes
    }

    /// Number of queries so far.
    pub fn total(&self) -> usize {
        self.lock().queries.len()
    }

    /// Forgets the queries so far.
    pub fn clear_queries(&self) {
        let mut state = self.lock();
        state.queries.clear();
        state.arrived.clear();
    }
}

fn key(name: &str, qtype: u16) -> (String, u16) {
    (name.trim_end_matches('.').to_ascii_lowercase(), qtype)
}
