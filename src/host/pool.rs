//! The processes that take their requests from the same queue as this one.
//!
//! While one of them waits, the others go on, as long as there are others. Kamailio's table of processes says which
//! belong together: the receivers of one socket, the TCP workers, the workers of one asynchronous group. Other programs
//! do not say so, nor do other processes of Kamailio's, which serve nobody but themselves.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::own_thread::{OfThread as _, OwnThread};
use super::{clock, fork, kamailio, process};

/// Processes with a higher number belong to no pool.
pub(crate) const MOST: usize = 1024;
/// How often to look anew where the table did not say what this process is, ms.
const LOOK_AGAIN_MS: u64 = 1000;

/// Descriptions of processes that take requests from a queue which they share with all that are called the same.
const POOLS: [&str; 4] = [
    "udp receiver",
    "tcp receiver",
    "sctp receiver",
    "async task worker",
];

/// The processes of one queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pool {
    /// The number of this process.
    pub(crate) mine: usize,
    /// The numbers of all, this one among them, in order.
    pub(crate) members: Vec<usize>,
    /// The name of the members.
    pub(crate) name: String,
}

#[derive(Debug)]
struct Known {
    generation: u32,
    processes: usize,
    read_ms: u64,
    pool: Option<Pool>,
}

thread_local! {
    static KNOWN: OwnThread<Option<Known>> = const { OwnThread::new() };
}

/// Members of the only pool, for tests.
static FOR_TESTS: OnceLock<&'static [AtomicU64]> = OnceLock::new();

fn pretended() -> Option<&'static [AtomicU64]> {
    if cfg!(feature = "testing") {
        FOR_TESTS.get().copied()
    } else {
        None
    }
}

/// Calls `work` with the pool of this process, if it belongs to one and is not alone there.
///
/// A thread beside the first of a process belongs to none: it has no number of its own.
pub(crate) fn with_mine<R>(work: impl FnOnce(&Pool) -> R) -> Option<R> {
    let processes = match pretended() {
        Some(_) => 0,
        None => kamailio::processes::count()?,
    };
    KNOWN.with_borrow_mut(|known| {
        let generation = fork::generation();
        let is_current = |known: &Known| {
            known.generation == generation
                && known.processes == processes
                && (known.pool.is_some()
                    || clock::monotonic_coarse_ms().saturating_sub(known.read_ms) < LOOK_AGAIN_MS)
        };
        if !known.as_ref().is_some_and(is_current) {
            *known = Some(Known {
                generation,
                processes,
                read_ms: clock::monotonic_coarse_ms(),
                pool: find(),
            });
        }
        let pool = known.as_ref()?.pool.as_ref()?;
        (pool.members.len() > 1).then(|| work(pool))
    })
}

fn find() -> Option<Pool> {
    if !process::is_first_thread() {
        return None;
    }
    if let Some(numbers) = pretended() {
        return take_number_for_tests(numbers);
    }
    let (mine, descriptions) = kamailio::processes::descriptions()?;
    pool_of(mine, &descriptions)
}

/// The pool of a process among those with these descriptions.
fn pool_of(mine: usize, descriptions: &[String]) -> Option<Pool> {
    let name = queue_of(descriptions.get(mine)?)?;
    let members = descriptions.iter().enumerate().take(MOST);
    let members = members
        .filter(|(_, other)| queue_of(other).as_deref() == Some(&name))
        .map(|(number, _)| number)
        .collect();
    (mine < MOST).then_some(Pool {
        mine,
        members,
        name,
    })
}

/// The description without the number that a process has among those of its kind; `None` where requests do not come
/// from a queue.
fn queue_of(description: &str) -> Option<String> {
    let lower = description.to_ascii_lowercase();
    POOLS.iter().find(|pool| lower.starts_with(**pool))?;
    let Some((before, rest)) = description.split_once(" child=") else {
        return Some(description.to_owned());
    };
    let digits = rest.chars().take_while(char::is_ascii_digit).count();
    Some(format!("{before}{}", rest.get(digits..)?))
}

/// Says that this process and all that are forked from it are members of a pool of that size; each takes a number when
/// it first waits.
#[cfg(feature = "testing")]
pub(crate) fn pretend(members: usize) {
    let numbers: &'static [AtomicU64; MOST] = super::shared::map();
    let numbers = numbers.get(..members.min(MOST)).unwrap_or(numbers);
    let _only_once = FOR_TESTS.set(numbers);
}

fn take_number_for_tests(numbers: &'static [AtomicU64]) -> Option<Pool> {
    let is_free = |number: &AtomicU64| {
        let other = number.load(Ordering::SeqCst);
        !process::is_alive(other)
            && number
                .compare_exchange(other, process::me(), Ordering::SeqCst, Ordering::SeqCst)
                .is_ok()
    };
    let mine = numbers.iter().position(is_free)?;
    Some(Pool {
        mine,
        members: (0..numbers.len()).collect(),
        name: "test".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Vec<String> {
        [
            "main process - attendant",
            "udp receiver child=0 sock=127.0.0.1:5060",
            "udp receiver child=1 sock=127.0.0.1:5060",
            "udp receiver child=0 sock=127.0.0.1:5080 (192.0.2.1:5080)",
            "udp receiver child=10 sock=127.0.0.1:5060",
            "slow timer",
            "timer",
            "secondary timer",
            "JSONRPCS FIFO",
            "ctl handler",
            "tcp receiver (generic) child=0",
            "tcp receiver (generic) child=1",
            "tcp main process",
            "Async Task Worker - default",
            "Async Task Worker - default",
            "",
        ]
        .map(str::to_owned)
        .to_vec()
    }

    #[test]
    fn who_shares_a_queue_is_a_pool() {
        let table = table();
        let members = |mine| pool_of(mine, &table).map(|pool| pool.members);
        for (mine, expected) in [
            (1, &[1, 2, 4][..]),
            (4, &[1, 2, 4]),
            (3, &[3]),
            (11, &[10, 11]),
            (13, &[13, 14]),
        ] {
            assert_eq!(members(mine).as_deref(), Some(expected), "{mine}");
        }
        let pool = pool_of(2, &table).unwrap();
        assert_eq!(pool.name, "udp receiver sock=127.0.0.1:5060");
        for mine in [0, 5, 6, 7, 8, 9, 12, 15, 16] {
            assert_eq!(members(mine), None, "{mine}");
        }
    }

    #[test]
    fn a_program_that_says_nothing_has_no_pool() {
        assert_eq!(with_mine(|_| ()), None);
    }
}
