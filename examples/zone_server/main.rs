//! A small authoritative DNS server for the demonstration: serves zone files on a loopback port.
//!
//! ```text
//! zone_server [--listen ADDRESS:PORT] [--log FILE] ZONEFILE...
//! ```
//!
//! Prints the address it listens on as the only line on standard output (the default is a free port
//! of 127.0.0.1), appends one line for each query to the log file, and ends when its standard input
//! ends, so it never outlives the program that started it. Not for use on the Internet.

mod answer;
mod name;
mod net;
mod record;
mod serve;
mod tokens;
mod wire;
mod zone;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;

use serve::Server;
use zone::Zone;

const USAGE: &str = "usage: zone_server [--listen ADDRESS:PORT] [--log FILE] ZONEFILE...";

struct Arguments {
    listen: SocketAddr,
    log: Option<String>,
    zone_files: Vec<String>,
}

fn parse_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut parsed = Arguments {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        log: None,
        zone_files: Vec::new(),
    };
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .ok_or_else(|| format!("{argument} needs a value\n{USAGE}"))
        };
        match argument.as_str() {
            "--listen" => {
                let text = value()?;
                parsed.listen = text
                    .parse()
                    .map_err(|_| format!("'{text}' is not ADDRESS:PORT"))?;
            }
            "--log" => parsed.log = Some(value()?),
            option if option.starts_with('-') => {
                return Err(format!("unknown option {option}\n{USAGE}"));
            }
            _ => parsed.zone_files.push(argument),
        }
    }
    if parsed.zone_files.is_empty() {
        return Err(USAGE.to_owned());
    }
    Ok(parsed)
}

fn load_zones(paths: &[String]) -> Result<Vec<Zone>, String> {
    let mut zones: Vec<Zone> = Vec::new();
    for path in paths {
        let text = fs::read(path).map_err(|error| format!("{path}: {error}"))?;
        for zone in zone::parse(&text).map_err(|reason| format!("{path}: {reason}"))? {
            if zones.iter().any(|z| z.origin.key() == zone.origin.key()) {
                return Err(format!("{path}: zone {} was loaded before", zone.origin));
            }
            zones.push(zone);
        }
    }
    Ok(zones)
}

fn open_log(path: &str) -> Result<File, String> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(|error| format!("{path}: {error}"))
}

fn run() -> Result<(), String> {
    let arguments = parse_arguments(std::env::args().skip(1))?;
    let zones = load_zones(&arguments.zone_files)?;
    let log = arguments.log.as_deref().map(open_log).transpose()?;
    let listen = arguments.listen;
    let server = Server::start(listen, zones, log).map_err(|error| format!("{listen}: {error}"))?;
    let address = server.address();
    let mut stdout = io::stdout();
    writeln!(stdout, "{address}")
        .and_then(|()| stdout.flush())
        .map_err(|error| format!("standard output: {error}"))?;
    let mut ignored = [0; 64];
    loop {
        match io::stdin().read(&mut ignored) {
            Ok(0) => return Ok(()),
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Ok(()),
            _ => {}
        }
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            // Nothing is left to do when standard error is closed too.
            let _ = writeln!(io::stderr(), "zone_server: {reason}");
            ExitCode::from(2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, String> {
        parse_arguments(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn arguments() {
        let parsed = parse("--listen [::1]:53 --log l a b").unwrap();
        assert_eq!(parsed.listen.to_string(), "[::1]:53");
        assert_eq!(
            (parsed.log.as_deref(), parsed.zone_files.len()),
            (Some("l"), 2)
        );
        assert!(parse("a").unwrap().listen.ip().is_loopback());
        for bad in ["", "--log", "--listen x a", "--verbose a"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_zone_files_of_the_demonstration_are_good() {
        let file = |name: &str| format!("{}/examples/{name}", env!("CARGO_MANIFEST_DIR"));
        let zones = load_zones(&[file("example.org.zone"), file("example.net.zone")]).unwrap();
        assert_eq!(zones.len(), 2);
        assert!(load_zones(&[file("example.org.zone"), file("example.org.zone")]).is_err());
    }
}
