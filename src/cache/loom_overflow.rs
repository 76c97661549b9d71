//! Model checks of searches that go past a full bucket: `make loom`.
//!
//! An entry stands in the second bucket, because the first one was full when it came. The count of the first one
//! shares a word with the tags of its last places. Whatever else is linked, unlinked or repaired, the entry must
//! be found all the time. Buckets are the code that runs; [`super::loom_tests`] says how models are made.

use loom::sync::Arc;
use loom::thread;

use super::loom_tests::model;
use super::table::Bucket;
use crate::shm::mutation::{Mutation, seeded};

const TAG: u8 = 7;
const BLOCK: u32 = 1;
/// A place whose tag is in the word of the count.
const PLACE: usize = 8;
const OTHER_TAG: u8 = 9;
const OTHER: u32 = 2;

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Found,
    /// Something was taken out meanwhile: a search begins anew.
    Disturbed,
    Missed,
}

struct Row([Bucket; 2]);

impl Row {
    fn with_entry_gone_past() -> Arc<Self> {
        let row = Self([Bucket::new(), Bucket::new()]);
        row.0[0].count_overflow();
        row.0[1].link(PLACE, TAG, BLOCK);
        Arc::new(row)
    }

    /// As `Cache::locate`.
    fn search(&self) -> Seen {
        for bucket in &self.0 {
            let version = bucket.begin();
            let is_it = |_, block| (block == BLOCK).then_some(());
            if bucket.find(TAG, is_it).is_some() {
                return Seen::Found;
            }
            if !bucket.unchanged(version) {
                return Seen::Disturbed;
            }
            if !bucket.overflows() {
                break;
            }
        }
        Seen::Missed
    }

    /// As `Writer::recover`.
    fn recover(&self) {
        let [first, second] = &self.0;
        first.touch();
        second.touch();
        if seeded(Mutation::RecountFromZero) {
            first.set_overflow(0);
            second.set_overflow(0);
        }
        let mut passed = 0;
        for (place, tag, block) in [(PLACE, TAG, BLOCK), (PLACE + 1, OTHER_TAG, OTHER)] {
            if second.block(place) == block {
                second.set_tag(place, tag);
                passed += 1;
            }
        }
        first.set_overflow(passed);
        second.set_overflow(0);
    }
}

/// What the first writer did before it died.
#[derive(Clone, Copy)]
enum Death {
    /// Counted an entry that it did not link any more.
    Counted,
    /// Linked it, too.
    Linked,
    /// Took one out that is counted still.
    Unlinked,
}

impl Death {
    const ALL: [Self; 3] = [Self::Counted, Self::Linked, Self::Unlinked];

    fn die(self, row: &Row) {
        let [first, second] = &row.0;
        first.count_overflow();
        if !matches!(self, Self::Counted) {
            second.link(PLACE + 1, OTHER_TAG, OTHER);
        }
        if matches!(self, Self::Unlinked) {
            second.unlink(PLACE + 1);
        }
    }
}

#[test]
fn loom_an_entry_past_a_full_bucket_is_found_during_a_repair() {
    for death in Death::ALL {
        model(move || {
            let row = Row::with_entry_gone_past();
            death.die(&row);
            let writer = {
                let row = row.clone();
                thread::spawn(move || row.recover())
            };
            assert_ne!(row.search(), Seen::Missed);
            writer.join().unwrap();
            assert_eq!(row.search(), Seen::Found);
            let past = 1 + u32::from(matches!(death, Death::Linked));
            assert_eq!(row.0[0].overflow_count(), past);
        });
    }
}

#[test]
fn loom_an_entry_past_a_full_bucket_is_found_while_others_come_and_go() {
    model(|| {
        let row = Row::with_entry_gone_past();
        let writer = {
            let row = row.clone();
            thread::spawn(move || {
                let [first, second] = &row.0;
                // In the full bucket something makes room for something else.
                first.link(PLACE, OTHER_TAG, OTHER);
                first.unlink(PLACE);
                // As `link_into` and `unlink_from`, of one more that goes past.
                first.count_overflow();
                second.link(PLACE + 1, OTHER_TAG, OTHER);
                second.unlink(PLACE + 1);
                first.uncount_overflow();
            })
        };
        assert_ne!(row.search(), Seen::Missed);
        writer.join().unwrap();
        assert_eq!(row.search(), Seen::Found);
        assert_eq!(row.0[0].overflow_count(), 1);
    });
}
