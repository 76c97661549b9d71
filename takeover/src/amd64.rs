//! The references of instructions of x86-64.

use iced_x86::{Decoder, DecoderOptions, Instruction, OpKind};

use crate::code::{Function, Part, Reference, Use};

/// The references of each function to addresses outside of it.
pub(crate) fn references(
    parts: &[Part<'_>],
    functions: &[Function],
) -> Result<Vec<Vec<Reference>>, String> {
    let bytes = |function: &Function| {
        let part = parts.iter().find(|part| part.contains(function.start));
        part.and_then(|part| part.between(function.start, function.end))
    };
    functions
        .iter()
        .map(|function| {
            let bytes = bytes(function).ok_or("a function outside the code")?;
            of_one(*function, bytes)
        })
        .collect()
}

/// The references of a function to addresses outside of it.
fn of_one(function: Function, bytes: &[u8]) -> Result<Vec<Reference>, String> {
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
