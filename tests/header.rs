//! The committed C header is the one that the sources generate.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test is the point"
)]

use std::path::Path;

type Generator = fn() -> String;

/// The headers, each with what generates it.
const HEADERS: [(&str, Generator); 2] = [
    ("kamailio_dns.h", generated),
    ("kamailio_dns_client.h", generated_client),
];

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

/// The files of the library's own interface, in the order of their mod.rs: it is the order of the header.
fn client_files(root: &Path) -> Vec<std::path::PathBuf> {
    let folder = root.join("src/ffi/client");
    let text = std::fs::read_to_string(folder.join("mod.rs")).unwrap();
    let names = text
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod "));
    names
        .map(|name| folder.join(name.trim_end_matches(';')).with_extension("rs"))
        .collect()
}

fn generated_client() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen_client.toml")).unwrap();
    let mut builder = cbindgen::Builder::new().with_config(config);
    for file in client_files(root) {
        builder = builder.with_src(file);
    }
    let mut text = Vec::new();
    builder.generate().unwrap().write(&mut text);
    let text = without_safety(&String::from_utf8(text).unwrap());
    client_files(root)
        .iter()
        .fold(text, |text, file| with_heading(&text, file))
}

/// Puts what a file is about in front of its first function.
fn with_heading(text: &str, file: &Path) -> String {
    let source = std::fs::read_to_string(file).unwrap();
    let about = source.lines().next().unwrap().trim_start_matches("//! ");
    let about = about.split(['.', ':']).next().unwrap();
    let Some(first) = source.split("extern \"C\" fn kdns_").nth(1) else {
        return text.to_owned();
    };
    let name = format!("kdns_{}(", first.split('(').next().unwrap());
    let mut declared = text.match_indices(&name).map(|(place, _)| place);
    let place = declared.find(|place| !in_comment(text, *place)).unwrap();
    let comment = text[..place].rfind("/*").unwrap();
    let rule = "-".repeat(72);
    let heading = format!("/* {rule}\n   {about} */\n\n");
    [&text[..comment], &heading, &text[comment..]].concat()
}

fn in_comment(text: &str, place: usize) -> bool {
    let opened = text[..place].rfind("/*");
    let closed = text[..place].rfind("*/");
    opened > closed
}

/// What Rust says of what makes a call sound stands in the chapter on conventions.
fn without_safety(text: &str) -> String {
    let mut kept = String::new();
    let mut is_safety = false;
    for line in text.lines() {
        is_safety = line.trim() == "# Safety" || is_safety && line.trim() != "*/";
        if !is_safety {
            if line.trim() == "*/" {
                while kept.ends_with("\n\n") {
                    kept.pop();
                }
            }
            kept += line;
            kept.push('\n');
        }
    }
    kept
}

/// `UPDATE_HEADER=1` writes the headers instead (`make header`).
#[test]
fn committed_headers_are_current() {
    for (name, generated) in HEADERS {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("include")
            .join(name);
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
            "include/{name} is not current (line {:?}): run `make header`",
            first_difference.map(|line| line + 1)
        );
    }
}

/// Neither header has what belongs to the other.
#[test]
fn the_interfaces_are_apart() {
    assert!(!generated().contains("kdns"));
    let client = generated_client();
    for name in ["dns_sip_resolve", "Safety", "hostent"] {
        assert!(!client.contains(name), "{name}");
    }
    for name in [
        "int kdns_open(",
        "struct kdns_target {",
        "KDNS_E_NOT_OFFERED = -2",
    ] {
        assert!(client.contains(name), "{name}");
    }
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
