use super::*;
use crate::answer::answer;

fn name(text: &str) -> Name {
    Name::parse(text.as_bytes(), &Name::default()).unwrap()
}

/// A query as a client writes it.
fn query(qname: &str, qtype: u16, edns: Option<(u16, u8)>) -> Vec<u8> {
    let mut writer = Writer::default();
    let additional = u16::from(edns.is_some());
    for word in [0x1234, 0x0100, 1, 0, 0, additional] {
        writer.u16(word);
    }
    writer.plain_name(&name(qname));
    writer.u16(qtype);
    writer.u16(CLASS_IN);
    if let Some((size, version)) = edns {
        writer.message.push(0);
        writer.u16(rtype::OPT);
        writer.u16(size);
        writer.message.extend([0, version, 0, 0, 0, 0]);
    }
    writer.message
}

fn zones() -> Vec<crate::zone::Zone> {
    let text = "$ORIGIN example.org.\n$TTL 300\n@ SOA ns h 1 2 3 4 60\n NS ns\nns A 192.0.2.53\n\
        w CNAME ns\n_sip._udp SRV 1 2 5060 ns\n$GENERATE 1-60 big A 192.0.2.$\n";
    crate::zone::parse(text.as_bytes()).unwrap()
}

fn exchange(message: &[u8], limit: Option<usize>) -> Vec<u8> {
    let query = read_query(message).unwrap();
    let reply = match query.refusal {
        Some(code) => Reply::error(code),
        None => answer(&zones(), &query.qname, query.qtype),
    };
    write_reply(&query, &reply, limit.unwrap_or_else(|| udp_limit(&query)))
}

fn word(message: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([message[at], message[at + 1]])
}

#[test]
fn reply_octet_by_octet() {
    let reply = exchange(&query("W.example.org.", rtype::A, None), None);
    let mut expected = vec![0x12, 0x34, 0x85, 0x00, 0, 1, 0, 2, 0, 0, 0, 0];
    // The question keeps the client's letters.
    expected.extend(b"\x01W\x07example\x03org\x00\x00\x01\x00\x01");
    // w CNAME ns: the owner points to the question, the target to the name after its first label.
    expected.extend(b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x01\x2c\x00\x05\x02ns\xc0\x0e");
    expected.extend(b"\xc0\x2b\x00\x01\x00\x01\x00\x00\x01\x2c\x00\x04\xc0\x00\x02\x35");
    assert_eq!(reply, expected);
}

#[test]
fn srv_targets_are_not_compressed() {
    let reply = exchange(&query("_sip._udp.example.org.", rtype::SRV, None), None);
    assert_eq!((word(&reply, 6), word(&reply, 10)), (1, 1));
    let target = b"\x13\xc4\x02ns\x07example\x03org\x00";
    assert!(reply.windows(target.len()).any(|w| w == target));
}

#[test]
fn too_big_for_udp_is_truncated_and_whole_over_tcp() {
    let plain = exchange(&query("big.example.org.", rtype::A, None), None);
    assert_eq!(word(&plain, 2) & 0x0200, 0x0200);
    assert_eq!((word(&plain, 4), word(&plain, 6)), (1, 0));
    assert!(plain.len() <= 512);
    let edns = exchange(&query("big.example.org.", rtype::A, Some((4096, 0))), None);
    assert_eq!(
        (word(&edns, 2) & 0x0200, word(&edns, 6), word(&edns, 10)),
        (0, 60, 1)
    );
    assert!(edns.len() <= MAX_UDP_OCTETS);
    let tcp = exchange(&query("big.example.org.", rtype::A, None), Some(65535));
    assert_eq!((word(&tcp, 2) & 0x0200, word(&tcp, 6)), (0, 60));
}

#[test]
fn additional_records_that_do_not_fit_are_left_out() {
    let message = query("_sip._udp.example.org.", rtype::SRV, None);
    let full = exchange(&message, None);
    let cut = exchange(&message, Some(full.len() - 1));
    assert_eq!(
        (word(&cut, 2) & 0x0200, word(&cut, 6), word(&cut, 10)),
        (0, 1, 0)
    );
    assert!(cut.len() < full.len());
}

#[test]
fn edns_is_answered_in_kind() {
    let reply = exchange(&query("ns.example.org.", rtype::A, Some((1400, 0))), None);
    assert_eq!(word(&reply, 10), 1);
    assert_eq!(
        &reply[reply.len() - 11..],
        b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00"
    );
    let version = exchange(&query("ns.example.org.", rtype::A, Some((1400, 1))), None);
    assert_eq!(word(&version, 2) & 0xf, 0);
    assert_eq!(version[version.len() - 6], 1, "extended code BADVERS");
    assert_eq!(word(&version, 6), 0);
}

#[test]
fn refusals() {
    let code = |message: &[u8]| word(&exchange(message, None), 2) & 0xf;
    let good = query("ns.example.org.", rtype::A, None);
    let with = |at: usize, octet: u8| {
        let mut message = good.clone();
        message[at] = octet;
        message
    };
    assert_eq!(code(&good), rcode::NOERROR);
    assert_eq!(code(&with(2, 0x28)), rcode::NOTIMP);
    assert_eq!(code(&with(5, 2)), rcode::FORMERR);
    assert_eq!(code(&with(12, 0xc0)), rcode::FORMERR);
    assert_eq!(code(&with(good.len() - 1, 3)), rcode::REFUSED);
    assert_eq!(code(&good[..good.len() - 1]), rcode::FORMERR);
    assert_eq!(code(&good[..12]), rcode::FORMERR);
    assert_eq!(code(&query("example.net.", rtype::A, None)), rcode::REFUSED);
    assert!(
        read_query(&with(2, 0x81)).is_none(),
        "a reply is not a query"
    );
    assert!(read_query(&good[..11]).is_none());
}

#[test]
fn no_message_makes_it_panic() {
    // Each octet of a good query replaced and cut at each length: always a reply or silence.
    let good = query("_sip._udp.example.org.", rtype::SRV, Some((512, 0)));
    let zones = zones();
    for at in 0..good.len() {
        for octet in [0, 1, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xff] {
            let mut message = good.clone();
            message[at] = octet;
            for length in [at, at + 1, message.len()] {
                let Some(query) = read_query(&message[..length]) else {
                    continue;
                };
                let reply = match query.refusal {
                    Some(code) => Reply::error(code),
                    None => answer(&zones, &query.qname, query.qtype),
                };
                let written = write_reply(&query, &reply, udp_limit(&query));
                assert!(written.len() <= udp_limit(&query) && written.len() >= HEADER_OCTETS);
            }
        }
    }
}
