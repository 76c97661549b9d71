//! Record types and their data.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::Name;

/// A record type number (RFC 1035 section 3.2.2); any value is possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub struct RecordType(pub u16);

/// The form of a record's data. Types of one form differ in their number alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Four octets, [`RData::A`].
    Ipv4,
    /// Sixteen octets, [`RData::Aaaa`].
    Ipv6,
    /// A name that takes the owner's place, [`RData::Cname`].
    Alias,
    /// A name, [`RData::Ptr`].
    Name,
    /// [`RData::Srv`].
    Srv,
    /// [`RData::Naptr`].
    Naptr,
    /// [`RData::Txt`].
    Texts,
    /// [`RData::Ebl`].
    Ebl,
}

/// Makes the constants, a list of the types that the cache keeps, each with its name, and their forms.
macro_rules! record_types {
    (
        keep $($kept:ident = $number:literal as $form:ident),+;
        know $($known:ident = $other:literal),+;
    ) => {
        #[allow(missing_docs, reason = "the names are the types' own")]
        impl RecordType {
            $(pub const $kept: Self = Self($number);)+
            $(pub const $known: Self = Self($other);)+
        }

        impl RecordType {
            /// The types that the cache keeps, with their names.
            pub const KEPT: &[(Self, &str)] = &[$((Self::$kept, stringify!($kept)),)+];

            /// The form of the data of types that the cache keeps.
            #[must_use]
            #[inline]
            pub const fn form(self) -> Option<Form> {
                match self {
                    $(Self::$kept => Some(Form::$form),)+
                    _ => None,
                }
            }
        }
    };
}

// A type of a form that is there needs its words here and nothing else. EBL is `T_EBL` of resolve.h, a private type
// used by the enum module.
record_types! {
    keep A = 1 as Ipv4, AAAA = 28 as Ipv6, SRV = 33 as Srv, NAPTR = 35 as Naptr, CNAME = 5 as Alias,
         TXT = 16 as Texts, EBL = 65300 as Ebl, PTR = 12 as Name;
    know NS = 2, SOA = 6, OPT = 41;
}

/// Types from here on, of which no one is assigned, stand for what a search list led to.
const LINKS: u16 = 0xfe00;
/// Place of both address types together among these; no type of its own has this octet here.
const EITHER_ADDRESS: u16 = 0xff;

impl RecordType {
    /// The type of what is remembered of the walk of a search list for records of this type; `either`: for addresses
    /// of either family.
    ///
    /// Types that the cache keeps differ in their low octet: the compiler sees to that.
    #[must_use]
    pub fn link(self, either: bool) -> Self {
        match either {
            true => Self(LINKS | EITHER_ADDRESS),
            false => Self(LINKS | self.0 & 0xff),
        }
    }

    /// True for what [`Self::link`] gives.
    #[must_use]
    pub fn is_link(self) -> bool {
        self.0 & 0xff00 == LINKS
    }

    /// The type for which a walk was made; `None` for addresses of either family, and where it is no link.
    #[must_use]
    pub fn linked(self) -> Option<Self> {
        let mut kept = Self::KEPT.iter().map(|(rtype, _)| *rtype);
        kept.find(|rtype| rtype.link(false) == self)
    }
}

// Links tell the types by their low octets.
const _: () = {
    let kept = RecordType::KEPT;
    let mut seen = [false; 256];
    seen[EITHER_ADDRESS as usize] = true;
    let mut index = 0;
    while index < kept.len() {
        let octet = (kept[index].0.0 & 0xff) as usize;
        assert!(!seen[octet]);
        seen[octet] = true;
        index += 1;
    }
};

/// Data of an SRV record (RFC 2782). Port and numbers in host order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    /// Lower is tried first.
    pub priority: u16,
    /// Share of the load among records of one priority.
    pub weight: u16,
    /// Port of the target.
    pub port: u16,
    /// Host to contact; the root means "decidedly not available".
    pub target: Name,
}

impl Srv {
    /// True when it names a host and no port to call it at. Such a record is of no use; the root as target needs
    /// no port to say what it says.
    #[must_use]
    pub fn has_no_port(&self) -> bool {
        self.port == 0 && !self.target.is_root()
    }
}

/// Data of a NAPTR record (RFC 3403). The strings are raw octets, at most 255 each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naptr {
    /// Lower is processed first.
    pub order: u16,
    /// Lower is preferred among records of one order.
    pub preference: u16,
    /// Flags, e.g. `s`.
    pub flags: Box<[u8]>,
    /// Services, e.g. `SIP+D2U`.
    pub services: Box<[u8]>,
    /// Substitution expression; exclusive with the replacement.
    pub regexp: Box<[u8]>,
    /// Next name to query.
    pub replacement: Name,
}

/// Data of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RData {
    /// IPv4 address.
    A(Ipv4Addr),
    /// IPv6 address.
    Aaaa(Ipv6Addr),
    /// Canonical name.
    Cname(Name),
    /// Service location.
    Srv(Srv),
    /// Naming authority pointer.
    Naptr(Naptr),
    /// Text strings, at least one, at most 255 octets each.
    Txt(Vec<Box<[u8]>>),
    /// Infrastructure ENUM: branch location.
    Ebl {
        /// Position of the separator in the number.
        position: u8,
        /// Separator label.
        separator: Box<[u8]>,
        /// Apex of the tree.
        apex: Name,
    },
    /// Pointer to a name.
    Ptr(Name),
    /// A type without a decoder; carried so that callers see that it was there.
    Other,
}

/// A record of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Name that owns the record.
    pub owner: Name,
    /// Type number; for [`RData::Other`] the only thing known.
    pub rtype: RecordType,
    /// Class number, 1 = IN.
    pub class: u16,
    /// Seconds, as received after RFC 2181 section 8 (top bit set counts as 0).
    pub ttl: u32,
    /// The data.
    pub rdata: RData,
}
