//! Any octets as a hosts file: no panic, no more names than octets, every name found.
#![no_main]

use kamailio_dns::resolver::hosts::parse_for_tests;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    let last_word = octets
        .split(u8::is_ascii_whitespace)
        .next_back()
        .unwrap_or_default();
    let (names, found) = parse_for_tests(octets, last_word);
    assert!(names <= octets.len());
    assert!(found.is_none_or(|addresses| !addresses.is_empty()));
});
