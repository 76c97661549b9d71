//! `dns_func`: the four resolver functions that a module may swap (`load_dnsfunc()`).
#![allow(unsafe_code, reason = "exported symbol, C function pointers")]
#![allow(non_upper_case_globals, reason = "name fixed by the C interface")]

use std::ffi::{c_char, c_int, c_uchar};

/// `struct dns_func_t`: NULL members are never called.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "C names")]
pub struct dns_func_t {
    /// Re-reads the resolver configuration; 0 on success.
    pub sr_res_init: Option<unsafe extern "C" fn() -> c_int>,
    /// Name, class, type, answer buffer, its size; length of the answer or negative.
    pub sr_res_search:
        Option<unsafe extern "C" fn(*const c_char, c_int, c_int, *mut c_uchar, c_int) -> c_int>,
    /// IPv4 addresses of a name.
    pub sr_gethostbyname: Option<unsafe extern "C" fn(*const c_char) -> *mut libc::hostent>,
    /// Addresses of one family of a name.
    pub sr_gethostbyname2: Option<unsafe extern "C" fn(*const c_char, c_int) -> *mut libc::hostent>,
}

mod libc_resolver {
    use std::ffi::{c_char, c_int, c_uchar};
    #[link(name = "resolv")]
    unsafe extern "C" {
        // musl has no second name for it.
        #[cfg_attr(target_env = "musl", link_name = "res_init")]
        #[cfg_attr(not(target_env = "musl"), link_name = "__res_init")]
        pub(super) fn res_init() -> c_int;
        #[link_name = "res_search"]
        pub(super) fn res_search(
            name: *const c_char,
            class: c_int,
            rtype: c_int,
            answer: *mut c_uchar,
            size: c_int,
        ) -> c_int;
    }
    unsafe extern "C" {
        pub(super) fn gethostbyname(name: *const c_char) -> *mut libc::hostent;
        pub(super) fn gethostbyname2(name: *const c_char, family: c_int) -> *mut libc::hostent;
    }
}

/// The exported table. Written only by `load_dnsfunc()` and by C code that owns the process.
#[unsafe(no_mangle)]
pub static mut dns_func: dns_func_t = dns_func_t {
    sr_res_init: Some(libc_resolver::res_init),
    sr_res_search: Some(libc_resolver::res_search),
    sr_gethostbyname: Some(libc_resolver::gethostbyname),
    sr_gethostbyname2: Some(libc_resolver::gethostbyname2),
};

/// A copy of the current table.
#[must_use]
pub fn current() -> dns_func_t {
    let table = &raw const dns_func;
    // SAFETY: the table is a static of plain words; the C side replaces it only during start-up
    // (mod_init), before other threads or processes exist, so the read cannot tear.
    unsafe { table.read() }
}

/// Replaces the table.
pub fn replace(table: dns_func_t) {
    let place = &raw mut dns_func;
    // SAFETY: as for `current()`; the caller is `load_dnsfunc()`, called during start-up.
    unsafe { place.write(table) };
}

/// The search function, if it is not libc's own: then queries must go through it.
#[must_use]
pub fn swapped_search()
-> Option<unsafe extern "C" fn(*const c_char, c_int, c_int, *mut c_uchar, c_int) -> c_int> {
    let search = current().sr_res_search?;
    (search as usize != libc_resolver::res_search as *const () as usize).then_some(search)
}

/// Has libc read its resolver configuration, for this thread.
#[cfg(not(target_env = "musl"))]
pub(super) fn init_libc() {
    // SAFETY: always safe to call; it writes this thread's state alone.
    let result = unsafe { libc_resolver::res_init() };
    if result < 0 {
        crate::log!(super::log::Level::Err, "libc's res_init() failed: {result}");
    }
}

/// True while host names would be asked for with libc's own functions.
#[must_use]
pub fn hosts_by_libc() -> bool {
    let own = libc_resolver::gethostbyname as *const () as usize;
    current()
        .sr_gethostbyname
        .is_some_and(|function| function as usize == own)
}

/// The init function, if it is not libc's own.
#[must_use]
pub fn swapped_init() -> Option<unsafe extern "C" fn() -> c_int> {
    let init = current().sr_res_init?;
    (init as usize != libc_resolver::res_init as *const () as usize).then_some(init)
}
