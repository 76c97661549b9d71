//! The committed C header is the one that the sources generate.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test is the point"
)]

use std::path::Path;

fn generated() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
    let bindings = cbindgen::Builder::new()
        .with_config(config)
        .with_crate(root)
        .generate()
        .unwrap();
    let mut text = Vec::new();
    bindings.write(&mut text);
    String::from_utf8(text).unwrap()
}

/// `UPDATE_HEADER=1` writes the header instead (`make header`).
#[test]
fn committed_header_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/kamailio_dns.h");
    let generated = generated();
    if std::env::var_os("UPDATE_HEADER").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let first_difference = committed
        .lines()
        .zip(generated.lines())
        .position(|(a, b)| a != b);
    assert!(
        committed == generated,
        "include/kamailio_dns.h is not current (line {:?}): run `make header`",
        first_difference.map(|line| line + 1)
    );
}

#[test]
fn generated_header_names_every_group() {
    let text = generated();
    for name in [
        "int dns_sip_resolve(",
        "struct naptr_rdata {",
        "#if defined(USE_NAPTR)",
        "int dns_option_set(",
    ] {
        assert!(text.contains(name), "{name}");
    }
}
