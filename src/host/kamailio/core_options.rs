//! Where the options lie in the core's block, `struct cfg_group_core`.
//!
//! The core's own definitions (`core_cfg_def`) tell, in any version and with any compile flags; they are
//! there before the configuration framework is. A host without them has the layout of the default flags.
#![allow(unsafe_code, reason = "reads definitions of the host")]

use std::ffi::{CStr, c_char, c_int, c_uint};

use crate::host::options::{self, CORE_OPTIONS, Opt, Place};

/// Offset of the first option with default flags; the others follow, four octets each.
const FIRST_OFFSET: usize = 40;
/// Offset of `latency_log` with default flags.
const LATENCY_LOG_OFFSET: usize = 208;
/// More definitions than any version has.
const MAX_DEFINITIONS: usize = 1000;

/// The part of the framework's `cfg_def_t` that is read here, and its whole size.
#[repr(C)]
struct Definition {
    name: *const c_char,
    kind: c_uint,
    min: c_int,
    max: c_int,
    on_change: *const u8,
    on_set_in_child: *const u8,
    help: *const c_char,
}

/// Offsets in octets; `None` for an option that this host was built without.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Offsets {
    pub(super) options: [Option<usize>; CORE_OPTIONS],
    pub(super) latency_log: Option<usize>,
}

/// Size of a member by the type in its definition; `None` for types that are not known.
fn member_size(kind: c_uint) -> Option<usize> {
    /// int; C string, counted string, pointer.
    const SIZES: [usize; 4] = [4, 8, 16, 8];
    let index = (kind & 7).checked_sub(1)?;
    SIZES.get(index as usize).copied()
}

impl Offsets {
    /// With default flags.
    fn of_default_flags() -> Self {
        Self {
            options: std::array::from_fn(|index| Some(FIRST_OFFSET + 4 * index)),
            latency_log: Some(LATENCY_LOG_OFFSET),
        }
    }

    /// Lays the members out as the compiler did: in order, each at a multiple of its alignment.
    fn of_definitions<'a>(definitions: impl Iterator<Item = (&'a [u8], c_uint)>) -> Option<Self> {
        let mut found = Self {
            options: [None; CORE_OPTIONS],
            latency_log: None,
        };
        let mut end = 0usize;
        for (name, kind) in definitions {
            let size = member_size(kind)?;
            let offset = end.next_multiple_of(size.min(8));
            end = offset + size;
            if name == b"latency_log" {
                found.latency_log = Some(offset);
            }
            let option = options::core().find(|d| d.name.as_bytes() == name);
            if let Some(Place::Core(opt)) = option.map(|d| d.place)
                && let Some(slot) = found.options.get_mut(opt as usize)
            {
                *slot = Some(offset);
            }
        }
        // Every host has this one; without it the table was not what it seemed.
        found.options.get(Opt::TryIpv6 as usize)?.as_ref()?;
        Some(found)
    }

    /// The options of this host; `table` is its `core_cfg_def`, or NULL.
    pub(super) fn of_host(table: *const u8) -> Self {
        let table = table.cast::<Definition>();
        let mut definitions = Vec::new();
        if !table.is_null() {
            for index in 0..MAX_DEFINITIONS {
                // SAFETY: the table ends with an element without name, which has not been met yet.
                let place = unsafe { table.add(index) };
                // SAFETY: as above.
                let definition = unsafe { place.read() };
                if definition.name.is_null() {
                    break;
                }
                // SAFETY: names are static NUL-terminated texts of the host.
                let name = unsafe { CStr::from_ptr(definition.name) };
                definitions.push((name.to_bytes(), definition.kind));
            }
        }
        Self::of_definitions(definitions.into_iter()).unwrap_or_else(Self::of_default_flags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first members of 5.6.3 to 6.1 as far as they matter, with the DNS options as our table has them.
    fn default_definitions() -> Vec<(&'static [u8], c_uint)> {
        let mut list: Vec<(&[u8], c_uint)> = vec![(b"int", 1); 10];
        let mut core: Vec<_> = options::core()
            .filter_map(|d| match d.place {
                Place::Core(opt) => Some((opt as usize, d.name)),
                _ => None,
            })
            .collect();
        core.sort_unstable();
        list.extend(core.iter().map(|(_, name)| (name.as_bytes(), 1)));
        list
    }

    #[test]
    fn default_flags() {
        let offsets = Offsets::of_definitions(default_definitions().into_iter()).unwrap();
        assert_eq!(offsets.options, Offsets::of_default_flags().options);
        assert_eq!(
            Offsets::of_host(std::ptr::null()),
            Offsets::of_default_flags()
        );
    }

    #[test]
    fn without_the_blocklist_everything_moves() {
        let mut list = default_definitions();
        list.drain(0..7);
        let offsets = Offsets::of_definitions(list.into_iter()).unwrap();
        assert_eq!(offsets.options[Opt::TryIpv6 as usize], Some(12));
        assert_eq!(offsets.latency_log, None);
    }

    #[test]
    fn texts_are_aligned() {
        let list: [(&[u8], c_uint); 4] = [
            (b"int", 1 | 1 << 3 | 64),
            (b"text", 3),
            (b"dns_try_ipv6", 1),
            (b"latency_log", 1 | 64),
        ];
        let offsets = Offsets::of_definitions(list.into_iter()).unwrap();
        assert_eq!(offsets.options[Opt::TryIpv6 as usize], Some(24));
        assert_eq!(offsets.latency_log, Some(28));
        assert_eq!(
            Offsets::of_definitions([(&b"odd"[..], 7)].into_iter()),
            None
        );
    }
}
