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
    by_task(&for_c(&String::from_utf8(text).unwrap()))
}

/// What the functions of Kamailio's header are for, and the files of `src/ffi` that have them.
const TASKS: [(&str, &[&str]); 9] = [
    ("Start and end", &["init"]),
    ("Options", &["options", "settings", "statics"]),
    (
        "Hosts and SIP destinations: all addresses at once",
        &["resolve", "literal"],
    ),
    (
        "Targets of a request, one after the other",
        &["opaque", "handle", "naptr"],
    ),
    (
        "The cache: addresses, records that an operator puts in",
        &["cache"],
    ),
    ("Records, past the cache", &["records", "parsers"]),
    ("Names in use stay fresh", &["refresh", "watchdog"]),
    (
        "What happens: log, statistics, why a URI leads where it leads",
        &["log", "metrics", "stats", "explain", "codes"],
    ),
    (
        "Commands, as an RPC transport calls them",
        &[
            "rpc",
            "rpc_config",
            "rpc_delete",
            "rpc_pins",
            "rpc_snapshot",
            "rpc_stats",
            "rpc_trace",
        ],
    ),
];

/// The task that a function is for.
fn task_of(function: &str) -> usize {
    let marker = format!("extern \"C\" fn {function}(");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ffi");
    let has = |file: &str| {
        let text = std::fs::read_to_string(root.join(file).with_extension("rs")).unwrap();
        text.contains(&marker)
    };
    let task = TASKS
        .iter()
        .position(|(_, files)| files.iter().any(|file| has(file)));
    task.unwrap_or_else(|| panic!("{function} is for no task"))
}

/// The part of the header that has functions, by task and then by name.
fn by_task(text: &str) -> String {
    const BEGIN: &str = "extern \"C\" {\n#endif // __cplusplus\n\n";
    const END: &str = "#ifdef __cplusplus\n}  // extern";
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (functions, after) = rest.split_once(END).unwrap();
    let mut parts = vec![String::new(); TASKS.len()];
    for block in blocks(functions) {
        let code = block.rsplit("*/\n").next().unwrap();
        let before = code.split('(').next().unwrap();
        let name = before.rsplit([' ', '*', '\n']).next().unwrap();
        parts[task_of(name)] += &format!("{block}\n");
    }
    let mut sorted = String::new();
    for ((about, _), part) in TASKS.iter().zip(parts) {
        assert!(!part.is_empty(), "{about}: nothing");
        sorted += &format!("{}{part}", heading(about));
    }
    [before, BEGIN, &sorted, END, after].concat()
}

/// The declarations, each with what is said of it and the flags that it needs.
fn blocks(text: &str) -> Vec<String> {
    let (mut blocks, mut block) = (Vec::new(), String::new());
    let mut is_conditional = false;
    for line in text.lines() {
        if block.is_empty() && line.is_empty() {
            continue;
        }
        if block.is_empty() {
            is_conditional = line.starts_with("#if");
        }
        block += &format!("{line}\n");
        let is_end = match is_conditional {
            true => line == "#endif",
            false => line.ends_with(';') && block.contains("*/"),
        };
        if is_end {
            blocks.push(std::mem::take(&mut block));
        }
    }
    assert_eq!(block, "");
    blocks
}

fn heading(about: &str) -> String {
    format!("/* {}\n   {about} */\n\n", "-".repeat(72))
}

/// Comments for those who write C: what makes a call sound is a demand, and defects have no numbers.
fn for_c(text: &str) -> String {
    let mut kept = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "# Safety" {
            let (before, _) = line.split_once(" (B").unwrap_or((line, ""));
            let number = line.strip_prefix(before).unwrap();
            let end = number.find(')').map_or(0, |end| end + 1);
            let digits = number.get(3..end.saturating_sub(1)).unwrap_or_default();
            let is_number =
                !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit());
            match is_number {
                true => kept += &format!("{before}{}\n", &number[end..]),
                false => kept += &format!("{line}\n"),
            }
            continue;
        }
        let demand = lines.next().unwrap().trim_start();
        if demand == "Always safe to call." {
            kept.truncate(kept.trim_end().len());
            kept.push('\n');
        } else {
            kept += &format!(" Demands: {demand}\n");
        }
    }
    kept
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
    [&text[..comment], &heading(about), &text[comment..]].concat()
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
    let kamailio = generated();
    for name in ["kdns", "Safety", "(B3"] {
        assert!(!kamailio.contains(name), "{name}");
    }
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
