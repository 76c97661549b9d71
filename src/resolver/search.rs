//! The names that are asked for a name that the caller wrote: the search list (`res_search()`).

use smallvec::{SmallVec, smallvec};

use super::wire_name::{name_of_host_name, name_of_plain_text};
use crate::rr::{Name, eq_ignore_case};

/// The rules that decide on the candidates.
#[derive(Clone, Copy, Debug)]
pub(super) struct SearchRules<'a> {
    /// Domains to append, without trailing dot; empty = the root.
    pub(super) domains: &'a [Vec<u8>],
    /// Names with at least so many dots are tried as they are first.
    pub(super) ndots: u32,
    /// Never ask for a name without a dot as it is.
    pub(super) no_tld_query: bool,
}

/// Lists the names to ask, at least one, each without trailing dot; `None` if the name is not one that may be asked
/// for.
///
/// A trailing dot makes a name absolute. Otherwise a name with `ndots` dots is asked as it is and
/// then with each domain, one with fewer with each domain and then as it is.
pub(super) fn candidates(qname: &[u8], rules: SearchRules<'_>) -> Option<SmallVec<[Name; 1]>> {
    let as_is = Name::from_host_name(qname)?;
    name_of_host_name(qname)?;
    if qname.ends_with(b".") || rules.domains.is_empty() {
        return Some(smallvec![as_is]);
    }
    let dots = qname.iter().filter(|&&octet| octet == b'.').count();
    let as_is_first = dots >= rules.ndots as usize;
    let root_listed = rules.domains.iter().any(Vec::is_empty);
    let expanded = rules
        .domains
        .iter()
        .filter_map(|domain| match domain.as_slice() {
            [] if as_is_first => None,
            [] => Some(as_is.clone()),
            domain => expanded(&[as_is.as_bytes(), b".", domain].concat()),
        });
    let mut names = SmallVec::with_capacity(rules.domains.len() + 1);
    if as_is_first {
        names.push(as_is.clone());
    }
    names.extend(expanded);
    let kept_in_list = rules.no_tld_query && dots == 0;
    let as_is_done = as_is_first || root_listed || kept_in_list;
    if !as_is_done || names.is_empty() {
        names.push(as_is);
    }
    Some(names)
}

/// A name with a domain appended; `None` for one that gets too long with it, which cannot exist.
fn expanded(text: &[u8]) -> Option<Name> {
    name_of_plain_text(text)?;
    Name::from_text(text)
}

/// True when `name` is `short`, a dot, and a suffix that is accepted.
pub(super) fn is_expansion(name: &[u8], short: &[u8], accept: impl Fn(&[u8]) -> bool) -> bool {
    let Some((head, tail)) = name.split_at_checked(short.len()) else {
        return false;
    };
    eq_ignore_case(head, short)
        && tail
            .strip_prefix(b".")
            .is_some_and(|suffix| !suffix.is_empty() && accept(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(qname: &str, domains: &[&str], ndots: u32, no_tld_query: bool) -> Vec<String> {
        let domains: Vec<Vec<u8>> = domains.iter().map(|d| d.as_bytes().to_vec()).collect();
        let rules = SearchRules {
            domains: &domains,
            ndots,
            no_tld_query,
        };
        candidates(qname.as_bytes(), rules).map_or_else(Vec::new, |names| {
            names.iter().map(Name::to_string).collect()
        })
    }

    #[test]
    fn order_depends_on_dots() {
        let domains = ["corp.example", "example"];
        assert_eq!(
            list("a", &domains, 1, false),
            ["a.corp.example", "a.example", "a"]
        );
        assert_eq!(
            list("a.b", &domains, 1, false),
            ["a.b", "a.b.corp.example", "a.b.example"]
        );
        assert_eq!(
            list("a.b", &domains, 2, false),
            ["a.b.corp.example", "a.b.example", "a.b"]
        );
    }

    #[test]
    fn trailing_dot_is_absolute() {
        assert_eq!(list("a.", &["example"], 3, false), ["a"]);
        assert_eq!(list("a.b.", &["example"], 3, false), ["a.b"]);
    }

    #[test]
    fn root_in_the_list_is_the_name_itself_once() {
        assert_eq!(list("a", &["", "example"], 1, false), ["a", "a.example"]);
        assert_eq!(
            list("a.b", &["", "example"], 1, false),
            ["a.b", "a.b.example"]
        );
    }

    #[test]
    fn single_labels_may_be_kept_in_the_list() {
        assert_eq!(list("a", &["example"], 1, true), ["a.example"]);
        assert_eq!(list("a", &[], 1, true), ["a"]);
    }

    #[test]
    fn more_than_six_domains() {
        let domains = ["d1", "d2", "d3", "d4", "d5", "d6", "d7", "d8"];
        assert_eq!(list("a", &domains, 1, false).len(), 9);
    }

    #[test]
    fn names_that_are_not_asked_for() {
        for bad in ["", "a b", "a..b", ".a", "ä", "a/b"] {
            assert!(list(bad, &["example"], 1, false).is_empty(), "{bad}");
        }
        let long = "a".repeat(64);
        assert!(list(&long, &["example"], 1, false).is_empty());
        let long = "a.".repeat(120) + "a";
        assert_eq!(
            list(&long, &["a-domain-too-long.example"], 200, false),
            [long.as_str()]
        );
    }
}
