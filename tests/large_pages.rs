//! A kernel with pages of 64 KiB, as some of arm64 have: memory that is given back must not take its neighbours along.
#![cfg(all(feature = "use_dns_cache", target_env = "gnu"))]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    unsafe_code,
    reason = "test code; a failure ends the test. It puts functions of its own in the place of the system's"
)]

mod support;

use std::ffi::{CStr, c_int, c_long, c_void};

use kamailio_dns::cache::{Cache, EntryRef, Seen, Setting};
use kamailio_dns::host::clock;
use kamailio_dns::rr::RecordType;
use support::set::{self, Set};

const KERNEL_PAGE: usize = 1 << 16;
const NAMES: u32 = 4000;

/// The system's function of a name.
fn real(name: &CStr) -> *mut c_void {
    // SAFETY: a text that ends with NUL.
    let found = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
    assert!(!found.is_null());
    found
}

/// In the system's place: as a kernel with large pages, which wants to begin at one, and takes whole ones.
#[unsafe(no_mangle)]
extern "C" fn madvise(start: *mut c_void, octets: usize, advice: c_int) -> c_int {
    type Madvise = unsafe extern "C" fn(*mut c_void, usize, c_int) -> c_int;
    // SAFETY: the system's function of that name has this type.
    let real = unsafe { std::mem::transmute::<*mut c_void, Madvise>(real(c"madvise")) };
    if advice != libc::MADV_REMOVE {
        // SAFETY: as the caller says.
        return unsafe { real(start, octets, advice) };
    }
    if !(start as usize).is_multiple_of(KERNEL_PAGE) {
        return -1;
    }
    // SAFETY: as the caller says, but for what the kernel takes besides.
    unsafe { real(start, octets.next_multiple_of(KERNEL_PAGE), advice) }
}

#[unsafe(no_mangle)]
extern "C" fn sysconf(what: c_int) -> c_long {
    type Sysconf = unsafe extern "C" fn(c_int) -> c_long;
    if what == libc::_SC_PAGESIZE {
        return KERNEL_PAGE as c_long;
    }
    // SAFETY: the system's function of that name has this type.
    let real = unsafe { std::mem::transmute::<*mut c_void, Sysconf>(real(c"sysconf")) };
    // SAFETY: takes a number.
    unsafe { real(what) }
}

/// A name's only address, for good.
fn put(cache: &Cache, name: u32) -> EntryRef {
    let set = Set::of(format!("n{name}.example"), RecordType::A).record(3600, set::a(1));
    set.permanent(true).put(cache, clock::now_ticks()).unwrap()
}

fn is_there(cache: &Cache, name: u32) -> bool {
    let text = format!("n{name}.example");
    let qname = cache.hashed(text.as_bytes());
    let seen = cache.first_address(&qname, RecordType::A, clock::now_ticks());
    matches!(seen, Seen::Found(_))
}

/// Some pages become empty between others, and the cache becomes smaller, so that they are given back.
#[test]
fn what_lies_beside_is_not_taken_along() {
    let cache = Cache::for_tests(8 << 20, true).unwrap();
    let entries: Vec<_> = (0..NAMES).map(|name| put(cache, name)).collect();
    // More than fit into a page, so that there are whole ones.
    let goes = |name: u32| (name / 64).is_multiple_of(2);
    for (name, entry) in (0..).zip(entries) {
        assert!(!goes(name) || cache.remove(&entry));
    }
    let before = cache.usage().used;
    cache.set_for_tests(Setting::Limit(1 << 20));
    cache.collect_garbage(clock::now_ticks());
    assert!(cache.usage().used < before);
    for name in 0..NAMES {
        assert_eq!(is_there(cache, name), !goes(name), "{name}");
    }
}
