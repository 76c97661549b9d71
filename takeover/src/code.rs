//! What each function of a program refers to, read from its instructions.

use std::collections::BTreeSet;

use iced_x86::{Decoder, DecoderOptions, Instruction, OpKind};

use crate::elf::Segment;

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
    /// It goes there.
    Flow,
    /// It reads, writes or takes it.
    Address,
}

/// An instruction that needs an address outside its own function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The address of the instruction.
    pub at: u64,
    /// What it refers to.
    pub target: u64,
    /// How.
    pub usage: Use,
}

/// All code of a program.
#[derive(Debug)]
pub struct Code {
    functions: Vec<Function>,
    references: Vec<Vec<Reference>>,
}

impl Code {
    /// Reads the instructions of `bytes`, the content of `segment`. The functions begin at `starts`.
    ///
    /// # Errors
    /// When something between the first function and the end is not an instruction.
    pub fn read(segment: Segment, bytes: &[u8], starts: &BTreeSet<u64>) -> Result<Self, String> {
        let starts: Vec<u64> = starts
            .iter()
            .copied()
            .filter(|s| segment.contains(*s))
            .collect();
        let ends = starts.iter().skip(1).copied();
        let ends = ends.chain([segment.address + segment.file_size]);
        let functions = starts.iter().copied().zip(ends);
        let functions: Vec<_> = functions
            .map(|(start, end)| Function { start, end })
            .collect();
        let references = functions
            .iter()
            .map(|function| {
                let from = usize::try_from(function.start - segment.address).ok()?;
                let to = usize::try_from(function.end - segment.address).ok()?;
                Some((*function, bytes.get(from..to)?))
            })
            .map(|part| part.ok_or_else(|| "a function outside the code".to_owned()))
            .map(|part| part.and_then(|(function, bytes)| references(function, bytes)))
            .collect::<Result<Vec<_>, _>>()?;
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

    /// What a function refers to, in the order of its instructions.
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

/// What the instructions of one function refer to outside of it.
fn references(function: Function, bytes: &[u8]) -> Result<Vec<Reference>, String> {
    let mut decoder = Decoder::with_ip(64, bytes, function.start, DecoderOptions::NONE);
    let mut instruction = Instruction::default();
    let mut list = Vec::new();
    while decoder.can_decode() {
        decoder.decode_out(&mut instruction);
        if instruction.is_invalid() {
            // Behind the last function of a section the linker fills with zeros, which may end in half an instruction.
            let rest = (instruction.ip() - function.start) as usize;
            let mut rest = bytes.get(rest..).unwrap_or_default().iter();
            if rest.all(|&octet| octet == 0) {
                break;
            }
            return Err(format!(
                "the code at {:#x} is not understood",
                instruction.ip()
            ));
        }
        let at = instruction.ip();
        let mut add = |target: u64, usage| {
            if target < function.start || target >= function.end {
                list.push(Reference { at, target, usage });
            }
        };
        if instruction.op_count() > 0 && instruction.op0_kind() == OpKind::NearBranch64 {
            add(instruction.near_branch64(), Use::Flow);
        }
        if instruction.is_ip_rel_memory_operand() {
            add(instruction.ip_rel_memory_address(), Use::Address);
        }
    }
    Ok(list)
}
