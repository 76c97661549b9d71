//! Our own options as the group `dns` of Kamailio's configuration framework, made from the option table.
//!
//! In kamailio.cfg they are written `DNS.stale_ttl = 60`: the parser knows `dns` in small letters as a word of its own,
//! and makes a group for any other name that it meets. The values that it collected in the group `DNS` are checked and
//! taken over, and the group is declared as `dns` with types, ranges and help. Afterwards `kamcmd cfg.list`,
//! `cfg.seti dns stale_ttl 60` and so on work as for any module.
#![allow(unsafe_code, reason = "structures and functions of the host")]

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::ptr::{null, null_mut};
use std::sync::OnceLock;

use super::guard::guard;
use super::ptr;
use super::types::_str;
use crate::host::kamailio;
use crate::host::log::Level;
use crate::host::options::live::{self, Counted, Places};
use crate::host::options::{self, Descriptor, Kind, OptionError, Place};

/// The name in kamailio.cfg, and the group's name afterwards: of one length, so that the second takes the
/// place of the first.
const SCRIPT_NAME: &CStr = c"DNS";
const NAME: &CStr = c"dns";
const NAME_OCTETS: usize = 3;

/// Types of the framework: of the stored value, and (shifted) of the given one.
const VAR_INT: c_uint = 1;
const VAR_STR: c_uint = 3;
const INPUT_SHIFT: c_uint = 3;
/// An int that is changed in place.
const ATOMIC: c_uint = 1 << (2 * INPUT_SHIFT);

/// States of a group: declared without variables, made by kamailio.cfg.
const GROUP_UNKNOWN: c_uint = 0;
const GROUP_DYNAMIC: c_uint = 1;

type OnChange = unsafe extern "C" fn(*mut c_void, *mut _str, *mut _str, *mut *mut c_void) -> c_int;
type OnSet = unsafe extern "C" fn(*mut _str, *mut _str);

/// The framework's `cfg_def_t`.
#[repr(C)]
struct Definition {
    name: *const c_char,
    kind: c_uint,
    min: c_int,
    max: c_int,
    on_change: Option<OnChange>,
    on_set_in_child: Option<OnSet>,
    help: *const c_char,
}

/// The framework's `cfg_group_t`; the name goes on behind it.
#[repr(C)]
struct Group {
    mapping: *mut c_void,
    variables: *mut c_void,
    instances: *mut c_void,
    count: c_int,
    size: c_int,
    meta_offset: c_int,
    variable_offset: c_int,
    handle: *mut c_void,
    original_handle: *mut c_void,
    next: *mut Self,
    state: c_uint,
    name_length: c_int,
    name: [u8; NAME_OCTETS],
}

/// The framework's `cfg_script_var_t`: a variable of a group that kamailio.cfg made.
#[repr(C)]
#[derive(Clone, Copy)]
struct ScriptVariable {
    kind: c_uint,
    value: ScriptValue,
    min: c_int,
    max: c_int,
    next: *mut Self,
    name_length: c_int,
    name: *const c_char,
    help: *const c_char,
}

#[repr(C)]
#[derive(Clone, Copy)]
union ScriptValue {
    text: Counted,
    number: c_int,
}

#[cfg(target_pointer_width = "64")]
const _: () = {
    assert!(size_of::<Definition>() == 48);
    assert!(std::mem::offset_of!(Group, handle) == 40);
    assert!(std::mem::offset_of!(Group, state) == 64);
    assert!(std::mem::offset_of!(Group, name) == 72);
    assert!(size_of::<ScriptVariable>() == 64);
};

/// Octets as text; a text that is not UTF-8 matches no name and is no sound value.
///
/// # Safety
/// `text` is NULL or has `length` readable octets.
unsafe fn owned(text: *const c_char, length: c_int) -> String {
    let length = usize::try_from(length).unwrap_or(0);
    if text.is_null() || length == 0 {
        return String::new();
    }
    // SAFETY: the contract is the caller's.
    let octets = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), length) };
    String::from_utf8_lossy(octets).into_owned()
}

/// The group that kamailio.cfg made, if its layout is the one that is known here.
fn script_group() -> Result<Option<*mut Group>, &'static str> {
    type Lookup = unsafe extern "C" fn(*const c_char, c_int) -> *mut Group;
    let Some(symbol) = kamailio::symbol(c"cfg_lookup_group") else {
        return Ok(None);
    };
    // SAFETY: the host's function of that name has this type.
    let lookup = unsafe { std::mem::transmute::<*mut c_void, Lookup>(symbol) };
    // SAFETY: a NUL-terminated name and its length; the host only reads it.
    let group = unsafe { lookup(SCRIPT_NAME.as_ptr(), NAME_OCTETS as c_int) };
    if group.is_null() {
        return Ok(None);
    }
    // SAFETY: non-NULL, a group of the framework; whether it is laid out as `Group` is checked below, and
    // every version's groups are at least that large, as the name that was looked up lies at their end.
    let found = unsafe { &*group };
    let known = found.name_length == NAME_OCTETS as c_int
        && found.name == SCRIPT_NAME.to_bytes()
        && found.state == GROUP_DYNAMIC
        && found.mapping.is_null()
        && found.handle.is_null();
    if !known {
        return Err("the configuration framework of this version is not known here");
    }
    if !found.instances.is_null() {
        return Err("DNS[n]: the group has one instance only");
    }
    Ok(Some(group))
}

/// The variables that kamailio.cfg set, as names and texts, in its order.
fn script_values(group: *mut Group) -> Vec<(String, String)> {
    // SAFETY: a group that `script_group` recognised.
    let group = unsafe { &*group };
    let mut next = group.variables.cast::<ScriptVariable>();
    let mut values = Vec::new();
    for _ in 0..group.count {
        // SAFETY: the list holds as many variables as the group says; NULL ends it early.
        let Some(variable) = (unsafe { ptr::get(next) }) else {
            break;
        };
        // SAFETY: the name has that many octets.
        let name = unsafe { owned(variable.name, variable.name_length) };
        let value = if variable.kind == VAR_STR {
            // SAFETY: the type says that this member is in use.
            let text = unsafe { variable.value.text };
            // SAFETY: the string has that many octets.
            unsafe { owned(text.text, text.length) }
        } else {
            // SAFETY: as above.
            unsafe { variable.value.number }.to_string()
        };
        values.push((name, value));
        next = variable.next;
    }
    values
}

/// The options of the group, in the order of its block: numbers, then texts.
fn members() -> impl Iterator<Item = &'static Descriptor> {
    let of_group = || options::own().filter(|d| !d.outside_kamailio);
    let is_text = |d: &&Descriptor| d.kind == Kind::Text;
    of_group()
        .filter(move |d| !is_text(d))
        .chain(of_group().filter(is_text))
}

fn set(name: &str, value: &str) -> Result<(), String> {
    let Some(option) = members().find(|d| d.group_name() == name) else {
        return Err("no such option".into());
    };
    options::set(option.name, value).map_err(|error| refusal(option, error))
}

/// Why a value is refused, in words.
fn refusal(option: &Descriptor, error: OptionError) -> String {
    match error {
        OptionError::OutOfRange if option.kind == Kind::Text => {
            format!("longer than {} octets", option.max)
        }
        OptionError::OutOfRange => format!("out of range, {} to {}", option.min, option.max),
        OptionError::Conflict => "contradicts another option".into(),
        OptionError::Busy => "too many processes are setting it at this moment".into(),
        OptionError::Malformed | OptionError::Unknown | OptionError::HostOwned => {
            format!("not a value of this option ({})", option.help)
        }
    }
}

/// The treatment of errors that are found in kamailio.cfg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// Log them.
    Log,
    /// The lines have been logged.
    #[cfg(feature = "use_dns_cache")]
    Quiet,
}

/// Takes over the values that kamailio.cfg sets. False when one of them cannot be used. May be called
/// again, as long as the group is not declared.
pub(crate) fn read_script(report: Report) -> bool {
    if live::attached() {
        return true;
    }
    let complain = |what: &str| {
        if report == Report::Log {
            crate::log!(Level::Err, "kamailio.cfg: {what}");
        }
        false
    };
    match script_group() {
        Ok(None) => true,
        Ok(Some(group)) => {
            let refused = script_values(group)
                .iter()
                .filter_map(|(name, value)| Some((name, value, set(name, value).err()?)))
                .map(|(name, value, why)| complain(&format!("DNS.{name} = {value}: {why}")))
                .count();
            refused == 0
        }
        Err(why) => complain(why),
    }
}

/// Turns the group that kamailio.cfg made into one that is only named: the state in which a declaration takes a group
/// over. The memory of the parser's variables stays allocated, unused.
fn clear(group: *mut Group) {
    // SAFETY: a group that `script_group` recognised; no process has been forked, and nobody else has
    // seen the group, as its variables have no place before the framework moves to shared memory.
    let group = unsafe { &mut *group };
    group.variables = null_mut();
    group.count = 0;
    group.size = 0;
    group.state = GROUP_UNKNOWN;
    group.name.copy_from_slice(NAME.to_bytes());
}

/// Refuses a text that is no value of the option.
unsafe extern "C" fn check_text(
    _block: *mut c_void,
    _group: *mut _str,
    name: *mut _str,
    value: *mut *mut c_void,
) -> c_int {
    guard!(-1, {
        // SAFETY: the framework passes the name of the variable.
        let Some(name) = (unsafe { ptr::get(name) }) else {
            return -1;
        };
        // SAFETY: the string has that many octets.
        let name = unsafe { owned(name.s, name.len) };
        // SAFETY: the framework passes a place with a pointer in it.
        let Some(place) = (unsafe { ptr::get(value) }) else {
            return -1;
        };
        // SAFETY: the pointer leads to a string, as the definition says.
        let Some(counted) = (unsafe { ptr::get(place.cast::<_str>()) }) else {
            return -1;
        };
        // SAFETY: the string has that many octets.
        let text = unsafe { owned(counted.s, counted.len) };
        match check_value(&name, &text) {
            Ok(()) => 0,
            Err(why) => {
                crate::log!(Level::Err, "dns.{name} = {text}: {why}");
                -1
            }
        }
    })
}

/// Checks the text of an option of the group without setting it.
fn check_value(name: &str, text: &str) -> Result<(), String> {
    let option = members().find(|d| d.group_name() == name);
    match option.map(|option| (option, option.place)) {
        Some((option, Place::Text(opt))) => {
            options::check_text(opt, text).map_err(|error| refusal(option, error))
        }
        _ => Err("no such option".into()),
    }
}

/// A text or what request flags follow from changed, and this process now has the block with the new value.
unsafe extern "C" fn changed(_group: *mut _str, _name: *mut _str) {
    guard!((), { live::text_changed() })
}

fn leak(text: String) -> *const c_char {
    CString::new(text).unwrap_or_default().into_raw()
}

fn define(option: &'static Descriptor) -> Definition {
    let fits = |number: i64| number.clamp(c_int::MIN.into(), c_int::MAX.into()) as c_int;
    let unit = match option.unit {
        "" => String::new(),
        unit => format!(" ({unit})"),
    };
    let text = option.kind == Kind::Text;
    let makes_flags = option.makes_flags();
    Definition {
        name: leak(option.group_name().into()),
        kind: match (text, makes_flags) {
            (true, _) => VAR_STR | VAR_STR << INPUT_SHIFT,
            // Of a change in place processes cannot be told.
            (false, true) => VAR_INT | VAR_INT << INPUT_SHIFT,
            (false, false) => VAR_INT | VAR_INT << INPUT_SHIFT | ATOMIC,
        },
        min: if text { 0 } else { fits(option.min) },
        max: if text { 0 } else { fits(option.max) },
        on_change: text.then_some(check_text as OnChange),
        on_set_in_child: makes_flags.then_some(changed as OnSet),
        help: leak(format!("{}{unit}", option.help)),
    }
}

/// The block as the framework lays it out, its size in octets, and where the values are.
fn lay_out() -> (Vec<u64>, usize, Places) {
    const WORD: usize = size_of::<u64>();
    let (numbers, texts): (Vec<_>, Vec<_>) = members().partition(|d| d.kind != Kind::Text);
    let mut places = Places::default();
    let first_text = (numbers.len() * size_of::<c_int>()).next_multiple_of(WORD);
    let size = first_text + texts.len() * size_of::<Counted>();
    let mut block = vec![0u64; size / WORD];
    let base = block.as_mut_ptr().cast::<u8>();
    for (index, option) in numbers.iter().enumerate() {
        let Place::Extra(opt) = option.place else {
            continue;
        };
        let offset = index * size_of::<c_int>();
        // SAFETY: inside the block.
        let place = unsafe { base.add(offset) };
        // SAFETY: inside the block, aligned.
        unsafe { place.cast::<u32>().write(options::extra(opt)) };
        if let Some(slot) = places.numbers.get_mut(opt as usize) {
            *slot = Some(offset);
        }
    }
    for (index, option) in texts.iter().enumerate() {
        let Place::Text(opt) = option.place else {
            continue;
        };
        let offset = first_text + index * size_of::<Counted>();
        let text = options::text(opt);
        let value = Counted {
            length: text.len() as c_int,
            text: if text.is_empty() {
                c"".as_ptr().cast_mut()
            } else {
                CString::new(text).unwrap_or_default().into_raw()
            },
        };
        // SAFETY: inside the block.
        let place = unsafe { base.add(offset) };
        // SAFETY: inside the block, aligned.
        unsafe { place.cast::<Counted>().write(value) };
        if let Some(slot) = places.texts.get_mut(opt as usize) {
            *slot = Some(offset);
        }
    }
    (block, size, places)
}

/// The addresses that the framework was given, so that they are seen to be in use.
static DECLARED: OnceLock<(usize, usize)> = OnceLock::new();

/// Declares the group. True outside Kamailio, and when it is declared; the framework keeps what it is given
/// for as long as the process lives.
pub(crate) fn declare() -> bool {
    type Declare = unsafe extern "C" fn(
        *const c_char,
        *mut Definition,
        *mut c_void,
        c_int,
        *mut *mut u8,
    ) -> c_int;
    let Some(symbol) = kamailio::symbol(c"cfg_declare") else {
        return true;
    };
    if live::attached() || DECLARED.get().is_some() {
        return true;
    }
    if let Ok(Some(group)) = script_group() {
        clear(group);
    }
    // SAFETY: the host's function of that name has this type.
    let declare = unsafe { std::mem::transmute::<*mut c_void, Declare>(symbol) };
    let mut definitions: Vec<Definition> = members().map(define).collect();
    definitions.push(Definition {
        name: null(),
        kind: 0,
        min: 0,
        max: 0,
        on_change: None,
        on_set_in_child: None,
        help: null(),
    });
    let definitions = Vec::leak(definitions).as_mut_ptr();
    let (block, size, places) = lay_out();
    let block: *mut c_void = Vec::leak(block).as_mut_ptr().cast();
    // SAFETY: definitions that end with one without a name, and a block laid out as they say, both never
    // freed; `sr_cfg_init()` ran before `init_dns_cache()`.
    let result = unsafe {
        declare(
            NAME.as_ptr(),
            definitions,
            block,
            size as c_int,
            live::block_pointer(),
        )
    };
    if result == 0 {
        let _ = DECLARED.set((definitions as usize, block as usize));
        live::attach(places);
        return true;
    }
    crate::log!(
        Level::Err,
        "the configuration group dns could not be declared"
    );
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(text: &str) -> _str {
        _str {
            s: text.as_ptr().cast_mut().cast(),
            len: text.len() as c_int,
        }
    }

    /// As the framework asks before it changes a value.
    fn check(name: &str, text: &str) -> c_int {
        let (mut name, mut text) = (counted(name), counted(text));
        let mut place: *mut c_void = (&raw mut text).cast();
        // SAFETY: strings of this function, and a pointer to one of them.
        unsafe { check_text(null_mut(), null_mut(), &raw mut name, &raw mut place) }
    }

    #[test]
    fn the_framework_is_told_which_texts_are_no_values() {
        for word in ["never", "on_absence", "always", "Always", ""] {
            assert_eq!(check("downgrade", word), 0, "{word}");
            assert_eq!(check_value("downgrade", word), Ok(()));
        }
        for word in ["sometimes", "1", "never,always"] {
            assert_eq!(check("downgrade", word), -1, "{word}");
        }
        let why = check_value("downgrade", "sometimes").unwrap_err();
        for part in ["not a value", "never, on_absence, always"] {
            assert!(why.contains(part), "{why}");
        }
        assert_eq!(check("nameservers", "192.0.2.1 [::1]:5300"), 0);
        assert_eq!(check("nameservers", "example.org"), -1);
        assert_eq!(check("edns", "perhaps"), -1);
        assert_eq!(check("no_such_text", "x"), -1);
        // SAFETY: NULL is refused.
        let code = unsafe { check_text(null_mut(), null_mut(), null_mut(), null_mut()) };
        assert_eq!(code, -1);
    }

    /// As kamailio.cfg sets it: `DNS.downgrade = "sometimes"`.
    #[test]
    fn a_line_of_the_script_is_refused_with_its_reason() {
        let why = set("downgrade", "sometimes").unwrap_err();
        assert!(why.contains("never, on_absence, always"), "{why}");
        assert_eq!(set("downgrad", "never"), Err("no such option".to_owned()));
        let why = set("sips_naptr", "2").unwrap_err();
        assert_eq!(why, "out of range, 0 to 1");
    }
}
