//! Randomness that is safe across fork; the only file that names `rand`.

use std::cell::{Cell, RefCell};

use rand::TryRng as _;
use rand::rngs::SysRng;

use super::{fork, thread};

/// Fills the buffer from the kernel's generator.
///
/// For everything that an attacker must not guess: query ids, source ports, hash keys.
pub(crate) fn fill_secure(buffer: &mut [u8]) {
    let _whole = thread::uncancelled();
    if SysRng.try_fill_bytes(buffer).is_ok() {
        return;
    }
    // getrandom(2) fails only under a seccomp filter that forbids it. The clock and the process
    // id are a poor substitute, but a weak id is better than no call at all.
    let mut state = super::clock::monotonic_ns() ^ (u64::from(std::process::id()) << 32);
    for octet in buffer {
        *octet = split_mix(&mut state).to_le_bytes()[0];
    }
}

/// Octets of the kernel's generator that are fetched at a time for small values.
const POOL_OCTETS: usize = 128;

/// Octets that were fetched and not handed out yet.
struct Pool {
    fork_generation: u32,
    octets: [u8; POOL_OCTETS],
    used: usize,
}

thread_local! {
    static POOL: RefCell<Pool> = const {
        RefCell::new(Pool {
            fork_generation: 0,
            octets: [0; POOL_OCTETS],
            used: POOL_OCTETS,
        })
    };
}

/// A 16-bit value from the kernel's generator.
///
/// A system call serves several values. Each value is handed out once and wiped; a child process does not use those
/// that its parent fetched.
#[must_use]
pub(crate) fn secure_u16() -> u16 {
    POOL.with_borrow_mut(|pool| {
        let fork_generation = fork::generation();
        if pool.fork_generation != fork_generation || pool.used + 2 > POOL_OCTETS {
            fill_secure(&mut pool.octets);
            pool.fork_generation = fork_generation;
            pool.used = 0;
        }
        let mut value = [0; 2];
        if let Some(octets) = pool.octets.get_mut(pool.used..pool.used + 2) {
            value.swap_with_slice(octets);
        }
        pool.used += 2;
        u16::from_ne_bytes(value)
    })
}

/// A 64-bit value from the kernel's generator.
#[must_use]
pub(crate) fn secure_u64() -> u64 {
    let mut bytes = [0; 8];
    fill_secure(&mut bytes);
    u64::from_ne_bytes(bytes)
}

thread_local! {
    /// Fork generation that the state belongs to, and the state.
    static QUICK: Cell<(u32, u64)> = const { Cell::new((0, 0)) };
}

/// A 32-bit value for load balancing: quick, seeded from the kernel in each process and thread.
#[must_use]
pub(crate) fn quick_u32() -> u32 {
    QUICK.with(|cell| {
        let (generation, mut state) = cell.get();
        let now = fork::generation();
        if generation != now {
            state = secure_u64();
        }
        let value = split_mix(&mut state);
        cell.set((now, state));
        (value >> 32) as u32
    })
}

/// `SplitMix64`: passes the usual statistical tests, one multiplication chain a draw.
pub(crate) fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
