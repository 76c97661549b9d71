//! The description of an option, and how the tables of options give it.

use super::{ExtraOpt, MAX_STRING_OPTION, Opt, StrOpt};

/// How the text of a value is read and stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 0/1, also `yes`, `no`, `on`, `off`, `true`, `false`.
    Bool,
    /// Signed number within min..=max.
    Int,
    /// Unsigned 32-bit number within min..=max.
    Unsigned,
    /// Given in KiB, stored in bytes.
    KiB,
    /// Text.
    Text,
}

/// Where a value lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In Kamailio's core group.
    Core(Opt),
    /// In the library's own group.
    Extra(ExtraOpt),
    /// Text.
    Text(StrOpt),
    /// The exported variable `dns_cache_init`.
    CacheInit,
    /// The exported variable `dns_timer_interval`.
    GcInterval,
}

/// An option.
#[derive(Debug)]
pub struct Descriptor {
    /// The name in kamailio.cfg.
    pub name: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// Where the value lives.
    pub place: Place,
    /// How its text is read.
    pub kind: Kind,
    /// Default, in the unit of the text.
    pub default: i64,
    /// Smallest value.
    pub min: i64,
    /// Largest value.
    pub max: i64,
    /// Unit for people, empty if there is none.
    pub unit: &'static str,
    /// A sentence for people.
    pub help: &'static str,
    /// The text of README, when it is more than `help`.
    pub says: &'static str,
    /// Of a text: the words that it may be, the default first. None = any text.
    pub words: &'static [&'static str],
    /// Kamailio has its own means for it.
    pub outside_kamailio: bool,
}

/// Makes an enum of options and the table of their descriptions, both in the order of the lines.
macro_rules! option_table {
    (
        $(#[$about:meta])*
        pub enum $name:ident, in $table:ident at $place:path;

        $($option:ident: $description:expr;)*
    ) => {
        $(#[$about])*
        #[allow(missing_docs, reason = "the table describes them")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(usize)]
        pub enum $name {
            $($option,)*
        }

        pub(super) static $table: [Descriptor; [$($name::$option,)*].len()] =
            [$($description.at($place($name::$option)),)*];
    };
}
pub(super) use option_table;

/// An unsigned number: name; default, least, most; unit; one sentence.
pub(super) const fn number(
    name: &'static str,
    (default, min, max): (i64, i64, i64),
    unit: &'static str,
    help: &'static str,
) -> Descriptor {
    Descriptor {
        name,
        aliases: &[],
        place: Place::CacheInit,
        kind: Kind::Unsigned,
        default,
        min,
        max,
        unit,
        help,
        says: "",
        words: &[],
        outside_kamailio: false,
    }
}

/// As [`number`], with a sign.
pub(super) const fn int(
    name: &'static str,
    values: (i64, i64, i64),
    unit: &'static str,
    help: &'static str,
) -> Descriptor {
    number(name, values, unit, help).of(Kind::Int)
}

/// As [`number`], kept in octets.
pub(super) const fn kib(
    name: &'static str,
    values: (i64, i64, i64),
    unit: &'static str,
    help: &'static str,
) -> Descriptor {
    number(name, values, unit, help).of(Kind::KiB)
}

/// Yes or no.
pub(super) const fn switch(name: &'static str, default: bool, help: &'static str) -> Descriptor {
    number(name, (default as i64, 0, 1), "", help).of(Kind::Bool)
}

/// A text; `unit` says what it names. Empty at first.
pub(super) const fn text(name: &'static str, unit: &'static str, help: &'static str) -> Descriptor {
    number(name, (0, 0, MAX_STRING_OPTION as i64), unit, help).of(Kind::Text)
}

/// A text that is one of some words, the default first.
pub(super) const fn words(
    name: &'static str,
    words: &'static [&'static str],
    help: &'static str,
) -> Descriptor {
    let mut descriptor = text(name, "", help);
    descriptor.words = words;
    descriptor
}

impl Descriptor {
    const fn of(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    pub(super) const fn at(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    pub(super) const fn alias(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    pub(super) const fn says(mut self, says: &'static str) -> Self {
        self.says = says;
        self
    }

    pub(super) const fn outside_kamailio(mut self) -> Self {
        self.outside_kamailio = true;
        self
    }

    /// True when request flags follow from it: each process has to be told of a change.
    #[must_use]
    pub(crate) fn makes_flags(&self) -> bool {
        matches!(self.place, Place::Text(_) | Place::Extra(ExtraOpt::Rotate))
    }

    /// The name in Kamailio's group `dns`: without the leading `dns_`, unless a digit would come first,
    /// which no name there may begin with.
    #[must_use]
    pub fn group_name(&self) -> &'static str {
        match self.name.strip_prefix("dns_") {
            Some(rest) if !rest.starts_with(|c: char| c.is_ascii_digit()) => rest,
            _ => self.name,
        }
    }
}
