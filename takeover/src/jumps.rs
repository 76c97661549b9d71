//! The jumps: from the beginning of each replaced function to a table near the code, and from there to the library.

use std::ops::Range;

use crate::pages::PAGE;
use crate::plan::{Entry, JUMP, LANDING, Plan};

/// Octets of a place in the table.
const PLACE: usize = 16;
/// An instruction that ends the process: for tests that no other way leads into the replaced code.
const TRAP: u8 = 0xcc;

/// The part of the code that changes: whole pages, as the file counts.
#[must_use]
pub fn changed(plan: &Plan) -> Option<Range<u64>> {
    let page = PAGE as u64;
    let first = plan.unused.iter().map(|function| function.start).min()?;
    let last = plan.unused.iter().map(|function| function.end).max()?;
    Some(first / page * page..last.next_multiple_of(page))
}

/// The table of jumps to `targets`, in their order; they may be anywhere.
#[must_use]
pub fn table(targets: &[usize]) -> Vec<u8> {
    let mut table = Vec::with_capacity(PAGE);
    for target in targets {
        // jmp *(behind this instruction)
        table.extend([0xff, 0x25, 0, 0, 0, 0]);
        table.extend(target.to_le_bytes());
        table.resize(table.len().next_multiple_of(PLACE), TRAP);
    }
    table.resize(table.len().next_multiple_of(PAGE), TRAP);
    table
}

/// Writes the jumps to a table at `table` into `code`, which is the part that `changed` named and begins at `start`
/// in memory. With `trap` everything else of the replaced code ends the process. `None` when something does not fit.
#[must_use]
pub fn write(plan: &Plan, code: &mut [u8], start: usize, table: usize, trap: bool) -> Option<()> {
    let first = changed(plan)?.start;
    let offset = |address: u64| usize::try_from(address.checked_sub(first)?).ok();
    if trap {
        for function in &plan.unused {
            let body = code.get_mut(offset(function.start)?..offset(function.end)?)?;
            body.fill(TRAP);
        }
    }
    for (number, entry) in plan.entries.iter().enumerate() {
        if entry.jump != entry.address {
            let mark = offset(entry.address)?;
            code.get_mut(mark..mark + LANDING.len())?
                .copy_from_slice(&LANDING);
        }
        let at = offset(entry.jump)?;
        let behind = start.checked_add(at)? + JUMP as usize;
        let distance = (table + number * PLACE) as i64 - behind as i64;
        let [a, b, c, d] = i32::try_from(distance).ok()?.to_le_bytes();
        let jump = [0xe9, a, b, c, d];
        code.get_mut(at..at + jump.len())?.copy_from_slice(&jump);
    }
    Some(())
}

/// Octets that a table for these entries has.
#[must_use]
pub fn table_size(entries: &[Entry]) -> usize {
    (entries.len() * PLACE).next_multiple_of(PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Function;
    use crate::elf::Image;

    fn plan() -> Plan {
        let bytes = std::fs::read("/proc/self/exe").unwrap();
        let code = Image::parse(&bytes).unwrap().code().unwrap();
        let entry = |name, address, jump| Entry {
            name,
            address,
            jump,
        };
        Plan {
            version: "5.6.3".to_owned(),
            family: (5, 6),
            entries: vec![entry("a", 0x5100, 0x5100), entry("b", 0x6200, 0x6204)],
            unused: vec![
                Function {
                    start: 0x5100,
                    end: 0x5140,
                },
                Function {
                    start: 0x6200,
                    end: 0x6300,
                },
            ],
            private_variables: Vec::new(),
            code,
        }
    }

    #[test]
    fn jumps_lead_to_their_places() {
        let plan = plan();
        assert_eq!(changed(&plan), Some(0x5000..0x7000));
        let mut code = vec![0x90; 0x2000];
        code[0x1200..0x1204].copy_from_slice(&LANDING);
        let (start, table) = (0x7000_0000_5000, 0x7000_0000_0000);
        write(&plan, &mut code, start, table, false).unwrap();
        let distance = |at: usize| i32::from_le_bytes(code[at + 1..at + 5].try_into().unwrap());
        assert_eq!(code[0x100], 0xe9);
        assert_eq!(distance(0x100), -0x5105);
        assert_eq!(code[0x1200..0x1204], LANDING);
        assert_eq!(code[0x1204], 0xe9);
        assert_eq!(distance(0x1204), 16 - 0x6209);
        assert_eq!(
            code.iter().filter(|&&octet| octet == 0x90).count(),
            0x2000 - 14
        );
        // Too far away.
        assert_eq!(
            write(&plan, &mut code, start, 0x6000_0000_0000, false),
            None
        );
    }

    #[test]
    fn traps_fill_what_is_not_to_run() {
        let plan = plan();
        let mut code = vec![0x90; 0x2000];
        write(&plan, &mut code, 0x10_5000, 0x10_0000, true).unwrap();
        assert_eq!(code[0x105..0x140], [TRAP; 0x3b]);
        assert_eq!(code[0x1200..0x1204], LANDING);
        assert_eq!((code[0xff], code[0x140]), (0x90, 0x90));
    }

    #[test]
    fn the_table_holds_the_targets() {
        let table = table(&[0x1122_3344_5566_7788, 2]);
        assert_eq!(table.len(), PAGE);
        assert_eq!(table[..6], [0xff, 0x25, 0, 0, 0, 0]);
        assert_eq!(table[6..14], 0x1122_3344_5566_7788_u64.to_le_bytes());
        assert_eq!(table[22..30], 2_u64.to_le_bytes());
    }
}
