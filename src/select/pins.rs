//! The records that belong to a pinned name: NAPTR records, SRV records and addresses, as a request to it would need
//! them, and those of its failover, too.
//!
//! Each look goes as far as the cache leads. Missing records are asked for, so that the next look goes farther.

use std::collections::HashSet;
use std::net::IpAddr;

use smallvec::SmallVec;

use crate::cache::{EntryRef, RecordView};
use crate::error::{Failure, LookupError};
use crate::host::clock;
use crate::host::log::{self, Level};
use crate::host::options::{self, StrOpt};
use crate::lookup::pin_file::PinFile;
use crate::lookup::pins::{self, Failed, Found, Whole};
pub use crate::lookup::refresh::Kept;
use crate::lookup::refresh::Refresher;
use crate::lookup::{family_order, needs_no_dns};
use crate::rr::{RecordType, parse_literal};

use super::Transport;
use super::flags::TRY_NAPTR;
use super::naptr::{self, Asked, Candidates, rows_of};
use super::protocols::{self, TransportList};
use super::sip_uri::{self, Destination, UriError};

/// Questions that one pin may keep fresh.
const MOST_QUESTIONS: usize = 256;

/// The destination that a pin names: a SIP URI, or a host with or without port, which is taken as `sip:`.
///
/// # Errors
/// Says which part is wrong.
pub fn destination(text: &[u8]) -> Result<Destination, UriError> {
    sip_uri::parse(text)
}

/// Looks at all pins, as a request with these flags (`DNS_*`) would.
pub fn look(refresher: &mut Refresher, flags: u32) {
    pins::for_each(|text| match destination(text) {
        Ok(destination) => Look::new(refresher, flags).at(&destination),
        Err(_) => Found {
            whole: Whole::No,
            failed: None,
            expires: None,
        },
    });
}

/// Time from one look to the next, ms: while something is being asked for, and else.
const SOON_MS: u64 = 100;
const LATER_MS: u64 = 1000;

/// From one look at the file of `dns_pin_file` to the next, ms.
const FILE_MS: u64 = 1000;
/// Lines of the log about lines of that file, for one reading.
const MOST_COMPLAINTS: usize = 10;

/// When to look, and what option and file said last.
#[derive(Debug, Default)]
pub struct Watch {
    next_ms: u64,
    /// The option, as it was read, and the number of changes of options by then.
    option: Vec<u8>,
    generation: Option<u32>,
    file: PinFile,
    file_ms: u64,
    /// The names of the option and of the file that can be pinned.
    of_option: Vec<Vec<u8>>,
    of_file: Vec<Vec<u8>>,
}

impl Watch {
    /// Looks at all pins if it is time.
    pub fn tick(&mut self, refresher: &mut Refresher, flags: impl FnOnce() -> u32) {
        self.tick_at(clock::monotonic_ms(), refresher, flags);
    }

    /// As [`Self::tick`], at a time, ms.
    #[doc(hidden)]
    pub fn tick_at(&mut self, now_ms: u64, refresher: &mut Refresher, flags: impl FnOnce() -> u32) {
        let generation = options::generation();
        let is_changed = self.generation != Some(generation);
        self.generation = Some(generation);
        let is_other = is_changed && self.read_option();
        let is_time = is_changed || now_ms >= self.file_ms;
        if is_time && self.read_file(now_ms) || is_other {
            self.set();
        }
        if now_ms < self.next_ms || pins::count().0 == 0 {
            return;
        }
        look(refresher, flags());
        let is_open = pins::all().iter().any(|pin| pin.whole == Whole::NotYet);
        self.next_ms = now_ms + if is_open { SOON_MS } else { LATER_MS };
    }

    /// True when the option says something else than before.
    fn read_option(&mut self) -> bool {
        let option = options::text(StrOpt::Pin);
        if option == self.option {
            return false;
        }
        self.option = option;
        let (good, bad): (Vec<&[u8]>, Vec<&[u8]>) =
            words(&self.option).partition(|word| can_be_pinned(word));
        for word in bad {
            crate::log!(
                Level::Warn,
                "dns_pin: no name or SIP URI: {}",
                log::name(word)
            );
        }
        self.of_option = good.into_iter().map(<[u8]>::to_vec).collect();
        true
    }

    /// True when the file says something else than before. Words of it are not shown: who may name a file is not
    /// thereby one who may read it.
    fn read_file(&mut self, now_ms: u64) -> bool {
        self.file_ms = now_ms + FILE_MS;
        let Some(text) = self.file.changed(now_ms) else {
            return false;
        };
        let (good, bad) = names_of(text);
        for line in bad.iter().take(MOST_COMPLAINTS) {
            let path = self.file.path();
            crate::log!(Level::Warn, "{path}: line {line}: no name or SIP URI");
        }
        if let Some(more @ 1..) = bad.len().checked_sub(MOST_COMPLAINTS) {
            let path = self.file.path();
            crate::log!(
                Level::Warn,
                "{path}: {more} more lines with what is no name or SIP URI"
            );
        }
        self.of_file = good;
        true
    }

    fn set(&mut self) {
        self.next_ms = 0;
        let option: Vec<&[u8]> = self.of_option.iter().map(Vec::as_slice).collect();
        let file: Vec<&[u8]> = self.of_file.iter().map(Vec::as_slice).collect();
        let (file, rest) = file.split_at(file.len().min(pins::MOST));
        let left_out = pins::set_configured(&option, file) + rest.len();
        if left_out > 0 {
            let most = pins::MOST;
            crate::log!(
                Level::Warn,
                "dns_pin, dns_pin_file: {left_out} names have no room, {most} are pinned"
            );
        }
    }
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let words = text.split(u8::is_ascii_whitespace);
    words.filter(|word| !word.is_empty())
}

fn can_be_pinned(word: &[u8]) -> bool {
    word.len() <= pins::MAX_OCTETS && destination(word).is_ok()
}

/// The names of a file, each once, and the numbers of lines with a word that is none. A word that begins with # begins
/// a comment.
fn names_of(text: &[u8]) -> (Vec<Vec<u8>>, Vec<usize>) {
    let (mut good, mut bad, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    for (number, line) in (1..).zip(text.split(|&octet| octet == b'\n')) {
        let names = words(line).take_while(|word| !word.starts_with(b"#"));
        let (names, others): (Vec<&[u8]>, Vec<&[u8]>) = names.partition(|word| can_be_pinned(word));
        let names = names.into_iter().map(<[u8]>::to_vec);
        good.extend(names.filter(|name| seen.insert(name.to_ascii_lowercase())));
        bad.extend((!others.is_empty()).then_some(number));
    }
    (good, bad)
}

/// Keeps the records that belong to a name, and sees where they lead.
pub(super) trait Keeper {
    /// The keeper sees all addresses, those of the hosts file, too.
    const SEES: bool = false;
    /// The records of a type, see [`Refresher::keep`].
    fn keep(&mut self, name: &[u8], qtype: RecordType, is_callers: bool) -> Kept;
    /// An address that belongs to the name.
    fn sees(&mut self, _seen: &Seen<'_>, _address: IpAddr) {}
}

impl Keeper for Refresher {
    fn keep(&mut self, name: &[u8], qtype: RecordType, is_callers: bool) -> Kept {
        Self::keep(self, name, qtype, is_callers)
    }
}

/// How a name leads to an address.
pub(super) struct Seen<'a> {
    pub(super) host: &'a [u8],
    pub(super) port: u16,
    pub(super) transport: Transport,
    /// The entries on the way.
    pub(super) led_by: &'a [EntryRef],
}

/// Looks at what belongs to one name.
pub(super) fn look_at(
    refresher: &mut Refresher,
    flags: u32,
    to: &Destination,
    is_thorough: bool,
) -> Found {
    let look = Look {
        is_thorough,
        ..Look::new(refresher, flags)
    };
    look.at(to)
}

/// Goes through all that belongs to a name: its SRV records also where NAPTR records lead elsewhere.
pub(super) fn gather(keeper: &mut impl Keeper, flags: u32, to: &Destination) {
    let look = Look {
        is_thorough: true,
        ..Look::new(keeper, flags | TRY_NAPTR)
    };
    look.at(to);
}

/// A look at one pin.
struct Look<'r, K> {
    keeper: &'r mut K,
    /// Nothing is left out because something else is there.
    is_thorough: bool,
    /// The entries on the way to where it is.
    way: SmallVec<[EntryRef; 3]>,
    flags: u32,
    left: usize,
    waits: bool,
    failed: Option<Failed>,
    has_address: bool,
    /// The tick at which the first record expires.
    expires: Option<u32>,
}

impl<'r, K: Keeper> Look<'r, K> {
    fn new(keeper: &'r mut K, flags: u32) -> Self {
        Self {
            keeper,
            is_thorough: false,
            way: SmallVec::new(),
            flags,
            left: MOST_QUESTIONS,
            waits: false,
            failed: None,
            has_address: false,
            expires: None,
        }
    }

    fn at(mut self, to: &Destination) -> Found {
        let transport = to.transport.unwrap_or(Transport::DEFAULT);
        let port = match to.port {
            0 => transport.default_port(),
            port => port,
        };
        let is_host = parse_literal(&to.host).is_some() || to.port != 0 || needs_no_dns(&to.host);
        if is_host || !self.by_records(to) {
            self.addresses(&to.host, true, (port, transport));
        }
        if !self.has_address && !self.waits && self.failed.is_none() {
            let (first, _) = family_order(self.flags);
            self.fail(first, &LookupError::NoData);
        }
        let whole = match (self.failed, self.waits) {
            (Some(_), _) => Whole::No,
            (None, true) => Whole::NotYet,
            (None, false) => Whole::Yes,
        };
        Found {
            whole,
            failed: self.failed,
            expires: self.expires,
        }
    }

    /// NAPTR and SRV records; false when there are none, so that the addresses of the host count.
    fn by_records(&mut self, to: &Destination) -> bool {
        let (mut is_any, mut is_open) = (false, false);
        let number = to.transport.map_or(0, |transport| transport as u8);
        if naptr::asked(number, self.flags & TRY_NAPTR != 0) != Asked::Not {
            match self.keep(&to.host, RecordType::NAPTR, true) {
                Ok(Some(entry)) if self.by_naptr(&entry, to.transport) => is_any = true,
                Ok(_) => {}
                Err(Unknown) => is_open = true,
            }
            if (is_any || is_open) && !self.is_thorough {
                return true;
            }
        }
        let list = to
            .transport
            .map_or_else(protocols::list, TransportList::single);
        for transport in list.iter() {
            if let Some(name) = protocols::srv_name(*transport, &to.host) {
                match self.targets(&name, true, *transport) {
                    Ok(found) => is_any |= found,
                    Err(Unknown) => is_open = true,
                }
            }
        }
        is_any || is_open
    }

    /// The SRV records that the records lead to, or those of one transport; false when they lead nowhere.
    fn by_naptr(&mut self, entry: &EntryRef, only: Option<Transport>) -> bool {
        let candidates = Candidates::new(rows_of(entry), only);
        let mut is_any = false;
        for position in 0..candidates.len() {
            let Some(found) = candidates.get(position) else {
                continue;
            };
            let index = found.index.into();
            if let Some(RecordView::Naptr { replacement, .. }) = entry.record(index) {
                self.way.push(entry.clone());
                let targets = self.targets(replacement, false, found.transport);
                self.way.pop();
                is_any |= targets.unwrap_or(true);
            }
        }
        is_any
    }

    /// SRV records and the addresses of their targets; whether there are any.
    fn targets(
        &mut self,
        name: &[u8],
        is_callers: bool,
        transport: Transport,
    ) -> Result<bool, Unknown> {
        let Some(entry) = self.keep(name, RecordType::SRV, is_callers)? else {
            return Ok(false);
        };
        self.way.push(entry.clone());
        for index in 0..entry.record_count() {
            match entry.record(index) {
                Some(RecordView::Srv { target, port, .. }) if !target.is_empty() => {
                    self.addresses(target, false, (port, transport));
                }
                _ => {}
            }
        }
        self.way.pop();
        Ok(true)
    }

    fn addresses(&mut self, host: &[u8], is_callers: bool, (port, transport): (u16, Transport)) {
        if let Some(address) = parse_literal(host) {
            self.sees(host, (port, transport), address);
            return;
        }
        if !K::SEES && needs_no_dns(host) {
            self.has_address = true;
            return;
        }
        let (first, second) = family_order(self.flags);
        for family in [Some(first), second].into_iter().flatten() {
            if let Ok(Some(entry)) = self.keep(host, family, is_callers) {
                self.has_address = true;
                self.way.push(entry.clone());
                for address in entry.usable_addresses(clock::now_ticks()) {
                    self.sees(host, (port, transport), address);
                }
                self.way.pop();
            }
        }
    }

    fn sees(&mut self, host: &[u8], (port, transport): (u16, Transport), address: IpAddr) {
        self.has_address = true;
        let seen = Seen {
            host,
            port,
            transport,
            led_by: &self.way,
        };
        self.keeper.sees(&seen, address);
    }

    /// The records of a type, live or expired; `None` when it is known that there are none.
    fn keep(
        &mut self,
        name: &[u8],
        qtype: RecordType,
        is_callers: bool,
    ) -> Result<Option<EntryRef>, Unknown> {
        let Some(left) = self.left.checked_sub(1) else {
            return Err(Unknown);
        };
        self.left = left;
        match self.keeper.keep(name, qtype, is_callers) {
            Kept::Has(entry) => {
                self.ends_at(entry.expire());
                Ok(Some(entry))
            }
            Kept::Absent(expires) => {
                self.ends_at(expires);
                Ok(None)
            }
            Kept::Failed(error, expired) => {
                self.fail(qtype, &error);
                expired.map(Some).ok_or(Unknown)
            }
            Kept::Waits => {
                self.waits = true;
                Err(Unknown)
            }
        }
    }

    fn ends_at(&mut self, expires: u32) {
        let is_sooner = |before| clock::is_past(expires, before);
        if self.expires.is_none_or(is_sooner) {
            self.expires = Some(expires);
        }
    }

    fn fail(&mut self, qtype: RecordType, error: &LookupError) {
        self.failed.get_or_insert(Failed {
            rtype: qtype.0,
            was_said: matches!(
                error,
                LookupError::Failed(Failure::ServFail | Failure::Refused)
            ),
            is_absent: matches!(error, LookupError::NoData | LookupError::NxDomain),
        });
    }
}

/// The error of a question that has no answer yet: whether the name has such records is not known.
struct Unknown;
