//! The process that something in shared memory belongs to, and whether that process still lives.
#![allow(unsafe_code, reason = "getpid, pidfd_open, kill")]

use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::{fork, poll, thread};

/// This process: its pid above, when it was started (in the kernel's units, cut to 32 bits) below, so
/// that a pid that is used again is another process. Never 0.
pub(crate) fn me() -> u64 {
    static ME: AtomicU64 = AtomicU64::new(0);
    static OF: AtomicU32 = AtomicU32::new(0);
    let generation = fork::generation();
    // First whose it is: another thread of a child may be putting its own in place of the parent's.
    // SYNC: pairs with the store below.
    if OF.load(Ordering::Acquire) == generation {
        return ME.load(Ordering::Relaxed);
    }
    let _whole = thread::uncancelled();
    // SAFETY: takes nothing and cannot fail.
    let pid = unsafe { libc::getpid() };
    let id = (pid as u32 as u64) << 32 | u64::from(started(pid).unwrap_or(0));
    ME.store(id, Ordering::Relaxed);
    OF.store(generation, Ordering::Release);
    id
}

/// The pid of this process.
#[inline]
pub(crate) fn pid() -> u32 {
    (me() >> 32) as u32
}

/// True in the thread that the process began with, or that forked it.
pub(crate) fn is_first_thread() -> bool {
    // SAFETY: takes nothing and cannot fail.
    let thread = unsafe { libc::syscall(libc::SYS_gettid) };
    u32::try_from(thread) == Ok(pid())
}

/// False when the process with this pid has ended, or was stopped: by a signal, or by a debugger. Without /proc those
/// that were stopped count as going on.
pub(crate) fn goes_on(pid: u32) -> bool {
    if pid == self::pid() {
        return true;
    }
    let _whole = thread::uncancelled();
    let Ok(number) = libc::pid_t::try_from(pid) else {
        return false;
    };
    let is_stopped = || stat_field(number, 0).is_some_and(|state| matches!(&*state, "T" | "t"));
    number > 0 && !has_ended(number) && !is_stopped()
}

/// False when the process has ended, also when its parent has not waited for it yet.
pub(crate) fn is_alive(id: u64) -> bool {
    if id == me() {
        return true;
    }
    let _whole = thread::uncancelled();
    let (pid, start) = ((id >> 32) as libc::pid_t, id as u32);
    if pid <= 0 || has_ended(pid) {
        return false;
    }
    // Without /proc a pid that is used again is taken for the old process.
    start == 0 || started(pid).is_none_or(|now| now == start)
}

fn has_ended(pid: libc::pid_t) -> bool {
    // SAFETY: takes numbers only.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) } as RawFd;
    if fd < 0 {
        let error = std::io::Error::last_os_error().raw_os_error();
        if matches!(error, Some(libc::ESRCH | libc::EINVAL)) {
            return true;
        }
        // A kernel without the call, or no free descriptor: then ended processes that nobody waited for
        // count as alive.
        // SAFETY: signal 0 is sent to nobody.
        let sent = unsafe { libc::kill(pid, 0) };
        return sent < 0 && is_no_process();
    }
    // SAFETY: the descriptor was just made and nothing else knows it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    poll::wait_for_input(fd.as_raw_fd(), 0)
}

fn is_no_process() -> bool {
    std::io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH)
}

/// When a process was started.
fn started(pid: libc::pid_t) -> Option<u32> {
    let start: u64 = stat_field(pid, 19)?.parse().ok()?;
    Some((start as u32).max(1))
}

/// A field behind the program's name in the stat line of a process's first thread, from 0 on. The process's own line
/// says the same, but qemu-user makes that one up for the program that it runs, and not for others.
fn stat_field(pid: libc::pid_t, index: usize) -> Option<String> {
    let line = std::fs::read(format!("/proc/{pid}/task/{pid}/stat")).ok()?;
    // The second field is the program's name in brackets, and may hold anything.
    let behind = line.iter().rposition(|&octet| octet == b')')? + 1;
    let text = std::str::from_utf8(line.get(behind..)?).ok()?;
    let field = text.split_ascii_whitespace().nth(index)?;
    Some(field.to_owned())
}

#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;

    #[test]
    fn the_living_and_the_dead() {
        assert!(is_alive(me()));
        assert!(!is_alive(0));
        assert!(!is_alive(me() ^ 1), "the pid, but started at another time");
        // SAFETY: the child leaves at once.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: ends the child without running anything of the parent's.
            unsafe { libc::_exit(0) };
        }
        let id = (child as u64) << 32;
        // SAFETY: all-zero is a valid siginfo_t.
        let mut seen: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: waits for the child to end and leaves it as a zombie.
        let waited = unsafe {
            libc::waitid(
                libc::P_PID,
                child as libc::id_t,
                &raw mut seen,
                libc::WEXITED | libc::WNOWAIT,
            )
        };
        assert_eq!(waited, 0);
        assert!(!is_alive(id), "a zombie");
        assert!(!goes_on(child as u32) && !goes_on(0) && goes_on(pid()));
        let mut status = 0;
        // SAFETY: waits for the child made above.
        unsafe { libc::waitpid(child, &raw mut status, 0) };
        assert!(!is_alive(id), "gone");
    }

    #[test]
    fn who_is_stopped_does_not_go_on() {
        // SAFETY: the child only waits.
        let child = unsafe { libc::fork() };
        if child == 0 {
            loop {
                // SAFETY: waits for a signal.
                unsafe { libc::pause() };
            }
        }
        assert!(goes_on(child as u32));
        // SAFETY: a child of ours.
        unsafe { libc::kill(child, libc::SIGSTOP) };
        let mut status = 0;
        // SAFETY: waits until the child has stopped.
        unsafe { libc::waitpid(child, &raw mut status, libc::WUNTRACED) };
        assert!(!goes_on(child as u32) && is_alive((child as u64) << 32));
        // SAFETY: a child of ours.
        unsafe { libc::kill(child, libc::SIGKILL) };
        // SAFETY: waits for the child made above.
        unsafe { libc::waitpid(child, &raw mut status, 0) };
    }
}
