//! Nameservers that do as they are told, for tests that are not Rust. What they do is said in the text that
//! tests/support/net/text.rs describes, and it is the code of the Rust tests that does it.
//!
//! Reads standard input and ends with it, so it never outlives the program that started it. Each command ends with a line
//! that is a dot alone, and so does each answer on standard output:
//!
//! ```text
//! play            the servers do from now on what the following text says; each has an address. The first time, they start
//! server one 127.0.0.1:53
//!     example.org A 192.0.2.1
//! .
//! asked 7         the queries from the eighth on: server, name, type, how many ms ago
//! .
//! ```
//!
//! The answer to what is not understood begins with `error`.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "the modules are those of the tests, used in part"
)]

#[path = "../../tests/support/net/loopback.rs"]
mod loopback;
#[path = "../../tests/support/net/query.rs"]
mod query;
#[path = "../../tests/support/net/reply.rs"]
mod reply;
#[path = "../../tests/support/net/script.rs"]
mod script;
#[path = "../../tests/support/net/text.rs"]
mod text;
#[path = "../../tests/support/net/wire.rs"]
mod wire;

use std::io::{self, BufRead as _, Write as _};
use std::process::ExitCode;

use loopback::Server;
use text::Scene;

/// The servers that were started, by name.
#[derive(Default)]
struct Stage(Vec<(String, Server)>);

impl Stage {
    /// Has the servers do what a text says.
    fn play(&mut self, text: &str) -> Result<String, String> {
        for actor in Scene::read(text)?.actors {
            let started = self.0.iter().find(|(name, _)| *name == actor.name);
            if let Some((_, server)) = started {
                server.become_like(&actor.script);
                continue;
            }
            let address = actor.address;
            let address = address.ok_or_else(|| format!("{} has no address", actor.name))?;
            let server = Server::serve(actor.script, address);
            let server = server.map_err(|error| format!("{address}: {error}"))?;
            self.0.push((actor.name, server));
        }
        Ok(String::new())
    }

    /// The queries of all servers in the order of their arrival, without so many.
    fn asked(&self, but: usize) -> String {
        let mut all = Vec::new();
        for (name, server) in &self.0 {
            let queries = server.queries_since(0).into_iter();
            all.extend(queries.map(|(query, at)| (at, name, query)));
        }
        all.sort_by_key(|(at, _, _)| *at);
        let lines = all.iter().skip(but).map(|(at, name, query)| {
            let ago_ms = at.elapsed().as_millis();
            format!(
                "{name} {} {} {ago_ms}\n",
                query.name,
                wire::type_name(query.qtype)
            )
        });
        lines.collect()
    }

    fn command(&mut self, command: &str) -> Result<String, String> {
        let (first, rest) = command.split_once('\n').unwrap_or((command, ""));
        match first.split_whitespace().collect::<Vec<_>>()[..] {
            ["play"] => self.play(rest),
            ["asked", but] => match but.parse() {
                Ok(but) => Ok(self.asked(but)),
                Err(_) => Err(format!("not a number: {but}")),
            },
            _ => Err(format!("not a command: {first}")),
        }
    }
}

fn run() -> io::Result<()> {
    let (mut stage, mut command) = (Stage::default(), String::new());
    for line in io::stdin().lock().lines() {
        let line = line?;
        if line != "." {
            command.push_str(&line);
            command.push('\n');
            continue;
        }
        let answer = match stage.command(&command) {
            Ok(answer) => answer,
            Err(error) => format!("error: {error}\n"),
        };
        command.clear();
        let mut out = io::stdout().lock();
        out.write_all(answer.as_bytes())?;
        out.write_all(b".\n")?;
        out.flush()?;
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        // Nobody reads any more.
        Err(_) => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn plays_what_it_is_told_and_tells_what_it_was_asked() {
        let mut stage = Stage::default();
        assert!(stage.command("sing\n").is_err());
        assert!(stage.command("play\nserver one\n").is_err(), "no address");
        assert!(
            stage
                .command("play\nserver one 127.0.0.1:0\n odd\n")
                .is_err()
        );
        stage
            .command("play\nserver one 127.0.0.1:0\n a.test A 192.0.2.1\n")
            .unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        let limit = Some(std::time::Duration::from_secs(20));
        client.set_read_timeout(limit).unwrap();
        client.connect(stage.0[0].1.address()).unwrap();
        let query = b"\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x04test\0\0\x01\0\x01";
        let mut reply = [0; 600];
        client.send(query).unwrap();
        let length = client.recv(&mut reply).unwrap();
        assert_eq!(reply[length - 4..length], [192, 0, 2, 1]);
        stage
            .command("play\nserver one\n on * *: refused\n")
            .unwrap();
        client.send(query).unwrap();
        client.recv(&mut reply).unwrap();
        assert_eq!(reply[3] & 15, 5);
        let asked = stage.command("asked 1\n").unwrap();
        assert!(asked.starts_with("one a.test A "), "{asked}");
        assert_eq!(asked.lines().count(), 1);
        assert_eq!(stage.command("asked 0\n").unwrap().lines().count(), 2);
    }
}
