//! The jumps: from the beginning of each replaced function to a table near the code, and from there to the library.

use std::ops::Range;

use crate::machine::{LANDING, Machine, PLACE};
use crate::plan::Plan;

/// The part of the code that changes: whole pages, as the file counts.
#[must_use]
pub fn changed(plan: &Plan, page: usize) -> Option<Range<u64>> {
    let page = page as u64;
    let first = plan.unused.iter().map(|function| function.start).min()?;
    let last = plan.unused.iter().map(|function| function.end).max()?;
    Some(first / page * page..last.next_multiple_of(page))
}

/// The table of jumps to `targets`, in their order; they may be anywhere.
#[must_use]
pub fn table(machine: Machine, targets: &[usize], page: usize) -> Vec<u8> {
    let mut table: Vec<u8> = targets
        .iter()
        .flat_map(|target| machine.far_jump(*target))
        .collect();
    let used = table.len();
    table.resize(used.next_multiple_of(page), 0);
    machine.fill_with_traps(table.get_mut(used..).unwrap_or_default());
    table
}

/// Writes the jumps to a table at `table` into `code`, which is a part of the plan's code that begins at `first` in the
/// file and at `start` in memory. With `trap` everything else of the replaced code ends the process. `None` when
/// something does not fit.
#[must_use]
pub fn write(
    plan: &Plan,
    code: &mut [u8],
    first: u64,
    start: usize,
    table: usize,
    trap: bool,
) -> Option<()> {
    let machine = plan.machine;
    let offset = |address: u64| usize::try_from(address.checked_sub(first)?).ok();
    if trap {
        for function in &plan.unused {
            let body = code.get_mut(offset(function.start)?..offset(function.end)?)?;
            machine.fill_with_traps(body);
        }
    }
    for (number, entry) in plan.entries.iter().enumerate() {
        if entry.jump != entry.address {
            let mark = offset(entry.address)?;
            code.get_mut(mark..mark + LANDING)?
                .copy_from_slice(&machine.landing());
        }
        let at = offset(entry.jump)?;
        let jump = machine.jump(start.checked_add(at)?, table + number * PLACE)?;
        code.get_mut(at..at + jump.len())?.copy_from_slice(&jump);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Function;
    use crate::elf::Image;
    use crate::plan::Entry;

    const PAGE: usize = 4096;
    const MARK: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];

    fn plan(machine: Machine) -> Plan {
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
            machine,
            is_guarded: false,
        }
    }

    #[test]
    fn jumps_lead_to_their_places() {
        let plan = plan(Machine::Amd64);
        assert_eq!(changed(&plan, PAGE), Some(0x5000..0x7000));
        assert_eq!(changed(&plan, 4 * PAGE), Some(0x4000..0x8000));
        let mut code = vec![0x90; 0x2000];
        code[0x1200..0x1204].copy_from_slice(&MARK);
        let (start, table) = (0x7000_0000_5000, 0x7000_0000_0000);
        write(&plan, &mut code, 0x5000, start, table, false).unwrap();
        let distance = |at: usize| i32::from_le_bytes(code[at + 1..at + 5].try_into().unwrap());
        assert_eq!(code[0x100], 0xe9);
        assert_eq!(distance(0x100), -0x5105);
        assert_eq!(code[0x1200..0x1204], MARK);
        assert_eq!(code[0x1204], 0xe9);
        assert_eq!(distance(0x1204), 16 - 0x6209);
        assert_eq!(
            code.iter().filter(|&&octet| octet == 0x90).count(),
            0x2000 - 14
        );
        // Too far away.
        assert_eq!(
            write(&plan, &mut code, 0x5000, start, 0x6000_0000_0000, false),
            None
        );
    }

    #[test]
    fn jumps_of_arm64_are_one_word() {
        let plan = plan(Machine::Arm64);
        // The instruction that signs the return address is overwritten.
        let mut code = 0xd503_233f_u32.to_le_bytes().repeat(0x800);
        write(&plan, &mut code, 0x5000, 0x10_5000, 0x10_0000, false).unwrap();
        let word = |at: usize| u32::from_le_bytes(code[at..at + 4].try_into().unwrap());
        assert_eq!(word(0x100), 0x1400_0000 | (0x0400_0000 - 0x5100 / 4));
        assert_eq!(word(0x104), 0xd503_233f);
        assert_eq!(word(0x1200), 0xd503_245f);
        assert_eq!(
            word(0x1204),
            0x1400_0000 | (0x0400_0000 - (0x6204 - 16) / 4)
        );
        assert_eq!(word(0x1208), 0xd503_233f);
    }

    #[test]
    fn traps_fill_what_is_not_to_run() {
        let plan = plan(Machine::Amd64);
        let mut code = vec![0x90; 0x2000];
        write(&plan, &mut code, 0x5000, 0x10_5000, 0x10_0000, true).unwrap();
        assert_eq!(code[0x105..0x140], [0xcc; 0x3b]);
        assert_eq!(code[0x1200..0x1204], MARK);
        assert_eq!((code[0xff], code[0x140]), (0x90, 0x90));
    }

    #[test]
    fn the_table_holds_the_targets() {
        for machine in [Machine::Amd64, Machine::Arm64] {
            let table = table(machine, &[0x1122_3344_5566_7788, 2], PAGE);
            assert_eq!(table.len(), PAGE);
            assert_eq!(table[..16], machine.far_jump(0x1122_3344_5566_7788));
            assert_eq!(table[16..32], machine.far_jump(2));
            assert!(table[32..].starts_with(machine.trap()));
        }
    }
}
