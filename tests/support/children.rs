//! Child processes of a test.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Runs `body` in a child process, which ends without running the parent's destructors; its exit code
/// is 1 when `body` panicked.
#[allow(unsafe_code, reason = "fork, prctl")]
pub fn spawn(body: impl FnOnce()) -> libc::pid_t {
    // SAFETY: the child only works on what processes share and ends with _exit; no other thread of the
    // test program holds a lock that the child takes.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        // Should the test fail and its thread end, its children end with it.
        // SAFETY: affects this child only.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
        let fine = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).is_ok();
        // SAFETY: ends the child at once.
        unsafe { libc::_exit(i32::from(!fine)) };
    }
    pid
}

/// Waits for a child; kills it when it hangs. Gives the wait status.
#[allow(unsafe_code, reason = "waitpid")]
pub fn wait(pid: libc::pid_t) -> i32 {
    let start = Instant::now();
    let mut status = 0;
    loop {
        // SAFETY: `status` is valid for writing, the child is ours.
        let rc = unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) };
        if rc == pid {
            return status;
        }
        if start.elapsed() > Duration::from_secs(60) {
            kill(pid);
            panic!("child {pid} hangs");
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// The wait status of a child, if it ended.
#[allow(unsafe_code, reason = "waitpid")]
pub fn ended(pid: libc::pid_t) -> Option<i32> {
    let mut status = 0;
    // SAFETY: `status` is valid for writing, the child is ours.
    let rc = unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) };
    (rc == pid).then_some(status)
}

/// The wait status of a child, if it ended, or was stopped and nobody was told yet.
#[allow(unsafe_code, reason = "waitpid")]
pub fn changed(pid: libc::pid_t) -> Option<i32> {
    let mut status = 0;
    // SAFETY: `status` is valid for writing, the child is ours.
    let rc = unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG | libc::WUNTRACED) };
    (rc == pid).then_some(status)
}

/// Whether a child with this wait status was killed, and did not end by a mistake of its own.
pub fn was_killed(status: i32) -> bool {
    libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGKILL
}

/// Kills a child that was not waited for yet.
#[allow(unsafe_code, reason = "kill")]
pub fn kill(pid: libc::pid_t) {
    // SAFETY: a child of ours that was not waited for yet.
    unsafe { libc::kill(pid, libc::SIGKILL) };
}

/// Stops a child, and waits until it is.
pub fn stop(pid: libc::pid_t) {
    assert!(libc::WIFSTOPPED(stop_unless_ended(pid)));
}

/// Stops a child that may end by itself; gives the wait status, which says what became of it.
#[allow(unsafe_code, reason = "kill")]
pub fn stop_unless_ended(pid: libc::pid_t) -> i32 {
    // SAFETY: a child of ours that was not waited for yet.
    unsafe { libc::kill(pid, libc::SIGSTOP) };
    stopped_or_ended(pid)
}

/// Waits for a child to be stopped.
pub fn wait_until_stopped(pid: libc::pid_t) {
    assert!(libc::WIFSTOPPED(stopped_or_ended(pid)));
}

#[allow(unsafe_code, reason = "waitpid")]
fn stopped_or_ended(pid: libc::pid_t) -> i32 {
    let mut status = 0;
    // SAFETY: `status` is valid for writing, the child is ours.
    unsafe { libc::waitpid(pid, &raw mut status, libc::WUNTRACED) };
    status
}

/// Lets a child that was stopped go on.
#[allow(unsafe_code, reason = "kill")]
pub fn go_on(pid: libc::pid_t) {
    // SAFETY: a child of ours that was not waited for yet.
    unsafe { libc::kill(pid, libc::SIGCONT) };
}

/// Waits for children that must all end well.
#[track_caller]
pub fn all_end_well(children: Vec<libc::pid_t>) {
    let failed = children.into_iter().filter(|pid| wait(*pid) != 0).count();
    assert_eq!(failed, 0, "children that failed");
}

/// Numbers that all processes of a test see.
#[derive(Debug, Clone, Copy)]
pub struct SharedNumbers(&'static [AtomicU32; 256]);

impl SharedNumbers {
    /// All zero; before the children are made.
    #[allow(unsafe_code, reason = "mmap")]
    pub fn new() -> Self {
        // SAFETY: an anonymous mapping at an address of the kernel's choice.
        let place = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                4096,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        assert_ne!(place, libc::MAP_FAILED);
        // SAFETY: page-aligned, zeroed, large enough, never unmapped, changed by atomics only.
        Self(unsafe { &*place.cast::<[AtomicU32; 256]>() })
    }

    pub fn get(self, index: usize) -> u32 {
        self.0[index].load(Ordering::SeqCst)
    }

    pub fn add(self, index: usize, number: u32) -> u32 {
        self.0[index].fetch_add(number, Ordering::SeqCst)
    }

    /// Raises a number to at least this.
    pub fn raise(self, index: usize, number: u32) {
        self.0[index].fetch_max(number, Ordering::SeqCst);
    }

    /// Counts this process, then waits until `all` are counted.
    pub fn meet(self, index: usize, all: u32) {
        self.add(index, 1);
        self.wait_for(index, all);
    }

    /// Waits until a number is at least this.
    pub fn wait_for(self, index: usize, number: u32) {
        while self.get(index) < number {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Sets a number.
    pub fn put(self, index: usize, number: u32) {
        self.0[index].store(number, Ordering::SeqCst);
    }
}
