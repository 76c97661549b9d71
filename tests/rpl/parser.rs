//! Reads unbound's `.rpl` files: settings, scripted servers, steps.
//!
//! ```text
//! server: key: value ...          settings, up to CONFIG_END
//! SCENARIO_BEGIN title
//! RANGE_BEGIN 0 100               what a server answers while the step number is in the range
//!     ADDRESS 192.0.2.1           (any server when there is no address)
//!     ENTRY_BEGIN ... ENTRY_END
//! RANGE_END
//! STEP 10 QUERY                   steps, in ascending order; most are followed by an entry
//! ENTRY_BEGIN ... ENTRY_END
//! SCENARIO_END
//! ```
//!
//! A word that is not known is an error: a scenario is never run in part by accident.

use std::net::IpAddr;

use crate::support::{A, AAAA, CNAME, NS, Rr, SOA};

/// TTL of records that are written without one, s.
pub const DEFAULT_TTL: u32 = 3600;

/// A whole file.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Keys and values in order; sections appear as keys without value.
    pub config: Vec<(String, String)>,
    pub ranges: Vec<Range>,
    pub steps: Vec<Step>,
}

/// What a server answers while the step number lies in `first..=last`.
#[derive(Clone, Debug)]
pub struct Range {
    pub first: u32,
    pub last: u32,
    pub address: Option<IpAddr>,
    pub entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
pub struct Step {
    pub number: u32,
    pub action: Action,
}

#[derive(Clone, Debug)]
pub enum Action {
    /// A client asks.
    Query(Entry),
    /// A client must have this answer now.
    CheckAnswer(Entry),
    /// This query must be under way.
    CheckOutQuery(Entry),
    /// A query under way gets this reply.
    Reply(Entry),
    /// The clock goes on, ms.
    TimePasses(u64),
    /// A query under way gets no reply in time.
    Timeout,
    /// A query under way fails in the network.
    Error,
    /// Nothing; replies from ranges may travel.
    Nothing,
}

/// A message, or what to compare of one.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    pub matches: Vec<String>,
    /// Header flags and response code as one word; 0 when there was no REPLY line.
    pub flags: u16,
    pub question: Option<(String, u16)>,
    pub answers: Vec<Rr>,
    pub authorities: Vec<Rr>,
    pub additional: Vec<Rr>,
}

impl Entry {
    pub fn rcode(&self) -> u16 {
        self.flags & 15
    }

    /// The entry only says whom else to ask.
    pub fn is_referral(&self) -> bool {
        let has = |rtype| self.authorities.iter().any(|rr| rr.rtype == rtype);
        self.rcode() == 0 && self.answers.is_empty() && has(NS) && !has(SOA)
    }

    pub fn has_match(&self, word: &str) -> bool {
        self.matches.iter().any(|m| m == word)
    }

    /// The entry is about this question, by the rules of its MATCH line.
    pub fn fits(&self, name: &str, qtype: u16, tcp: bool) -> bool {
        let Some((own_name, own_type)) = &self.question else {
            return false;
        };
        let same_name = own_name.eq_ignore_ascii_case(name);
        let below = name
            .to_ascii_lowercase()
            .ends_with(&format!(".{}", own_name.to_ascii_lowercase()));
        self.matches.iter().all(|word| match word.as_str() {
            "qname" => same_name,
            "qtype" => *own_type == qtype,
            "subdomain" => same_name || below,
            "all" => same_name && *own_type == qtype,
            "TCP" => tcp,
            "UDP" => !tcp,
            _ => true,
        })
    }
}

const MATCH_WORDS: [&str; 9] = [
    "opcode",
    "qname",
    "qtype",
    "subdomain",
    "all",
    "TCP",
    "UDP",
    "ttl",
    "ede=3",
];

struct Lines<'a> {
    lines: std::iter::Peekable<std::vec::IntoIter<(usize, Vec<&'a str>)>>,
    number: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Result<Vec<&'a str>, String> {
        let (number, words) = self.lines.next().ok_or("the file ends too early")?;
        self.number = number;
        Ok(words)
    }

    fn next_starts_with(&mut self, word: &str) -> bool {
        self.lines.peek().is_some_and(|(_, words)| words[0] == word)
    }
}

/// Reads a file.
pub fn parse(text: &str) -> Result<Scenario, String> {
    let lines: Vec<(usize, Vec<&str>)> = text
        .lines()
        .enumerate()
        .map(|(index, line)| {
            let line = line.split_once(';').map_or(line, |(before, _)| before);
            (index + 1, line.split_whitespace().collect::<Vec<_>>())
        })
        .filter(|(_, words)| !words.is_empty())
        .collect();
    let mut lines = Lines {
        lines: lines.into_iter().peekable(),
        number: 0,
    };
    parse_file(&mut lines).map_err(|error| format!("line {}: {error}", lines.number))
}

fn parse_file(lines: &mut Lines<'_>) -> Result<Scenario, String> {
    let mut scenario = Scenario {
        config: parse_config(lines)?,
        ranges: Vec::new(),
        steps: Vec::new(),
    };
    if lines.next()?[0] != "SCENARIO_BEGIN" {
        return Err("SCENARIO_BEGIN expected".into());
    }
    loop {
        let words = lines.next()?;
        match words[..] {
            ["RANGE_BEGIN", first, last] => {
                let (first, last) = (number(first)?, number(last)?);
                scenario.ranges.push(parse_range(lines, first, last)?);
            }
            ["STEP", step, ref action @ ..] => {
                let step = Step {
                    number: number(step)?,
                    action: parse_action(lines, action)?,
                };
                if scenario
                    .steps
                    .last()
                    .is_some_and(|s| s.number >= step.number)
                {
                    return Err("steps must ascend".into());
                }
                scenario.steps.push(step);
            }
            ["SCENARIO_END"] => return Ok(scenario),
            _ => return Err(format!("not understood: {words:?}")),
        }
    }
}

fn parse_config(lines: &mut Lines<'_>) -> Result<Vec<(String, String)>, String> {
    let mut config: Vec<(String, String)> = Vec::new();
    loop {
        let words = lines.next()?;
        if words[0] == "CONFIG_END" {
            return Ok(config);
        }
        for word in words.into_iter().take_while(|word| !word.starts_with('#')) {
            if let Some(key) = word.strip_suffix(':') {
                config.push((key.to_owned(), String::new()));
            } else {
                let (_, value) = config.last_mut().ok_or("a value without key")?;
                if !value.is_empty() {
                    value.push(' ');
                }
                value.push_str(word.trim_matches('"'));
            }
        }
    }
}

fn parse_range(lines: &mut Lines<'_>, first: u32, last: u32) -> Result<Range, String> {
    let mut range = Range {
        first,
        last,
        address: None,
        entries: Vec::new(),
    };
    loop {
        let words = lines.next()?;
        match words[..] {
            ["ADDRESS", address] => {
                range.address = Some(address.parse().map_err(|_| "not an address")?);
            }
            ["ENTRY_BEGIN"] => range.entries.push(parse_entry(lines)?),
            ["RANGE_END"] => return Ok(range),
            _ => return Err(format!("not understood in a range: {words:?}")),
        }
    }
}

fn parse_action(lines: &mut Lines<'_>, words: &[&str]) -> Result<Action, String> {
    let entry = if lines.next_starts_with("ENTRY_BEGIN") {
        lines.next()?;
        Some(parse_entry(lines)?)
    } else {
        None
    };
    Ok(match (words, entry) {
        (["QUERY"], Some(entry)) => Action::Query(entry),
        (["CHECK_ANSWER"], Some(entry)) => Action::CheckAnswer(entry),
        (["CHECK_OUT_QUERY"], Some(entry)) => Action::CheckOutQuery(entry),
        (["REPLY"], Some(entry)) => Action::Reply(entry),
        (["TIME_PASSES", "ELAPSE", seconds], None) => Action::TimePasses(milliseconds(seconds)?),
        (["TIMEOUT"], None) => Action::Timeout,
        (["ERROR"], None) => Action::Error,
        (["NOTHING" | "TRAFFIC"], None) => Action::Nothing,
        _ => return Err(format!("not a step: {words:?}")),
    })
}

fn parse_entry(lines: &mut Lines<'_>) -> Result<Entry, String> {
    let mut entry = Entry::default();
    let mut section = "";
    loop {
        let words = lines.next()?;
        match words[0] {
            "ENTRY_END" => return Ok(entry),
            "MATCH" => {
                for word in &words[1..] {
                    if !MATCH_WORDS.contains(word) {
                        return Err(format!("MATCH {word} is not known"));
                    }
                    entry.matches.push((*word).to_owned());
                }
            }
            // The id always is copied; a copied query is what every reply here has.
            "ADJUST" if words[1..].iter().all(|w| w.starts_with("copy_")) => {}
            "REPLY" => {
                for word in &words[1..] {
                    entry.flags |= flag(word)?;
                }
            }
            "SECTION" => section = words.get(1).copied().unwrap_or_default(),
            _ if section == "QUESTION" => entry.question = Some(question(&words)?),
            _ if section == "ANSWER" => entry.answers.push(record(&words)?),
            _ if section == "AUTHORITY" => entry.authorities.push(record(&words)?),
            _ if section == "ADDITIONAL" => entry.additional.push(record(&words)?),
            _ => return Err(format!("not understood in an entry: {words:?}")),
        }
    }
}

fn flag(word: &str) -> Result<u16, String> {
    Ok(match word {
        "QR" => 0x8000,
        "AA" => 0x0400,
        "TC" => 0x0200,
        "RD" => 0x0100,
        "RA" => 0x0080,
        "AD" => 0x0020,
        "CD" => 0x0010,
        // Asks for DNSSEC records, of which there are none in these scenarios.
        "DO" | "NOERROR" => 0,
        "SERVFAIL" => 2,
        "NXDOMAIN" => 3,
        "FORMERR" => 1,
        "NOTIMPL" | "NOTIMP" => 4,
        "REFUSED" => 5,
        "YXDOMAIN" => 6,
        "NOTAUTH" => 9,
        _ => return Err(format!("REPLY {word} is not known")),
    })
}

fn question(words: &[&str]) -> Result<(String, u16), String> {
    match words {
        [name, "IN", rtype] | [name, rtype] => Ok((absolute(name), record_type(rtype)?)),
        _ => Err(format!("not a question: {words:?}")),
    }
}

/// Owner, then TTL and class in that order, both optional, type, data. Of types that a client here makes nothing of, the
/// data is any octets.
fn record(words: &[&str]) -> Result<Rr, String> {
    if let Some(record) = Rr::from_words(words, DEFAULT_TTL) {
        return Ok(record);
    }
    let wrong = || format!("not a record: {words:?}");
    let [owner, rest @ ..] = words else {
        return Err(wrong());
    };
    let is_before_type = |word: &&&str| word.parse::<u32>().is_ok() || **word == "IN";
    let before = rest.iter().take_while(is_before_type).count();
    let [rtype, data @ ..] = &rest[before..] else {
        return Err(wrong());
    };
    let rtype = record_type(rtype)?;
    if [A, AAAA, NS, CNAME, SOA].contains(&rtype) {
        return Err(wrong());
    }
    let ttl = rest[..before].first().and_then(|word| word.parse().ok());
    let ttl = ttl.unwrap_or(DEFAULT_TTL);
    Ok(Rr::raw(
        &absolute(owner),
        rtype,
        ttl,
        data.join(" ").as_bytes(),
    ))
}

/// The name without the dot at its end: all names of these files are absolute.
fn absolute(name: &str) -> String {
    name.trim_end_matches('.').to_owned()
}

fn record_type(text: &str) -> Result<u16, String> {
    Ok(match text.to_ascii_uppercase().as_str() {
        "A" => A,
        "AAAA" => AAAA,
        "NS" => NS,
        "CNAME" => CNAME,
        "SOA" => SOA,
        other => {
            let known = OTHER_TYPES.iter().find(|(name, _)| *name == other);
            known
                .ok_or(format!("type {text} is not known"))
                .map(|(_, number)| *number)?
        }
    })
}

/// Types of which a client here makes nothing; their records travel with the others.
const OTHER_TYPES: [(&str, u16); 17] = [
    ("PTR", 12),
    ("HINFO", 13),
    ("MX", 15),
    ("TXT", 16),
    ("SRV", 33),
    ("NAPTR", 35),
    ("DNAME", 39),
    ("DS", 43),
    ("RRSIG", 46),
    ("NSEC", 47),
    ("DNSKEY", 48),
    ("NSEC3", 50),
    ("NSEC3PARAM", 51),
    ("SVCB", 64),
    ("HTTPS", 65),
    ("SPF", 99),
    ("ANY", 255),
];

fn milliseconds(seconds: &str) -> Result<u64, String> {
    let (whole, part) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let part: String = part.chars().chain("000".chars()).take(3).collect();
    Ok(u64::from(number(whole)?) * 1000 + u64::from(number(&part)?))
}

fn number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("not a number: {text}"))
}

#[test]
fn a_file_is_read() {
    let text = "server:\n cache-max-ttl: 10 # s\nforward-zone: name: \".\"\nCONFIG_END\n\
        SCENARIO_BEGIN x\nRANGE_BEGIN 0 9\n ADDRESS 192.0.2.1\nENTRY_BEGIN\nMATCH opcode subdomain\n\
        ADJUST copy_id copy_query\nREPLY QR AA NXDOMAIN\nSECTION QUESTION\nb.org. IN A\n\
        SECTION AUTHORITY\nb.org IN SOA . . 1 2 3 4 5\nENTRY_END\nRANGE_END\n\
        STEP 1 TIME_PASSES ELAPSE 7\nSTEP 2 TIMEOUT ; late\nSCENARIO_END\n";
    let scenario = parse(text).unwrap();
    let value = |key: &str| scenario.config.iter().find(|(k, _)| k == key).unwrap();
    assert_eq!(value("cache-max-ttl").1, "10");
    assert_eq!(value("name").1, ".");
    let entry = &scenario.ranges[0].entries[0];
    let fits = |name, qtype| entry.fits(name, qtype, false);
    assert_eq!((entry.rcode(), entry.flags & 0x8400), (3, 0x8400));
    assert!(fits("a.B.org", AAAA) && fits("b.org", A) && !fits("ab.org", A));
    assert_eq!(entry.authorities[0], Rr::soa("b.org", DEFAULT_TTL, 5));
    assert!(matches!(scenario.steps[0].action, Action::TimePasses(7000)));
    assert!(matches!(scenario.steps[1].action, Action::Timeout));
    for (from, to) in [
        ("subdomain", "sub"),
        ("STEP 2", "STEP 1"),
        ("SCENARIO_END", ""),
    ] {
        assert!(parse(&text.replace(from, to)).is_err(), "{from}");
    }
}
