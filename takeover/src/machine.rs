//! Differences of the processors where code is replaced: how a function begins, how a jump is written and how far it
//! goes.

/// A processor whose code can be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// x86-64.
    Amd64,
    /// AArch64, little-endian.
    Arm64,
}

/// Octets of a place in the table of jumps.
pub const PLACE: usize = 16;

/// Where an instruction with a mark for indirect jumps stands, another may follow at once.
pub const LANDING: usize = 4;

/// `endbr64`.
const ENDBR64: [u8; LANDING] = [0xf3, 0x0f, 0x1e, 0xfa];
/// `bti c`.
const BTI_C: [u8; LANDING] = 0xd503_245f_u32.to_le_bytes();
/// `bti jc`, `paciasp` and `pacibsp`: they let calls in as `bti c` does.
const OTHER_LANDINGS: [[u8; LANDING]; 3] = [
    0xd503_24df_u32.to_le_bytes(),
    0xd503_233f_u32.to_le_bytes(),
    0xd503_237f_u32.to_le_bytes(),
];

impl Machine {
    /// The processor that this file was built for.
    pub const OWN: Self = if cfg!(target_arch = "aarch64") {
        Self::Arm64
    } else {
        Self::Amd64
    };

    /// The mark of a place that may be jumped to from anywhere, as a replaced function begins with it.
    #[must_use]
    pub fn landing(self) -> [u8; LANDING] {
        match self {
            Self::Amd64 => ENDBR64,
            Self::Arm64 => BTI_C,
        }
    }

    /// True when code begins with such a mark. On arm64 what signs the return address is one, too: the replaced
    /// function must not sign it, for nobody would check it.
    #[must_use]
    pub fn lands(self, code: &[u8]) -> bool {
        let Some(first) = code.first_chunk::<LANDING>() else {
            return false;
        };
        *first == self.landing() || self == Self::Arm64 && OTHER_LANDINGS.contains(first)
    }

    /// Octets of a jump.
    #[must_use]
    pub fn jump_size(self) -> u64 {
        match self {
            Self::Amd64 => 5,
            Self::Arm64 => 4,
        }
    }

    /// The longest way of a jump, in both directions, octets.
    #[must_use]
    pub fn reach(self) -> usize {
        match self {
            Self::Amd64 => 1 << 31,
            Self::Arm64 => 1 << 27,
        }
    }

    /// The jump at `from` to `to`; `None` when that is out of reach.
    #[must_use]
    pub fn jump(self, from: usize, to: usize) -> Option<Vec<u8>> {
        match self {
            Self::Amd64 => {
                let behind = from.checked_add(5)?;
                let distance = i32::try_from(to as i64 - behind as i64).ok()?;
                let mut jump = vec![0xe9];
                jump.extend(distance.to_le_bytes());
                Some(jump)
            }
            Self::Arm64 => {
                let distance = to as i64 - from as i64;
                let reach = self.reach() as i64;
                if distance % 4 != 0 || !(-reach..reach).contains(&distance) {
                    return None;
                }
                // b
                let word = 0x1400_0000 | (distance / 4) as u32 & 0x03ff_ffff;
                Some(word.to_le_bytes().to_vec())
            }
        }
    }

    /// A place of the table: a jump to anywhere.
    #[must_use]
    pub fn far_jump(self, target: usize) -> [u8; PLACE] {
        let code: &[u8] = match self {
            // jmp *(behind this instruction)
            Self::Amd64 => &[0xff, 0x25, 0, 0, 0, 0],
            // ldr x16, (behind these two); br x16. The linker's own stubs may use x16, so may this; a jump through it
            // may end at `bti c`.
            Self::Arm64 => &[0x50, 0, 0, 0x58, 0x00, 0x02, 0x1f, 0xd6],
        };
        let mut place = [0; PLACE];
        let whole = code.iter().copied().chain(target.to_le_bytes());
        let rest = std::iter::repeat(self.trap()).flatten().copied();
        for (octet, value) in place.iter_mut().zip(whole.chain(rest)) {
            *octet = value;
        }
        place
    }

    /// An instruction that ends the process.
    #[must_use]
    pub fn trap(self) -> &'static [u8] {
        match self {
            // int3
            Self::Amd64 => &[0xcc],
            // brk #0
            Self::Arm64 => &[0x00, 0x00, 0x20, 0xd4],
        }
    }

    /// Fills code with that instruction.
    pub fn fill_with_traps(self, code: &mut [u8]) {
        let traps = self.trap().iter().copied().cycle();
        for (octet, trap) in code.iter_mut().zip(traps) {
            *octet = trap;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jumps_are_those_of_the_assembler() {
        let (amd64, arm64) = (Machine::Amd64, Machine::Arm64);
        assert_eq!(
            amd64.jump(0x1000, 0x2000).unwrap(),
            [0xe9, 0xfb, 0x0f, 0, 0]
        );
        // b .+0x1000; b .-4
        assert_eq!(
            arm64.jump(0x1000, 0x2000).unwrap(),
            [0x00, 0x04, 0x00, 0x14]
        );
        assert_eq!(
            arm64.jump(0x1004, 0x1000).unwrap(),
            [0xff, 0xff, 0xff, 0x17]
        );
    }

    #[test]
    fn jumps_end_where_their_instruction_does() {
        for machine in [Machine::Amd64, Machine::Arm64] {
            let (reach, from) = (machine.reach(), 1 << 40);
            let size = if machine == Machine::Amd64 { 5 } else { 0 };
            assert!(machine.jump(from, from + size - reach).is_some());
            assert!(machine.jump(from, from + size - reach - 4).is_none());
            assert!(machine.jump(from, from + size + reach - 4).is_some());
            assert!(machine.jump(from, from + size + reach).is_none());
        }
        // There is no instruction at an odd address.
        assert!(Machine::Arm64.jump(0x1000, 0x1002).is_none());
    }

    #[test]
    fn places_hold_their_target() {
        let target = 0x1122_3344_5566_7788;
        let place = Machine::Amd64.far_jump(target);
        assert_eq!(place[..6], [0xff, 0x25, 0, 0, 0, 0]);
        assert_eq!(place[6..14], target.to_le_bytes());
        assert_eq!(place[14..], [0xcc, 0xcc]);
        let place = Machine::Arm64.far_jump(target);
        assert_eq!(place[..4], 0x5800_0050_u32.to_le_bytes());
        assert_eq!(place[4..8], 0xd61f_0200_u32.to_le_bytes());
        assert_eq!(place[8..], target.to_le_bytes());
    }

    #[test]
    fn marks_are_known() {
        let arm64 = |word: u32| Machine::Arm64.lands(&word.to_le_bytes());
        // bti c, bti jc, paciasp, pacibsp
        assert!(
            [0xd503_245f, 0xd503_24df, 0xd503_233f, 0xd503_237f]
                .into_iter()
                .all(arm64)
        );
        // bti j lets no calls in; nop
        assert!(![0xd503_249f, 0xd503_201f].into_iter().any(arm64));
        assert!(Machine::Amd64.lands(&[0xf3, 0x0f, 0x1e, 0xfa, 0x90]));
        assert!(!Machine::Amd64.lands(&[0xf3, 0x0f, 0x1e]));
    }
}
