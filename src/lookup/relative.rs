//! The relative names of the cache, see [`crate::cache::ListId`], and the search list that is in force.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::cache::{Cache, EntryRef, HashedName, LOOK_MS, ListId, RecordView};
use crate::host::clock;
use crate::resolver;
use crate::rr::{Name, RecordType, eq_ignore_case};

use super::request::split_absolute;
use super::walk::Aim;

/// The list that this process put in force, or the one that forked it: a digest, 1 = that there is no list; 0 = none
/// was put in force.
static PUT: AtomicU64 = AtomicU64::new(0);

/// Looks which search list is in force, and says so to all processes.
pub fn sync_search_list() {
    if let Some(cache) = Cache::instance() {
        let _known = list_in_force(cache);
    }
}

/// The number of the search list in force.
pub(super) fn list_in_force(cache: &Cache) -> Option<ListId> {
    let digest = resolver::search_digest_within(LOOK_MS);
    put_in_force(cache, digest);
    Some(cache.list_id(digest?))
}

/// Puts the list with this digest in force; true when that was another before.
fn put_in_force(cache: &Cache, digest: Option<u64>) -> bool {
    let word = digest.unwrap_or(1);
    let is_same = PUT.load(Ordering::Relaxed) == word;
    if is_same && cache.list_in_force().is_some() == digest.is_some() {
        return false;
    }
    let before = cache.list_in_force();
    PUT.store(word, Ordering::Relaxed);
    cache.put_in_force(digest);
    cache.list_in_force() != before
}

/// Lets hits learn of another list. A hit looks at no file. About once a second an entry in use is stamped, and the
/// process that stamps the entry looks at resolv.conf, too.
pub(super) fn watch_list() {
    crate::cache::watch_list(|| {
        let cache = Cache::instance();
        cache.is_some_and(|cache| put_in_force(cache, resolver::search_digest_within(LOOK_MS)))
    });
}

/// The place of a relative name in the cache.
#[derive(Debug)]
pub(super) enum Relative {
    /// An entry of the type, with records or without.
    Entry(EntryRef),
    /// The relative name stands for this absolute name.
    Link(Name),
    /// Nothing.
    Miss,
}

/// Looks in the cache for what is known of a relative name, given its absolute one.
pub(super) fn known_relative(
    cache: &Cache,
    name: &HashedName<'_>,
    aim: Aim,
    list: ListId,
) -> Relative {
    let now = clock::now_ticks();
    let exact = |name: &HashedName<'_>, rtype| cache.acquire_exact(name, rtype, now);
    let as_written = || exact(&name.as_written_under(list, aim.is_either()), aim.qtype);
    if let Some(entry) = exact(&name.edited(), aim.qtype)
        .or_else(|| exact(&name.related_edited(), aim.qtype))
        .or_else(as_written)
    {
        return Relative::Entry(entry);
    }
    match exact(&name.related(list), aim.link()) {
        Some(entry) if entry.negative().is_some() => Relative::Entry(entry),
        Some(entry) => link_target(&entry).map_or(Relative::Miss, Relative::Link),
        None => Relative::Miss,
    }
}

/// The absolute name that an expired link leads to, and the link.
pub(super) fn expired_link(
    cache: &Cache,
    name: &HashedName<'_>,
    aim: Aim,
    list: ListId,
) -> Option<(EntryRef, Name)> {
    let link = cache.acquire_exact_any_age(&name.related(list), aim.link())?;
    let target = link_target(&link)?;
    Some((link, target))
}

/// The entry of the name as it is written, if it speaks for the relative one, live or expired.
pub(super) fn as_written_of_any_age(
    cache: &Cache,
    name: &HashedName<'_>,
    aim: Aim,
    list: ListId,
) -> Option<EntryRef> {
    cache.acquire_exact_any_age(&name.as_written_under(list, aim.is_either()), aim.qtype)
}

/// The cached entry of a name that is relative under the search list in force, and the absolute name that it stands for
/// if that is another one.
#[must_use]
pub fn cached_relative(
    name: &[u8],
    qtype: RecordType,
    flags: u32,
) -> Option<(EntryRef, Option<Name>)> {
    let cache = Cache::instance()?;
    let (name, absolute) = split_absolute(name);
    let list = list_in_force(cache).filter(|_| !absolute)?;
    let name = cache.hashed(name);
    let aim = Aim::of(qtype, flags);
    match known_relative(cache, &name, aim, list) {
        Relative::Entry(entry) => Some((entry, None)),
        Relative::Link(target) => {
            let link = name.related(list);
            let link = cache.acquire_exact(&link, aim.link(), clock::now_ticks())?;
            Some((link, Some(target)))
        }
        Relative::Miss => None,
    }
}

/// The longer name under which the search list found the records of an entry for a relative name; `None` where the name
/// as it is written has them, or where the name is absolute.
#[must_use]
pub fn found_as(name: &[u8], qtype: RecordType, flags: u32, entry: &EntryRef) -> Option<Name> {
    let (short, absolute) = split_absolute(name);
    if absolute || resolver::search_digest().is_none() {
        return None;
    }
    if let Some((_, winner)) = cached_relative(name, qtype, flags) {
        return winner.filter(|winner| !eq_ignore_case(winner.as_bytes(), short));
    }
    // An entry that is not kept leaves no trace but its owner's name.
    let owner = entry.name();
    let (head, tail) = owner.split_at_checked(short.len())?;
    let suffix = tail.strip_prefix(b".")?;
    let is_longer = eq_ignore_case(head, short) && resolver::is_search_suffix(suffix);
    is_longer.then(|| Name::from_text(owner)).flatten()
}

fn link_target(link: &EntryRef) -> Option<Name> {
    match link.record(0)? {
        RecordView::Cname(target) => Name::from_text(target),
        _ => None,
    }
}

/// True for addresses: they are looked for in both families.
pub(super) fn is_either(qtype: RecordType, flags: u32) -> bool {
    Aim::of(qtype, flags).is_either()
}
