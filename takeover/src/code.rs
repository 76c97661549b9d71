//! The addresses that each function of a program refers to, read from its instructions.

use std::collections::BTreeSet;

use crate::amd64;
use crate::flow::{self, Known};
use crate::machine::Machine;

/// A run of instructions, with nothing else between them.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// First address.
    pub address: u64,
    /// The instructions as octets.
    pub bytes: &'a [u8],
}

impl<'a> Part<'a> {
    /// True when an address lies in it.
    #[must_use]
    pub fn contains(&self, address: u64) -> bool {
        (self.address..self.end()).contains(&address)
    }

    fn end(&self) -> u64 {
        self.address + self.bytes.len() as u64
    }

    /// The octets between two addresses.
    #[must_use]
    pub fn between(&self, from: u64, to: u64) -> Option<&'a [u8]> {
        let start = usize::try_from(from.checked_sub(self.address)?).ok()?;
        let end = usize::try_from(to.checked_sub(self.address)?).ok()?;
        self.bytes.get(start..end)
    }

    /// The words of four octets with their addresses, from one of them on.
    pub fn words_from(&self, from: u64) -> impl Iterator<Item = (u64, u32)> + use<'a> {
        let rest = self.between(from, self.end()).unwrap_or_default();
        let words = rest
            .chunks_exact(4)
            .filter_map(|word| Some(u32::from_le_bytes(*word.first_chunk()?)));
        (from..).step_by(4).zip(words)
    }

    /// All of them.
    pub fn words(&self) -> impl Iterator<Item = (u64, u32)> + use<'a> {
        self.words_from(self.address)
    }
}

/// A function, or a part of one that the compiler put elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function {
    /// First address.
    pub start: u64,
    /// Address behind it.
    pub end: u64,
}

/// Why a function needs an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// A jump, branch or call goes there.
    Flow,
    /// An instruction reads or writes at the address, or takes the address.
    Address,
}

/// An instruction that needs an address outside its own function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The address of the instruction.
    pub at: u64,
    /// The address that the instruction needs.
    pub target: u64,
    /// How the instruction uses that address.
    pub usage: Use,
}

/// All code of a program.
#[derive(Debug)]
pub struct Code {
    functions: Vec<Function>,
    references: Vec<Vec<Reference>>,
}

impl Code {
    /// Reads the instructions of `parts`. The functions begin at `starts`.
    ///
    /// # Errors
    /// When something between the first function and the end is not an instruction.
    pub(crate) fn read(
        machine: Machine,
        parts: &[Part<'_>],
        starts: &BTreeSet<u64>,
        known: &Known<'_>,
    ) -> Result<Self, String> {
        let functions: Vec<_> = parts
            .iter()
            .flat_map(|part| functions(part, starts))
            .collect();
        let references = match machine {
            Machine::Amd64 => amd64::references(parts, &functions),
            Machine::Arm64 => flow::references(parts, &functions, known),
        }?;
        Ok(Self {
            functions,
            references,
        })
    }

    /// The number of the function that an address lies in.
    #[must_use]
    pub fn function_at(&self, address: u64) -> Option<usize> {
        let behind = self.functions.partition_point(|f| f.start <= address);
        let number = behind.checked_sub(1)?;
        let found = self.functions.get(number)?;
        (address < found.end).then_some(number)
    }

    /// A function by its number.
    #[must_use]
    pub fn function(&self, number: usize) -> Option<Function> {
        self.functions.get(number).copied()
    }

    /// The references of a function, in the order of its instructions.
    #[must_use]
    pub fn references(&self, number: usize) -> &[Reference] {
        self.references.get(number).map_or(&[], Vec::as_slice)
    }

    /// Number of functions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.functions.len()
    }

    /// True when there is no code.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }
}

/// The functions in a part: each goes on to the next.
fn functions(part: &Part<'_>, starts: &BTreeSet<u64>) -> Vec<Function> {
    let inside: Vec<u64> = starts.range(part.address..part.end()).copied().collect();
    let ends = inside.iter().skip(1).copied().chain([part.end()]);
    let functions = inside.iter().copied().zip(ends);
    functions
        .map(|(start, end)| Function { start, end })
        .collect()
}
