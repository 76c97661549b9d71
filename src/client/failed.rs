//! Targets that failed, as the program says: they stand behind the others for a while.

use std::collections::BTreeMap;

use super::request::Place;
use crate::host::clock;

/// Targets at most; the one whose time ends first makes room.
const MOST: usize = 1024;

/// Until when each counts as failed, ms.
#[derive(Debug, Default)]
pub(super) struct Failed(BTreeMap<Place, u64>);

impl Failed {
    pub(super) fn add(&mut self, place: Place, seconds: u32) {
        let now_ms = clock::monotonic_ms();
        self.0.retain(|_, until_ms| *until_ms > now_ms);
        if self.0.len() >= MOST && !self.0.contains_key(&place) {
            let first = self.0.iter().min_by_key(|(_, until_ms)| **until_ms);
            if let Some(first) = first.map(|(place, _)| *place) {
                self.0.remove(&first);
            }
        }
        let until_ms = now_ms.saturating_add(u64::from(seconds) * 1000);
        self.0.insert(place, until_ms);
    }

    pub(super) fn has(&self, place: &Place) -> bool {
        let until_ms = self.0.get(place);
        until_ms.is_some_and(|until_ms| *until_ms > clock::monotonic_ms())
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::select::Transport;

    fn place(number: usize) -> Place {
        let address = SocketAddr::from(([192, 0, 2, 1], number as u16));
        (address, Transport::Udp)
    }

    #[test]
    fn the_one_that_would_end_first_makes_room() {
        let mut failed = Failed::default();
        for number in 0..MOST {
            failed.add(place(number), 1000 + number as u32);
        }
        assert!(failed.has(&place(0)));
        failed.add(place(MOST), 5000);
        assert!(!failed.has(&place(0)) && failed.has(&place(1)) && failed.has(&place(MOST)));
        assert_eq!(failed.0.len(), MOST);
        failed.add(place(1), 0);
        assert!(!failed.has(&place(1)));
    }
}
