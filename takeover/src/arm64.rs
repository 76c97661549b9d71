//! Instructions of AArch64, as far as they put addresses together, use them, or go elsewhere.

/// A general register; 31 is the stack pointer, or zero.
pub(crate) type Register = u8;

/// Zero as a source, nowhere as a destination.
const NONE: Register = 31;

/// The effect of an instruction, as far as it concerns addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The instruction computes: `read` and `written` are its registers.
    Other {
        read: [Register; 2],
        written: Register,
    },
    /// The first address of a page, to which others are added.
    Page { to: Register, address: u64 },
    /// An address.
    Address { to: Register, address: u64 },
    /// The sum of a register and a constant.
    Add {
        to: Register,
        from: Register,
        distance: i64,
    },
    /// The content of another register.
    Move { to: Register, from: Register },
    /// The content of one of two registers.
    Choose { to: Register, from: [Register; 2] },
    /// Memory is read or written at a register and a distance, which the register may get as well.
    Memory {
        base: Register,
        distance: i64,
        updates: Option<i64>,
        stored: [Register; 2],
        written: [Register; 2],
    },
    /// Memory is read beside the code.
    Near { address: u64, written: Register },
    /// The code goes on at `target`.
    Jump { target: u64 },
    /// The code goes on at `target` or behind the instruction.
    Branch { target: u64 },
    /// The code goes to `target` and comes back; `None` = a register says where.
    Call { target: Option<u64> },
    /// The code goes on where a register says.
    IndirectJump,
    /// The code does not go on behind the instruction.
    End,
}

/// Some bits of a word, from the lowest.
const fn bits(word: u32, from: u32, count: u32) -> u32 {
    word >> from & ((1 << count) - 1)
}

/// [`bits`] as a number with a sign.
const fn signed(word: u32, from: u32, count: u32) -> i64 {
    let shifted = (word << (32 - from - count)).cast_signed();
    (shifted >> (32 - count)) as i64
}

fn register(word: u32, from: u32) -> Register {
    bits(word, from, 5) as Register
}

/// Reads the instruction `word` that stands at `at`.
#[must_use]
pub(crate) fn decode(word: u32, at: u64) -> Step {
    match bits(word, 25, 4) {
        0b1000 | 0b1001 => constants(word, at),
        0b1010 | 0b1011 => branches(word, at),
        0b0100 | 0b0110 | 0b1100 | 0b1110 => memory(word, at),
        0b0101 | 0b1101 => registers(word),
        // Undefined instructions, which end the process.
        0b0000 => End,
        // Vectors.
        _ => nothing(),
    }
}
use Step::{
    Add, Address, Branch, Call, Choose, End, IndirectJump, Jump, Memory, Move, Near, Other, Page,
};

/// An instruction that neither reads nor writes a register that counts.
fn nothing() -> Step {
    writes(NONE)
}

fn writes(written: Register) -> Step {
    Other {
        read: [NONE; 2],
        written,
    }
}

/// A stub of the linker, by which an imported function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stub {
    /// The place that the loader fills in for the stub.
    pub slot: u64,
    /// The address of the stub's last instruction.
    pub exit: u64,
}

/// The stub that begins with these words, at this address.
#[must_use]
pub(crate) fn stub(words: &[u32], at: u64) -> Option<Stub> {
    const BTI_C: u32 = 0xd503_245f;
    let (words, at) = match words {
        [BTI_C, rest @ ..] => (rest, at + 4),
        all => (all, at),
    };
    let [first, second, third, last, ..] = words else {
        return None;
    };
    // adrp x16; ldr x17, [x16, #...]; add x16, x16, #...; br x17
    let Page { to: 16, address } = decode(*first, at) else {
        return None;
    };
    let is_stub = second & 0xffc0_03ff == 0xf940_0211
        && third & 0xffc0_03ff == 0x9100_0210
        && *last == 0xd61f_0220;
    let slot = address + (u64::from(bits(*second, 10, 12)) << 3);
    let exit = at + 12;
    is_stub.then_some(Stub { slot, exit })
}

/// True for the beginning of one of the compiler's functions for an atomic operation: a look whether the processor has
/// an instruction for the operation, and then that instruction.
#[must_use]
pub(crate) fn is_atomic_helper(words: &[u32]) -> bool {
    const X16: u32 = 16;
    const BTI_C: u32 = 0xd503_245f;
    let words = match words {
        [BTI_C, rest @ ..] => rest,
        all => all,
    };
    let [page, load, branch, operation, ..] = words else {
        return false;
    };
    // adrp x16; ldrb w16, [x16, #...]; cbz w16; cas, casp, swp, ldadd, ldclr, ldeor or ldset
    page & 0x9f00_001f == 0x9000_0000 | X16
        && load & 0xffc0_03ff == 0x3940_0000 | X16 << 5 | X16
        && branch & 0xff00_001f == 0x3400_0000 | X16
        && is_atomic(*operation)
}

fn is_atomic(word: u32) -> bool {
    let is_operation = word & 0x3f20_0c00 == 0x3820_0000;
    let is_compare = word & 0x3fa0_7c00 == 0x08a0_7c00;
    let is_compare_of_pairs = word & 0xbfa0_7c00 == 0x0820_7c00;
    is_operation || is_compare || is_compare_of_pairs
}

/// Data processing with a constant.
fn constants(word: u32, at: u64) -> Step {
    let (to, from) = (register(word, 0), register(word, 5));
    let is_64 = word >> 31 == 1;
    match bits(word, 23, 3) {
        0b000 | 0b001 => {
            let distance = signed(word, 5, 19) << 2 | i64::from(bits(word, 29, 2));
            if is_64 {
                let address = (at & !0xfff).wrapping_add_signed(distance << 12);
                Page { to, address }
            } else {
                let address = at.wrapping_add_signed(distance);
                Address { to, address }
            }
        }
        0b010 if is_64 => {
            let shift = 12 * bits(word, 22, 1);
            let amount = i64::from(bits(word, 10, 12)) << shift;
            let distance = if bits(word, 30, 1) == 1 {
                -amount
            } else {
                amount
            };
            // Destination 31 stands for a comparison, or for the stack pointer.
            Add { to, from, distance }
        }
        // Moves of constants, which read nothing.
        0b101 => writes(to),
        _ => Other {
            read: [from, NONE],
            written: to,
        },
    }
}

fn branches(word: u32, at: u64) -> Step {
    let to = |from, count| at.wrapping_add_signed(signed(word, from, count) << 2);
    if bits(word, 26, 5) == 0b00101 {
        let target = to(0, 26);
        return if word >> 31 == 1 {
            let target = Some(target);
            Call { target }
        } else {
            Jump { target }
        };
    }
    match bits(word, 24, 8) {
        // b.cond, cbz, cbnz
        0b0101_0100 | 0b0011_0100 | 0b0011_0101 | 0b1011_0100 | 0b1011_0101 => {
            Branch { target: to(5, 19) }
        }
        // tbz, tbnz
        0b0011_0110 | 0b0011_0111 | 0b1011_0110 | 0b1011_0111 => Branch { target: to(5, 14) },
        0b1101_0110 | 0b1101_0111 => match bits(word, 21, 4) {
            // br, braa
            0b0000 | 0b1000 => IndirectJump,
            // blr, blraa
            0b0001 | 0b1001 => Call { target: None },
            // ret, eret, drps
            _ => End,
        },
        // mrs
        0b1101_0101 if bits(word, 20, 2) == 0b11 => writes(register(word, 0)),
        _ => nothing(),
    }
}

/// An access to memory: a load writes the registers of `list`, a store reads them.
fn access(base: Register, distance: i64, list: [Register; 2], is_load: bool) -> Step {
    let (stored, written) = if is_load {
        ([NONE; 2], list)
    } else {
        (list, [NONE; 2])
    };
    Memory {
        base,
        distance,
        updates: None,
        stored,
        written,
    }
}

/// With what an address in a register becomes after or before the access.
fn updating(step: Step, mode: u32, distance: i64) -> Step {
    const AFTER: u32 = 0b01;
    const BEFORE: u32 = 0b11;
    let Memory {
        base,
        distance: whole,
        stored,
        written,
        ..
    } = step
    else {
        return step;
    };
    Memory {
        base,
        distance: if mode == AFTER { 0 } else { whole },
        updates: [AFTER, BEFORE].contains(&mode).then_some(distance),
        stored,
        written,
    }
}

fn memory(word: u32, at: u64) -> Step {
    let base = register(word, 5);
    let is_vector = bits(word, 26, 1) == 1;
    let first = if is_vector { NONE } else { register(word, 0) };
    match (bits(word, 27, 3), bits(word, 24, 2)) {
        (0b111, 0b01) => {
            let distance = i64::from(bits(word, 10, 12)) << scale(word, is_vector);
            access(base, distance, [loaded(word, first), NONE], is_load(word))
        }
        (0b111, _) if bits(word, 21, 1) == 0 => {
            let distance = signed(word, 12, 9);
            let step = access(base, distance, [loaded(word, first), NONE], is_load(word));
            updating(step, bits(word, 10, 2), distance)
        }
        // A second register is added: where that leads is not known, but from where it starts.
        (0b111, _) if bits(word, 10, 2) == 0b10 => {
            access(base, 0, [loaded(word, first), NONE], is_load(word))
        }
        // Atomic ones: they read a register, and write another.
        (0b111, _) => {
            let mut step = access(base, 0, [first, NONE], true);
            if let Memory { stored, .. } = &mut step {
                *stored = [register(word, 16), NONE];
            }
            step
        }
        (0b101, _) => pair(word, base, is_vector),
        // ldr with an address beside the code; ldapur and what copies memory has a base.
        (0b011, 0b00) => Near {
            address: at.wrapping_add_signed(signed(word, 5, 19) << 2),
            // prfm
            written: if word >> 30 == 0b11 { NONE } else { first },
        },
        (0b011, _) => access(
            base,
            signed(word, 12, 9),
            [first, NONE],
            bits(word, 22, 2) != 0,
        ),
        // Exclusive ones, and those in order; vectors in structures.
        _ => access(base, 0, [first, NONE], bits(word, 22, 1) == 1),
    }
}

fn is_load(word: u32) -> bool {
    bits(word, 22, 2) != 0
}

/// The register of a load or store; none for a hint to fetch.
fn loaded(word: u32, first: Register) -> Register {
    let is_hint = word >> 30 == 0b11 && bits(word, 22, 2) == 0b10;
    if is_hint { NONE } else { first }
}

/// By how many bits a distance is shifted.
fn scale(word: u32, is_vector: bool) -> u32 {
    let size = word >> 30;
    if is_vector && bits(word, 23, 1) == 1 {
        4
    } else {
        size
    }
}

fn pair(word: u32, base: Register, is_vector: bool) -> Step {
    let size = word >> 30;
    let scale = match (is_vector, size) {
        (true, _) => 2 + size,
        (false, 0b10) => 3,
        (false, _) => 2,
    };
    let distance = signed(word, 15, 7) << scale;
    let list = if is_vector {
        [NONE; 2]
    } else {
        [register(word, 0), register(word, 10)]
    };
    let step = access(base, distance, list, bits(word, 22, 1) == 1);
    updating(step, bits(word, 23, 2), distance)
}

/// Data processing with registers.
fn registers(word: u32) -> Step {
    let (to, first, second) = (register(word, 0), register(word, 5), register(word, 16));
    let is_64 = word >> 31 == 1;
    let kind = bits(word, 21, 8);
    // mov
    if is_64 && word & 0x7fe0_ffe0 == 0x2a00_03e0 {
        return Move { to, from: second };
    }
    match kind {
        // csel and its like
        0b1101_0100 if is_64 && bits(word, 29, 2) == 0 => Choose {
            to,
            from: [first, second],
        },
        // ccmp and ccmn, with flags where others have the destination
        0b1101_0010 => Other {
            read: [first, NONE],
            written: NONE,
        },
        // rmif, setf8
        0b1101_0000 if bits(word, 10, 6) != 0 => nothing(),
        _ => Other {
            read: [first, second],
            written: to,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words and texts are those of the GNU assembler.
    #[test]
    fn addresses_are_put_together() {
        let at = 0x10_1234;
        // adrp x0, .+0x5000 (page); adrp x1, page before; adr x2, .+12; adr x3, .-4
        assert_eq!(
            decode(0xb000_0020, at),
            Page {
                to: 0,
                address: 0x10_6000
            }
        );
        assert_eq!(
            decode(0xf0ff_ffe1, at),
            Page {
                to: 1,
                address: 0x10_0000
            }
        );
        assert_eq!(
            decode(0x1000_0062, at),
            Address {
                to: 2,
                address: at + 12
            }
        );
        assert_eq!(
            decode(0x10ff_ffe3, at),
            Address {
                to: 3,
                address: at - 4
            }
        );
        let add = |to, from, distance| Add { to, from, distance };
        // add x24, x24, #0xb50; sub x0, x1, #8; add x2, x3, #1, lsl #12; cmp x0, #5
        assert_eq!(decode(0x912d_4318, at), add(24, 24, 0xb50));
        assert_eq!(decode(0xd100_2020, at), add(0, 1, -8));
        assert_eq!(decode(0x9140_0462, at), add(2, 3, 4096));
        assert_eq!(decode(0xf100_141f, at), add(31, 0, -5));
        // add w0, w1, #4; mov x1, x2; mov w1, w2; csel x0, x1, x2, eq
        assert_eq!(
            decode(0x1100_1020, at),
            Other {
                read: [1, 31],
                written: 0
            }
        );
        assert_eq!(decode(0xaa02_03e1, at), Move { to: 1, from: 2 });
        assert_eq!(
            decode(0x2a02_03e1, at),
            Other {
                read: [31, 2],
                written: 1
            }
        );
        assert_eq!(
            decode(0x9a82_0020, at),
            Choose {
                to: 0,
                from: [1, 2]
            }
        );
        // mov x0, #16; ccmp x1, #3, #4, ne; mrs x5, fpcr
        assert_eq!(decode(0xd280_0200, at), writes(0));
        assert_eq!(
            decode(0xfa43_1824, at),
            Other {
                read: [1, 31],
                written: 31
            }
        );
        assert_eq!(decode(0xd53b_4405, at), writes(5));
    }
    fn used(word: u32) -> (Register, i64, Option<i64>, [Register; 2], [Register; 2]) {
        match decode(word, 0) {
            Memory {
                base,
                distance,
                updates,
                stored,
                written,
            } => (base, distance, updates, stored, written),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn memory_is_used() {
        let none = [31, 31];
        // ldr x6, [x6, #2424]; ldrb w16, [x16, #1380]; str w0, [x1, #8]; ldr q0, [x2, #32]
        assert_eq!(used(0xf944_bcc6), (6, 2424, None, none, [6, 31]));
        assert_eq!(used(0x3955_9210), (16, 1380, None, none, [16, 31]));
        assert_eq!(used(0xb900_0820), (1, 8, None, [0, 31], none));
        assert_eq!(used(0x3dc0_0840), (2, 32, None, none, none));
        // ldur x0, [x1, #-8]; ldr x0, [x1], #16; str x0, [x1, #-16]!; ldr x0, [x1, x2]
        assert_eq!(used(0xf85f_8020), (1, -8, None, none, [0, 31]));
        assert_eq!(used(0xf841_0420), (1, 0, Some(16), none, [0, 31]));
        assert_eq!(used(0xf81f_0c20), (1, -16, Some(-16), [0, 31], none));
        assert_eq!(used(0xf862_6820), (1, 0, None, none, [0, 31]));
        // ldp x29, x30, [sp, #208]; stp w1, w2, [x3, #-8]!; ldp q0, q1, [x4], #32; ldpsw x5, x6, [x7, #8]
        assert_eq!(used(0xa94d_7bfd), (31, 208, None, none, [29, 30]));
        assert_eq!(used(0x29bf_0861), (3, -8, Some(-8), [1, 2], none));
        assert_eq!(used(0xacc1_0480), (4, 0, Some(32), none, none));
        assert_eq!(used(0x6941_18e5), (7, 8, None, none, [5, 6]));
        // ldaxr w0, [x1]; stlxr w15, w17, [x1]; ldaddal w0, w2, [x1]; ldar x3, [x4]; prfm pldl1keep, [x0, #8]
        assert_eq!(used(0x885f_fc20), (1, 0, None, none, [0, 31]));
        assert_eq!(used(0x880f_fc31), (1, 0, None, [17, 31], none));
        assert_eq!(used(0xb8e0_0022), (1, 0, None, [0, 31], [2, 31]));
        assert_eq!(used(0xc8df_fc83), (4, 0, None, none, [3, 31]));
        assert_eq!(used(0xf980_0400), (0, 8, None, none, none));
        // ldr x1, .+8
        let near = decode(0x5800_0041, 0x1000);
        assert_eq!(
            near,
            Near {
                address: 0x1008,
                written: 1
            }
        );
    }

    #[test]
    fn atomic_operations_of_the_compiler_are_known() {
        let start = [0xb000_0f70, 0x3955_9210, 0x3400_0070];
        let begins = |operation| is_atomic_helper(&[&start[..], &[operation]].concat());
        // ldaddal, swpa, cas, casal, caspal; then ldr and ret
        let atomic = [
            0xb8e0_0020,
            0xf8a0_8020,
            0xc8a0_7c41,
            0x88e0_fc41,
            0x4860_fc82,
        ];
        assert!(atomic.into_iter().all(begins));
        assert!(![0xf940_0020, 0xd65f_03c0].into_iter().any(begins));
        let marked = [0xd503_245f, start[0], start[1], start[2], atomic[0]];
        assert!(is_atomic_helper(&marked));
        assert!(!is_atomic_helper(&marked[..4]));
        assert!(!is_atomic_helper(&[
            start[0], start[1], atomic[0], atomic[0]
        ]));
    }

    #[test]
    fn stubs_of_the_linker_are_known() {
        // adrp x16, .+0xa2000 (page); ldr x17, [x16, #16]; add x16, x16, #16; br x17
        let words = [0x9000_0510, 0xf940_0a11, 0x9100_4210, 0xd61f_0220];
        let (slot, exit) = (0xa_2010, 0x200c);
        assert_eq!(stub(&words, 0x2000), Some(Stub { slot, exit }));
        let marked = [&[0xd503_245f][..], &words].concat();
        assert_eq!(stub(&marked, 0x1ffc), Some(Stub { slot, exit }));
        assert_eq!(stub(&words[..3], 0x2000), None);
        assert_eq!(
            stub(&[words[0], words[1], words[2], 0xd65f_03c0], 0x2000),
            None
        );
    }

    #[test]
    fn the_flow_is_followed() {
        let at = 0x1000;
        // b .+8; bl .-4; b.ne .+16; cbz x0, .+8; cbnz w1, .-8; tbnz w22, #4, .+52
        assert_eq!(decode(0x1400_0002, at), Jump { target: 0x1008 });
        assert_eq!(
            decode(0x97ff_ffff, at),
            Call {
                target: Some(0xffc)
            }
        );
        assert_eq!(decode(0x5400_0081, at), Branch { target: 0x1010 });
        assert_eq!(decode(0xb400_0040, at), Branch { target: 0x1008 });
        assert_eq!(decode(0x35ff_ffc1, at), Branch { target: 0xff8 });
        assert_eq!(decode(0x3720_01b6, at), Branch { target: 0x1034 });
        // tbz x1, #40, .+8
        assert_eq!(decode(0xb640_0041, at), Branch { target: 0x1008 });
        // br x16; blr x1; ret; retaa; udf #0; nop
        assert_eq!(decode(0xd61f_0200, at), IndirectJump);
        assert_eq!(decode(0xd63f_0020, at), Call { target: None });
        assert_eq!(decode(0xd65f_03c0, at), End);
        assert_eq!(decode(0xd65f_0bff, at), End);
        assert_eq!(decode(0, at), End);
        assert_eq!(decode(0xd503_201f, at), nothing());
    }
}
