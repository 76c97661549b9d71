//! Which functions of a Kamailio are to be replaced, and whether that is safe. All of it comes from the program's file,
//! and nothing is changed here.
//!
//! The functions of the three DNS files are known by name. Static functions of these files, and parts that the compiler
//! split off, are those that the known functions alone refer to, for no other code can name them. So none of this code
//! runs once the beginnings of the functions lead elsewhere, if:
//!
//! * nobody outside refers to anything but the beginnings: neither to the middle of a function nor to one without a
//!   name;
//! * nobody outside refers to their static variables: that would be an inlined copy of their code;
//! * each function that the core calls is referred to by somebody outside: else its calls were inlined.

use std::collections::{BTreeMap, BTreeSet};

use crate::arm64::is_atomic_helper;
use crate::code::{Code, Function, Part, Reference, Use};
use crate::elf::{FUNCTION, Image, Relocation, Segment, Symbol};
use crate::flow::Known;
use crate::machine::{LANDING, Machine};
use crate::names::{
    ATOMIC_LOCKS, ENDLESS, FAMILIES, FOREIGN_FLAGS, FUNCTIONS, Family, NEEDED_FLAGS,
    SHARED_VARIABLES, family, is_due,
};

/// Why a Kamailio is left alone: the end of a line for the log.
pub type Refusal = String;

/// The function that tells the layout of a handle: the probe takes each of its private variables in turn for the
/// cache's table.
const RESOLVE: &str = "dns_sip_resolve";

/// A function to replace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The function's name.
    pub name: &'static str,
    /// The function's first address, as the file counts.
    pub address: u64,
    /// Where the jump is written: behind the landing mark, if there is one.
    pub jump: u64,
}

/// What a takeover changes in a Kamailio.
#[derive(Debug)]
pub struct Plan {
    /// The Kamailio's version, such as `5.6.3`.
    pub version: String,
    /// The family of that version.
    pub family: Family,
    /// The functions to replace.
    pub entries: Vec<Entry>,
    /// All code of the replaced functions and of those without a name that belong to them: addresses as the file
    /// counts. Nothing of it runs any more.
    pub unused: Vec<Function>,
    /// Static variables of the replaced functions that `dns_sip_resolve()` uses, in the order of its instructions.
    pub private_variables: Vec<u64>,
    /// The part of the file with the code.
    pub code: Segment,
    /// The processor that the program is built for.
    pub machine: Machine,
    /// The loader has calls through pointers end at marks only.
    pub is_guarded: bool,
}

impl Plan {
    /// Where a function begins, if it is one to replace.
    #[must_use]
    pub fn address(&self, name: &str) -> Option<u64> {
        let found = self.entries.iter().find(|entry| entry.name == name);
        found.map(|entry| entry.address)
    }
}

/// The symbols of a program by name.
type Names<'a> = BTreeMap<&'a str, Symbol<'a>>;

/// True when a program is a Kamailio, whatever else it may be.
#[must_use]
pub fn is_kamailio(names: &[Symbol<'_>]) -> bool {
    let has = |name| names.iter().any(|s| s.name == name && s.is_defined);
    ["core_cfg", "ver_flags", "ver_version", "default_core_cfg"]
        .into_iter()
        .all(has)
}

/// Works out what to do in a Kamailio.
///
/// # Errors
/// When it is not as expected, and why.
pub fn plan(image: &Image<'_>) -> Result<Plan, Refusal> {
    if !image.has_loader || !image.is_relocatable {
        return Err("its executable is static, or not position-independent".to_owned());
    }
    let symbols = image.symbols()?;
    if !is_kamailio(&symbols) {
        return Err("this is no Kamailio, or it does not export its symbols".to_owned());
    }
    let names: Names<'_> = symbols
        .iter()
        .filter(|symbol| symbol.is_defined)
        .map(|symbol| (symbol.name, *symbol))
        .collect();
    let (version, flags) = identity(image, &names)?;
    let family = family(version).ok_or_else(|| unknown_version(version))?;
    check_atomics(&names)?;
    let found = functions(&names, family, &flags)?;
    let code = image.code()?;
    let whole = Whole::read(image, &symbols, &found)?;
    whole.check_ways_in()?;
    whole.check_inlined(&names)?;
    let entries = found
        .iter()
        .map(|(name, symbol)| entry(image, name, symbol))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Plan {
        version: version.to_owned(),
        family,
        unused: whole.ours(),
        private_variables: whole.variables_of(RESOLVE),
        entries,
        code,
        machine: image.machine,
        is_guarded: image.is_guarded(),
    })
}

/// Refuses where references are counted under locks that the library does not take (COMPAT.md).
fn check_atomics(names: &Names<'_>) -> Result<(), Refusal> {
    let is_lock = |name: &&str| names.contains_key(name);
    if ATOMIC_LOCKS.iter().any(is_lock) {
        return Err("on this machine it counts references under locks of its own, which 6.1 and later do not on arm64".to_owned());
    }
    Ok(())
}

fn unknown_version(version: &str) -> Refusal {
    let known = FAMILIES.map(|(major, minor)| format!("{major}.{minor}"));
    format!(
        "Kamailio {version} is not known; known are {}",
        known.join(", ")
    )
}

/// Version and flags.
fn identity<'a>(image: &Image<'a>, names: &Names<'_>) -> Result<(&'a str, Vec<&'a str>), Refusal> {
    let text = |name: &str| {
        let symbol = names.get(name);
        symbol
            .and_then(|symbol| image.text(symbol))
            .ok_or_else(|| format!("{name} cannot be read"))
    };
    let version = text("ver_version")?;
    let flags: Vec<_> = text("ver_flags")?
        .split([',', ' '])
        .filter(|f| !f.is_empty())
        .collect();
    if let Some(flag) = NEEDED_FLAGS.into_iter().find(|flag| !flags.contains(flag)) {
        return Err(format!("this Kamailio was built without {flag}"));
    }
    if let Some(flag) = FOREIGN_FLAGS.into_iter().find(|flag| flags.contains(flag)) {
        return Err(format!("this Kamailio was built with {flag}"));
    }
    Ok((version, flags))
}

/// The functions that there are, after a look whether all are there that must be.
fn functions<'a>(
    names: &Names<'a>,
    family: Family,
    flags: &[&str],
) -> Result<Vec<(&'static str, Symbol<'a>)>, Refusal> {
    let mut found = Vec::new();
    for (name, presence, _) in FUNCTIONS {
        match names.get(name) {
            Some(symbol) if symbol.kind == FUNCTION => found.push((name, *symbol)),
            Some(_) => return Err(format!("{name} is no function")),
            None if is_due(presence, family, flags) => {
                return Err(format!(
                    "{name}() is missing: this Kamailio was linked with the library, or without its own DNS files"
                ));
            }
            None => {}
        }
    }
    if let Some(name) = SHARED_VARIABLES
        .into_iter()
        .find(|name| !names.contains_key(name))
    {
        return Err(format!("the variable {name} is missing"));
    }
    Ok(found)
}

fn entry(image: &Image<'_>, name: &'static str, symbol: &Symbol<'_>) -> Result<Entry, Refusal> {
    let machine = image.machine;
    let mark = LANDING as u64;
    let lands = image
        .at(symbol.address, mark)
        .is_some_and(|start| machine.lands(start));
    let jump = symbol.address + if lands { mark } else { 0 };
    if symbol.address + symbol.size < jump + machine.jump_size() {
        return Err(format!(
            "{name}() has {} octets, too few for a jump",
            symbol.size
        ));
    }
    let address = symbol.address;
    Ok(Entry {
        name,
        address,
        jump,
    })
}

/// The program as functions and what they refer to.
struct Whole<'a> {
    code: Code,
    relocations: Vec<Relocation<'a>>,
    /// The functions to replace, by their number in `code`.
    replaced: BTreeMap<usize, &'static str>,
    /// Functions without a name that these refer to, and so on.
    private: BTreeSet<usize>,
    /// Static variables that these use.
    variables: BTreeSet<u64>,
}

impl<'a> Whole<'a> {
    fn read(
        image: &Image<'a>,
        symbols: &[Symbol<'_>],
        found: &[(&'static str, Symbol<'_>)],
    ) -> Result<Self, Refusal> {
        let named: Vec<_> = symbols
            .iter()
            .filter(|symbol| symbol.is_defined && symbol.kind == FUNCTION)
            .collect();
        let mut starts = image.function_starts()?;
        let callable: BTreeSet<u64> = named.iter().map(|symbol| symbol.address).collect();
        starts.extend(&callable);
        let parts = image.instructions()?;
        // The linker's own code is in no table of functions.
        starts.extend(parts.iter().map(|part| part.address));
        let relocations = image.relocations()?;
        let known = Known {
            named: &callable,
            endless: &endless(&relocations),
        };
        let code = Code::read(image.machine, &parts, &starts, &known)?;
        let number = |address| {
            code.function_at(address)
                .ok_or("a function outside the code")
        };
        let named = named.iter().map(|symbol| number(symbol.address));
        let named = named.collect::<Result<BTreeSet<_>, _>>()?;
        let mut replaced = BTreeMap::new();
        for (name, symbol) in found {
            replaced.insert(number(symbol.address)?, *name);
        }
        let mut foreign = stubs(image, &code, &relocations);
        foreign.extend(&named);
        if image.machine == Machine::Arm64 {
            foreign.extend(helpers(&parts, &code));
        }
        let private = private(&code, &replaced, &foreign);
        let mut whole = Self {
            code,
            relocations,
            replaced,
            private,
            variables: BTreeSet::new(),
        };
        whole.variables = whole.private_variables(image, symbols);
        Ok(whole)
    }

    fn is_ours(&self, number: usize) -> bool {
        self.replaced.contains_key(&number) || self.private.contains(&number)
    }

    fn ours(&self) -> Vec<Function> {
        let numbers = self.replaced.keys().chain(&self.private);
        numbers
            .filter_map(|number| self.code.function(*number))
            .collect()
    }

    /// Variables without a name that our functions use.
    fn private_variables(&self, image: &Image<'_>, symbols: &[Symbol<'_>]) -> BTreeSet<u64> {
        let is_variable = |address| image.segment(address).is_some_and(|s| s.is_writable());
        // Places that the loader fills in are no variables: they are constant, and the linker shares them among files.
        let constant: BTreeSet<u64> = self.relocations.iter().map(|r| r.place).collect();
        let named: Vec<_> = symbols
            .iter()
            .filter(|symbol| symbol.is_defined && symbol.kind != FUNCTION)
            .map(|symbol| symbol.address..symbol.address + symbol.size.max(1))
            .collect();
        let numbers = self.replaced.keys().chain(&self.private);
        let used = numbers.flat_map(|&number| self.code.references(number));
        used.filter(|reference| reference.usage == Use::Address)
            .map(|reference| reference.target)
            .filter(|target| is_variable(*target) && !constant.contains(target))
            .filter(|target| !named.iter().any(|range| range.contains(target)))
            .collect()
    }

    /// Refuses when code outside, or a pointer in memory, leads past the beginnings.
    fn check_ways_in(&self) -> Result<(), Refusal> {
        for number in (0..self.code.len()).filter(|number| !self.is_ours(*number)) {
            for reference in self.code.references(number) {
                self.check_way(reference.target, reference.at)?;
            }
        }
        for relocation in self.relocations.iter().filter(|r| r.symbol.is_none()) {
            self.check_way(relocation.addend, relocation.place)?;
        }
        Ok(())
    }

    fn check_way(&self, target: u64, from: u64) -> Result<(), Refusal> {
        let Some(number) = self.code.function_at(target).filter(|n| self.is_ours(*n)) else {
            return Ok(());
        };
        let is_start = self
            .code
            .function(number)
            .is_some_and(|f| f.start == target);
        match self.replaced.get(&number) {
            Some(_) if is_start => Ok(()),
            Some(name) => Err(format!("the middle of {name}() is reached from {from:#x}")),
            None => Err(format!(
                "a static function of the DNS files at {target:#x} is reached from {from:#x}"
            )),
        }
    }

    /// Refuses when code of the three files was inlined into others.
    fn check_inlined(&self, names: &Names<'_>) -> Result<(), Refusal> {
        let mut reached = BTreeSet::new();
        for number in (0..self.code.len()).filter(|number| !self.is_ours(*number)) {
            for reference in self.code.references(number) {
                if self.variables.contains(&reference.target) {
                    let at = reference.at;
                    return Err(format!(
                        "code of the DNS files was inlined into other code, at {at:#x}"
                    ));
                }
                reached.extend(self.code.function_at(reference.target));
            }
        }
        for relocation in &self.relocations {
            let base = relocation.symbol.map_or(0, |symbol| symbol.address);
            reached.extend(self.code.function_at(base.wrapping_add(relocation.addend)));
        }
        for (name, _, _) in FUNCTIONS.iter().filter(|(_, _, is_called)| *is_called) {
            let number = names
                .get(name)
                .and_then(|symbol| self.code.function_at(symbol.address));
            if number.is_some_and(|number| !reached.contains(&number)) {
                return Err(format!(
                    "nobody calls {name}(): its code was inlined into other code"
                ));
            }
        }
        Ok(())
    }

    /// The private variables that a function uses, or a private function that it refers to, in order.
    fn variables_of(&self, name: &str) -> Vec<u64> {
        let Some((&number, _)) = self.replaced.iter().find(|(_, found)| **found == name) else {
            return Vec::new();
        };
        let direct = self.code.references(number);
        let inner = direct
            .iter()
            .filter_map(|r| self.code.function_at(r.target));
        let inner = inner.filter(|number| self.private.contains(number));
        let mut list = Vec::new();
        for number in [number].into_iter().chain(inner) {
            for reference in self.code.references(number) {
                let target = reference.target;
                if self.variables.contains(&target) && !list.contains(&target) {
                    list.push(target);
                }
            }
        }
        list
    }
}

/// Functions that do nothing but jump to what is imported: the linker's tables, which belong to all files.
fn stubs(image: &Image<'_>, code: &Code, relocations: &[Relocation<'_>]) -> BTreeSet<usize> {
    let imported = relocations
        .iter()
        .filter(|r| r.symbol.is_some_and(|s| !s.is_defined));
    let mut imported: BTreeSet<u64> = imported.map(|r| r.place).collect();
    imported.extend(image.loader_words());
    let is_import = |r: &Reference| r.usage == Use::Address && imported.contains(&r.target);
    let is_stub = |number: &usize| {
        let references = code.references(*number);
        !references.is_empty() && references.iter().all(is_import)
    };
    (0..code.len()).filter(is_stub).collect()
}

/// Where the loader puts the addresses of imported functions that do not come back.
fn endless(relocations: &[Relocation<'_>]) -> BTreeSet<u64> {
    let is_endless = |name: &str| ENDLESS.contains(&name);
    let of_them = relocations
        .iter()
        .filter(|r| r.symbol.is_some_and(|s| is_endless(s.name)));
    of_them.map(|relocation| relocation.place).collect()
}

/// The compiler's functions for atomic operations, which all files share.
fn helpers(parts: &[Part<'_>], code: &Code) -> Vec<usize> {
    let words = |number: &usize| {
        let function = code.function(*number)?;
        let part = parts.iter().find(|part| part.contains(function.start))?;
        let words = part.words_from(function.start).map(|(_, word)| word);
        Some(words.take(5).collect::<Vec<_>>())
    };
    let is_helper = |number: &usize| words(number).is_some_and(|words| is_atomic_helper(&words));
    (0..code.len()).filter(is_helper).collect()
}

/// Functions that are not foreign and that the replaced ones refer to, those that these refer to, and so on.
fn private(
    code: &Code,
    replaced: &BTreeMap<usize, &'static str>,
    foreign: &BTreeSet<usize>,
) -> BTreeSet<usize> {
    let mut private = BTreeSet::new();
    let mut open: Vec<usize> = replaced.keys().copied().collect();
    while let Some(number) = open.pop() {
        for reference in code.references(number) {
            let Some(target) = code.function_at(reference.target) else {
                continue;
            };
            if !foreign.contains(&target) && private.insert(target) {
                open.push(target);
            }
        }
    }
    private
}
