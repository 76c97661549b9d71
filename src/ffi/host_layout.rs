//! Whether the host has the structures that the library was built for, and which handle it has.
//!
//! The host's own description (`host::kamailio::described`) is compared with [`SHARED`] and with the layouts of
//! `select::cursor`. Where they differ, one line says so, and the server does not start.

use std::sync::atomic::{AtomicBool, Ordering};

use once_cell::sync::OnceCell;

use super::layout::SHARED;
use crate::host::kamailio;
use crate::host::kamailio::described::{Item, NotDescribed, items};
use crate::host::log::Level;
use crate::host::options::{self, Place};
#[cfg(feature = "use_dns_cache")]
use crate::select::cursor::{LAYOUTS, Layout};

/// Why the library cannot work in this program: a line for the log.
pub(crate) type Refusal = String;

/// The structures of the program around us, as far as they are known.
#[derive(Debug)]
pub(crate) enum Learnt {
    /// The program's handles have this layout; all else is as expected.
    #[cfg(feature = "use_dns_cache")]
    Handles(&'static Layout),
    /// The program has no handles; all else is as expected.
    NoHandles,
}

/// The result of [`learn`], once for the process.
pub(crate) fn learnt() -> &'static Result<Learnt, Refusal> {
    static LEARNT: OnceCell<Result<Learnt, Refusal>> = OnceCell::new();
    LEARNT.get_or_init(learn)
}

/// True when the structures of the program around us are known. Otherwise says so in the log, once.
pub(crate) fn is_known() -> bool {
    static REPORTED: AtomicBool = AtomicBool::new(false);
    let Err(line) = learnt() else {
        return true;
    };
    if !REPORTED.swap(true, Ordering::Relaxed) {
        crate::log!(Level::Crit, "{line}");
    }
    false
}

/// Learns the structures of the program around us.
///
/// A program other than Kamailio was built with the header of this library. Kamailio tells by an object in its
/// executable. A Kamailio that was not linked for this library could be asked by a call of its own function on an
/// address literal: that would be a third way here.
fn learn() -> Result<Learnt, Refusal> {
    if kamailio::is_host() {
        by_description()
    } else {
        Ok(of_our_header())
    }
}

#[cfg(feature = "use_dns_cache")]
fn of_our_header() -> Learnt {
    LAYOUTS.first().map_or(Learnt::NoHandles, Learnt::Handles)
}

#[cfg(not(feature = "use_dns_cache"))]
fn of_our_header() -> Learnt {
    Learnt::NoHandles
}

fn by_description() -> Result<Learnt, Refusal> {
    let items = items().map_err(no_description)?;
    compare(&items)?;
    compare_options(&items)?;
    find_handle(&items)
}

fn no_description(reason: NotDescribed) -> Refusal {
    let reason = match reason {
        NotDescribed::Missing => "without kamailio_dns_layout.o".to_owned(),
        NotDescribed::Format(format) => {
            format!("with a kamailio_dns_layout.o of another version (format {format})")
        }
    };
    format!(
        "this Kamailio was linked {reason}, so its structures are unknown; link it with: make -C src \
         -f /path/library.mk -f Makefile KAMAILIO_DNS_LIBRARY=/path/libkamailio_dns.so kamailio (with CMake: \
         -DCMAKE_PROJECT_kamailio_INCLUDE=/path/library.cmake -DKAMAILIO_DNS_LIBRARY=/path/libkamailio_dns.so)"
    )
}

/// A structure or member of the description.
fn item<'a>(items: &'a [Item<'_>], name: &str) -> Option<&'a Item<'a>> {
    items.iter().find(|item| item.name == name)
}

/// The line about a structure that is not as expected.
fn differs(structure: &str, what: &str) -> Refusal {
    format!("this Kamailio has an unknown layout of struct {structure}: {what}")
}

/// Compares all structures that the description has.
fn compare(items: &[Item<'_>]) -> Result<(), Refusal> {
    let plain = |name: &'static str| name.trim_start_matches("r#");
    for shared in SHARED {
        let name = plain(shared.name);
        // With other flags a Kamailio lacks some.
        let Some(whole) = item(items, name) else {
            continue;
        };
        for &(member, expected) in shared.members {
            let member = plain(member);
            let found = item(items, &format!("{name}.{member}"));
            let found = found.ok_or_else(|| differs(name, &format!("{member} is missing")))?;
            same_place(name, member, expected, found.offset)?;
        }
        if whole.size != shared.size {
            let what = format!("{} octets, expected {}", whole.size, shared.size);
            return Err(differs(name, &what));
        }
    }
    Ok(())
}

fn same_place(structure: &str, member: &str, expected: usize, found: usize) -> Result<(), Refusal> {
    if found == expected {
        return Ok(());
    }
    let what = format!("{member} is at {found}, expected at {expected}");
    Err(differs(structure, &what))
}

/// Compares the options of the core with where the library finds them.
fn compare_options(items: &[Item<'_>]) -> Result<(), Refusal> {
    const NAME: &str = "cfg_group_core";
    let options = options::core().filter_map(|option| match option.place {
        Place::Core(opt) => Some((option.name, kamailio::core_offset(opt)?)),
        _ => None,
    });
    let log = kamailio::latency_log_offset().map(|place| ("latency_log", place));
    for (option, expected) in options.chain(log) {
        let Some(found) = item(items, &format!("{NAME}.{option}")) else {
            continue;
        };
        same_place(NAME, option, expected, found.offset)?;
        if found.size != size_of::<u32>() {
            let what = format!("{option} has {} octets, expected 4", found.size);
            return Err(differs(NAME, &what));
        }
    }
    Ok(())
}

/// The layout of the handles that the description has.
#[cfg(feature = "use_dns_cache")]
fn find_handle(items: &[Item<'_>]) -> Result<Learnt, Refusal> {
    const NAME: &str = "dns_srv_handle";
    let Some(whole) = item(items, NAME) else {
        return Ok(Learnt::NoHandles);
    };
    let found = |member: &str| item(items, &format!("{NAME}.{member}")).map(|item| item.offset);
    // Number of members that are as in a layout, and the first that is not. A pointer in front has no item of its
    // own, for headers without it could not be compiled then: it shows by what is behind it.
    let compared = |layout: &Layout| {
        let mut members = layout.members().filter(|&(member, _)| member != "naptr");
        let mut same = 0;
        let other = members.find(|&(member, expected)| {
            let is_same = found(member) == Some(expected);
            same += usize::from(is_same);
            !is_same
        });
        (same, other)
    };
    let fits =
        |layout: &&Layout| compared(layout).1.is_none() && usize::from(layout.size) == whole.size;
    if let Some(layout) = LAYOUTS.iter().find(fits) {
        return Ok(Learnt::Handles(layout));
    }
    let Some(nearest) = LAYOUTS.iter().max_by_key(|layout| compared(layout).0) else {
        return Ok(Learnt::NoHandles);
    };
    let what = match compared(nearest).1 {
        Some((member, expected)) => {
            let found =
                found(member).map_or_else(|| "not there".to_owned(), |at| format!("at {at}"));
            format!(
                "{member} is {found}, expected at {expected}; {} octets",
                whole.size
            )
        }
        None => format!("{} octets, expected {}", whole.size, nearest.size),
    };
    let known = LAYOUTS.each_ref().map(|layout| layout.size.to_string());
    let what = format!("{what}; known are those of {} octets", known.join(", "));
    Err(differs(NAME, &what))
}

#[cfg(not(feature = "use_dns_cache"))]
fn find_handle(_items: &[Item<'_>]) -> Result<Learnt, Refusal> {
    Ok(Learnt::NoHandles)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A description of everything as it is expected, with handles of a layout.
    #[cfg(feature = "use_dns_cache")]
    fn description(layout: &Layout) -> Vec<(String, usize, usize)> {
        let plain = |name: &str| name.trim_start_matches("r#").to_owned();
        let mut items = Vec::new();
        for shared in SHARED {
            items.push((plain(shared.name), 0, shared.size));
            for (member, offset) in shared.members {
                let name = format!("{}.{}", plain(shared.name), plain(member));
                items.push((name, *offset, 1));
            }
        }
        items.push(("dns_srv_handle".to_owned(), 0, layout.size.into()));
        for (member, offset) in layout.members().filter(|(member, _)| *member != "naptr") {
            items.push((format!("dns_srv_handle.{member}"), offset, 1));
        }
        items
    }

    #[cfg(feature = "use_dns_cache")]
    fn learnt(description: &[(String, usize, usize)]) -> Result<&'static Layout, Refusal> {
        let items: Vec<_> = description
            .iter()
            .map(|(name, offset, size)| Item {
                name,
                offset: *offset,
                size: *size,
            })
            .collect();
        compare(&items)?;
        match find_handle(&items)? {
            Learnt::Handles(layout) => Ok(layout),
            Learnt::NoHandles => Err("no handles".to_owned()),
        }
    }

    #[cfg(feature = "use_dns_cache")]
    #[test]
    fn known_layouts_are_found() {
        for layout in &LAYOUTS {
            assert_eq!(learnt(&description(layout)), Ok(layout));
        }
    }

    /// A description of handles of 48 octets with one item changed.
    #[cfg(feature = "use_dns_cache")]
    fn refused(name: &str, offset: usize, size: usize) -> Refusal {
        let mut items = description(&LAYOUTS[2]);
        let item = items.iter_mut().find(|item| item.0 == name).unwrap();
        (item.1, item.2) = (offset, size);
        learnt(&items).unwrap_err()
    }

    #[cfg(feature = "use_dns_cache")]
    #[test]
    fn what_differs_is_named() {
        let start = "this Kamailio has an unknown layout of struct ";
        for (name, offset, size, line) in [
            (
                "dns_srv_handle",
                0,
                56,
                "dns_srv_handle: 56 octets, expected 48; known are those of 32, 40, 48 octets",
            ),
            (
                "dns_srv_handle.port",
                48,
                2,
                "dns_srv_handle: port is at 48, expected at 40; 48 octets; known are those of 32, 40, 48 octets",
            ),
            ("rdata", 0, 40, "rdata: 40 octets, expected 32"),
            ("rdata.ttl", 8, 4, "rdata: ttl is at 8, expected at 4"),
            (
                "dns_hash_entry.type",
                60,
                2,
                "dns_hash_entry: type is at 60, expected at 56",
            ),
        ] {
            assert_eq!(refused(name, offset, size), format!("{start}{line}"));
        }
    }

    #[cfg(feature = "use_dns_cache")]
    #[test]
    fn members_without_a_description_are_named() {
        let mut items = description(&LAYOUTS[0]);
        items.retain(|item| item.0 != "ip_addr.len");
        assert!(
            learnt(&items)
                .unwrap_err()
                .ends_with("ip_addr: len is missing")
        );
        let mut items = description(&LAYOUTS[0]);
        items.retain(|item| item.0 != "dns_srv_handle.a");
        let line = learnt(&items).unwrap_err();
        assert!(line.contains(": a is not there, expected at 8;"), "{line}");
        // A core without the cache has no handles, and fewer structures.
        items.retain(|item| !item.0.starts_with("dns_srv_handle") && !item.0.starts_with("dns_rr"));
        assert_eq!(learnt(&items), Err("no handles".to_owned()));
    }

    /// The object that describes a Kamailio describes all that is compared.
    #[test]
    fn the_object_names_every_member() {
        let object = include_str!("../../kamailio/kamailio_dns_layout.c");
        let names = |structure: &str, member: &str| {
            [
                format!("OF({structure}, {member})"),
                format!("OF_TYPE({structure}, {member})"),
                format!("\"{structure}.{member}\""),
            ]
            .iter()
            .any(|text| object.contains(text.as_str()))
        };
        for shared in SHARED {
            for (member, _) in shared.members {
                let plain = |name: &'static str| name.trim_start_matches("r#");
                let (structure, member) = (plain(shared.name), plain(member));
                assert!(names(structure, member), "{structure}.{member}");
            }
        }
        for option in options::core().filter(|o| matches!(o.place, Place::Core(_))) {
            let text = format!("OPTION(\"{}\", ", option.name);
            assert!(object.contains(&text), "{text}");
        }
    }
}
