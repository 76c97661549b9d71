//! Words for loom, in the memory that the code takes them from.
//!
//! Loom's atomics are objects of their own, while the code that runs finds its words in a region, at addresses. So a
//! word here is as large as the real one, and loom's object for it is looked up by the address. A write also goes to
//! the place itself, where holders of entries read without atomics.
//!
//! Loom gets those words alone that can matter to it: words that a thread reaches without the writer lock while there
//! are several threads. Which these are is found out on the way: a word that nobody knew of ends nothing, but what was
//! tried until then does not count, and [`model`] begins anew. All others are read and written where they are.
//!
//! Who has the lock reads with a load of loom's what others change, too. Words that only holders of the lock change it
//! reads as `own!` says.
#![allow(unsafe_code, reason = "words at their addresses")]

use std::cell::{RefCell, UnsafeCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::atomic::AtomicUsize;

pub(crate) use loom::cell::UnsafeCell as Cell;
pub(crate) use loom::sync::atomic::Ordering;
pub(crate) use loom::thread::yield_now;
use loom::thread::{self, JoinHandle, ThreadId};

thread_local! {
    /// Loom runs all threads of a model in one thread of the system.
    static WORLD: RefCell<World> = const { RefCell::new(World::new()) };
}

/// Loom's object for a word.
#[derive(Clone)]
enum Object {
    U8(Rc<loom::sync::atomic::AtomicU8>),
    U32(Rc<loom::sync::atomic::AtomicU32>),
    U64(Rc<loom::sync::atomic::AtomicU64>),
}

struct World {
    /// Words that loom gets, with their sizes, and those that threads without the lock change.
    known: BTreeMap<usize, usize>,
    changed: BTreeSet<usize>,
    /// Words that this interleaving found, which no earlier one knew, and whether they are changed.
    found: BTreeMap<usize, (usize, bool)>,
    /// Of the interleaving that is being tried: words that are not zero any more, loom's objects, threads besides the
    /// first, and who has the lock.
    written: BTreeMap<usize, usize>,
    objects: BTreeMap<usize, Object>,
    threads: usize,
    holder: Option<ThreadId>,
}

/// How an access is carried out.
enum Access {
    /// The last value, which nobody else changes, or who does so is not known yet.
    Plain,
    Tried(Object),
}

impl World {
    const fn new() -> Self {
        Self {
            known: BTreeMap::new(),
            changed: BTreeSet::new(),
            found: BTreeMap::new(),
            written: BTreeMap::new(),
            objects: BTreeMap::new(),
            threads: 0,
            holder: None,
        }
    }

    /// Adds the words found to those known. Done between interleavings, for in the middle of one it would change what
    /// loom has tried.
    fn learn(&mut self) {
        for (place, (size, is_changed)) in std::mem::take(&mut self.found) {
            self.known.insert(place, size);
            if is_changed {
                self.changed.insert(place);
            }
        }
    }

    fn access(&mut self, place: usize, size: usize, changes: bool) -> Access {
        if self.threads == 0 {
            return Access::Plain;
        }
        let has_lock = self
            .holder
            .is_some_and(|holder| holder == thread::current().id());
        if !has_lock {
            let is_new = !self.known.contains_key(&place);
            let is_new_change = changes && !self.changed.contains(&place);
            if is_new || is_new_change {
                self.found.entry(place).or_insert((size, false)).1 |= changes;
            }
        }
        match self.objects.get(&place) {
            None => Access::Plain,
            Some(_) if has_lock && !changes && !self.changed.contains(&place) => Access::Plain,
            Some(object) => Access::Tried(object.clone()),
        }
    }
}

fn access(place: usize, size: usize, changes: bool) -> Access {
    WORLD.with_borrow_mut(|world| world.access(place, size, changes))
}

/// Defines an atomic type of the model.
macro_rules! word {
    ($name:ident, $int:ty, $object:ident) => {
        #[repr(transparent)]
        pub(crate) struct $name(UnsafeCell<$int>);

        // SAFETY: all threads of a model are one thread of the system.
        unsafe impl Sync for $name {}

        impl $name {
            pub(crate) const fn new(value: $int) -> Self {
                Self(UnsafeCell::new(value))
            }

            fn here(&self) -> $int {
                // SAFETY: no reference to the value is ever made.
                unsafe { *self.0.get() }
            }

            fn write(&self, value: $int) {
                let place = self.0.get();
                WORLD.with_borrow_mut(|world| {
                    world.written.insert(place as usize, size_of::<$int>());
                });
                // SAFETY: as above.
                unsafe { *place = value };
            }

            fn access(&self, changes: bool) -> Access {
                access(self.0.get() as usize, size_of::<$int>(), changes)
            }

            pub(crate) fn own(&self) -> $int {
                let place = self.0.get() as usize;
                let object = WORLD.with_borrow(|world| world.objects.get(&place).cloned());
                match object {
                    // SAFETY: loom panics when somebody else stores meanwhile.
                    Some(Object::$object(word)) => unsafe { word.unsync_load() },
                    _ => self.here(),
                }
            }

            pub(crate) fn load(&self, order: Ordering) -> $int {
                match self.access(false) {
                    Access::Tried(Object::$object(word)) => word.load(order),
                    _ => self.here(),
                }
            }

            pub(crate) fn store(&self, value: $int, order: Ordering) {
                if let Access::Tried(Object::$object(word)) = self.access(true) {
                    word.store(value, order);
                }
                self.write(value);
            }

            /// A change in one step, which reads the last value.
            fn change(
                &self,
                of_model: impl FnOnce(&loom::sync::atomic::$name) -> $int,
                new: impl FnOnce($int) -> $int,
            ) -> $int {
                let old = match self.access(true) {
                    Access::Tried(Object::$object(word)) => of_model(&word),
                    _ => self.here(),
                };
                self.write(new(old));
                old
            }

            pub(crate) fn swap(&self, value: $int, order: Ordering) -> $int {
                self.change(|word| word.swap(value, order), |_| value)
            }

            pub(crate) fn fetch_add(&self, value: $int, order: Ordering) -> $int {
                self.change(
                    |word| word.fetch_add(value, order),
                    |old| old.wrapping_add(value),
                )
            }

            pub(crate) fn fetch_sub(&self, value: $int, order: Ordering) -> $int {
                self.change(
                    |word| word.fetch_sub(value, order),
                    |old| old.wrapping_sub(value),
                )
            }

            pub(crate) fn fetch_and(&self, value: $int, order: Ordering) -> $int {
                self.change(|word| word.fetch_and(value, order), |old| old & value)
            }

            pub(crate) fn fetch_or(&self, value: $int, order: Ordering) -> $int {
                self.change(|word| word.fetch_or(value, order), |old| old | value)
            }

            pub(crate) fn fetch_update(
                &self,
                set: Ordering,
                fetch: Ordering,
                mut new: impl FnMut($int) -> Option<$int>,
            ) -> Result<$int, $int> {
                let mut old = self.load(fetch);
                while let Some(value) = new(old) {
                    match self.compare_exchange(old, value, set, fetch) {
                        Ok(old) => return Ok(old),
                        Err(seen) => old = seen,
                    }
                }
                Err(old)
            }

            pub(crate) fn compare_exchange(
                &self,
                old: $int,
                value: $int,
                set: Ordering,
                fetch: Ordering,
            ) -> Result<$int, $int> {
                let result = match self.access(true) {
                    Access::Tried(Object::$object(word)) => {
                        word.compare_exchange(old, value, set, fetch)
                    }
                    _ if self.here() == old => Ok(old),
                    _ => Err(self.here()),
                };
                if result.is_ok() {
                    self.write(value);
                }
                result
            }

            pub(crate) fn compare_exchange_weak(
                &self,
                old: $int,
                value: $int,
                set: Ordering,
                fetch: Ordering,
            ) -> Result<$int, $int> {
                self.compare_exchange(old, value, set, fetch)
            }
        }
    };
}

pub(crate) fn fence(order: Ordering) {
    if WORLD.with_borrow(|world| world.threads > 0) {
        loom::sync::atomic::fence(order);
    }
}

word!(AtomicU8, u8, U8);
word!(AtomicU32, u32, U32);
word!(AtomicU64, u64, U64);

/// Zeroed memory that is the same in each interleaving.
pub(crate) fn zeroed(octets: usize) -> *mut u8 {
    const PAGE: usize = 4096;
    let layout = std::alloc::Layout::from_size_align(octets.max(1), PAGE).unwrap();
    // SAFETY: of a size that is not 0.
    unsafe { std::alloc::alloc_zeroed(layout) }
}

/// Makes words zero, each by itself, as the kernel does that takes pages back.
pub(crate) fn empty(start: usize, octets: usize) -> bool {
    let written = WORLD.with_borrow(|world| {
        let written = world.written.range(start..start + octets);
        written
            .map(|(&place, &size)| (place, size))
            .collect::<Vec<_>>()
    });
    for (place, size) in written {
        // SAFETY: there is a word of this size.
        match size {
            1 => unsafe { &*(place as *const AtomicU8) }.store(0, Ordering::Relaxed),
            // SAFETY: as above.
            4 => unsafe { &*(place as *const AtomicU32) }.store(0, Ordering::Relaxed),
            // SAFETY: as above.
            _ => unsafe { &*(place as *const AtomicU64) }.store(0, Ordering::Relaxed),
        }
    }
    true
}

/// The one place of a type in a model, all zero when an interleaving begins.
pub(crate) fn place<T: Send + Sync + 'static>() -> &'static T {
    thread_local! {
        static PLACES: RefCell<BTreeMap<std::any::TypeId, usize>> = const { RefCell::new(BTreeMap::new()) };
    }
    let id = std::any::TypeId::of::<T>();
    let place = PLACES.with_borrow_mut(|places| {
        *places
            .entry(id)
            .or_insert_with(|| zeroed(size_of::<T>()) as usize)
    });
    // SAFETY: never freed; types of models consist of words, which may all be zero.
    unsafe { &*(place as *const T) }
}

/// Says of a word, before a model runs, that threads reach it: for models that loom must not see without it.
pub(crate) fn know<Word>(word: &Word) {
    let place = std::ptr::from_ref(word) as usize;
    WORLD.with_borrow_mut(|world| {
        world.known.insert(place, size_of::<Word>());
        world.changed.insert(place);
    });
}

/// The lock was taken by this thread of the model, or given back.
pub(crate) fn note_lock(is_taken: bool) {
    WORLD.with_borrow_mut(|world| {
        world.holder = (is_taken && world.threads > 0).then(|| thread::current().id());
    });
}

/// A thread of a model.
pub(crate) struct Joined<T>(JoinHandle<T>);

impl<T> Joined<T> {
    pub(crate) fn join(self) -> T {
        let result = self.0.join().unwrap();
        WORLD.with_borrow_mut(|world| world.threads -= 1);
        result
    }
}

/// Begins a thread of a model. When the first one begins, what is there becomes the first value of each word.
pub(crate) fn spawn<T: 'static>(body: impl FnOnce() -> T + 'static) -> Joined<T> {
    let known = WORLD.with_borrow_mut(|world| {
        world.threads += 1;
        (world.threads == 1).then(|| world.known.clone())
    });
    let objects = known.map(|known| known.into_iter().map(object).collect());
    if let Some(objects) = objects {
        WORLD.with_borrow_mut(|world| world.objects = objects);
    }
    Joined(thread::spawn(body))
}

fn object((place, size): (usize, usize)) -> (usize, Object) {
    // SAFETY: a word of this size, as it was found before.
    let object = match size {
        1 => Object::U8(Rc::new(loom::sync::atomic::AtomicU8::new(unsafe {
            *(place as *const u8)
        }))),
        // SAFETY: as above.
        4 => Object::U32(Rc::new(loom::sync::atomic::AtomicU32::new(unsafe {
            *(place as *const u32)
        }))),
        // SAFETY: as above.
        _ => Object::U64(Rc::new(loom::sync::atomic::AtomicU64::new(unsafe {
            *(place as *const u64)
        }))),
    };
    (place, object)
}

/// An interleaving begins.
fn begin() {
    let written = WORLD.with_borrow_mut(|world| {
        world.objects.clear();
        (world.threads, world.holder) = (0, None);
        std::mem::take(&mut world.written)
    });
    for (place, size) in written {
        // SAFETY: a word of this size was written there, of which there are no references to the value.
        unsafe { std::ptr::write_bytes(place as *mut u8, 0, size) };
    }
}

/// Runs a model in all its interleavings in which a thread that could go on has to stop twice at the most, of which
/// there must be several: a model that loom does not get into shows nothing.
pub(crate) fn model(body: impl Fn() + Send + Sync + 'static) {
    model_within(2, body);
}

/// As [`model`], for models with many steps, with so many stops.
pub(crate) fn model_within(stops: usize, body: impl Fn() + Send + Sync + 'static) {
    if std::env::var_os(super::super::mutation::VARIABLE).is_some() {
        // The first model that fails shows the mistake, so the process ends there.
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |about| {
            // Loom ends its threads in this way, too.
            if about.payload_as_str().is_some() {
                usual(about);
                std::process::exit(101);
            }
        }));
    }
    let body = std::sync::Arc::new(body);
    // Few interleavings find most of the words.
    for most in [Some(1), Some(1), Some(200), None, None, None] {
        let runs = std::sync::Arc::new(AtomicUsize::new(0));
        WORLD.with_borrow_mut(World::learn);
        let mut builder = loom::model::Builder::new();
        builder.max_branches = 50_000;
        // LOOM_MAX_PREEMPTIONS has more tried, in much more time.
        builder.preemption_bound = builder.preemption_bound.max(Some(stops));
        builder.max_permutations = most;
        builder.checkpoint_interval = most.map_or(usize::MAX, |most| most);
        let (counter, body) = (runs.clone(), body.clone());
        builder.check(move || {
            counter.fetch_add(1, Ordering::Relaxed);
            begin();
            body();
        });
        if most.is_none() && WORLD.with_borrow(|world| world.found.is_empty()) {
            let runs = runs.load(Ordering::Relaxed);
            assert!(runs > 1, "only one interleaving was tried");
            println!("{runs} interleavings");
            return;
        }
    }
    panic!("words were found again and again");
}
