//! The resolver of libc, which has a state of its own for each thread (`_res`), and the options that apply to it, too.
//!
//! Without the cache libc finds hosts, and modules may call it at any time. The original writes its options into that
//! state (`_resolv_init()`), and so does this.
#![allow(unsafe_code, reason = "state of libc")]
#![allow(non_camel_case_types, reason = "name fixed by the C interface")]

use std::cell::Cell;
use std::ffi::{c_char, c_int, c_ulong, c_ushort};
use std::fs::{File, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;

use super::options::{self, Opt};

/// The file that libc reads, whatever options say.
const FILE: &str = "/etc/resolv.conf";

/// libc's resolver state.
#[repr(C)]
#[derive(Debug)]
pub struct __res_state {
    /// Time-out of the first attempt, s.
    retrans: c_int,
    /// Attempts.
    retry: c_int,
    options: c_ulong,
    /// Number of servers.
    nscount: c_int,
    _servers: [libc::sockaddr_in; 3],
    _id: c_ushort,
    /// The search list, NULL-terminated.
    pub dnsrch: [*mut c_char; 7],
}

/// The values of options that go before the file's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Wanted {
    timeout_s: Option<c_int>,
    attempts: Option<c_int>,
    servers: Option<c_int>,
    never_searches: bool,
}

impl Wanted {
    fn read() -> Self {
        let positive = |opt| Some(options::int(opt)).filter(|&value| value > 0);
        Self {
            timeout_s: positive(Opt::RetrTime),
            attempts: positive(Opt::RetrNo),
            servers: Some(options::int(Opt::ServersNo)).filter(|&count| count >= 0),
            never_searches: !options::on(Opt::UseSearchList),
        }
    }

    /// Takes back what was written: `res_init()` keeps what it finds.
    #[cfg_attr(
        target_env = "musl",
        allow(dead_code, reason = "its resolver has no state")
    )]
    fn take_back(self, state: &mut __res_state) {
        if self.timeout_s.is_some() {
            state.retrans = 0;
        }
        if self.attempts.is_some() {
            state.retry = 0;
        }
        if self.never_searches {
            state.options |= libc_own::DEFNAMES | libc_own::DNSRCH;
        }
    }

    #[cfg_attr(
        target_env = "musl",
        allow(dead_code, reason = "its resolver has no state")
    )]
    fn write(self, state: &mut __res_state) {
        state.retrans = self.timeout_s.unwrap_or(state.retrans);
        state.retry = self.attempts.unwrap_or(state.retry);
        let servers = self.servers.unwrap_or(state.nscount);
        state.nscount = state.nscount.min(servers);
        if self.never_searches {
            state.options &= !(libc_own::DEFNAMES | libc_own::DNSRCH);
        }
    }
}

/// The marks by which another file is known.
type Stamp = Option<(u64, u64, i64, i64, i64, i64)>;

fn stamp() -> Stamp {
    let of = |file: Metadata| {
        let (modified, changed) = (
            (file.mtime(), file.mtime_nsec()),
            (file.ctime(), file.ctime_nsec()),
        );
        (
            file.dev(),
            file.ino(),
            modified.0,
            modified.1,
            changed.0,
            changed.1,
        )
    };
    std::fs::metadata(FILE).ok().map(of)
}

thread_local! {
    /// The values that this thread's state was made of; a child goes on with those of its parent.
    static MADE_OF: Cell<Option<(Wanted, Stamp)>> = const { Cell::new(None) };
}

/// Has libc, in this thread, go by the options. Once something is written into its state, libc does not look at its
/// file any more: so that is done here.
pub(crate) fn follow() {
    if MADE_OF.get().is_some() || Wanted::read() != Wanted::default() {
        follow_file();
    }
}

/// As [`follow`], whether anything is written into the state or not.
fn follow_file() {
    let wanted = Wanted::read();
    let before = MADE_OF.get();
    let now = (wanted, stamp());
    if before == Some(now) {
        return;
    }
    MADE_OF.set(Some(now));
    // A process that may not read the file any more goes on with what was read when that was allowed.
    let is_forbidden = File::open(FILE).is_err_and(|e| e.kind() == ErrorKind::PermissionDenied);
    let before = before.map_or_else(Wanted::default, |(wanted, _)| wanted);
    libc_own::write(wanted, before, !is_forbidden);
}

/// As [`follow`], and reads the file in any case.
pub(crate) fn reload() {
    if let Some((wanted, _)) = MADE_OF.get() {
        MADE_OF.set(Some((wanted, None)));
    }
    follow();
}

/// While it lives, libc's search list completes no name of this thread.
#[derive(Debug)]
pub(crate) struct WithoutList(c_ulong);

/// Has libc, in this thread, ask for names as they are.
pub(crate) fn without_list() -> WithoutList {
    // Libc does not look at its file while its state differs from what it has read.
    follow_file();
    WithoutList(libc_own::set_search(0))
}

impl Drop for WithoutList {
    fn drop(&mut self) {
        libc_own::set_search(self.0);
    }
}

#[cfg(not(target_env = "musl"))]
mod libc_own {
    use std::ffi::c_ulong;

    use super::{__res_state, Wanted};
    use crate::host::hooks;

    // <resolv.h>
    const INIT: c_ulong = 0x1;
    pub(super) const DEFNAMES: c_ulong = 0x80;
    pub(super) const DNSRCH: c_ulong = 0x200;

    unsafe extern "C" {
        #[link_name = "__res_state"]
        fn state_of_thread() -> *mut __res_state;
    }

    /// Sets the bits that have names completed; gives those that were set before.
    pub(super) fn set_search(bits: c_ulong) -> c_ulong {
        // SAFETY: always safe to call.
        let state = unsafe { state_of_thread() };
        // SAFETY: this thread's state, which lives as long as the thread; libc touches it only in calls of this thread.
        let options = unsafe { &mut (*state).options };
        let before = *options & (DEFNAMES | DNSRCH);
        *options = *options & !(DEFNAMES | DNSRCH) | bits;
        before
    }

    pub(super) fn write(wanted: Wanted, before: Wanted, anew: bool) {
        // SAFETY: always safe to call.
        let state = unsafe { state_of_thread() };
        // SAFETY: this thread's state, which lives as long as the thread; libc touches it only in calls of this thread.
        let is_made = unsafe { &*state }.options & INIT != 0;
        if anew || !is_made {
            // SAFETY: as above.
            before.take_back(unsafe { &mut *state });
            hooks::init_libc();
        }
        // SAFETY: as above; the call before is over.
        wanted.write(unsafe { &mut *state });
    }
}

#[cfg(target_env = "musl")]
mod libc_own {
    //! musl's resolver has no state that anybody could write into.
    use std::ffi::c_ulong;

    pub(super) const DEFNAMES: c_ulong = 0;
    pub(super) const DNSRCH: c_ulong = 0;

    pub(super) fn write(_wanted: super::Wanted, _before: super::Wanted, _anew: bool) {}

    pub(super) fn set_search(bits: c_ulong) -> c_ulong {
        bits
    }
}
