//! Any octets as replies over TCP.
#![no_main]

#[allow(dead_code, reason = "each target has one of the checks")]
#[path = "../checks.rs"]
mod checks;
#[allow(dead_code, unreachable_pub, reason = "shared with the tests")]
#[path = "../../tests/support/net/mod.rs"]
mod net;

use kamailio_dns::resolver::Protocol;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| checks::replies(octets, Protocol::Tcp));
