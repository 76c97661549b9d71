//! The options: names, defaults, ranges, units, and where each value lives.
//!
//! The 24 options of Kamailio's core keep their names and their order in `struct cfg_group_core` (offsets 40 to 132
//! with default compile flags; [`kamailio`] finds them for any). Inside Kamailio reading one is two loads through
//! `core_cfg`; standalone programs set them with `dns_option_set("name", "value")`. Either way a change is in effect at
//! once. Options that Kamailio does not know are in [`ExtraOpt`] (numbers) and [`StrOpt`] (text).

mod describe;
pub(crate) mod live;
mod own;
mod shared_text;
mod table;

use std::sync::atomic::Ordering;

use super::standalone::{Page, page};
#[cfg(feature = "use_dns_cache")]
use super::vars;
use super::{kamailio, thread};

pub use describe::{Descriptor, Kind, Place};
pub(crate) use own::{EXTRA_OPTIONS, STRING_OPTIONS};
pub use own::{ExtraOpt, StrOpt};
pub(crate) use shared_text::SharedText;
pub(crate) use table::CORE_OPTIONS;
pub use table::Opt;

/// Longest text option, in octets.
pub const MAX_STRING_OPTION: usize = 512;

/// Every option: those of Kamailio, then our own.
pub fn all() -> impl Iterator<Item = &'static Descriptor> {
    core().chain(own())
}

/// The options that Kamailio has, too.
pub(crate) fn core() -> impl Iterator<Item = &'static Descriptor> {
    table::CORE.iter().chain(&table::VARIABLES)
}

/// Our own options: in Kamailio they form the configuration group `dns`, named without the `dns_`.
pub fn own() -> impl Iterator<Item = &'static Descriptor> {
    own::TEXTS.iter().chain(&own::NUMBERS)
}

/// Why an option was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionError {
    /// No option has this name.
    Unknown,
    /// The text is not of the option's kind.
    Malformed,
    /// The number is outside the option's range.
    OutOfRange,
    /// The option contradicts another one that is set.
    Conflict,
    /// Inside Kamailio its own framework changes this option.
    HostOwned,
    /// Too many processes are setting it at this moment.
    Busy,
}

/// Finds an option by its name or an alias, case-sensitively.
#[must_use]
pub fn find(name: &str) -> Option<&'static Descriptor> {
    all().find(|d| d.name == name || d.aliases.contains(&name))
}

/// Current value of a core option, as the 32 bits that `struct cfg_group_core` holds.
#[must_use]
pub fn raw(opt: Opt) -> u32 {
    kamailio::core_option(opt).unwrap_or_else(|| {
        page()
            .core
            .get(opt as usize)
            .map_or(0, |cell| cell.load(Ordering::Relaxed))
    })
}

/// Current value of a signed core option.
#[must_use]
pub fn int(opt: Opt) -> i32 {
    raw(opt) as i32
}

/// Current value of a boolean core option.
#[must_use]
pub fn on(opt: Opt) -> bool {
    raw(opt) != 0
}

/// Current value of one of our own numeric options.
#[must_use]
pub fn extra(opt: ExtraOpt) -> u32 {
    live::number(opt as usize).unwrap_or_else(|| {
        page()
            .extra
            .get(opt as usize)
            .map_or(0, |cell| cell.load(Ordering::Relaxed))
    })
}

/// Current value of one of our own text options.
#[must_use]
pub fn text(opt: StrOpt) -> Vec<u8> {
    live::text(opt as usize).unwrap_or_else(|| {
        page()
            .strings
            .get(opt as usize)
            .map_or_else(Vec::new, |cell| cell.load())
    })
}

/// True when a text option is this word, in any case.
#[must_use]
pub fn is_word(opt: StrOpt, word: &str) -> bool {
    text(opt).trim_ascii().eq_ignore_ascii_case(word.as_bytes())
}

/// Highest `dns_cache_mem`, in octets, that there is room for; `None` before the cache is set up.
#[must_use]
pub fn cache_ceiling() -> Option<u64> {
    let ceiling = page().cache_ceiling.load(Ordering::Relaxed);
    (ceiling != 0).then_some(ceiling)
}

/// Tells how far `dns_cache_mem` may go from here on, in all processes.
#[cfg(feature = "use_dns_cache")]
pub(crate) fn set_cache_ceiling(octets: u64) {
    page().cache_ceiling.store(octets, Ordering::Relaxed);
}

/// Goes up with every change made through [`set`], and inside Kamailio with every changed text of our own:
/// what is derived from those is then stale. Numbers that Kamailio changes are to be read when needed.
#[must_use]
pub fn generation() -> u32 {
    page()
        .generation
        .load(Ordering::Relaxed)
        .wrapping_add(live::text_changes())
}

/// Says that what is derived from options is stale, though none has changed: something else that it depends on has.
pub(super) fn raise_generation() {
    page().generation.fetch_add(1, Ordering::Relaxed);
}

/// Sets an option from text.
///
/// # Errors
/// Says why the value was refused; nothing has changed then.
pub fn set(name: &str, value: &str) -> Result<(), OptionError> {
    let descriptor = find(name).ok_or(OptionError::Unknown)?;
    let host_owned = match descriptor.place {
        Place::Core(_) => kamailio::is_host(),
        Place::Extra(_) | Place::Text(_) => live::attached(),
        Place::CacheInit | Place::GcInterval => false,
    };
    if host_owned {
        return Err(OptionError::HostOwned);
    }
    if let Place::Text(opt) = descriptor.place {
        return set_text(opt, value);
    }
    let number = parse(descriptor, value)?;
    if descriptor.place == Place::Core(Opt::CacheMem)
        && cache_ceiling().is_some_and(|ceiling| number.unsigned_abs() > ceiling / 1024)
    {
        return Err(OptionError::OutOfRange);
    }
    check_conflicts(descriptor.place, number)?;
    store(descriptor, number);
    raise_generation();
    Ok(())
}

/// The current value as text, in the unit in which it is set.
#[must_use]
pub fn get(name: &str) -> Option<String> {
    let descriptor = find(name)?;
    Some(match descriptor.place {
        Place::Text(opt) => String::from_utf8_lossy(&text(opt)).into_owned(),
        Place::Core(opt) => match descriptor.kind {
            Kind::Unsigned => raw(opt).to_string(),
            Kind::KiB => (raw(opt) / 1024).to_string(),
            _ => int(opt).to_string(),
        },
        Place::Extra(opt) => (extra(opt) as i32).to_string(),
        Place::CacheInit => cache_init().to_string(),
        Place::GcInterval => gc_interval().to_string(),
    })
}

/// Value of the exported variable `dns_cache_init`.
#[must_use]
pub fn cache_init() -> i32 {
    #[cfg(feature = "use_dns_cache")]
    return vars::dns_cache_init.load(Ordering::Relaxed);
    #[cfg(not(feature = "use_dns_cache"))]
    0
}

/// Value of the exported variable `dns_timer_interval`, s.
#[must_use]
pub fn gc_interval() -> u32 {
    #[cfg(feature = "use_dns_cache")]
    return vars::dns_timer_interval.load(Ordering::Relaxed);
    #[cfg(not(feature = "use_dns_cache"))]
    0
}

/// Checks the text of an option without setting it.
///
/// # Errors
/// Says why it would be refused.
pub fn check_text(opt: StrOpt, value: &str) -> Result<(), OptionError> {
    if value.len() > MAX_STRING_OPTION {
        return Err(OptionError::OutOfRange);
    }
    if value.contains('\0') {
        return Err(OptionError::Malformed);
    }
    if opt == StrOpt::Nameservers && value.split_whitespace().any(|s| parse_server(s).is_none()) {
        return Err(OptionError::Malformed);
    }
    let is_path = matches!(
        opt,
        StrOpt::ResolvConf | StrOpt::HostsFile | StrOpt::PinFile
    );
    // A file that is not there may come; a device or a FIFO is a mistake.
    if is_path && std::fs::metadata(value).is_ok_and(|found| !found.is_file()) {
        return Err(OptionError::Malformed);
    }
    let words = own::TEXTS.get(opt as usize).map_or(&[][..], |d| d.words);
    let value = value.trim();
    let is_word = |word: &&str| word.eq_ignore_ascii_case(value);
    match words.is_empty() || value.is_empty() || words.iter().any(is_word) {
        true => Ok(()),
        false => Err(OptionError::Malformed),
    }
}

fn set_text(opt: StrOpt, value: &str) -> Result<(), OptionError> {
    check_text(opt, value)?;
    let _whole = thread::uncancelled();
    if let Some(cell) = page().strings.get(opt as usize)
        && !cell.store(value.as_bytes())
    {
        return Err(OptionError::Busy);
    }
    raise_generation();
    Ok(())
}

/// Reads one server of `dns_nameservers`: `1.2.3.4`, `1.2.3.4:53`, `::1`, `[::1]`, `[::1]:53`,
/// `fe80::1%2`, `[fe80::1%eth0]:53`. The default port is 53; port 0 is refused, as is an interface that
/// does not exist.
#[must_use]
pub fn parse_server(text: &str) -> Option<std::net::SocketAddr> {
    use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
    if let Ok(address) = text.parse::<SocketAddr>() {
        return (address.port() != 0).then_some(address);
    }
    let (bare, port) = match text.strip_prefix('[').map(|rest| rest.split_once(']')) {
        None => (text, 53),
        Some(Some((bare, ""))) => (bare, 53),
        Some(Some((bare, port))) => (bare, port.strip_prefix(':')?.parse().ok()?),
        Some(None) => return None,
    };
    let address = if let Ok(ip) = bare.parse::<IpAddr>() {
        SocketAddr::new(ip, port)
    } else {
        let (ip, scope) = bare.split_once('%')?;
        let scope = super::interface::index_of(scope)?;
        SocketAddrV6::new(ip.parse::<Ipv6Addr>().ok()?, port, 0, scope).into()
    };
    (address.port() != 0).then_some(address)
}

fn parse(descriptor: &Descriptor, value: &str) -> Result<i64, OptionError> {
    let value = value.trim();
    let number = match value.to_ascii_lowercase().as_str() {
        "yes" | "on" | "true" | "enable" => 1,
        "no" | "off" | "false" | "disable" => 0,
        digits => digits.parse::<i64>().map_err(|_| OptionError::Malformed)?,
    };
    if number < descriptor.min || number > descriptor.max {
        return Err(OptionError::OutOfRange);
    }
    Ok(number)
}

/// As `use_dns_cache_fixup()` and `use_dns_failover_fixup()`.
fn check_conflicts(place: Place, number: i64) -> Result<(), OptionError> {
    let refused = match (place, number) {
        (Place::Core(Opt::UseCache), 0) => on(Opt::UseFailover),
        (Place::Core(Opt::UseCache), _) => cache_init() == 0,
        (Place::Core(Opt::UseFailover), 1) => !on(Opt::UseCache),
        _ => false,
    };
    if refused {
        Err(OptionError::Conflict)
    } else {
        Ok(())
    }
}

fn store(descriptor: &Descriptor, number: i64) {
    let number = if descriptor.kind == Kind::KiB {
        number * 1024
    } else {
        number
    };
    let word = number as u32;
    match descriptor.place {
        // Writing 1 to dns_reinit asks for a reload; it reads back as 0. The generation does it.
        Place::Core(Opt::Reinit) | Place::Text(_) => {}
        Place::Core(opt) => {
            if let Some(cell) = page().core.get(opt as usize) {
                cell.store(word, Ordering::Relaxed);
            }
        }
        Place::Extra(opt) => {
            if let Some(cell) = page().extra.get(opt as usize) {
                cell.store(word, Ordering::Relaxed);
            }
        }
        #[cfg(feature = "use_dns_cache")]
        Place::CacheInit => vars::dns_cache_init.store(word as i32, Ordering::Relaxed),
        #[cfg(feature = "use_dns_cache")]
        Place::GcInterval => vars::dns_timer_interval.store(word, Ordering::Relaxed),
        #[cfg(not(feature = "use_dns_cache"))]
        Place::CacheInit | Place::GcInterval => {}
    }
}

/// Writes the defaults into a fresh page.
pub(crate) fn fill_defaults(page: &Page) {
    for descriptor in all() {
        let scale = if descriptor.kind == Kind::KiB {
            1024
        } else {
            1
        };
        let word = (descriptor.default * scale) as u32;
        let cell = match descriptor.place {
            Place::Core(opt) => page.core.get(opt as usize),
            Place::Extra(opt) => page.extra.get(opt as usize),
            _ => None,
        };
        if let Some(cell) = cell {
            cell.store(word, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_with_and_without_port() {
        assert_eq!(parse_server("127.0.0.1").unwrap().port(), 53);
        assert_eq!(parse_server("[::1]:5300").unwrap().port(), 5300);
        assert_eq!(parse_server("[::1]").unwrap().port(), 53);
        for scoped in [
            "fe80::1%1",
            "[fe80::1%1]",
            "[fe80::1%1]:53",
            "fe80::1%lo",
            "[fe80::1%lo]:53",
        ] {
            let address = parse_server(scoped).unwrap();
            assert_eq!(address.to_string(), "[fe80::1%1]:53", "{scoped}");
        }
        for bad in [
            "fe80::1%no-such-if",
            "[::1",
            "[::1]53",
            "[::1]:",
            "::1]",
            "[::1]:0",
        ] {
            assert!(parse_server(bad).is_none(), "{bad}");
        }
        assert!(parse_server("example.org").is_none());
        assert!(parse_server("127.0.0.1:0").is_none());
    }

    #[test]
    fn core_options_are_in_struct_order() {
        assert_eq!(Opt::RecPref as usize + 1, CORE_OPTIONS);
        assert_eq!(40 + 4 * Opt::CacheMem as usize, 124);
        assert_eq!(40 + 4 * Opt::SlowQueryMs as usize, 68);
        assert_eq!(40 + 4 * Opt::UseCache as usize, 96);
    }

    #[test]
    fn every_option_is_listed_once() {
        for index in 0..CORE_OPTIONS {
            let count = all()
                .filter(|d| matches!(d.place, Place::Core(o) if o as usize == index))
                .count();
            assert_eq!(count, 1, "core option {index}");
        }
    }
}
