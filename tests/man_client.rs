//! The man pages of kamailio_dns_client.h are what the header says: one of the whole, and one for each group of functions.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test is the point"
)]

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A line that separates groups.
const RULE: &str = "/* ------------------------------------------------------------------------\n";

/// Something that is declared: what is said of it, and the declaration.
#[derive(Debug)]
struct Declared {
    about: String,
    text: String,
}

/// A group of functions.
#[derive(Debug)]
struct Group {
    about: String,
    functions: Vec<Declared>,
}

impl Declared {
    /// The name of a function.
    fn function(&self) -> &str {
        let before = self.text.split('(').next().unwrap();
        before.rsplit([' ', '*']).next().unwrap()
    }
}

/// The text of a comment, without what belongs to C.
fn comment_text(comment: &str) -> String {
    let lines = comment
        .lines()
        .map(|line| line.trim().trim_start_matches("* "));
    let lines: Vec<_> = lines
        .map(|line| if line == "*" { "" } else { line })
        .collect();
    lines.join("\n").trim().to_owned()
}

/// What is declared in a part of the header.
fn declared(part: &str) -> Vec<Declared> {
    let mut all = Vec::new();
    let mut rest = part;
    while let Some((_, after)) = rest.split_once("\n/*\n") {
        let (comment, after) = after.split_once("*/\n").unwrap();
        let end = after.find("\n\n").unwrap_or(after.len());
        let text = after[..end].trim().to_owned();
        all.push(Declared {
            about: comment_text(comment),
            text,
        });
        rest = &after[end..];
    }
    all
}

fn header() -> String {
    std::fs::read_to_string(root().join("include/kamailio_dns_client.h")).unwrap()
}

fn groups(header: &str) -> Vec<Group> {
    let part = |part: &str| {
        let (about, rest) = part.split_once("*/").unwrap();
        let is_function = |declared: &Declared| declared.text.ends_with(");");
        Group {
            about: about.trim().to_owned(),
            functions: declared(rest).into_iter().filter(is_function).collect(),
        }
    };
    header.split(RULE).skip(1).map(part).collect()
}

/// Text for roff: a minus is a minus, a paragraph is one, and no line begins with a command.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    let line = |line: &str| match line {
        "" => ".PP".to_owned(),
        line if line.starts_with(['.', '\'']) => format!("\\&{line}"),
        line => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// A paragraph of a list.
fn item(name: &str, text: &str) -> String {
    let text = roff(text).replace(".PP", ".IP");
    format!(".TP\n\\fB{}\\fR\n{text}\n", roff(name))
}

fn head(title: &str, names: &str, about: &str) -> String {
    let title = title.to_uppercase();
    let about = roff(&about.to_lowercase().replace("sip", "SIP"));
    format!(
        ".TH {title} 3 \"\" \"kamailio-dns\" \"kamailio-dns\"\n.SH NAME\n{names} \\- {about}\n.SH SYNOPSIS\n.nf\n.B #include <kamailio_dns_client.h>\n.PP\n"
    )
}

/// Types of functions that the functions of a group take, each with its name.
fn callbacks<'t>(group: &Group, types: &'t [Declared]) -> Vec<(&'t str, &'t Declared)> {
    let named = types.iter().filter_map(|declared| {
        let (_, after) = declared.text.strip_prefix("typedef ")?.split_once("(*")?;
        Some((after.split_once(')')?.0, declared))
    });
    let takes = |name: &str| {
        let mut functions = group.functions.iter();
        functions.any(|function| function.text.contains(&format!("{name} ")))
    };
    named.filter(|(name, _)| takes(name)).collect()
}

fn group_page(group: &Group, others: &[Group], types: &[Declared]) -> String {
    let names: Vec<_> = group.functions.iter().map(Declared::function).collect();
    let callbacks = callbacks(group, types);
    let mut page = head(names[0], &names.join(", "), &group.about);
    for (_, callback) in &callbacks {
        for line in callback.text.lines() {
            page += &format!(".B \"{}\"\n", roff(line));
        }
        page += ".PP\n";
    }
    for function in &group.functions {
        for line in function.text.lines() {
            page += &format!(".B \"{}\"\n", roff(line));
        }
        page += ".PP\n";
    }
    page += ".fi\n.SH DESCRIPTION\n";
    for function in &group.functions {
        page += &item(&format!("{}()", function.function()), &function.about);
    }
    for (name, callback) in &callbacks {
        page += &item(name, &callback.about);
    }
    page += ".SH \"SEE ALSO\"\n.BR kamailio_dns_client (3)";
    for other in others.iter().filter(|other| other.about != group.about) {
        page += &format!(",\n.BR {} (3)", other.functions[0].function());
    }
    page + "\n"
}

/// The members of an enum, each with what is said of it.
fn members(text: &str) -> Vec<(String, String)> {
    let body = text.split_once('{').unwrap().1;
    let mut all = Vec::new();
    for part in body.split("/*").skip(1) {
        let (comment, after) = part.split_once("*/").unwrap();
        let declared = after.split([',', ';']).next().unwrap().trim();
        let name = declared.split(" = ").next().unwrap();
        all.push((name.to_owned(), comment_text(comment)));
    }
    all
}

fn page_of_all(header: &str, groups: &[Group]) -> String {
    let title = "kamailio_dns_client";
    let about = "DNS for SIP in programs of all kinds, without waiting";
    let mut page = head(title, title, "").replace("\\- \n", &format!("\\- {}\n", roff(about)));
    page +=
        ".B cc ... $(pkg\\-config \\-\\-cflags \\-\\-libs kamailio\\-dns)\n.fi\n.SH DESCRIPTION\n";
    let comment = header.split_once("CONVENTIONS\n").unwrap().1;
    let comment = comment.split_once("*/").unwrap().0;
    page += &roff(&comment_text(comment));
    page += "\n.SH FUNCTIONS\n";
    for group in groups {
        let first = group.functions[0].function();
        let names: Vec<_> = group
            .functions
            .iter()
            .map(|f| format!("{}()", f.function()))
            .collect();
        page += &format!(
            ".TP\n.BR {first} (3)\n{}: {}.\n",
            roff(&group.about),
            names.join(", ")
        );
    }
    let before = header.split(RULE).next().unwrap();
    let types = declared(before);
    for (title, name) in [
        ("ERRORS", "enum kdns_error {"),
        ("OPTIONS", "enum kdns_option {"),
        ("ANSWERS", "enum kdns_answer {"),
    ] {
        let found = types.iter().find(|t| t.text.starts_with(name)).unwrap();
        page += &format!(".SH {title}\n{}\n", roff(&found.about));
        for (name, about) in members(&found.text) {
            page += &item(&name, &about);
        }
    }
    page += ".SH FLAGS\n";
    for constant in types.iter().filter(|t| t.text.starts_with("#define KDNS_")) {
        let name = constant.text.split_whitespace().nth(1).unwrap();
        page += &item(name, &constant.about);
    }
    for found in types
        .iter()
        .filter(|t| t.text.starts_with("struct") && t.text.contains('{'))
    {
        let name = found.text.split(" {").next().unwrap();
        page += &format!(".SH \"{}\"\n{}\n", name.to_uppercase(), roff(&found.about));
        for (declared, about) in members(&found.text) {
            page += &item(&declared, &about);
        }
    }
    page + ".SH \"SEE ALSO\"\n.BR kamailio_dns (3),\n.BR kamailio\\-dns (7)\n"
}

/// `UPDATE_MAN=1` writes the pages instead (`make man`).
#[test]
fn the_pages_say_what_the_header_says() {
    let header = header();
    let groups = groups(&header);
    assert_eq!(groups.len(), 5, "{groups:?}");
    let mut pages = vec![(
        "kamailio_dns_client".to_owned(),
        page_of_all(&header, &groups),
    )];
    let types = declared(header.split(RULE).next().unwrap());
    for group in &groups {
        let name = group.functions[0].function().to_owned();
        pages.push((name, group_page(group, &groups, &types)));
    }
    let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
    for (name, page) in pages {
        let file = format!("docs/man/{name}.3");
        assert!(
            makefile.contains(&format!("{name}.3")),
            "{file} is not installed"
        );
        is_current(&file, &page);
    }
    let named: usize = groups.iter().map(|group| group.functions.len()).sum();
    let listed = std::fs::read_to_string(root().join("symbols/exports.txt")).unwrap();
    let listed = listed.lines().filter(|line| line.starts_with("kdns_"));
    assert_eq!(named, listed.count());
}

/// Fails when a file is not this text, or writes it.
fn is_current(name: &str, text: &str) {
    let path: &Path = &root().join(name);
    if std::env::var_os("UPDATE_MAN").is_some() {
        std::fs::write(path, text).unwrap();
    }
    assert!(
        std::fs::read_to_string(path).unwrap_or_default() == text,
        "{name} has not what the header says: run `make man`"
    );
}
