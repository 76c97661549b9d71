//! Model checks of the cache: `make loom`; and `make miri`, which draws a few interleavings of each.
//!
//! The models run the cache as it is, in a region of the model's memory: see [`crate::host::sync`]. Threads stand for
//! processes. Each model has one writer or two, and a reader that takes no lock, and says what the reader may see.
//!
//! [`Mutation`](crate::shm::mutation::Mutation) lists the mistakes that these models catch; `loom_mistakes.rs` makes
//! each of them.

use std::cell::OnceCell;

use super::peek::Peek;
use super::presence::Presence;
use super::set::{Set, a};
use super::table::{Bucket, PLACES};
use super::tables::{TableWord, Tables, find_block_in, link_into};
use super::{Cache, EntryRef, HostCopy, Seen, Setting};
use crate::host::sync::model::{Cell, Joined, know, model, model_within, place, spawn, yield_now};
use crate::rr::{PlainIp, RecordType};
use crate::shm::kill_point::{KillPoint, in_model};
use crate::shm::refword::{self, Released};
use crate::shm::sync::{AtomicU32, AtomicU64, Ordering};

const NOW: u32 = 500;
/// `dns_cache_mem`, octets: a table of few buckets.
const LIMIT: usize = 64 << 10;
/// Names that are as long as each other: an entry of one takes the block that was the other's.
const ONE: &str = "one";
const TWO: &str = "two";

/// An empty cache, the same in each interleaving.
pub(crate) fn fresh() -> &'static Cache {
    if cfg!(miri) {
        // There is one interleaving, and nobody makes memory zero afterwards.
        return Cache::for_tests(LIMIT, true).unwrap();
    }
    thread_local! {
        static CACHE: OnceCell<&'static Cache> = const { OnceCell::new() };
    }
    let cache = CACHE.with(|known| {
        if let Some(cache) = known.get() {
            cache.set_up().unwrap();
        }
        *known.get_or_init(|| Cache::for_tests(LIMIT, true).unwrap())
    });
    cache.set_for_tests(Setting::DelNonexp(true));
    cache
}

pub(super) fn put(cache: &Cache, name: &str, last: u8) {
    drop(put_and_hold(cache, name, last));
}

pub(crate) fn put_and_hold(cache: &Cache, name: &str, last: u8) -> EntryRef {
    let set = Set::of(name, RecordType::A).record(600, a(last));
    set.put(cache, NOW).unwrap()
}

/// A cache that has an address of a name, which was used.
fn with_entry() -> &'static Cache {
    let cache = fresh();
    put(cache, ONE, 1);
    assert_eq!(peeked(cache), Some(1));
    cache
}

/// As `Cache::remove`, of which no reference is held: loom overlooks what others read before the thread that stores has
/// read the same.
pub(crate) fn remove(cache: &Cache, name: &str) {
    let writer = cache.write();
    let link = writer.find(cache.hash(name.as_bytes()), RecordType::A, name.as_bytes());
    writer.unlink(link.unwrap());
}

/// The entry goes, and another takes its block.
fn reuse(cache: &Cache) {
    remove(cache, ONE);
    put(cache, TWO, 2);
}

pub(super) fn write(
    body: impl FnOnce(&'static Cache) + Send + 'static,
    cache: &'static Cache,
) -> Joined<()> {
    spawn(move || body(cache))
}

/// The last octet of an address of [`a`].
fn last_of(address: u32) -> u8 {
    let [192, 0, 2, last] = address.to_ne_bytes() else {
        panic!("torn: {address:#x}");
    };
    last
}

fn peeked(cache: &Cache) -> Option<u8> {
    match cache.peek_ipv4(&cache.hashed(ONE.as_bytes()), NOW) {
        Peek::Miss => None,
        Peek::Address {
            address,
            alone: true,
            as_asked: true,
        } => Some(last_of(address)),
        other => panic!("torn: {other:?}"),
    }
}

fn of_plain(address: PlainIp) -> u8 {
    assert!(!address.ipv6, "torn");
    last_of(address.words[0])
}

fn looked_up(cache: &Cache) -> Option<u8> {
    match cache.first_address(&cache.hashed(ONE.as_bytes()), RecordType::A, NOW) {
        Seen::Miss => None,
        Seen::Found(found) => {
            assert!(found.alone, "torn");
            Some(of_plain(found.address))
        }
        other => panic!("torn: {other:?}"),
    }
}

fn copied(cache: &Cache) -> Option<u8> {
    let mut copy = HostCopy::EMPTY;
    match cache.copy_host(&cache.hashed(ONE.as_bytes()), RecordType::A, NOW, &mut copy) {
        Seen::Miss => None,
        Seen::Found(()) => {
            assert_eq!(copy.name_with_nul(), b"one\0", "torn");
            let [octets] = copy.addresses() else {
                panic!("torn");
            };
            Some(octets[3])
        }
        other => panic!("torn: {other:?}"),
    }
}

/// Holds the entry for a while, in which it does not change.
fn held(cache: &Cache) -> Option<u8> {
    let entry = cache.acquire_exact(&cache.hashed(ONE.as_bytes()), RecordType::A, NOW)?;
    assert_eq!(entry.name(), ONE.as_bytes(), "another entry is held");
    let last = || last_of(entry.usable_ipv4(0, NOW).unwrap());
    let seen = last();
    yield_now();
    assert_eq!(last(), seen, "the entry changed under a holder");
    assert_eq!(
        entry.name(),
        ONE.as_bytes(),
        "the entry changed under a holder"
    );
    Some(seen)
}

#[test]
fn loom_a_look_at_an_address_is_of_the_name() {
    model(|| {
        let cache = with_entry();
        let writer = write(reuse, cache);
        assert!(matches!(peeked(cache), None | Some(1)));
        writer.join();
        assert_eq!(peeked(cache), None);
    });
}

#[test]
fn loom_long_what_is_looked_up_is_of_the_name() {
    model_within(1, || {
        let cache = with_entry();
        let writer = write(reuse, cache);
        assert!(matches!(looked_up(cache), None | Some(1)));
        writer.join();
        assert_eq!(looked_up(cache), None);
    });
}

#[test]
fn loom_long_a_copy_is_of_the_name() {
    model_within(1, || {
        let cache = with_entry();
        let writer = write(reuse, cache);
        assert!(matches!(copied(cache), None | Some(1)));
        writer.join();
        assert_eq!(copied(cache), None);
    });
}

#[test]
fn loom_what_is_held_is_of_the_name_and_does_not_change() {
    model(|| {
        let cache = with_entry();
        let writer = write(reuse, cache);
        assert!(matches!(held(cache), None | Some(1)));
        writer.join();
        assert_eq!(held(cache), None);
    });
}

/// The one who reuses the block is another than the one who takes its entry out.
#[test]
fn loom_a_look_is_not_torn_by_a_third_party() {
    model(|| {
        let cache = with_entry();
        let writers = [
            write(|cache| remove(cache, ONE), cache),
            write(|cache| put(cache, TWO, 2), cache),
        ];
        assert!(matches!(peeked(cache), None | Some(1)));
        for writer in writers {
            writer.join();
        }
        assert_eq!(peeked(cache), None);
    });
}

/// Nobody sees an entry before it is whole.
#[test]
fn loom_a_new_entry_is_seen_whole() {
    for look in [peeked, copied, held] {
        model(move || {
            let cache = fresh();
            let writer = write(|cache| put(cache, ONE, 2), cache);
            assert!(matches!(look(cache), None | Some(2)));
            writer.join();
            assert_eq!(look(cache), Some(2));
        });
    }
}

/// An entry takes another's place, whose block is reused: there is no moment at which readers find neither.
#[test]
fn loom_long_a_replaced_entry_is_found_all_the_time() {
    for look in [looked_up, held] {
        model_within(1, move || {
            let cache = with_entry();
            let writer = write(
                |cache| {
                    put(cache, ONE, 2);
                    put(cache, TWO, 3);
                },
                cache,
            );
            let seen = look(cache);
            assert!(matches!(seen, Some(1 | 2)), "{seen:?}");
            writer.join();
            assert_eq!(look(cache), Some(2));
        });
    }
}

/// A set of one record takes the place of one of two: a copy has the records of one of them.
#[test]
fn loom_a_copy_that_was_disturbed_begins_anew() {
    model(|| {
        let cache = fresh();
        let set = Set::of(ONE, RecordType::A).record(600, a(1));
        drop(set.record(600, a(2)).put(cache, NOW).unwrap());
        let writer = write(|cache| put(cache, ONE, 3), cache);
        let mut copy = HostCopy::EMPTY;
        let name = cache.hashed(ONE.as_bytes());
        let seen = cache.copy_host(&name, RecordType::A, NOW, &mut copy);
        assert_eq!(seen, Seen::Found(()));
        let addresses: Vec<_> = copy.addresses().iter().map(|octets| octets[3]).collect();
        assert!(matches!(*addresses, [1, 2] | [2, 1] | [3]), "{addresses:?}");
        writer.join();
    });
}

/// Who has a number alone holds whatever stands there, and that does not change.
#[test]
fn loom_what_is_held_by_its_number_does_not_change() {
    model(|| {
        let cache = with_entry();
        let writer = cache.write();
        let link = writer.find(cache.hash(ONE.as_bytes()), RecordType::A, ONE.as_bytes());
        let number = link.unwrap().block;
        drop(writer);
        let writer = write(reuse, cache);
        if let Some(entry) = cache.by_number(number) {
            let seen = entry.name().to_vec();
            yield_now();
            assert_eq!(entry.name(), seen, "the entry changed under a holder");
        }
        writer.join();
    });
}

/// Who has a hash alone holds an entry of that hash, or none.
#[test]
fn loom_what_is_held_by_its_hash_is_of_the_hash() {
    model(|| {
        let cache = with_entry();
        let hash = cache.name_hash(ONE.as_bytes());
        let writer = write(reuse, cache);
        let entry = cache.acquire_by_hash(hash, RecordType::A, &|_| true);
        if let Some(entry) = entry {
            assert_eq!(entry.name(), ONE.as_bytes(), "another entry is held");
        }
        writer.join();
    });
}

/// The last holder and the one who takes the entry out: the block is free for the next one afterwards, and not before.
#[test]
fn loom_the_last_one_frees() {
    model(|| {
        let cache = with_entry();
        let entry = cache
            .acquire_exact(&cache.hashed(ONE.as_bytes()), RecordType::A, NOW)
            .unwrap();
        let raw = entry.as_raw() as usize;
        let writer = write(reuse, cache);
        assert_eq!(last_of(entry.usable_ipv4(0, NOW).unwrap()), 1);
        assert_eq!(
            entry.name(),
            ONE.as_bytes(),
            "the entry changed under a holder"
        );
        drop(entry);
        writer.join();
        remove(cache, TWO);
        // A hint that was on its way when somebody looked for it is not found by him.
        cache.collect_garbage(NOW);
        let free = Set::of(ONE, RecordType::A).record(600, a(4));
        let first = free.put(cache, NOW).unwrap();
        let second = Set::of(TWO, RecordType::A)
            .record(600, a(5))
            .put(cache, NOW)
            .unwrap();
        let places = [first.as_raw() as usize, second.as_raw() as usize];
        assert!(places.contains(&raw), "the block was never free again");
    });
}

/// A caller releases what it does not hold, beside one who holds.
#[test]
fn loom_a_release_too_many_is_put_right() {
    for linked in [true, false] {
        model(move || {
            let word: &AtomicU32 = place();
            refword::publish(word, linked, u32::from(!linked));
            let careless = spawn(move || refword::release(word));
            let held = linked && refword::try_acquire(word);
            let released = (held || !linked).then(|| refword::release(word));
            let others = careless.join();
            let of = |wanted| usize::from(released == Some(wanted)) + usize::from(others == wanted);
            assert_eq!(of(Released::Underflow), 1, "{released:?} {others:?}");
            assert_eq!(of(Released::Freed), usize::from(!linked));
            let expected = if linked { refword::LINKED } else { 0 };
            assert_eq!(word.load(Ordering::Relaxed), expected);
        });
    }
}

/// A block that is set aside goes from one holder to the next.
#[test]
fn loom_what_is_set_aside_goes_from_one_to_the_next() {
    model(|| {
        let words: &[AtomicU32; 3] = place();
        words[1].store(refword::SET_ASIDE, Ordering::Relaxed);
        let take = |value: u32| {
            if !refword::take_reserved(&words[1]) {
                return;
            }
            refword::fill_reserved(words, 1, &[value, 0, value].map(u32::to_ne_bytes));
            let own = [0, 2].map(|place| words[place].load(Ordering::Relaxed));
            assert_eq!(own, [value; 2], "another has it, too");
            refword::release(&words[1]);
        };
        let other = spawn(move || take(1));
        take(2);
        other.join();
        assert_eq!(words[1].load(Ordering::Relaxed), refword::SET_ASIDE);
    });
}

/// A block that was an entry's is set aside, and filled by another than the one who took the entry out: who began to
/// look before sees that it went.
#[test]
fn loom_a_look_is_not_torn_by_what_is_filled_aside() {
    const TAG: u8 = 7;
    #[repr(C)]
    struct Memory {
        bucket: Bucket,
        words: [AtomicU32; 3],
    }
    model(|| {
        let Memory { bucket, words }: &Memory = place();
        refword::fill(words, 1, &[1, 0, 1].map(u32::to_ne_bytes), true, 0);
        bucket.link(0, TAG, 1);
        let writer = spawn(|| {
            bucket.unlink(0);
            assert!(refword::unlink(&words[1]));
            refword::publish(&words[1], false, refword::SET_ASIDE);
        });
        let filler = spawn(|| {
            if refword::take_reserved(&words[1]) {
                refword::fill_reserved(words, 1, &[2, 0, 2].map(u32::to_ne_bytes));
            }
        });
        let version = bucket.begin();
        if bucket.first_candidate(TAG) == 1 {
            let seen = [0, 2].map(|place| words[place].load(Ordering::Relaxed));
            assert!(!bucket.unchanged(version) || seen == [1, 1], "torn");
        }
        writer.join();
        filler.join();
    });
}

/// Has a smaller table be filled, but for what the last step moves.
fn fill_smaller_table(cache: &Cache) {
    cache.set_for_tests(Setting::Limit(LIMIT / 2));
    let buckets = cache.table().buckets().len();
    while (cache.header.moved.load(Ordering::Relaxed) as usize) < buckets / 8 * 8 {
        assert!(cache.write().fit_limit(NOW));
    }
}

/// The last step: the smaller table comes into use.
fn switch(cache: &Cache) {
    assert!(cache.write().fit_limit(NOW));
}

fn has_switched(cache: &Cache) -> bool {
    cache.table().buckets().len() == super::buckets_for(LIMIT / 2)
}

/// An entry that the last step moves, so that nothing but the table's word says that it has come.
#[test]
fn loom_an_entry_is_found_while_tables_change() {
    model(|| {
        let cache = fresh();
        let last = cache.table().buckets().len() - 1;
        let home = |name: &str| cache.table().home(cache.name_hash(name.as_bytes()));
        let mut names = (0..).map(|number| format!("{number}"));
        let name = names.find(|name| home(name) == last).unwrap();
        put(cache, &name, 1);
        fill_smaller_table(cache);
        let writer = write(switch, cache);
        assert!(
            is_found(cache, &name),
            "an entry that was linked was not found"
        );
        writer.join();
        assert!(has_switched(cache) && is_found(cache, &name));
    });
}

/// An entry is moved, then goes to make room for one that is moved after it: no table has it any more.
#[test]
fn loom_what_makes_room_in_a_move_leaves_both_tables() {
    #[repr(C)]
    struct Memory {
        words: [AtomicU64; 2],
        moved: AtomicU32,
        buckets: [[Bucket; 1]; 2],
    }
    let memory: &Memory = place();
    let [in_use, next] = &memory.words;
    let areas = [&memory.buckets[0][..], &memory.buckets[1][..]];
    let word = TableWord::new(0, 1, 0);
    in_use.store(word.0, Ordering::Relaxed);
    next.store(word.successor(1).0, Ordering::Relaxed);
    let tables = Tables {
        in_use,
        next,
        moved: &memory.moved,
        areas,
    };
    let [old, new] = [word, word.successor(1)].map(|word| word.table(&areas));
    let (hash, tag) = (5, 7);
    for block in [1, 2] {
        link_into(old, hash, tag, block).unwrap();
    }
    tables.move_bucket(&old.buckets()[0], |block| {
        if block == 2 {
            let link = find_block_in(old, hash, 1).unwrap();
            tables.unlink(link, hash, None, || ());
        }
        link_into(new, hash, tag, block).unwrap();
    });
    for table in [old, new] {
        assert!(
            find_block_in(table, hash, 1).is_none(),
            "a table has it still"
        );
        assert!(find_block_in(table, hash, 2).is_some());
    }
}

/// The table goes out of use, then the entry goes from the new one, and its block is reused: only the word of the table
/// tells the reader, who is still in the old one.
#[test]
fn loom_a_reader_in_an_old_table_notices() {
    for look in [peeked, held] {
        model(move || {
            let cache = with_entry();
            fill_smaller_table(cache);
            let writer = write(
                |cache| {
                    switch(cache);
                    reuse(cache);
                },
                cache,
            );
            assert!(matches!(look(cache), None | Some(1)));
            writer.join();
            assert!(has_switched(cache));
            assert_eq!(look(cache), None);
        });
    }
}

/// Makes steps of a change of tables until the buckets of both names have moved, but not all.
fn shrink_past_both(cache: &Cache) {
    cache.set_for_tests(Setting::Limit(LIMIT / 2));
    let home = |name: &str| cache.table().home(cache.name_hash(name.as_bytes()));
    let last = home(ONE).max(home(TWO));
    assert!(last + 9 < cache.table().buckets().len());
    while cache.header.moved.load(Ordering::Relaxed) as usize <= last {
        assert!(cache.write().fit_limit(NOW));
    }
}

/// Entries that come, go or are replaced in the middle of a change of tables do so in both tables.
#[test]
fn loom_long_what_changes_while_tables_change_does_so_in_both() {
    let changes: [(fn(&Cache), Option<u8>); 2] = [
        (|cache| remove(cache, ONE), None),
        (|cache| put(cache, ONE, 3), Some(3)),
    ];
    for (change, expected) in changes {
        model_within(1, move || {
            let cache = with_entry();
            shrink_past_both(cache);
            let writer = write(
                move |cache| {
                    change(cache);
                    put(cache, TWO, 2);
                },
                cache,
            );
            let seen = looked_up(cache);
            assert!(
                seen == Some(1) || seen == expected || seen.is_none(),
                "{seen:?}"
            );
            writer.join();
            fill_smaller_table(cache);
            switch(cache);
            assert!(has_switched(cache));
            assert_eq!(looked_up(cache), expected);
            assert!(is_found(cache, TWO));
            assert_eq!(cache.entries().count(), cache.usage().entries);
        });
    }
}

/// Holders read content without atomics, and the next user of the block writes it: never two at a time.
#[test]
fn loom_the_next_owner_comes_after_the_last_holder() {
    struct Content(Cell<u32>);
    // SAFETY: loom tells when two are at it.
    unsafe impl Sync for Content {}
    // SAFETY: as above.
    unsafe impl Send for Content {}
    know::<AtomicU32>(place());
    model(|| {
        let word: &AtomicU32 = place();
        refword::publish(word, true, 0);
        let content = std::sync::Arc::new(Content(Cell::new(1)));
        let of_writer = content.clone();
        let writer = spawn(move || {
            refword::unlink(word);
            if refword::is_free(word) {
                // SAFETY: loom tells when somebody else is at it.
                of_writer.0.with_mut(|value| unsafe { *value = 2 });
                refword::publish(word, true, 0);
            }
        });
        if refword::try_acquire(word) {
            // SAFETY: as above.
            let read = || content.0.with(|value| unsafe { *value });
            let seen = read();
            yield_now();
            assert_eq!(read(), seen);
            refword::release(word);
        }
        writer.join();
    });
}

/// The same of a block that is set aside.
#[test]
fn loom_who_takes_what_is_set_aside_comes_after_its_last_holder() {
    struct Content(Cell<u32>);
    // SAFETY: loom tells when two are at it.
    unsafe impl Sync for Content {}
    // SAFETY: as above.
    unsafe impl Send for Content {}
    know::<AtomicU32>(place());
    model(|| {
        let word: &AtomicU32 = place();
        word.store(refword::SET_ASIDE, Ordering::Relaxed);
        let content = std::sync::Arc::new(Content(Cell::new(1)));
        let of_other = content.clone();
        let take = move |content: &Content, value: u32| {
            if refword::take_reserved(word) {
                // SAFETY: loom tells when somebody else is at it.
                content.0.with_mut(|place| unsafe { *place = value });
                refword::release(word);
            }
        };
        let other = spawn(move || take(&of_other, 2));
        take(&content, 3);
        other.join();
    });
}

/// Who gets a block that was set aside late, by its number, sees what was written there.
#[test]
fn loom_what_was_filled_aside_is_seen_whole() {
    model(|| {
        let words: &[AtomicU32; 3] = place();
        words[1].store(refword::SET_ASIDE, Ordering::Relaxed);
        let told: &AtomicU64 = place();
        let filler = spawn(move || {
            assert!(refword::take_reserved(&words[1]));
            refword::fill_reserved(words, 1, &[7, 0, 7].map(u32::to_ne_bytes));
            told.store(1, Ordering::Relaxed);
        });
        if told.load(Ordering::Relaxed) == 1 && refword::try_acquire(&words[1]) {
            let seen = [0, 2].map(|place| words[place].load(Ordering::Relaxed));
            assert_eq!(seen, [7, 7]);
        }
        filler.join();
    });
}

/// Who was told that an entry was linked is not told that there is nothing, and does not find a bucket vacant that was
/// so before.
#[test]
fn loom_what_is_linked_is_never_denied() {
    model(|| {
        let cache = fresh();
        let told: &AtomicU64 = place();
        let name = cache.hashed(ONE.as_bytes());
        let Presence::Nothing(Some(vacancy)) = cache.presence(&name, RecordType::A) else {
            panic!("the cache is empty");
        };
        let writer = spawn(move || {
            put(cache, ONE, 1);
            told.store(1, Ordering::Release);
        });
        let seen = cache.presence(&name, RecordType::A);
        if told.load(Ordering::Acquire) == 1 {
            assert!(!cache.is_still_vacant(&vacancy), "it was linked");
            assert!(cache.may_know(&name, RecordType::A), "it was linked");
            if let Presence::Nothing(Some(vacancy)) = seen {
                assert!(!cache.is_still_vacant(&vacancy), "it was linked");
            }
        }
        writer.join();
    });
}

/// The same while the entry moves to another table, and while it takes another place.
#[test]
fn loom_what_moves_is_never_denied() {
    let moves: [fn(&Cache); 2] = [switch, |cache| {
        // No moment passes without an entry of the name.
        put(cache, ONE, 2);
        switch(cache);
    }];
    for moves in moves {
        model(move || {
            let cache = with_entry();
            fill_smaller_table(cache);
            let writer = write(moves, cache);
            assert!(cache.may_know(&cache.hashed(ONE.as_bytes()), RecordType::A));
            writer.join();
            assert!(has_switched(cache));
        });
    }
}

/// A bucket had nothing on a name in a table that goes out of use; the name is linked in the new one alone.
#[test]
fn loom_a_vacancy_ends_with_its_table() {
    model(|| {
        let cache = fresh();
        fill_smaller_table(cache);
        let told: &AtomicU64 = place();
        let name = cache.hashed(ONE.as_bytes());
        let Presence::Nothing(Some(vacancy)) = cache.presence(&name, RecordType::A) else {
            panic!("the cache is empty");
        };
        let writer = spawn(move || {
            switch(cache);
            put(cache, ONE, 1);
            told.store(1, Ordering::Release);
        });
        if told.load(Ordering::Acquire) == 1 {
            assert!(!cache.is_still_vacant(&vacancy), "it was linked");
        }
        writer.join();
    });
}

/// Does something as a process that is killed at a point; the lock passes to the next one as the kernel passes it on.
fn die_at(point: KillPoint, cache: &Cache, body: impl Fn(&Cache)) -> bool {
    use parking_lot::lock_api::RawMutex as _;

    in_model::arm(Some(point));
    let killed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| body(cache))).is_err();
    in_model::arm(None);
    if killed {
        cache.header.lock.set_damaged();
        // SAFETY: the one who had it is dead.
        unsafe { cache.header.lock.unlock() };
    }
    killed
}

/// Points that one comes to who takes an entry out and reuses the block.
const DEADLY: [KillPoint; 10] = [
    KillPoint::LockTaken,
    KillPoint::BlockTaken,
    KillPoint::ContentHalf,
    KillPoint::ContentWritten,
    KillPoint::Published,
    KillPoint::TagSet,
    KillPoint::Linked,
    KillPoint::UnlinkedSlot,
    KillPoint::UnlinkedVersion,
    KillPoint::LetGo,
];

/// A writer is killed at each point of its way while it takes an entry out and reuses the block; the next one repairs
/// the cache and does the same. Readers see the one entry or none.
#[test]
fn loom_long_a_death_is_repaired() {
    for point in DEADLY {
        model_within(1, move || {
            let cache = with_entry();
            let writer = write(
                move |cache| {
                    let change = |cache: &Cache| {
                        remove(cache, ONE);
                        put(cache, TWO, 2);
                    };
                    assert!(die_at(point, cache, change), "it does not come there");
                    put(cache, TWO, 2);
                },
                cache,
            );
            assert!(matches!(peeked(cache), None | Some(1)));
            writer.join();
            assert_eq!(
                cache.usage().entries,
                1 + usize::from(peeked(cache).is_some())
            );
        });
    }
}

/// The same while one takes another's place: readers find one of them all the time.
#[test]
fn loom_long_a_death_in_a_replacement_is_repaired() {
    for point in [
        KillPoint::Published,
        KillPoint::ReplacedSlot,
        KillPoint::ReplacedVersion,
        KillPoint::LetGo,
    ] {
        model_within(1, move || {
            let cache = with_entry();
            let writer = write(
                move |cache| {
                    assert!(die_at(point, cache, |cache| put(cache, ONE, 2)));
                    put(cache, TWO, 3);
                },
                cache,
            );
            let seen = looked_up(cache);
            assert!(matches!(seen, Some(1 | 2)), "{seen:?}");
            writer.join();
            assert_eq!(cache.usage().entries, 2);
        });
    }
}

/// Killed in a repair: the next one repairs again.
#[test]
fn loom_long_a_death_in_a_repair_is_repaired() {
    for point in [KillPoint::RepairedTable, KillPoint::RepairedPages] {
        model_within(1, move || {
            let cache = with_entry();
            let writer = write(
                move |cache| {
                    assert!(die_at(KillPoint::UnlinkedSlot, cache, |cache| remove(
                        cache, ONE
                    )));
                    assert!(die_at(point, cache, |cache| put(cache, TWO, 2)));
                    put(cache, TWO, 2);
                },
                cache,
            );
            assert!(matches!(peeked(cache), None | Some(1)));
            writer.join();
            assert_eq!(peeked(cache), None);
            assert_eq!((cache.usage().entries, cache.repairs()), (1, 1));
        });
    }
}

/// Names whose home is one bucket, one more than it has places: the last one went past it.
fn crowded() -> (&'static Cache, Vec<String>) {
    let cache = fresh();
    let home = |name: &str| cache.table().home(cache.name_hash(name.as_bytes()));
    let names = (0..).map(|number| format!("{number}"));
    let of_one = names.filter(|name| home(name) == 1);
    let names: Vec<String> = of_one.take(PLACES + 2).collect();
    for name in &names[..=PLACES] {
        put(cache, name, 9);
    }
    assert!(cache.table().buckets()[1].overflows());
    (cache, names)
}

fn is_found(cache: &Cache, name: &str) -> bool {
    cache
        .acquire_any_age(name.as_bytes(), RecordType::A)
        .is_some()
}

/// An entry that went past a full bucket is found while an entry of the bucket makes room for another, and while a
/// further one goes past and is taken out.
#[test]
fn loom_long_what_went_past_a_full_bucket_is_found_while_others_come_and_go() {
    model_within(1, || {
        let (cache, names) = crowded();
        let (others, name) = (
            [names[8].clone(), names[PLACES + 1].clone()],
            &names[PLACES],
        );
        let writer = write(
            move |cache| {
                put(cache, &others[1], 9);
                remove(cache, &others[1]);
                remove(cache, &others[0]);
                put(cache, &others[0], 9);
            },
            cache,
        );
        assert!(
            is_found(cache, name),
            "an entry that was linked was not found"
        );
        writer.join();
        assert!(is_found(cache, name));
    });
}

/// And while the next writer repairs what a dead one did to what is counted.
#[test]
fn loom_long_what_went_past_a_full_bucket_is_found_during_a_repair() {
    for point in [KillPoint::OverflowCounted, KillPoint::UnlinkedVersion] {
        model_within(1, move || {
            let (cache, names) = crowded();
            let (other, name) = (names[PLACES + 1].clone(), &names[PLACES]);
            assert!(die_at(point, cache, |cache| {
                put(cache, &other, 9);
                remove(cache, &other);
            }));
            let writer = write(|cache| drop(cache.write()), cache);
            assert!(
                is_found(cache, name),
                "an entry that was linked was not found"
            );
            writer.join();
            assert!(is_found(cache, name));
            assert_eq!(cache.repairs(), 1);
        });
    }
}
