//! README, the man pages and docs/observability.md have every option and command as the tables say; siptargets.1 has every switch.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test is the point"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

#[cfg(feature = "use_dns_cache")]
use kamailio_dns::ffi::rpc_register::{Command, commands};
use kamailio_dns::host::options::{Descriptor, Kind, all, own};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn page(name: &str) -> String {
    std::fs::read_to_string(root().join("docs/man").join(name)).unwrap()
}

/// Text for roff: a minus is a minus, and no line begins with a command.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) {
        return format!("\\&{text}");
    }
    text
}

fn default_text(option: &Descriptor) -> String {
    match (option.kind, option.default) {
        (Kind::Text, _) => (*option.words.first().unwrap_or(&"empty")).to_owned(),
        (Kind::Bool, 0) => "no".to_owned(),
        (Kind::Bool, _) => "yes".to_owned(),
        (_, number) => number.to_string(),
    }
}

fn range_text(option: &Descriptor) -> String {
    match option.kind {
        Kind::Bool | Kind::Text => String::new(),
        _ => format!(" Range: {} to {}.", option.min, option.max),
    }
}

/// One option under the name that readers of the page write.
fn paragraph(name: &str, option: &Descriptor) -> String {
    let unit = match (option.kind, option.unit) {
        (Kind::Text, _) | (_, "") => String::new(),
        (_, unit) => format!(" {unit}"),
    };
    let mut names = format!("\\fB{}\\fR", roff(name));
    for alias in option.aliases {
        names += &format!(", \\fB{}\\fR", roff(alias));
    }
    let help = roff(option.help);
    let facts = roff(&format!(
        "Default: {}{unit}.{}",
        default_text(option),
        range_text(option)
    ));
    format!(".TP\n{names}\n{help}.\n{facts}\n")
}

fn of_kamailio() -> String {
    let is_own = |name: &str| own().any(|option| option.name == name);
    all()
        .filter(|option| !is_own(option.name))
        .map(|option| paragraph(option.name, option))
        .collect()
}

fn of_the_library() -> String {
    own()
        .filter(|option| !option.outside_kamailio)
        .map(|option| paragraph(&format!("DNS.{}", option.group_name()), option))
        .collect()
}

fn of_all() -> String {
    all().map(|option| paragraph(option.name, option)).collect()
}

/// A number as README writes it.
fn grouped(number: i64) -> String {
    let digits = number.abs().to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    match number {
        ..0 => format!("-{text}"),
        _ => text,
    }
}

/// A row of README's table.
fn row(option: &Descriptor) -> String {
    let range = match option.kind {
        Kind::Bool | Kind::Text => String::new(),
        _ => format!("; {} to {}", grouped(option.min), grouped(option.max)),
    };
    let says = [option.says, option.help][usize::from(option.says.is_empty())];
    let unit = match option.unit {
        "" => String::new(),
        unit => format!("{unit} "),
    };
    let default = default_text(option);
    format!(
        "| `{}` | {default} | {unit}| {says}{range} |\n",
        option.name
    )
}

fn for_readme() -> String {
    let rows: String = own().map(row).collect();
    format!("| option | default | unit | meaning |\n|---|---|---|---|\n{rows}")
}

/// The commands, with arguments and what they show, for docs/observability.md.
#[cfg(feature = "use_dns_cache")]
fn commands_table() -> String {
    let row = |command: &Command| {
        let name = command.name.to_str().unwrap();
        let says = [command.says, command.help.to_str().unwrap()];
        let says = says[usize::from(command.says.is_empty())];
        let arguments = match command.arguments {
            "" => String::new(),
            arguments => format!("{arguments} "),
        };
        format!("| `{name}` | {arguments}| {says} |\n")
    };
    let rows: String = commands().map(row).collect();
    format!("| command | arguments | shows |\n|---|---|---|\n{rows}")
}

/// The same for the man page.
#[cfg(feature = "use_dns_cache")]
fn commands_paragraphs() -> String {
    let paragraph = |command: &Command| {
        let name = roff(command.name.to_str().unwrap());
        let arguments = match command.arguments {
            "" => String::new(),
            arguments => format!(" \\fI{}\\fR", roff(arguments)),
        };
        let help = roff(command.help.to_str().unwrap());
        format!(".TP\n\\fB{name}\\fR{arguments}\n{help}\n")
    };
    commands().map(paragraph).collect()
}

/// The page with what stands between two comments replaced.
fn filled(page: &str, title: &str, text: &str) -> String {
    let (begin, end) = (
        format!(".\\\" {title}: begin\n"),
        format!(".\\\" {title}: end\n"),
    );
    between(page, &begin, &end, text)
}

fn between(page: &str, begin: &str, end: &str, text: &str) -> String {
    let (before, rest) = page.split_once(begin).expect("where it begins");
    let (_, after) = rest.split_once(end).expect("where it ends");
    format!("{before}{begin}{text}{end}{after}")
}

/// `UPDATE_MAN=1` writes the pages instead (`make man`).
#[test]
fn the_pages_have_the_tables() {
    let operators = page("kamailio-dns.7");
    let operators = filled(&operators, "options of Kamailio", &of_kamailio());
    let operators = filled(&operators, "options of the library", &of_the_library());
    let programmers = filled(&page("kamailio_dns.3"), "all options", &of_all());
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (begin, end) = (
        "<!-- own options: begin -->\n\n",
        "\n<!-- own options: end -->",
    );
    let readme = between(&readme, begin, end, &for_readme());
    is_current("docs/man/kamailio-dns.7", &operators);
    is_current("docs/man/kamailio_dns.3", &programmers);
    is_current("README.md", &readme);
    #[cfg(feature = "use_dns_cache")]
    {
        let operators = filled(&operators, "commands", &commands_paragraphs());
        is_current("docs/man/kamailio-dns.7", &operators);
        let guide = std::fs::read_to_string(root().join("docs/observability.md")).unwrap();
        let (begin, end) = ("<!-- commands: begin -->\n\n", "\n<!-- commands: end -->");
        let guide = between(&guide, begin, end, &commands_table());
        is_current("docs/observability.md", &guide);
    }
}

/// Fails when a file is not this text, or writes it.
fn is_current(name: &str, text: &str) {
    let path = root().join(name);
    if std::env::var_os("UPDATE_MAN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap() == text,
        "{name} has not what the tables say: run `make man`"
    );
}

/// Words that begin with `--`, with or without roff's backslashes.
fn switches(text: &str) -> BTreeSet<String> {
    let text = text.replace("\\-", "-");
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .filter(|word| word.starts_with("--") && word.len() > 2)
        .map(str::to_owned)
        .collect()
}

#[test]
fn siptargets_has_its_switches() {
    let source = root().join("examples/siptargets/siptargets.c");
    let source = std::fs::read_to_string(source).unwrap();
    let known: BTreeSet<_> = source
        .lines()
        .filter_map(|line| line.trim().strip_prefix("{\"")?.split_once('"'))
        .map(|(name, _)| format!("--{name}"))
        .collect();
    assert!(known.len() >= 13, "{known:?}");
    assert_eq!(switches(&page("siptargets.1")), known);
}

/// Names of functions in the library's header.
fn functions(header: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(header).unwrap();
    text.lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_alphabetic()))
        .filter_map(|line| line.split_once('('))
        .filter_map(|(before, _)| before.rsplit([' ', '*']).next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_function_of_kamailio_dns_3_exists() {
    let known = functions(&root().join("include/kamailio_dns.h"));
    let text = page("kamailio_dns.3");
    let synopsis = text.split(".SH DESCRIPTION").next().unwrap();
    let named: BTreeSet<_> = synopsis
        .lines()
        .filter_map(|line| line.split_once('('))
        .filter_map(|(before, _)| before.rsplit([' ', '*']).next())
        .filter(|name| !name.ends_with('$'))
        .map(str::to_owned)
        .collect();
    assert!(named.len() > 15, "{named:?}");
    let unknown: Vec<_> = named.difference(&known).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    // Those for programs other than Kamailio are all there.
    let own = known.iter().filter(|name| {
        let kinds = ["dns_handle_", "dns_option_", "dns_metric_", "dns_refresh_"];
        // The layout is of interest to hosts alone.
        kinds.iter().any(|kind| name.starts_with(kind)) && *name != "dns_handle_layout"
    });
    for name in own {
        assert!(named.contains(name), "{name} is missing");
    }
}
