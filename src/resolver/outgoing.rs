//! The outgoing parts of a question: its name, and the question section.

use super::wire_name::{Octets, name_of_host_name};
use crate::rr::{CLASS_IN, Name, RecordType};

/// A question as it is asked.
#[derive(Clone, Debug)]
pub(super) struct Query {
    /// Text, without trailing dot.
    pub(super) name: Name,
    /// Question section: the name on the wire, type, class IN.
    pub(super) question: Octets,
}

impl Query {
    /// `None` if the name may not be asked for.
    #[inline]
    pub(super) fn new(qname: &[u8], qtype: RecordType) -> Option<Self> {
        let mut question = name_of_host_name(qname)?;
        let ([t0, t1], [c0, c1]) = (qtype.0.to_be_bytes(), CLASS_IN.to_be_bytes());
        question.extend_from_slice(&[t0, t1, c0, c1]);
        let name = Name::from_host_name(qname)?;
        Some(Self { name, question })
    }
}
