//! The models of `make loom` under Miri: threads of the system on the real atomics, run once in the order, and with the
//! stale values, that Miri draws from its seed. `make miri` gives it many seeds. A model finds here what
//! `sync_model.rs` gives it for loom.
#![allow(unsafe_code, reason = "words at their addresses")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ptr::NonNull;
use std::thread::JoinHandle;

pub(crate) use std::thread::yield_now;

pub(crate) fn model(body: impl Fn() + Send + Sync + 'static) {
    PLACES.with_borrow_mut(BTreeMap::clear);
    body();
}

pub(crate) fn model_within(_stops: usize, body: impl Fn() + Send + Sync + 'static) {
    model(body);
}

thread_local! {
    static PLACES: RefCell<BTreeMap<std::any::TypeId, NonNull<u8>>> = const { RefCell::new(BTreeMap::new()) };
}

/// The one place of a type in a model, all zero when it begins.
pub(crate) fn place<T: Send + Sync + 'static>() -> &'static T {
    let id = std::any::TypeId::of::<T>();
    let place = PLACES.with_borrow_mut(|places| {
        let new = || super::system::map(size_of::<T>(), false).unwrap();
        *places.entry(id).or_insert_with(new)
    });
    // SAFETY: never freed; types of models consist of words, which may all be zero.
    unsafe { place.cast::<T>().as_ref() }
}

/// Nothing has to be said of a word.
pub(crate) fn know<Word>(_word: &Word) {}

/// A thread of a model.
pub(crate) struct Joined<T>(JoinHandle<T>);

impl<T> Joined<T> {
    pub(crate) fn join(self) -> T {
        self.0.join().unwrap()
    }
}

pub(crate) fn spawn<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> Joined<T> {
    Joined(std::thread::spawn(body))
}

/// Memory without atomics: Miri tells when two are at it.
pub(crate) struct Cell<T>(std::cell::UnsafeCell<T>);

impl<T> Cell<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    pub(crate) fn with<R>(&self, act: impl FnOnce(*const T) -> R) -> R {
        act(self.0.get())
    }

    pub(crate) fn with_mut<R>(&self, act: impl FnOnce(*mut T) -> R) -> R {
        act(self.0.get())
    }
}
