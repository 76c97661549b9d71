//! Which addresses the instructions of AArch64 use. One instruction makes the first address of a page, a later one adds
//! the rest, and a jump may stand between the two. So this file follows which addresses a register may hold, along
//! every way that the code may go. The result may have more addresses than a register holds; no address that is used is
//! missing.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::arm64::{Register, Step, decode, stub};
use crate::code::{Function, Part, Reference, Use};

/// How often something may be added to a page's address: its rest, then the way from the first variable of a file to
/// another one. Sums after that stay within one variable.
const DEEPEST: u8 = 2;
/// Most addresses that may be held at one place: more than any known code has.
const MOST: usize = 4096;
/// Where a call returns a value.
const RESULTS: [Register; 2] = [0, 1];

/// An address that a register may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Held {
    register: Register,
    /// 0 for a page's address.
    depth: u8,
    address: u64,
}

/// Addresses that may be held, in order, each once.
type State = Vec<Held>;

/// Facts about functions that do not come from their code.
#[derive(Debug)]
pub(crate) struct Known<'a> {
    /// Functions with names: anybody may call them, so they expect no addresses but those that they are given.
    pub named: &'a BTreeSet<u64>,
    /// Imported functions that do not come back, by the places that the loader fills in for them.
    pub endless: &'a BTreeSet<u64>,
}

/// The references of each function to addresses outside of it.
pub(crate) fn references(
    parts: &[Part<'_>],
    functions: &[Function],
    known: &Known<'_>,
) -> Result<Vec<Vec<Reference>>, String> {
    if let Some(odd) = functions.iter().find(|function| function.start % 4 != 0) {
        return Err(format!(
            "the function at {:#x} is at an odd place",
            odd.start
        ));
    }
    let text = Text::new(parts);
    let mut flow = Flow::new(&text, functions, known);
    flow.settle()?;
    Ok(flow.collect())
}

/// All instructions, numbered.
struct Text {
    words: Vec<u32>,
    /// Addresses, and the number of the first instruction.
    parts: Vec<(Range<u64>, usize)>,
}

impl Text {
    fn new(parts: &[Part<'_>]) -> Self {
        let mut text = Self {
            words: Vec::new(),
            parts: Vec::new(),
        };
        for part in parts {
            let first = text.words.len();
            text.words.extend(part.words().map(|(_, word)| word));
            let end = part.address + 4 * (text.words.len() - first) as u64;
            text.parts.push((part.address..end, first));
        }
        text
    }

    fn number(&self, address: u64) -> Option<usize> {
        let (range, first) = self
            .parts
            .iter()
            .find(|(range, _)| range.contains(&address))?;
        Some(first + ((address - range.start) / 4) as usize)
    }

    /// Instructions with their numbers and addresses, from one of them to the end of its part.
    fn from(&self, address: u64) -> impl Iterator<Item = (usize, u64, u32)> {
        let end = self
            .parts
            .iter()
            .find(|(range, _)| range.contains(&address));
        let end = end.map_or(address, |(range, _)| range.end);
        let first = self.number(address).unwrap_or(self.words.len());
        let words = self.words.iter().enumerate().skip(first);
        let words = words.zip((address..end).step_by(4));
        words.map(|((number, word), at)| (number, at, *word))
    }
}

/// How an instruction is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lead {
    /// From the instruction before it alone.
    Follows,
    /// By a jump or a branch, too.
    Target,
    /// Not from the instruction before it, which does not go on.
    Behind,
}

struct Flow<'a> {
    text: &'a Text,
    functions: &'a [Function],
    named: &'a BTreeSet<u64>,
    /// Stubs of functions that do not come back.
    endless: BTreeSet<u64>,
    /// Where stubs leave the program.
    exits: BTreeSet<u64>,
    leads: Vec<Lead>,
    /// The addresses that may be held at a place that is jumped to.
    states: BTreeMap<u64, State>,
    /// Places to be looked at, for the first time or again.
    open: BTreeSet<u64>,
}

impl<'a> Flow<'a> {
    fn new(text: &'a Text, functions: &'a [Function], known: &Known<'a>) -> Self {
        let mut flow = Self {
            text,
            functions,
            named: known.named,
            endless: BTreeSet::new(),
            exits: BTreeSet::new(),
            leads: vec![Lead::Follows; text.words.len()],
            states: BTreeMap::new(),
            open: BTreeSet::new(),
        };
        for (range, first) in &text.parts {
            let words = text.words.get(*first..).unwrap_or_default();
            for (number, at) in range.clone().step_by(4).enumerate() {
                let Some(found) = stub(words.get(number..).unwrap_or_default(), at) else {
                    continue;
                };
                flow.exits.insert(found.exit);
                if known.endless.contains(&found.slot) {
                    flow.endless.insert(at);
                }
            }
        }
        for function in functions {
            flow.lead(function.start, Lead::Behind);
        }
        for (range, _) in &text.parts {
            for (_, at, word) in text.from(range.start) {
                let step = decode(word, at);
                match step {
                    Step::Branch { target } => {
                        flow.lead(target, Lead::Target);
                        flow.lead(at + 4, Lead::Target);
                    }
                    Step::Jump { target } => flow.lead(target, Lead::Target),
                    _ => {}
                }
                if flow.ends(step) {
                    flow.lead(at + 4, Lead::Behind);
                }
            }
        }
        flow
    }

    fn lead(&mut self, address: u64, kind: Lead) {
        let place = self
            .text
            .number(address)
            .and_then(|number| self.leads.get_mut(number));
        let Some(place) = place else { return };
        if *place != Lead::Behind {
            *place = kind;
        }
        self.open.insert(address);
    }

    fn lead_at(&self, number: usize) -> Lead {
        self.leads.get(number).copied().unwrap_or(Lead::Follows)
    }

    /// True when nothing goes on behind a step.
    fn ends(&self, step: Step) -> bool {
        match step {
            Step::Jump { .. } | Step::IndirectJump | Step::End => true,
            Step::Call {
                target: Some(target),
            } => self.endless.contains(&target),
            _ => false,
        }
    }

    /// Follows all ways until nothing new is held anywhere.
    fn settle(&mut self) -> Result<(), String> {
        let text = self.text;
        while let Some(leader) = self.open.pop_first() {
            let mut state = self.states.get(&leader).cloned().unwrap_or_default();
            for (number, at, word) in text.from(leader) {
                if at != leader && self.lead_at(number) != Lead::Follows {
                    self.merge(at, &state)?;
                    break;
                }
                let step = decode(word, at);
                apply(&mut state, step, &mut |_| {});
                match step {
                    Step::Branch { target } | Step::Jump { target } => {
                        self.merge(target, &state)?
                    }
                    Step::IndirectJump if !self.exits.contains(&at) => {
                        self.merge_anywhere(at, &state)?
                    }
                    _ => {}
                }
                if self.ends(step) {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Adds a state to that of a place to which the code goes. A function that anybody may call expects nothing.
    fn merge(&mut self, place: u64, state: &State) -> Result<(), String> {
        if state.is_empty() || self.named.contains(&place) {
            return Ok(());
        }
        let known = self.states.entry(place).or_default();
        let mut rest = known.iter();
        // The search goes on from the last hit, for both lists are in order.
        if state.iter().all(|held| rest.any(|known| known == held)) {
            return Ok(());
        }
        known.extend(state);
        known.sort();
        known.dedup();
        self.open.insert(place);
        if known.len() > MOST {
            return Err(format!("the code at {place:#x} is not understood"));
        }
        Ok(())
    }

    /// Adds a state to the places where a jump by a table may end: somewhere in its function. Only places behind an end
    /// are entered here; all others have another way in, on which the same is held.
    fn merge_anywhere(&mut self, at: u64, state: &State) -> Result<(), String> {
        let behind = self.functions.partition_point(|f| f.start <= at);
        let Some(function) = behind.checked_sub(1).and_then(|i| self.functions.get(i)) else {
            return Ok(());
        };
        if state.is_empty() {
            return Ok(());
        }
        let inside = self
            .text
            .from(function.start)
            .take_while(|(_, at, _)| *at < function.end);
        let ends = inside.filter(|(number, _, _)| self.lead_at(*number) == Lead::Behind);
        let ends: Vec<u64> = ends.map(|(_, at, _)| at).collect();
        ends.into_iter()
            .try_for_each(|place| self.merge(place, state))
    }

    /// All references, by function.
    fn collect(&self) -> Vec<Vec<Reference>> {
        self.functions
            .iter()
            .map(|function| self.collect_one(function))
            .collect()
    }

    fn collect_one(&self, function: &Function) -> Vec<Reference> {
        let mut found = Vec::new();
        let mut state = State::new();
        let inside = self
            .text
            .from(function.start)
            .take_while(|(_, at, _)| *at < function.end);
        for (number, at, word) in inside {
            let lead = self.lead_at(number);
            if lead == Lead::Behind {
                state.clear();
            }
            if lead != Lead::Follows {
                state.extend(self.states.get(&at).into_iter().flatten());
                state.sort_unstable();
                state.dedup();
            }
            let mut add = |target: u64, usage| {
                if target < function.start || target >= function.end {
                    found.push(Reference { at, target, usage });
                }
            };
            let step = decode(word, at);
            if let Step::Jump { target }
            | Step::Branch { target }
            | Step::Call {
                target: Some(target),
            } = step
            {
                add(target, Use::Flow);
            }
            apply(&mut state, step, &mut |target| add(target, Use::Address));
        }
        found.dedup();
        found
    }
}

/// Where the state has what a register holds. 31 holds no address of a variable.
fn places(state: &State, register: Register) -> Range<usize> {
    if register == 31 || state.is_empty() {
        return 0..0;
    }
    let first = state.partition_point(|held| held.register < register);
    let rest = state.iter().skip(first);
    first..first + rest.take_while(|held| held.register == register).count()
}

fn addresses(state: &State, register: Register) -> impl Iterator<Item = Held> {
    let held = state.get(places(state, register)).unwrap_or_default();
    held.iter().copied()
}

/// A register gets other contents.
fn put(state: &mut State, register: Register, mut held: Vec<Held>) {
    if register == 31 || state.is_empty() && held.is_empty() {
        return;
    }
    held.iter_mut().for_each(|held| held.register = register);
    held.sort_unstable();
    held.dedup();
    let places = places(state, register);
    let place = if places.is_empty() {
        let place = state.partition_point(|held| held.register < register);
        place..place
    } else {
        places
    };
    state.splice(place, held);
}

/// The same addresses with `distance` added.
fn further(held: impl Iterator<Item = Held>, distance: i64) -> Vec<Held> {
    let deeper = held.filter(|held| held.depth < DEEPEST);
    let deeper = deeper.map(|held| Held {
        depth: held.depth + 1,
        address: held.address.wrapping_add_signed(distance),
        ..held
    });
    deeper.collect()
}

/// Changes the state as an instruction changes the registers; `used` gets the addresses that the instruction uses.
fn apply(state: &mut State, step: Step, used: &mut impl FnMut(u64)) {
    match step {
        Step::Page { to, address } => put(state, to, new(0, address)),
        Step::Address { to, address } => {
            used(address);
            // The address may also be that of a page, where the linker went round a defect of a processor.
            put(state, to, new(0, address));
        }
        Step::Add { to, from, distance } => {
            let sums = further(addresses(state, from), distance);
            sums.iter().for_each(|sum| used(sum.address));
            put(state, to, sums);
        }
        Step::Move { to, from } => {
            let held = addresses(state, from).collect();
            put(state, to, held);
        }
        Step::Choose { to, from } => {
            let held = from
                .iter()
                .flat_map(|from| addresses(state, *from))
                .collect();
            put(state, to, held);
        }
        Step::Memory {
            base,
            distance,
            updates,
            stored,
            written,
        } => {
            addresses(state, base)
                .for_each(|held| used(held.address.wrapping_add_signed(distance)));
            bare(state, &stored, used);
            if let Some(distance) = updates {
                let held = further(addresses(state, base), distance);
                put(state, base, held);
            }
            written
                .iter()
                .for_each(|register| put(state, *register, Vec::new()));
        }
        Step::Near { address, written } => {
            used(address);
            put(state, written, Vec::new());
        }
        Step::Other { read, written } => {
            bare(state, &read, used);
            put(state, written, Vec::new());
        }
        // The other registers keep their addresses, for a compiler may know that the callee does not touch them.
        Step::Call { .. } => RESULTS
            .iter()
            .for_each(|register| put(state, *register, Vec::new())),
        Step::Jump { .. } | Step::Branch { .. } | Step::IndirectJump | Step::End => {}
    }
}

fn new(depth: u8, address: u64) -> Vec<Held> {
    vec![Held {
        register: 0,
        depth,
        address,
    }]
}

/// Reports a page's address that is used as it is, without a rest.
fn bare(state: &State, registers: &[Register], used: &mut impl FnMut(u64)) {
    let held = registers
        .iter()
        .flat_map(|register| addresses(state, *register));
    held.filter(|held| held.depth == 0)
        .for_each(|held| used(held.address));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the code of the tests begins.
    const START: u64 = 0x1_0000;
    const RETURN: u32 = 0xd65f_03c0;
    const NOTHING: u32 = 0xd503_201f;
    const BY_TABLE: u32 = 0xd61f_0200;

    /// adrp: so many pages behind the code's first one.
    fn page(to: u32, pages: u32) -> u32 {
        0x9000_0000 | (pages & 3) << 29 | (pages >> 2) << 5 | to
    }
    fn add(to: u32, from: u32, amount: u32) -> u32 {
        0x9100_0000 | amount << 10 | from << 5 | to
    }
    /// ldr with the result in w30.
    fn load(base: u32, distance: u32) -> u32 {
        0xb940_001e | (distance / 4) << 10 | base << 5
    }
    /// b, by so many instructions.
    fn jump(words: i32) -> u32 {
        0x1400_0000 | words.cast_unsigned() & 0x03ff_ffff
    }
    /// cbz x30
    fn branch(words: i32) -> u32 {
        0xb400_001e | (words.cast_unsigned() & 0x7_ffff) << 5
    }
    fn call(words: i32) -> u32 {
        0x8000_0000 | jump(words)
    }

    /// Addresses that each function uses. The functions begin at the instructions `starts`; the first `named` of them
    /// have names.
    fn used(words: &[u32], starts: &[usize], named: usize) -> Vec<Vec<u64>> {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let part = Part {
            address: START,
            bytes: &bytes,
        };
        let address = |start: &usize| START + 4 * *start as u64;
        let end = words.len();
        let ends = starts.iter().skip(1).chain([&end]);
        let functions: Vec<_> = starts
            .iter()
            .zip(ends)
            .map(|(start, end)| Function {
                start: address(start),
                end: address(end),
            })
            .collect();
        let named: BTreeSet<u64> = starts.iter().take(named).map(address).collect();
        let endless = [0x1_2010].into();
        let known = Known {
            named: &named,
            endless: &endless,
        };
        let found = references(&[part], &functions, &known).unwrap();
        let addresses = |list: Vec<Reference>| {
            let list = list.into_iter().filter(|r| r.usage == Use::Address);
            let list: BTreeSet<u64> = list.map(|reference| reference.target).collect();
            list.into_iter().collect()
        };
        found.into_iter().map(addresses).collect()
    }

    fn used_by_one(words: &[u32]) -> Vec<u64> {
        used(words, &[0], 1).remove(0)
    }

    #[test]
    fn two_instructions_make_an_address() {
        assert_eq!(
            used_by_one(&[page(1, 3), load(1, 0x10), RETURN]),
            [0x1_3010]
        );
        assert_eq!(used_by_one(&[page(1, 3), add(2, 1, 8), RETURN]), [0x1_3008]);
        // The register has got another value.
        assert!(used_by_one(&[page(1, 3), page(1, 4), RETURN, load(1, 0x10)]).is_empty());
        assert_eq!(
            used_by_one(&[page(1, 3), page(1, 4), load(1, 4)]),
            [0x1_4004]
        );
    }

    #[test]
    fn addresses_are_held_over_jumps_and_calls() {
        let forward = [
            page(19, 3),
            branch(3),
            load(19, 4),
            RETURN,
            load(19, 8),
            RETURN,
        ];
        assert_eq!(used_by_one(&forward), [0x1_3004, 0x1_3008]);
        // In a loop whose first turn does not have the address.
        let back = [jump(2), load(19, 4), page(19, 3), branch(-2), RETURN];
        assert_eq!(used_by_one(&back), [0x1_3004]);
        let kept = [page(19, 3), call(3), load(19, 4), RETURN, RETURN];
        assert_eq!(used_by_one(&kept), [0x1_3004]);
        // A call overwrites the register of its result.
        assert!(used_by_one(&[page(0, 3), call(3), load(0, 4), RETURN, RETURN]).is_empty());
        // Either page may be held after a branch.
        let both = [page(1, 3), branch(2), page(1, 4), load(1, 4), RETURN];
        assert_eq!(used_by_one(&both), [0x1_3004, 0x1_4004]);
    }

    #[test]
    fn variables_are_found_from_the_first_of_their_file() {
        let words = [
            page(19, 3),
            add(19, 19, 0x100),
            branch(2),
            load(19, 0x20),
            add(0, 19, 0x40),
            RETURN,
        ];
        assert_eq!(used_by_one(&words), [0x1_3100, 0x1_3120, 0x1_3140]);
        // A pointer that goes through memory leads nowhere else.
        let endless = [
            page(0, 3),
            add(0, 0, 8),
            load(0, 0),
            add(0, 0, 4),
            branch(-2),
            RETURN,
        ];
        assert_eq!(used_by_one(&endless), [0x1_3008, 0x1_300c]);
    }

    #[test]
    fn parts_elsewhere_get_what_is_held() {
        // The second function has no name: a part of the first.
        let words = [
            page(19, 3),
            branch(3),
            RETURN,
            NOTHING,
            load(19, 4),
            jump(-3),
        ];
        assert_eq!(used(&words, &[0, 4], 1), [vec![], vec![0x1_3004]]);
        // A function with a name gets nothing but what it is given.
        assert_eq!(used(&words, &[0, 4], 2), [vec![0_u64; 0], vec![]]);
    }

    #[test]
    fn jumps_by_tables_end_in_their_function() {
        let words = [
            page(19, 3),
            BY_TABLE,
            load(19, 4),
            RETURN,
            load(19, 8),
            RETURN,
            load(19, 12),
            RETURN,
        ];
        assert_eq!(used(&words, &[0, 6], 2), [vec![0x1_3004, 0x1_3008], vec![]]);
    }

    #[test]
    fn nothing_goes_on_behind_what_does_not_come_back() {
        // The stub of a function that ends the program, with the place that the loader fills in.
        let stub = [page(16, 2), 0xf940_0a11, add(16, 16, 16), 0xd61f_0220];
        let words = [page(19, 3), call(3), load(19, 4), RETURN];
        let all = [&words[..], &stub].concat();
        assert_eq!(used(&all, &[0, 4], 1)[0], [0_u64; 0]);
        // Another one comes back.
        let other = [page(16, 2), 0xf940_0e11, add(16, 16, 24), 0xd61f_0220];
        let all = [&words[..], &other].concat();
        assert_eq!(used(&all, &[0, 4], 1)[0], [0x1_3004]);
    }

    #[test]
    fn functions_at_odd_places_are_refused() {
        let functions = [Function { start: 2, end: 6 }];
        let empty = BTreeSet::new();
        let known = Known {
            named: &empty,
            endless: &empty,
        };
        assert!(references(&[], &functions, &known).is_err());
    }
}
