//! Any octets as a DNS message: no panic, bounded work, only usable records.
#![no_main]

use kamailio_dns::resolver::decode_for_tests;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    let Some(decoded) = decode_for_tests(octets) else {
        assert!(octets.len() < 12, "a whole header can always be read");
        return;
    };
    assert!(decoded.steps <= 50_000);
    for record in decoded.answers.iter().chain(&decoded.additional) {
        assert_eq!(record.class, 1);
        assert!(record.ttl <= i32::MAX as u32);
        assert!(record.owner.len() <= 255);
        assert!(record.owner.as_bytes().iter().all(u8::is_ascii_graphic));
    }
});
