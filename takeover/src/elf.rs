//! An ELF file as far as it is needed: segments, symbols, relocations, where functions begin. No field is trusted: one
//! that points outside the file is an error, not a crash.

use std::collections::BTreeSet;

use crate::code::Part;
use crate::machine::Machine;

/// Why a file cannot be read.
pub type Malformed = &'static str;

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const PT_GNU_EH_FRAME: u32 = 0x6474_e550;
const PT_GNU_PROPERTY: u32 = 0x6474_e553;
const PF_X: u32 = 1;
const PF_W: u32 = 2;
const ET_EXEC: u16 = 2;
const ET_DYN: u16 = 3;

const DT_PLTGOT: u64 = 3;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_RELA: u64 = 7;
const DT_RELASZ: u64 = 8;
const DT_STRSZ: u64 = 10;
const DT_INIT: u64 = 12;
const DT_FINI: u64 = 13;
const DT_TEXTREL: u64 = 22;
const DT_JMPREL: u64 = 23;
const DT_PLTRELSZ: u64 = 2;
const DT_RELRSZ: u64 = 35;
const DT_RELR: u64 = 36;
const DT_GNU_HASH: u64 = 0x6fff_fef5;

/// Octets of a symbol, and of a relocation.
const SYMBOL: u64 = 24;
const RELOCATION: u64 = 24;

/// Relocations that put an address into memory, by the processor: relative, absolute, of data, of a jump.
struct Kinds {
    relative: u32,
    absolute: [u32; 3],
}

const X86_64: u16 = 62;
const AARCH64: u16 = 183;
const X86_64_KINDS: Kinds = Kinds {
    relative: 8,
    absolute: [1, 6, 7],
};
const AARCH64_KINDS: Kinds = Kinds {
    relative: 1027,
    absolute: [257, 1025, 1026],
};

/// Octets of a section's description.
const SECTION: u64 = 64;
/// A section with instructions.
const SHF_EXECINSTR: u64 = 4;
/// Properties of the processor, of which bit 0 says that indirect jumps end at marks.
const FEATURES_OF_AARCH64: u64 = 0xc000_0000;

/// Function, as the type of a symbol.
pub const FUNCTION: u8 = 2;
/// Variable, as the type of a symbol.
pub const OBJECT: u8 = 1;

/// A part of the file that is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// First address, as the file counts.
    pub address: u64,
    /// Where it lies in the file.
    pub offset: u64,
    /// Octets in the file.
    pub file_size: u64,
    /// Octets in memory.
    pub memory_size: u64,
    flags: u32,
}

impl Segment {
    /// True when an address lies in the part that is mapped.
    #[must_use]
    pub fn contains(&self, address: u64) -> bool {
        address
            .checked_sub(self.address)
            .is_some_and(|offset| offset < self.memory_size)
    }

    /// True for code.
    #[must_use]
    pub fn is_code(&self) -> bool {
        self.flags & PF_X != 0
    }

    /// True for variables.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.flags & PF_W != 0
    }
}

/// An entry of the dynamic symbol table.
#[derive(Clone, Copy, Debug)]
pub struct Symbol<'a> {
    /// The symbol's name.
    pub name: &'a str,
    /// The symbol's address, as the file counts; 0 when the symbol is defined elsewhere.
    pub address: u64,
    /// Octets of the function or variable.
    pub size: u64,
    /// [`FUNCTION`], [`OBJECT`] or another type.
    pub kind: u8,
    /// False when another file has to define the symbol.
    pub is_defined: bool,
}

/// A place in memory into which the loader writes an address.
#[derive(Clone, Copy, Debug)]
pub struct Relocation<'a> {
    /// The address of that place, as the file counts.
    pub place: u64,
    /// The symbol whose address it is, if it has one.
    pub symbol: Option<Symbol<'a>>,
    /// The address, as the file counts; with a symbol, what is added to the symbol's.
    pub addend: u64,
}

/// A file that was read.
#[derive(Debug)]
pub struct Image<'a> {
    bytes: &'a [u8],
    segments: Vec<Segment>,
    dynamic: Vec<(u64, u64)>,
    frames: Option<u64>,
    /// Notes about the whole file.
    properties: Option<Segment>,
    kinds: &'static Kinds,
    /// The processor that the file is built for.
    pub machine: Machine,
    /// The file names a loader, as a program does that is not static.
    pub has_loader: bool,
    /// The file can be loaded at any address.
    pub is_relocatable: bool,
}

impl std::fmt::Debug for Kinds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kinds")
    }
}

fn number(bytes: &[u8], at: u64, octets: usize) -> Option<u64> {
    let at = usize::try_from(at).ok()?;
    let part = bytes.get(at..at.checked_add(octets)?)?;
    let mut whole = [0; 8];
    whole.get_mut(..octets)?.copy_from_slice(part);
    Some(u64::from_le_bytes(whole))
}

impl<'a> Image<'a> {
    /// Reads the head of a file.
    ///
    /// # Errors
    /// When it is not a file of this kind, or not for a processor that is known here.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        const CUT: Malformed = "the file is cut off";
        let half = |at| number(bytes, at, 2).ok_or(CUT);
        if bytes.get(..6) != Some(b"\x7fELF\x02\x01") {
            return Err("not a 64-bit little-endian ELF file");
        }
        let (machine, kinds) = match half(18)? as u16 {
            X86_64 => (Machine::Amd64, &X86_64_KINDS),
            AARCH64 => (Machine::Arm64, &AARCH64_KINDS),
            _ => return Err("a processor that is not supported"),
        };
        let kind = half(16)?;
        if kind != u64::from(ET_DYN) && kind != u64::from(ET_EXEC) {
            return Err("neither a program nor a library");
        }
        let (table, size, count) = (number(bytes, 32, 8).ok_or(CUT)?, half(54)?, half(56)?);
        let mut image = Self {
            bytes,
            segments: Vec::new(),
            dynamic: Vec::new(),
            frames: None,
            properties: None,
            kinds,
            machine,
            has_loader: false,
            is_relocatable: kind == u64::from(ET_DYN),
        };
        let mut dynamic = None;
        for index in 0..count {
            let at = table.checked_add(index * size).ok_or(CUT)?;
            let word = |offset| number(bytes, at + offset, 8).ok_or(CUT);
            let segment = Segment {
                address: word(16)?,
                offset: word(8)?,
                file_size: word(32)?,
                memory_size: word(40)?,
                flags: number(bytes, at + 4, 4).ok_or(CUT)? as u32,
            };
            match number(bytes, at, 4).ok_or(CUT)? as u32 {
                PT_LOAD => image.segments.push(segment),
                PT_DYNAMIC => dynamic = Some(segment),
                PT_INTERP => image.has_loader = true,
                PT_GNU_PROPERTY => image.properties = Some(segment),
                PT_GNU_EH_FRAME => image.frames = Some(segment.address),
                _ => {}
            }
        }
        let dynamic = dynamic.ok_or("a static program")?;
        for index in 0..dynamic.file_size / 16 {
            let at = dynamic.address + index * 16;
            let tag = image.word(at).ok_or(CUT)?;
            if tag == 0 {
                break;
            }
            image.dynamic.push((tag, image.word(at + 8).ok_or(CUT)?));
        }
        Ok(image)
    }

    fn tag(&self, wanted: u64) -> Option<u64> {
        let found = self.dynamic.iter().find(|(tag, _)| *tag == wanted);
        found.map(|(_, value)| *value)
    }

    /// The octets that the file has for an address.
    #[must_use]
    pub fn at(&self, address: u64, octets: u64) -> Option<&'a [u8]> {
        let segment = self.segment(address)?;
        let offset = address - segment.address;
        if offset.checked_add(octets)? > segment.file_size {
            return None;
        }
        let start = usize::try_from(segment.offset.checked_add(offset)?).ok()?;
        self.bytes
            .get(start..start.checked_add(usize::try_from(octets).ok()?)?)
    }

    fn word(&self, address: u64) -> Option<u64> {
        number(self.at(address, 8)?, 0, 8)
    }

    fn half_word(&self, address: u64) -> Option<u64> {
        number(self.at(address, 4)?, 0, 4)
    }

    /// The part that an address lies in.
    #[must_use]
    pub fn segment(&self, address: u64) -> Option<Segment> {
        let mut segments = self.segments.iter();
        segments.find(|s| s.contains(address)).copied()
    }

    /// The one part that holds code.
    ///
    /// # Errors
    /// When there is none, or more than one, or code that the loader changes.
    pub fn code(&self) -> Result<Segment, Malformed> {
        let mut parts = self.segments.iter().filter(|s| s.is_code());
        let code = *parts.next().ok_or("no code")?;
        if parts.next().is_some() {
            return Err("code in several parts");
        }
        if code.is_writable() || self.tag(DT_TEXTREL).is_some() {
            return Err("code that the loader changes");
        }
        Ok(code)
    }

    /// The instructions of the part with the code. On arm64 constants share that part: there it is what the file calls
    /// sections of instructions.
    ///
    /// # Errors
    /// When the file does not say where they are.
    pub fn instructions(&self) -> Result<Vec<Part<'a>>, Malformed> {
        const NONE: Malformed = "the code cannot be read";
        let code = self.code()?;
        let part = |address, size| {
            let bytes = self.at(address, size).filter(|bytes| !bytes.is_empty());
            bytes.map(|bytes| Part { address, bytes })
        };
        if self.machine == Machine::Amd64 {
            return Ok(vec![part(code.address, code.file_size).ok_or(NONE)?]);
        }
        let word = |at, octets| number(self.bytes, at, octets).ok_or(NONE);
        let (table, size, count) = (word(40, 8)?, word(58, 2)?, word(60, 2)?);
        let mut parts = Vec::new();
        for index in 0..count {
            let at = table
                .checked_add(index * size)
                .filter(|_| size == SECTION)
                .ok_or(NONE)?;
            let (flags, address, size) = (word(at + 8, 8)?, word(at + 16, 8)?, word(at + 32, 8)?);
            if flags & SHF_EXECINSTR != 0 {
                parts.push(
                    part(address, size)
                        .filter(|_| code.contains(address))
                        .ok_or(NONE)?,
                );
            }
        }
        parts.sort_by_key(|part| part.address);
        if parts.is_empty() {
            return Err("the file does not say where its instructions are");
        }
        Ok(parts)
    }

    /// True when the loader has calls through pointers end where code is marked for it, if the processor can.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        /// Behind the head of the note and its name, `GNU`.
        const FIRST: u64 = 16;
        let Some(notes) = self.properties.filter(|_| self.machine == Machine::Arm64) else {
            return false;
        };
        let mut at = notes.address + FIRST;
        while let (Some(kind), Some(size)) = (self.half_word(at), self.half_word(at + 4)) {
            if at >= notes.address + notes.file_size {
                break;
            }
            if kind == FEATURES_OF_AARCH64 {
                return self
                    .half_word(at + 8)
                    .is_some_and(|features| features & 1 == 1);
            }
            at += 8 + size.next_multiple_of(8);
        }
        false
    }

    /// The text that a symbol's variable holds, without what follows its first NUL.
    #[must_use]
    pub fn text(&self, symbol: &Symbol<'_>) -> Option<&'a str> {
        let bytes = self.at(symbol.address, symbol.size)?;
        let length = bytes.iter().position(|&octet| octet == 0)?;
        std::str::from_utf8(bytes.get(..length)?).ok()
    }

    /// Number of symbols: the table does not say it, but who looks them up must not miss the last.
    fn symbol_count(&self) -> Option<u64> {
        let hash = self.tag(DT_GNU_HASH)?;
        let (buckets, first) = (self.half_word(hash)?, self.half_word(hash + 4)?);
        let table = hash + 16 + 8 * self.half_word(hash + 8)?;
        let chains = table + 4 * buckets;
        let mut last = 0;
        for index in 0..buckets {
            last = last.max(self.half_word(table + 4 * index)?);
        }
        if last < first {
            return Some(first);
        }
        while self.half_word(chains + 4 * (last - first))? & 1 == 0 {
            last += 1;
        }
        Some(last + 1)
    }

    fn symbol(&self, index: u64) -> Option<Symbol<'a>> {
        let at = self
            .tag(DT_SYMTAB)?
            .checked_add(index.checked_mul(SYMBOL)?)?;
        let entry = self.at(at, SYMBOL)?;
        let name = number(entry, 0, 4)?;
        let texts = self.at(self.tag(DT_STRTAB)?, self.tag(DT_STRSZ)?)?;
        let name = texts.get(usize::try_from(name).ok()?..)?;
        let length = name.iter().position(|&octet| octet == 0)?;
        Some(Symbol {
            name: std::str::from_utf8(name.get(..length)?).ok()?,
            address: number(entry, 8, 8)?,
            size: number(entry, 16, 8)?,
            kind: entry.get(4)? & 15,
            is_defined: number(entry, 6, 2)? != 0,
        })
    }

    /// The dynamic symbols.
    ///
    /// # Errors
    /// When their table cannot be read.
    pub fn symbols(&self) -> Result<Vec<Symbol<'a>>, Malformed> {
        const CUT: Malformed = "no readable table of symbols";
        let count = self.symbol_count().ok_or(CUT)?;
        let symbols = (0..count).map(|index| self.symbol(index));
        symbols.collect::<Option<Vec<_>>>().ok_or(CUT)
    }

    /// All places into which the loader writes addresses.
    ///
    /// # Errors
    /// When their tables cannot be read.
    pub fn relocations(&self) -> Result<Vec<Relocation<'a>>, Malformed> {
        const CUT: Malformed = "no readable table of relocations";
        let mut list = Vec::new();
        for (table, size) in [(DT_RELA, DT_RELASZ), (DT_JMPREL, DT_PLTRELSZ)] {
            let (Some(table), Some(size)) = (self.tag(table), self.tag(size)) else {
                continue;
            };
            for index in 0..size / RELOCATION {
                let entry = self.at(table + index * RELOCATION, RELOCATION);
                let entry = entry.ok_or(CUT)?;
                let word = |at| number(entry, at, 8).ok_or(CUT);
                let (place, info, addend) = (word(0)?, word(8)?, word(16)?);
                let kind = info as u32;
                if kind == self.kinds.relative {
                    let symbol = None;
                    list.push(Relocation {
                        place,
                        symbol,
                        addend,
                    });
                } else if self.kinds.absolute.contains(&kind) {
                    let symbol = Some(self.symbol(info >> 32).ok_or(CUT)?);
                    list.push(Relocation {
                        place,
                        symbol,
                        addend,
                    });
                }
            }
        }
        self.packed_relocations(&mut list).ok_or(CUT)?;
        Ok(list)
    }

    /// Relative ones in the packed form: an even word is a place, an odd one a bit map of the 63 words behind it.
    fn packed_relocations(&self, list: &mut Vec<Relocation<'a>>) -> Option<()> {
        let Some(table) = self.tag(DT_RELR) else {
            return Some(());
        };
        let mut add = |place| {
            let (symbol, addend) = (None, self.word(place)?);
            list.push(Relocation {
                place,
                symbol,
                addend,
            });
            Some(())
        };
        let mut next = 0_u64;
        for index in 0..self.tag(DT_RELRSZ)? / 8 {
            let entry = self.word(table + 8 * index)?;
            if entry & 1 == 0 {
                add(entry)?;
                next = entry + 8;
                continue;
            }
            for bit in (1..64).filter(|bit| entry >> bit & 1 == 1) {
                add(next + 8 * (bit - 1))?;
            }
            next += 8 * 63;
        }
        Some(())
    }

    /// Two words behind the beginning of the table of imports, by which the loader finds itself.
    #[must_use]
    pub fn loader_words(&self) -> [u64; 2] {
        let table = self.tag(DT_PLTGOT).unwrap_or(0);
        [table + 8, table + 16]
    }

    /// Where functions begin, static ones and parts of functions included: what unwinding knows.
    ///
    /// # Errors
    /// When the file has no such table, or one of a form that is not known.
    pub fn function_starts(&self) -> Result<BTreeSet<u64>, Malformed> {
        const CUT: Malformed = "no readable table of functions (.eh_frame_hdr)";
        /// Version 1; the pointer relative, four octets; the count four octets; the table relative to the header.
        const FORM: [u8; 4] = [1, 0x1b, 3, 0x3b];
        let head = self.frames.ok_or(CUT)?;
        if self.at(head, 4) != Some(&FORM) {
            return Err(CUT);
        }
        let count = self.half_word(head + 8).ok_or(CUT)?;
        let mut starts = BTreeSet::new();
        for index in 0..count {
            let offset = self.half_word(head + 12 + 8 * index).ok_or(CUT)? as u32;
            starts.insert(head.wrapping_add_signed(i64::from(offset.cast_signed())));
        }
        // The functions that run first and last are not in the table.
        starts.extend([DT_INIT, DT_FINI].iter().filter_map(|tag| self.tag(*tag)));
        Ok(starts)
    }
}
