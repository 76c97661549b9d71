//! Reads `scenarios.txt`: what becomes of each scenario. Its head describes the format.

use std::collections::BTreeMap;

use super::runner::Plan;

/// What becomes of a scenario.
#[derive(Clone, Debug)]
pub enum Case {
    Run(Plan),
    Not(String),
}

/// The whole file.
#[derive(Debug)]
pub struct Table {
    cases: BTreeMap<String, Case>,
    /// The newest version of unbound whose scenarios are all listed.
    known: Vec<u32>,
}

impl Table {
    /// Reads the file; a line that is not understood ends the test.
    pub fn read() -> Self {
        parse(include_str!("scenarios.txt")).expect("scenarios.txt")
    }

    /// The case of a release's file; `None` when there is no line for it.
    pub fn case(&self, release: &str, name: &str) -> Option<Case> {
        let own = self.cases.get(&format!("{release}/{name}"));
        let mut case = own.or_else(|| self.cases.get(name)).cloned()?;
        if let Case::Run(plan) = &mut case {
            plan.answers_at_once = release == "bookworm";
        }
        Some(case)
    }

    /// True when the table should have every scenario of that version.
    pub fn knows(&self, version: &str) -> bool {
        numbers(version) <= self.known
    }

    /// Names of the scenarios that are played.
    pub fn runs(&self) -> impl Iterator<Item = &String> {
        let runs =
            |(name, case): (&'_ String, &Case)| matches!(case, Case::Run(_)) && !name.contains('/');
        self.cases
            .iter()
            .filter(move |(n, c)| runs((n, c)))
            .map(|(name, _)| name)
    }
}

/// The numbers of `1.17.1-2+deb12u4` up to the dash.
fn numbers(version: &str) -> Vec<u32> {
    let upstream = version.split(['-', '+']).next().unwrap_or_default();
    upstream
        .split('.')
        .filter_map(|number| number.parse().ok())
        .collect()
}

fn parse(text: &str) -> Result<Table, String> {
    let mut reasons = BTreeMap::new();
    let mut table = Table {
        cases: BTreeMap::new(),
        known: Vec::new(),
    };
    for line in text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let words: Vec<&str> = line.split_whitespace().collect();
        let case = match words[..] {
            ["known", version] => {
                table.known = numbers(version);
                continue;
            }
            ["reason", key, ref words @ ..] => {
                reasons.insert(key, words.join(" "));
                continue;
            }
            [_, "not", key] => {
                Case::Not(reasons.get(key).ok_or(format!("no reason {key}"))?.clone())
            }
            [_, "run", ref words @ ..] => Case::Run(plan(words)?),
            _ => return Err(format!("not understood: {line}")),
        };
        if table.cases.insert(words[0].to_owned(), case).is_some() {
            return Err(format!("{} is listed twice", words[0]));
        }
    }
    Ok(table)
}

fn plan(words: &[&str]) -> Result<Plan, String> {
    let mut plan = Plan::default();
    for word in words {
        let (key, value) = word.split_once('=').ok_or(format!("no value: {word}"))?;
        let number = |text: &str| {
            text.parse::<u32>()
                .map_err(|_| format!("no number: {word}"))
        };
        match key {
            "queries" => plan.queries = number(value)? as usize,
            "servers" if value == "all" => plan.recursor = true,
            "servers" => plan.servers = value.split(',').map(str::to_owned).collect(),
            "until" => plan.until = number(value)?,
            "skip" => {
                let (first, last) = value.split_once('-').ok_or(format!("no range: {word}"))?;
                plan.skip = Some((number(first)?, number(last)?));
            }
            "stale" => {
                plan.stale_checks = value.split(',').map(number).collect::<Result<_, _>>()?
            }
            _ => return Err(format!("not known: {word}")),
        }
    }
    if plan.queries == 0 {
        return Err("a scenario without queries".into());
    }
    Ok(plan)
}

#[test]
fn the_table_is_read() {
    let table = Table::read();
    assert!(table.runs().count() > 80);
    assert!(table.knows("1.17.1-2+deb12u4") && !table.knows("2.0.0-1"));
    assert!(table.case("trixie", "no such scenario").is_none());
    let text = "reason a b c\nx run queries=2 servers=1.2.3.4,1.2.3.5 until=7 skip=2-3 stale=4,5\nbookworm/x not a\n";
    let table = parse(text).unwrap();
    let Some(Case::Run(plan)) = table.case("trixie", "x") else {
        panic!("{table:?}")
    };
    assert_eq!(
        (plan.queries, plan.servers.len(), plan.until, plan.skip),
        (2, 2, 7, Some((2, 3)))
    );
    assert!(matches!(table.case("bookworm", "x"), Some(Case::Not(reason)) if reason == "b c"));
    for (from, to) in [
        ("queries=2", "queries=0"),
        ("until", "to"),
        ("not a", "not z"),
        ("bookworm/x", "x"),
    ] {
        assert!(parse(&text.replace(from, to)).is_err(), "{from}");
    }
}
