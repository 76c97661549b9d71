//! Names whose targets are watched.
#![allow(unsafe_code, reason = "exported symbols, calls back")]
#![allow(non_camel_case_types, reason = "C names")]

use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;

use super::super::guard::guard;
use super::super::ptr;
use super::context::context;
use super::types::{self, kdns, kdns_error, kdns_target, kdns_watch};
use crate::client::{Target, Watch};

/// Is told what changed: targets that came, and targets that went. The first call has all that there are. Called out of
/// kdns_process(), or of kdns_resolve() and kdns_query(), without the context's lock; it may call everything. The arrays
/// are the library's, for the call.
pub type kdns_changed = Option<
    unsafe extern "C" fn(
        user: *mut c_void,
        added: *const kdns_target,
        added_count: usize,
        removed: *const kdns_target,
        removed_count: usize,
    ),
>;

/// Watches the targets of a URI, by any of its records as kdns_is_target() counts them, and keeps them fresh, as long as
/// kdns_process() is called. What fails, or has expired, is no change.
///
/// # Safety
/// `context` is NULL, or of kdns_open(); `uri` has `length` octets, or is NULL; `changed` may be called with `user` until
/// kdns_unwatch() or kdns_close() comes back; `watch` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kdns_watch(
    context: *mut kdns,
    uri: *const c_char,
    length: usize,
    changed: kdns_changed,
    user: *mut c_void,
    watch: *mut *mut kdns_watch,
) -> c_int {
    guard!(kdns_error::KDNS_E_DEFECT.code(), {
        if watch.is_null() || changed.is_none() {
            return kdns_error::KDNS_E_BAD_ARGUMENT.code();
        }
        // SAFETY: the contract is the caller's.
        match unsafe { begin(context, (uri, length), Callback { changed, user }) } {
            Ok(begun) => {
                let pointer = Arc::into_raw(begun).cast_mut().cast::<kdns_watch>();
                // SAFETY: writable by contract.
                unsafe { ptr::put(watch, pointer) };
                kdns_error::KDNS_OK.code()
            }
            Err(error) => error.code(),
        }
    })
}

/// The caller's function and its data.
struct Callback {
    changed: kdns_changed,
    user: *mut c_void,
}

// SAFETY: the caller says that the function may be called with the data, in whatever thread.
unsafe impl Send for Callback {}
// SAFETY: as above.
unsafe impl Sync for Callback {}

impl Callback {
    fn tell(&self, added: &[Target], removed: &[Target]) {
        let of = |targets: &[Target]| -> Vec<kdns_target> {
            let targets = targets.iter();
            targets
                .map(|target| kdns_target::of(target, false, false))
                .collect()
        };
        let (added, removed) = (of(added), of(removed));
        let Some(changed) = self.changed else { return };
        let (first, second) = (added.as_ptr(), removed.as_ptr());
        // SAFETY: the caller's function, with its data and lists that live during the call.
        unsafe { changed(self.user, first, added.len(), second, removed.len()) };
    }
}

/// # Safety
/// As [`kdns_watch()`].
unsafe fn begin(
    pointer: *mut kdns,
    (uri, length): (*const c_char, usize),
    callback: Callback,
) -> Result<Arc<Watch>, kdns_error> {
    // SAFETY: the contract is the caller's.
    let context = unsafe { context(pointer) }?;
    // SAFETY: the contract is the caller's.
    let to = unsafe { types::destination(uri, length) }?;
    // SAFETY: NULL is as good as any.
    let (terms, _) = unsafe { types::terms(std::ptr::null()) }.ok_or(kdns_error::KDNS_E_DEFECT)?;
    let tell = Box::new(move |added: &[Target], removed: &[Target]| callback.tell(added, removed));
    context
        .watch(to, terms.flags, tell)
        .map_err(kdns_error::from)
}

/// Ends a watch: nobody is told from here on. Waits for another thread that is in its function. NULL is no error.
///
/// # Safety
/// `watch` is NULL, or not given back yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kdns_unwatch(watch: *mut kdns_watch) {
    guard!((), {
        if watch.is_null() {
            return;
        }
        // SAFETY: of `Arc::into_raw()` by contract, and given back once.
        let watch = unsafe { Arc::from_raw(watch.cast_const().cast::<Watch>()) };
        if watch.is_ours() {
            watch.end();
        }
    })
}
