//! Master-file text to entries of tokens (RFC 1035 section 5.1): comments, quotes, parentheses.

use std::fmt;

/// One field. Escapes are kept as written, because names and strings treat them differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: Vec<u8>,
    pub(crate) quoted: bool,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.text))
    }
}

/// One record or directive; may span lines when it has parentheses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Line of its first token, from 1.
    pub(crate) line: usize,
    /// True when it starts with blanks: the owner is that of the record before.
    pub(crate) indented: bool,
    pub(crate) tokens: Vec<Token>,
}

/// Splits the text; an error names its line.
pub(crate) fn split(text: &[u8]) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    let mut current: Option<Entry> = None;
    let mut parentheses = 0usize;
    for (index, line) in text.split(|&o| o == b'\n').enumerate() {
        let number = index + 1;
        let mut rest = line;
        let indented = matches!(line.first(), Some(b' ' | b'\t'));
        let entry = current.get_or_insert_with(|| Entry {
            line: number,
            indented,
            tokens: Vec::new(),
        });
        while let Some((&octet, tail)) = rest.split_first() {
            match octet {
                b' ' | b'\t' | b'\r' => rest = tail,
                b';' => break,
                b'(' => {
                    parentheses += 1;
                    rest = tail;
                }
                b')' => {
                    parentheses = parentheses
                        .checked_sub(1)
                        .ok_or_else(|| format!("line {number}: ')' without '('"))?;
                    rest = tail;
                }
                b'"' => {
                    let length = token_length(tail, |o| o == b'"');
                    let (text, after) = tail.split_at(length);
                    let Some((_, after)) = after.split_first() else {
                        return Err(format!("line {number}: a quoted string has no end"));
                    };
                    entry.tokens.push(Token {
                        text: text.to_vec(),
                        quoted: true,
                    });
                    rest = after;
                }
                _ => {
                    let length = token_length(rest, |o| b" \t\r;()\"".contains(&o));
                    let (text, after) = rest.split_at(length);
                    entry.tokens.push(Token {
                        text: text.to_vec(),
                        quoted: false,
                    });
                    rest = after;
                }
            }
        }
        if parentheses == 0
            && let Some(entry) = current.take()
            && !entry.tokens.is_empty()
        {
            entries.push(entry);
        }
    }
    match current {
        Some(entry) => Err(format!("line {}: '(' without ')'", entry.line)),
        None => Ok(entries),
    }
}

/// Octets before the first one that ends the token; an escaped octet never does.
fn token_length(text: &[u8], ends: impl Fn(u8) -> bool) -> usize {
    let mut at = 0;
    while let Some(&octet) = text.get(at) {
        if octet == b'\\' {
            at += 2;
        } else if ends(octet) {
            return at;
        } else {
            at += 1;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(entry: &Entry) -> Vec<String> {
        entry.tokens.iter().map(Token::to_string).collect()
    }

    #[test]
    fn comments_quotes_and_parentheses() {
        let text = b"a A 1 ; no (\n\n  TXT \"x ; y\" \"\" z\\;q ; c\n@ SOA (\n 1 ; one\n 2 )\n";
        let entries = split(text).unwrap();
        assert_eq!(entries.len(), 3);
        assert_eq!(texts(&entries[0]), ["a", "A", "1"]);
        assert_eq!((entries[1].line, entries[1].indented), (3, true));
        assert_eq!(texts(&entries[1]), ["TXT", "x ; y", "", "z\\;q"]);
        assert!(entries[1].tokens[1].quoted && !entries[1].tokens[3].quoted);
        assert_eq!(texts(&entries[2]), ["@", "SOA", "1", "2"]);
        assert_eq!((entries[2].line, entries[2].indented), (4, false));
    }

    #[test]
    fn unfinished_text_is_an_error_with_its_line() {
        assert!(split(b"\na ( b").unwrap_err().contains("line 2"));
        assert!(split(b"a ) b").unwrap_err().contains("line 1"));
        assert!(split(b"a \"b").unwrap_err().contains("no end"));
        assert!(split(b"a \"b\\").unwrap_err().contains("no end"));
        assert!(split(b"a b\\").unwrap().len() == 1);
    }
}
