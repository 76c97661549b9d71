//! Texts for the operator: a line why a Kamailio is left alone, or a text on the takeover that log, RPC and core files
//! show.
#![allow(unsafe_code, reason = "an exported variable, system calls")]
#![allow(non_upper_case_globals, reason = "a name of the C interface")]

use std::ffi::CString;
use std::path::Path;

use crate::plan::Plan;

/// Octets of the text.
const ROOM: usize = 512;

/// The report of a takeover, NUL-terminated; empty when there was none. The library looks for the variable under this
/// name, and a core file holds its text.
#[unsafe(no_mangle)]
pub static mut kamailio_dns_takeover: [u8; ROOM] = [0; ROOM];

/// Fills the text.
pub fn record(plan: &Plan, library: &Path) {
    let text = format!(
        "kamailio-dns took over {} functions of Kamailio {} with {}; report defects of DNS to kamailio-dns, not to \
         Kamailio",
        plan.entries.len(),
        plan.version,
        library.display()
    );
    let mut octets = [0; ROOM];
    // The last one stays NUL.
    for (place, octet) in octets.iter_mut().take(ROOM - 1).zip(text.bytes()) {
        *place = octet;
    }
    let place = &raw mut kamailio_dns_takeover;
    // SAFETY: there is one thread, and nobody has read the variable.
    unsafe { place.write(octets) };
}

/// Says that nothing was changed, and why.
pub fn refuse(why: &str) {
    let line = format!("kamailio-dns: no takeover, Kamailio runs on its own DNS code: {why}");
    let text = format!("{line}\n");
    // SAFETY: a text and its length; without a place to write to nothing happens.
    unsafe { libc::write(2, text.as_ptr().cast(), text.len()) };
    // SAFETY: any descriptor may be asked about.
    let is_terminal = unsafe { libc::isatty(2) } == 1;
    // The journal has what is written to stderr.
    if is_terminal || std::env::var_os("JOURNAL_STREAM").is_some() {
        return;
    }
    let Ok(line) = CString::new(line) else { return };
    let priority = libc::LOG_DAEMON | libc::LOG_WARNING;
    // SAFETY: a format with one text.
    unsafe { libc::syslog(priority, c"%s".as_ptr(), line.as_ptr()) };
    // SAFETY: Kamailio opens the log for itself.
    unsafe { libc::closelog() };
}
