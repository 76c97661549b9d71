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

/// Gets the changes: targets that came, and targets that went. The first call has all targets that there are. The
/// library calls the function out of kdns_process(), or of kdns_resolve() and kdns_query(), without the context's lock;
/// the function may call everything. The arrays are valid during the call; their elements are of the size that
/// kdns_watch() was given.
pub type kdns_changed = Option<
    unsafe extern "C" fn(
        user: *mut c_void,
        added: *const kdns_target,
        added_count: usize,
        removed: *const kdns_target,
        removed_count: usize,
    ),
>;

/// Watches the targets of a URI, by any of its records as kdns_is_target() counts them, and keeps them fresh, as long
/// as kdns_process() is called. A failure, or an expired record, is no change. `size` is sizeof(struct kdns_target).
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
    size: usize,
    user: *mut c_void,
    watch: *mut *mut kdns_watch,
) -> c_int {
    guard!(kdns_error::KDNS_E_DEFECT.code(), {
        let is_size = (1..=MAX_SIZE).contains(&size) && size.is_multiple_of(ALIGNMENT);
        if watch.is_null() || changed.is_none() || !is_size {
            return kdns_error::KDNS_E_BAD_ARGUMENT.code();
        }
        let callback = Callback {
            changed,
            size,
            user,
        };
        // SAFETY: the contract is the caller's.
        match unsafe { begin(context, (uri, length), callback) } {
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

/// The size of a target is a multiple of this.
const ALIGNMENT: usize = align_of::<kdns_target>();
/// A target of more octets is a mistake of the caller's.
const MAX_SIZE: usize = 65_536;

/// The caller's function and its data.
struct Callback {
    changed: kdns_changed,
    /// Of a target, as the caller was built.
    size: usize,
    user: *mut c_void,
}

// SAFETY: the caller says that the function may be called with the data, in whatever thread.
unsafe impl Send for Callback {}
// SAFETY: as above.
unsafe impl Sync for Callback {}

impl Callback {
    fn tell(&self, added: &[Target], removed: &[Target]) {
        let Some(changed) = self.changed else { return };
        let (came, went) = (self.array(added), self.array(removed));
        let (first, second) = (came.as_ptr().cast(), went.as_ptr().cast());
        // SAFETY: the caller's function, with its data and lists that live during the call.
        unsafe { changed(self.user, first, added.len(), second, removed.len()) };
    }

    /// Targets, one behind the other, each as long as the caller's are.
    fn array(&self, targets: &[Target]) -> Vec<u64> {
        const { assert!(align_of::<kdns_target>() <= align_of::<u64>()) };
        let mut room = vec![0_u64; (self.size * targets.len()).div_ceil(size_of::<u64>())];
        let start = room.as_mut_ptr().cast::<u8>();
        for (index, target) in targets.iter().enumerate() {
            // SAFETY: there is room for all.
            let place = unsafe { start.add(index * self.size) };
            let target = kdns_target::of(target, false, false);
            // SAFETY: the place has so many octets.
            unsafe { types::put(place.cast::<kdns_target>(), self.size, &target) };
        }
        room
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

/// Ends a watch: nobody is told from here on. Waits for another thread that is in the watch's function, so two
/// functions must not end the watches of one another. NULL is no error.
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
