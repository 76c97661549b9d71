//! Takes out of the cache what it has on a name, or on all names below a domain.

use crate::cache::Cache;
use crate::rr::{eq_ignore_case, is_subdomain};

use super::EditError;
use super::backoff;
use super::request::split_absolute;

/// The result of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// Entries that went.
    pub entries: usize,
    /// Permanent entries, which stay.
    pub permanent: usize,
}

/// Unlinks all entries of a name: of every type, found or absent or failed, relative and absolute. Failures are
/// forgotten, so that the name may be asked for at once. A final dot does not matter.
///
/// # Errors
/// `NotFound`, `Permanent` when there are none but permanent ones, `NoCache`, `Busy`, where some may have gone.
pub fn delete_name(name: &[u8]) -> Result<Deleted, EditError> {
    let (name, _) = split_absolute(name);
    delete_where(|owner| eq_ignore_case(owner, name))
}

/// As [`delete_name`], for a domain and all that lies below it; the root = everything.
///
/// # Errors
/// As of [`delete_name`].
pub fn delete_below(domain: &[u8]) -> Result<Deleted, EditError> {
    let (domain, _) = split_absolute(domain);
    delete_where(|owner| is_subdomain(owner, domain))
}

fn delete_where(is_meant: impl Fn(&[u8]) -> bool) -> Result<Deleted, EditError> {
    let cache = Cache::instance().ok_or(EditError::NoCache)?;
    let mut deleted = Deleted {
        entries: 0,
        permanent: 0,
    };
    for entry in cache.entries().filter(|entry| is_meant(entry.name())) {
        if entry.is_permanent() {
            deleted.permanent += 1;
        } else {
            let was_there = cache.remove_for_operator(&entry);
            deleted.entries += usize::from(was_there.map_err(|_| EditError::Busy)?);
        }
    }
    match deleted {
        Deleted {
            entries: 0,
            permanent: 0,
        } => Err(EditError::NotFound),
        Deleted { entries: 0, .. } => Err(EditError::Permanent),
        _ => {
            backoff::forget();
            Ok(deleted)
        }
    }
}
