//! The host's table of processes: the purpose of each.
#![allow(
    unsafe_code,
    reason = "reads variables and calls a function of the host program"
)]

use std::ffi::{c_char, c_int};

use once_cell::sync::OnceCell;

use super::symbol;

/// `MAX_PT_DESC`: octets of a description, the NUL included.
const DESCRIPTION_OCTETS: usize = 128;
/// A description begins behind a few numbers.
const MOST_BEFORE: usize = 64;
/// More processes than a server has.
const MAX_PROCESSES: c_int = 4096;

/// Variables of the executable.
struct Symbols {
    /// `struct process_table *pt`
    table: *const *const u8,
    /// `int *process_count`
    count: *const *const c_int,
    /// `int process_no`
    number: *const c_int,
    /// `char *my_desc(void)`
    my_description: unsafe extern "C" fn() -> *const c_char,
}

// SAFETY: the pointers refer to variables of the executable, which live as long as the process and are only read.
unsafe impl Send for Symbols {}
// SAFETY: as above.
unsafe impl Sync for Symbols {}

fn symbols() -> Option<&'static Symbols> {
    static SYMBOLS: OnceCell<Option<Symbols>> = OnceCell::new();
    let load = || {
        let my_description = symbol(c"my_desc")?;
        // SAFETY: in Kamailio a function without arguments that returns a text.
        let my_description = unsafe {
            std::mem::transmute::<*mut libc::c_void, unsafe extern "C" fn() -> *const c_char>(
                my_description,
            )
        };
        Some(Symbols {
            table: symbol(c"pt")?.cast_const().cast(),
            count: symbol(c"process_count")?.cast_const().cast(),
            number: symbol(c"process_no")?.cast_const().cast(),
            my_description,
        })
    };
    SYMBOLS.get_or_init(load).as_ref()
}

/// How many processes there are; `None` outside Kamailio and before there are any but the first.
#[must_use]
pub(crate) fn count() -> Option<usize> {
    let symbols = symbols()?;
    // SAFETY: a pointer variable of the executable.
    let place = unsafe { symbols.count.read_volatile() };
    if place.is_null() {
        return None;
    }
    // SAFETY: an int in memory that all processes share, made before the pointer was set.
    let count = unsafe { place.read_volatile() };
    (1..=MAX_PROCESSES)
        .contains(&count)
        .then_some(count as usize)
}

/// The number of this process, and the descriptions of all of them in the order of their numbers.
///
/// How wide an entry of the table is, is not guessed: the host tells where the description of this process is, and its
/// number says how many entries lie before it.
#[must_use]
pub(crate) fn descriptions() -> Option<(usize, Vec<String>)> {
    let (symbols, count) = (symbols()?, count()?);
    // SAFETY: a pointer variable of the executable.
    let table = unsafe { symbols.table.read_volatile() };
    if table.is_null() {
        return None;
    }
    // SAFETY: an int variable of the executable.
    let number = usize::try_from(unsafe { symbols.number.read_volatile() }).ok()?;
    // SAFETY: the table exists; the function only reads it.
    let mine = unsafe { (symbols.my_description)() };
    let before = octets_before(mine as usize, table as usize, number)?;
    if number >= count || !is_of(table, before + DESCRIPTION_OCTETS, number) {
        return None;
    }
    let description = |index: usize| {
        let offset = index * (before + DESCRIPTION_OCTETS) + before;
        // SAFETY: the table has at least `count` entries of this size.
        let place = unsafe { table.add(offset) };
        read_text(place)
    };
    Some((number, (0..count).map(description).collect()))
}

/// Octets of an entry before its description.
fn octets_before(mine: usize, table: usize, number: usize) -> Option<usize> {
    let rest = mine
        .checked_sub(table)?
        .checked_sub(number.checked_mul(DESCRIPTION_OCTETS)?)?;
    let before = rest / (number + 1);
    let fits = rest.is_multiple_of(number + 1) && before.is_multiple_of(size_of::<c_int>());
    (fits && (size_of::<c_int>()..=MOST_BEFORE).contains(&before)).then_some(before)
}

/// True when the entry of this process begins with its pid, or with none yet.
fn is_of(table: *const u8, width: usize, number: usize) -> bool {
    // SAFETY: inside the table.
    let place = unsafe { table.add(number * width) };
    // SAFETY: an entry begins with an int, and is aligned to one.
    let pid = unsafe { place.cast::<c_int>().read_volatile() };
    // 0 also stands for this process: its parent may not have written the pid yet.
    pid == 0 || u32::try_from(pid) == Ok(crate::host::process::pid())
}

/// A text that the host may be writing now: then another text is read, which does no harm.
fn read_text(place: *const u8) -> String {
    let octet = |index| {
        // SAFETY: within the description.
        let octet = unsafe { place.add(index) };
        // SAFETY: as above.
        unsafe { octet.read_volatile() }
    };
    let octets: Vec<u8> = (0..DESCRIPTION_OCTETS)
        .map(octet)
        .take_while(|&octet| octet != 0)
        .collect();
    String::from_utf8_lossy(&octets).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_width_follows_from_the_place() {
        for before in [12, 20, 24] {
            for number in [0, 1, 7, 300] {
                let mine = 1 << 20 | (number * (before + DESCRIPTION_OCTETS) + before);
                assert_eq!(octets_before(mine, 1 << 20, number), Some(before));
            }
        }
        // Not behind the table, not a whole number of entries, not after a few numbers.
        assert_eq!(octets_before(5, 100, 0), None);
        assert_eq!(octets_before(1000 + 150 * 7 + 3, 1000, 7), None);
        assert_eq!(octets_before(1000, 1000, 0), None);
        assert_eq!(octets_before(9000, 1000, 3), None);
        assert_eq!(octets_before(9000, 1000, usize::MAX), None);
    }

    #[test]
    fn a_program_that_is_not_kamailio_has_no_table() {
        assert!(count().is_none() && descriptions().is_none());
    }
}
