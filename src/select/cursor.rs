//! The position of a call, and the C layouts of a handle.
//!
//! Between calls a position is in the caller's `struct dns_srv_handle`. Kamailio has changed that struct several
//! times, and callers keep it in their own memory. In all layouts the pointers `srv` and `a` are adjacent, and so
//! are the numbers behind them; a [`Layout`] says where the two groups are. A new layout is one more element of
//! [`LAYOUTS`]; the compiler then asks for its number in `ffi::layout_choice`.

use std::mem::offset_of;

use crate::cache::EntryRef;

/// Where the search of one call stands: the content of `struct dns_srv_handle`, in the layout of most handles, so
/// that these are used where they are.
#[derive(Clone, Debug, Default)]
#[repr(C)]
pub struct Position {
    /// SRV entry in use.
    pub srv: Option<EntryRef>,
    /// A or AAAA entry in use.
    pub a: Option<EntryRef>,
    /// Low 32 bits: seed of the weighted order, 0 = stored order; or with the highest bit set progress in
    /// stored order. High 32 bits: hash of the NAPTR owner name (`Cache::name_hash`), 0 = not reached through
    /// NAPTR.
    pub tried: u64,
    /// Port of the current target.
    pub port: u16,
    /// Position in the SRV order of the next record to use, 0 to 250.
    pub srv_no: u8,
    /// Position of the next address to use in the order in which the addresses of the entry are used; the caller's
    /// `next` adds one.
    pub ip_no: u8,
    /// Bits 0-2: transport. Bits 3-7: position of the NAPTR candidate in use, 0 to 31; in a search without NAPTR
    /// records what was passed over at its first step, and comes last (see `Position::passed_over`).
    pub proto: u8,
}

impl Position {
    /// Octets of the pointers, with which it begins.
    pub const POINTERS: usize = offset_of!(Self, tried);
    /// Octets of the numbers behind them.
    pub const NUMBERS: usize = size_of::<Self>() - Self::POINTERS;

    /// True when a search is under way.
    #[inline]
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.srv.is_some() || self.a.is_some()
    }

    /// Moves on to the next target; true when asking for it makes sense (`dns_srv_handle_next()`).
    #[inline]
    pub fn advance(&mut self) -> bool {
        self.ip_no = self.ip_no.wrapping_add(1);
        self.is_started()
    }
}

/// A handle of the library's own.
#[derive(Clone, Debug, Default)]
pub struct Cursor {
    /// The C handle has a place for the NAPTR reference (Kamailio 6.1.5 and later).
    pub has_naptr_slot: bool,
    /// NAPTR entry in use; always `None` between calls when there is no place for it.
    pub naptr: Option<EntryRef>,
    /// The rest.
    pub at: Position,
}

impl std::ops::Deref for Cursor {
    type Target = Position;

    fn deref(&self) -> &Position {
        &self.at
    }
}

impl std::ops::DerefMut for Cursor {
    fn deref_mut(&mut self) -> &mut Position {
        &mut self.at
    }
}

/// Where a `struct dns_srv_handle` has the parts of a position: octets from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Octets of the whole struct.
    pub size: u8,
    /// A pointer to the NAPTR entry.
    pub naptr: Option<u8>,
    /// `srv` and `a`.
    pub pointers: u8,
    /// An `int` that counts the NAPTR records that were tried. The library leaves it alone: its own place among
    /// the candidates is in [`Position::proto`], whatever the layout.
    pub naptr_count: Option<u8>,
    /// `srv_tried_rrs` and what follows it.
    pub numbers: u8,
}

/// Octets of a pointer.
const POINTER: u8 = size_of::<Option<EntryRef>>() as u8;
/// Where `srv_tried_rrs` stands when this is the end of what is before it.
const fn numbers_after(end: u8) -> u8 {
    end.next_multiple_of(align_of::<u64>() as u8)
}

impl Layout {
    /// The struct that ends with the numbers.
    const fn new(naptr: Option<u8>, pointers: u8, naptr_count: Option<u8>, numbers: u8) -> Self {
        Self {
            size: numbers + Position::NUMBERS as u8,
            naptr,
            pointers,
            naptr_count,
            numbers,
        }
    }
}

/// All layouts that are known, the oldest first.
pub static LAYOUTS: [Layout; 3] = [
    // Kamailio 5.5 to 6.1.4, and programs built with the header of this library.
    Layout::new(None, 0, None, numbers_after(2 * POINTER)),
    // The development branch in August 2026.
    Layout::new(Some(0), POINTER, None, numbers_after(3 * POINTER)),
    // Kamailio 6.1.5, and the development branch since September 2026.
    Layout::new(
        Some(0),
        POINTER,
        Some(3 * POINTER),
        numbers_after(3 * POINTER + 4),
    ),
];

impl Layout {
    /// True when a handle contains a [`Position`] in one piece.
    #[inline]
    #[must_use]
    pub const fn is_in_one_piece(&self) -> bool {
        self.pointers as usize + Position::POINTERS == self.numbers as usize
    }

    /// The members of the C struct that the library uses, and where they are.
    pub fn members(&self) -> impl Iterator<Item = (&'static str, usize)> {
        let pointers = usize::from(self.pointers);
        // Groups, and a position has its own in one piece.
        let numbers = usize::from(self.numbers) - Position::POINTERS;
        let naptr = self.naptr.map(|naptr| ("naptr", usize::from(naptr)));
        naptr.into_iter().chain([
            ("srv", pointers + offset_of!(Position, srv)),
            ("a", pointers + offset_of!(Position, a)),
            ("srv_tried_rrs", numbers + offset_of!(Position, tried)),
            ("port", numbers + offset_of!(Position, port)),
            ("srv_no", numbers + offset_of!(Position, srv_no)),
            ("ip_no", numbers + offset_of!(Position, ip_no)),
            ("proto", numbers + offset_of!(Position, proto)),
        ])
    }

    /// True when the parts are aligned and lie one behind the other inside the struct: what is written to a part
    /// never lands beside the caller's handle.
    const fn is_sound(&self) -> bool {
        let align = align_of::<Option<EntryRef>>();
        let (pointers, numbers) = (self.pointers as usize, self.numbers as usize);
        let naptr_end = match self.naptr {
            Some(naptr) if !(naptr as usize).is_multiple_of(align) => return false,
            Some(naptr) => naptr as usize + size_of::<Option<EntryRef>>(),
            None => 0,
        };
        let pointers_end = pointers + Position::POINTERS;
        let count_end = match self.naptr_count {
            Some(count) if (count as usize) < pointers_end => return false,
            Some(count) => count as usize + size_of::<i32>(),
            None => pointers_end,
        };
        pointers >= naptr_end
            && pointers.is_multiple_of(align)
            && numbers >= count_end
            && numbers.is_multiple_of(align_of::<u64>())
            && numbers + Position::NUMBERS <= self.size as usize
    }
}

/// The sizes of the layouts, as the C compiler has them.
#[cfg(target_pointer_width = "64")]
const SIZES: [u8; LAYOUTS.len()] = [32, 40, 48];
#[cfg(all(target_pointer_width = "32", not(target_arch = "x86")))]
const SIZES: [u8; LAYOUTS.len()] = [24, 32, 32];
#[cfg(target_arch = "x86")]
const SIZES: [u8; LAYOUTS.len()] = [24, 28, 32];

const _: () = {
    let mut number = 0;
    while number < LAYOUTS.len() {
        assert!(LAYOUTS[number].is_sound());
        assert!(LAYOUTS[number].size == SIZES[number]);
        number += 1;
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn members_are_where_kamailio_has_them() {
        let offsets = LAYOUTS.each_ref().map(|layout| {
            let members = layout.members().map(|(_, offset)| offset);
            members.collect::<Vec<_>>()
        });
        assert_eq!(offsets[0], [0, 8, 16, 24, 26, 27, 28]);
        assert_eq!(offsets[1], [0, 8, 16, 24, 32, 34, 35, 36]);
        assert_eq!(offsets[2], [0, 8, 16, 32, 40, 42, 43, 44]);
    }

    #[test]
    fn an_unsound_layout_is_seen() {
        let good = LAYOUTS[2];
        assert!(good.is_sound());
        let (naptr, naptr_count) = (Some(4), Some(20));
        let (pointers, numbers) = (0, 24);
        for wrong in [
            Layout { size: 47, ..good },
            Layout { pointers, ..good },
            Layout { numbers, ..good },
            Layout {
                numbers: 36,
                ..good
            },
            Layout {
                naptr_count,
                ..good
            },
            Layout {
                naptr,
                pointers: 12,
                ..good
            },
        ] {
            assert!(!wrong.is_sound(), "{wrong:?}");
        }
    }
}
