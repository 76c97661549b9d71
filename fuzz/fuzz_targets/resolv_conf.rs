//! Any octets as a resolv.conf: no panic, and there is always a server to ask.
#![no_main]

use kamailio_dns::resolver::config::parse_for_tests;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    assert!((1..=8).contains(&parse_for_tests(octets)));
});
