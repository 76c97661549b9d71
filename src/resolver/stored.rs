//! Record sets as messages, for storage outside the cache: a set that is read back goes through the checks of a reply.

use super::Question;
use super::message::{HEADER_OCTETS, Head};
use super::wire_name::name_of_text;
use crate::rr::{CLASS_IN, Name, RData, Record, RecordType, eq_ignore_case};

/// QR.
const RESPONSE: u16 = 0x8000;
/// The owner of each record: that of the question.
const OWNER: u16 = 0xC000 | HEADER_OCTETS as u16;

/// The message that answers the question with these records; `None` when they do not fit into one, or are of a type
/// that is not stored: A, AAAA, CNAME, SRV and NAPTR are.
#[must_use]
pub fn encode(question: &Question<'_>, records: &[RData]) -> Option<Vec<u8>> {
    let count = u16::try_from(records.len())
        .ok()
        .filter(|&count| count > 0)?;
    let mut out = Vec::with_capacity(128);
    for word in [0, RESPONSE, 1, count, 0, 0] {
        out.extend(word.to_be_bytes());
    }
    out.extend_from_slice(&name_of_text(question.qname)?);
    out.extend(question.qtype.0.to_be_bytes());
    out.extend(CLASS_IN.to_be_bytes());
    for rdata in records {
        out.extend(OWNER.to_be_bytes());
        out.extend(question.qtype.0.to_be_bytes());
        out.extend(CLASS_IN.to_be_bytes());
        // When they expire stands elsewhere.
        out.extend(1_u32.to_be_bytes());
        let length_at = out.len();
        out.extend([0, 0]);
        write_rdata(&mut out, rdata)?;
        let length = u16::try_from(out.len() - length_at - 2).ok()?;
        out.get_mut(length_at..length_at + 2)?
            .copy_from_slice(&length.to_be_bytes());
    }
    (out.len() <= usize::from(u16::MAX)).then_some(out)
}

fn write_rdata(out: &mut Vec<u8>, rdata: &RData) -> Option<()> {
    let name = |name: &Name| name_of_text(name.as_bytes());
    match rdata {
        RData::A(address) => out.extend(address.octets()),
        RData::Aaaa(address) => out.extend(address.octets()),
        RData::Cname(target) => out.extend_from_slice(&name(target)?),
        RData::Srv(srv) => {
            for number in [srv.priority, srv.weight, srv.port] {
                out.extend(number.to_be_bytes());
            }
            out.extend_from_slice(&name(&srv.target)?);
        }
        RData::Naptr(naptr) => {
            for number in [naptr.order, naptr.preference] {
                out.extend(number.to_be_bytes());
            }
            for text in [&naptr.flags, &naptr.services, &naptr.regexp] {
                out.push(u8::try_from(text.len()).ok()?);
                out.extend_from_slice(text);
            }
            out.extend_from_slice(&name(&naptr.replacement)?);
        }
        _ => return None,
    }
    Some(())
}

/// The question and the records of a message that [`encode`] made; `None` for any other: one record that a reply's
/// reader would leave out makes it another.
#[must_use]
pub fn decode(message: &[u8]) -> Option<(Name, RecordType, Vec<Record>)> {
    let head = Head::decode(message)?;
    let is_plain = head.id == 0 && head.is_response && head.is_query_opcode;
    if !is_plain || head.truncated || head.rcode != 0 {
        return None;
    }
    let asked = head.asked_for(message)?;
    if asked.class != CLASS_IN {
        return None;
    }
    let qname = Name::from_text(&asked.name)?;
    let body = head.body(message, asked.end, asked.qtype, (Some(&qname), false));
    let is_whole = body.complete && !body.cut && body.rcode == 0 && !body.has_opt;
    let fits = |record: &Record| {
        record.rtype == asked.qtype && eq_ignore_case(record.owner.as_bytes(), qname.as_bytes())
    };
    let is_sound = is_whole && !body.answers.is_empty() && body.answers.iter().all(fits);
    // Read and written again it is the same: nothing was left out, nothing stands behind it.
    let same = |records: &[Record]| {
        let records: Vec<RData> = records.iter().map(|record| record.rdata.clone()).collect();
        let question = Question {
            qname: qname.as_bytes(),
            qtype: asked.qtype,
        };
        encode(&question, &records).is_some_and(|again| again == message)
    };
    (is_sound && same(&body.answers)).then(|| (qname.clone(), asked.qtype, body.answers))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::rr::{Naptr, Srv};

    fn name(text: &str) -> Name {
        Name::from_text(text.as_bytes()).unwrap()
    }

    fn srv(port: u16, target: &str) -> RData {
        RData::Srv(Srv {
            priority: 1,
            weight: 2,
            port,
            target: name(target),
        })
    }

    fn sets() -> Vec<(&'static str, RecordType, Vec<RData>)> {
        let a = |last| RData::A([192, 0, 2, last].into());
        let naptr = RData::Naptr(Naptr {
            order: 1,
            preference: 2,
            flags: (*b"s").into(),
            services: (*b"SIP+D2U").into(),
            regexp: (*b"").into(),
            replacement: name("_sip._udp.a.example"),
        });
        let aaaa = RData::Aaaa("2001:db8::1".parse().unwrap());
        let srvs = vec![srv(5060, "a.example"), srv(5061, "b.example")];
        let cname = RData::Cname(name("a.example"));
        vec![
            ("a.example", RecordType::A, vec![a(2), a(1)]),
            ("b.example", RecordType::AAAA, vec![aaaa]),
            ("c.example", RecordType::CNAME, vec![cname]),
            ("_sip._udp.a.example", RecordType::SRV, srvs),
            ("_sip._tcp.a.example", RecordType::SRV, vec![srv(0, ".")]),
            (r"x\.y\000z.example", RecordType::NAPTR, vec![naptr]),
        ]
    }

    #[test]
    fn what_is_stored_comes_back() {
        for (owner, qtype, records) in sets() {
            let qname = owner.as_bytes();
            let message = encode(&Question { qname, qtype }, &records).unwrap();
            let (back, rtype, found) = decode(&message).unwrap_or_else(|| panic!("{owner}"));
            assert_eq!((back.as_bytes(), rtype), (qname, qtype));
            let found: Vec<RData> = found.into_iter().map(|record| record.rdata).collect();
            assert_eq!(found, records);
        }
        let qname = &b"a.example"[..];
        for (qtype, records) in [
            (RecordType::A, vec![]),
            (RecordType::PTR, vec![RData::Ptr(name("a.example"))]),
            (RecordType::A, vec![RData::A([192, 0, 2, 1].into()); 5000]),
        ] {
            assert!(encode(&Question { qname, qtype }, &records).is_none());
        }
    }

    /// Every message that is read is one that would have been written, whatever somebody made of it.
    #[test]
    fn a_changed_message_is_read_as_what_it_says_or_not_at_all() {
        for (owner, qtype, records) in sets() {
            let qname = owner.as_bytes();
            let message = encode(&Question { qname, qtype }, &records).unwrap();
            for length in 0..message.len() {
                assert!(
                    decode(&message[..length]).is_none(),
                    "{owner} cut at {length}"
                );
            }
            assert!(decode(&[&message[..], b"x"].concat()).is_none());
            for place in 0..message.len() {
                for change in 1..=255 {
                    let mut changed = message.clone();
                    changed[place] ^= change;
                    let Some((qname, qtype, found)) = decode(&changed) else {
                        continue;
                    };
                    let found: Vec<RData> = found.into_iter().map(|r| r.rdata).collect();
                    let qname = qname.as_bytes();
                    let again = encode(&Question { qname, qtype }, &found);
                    assert_eq!(again, Some(changed), "{owner} octet {place}");
                }
            }
        }
    }
}
