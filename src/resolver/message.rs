//! DNS messages: writes queries, reads replies. The only file that names `hickory_proto`.
//!
//! Questions of messages that are no replies to queries of ours are hickory's to read. A query is written here, and a
//! reply's header read: its question must be known octet by octet, and these are a few dozen octets for every miss.
//! hickory's decoder of whole messages does not read the records: it fails on the first odd record and bounds neither
//! pointers nor records. [`super::wire`] reads them one by one; a record that cannot be used is left out and costs no
//! other record anything.

use hickory_proto::op::{Header, Query};
use hickory_proto::rr::Name as WireName;
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};

use super::cookie::{self, Cookie};
use super::rdata;
use super::wire::{Budget, Reader, write_label};
use crate::host::metrics::{self, Metric};
use crate::rr::{CLASS_IN, Name, Record, RecordType};

/// Octets of a message's header.
pub(super) const HEADER_OCTETS: usize = 12;
/// UDP payload offered with EDNS: fits one packet nearly everywhere (DNS flag day 2020).
const EDNS_PAYLOAD_OCTETS: u16 = 1232;
/// Records kept of one section; more are walked over. A soft cap: no answer is refused for it.
const MAX_SECTION_RECORDS: usize = 1024;

/// The parts of a query besides the question.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct QueryFlags {
    /// Add an OPT record (RFC 6891).
    pub(super) edns: bool,
    /// Ask for the AD bit (RFC 6840 section 5.7).
    pub(super) authentic_data: bool,
    /// Cookie for the OPT record.
    pub(super) cookie: Option<Cookie>,
}

/// As [`encode_query`], for those that are not written for each question.
#[cold]
pub(super) fn encode_odd_query(out: &mut Vec<u8>, id: u16, question: &[u8], flags: QueryFlags) {
    encode_query(out, id, question, flags);
}

/// Writes a query with RD set. `question` is a question section of one: name, type, class.
#[inline]
pub(super) fn encode_query(out: &mut Vec<u8>, id: u16, question: &[u8], flags: QueryFlags) {
    const RECURSION_DESIRED: u8 = 1;
    const AUTHENTIC_DATA: u8 = 1 << 5;
    out.clear();
    out.extend(id.to_be_bytes());
    out.push(RECURSION_DESIRED);
    out.push(if flags.authentic_data {
        AUTHENTIC_DATA
    } else {
        0
    });
    out.extend([0, 1, 0, 0, 0, 0, 0, u8::from(flags.edns)]);
    out.extend_from_slice(question);
    if flags.edns {
        // Root, OPT, payload size, extended RCODE and flags, length of the data, data (RFC 6891 section
        // 6.1.2).
        let [high, low] = EDNS_PAYLOAD_OCTETS.to_be_bytes();
        let data_octets = flags
            .cookie
            .map_or(0, |cookie| cookie.option_octets() as u8);
        out.extend([0, 0, 41, high, low, 0, 0, 0, 0, 0, data_octets]);
        if let Some(cookie) = &flags.cookie {
            cookie.write(out);
        }
    }
}

/// The question of a message.
#[derive(Clone, Debug)]
pub(super) struct AskedFor {
    /// Name as text.
    pub(super) name: Vec<u8>,
    /// Type.
    pub(super) qtype: RecordType,
    /// Class.
    pub(super) class: u16,
    /// Where the records begin.
    pub(super) end: usize,
}

/// Header of a message.
#[derive(Clone, Debug)]
pub(super) struct Head {
    /// Transaction id.
    pub(super) id: u16,
    /// QR.
    pub(super) is_response: bool,
    /// The opcode is QUERY.
    pub(super) is_query_opcode: bool,
    /// AA.
    pub(super) authoritative: bool,
    /// TC.
    pub(super) truncated: bool,
    /// RA.
    pub(super) recursion_available: bool,
    /// Number of questions.
    pub(super) questions: u16,
    /// Response code without the upper bits of an OPT record.
    pub(super) rcode: u16,
    counts: [u16; 3],
}

impl Head {
    /// Reads the header (RFC 1035 section 4.1.1); `None` if it is not whole.
    pub(super) fn decode(message: &[u8]) -> Option<Self> {
        let words = message.first_chunk::<HEADER_OCTETS>()?;
        let [i, f, n, counts @ ..] = words.as_chunks::<2>().0 else {
            return None;
        };
        let [id, flags, questions] = [i, f, n].map(|word| u16::from_be_bytes(*word));
        let [answers, authorities, additional] = counts else {
            return None;
        };
        Some(Self {
            id,
            is_response: flags & 0x8000 != 0,
            is_query_opcode: flags & 0x7800 == 0,
            authoritative: flags & 0x0400 != 0,
            truncated: flags & 0x0200 != 0,
            recursion_available: flags & 0x0080 != 0,
            questions,
            rcode: flags & 0x000F,
            counts: [answers, authorities, additional].map(|word| u16::from_be_bytes(*word)),
        })
    }

    /// The question, if there is exactly one and it can be read.
    pub(super) fn asked_for(&self, message: &[u8]) -> Option<AskedFor> {
        if self.questions != 1 {
            return None;
        }
        let mut decoder = BinDecoder::new(message);
        Header::read(&mut decoder).ok()?;
        let query = Query::read(&mut decoder).ok()?;
        Some(AskedFor {
            name: wire_name_text(query.name()),
            qtype: RecordType(query.query_type().into()),
            class: query.query_class().into(),
            end: decoder.index(),
        })
    }

    /// Reads the records, which begin at `body_at`. `message` is the one that the head was read from, and
    /// `qname` the name in its question, where it is known: records that point to that get its spelling. Of
    /// the additional section only the OPT record is read, unless the others are wanted.
    pub(super) fn body(
        &self,
        message: &[u8],
        body_at: usize,
        qtype: RecordType,
        (qname, additional_too): (Option<&Name>, bool),
    ) -> Body {
        let [answers, authorities, additional] = self.counts;
        let mut body = Body {
            rcode: self.rcode,
            // The number in the header is believed as far as room for so many costs nothing.
            answers: Vec::with_capacity(usize::from(answers).min(4)),
            ..Body::default()
        };
        let mut reader = Reader::new(message, body_at);
        let mut budget = Budget::new();
        let whole = body
            .read_answers(&mut reader, &mut budget, answers, (qtype, qname))
            .and_then(|()| {
                body.answers_complete = true;
                body.read_authorities(&mut reader, &mut budget, authorities)
            })
            .and_then(|()| {
                body.authorities_complete = true;
                let wanted = additional_too.then_some(qname);
                body.read_additional(&mut reader, &mut budget, additional, wanted)
            });
        body.complete = whole.is_some();
        body.cut |= budget.is_spent();
        if body.cut {
            metrics::count(Metric::AnswerCut);
        }
        body.steps = budget.spent();
        body
    }
}

/// A part of a message that is there, but not as it should be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Malformed;

/// The records of a message, those that could be used.
#[derive(Clone, Debug, Default)]
pub(super) struct Body {
    /// Response code, with the upper bits of the OPT record if there is one.
    pub(super) rcode: u16,
    /// The additional section has an OPT record.
    pub(super) has_opt: bool,
    /// Another section has one: the sender copied the query.
    pub(super) opt_misplaced: bool,
    /// COOKIE option of the OPT record, if it has one: `Err` if that is malformed.
    pub(super) cookie: Option<Result<Cookie, Malformed>>,
    /// Answer section.
    pub(super) answers: Vec<Record>,
    /// Additional section without OPT.
    pub(super) additional: Vec<Record>,
    /// Owners of the SOA records of the authority section, with min(TTL, MINIMUM) in s.
    pub(super) soas: Vec<(Name, u32)>,
    /// There are records, of whatever kind, besides OPT.
    pub(super) has_records: bool,
    /// The authority section has NS records.
    pub(super) has_ns: bool,
    /// Answer records of the type asked, or CNAME, that could not be decoded or are of another class.
    pub(super) unusable_answers: u32,
    /// Every record of the answer section lies within the message.
    pub(super) answers_complete: bool,
    /// Every record of the answer and authority sections lies within the message.
    pub(super) authorities_complete: bool,
    /// Every record lies within the message.
    pub(super) complete: bool,
    /// Some records were left out because there are too many.
    pub(super) cut: bool,
    /// Labels and pointers read: a measure of the work.
    pub(super) steps: u32,
}

impl Body {
    fn read_answers(
        &mut self,
        reader: &mut Reader<'_>,
        budget: &mut Budget,
        count: u16,
        (qtype, qname): (RecordType, Option<&Name>),
    ) -> Option<()> {
        for _ in 0..count {
            let frame = Frame::read(reader)?;
            self.opt_misplaced |= frame.rtype == RecordType::OPT;
            self.has_records |= frame.rtype != RecordType::OPT;
            if self.answers.len() >= MAX_SECTION_RECORDS {
                self.cut = true;
                continue;
            }
            let is_asked_class = frame.class == CLASS_IN;
            let is_usable =
                is_asked_class && frame.decode(budget, qname, &mut self.answers).is_some();
            if !is_usable && (frame.rtype == qtype || frame.rtype == RecordType::CNAME) {
                self.unusable_answers += 1;
            }
        }
        Some(())
    }

    fn read_authorities(
        &mut self,
        reader: &mut Reader<'_>,
        budget: &mut Budget,
        count: u16,
    ) -> Option<()> {
        for _ in 0..count {
            let mut frame = Frame::read(reader)?;
            self.opt_misplaced |= frame.rtype == RecordType::OPT;
            self.has_records |= frame.rtype != RecordType::OPT;
            if frame.class != CLASS_IN {
                continue;
            }
            self.has_ns |= frame.rtype == RecordType::NS;
            if frame.rtype != RecordType::SOA || self.soas.len() >= MAX_SECTION_RECORDS {
                continue;
            }
            let minimum = rdata::soa_minimum(frame.rdata);
            if let (Some(owner), Some(minimum)) = (frame.owner.name(budget), minimum) {
                self.soas.push((owner, frame.ttl.min(minimum)));
            }
        }
        Some(())
    }

    fn read_additional(
        &mut self,
        reader: &mut Reader<'_>,
        budget: &mut Budget,
        count: u16,
        wanted: Option<Option<&Name>>,
    ) -> Option<()> {
        for _ in 0..count {
            let frame = Frame::read(reader)?;
            if frame.rtype == RecordType::OPT {
                self.has_opt = true;
                // RFC 6891 section 6.1.3: the top octet of the TTL extends the RCODE.
                self.rcode = (self.rcode & 15) | ((frame.raw_ttl >> 24) as u16) << 4;
                self.read_options(frame.rdata);
                continue;
            }
            self.has_records = true;
            let Some(qname) = wanted.filter(|_| frame.class == CLASS_IN) else {
                continue;
            };
            if self.additional.len() < MAX_SECTION_RECORDS {
                let _ = frame.decode(budget, qname, &mut self.additional);
            } else {
                self.cut = true;
            }
        }
        Some(())
    }
}

impl Body {
    /// Looks for a COOKIE among the options of an OPT record (RFC 6891 section 6.1.2); the first one counts.
    fn read_options(&mut self, mut data: Reader<'_>) {
        while self.cookie.is_none() {
            let (Some(code), Some(length)) = (data.u16(), data.u16()) else {
                return;
            };
            let Some(option) = data.take(usize::from(length)) else {
                return;
            };
            if code == cookie::OPTION_CODE {
                self.cookie = Some(Cookie::of_reply(option).ok_or(Malformed));
            }
        }
    }
}

/// A record whose bounds are known and whose names are not read yet.
struct Frame<'a> {
    owner: Reader<'a>,
    rtype: RecordType,
    class: u16,
    raw_ttl: u32,
    ttl: u32,
    rdata: Reader<'a>,
}

impl<'a> Frame<'a> {
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let owner = *reader;
        reader.skip_name()?;
        let [t0, t1, c0, c1, ttl @ .., l0, l1] = reader.array::<10>()?;
        let raw_ttl = u32::from_be_bytes(ttl);
        let length = u16::from_be_bytes([l0, l1]);
        Some(Self {
            owner,
            rtype: RecordType(u16::from_be_bytes([t0, t1])),
            class: u16::from_be_bytes([c0, c1]),
            raw_ttl,
            // RFC 2181 section 8: a value with the top bit set counts as 0.
            ttl: if raw_ttl > i32::MAX as u32 {
                0
            } else {
                raw_ttl
            },
            rdata: reader.take(usize::from(length))?,
        })
    }

    /// Appends the record to the others; `None` when it cannot be decoded.
    #[inline]
    fn decode(
        &self,
        budget: &mut Budget,
        qname: Option<&Name>,
        records: &mut Vec<Record>,
    ) -> Option<()> {
        let mut owner = self.owner;
        let owner = match qname {
            Some(qname) if owner.points_to(HEADER_OCTETS) => qname.clone(),
            _ => owner.name(budget)?,
        };
        let rdata = rdata::decode(self.rtype, self.rdata, budget)?;
        records.push(Record {
            owner,
            rtype: self.rtype,
            class: self.class,
            ttl: self.ttl,
            rdata,
        });
        Some(())
    }
}

fn wire_name_text(name: &WireName) -> Vec<u8> {
    let mut text = Vec::with_capacity(64);
    for label in name.iter() {
        if !text.is_empty() {
            text.push(b'.');
        }
        write_label(&mut text, label);
    }
    text
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::{MessageType, OpCode};

    use super::*;

    #[test]
    fn query_octets() {
        let mut out = vec![1, 2, 3];
        let question = b"\x01a\x02bc\x00\x00\x21\x00\x01";
        encode_query(&mut out, 0x1234, question, QueryFlags::default());
        assert_eq!(
            out,
            b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x02bc\x00\x00\x21\x00\x01"
        );
        let flags = QueryFlags {
            edns: true,
            authentic_data: true,
            cookie: None,
        };
        encode_query(&mut out, 1, b"\x00\x00\x01\x00\x01", flags);
        assert_eq!(
            out,
            b"\x00\x01\x01\x20\x00\x01\x00\x00\x00\x00\x00\x01\x00\x00\x01\x00\x01\
              \x00\x00\x29\x04\xD0\x00\x00\x00\x00\x00\x00"
        );
    }

    #[test]
    fn headers_are_read_as_hickory_reads_them() {
        for flags in 0..=u16::MAX {
            let [high, low] = flags.to_be_bytes();
            let message = [1, 2, high, low, 0, 3, 1, 4, 0, 5, 2, 6];
            let head = Head::decode(&message).unwrap();
            let header = Header::read(&mut BinDecoder::new(&message)).unwrap();
            let metadata = header.metadata;
            assert_eq!(head.id, metadata.id);
            assert_eq!(
                head.is_response,
                metadata.message_type == MessageType::Response
            );
            assert_eq!(head.is_query_opcode, metadata.op_code == OpCode::Query);
            assert_eq!(head.authoritative, metadata.authoritative);
            assert_eq!(head.truncated, metadata.truncation);
            assert_eq!(head.recursion_available, metadata.recursion_available);
            assert_eq!(head.rcode, u16::from(metadata.response_code));
            let counts = header.counts;
            assert_eq!(head.questions, counts.queries);
            let others = [counts.answers, counts.authorities, counts.additionals];
            assert_eq!(head.counts, others);
        }
        assert!(Head::decode(&[0; HEADER_OCTETS - 1]).is_none());
    }

    #[test]
    fn hickory_reads_what_is_written() {
        let mut out = Vec::new();
        let flags = QueryFlags {
            edns: true,
            authentic_data: true,
            cookie: None,
        };
        encode_query(&mut out, 7, b"\x03A_b\x03Org\x00\x00\x23\x00\x01", flags);
        let message = hickory_proto::op::Message::from_vec(&out).unwrap();
        assert_eq!(message.metadata.id, 7);
        assert!(message.metadata.recursion_desired && message.metadata.authentic_data);
        assert_eq!(
            message.queries[0].query_type(),
            hickory_proto::rr::RecordType::NAPTR
        );
        assert_eq!(message.edns.unwrap().max_payload(), EDNS_PAYLOAD_OCTETS);
        let head = Head::decode(&out).unwrap();
        let asked_for = head.asked_for(&out).unwrap();
        assert_eq!(asked_for.name, b"A_b.Org");
        assert_eq!((asked_for.class, asked_for.end), (CLASS_IN, 12 + 13));
        assert!(!head.is_response);
    }

    #[test]
    fn crafted_names_cost_no_more_than_honest_ones() {
        // One chain of pointers, each to the one before, and owners that all walk it.
        let mut message = b"\x00\x01\x81\x80\x00\x00\xFF\xFF\x00\x00\x00\x00".to_vec();
        message.extend(b"\x00\x00\x10\x00\x01\x00\x00\x00\x00\x3F\x00");
        let mut target = 12_u16;
        for _ in 0..8000 {
            let here = message.len() as u16;
            message.extend((0xC000 | target).to_be_bytes());
            target = here;
        }
        while message.len() < 65_500 {
            message.extend((0xC000 | target).to_be_bytes());
            message.extend(b"\x00\x01\x00\x01\x00\x00\x00\x00\x00\x04\x01\x02\x03\x04");
        }
        let head = Head::decode(&message).unwrap();
        let body = head.body(&message, HEADER_OCTETS, RecordType::A, (None, true));
        assert!(body.answers.is_empty());
        assert!(body.steps <= 50_000);
    }
}
