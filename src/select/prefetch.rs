//! URIs that somebody will want: the refresher asks for what belongs to them, once.

use crate::host::clock;
use crate::lookup::pins::Whole;
use crate::lookup::prefetch::{self, Wanted};
use crate::lookup::refresh::Refresher;

use super::flags::TRY_NAPTR;
use super::pins::{destination, look_at};
use super::sip_uri::Destination;

/// URIs at a time; beyond, the oldest are given up.
const MOST: usize = 256;
/// Time for one, ms.
const LIFE_MS: u64 = 10_000;
/// Time from one look to the next, ms.
const LOOK_MS: u64 = 20;

/// The names that are being resolved ahead.
#[derive(Debug, Default)]
pub struct Prefetch {
    under_way: Vec<Item>,
    next_ms: u64,
}

#[derive(Debug)]
struct Item {
    destination: Destination,
    wanted: Wanted,
    until_ms: u64,
}

impl Prefetch {
    /// Takes what is new, and goes on with what is under way.
    pub fn tick(&mut self, refresher: &mut Refresher, flags: impl FnOnce() -> u32) {
        let now_ms = clock::monotonic_ms();
        prefetch::take(|uri, wanted| {
            if let Ok(destination) = destination(&uri) {
                self.under_way.push(Item {
                    destination,
                    wanted,
                    until_ms: now_ms + LIFE_MS,
                });
                self.next_ms = 0;
            }
        });
        if self.under_way.is_empty() || now_ms < self.next_ms {
            return;
        }
        self.next_ms = now_ms + LOOK_MS;
        let beyond = self.under_way.len().saturating_sub(MOST);
        self.under_way.drain(..beyond);
        let flags = flags();
        self.under_way.retain(|item| {
            let found = match item.wanted {
                Wanted::ForRequest => look_at(refresher, flags, &item.destination, false),
                Wanted::All => look_at(refresher, flags | TRY_NAPTR, &item.destination, true),
            };
            found.whole == Whole::NotYet && now_ms < item.until_ms
        });
    }
}
