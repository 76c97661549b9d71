//! The DNS cache in memory shared by forked processes.
//!
//! Readers take no lock; writers take one robust lock ([`crate::shm`]). Entries never change once
//! published: a change is a new entry in the old one's place. An entry that was taken out lives until
//! its last holder lets go.
#![allow(
    unsafe_code,
    reason = "marks types as fit for shared memory, and one static pointer"
)]

mod admission;
#[cfg(feature = "fault_injection")]
mod audit;
mod collect;
mod copy;
mod draft;
pub mod due;
mod entry;
mod evict;
mod fill;
mod hash;
mod image;
mod layout;
#[cfg(all(test, not(loom)))]
mod limit_tests;
mod link;
#[cfg(all(test, loom))]
mod loom_mistakes;
#[cfg(all(test, any(loom, miri)))]
pub(crate) mod loom_tests;
mod naptr;
mod order;
pub(crate) mod owners;
mod peek;
mod policy;
mod presence;
mod read;
mod records;
mod recover;
mod reserve;
mod resize;
mod scope;
#[cfg(test)]
#[allow(dead_code, unreachable_pub, reason = "shared with the test programs")]
#[allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]
#[path = "../../tests/support/set.rs"]
mod set;
// The name that the builders in `set` use.
#[cfg(test)]
use crate as library;
mod share;
mod srv;
mod table;
mod tables;
#[cfg(all(test, not(loom)))]
mod tests;
mod view;
mod write;

use std::sync::atomic::AtomicPtr;

use once_cell::sync::OnceCell;
use parking_lot::RwLock;

use crate::host::log::Level;
use crate::host::options::{self, ExtraOpt, Opt};
use crate::host::random;
use crate::rr::PlainIp;
use crate::shm::lock::RawShmMutex;
use crate::shm::pages::{CLASSES, MAX_BLOCK, PageControl, Pages};
use crate::shm::region::{PAGE_BYTES, Region, ShmSafe};
use crate::shm::robust;
use crate::shm::sync::{AtomicU32, AtomicU64, Ordering};
pub(crate) use crate::shm::{claim, crowd};

#[cfg(feature = "fault_injection")]
pub use audit::Audit;
pub use copy::HostCopy;
pub use draft::{Conflict, Draft, DraftData, DraftRecord, InsertError};
pub use entry::{EntryRef, NegativeKind};
use hash::NameHash;
pub use naptr::NaptrFields;
pub use peek::Peek;
#[cfg(feature = "testing")]
use policy::FixedPolicy;
use policy::Policy;
#[cfg(feature = "testing")]
pub use policy::Setting;
pub use presence::{Presence, Vacancy};
pub use records::RecordView;
pub use scope::{HashedName, LOOK_MS, ListId, Mark, Place, watch_list};
pub use srv::SrvPlace;
use table::{Bucket, Table};
use tables::{TableWord, Tables};

/// The result of a look at a name and type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen<T> {
    /// Live records.
    Found(T),
    /// A live negative entry.
    Negative(NegativeKind),
    /// The name has no such entry but is an alias; look at the CNAME entry.
    Alias,
    /// Nothing live is cached under the name and type.
    Miss,
}

/// The first live address of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstAddress {
    /// The address.
    pub address: PlainIp,
    /// The set has no other record, live or expired.
    pub alone: bool,
}

/// Memory figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Octets allocated: pages, page records, table and control block.
    pub used: usize,
    /// `dns_cache_mem`, octets.
    pub limit: usize,
    /// Linked entries.
    pub entries: usize,
}

/// Why the cache could not be set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitError {
    /// The kernel refused the memory.
    OutOfMemory,
    /// A process-shared robust lock could not be made.
    Lock,
}

/// The control block at the start of the region.
#[repr(C)]
struct Header {
    /// The table in use, a [`TableWord`].
    table: AtomicU64,
    /// Beside what every look reads, too.
    scopes: scope::Scopes,
    /// The table that is being filled, a [`TableWord`]; 0 = none.
    next_table: AtomicU64,
    /// Octets of the table that went out of use which still hold memory.
    old_octets: AtomicU64,
    /// Octets of the blocks of linked negative entries.
    negative_octets: AtomicU64,
    /// Buckets of the table in use that `next_table` has, too.
    moved: AtomicU32,
    /// Where scans over all pages go on, page number.
    scan_hand: AtomicU32,
    /// Pages in a row on which a lowered limit found nothing to evict.
    fruitless: AtomicU32,
    /// Linked entries.
    entries: AtomicU32,
    /// Counts repairs after the death of a writer.
    repairs: AtomicU32,
    /// The memory limit that the table was sized for, octets.
    sized_for: AtomicU64,
    lock: RawShmMutex,
    pages: PageControl,
    /// For each size class the tick at which it was found that nothing may be evicted; see `evict`.
    full: [AtomicU32; CLASSES],
    reserve: reserve::Reserve,
    admission: admission::Admission,
    #[cfg(feature = "testing")]
    fixed: FixedPolicy,
    /// Longest hold of the writer lock, ns of processor time.
    #[cfg(feature = "fault_injection")]
    longest_hold: AtomicU64,
}

// SAFETY: repr(C); atomics, and a lock that is initialised in place before anyone else sees it.
unsafe impl ShmSafe for Header {}

const HEADER_BYTES: usize = size_of::<Header>().next_multiple_of(PAGE_BYTES);
/// Octets of memory limit for each place in the table. The smallest entries have 80, so that a fifth of the places
/// stays free: with less a name may find all the buckets full that are searched for it.
const BYTES_PER_PLACE: usize = 72;
/// Below this nothing is gained by asking for less memory.
const LEAST_LIMIT: usize = 64 << 10;
const MIN_BUCKETS: usize = 16;
/// Entries that only calls in progress hold may use this much even when `dns_cache_mem` is smaller.
const PRIVATE_FLOOR: usize = 4 << 20;

/// The cache of this process tree. Made before fork, used by all.
pub struct Cache {
    region: Region,
    header: &'static Header,
    pages: Pages,
    areas: [&'static [Bucket]; 2],
    key: [u64; 4],
    policy: Policy,
    /// Highest limit that there is room for, octets.
    ceiling: usize,
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache")
            .field("usage", &self.usage())
            .finish_non_exhaustive()
    }
}

static CACHE: OnceCell<&'static Cache> = OnceCell::new();
/// The result of [`Cache::instance`]: [`CACHE`] once made, null before and after [`Cache::destroy`].
static ACTIVE: AtomicPtr<Cache> = AtomicPtr::new(std::ptr::null_mut());
/// Every cache of this process, so that a released entry finds its own.
static ALL: RwLock<Vec<&'static Cache>> = RwLock::new(Vec::new());

/// Tells the cache that owns the address that a block became free.
fn hint_freed(address: usize) {
    // Recursive, for in models this thread may be several.
    for cache in ALL.read_recursive().iter() {
        if let Some(block) = cache.pages.block_at(address) {
            cache.pages.hint_freed(block);
        }
    }
}

fn buckets_for(limit: usize) -> usize {
    (limit / (BYTES_PER_PLACE * table::PLACES)).max(MIN_BUCKETS)
}

/// Limits to reserve memory for, octets, the best first: the larger of the two, then half of it and so on down to what was
/// asked for, then half of that and so on.
///
/// No more than was asked for is reserved: mlockall() makes memory of all that is reserved. Limits on address space or
/// locked memory, or strict overcommit, may refuse even that. Halves leave the rest of the program room there.
fn sizes_to_try(asked: usize, most: usize) -> impl Iterator<Item = usize> {
    let halves = |from: usize| {
        std::iter::successors(Some(from), |size| (*size > LEAST_LIMIT).then_some(size / 2))
    };
    halves(most)
        .take_while(move |size| *size > asked)
        .chain(halves(asked))
}

impl Cache {
    /// Maps the region; to be called before fork, by `init_dns_cache()`.
    ///
    /// A second call is no error and keeps the content; after [`Self::destroy`] the cache is back, empty.
    ///
    /// # Errors
    /// Says what the kernel refused.
    pub fn init() -> Result<&'static Self, InitError> {
        let cache = *CACHE.get_or_try_init(|| {
            let cache = Self::create(Policy::Options)?;
            options::set_cache_ceiling(cache.ceiling as u64);
            let asked = options::raw(Opt::CacheMem) as usize;
            let most = Self::most(Policy::Options);
            if asked > cache.ceiling {
                crate::log!(
                    Level::Warn,
                    "{} KiB cannot be had for the DNS cache (dns_cache_mem): {} KiB are in force",
                    asked / 1024,
                    cache.ceiling / 1024
                );
            } else if most > cache.ceiling {
                crate::log!(
                    Level::Warn,
                    "{} KiB cannot be had for the DNS cache (dns_cache_mem_max): dns_cache_mem can be raised to {} KiB",
                    most / 1024,
                    cache.ceiling / 1024
                );
            }
            if !robust::locks_outlive_owners() {
                crate::log!(
                    Level::Warn,
                    "this system does not pass on the lock of a process that was killed: if that happens while the process changes the DNS cache, all others wait for it for ever"
                );
            }
            Ok(cache)
        })?;
        let active = std::ptr::from_ref(cache).cast_mut();
        if ACTIVE.swap(active, Ordering::AcqRel).is_null() {
            cache.flush(true);
        }
        Ok(cache)
    }

    /// The cache, if `init` succeeded in this process or a parent (and `destroy` did not follow).
    #[must_use]
    #[inline]
    pub fn instance() -> Option<&'static Self> {
        // SYNC: pairs with the swap in `init`.
        let active = ACTIVE.load(Ordering::Acquire);
        // SAFETY: null, or the cache that `init` leaked: it lives as long as the process.
        unsafe { active.as_ref() }
    }

    /// Drops the cache of this process: `instance` gives `None` from here on. Memory stays mapped, so
    /// handles that are still held stay valid.
    pub fn destroy() {
        ACTIVE.store(std::ptr::null_mut(), Ordering::Release);
    }

    /// A cache of its own with fixed limits, for tests and benches, which is never unmapped.
    ///
    /// # Errors
    /// As [`Self::init`].
    #[cfg(feature = "testing")]
    pub fn for_tests(limit: usize, del_nonexp: bool) -> Result<&'static Self, InitError> {
        let cache = Self::create(Policy::Fixed(limit))?;
        cache.set_for_tests(Setting::DelNonexp(del_nonexp));
        Ok(cache)
    }

    fn create(policy: Policy) -> Result<&'static Self, InitError> {
        let asked = match policy {
            Policy::Options => options::raw(Opt::CacheMem) as usize,
            #[cfg(feature = "testing")]
            Policy::Fixed(limit) => limit.max(16 << 20),
        };
        let cache =
            sizes_to_try(asked, Self::most(policy)).find_map(|size| Self::map(size, policy));
        let cache: &'static Self = Box::leak(Box::new(cache.ok_or(InitError::OutOfMemory)?));
        cache.region.prefer_large_pages_for(asked);
        cache.set_up()?;
        ALL.write().push(cache);
        Ok(cache)
    }

    /// What `dns_cache_mem` may be raised to, octets, as the options have it: 0 = no more than it is at start.
    fn most(policy: Policy) -> usize {
        match policy {
            Policy::Options => {
                let most = u64::from(options::extra(ExtraOpt::CacheMemMax)) * 1024;
                usize::try_from(most).unwrap_or(usize::MAX)
            }
            #[cfg(feature = "testing")]
            Policy::Fixed(_) => 0,
        }
    }

    /// Makes an empty cache of memory that is zero.
    fn set_up(&self) -> Result<(), InitError> {
        self.header.lock.init().map_err(|_| InitError::Lock)?;
        #[cfg(feature = "testing")]
        if let Policy::Fixed(limit) = self.policy {
            self.set_for_tests(Setting::Limit(limit));
            self.set_for_tests(Setting::NegativeShare(100));
        }
        self.size_table(self.limit());
        if matches!(self.policy, Policy::Options) {
            self.write().stock_reserve();
        }
        self.put_in_force(None);
        Ok(())
    }

    /// Lays out a region for limits up to that many octets.
    fn map(most: usize, policy: Policy) -> Option<Self> {
        // Calls in progress may use so much in any case, and then a table for it costs little.
        let ceiling = most.max(PRIVATE_FLOOR);
        let max_buckets = buckets_for(ceiling);
        let area_bytes = (max_buckets * size_of::<Bucket>()).next_multiple_of(PAGE_BYTES);
        // The table counts against the limit, too.
        let page_count = Pages::area_for((ceiling - area_bytes).max(PRIVATE_FLOOR));
        let page_bytes = page_count.checked_mul(PAGE_BYTES)?;
        let desc_offset = HEADER_BYTES + 2 * area_bytes;
        let page_offset =
            (desc_offset + Pages::desc_bytes(page_count)).next_multiple_of(PAGE_BYTES);
        // Behind the last block there is memory as far as a place in an entry can be, see `srv`.
        let end = page_offset.checked_add(page_bytes)?;
        let region = Region::reserve(end.checked_add(MAX_BLOCK)?)?;
        let header: &'static Header = region.slice(0, 1).first()?;
        let mut key = [0; 4];
        key.fill_with(random::secure_u64);
        if cfg!(any(loom, miri)) {
            // A model is the same each time.
            key = [3, 5, 7, 11];
        }
        Some(Self {
            region,
            header,
            pages: Pages::new(
                region,
                &header.pages,
                desc_offset,
                page_offset,
                page_count,
                layout::REFCNT,
            ),
            areas: [
                region.slice(HEADER_BYTES, max_buckets),
                region.slice(HEADER_BYTES + area_bytes, max_buckets),
            ],
            key,
            policy,
            ceiling,
        })
    }

    /// Octets in use besides pages: control block and table.
    fn fixed_bytes(&self) -> usize {
        let next = TableWord(self.header.next_table.load(Ordering::Relaxed));
        let old = self.header.old_octets.load(Ordering::Relaxed) as usize;
        HEADER_BYTES + self.table_word().octets() + next.octets() + old
    }

    fn table_word(&self) -> TableWord {
        TableWord(self.header.table.load(Ordering::Relaxed))
    }

    #[inline]
    fn table_of(&self, word: TableWord) -> Table {
        word.table(&self.areas)
    }

    /// Both tables, for the writer.
    fn tables(&self) -> Tables<'_> {
        Tables {
            in_use: &self.header.table,
            next: &self.header.next_table,
            moved: &self.header.moved,
            areas: self.areas,
        }
    }

    #[inline]
    fn table(&self) -> Table {
        self.table_of(TableWord(tables::look_at_table(&self.header.table)))
    }

    #[inline]
    fn hash(&self, name: &[u8]) -> NameHash {
        hash::hash_name(name, &self.key)
    }

    /// The hash under which an entry stands.
    fn hash_of(&self, entry: &EntryRef) -> NameHash {
        self.hash(entry.name()).alike(entry.hash())
    }

    /// Memory figures; exact at the moment at which they are read.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage {
            used: self.fixed_bytes() + self.pages.used_bytes(),
            limit: self.limit(),
            entries: self.header.entries.load(Ordering::Relaxed) as usize,
        }
    }

    /// Number of times that a writer's death was repaired.
    #[must_use]
    pub fn repairs(&self) -> u32 {
        self.header.repairs.load(Ordering::Relaxed)
    }

    /// Keyed 32-bit hash of a name, letter case ignored; never 0. Stable as long as the cache lives.
    #[must_use]
    pub fn name_hash(&self, name: &[u8]) -> u32 {
        self.hash(name).high
    }
}
