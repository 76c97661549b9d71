//! Says whether a Kamailio executable can be taken over, without running it: `kamailio-dns-check FILE...`. The status
//! is 0 when all can.
#![allow(clippy::print_stdout, reason = "that is what it is for")]

use std::process::ExitCode;

use kamailio_dns_takeover::elf::Image;
use kamailio_dns_takeover::plan::plan;

/// The line about a file, and whether it can be taken over.
fn judge(path: &str) -> (bool, String) {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => return (false, error.to_string()),
    };
    match Image::parse(&bytes)
        .map_err(String::from)
        .and_then(|image| plan(&image))
    {
        Ok(plan) => {
            let (functions, parts) = (plan.entries.len(), plan.unused.len());
            let parts = parts - functions;
            let version = plan.version;
            (
                true,
                format!(
                    "Kamailio {version}: {functions} functions, {parts} private ones with them; no other way in"
                ),
            )
        }
        Err(why) => (false, format!("no takeover: {why}")),
    }
}

fn main() -> ExitCode {
    let mut all = true;
    let files: Vec<String> = std::env::args().skip(1).collect();
    if files.is_empty() {
        println!("usage: kamailio-dns-check FILE...");
        return ExitCode::from(2);
    }
    for path in files {
        let (can, line) = judge(&path);
        println!("{path}: {line}");
        all &= can;
    }
    if all {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
