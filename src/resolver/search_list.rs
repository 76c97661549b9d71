//! The search list in force: which absolute names a relative one may stand for.

use smallvec::SmallVec;

use super::config;
use super::search::{self, SearchRules};
use super::settings::Settings;
use crate::rr::{Name, eq_ignore_case};

/// A search list: which absolute names a relative one may stand for.
#[derive(Debug)]
pub struct SearchList(Settings);

impl SearchList {
    /// The list in force; `None` = there is none.
    #[must_use]
    pub fn current() -> Option<Self> {
        let settings = Settings::current();
        settings.search_digest().is_some().then_some(Self(settings))
    }

    /// As [`super::search_digest`].
    #[must_use]
    pub fn digest(&self) -> Option<u64> {
        self.0.search_digest()
    }

    /// The names to look at for a relative one, in order, each absolute and without final dot; `None` if the name
    /// may not be asked for. A name of the hosts file stands for itself.
    #[must_use]
    pub fn candidates(&self, name: &[u8]) -> Option<SmallVec<[Name; 1]>> {
        let values = &self.0.values;
        let is_host = values.hosts.as_ref().is_some_and(|hosts| hosts.has(name));
        let rules = SearchRules {
            domains: if is_host { &[] } else { &values.search },
            ndots: values.ndots,
            no_tld_query: values.no_tld_query,
        };
        search::candidates(name, rules)
    }
}

/// True when `suffix` is one of the search domains in use, all of them counted
/// (`match_search_list()`; the libc shows only six). Case and a trailing dot do not matter.
#[must_use]
pub fn is_search_suffix(suffix: &[u8]) -> bool {
    let suffix = suffix.strip_suffix(b".").unwrap_or(suffix);
    config::with_search_list(|domains| domains.iter().any(|domain| eq_ignore_case(domain, suffix)))
}
