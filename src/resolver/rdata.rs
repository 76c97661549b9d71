//! Decodes the data of one record.

use super::wire::{Budget, Reader};
use crate::rr::{Form, Naptr, RData, RecordType, Srv};

/// Decodes RDATA; `rdata` is a reader of exactly its octets.
///
/// `None` if it does not have the form of its type. Names must end where the data ends: a reader that goes on into the
/// next record would take that for a name. Addresses have their four or sixteen octets and no more: the sender of
/// others did not mean an address.
pub(super) fn decode(
    rtype: RecordType,
    mut rdata: Reader<'_>,
    budget: &mut Budget,
) -> Option<RData> {
    let Some(form) = rtype.form() else {
        return Some(RData::Other);
    };
    let data = match form {
        Form::Ipv4 => RData::A(rdata.array::<4>()?.into()),
        Form::Ipv6 => RData::Aaaa(rdata.array::<16>()?.into()),
        Form::Alias => RData::Cname(rdata.name(budget)?),
        Form::Name => RData::Ptr(rdata.name(budget)?),
        Form::Srv => srv(&mut rdata, budget)?,
        Form::Naptr => naptr(&mut rdata, budget)?,
        Form::Texts => txt(&mut rdata)?,
        Form::Ebl => ebl(&mut rdata, budget)?,
    };
    rdata.is_at_end().then_some(data)
}

fn srv(rdata: &mut Reader<'_>, budget: &mut Budget) -> Option<RData> {
    Some(RData::Srv(Srv {
        priority: rdata.u16()?,
        weight: rdata.u16()?,
        port: rdata.u16()?,
        target: rdata.name(budget)?,
    }))
}

fn naptr(rdata: &mut Reader<'_>, budget: &mut Budget) -> Option<RData> {
    Some(RData::Naptr(Naptr {
        order: rdata.u16()?,
        preference: rdata.u16()?,
        flags: rdata.string()?.into(),
        services: rdata.string()?.into(),
        regexp: rdata.string()?.into(),
        replacement: rdata.name(budget)?,
    }))
}

fn ebl(rdata: &mut Reader<'_>, budget: &mut Budget) -> Option<RData> {
    Some(RData::Ebl {
        position: rdata.u8()?,
        separator: rdata.string()?.into(),
        apex: rdata.name(budget)?,
    })
}

fn txt(rdata: &mut Reader<'_>) -> Option<RData> {
    let mut strings = Vec::new();
    while !rdata.is_at_end() {
        strings.push(rdata.string()?.into());
    }
    (!strings.is_empty()).then_some(RData::Txt(strings))
}

/// TTL of a negative answer that the data of its SOA allows: the field MINIMUM, s.
pub(super) fn soa_minimum(mut rdata: Reader<'_>) -> Option<u32> {
    rdata.skip_name()?;
    rdata.skip_name()?;
    rdata.octets(16)?;
    let minimum = rdata.u32()?;
    rdata.is_at_end().then_some(minimum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode_octets(rtype: RecordType, octets: &[u8]) -> Option<RData> {
        decode(rtype, Reader::new(octets, 0), &mut Budget::new())
    }

    #[test]
    fn bad_data_is_refused() {
        for (rtype, octets) in [
            (RecordType::A, &b"\x01\x02\x03"[..]),
            (RecordType::A, b"\x01\x02\x03\x04\x05"),
            (RecordType::AAAA, b"\x01\x02\x03\x04"),
            (RecordType::AAAA, &[1; 17]),
            (RecordType::CNAME, b""),
            (RecordType::CNAME, b"\x01a\x00\x00"),
            (RecordType::PTR, b"\x01a"),
            (RecordType::SRV, b"\x00\x01\x00\x01\x00\x01"),
            (RecordType::SRV, b"\x00\x01\x00\x01\x00\x01\x00\x00"),
            (RecordType::NAPTR, b"\x00\x01\x00\x01\x01s\x09SIP\x00\x00"),
            (RecordType::TXT, b""),
            (RecordType::TXT, b"\x02a"),
            (RecordType::EBL, b"\x01\x01"),
        ] {
            assert_eq!(decode_octets(rtype, octets), None, "{rtype:?} {octets:?}");
        }
    }

    #[test]
    fn good_data() {
        let Some(RData::Naptr(naptr)) = decode_octets(
            RecordType::NAPTR,
            b"\x00\x0A\x00\x14\x01s\x07SIP+D2U\x00\x01a\x00",
        ) else {
            panic!("not decoded");
        };
        assert_eq!((naptr.order, naptr.preference), (10, 20));
        assert_eq!(
            (&*naptr.flags, &*naptr.services),
            (&b"s"[..], &b"SIP+D2U"[..])
        );
        assert_eq!(
            (naptr.regexp.len(), naptr.replacement.as_bytes()),
            (0, &b"a"[..])
        );
        let Some(RData::Txt(strings)) = decode_octets(RecordType::TXT, b"\x01a\x00\x02bc") else {
            panic!("not decoded");
        };
        assert_eq!(strings.len(), 3);
        assert_eq!(decode_octets(RecordType(99), b""), Some(RData::Other));
    }
}
