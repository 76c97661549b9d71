//! RPC commands that Kamailio's own table does not have: the library registers them with the host.
#![allow(unsafe_code, reason = "calls of the host, tables that C reads")]

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::ptr::{null, null_mut};

use once_cell::sync::OnceCell;

use super::types::rpc_t;
use crate::host::{kamailio, log::Level};

type Function = unsafe extern "C" fn(*mut rpc_t, *mut c_void);

/// A command of the library's own.
#[cfg_attr(
    not(feature = "testing"),
    allow(dead_code, reason = "`make man` reads some members, nobody else")
)]
#[derive(Debug)]
pub struct Command {
    /// As operators write it.
    pub name: &'static CStr,
    /// For the docs; empty = none.
    pub arguments: &'static str,
    function: Function,
    /// One sentence for `system.methodHelp` and the man page.
    pub help: &'static CStr,
    /// The text of docs/observability.md, when it is more than `help`.
    pub says: &'static str,
    reply: Reply,
}

/// The form that jsonrpcs gives a reply.
#[derive(Clone, Copy, Debug)]
enum Reply {
    /// The last value added is the result.
    One,
    /// All values added form an array (`RPC_RET_ARRAY`).
    List,
}

/// The C function of a command, made of a function that takes a [`Call`](super::rpc_call::Call). Hosts call commands through
/// their table: no program needs it by name. The functions that the header declares are older.
macro_rules! entry {
    ($answer:path) => {{
        unsafe extern "C" fn entry(rpc: *mut rpc_t, ctx: *mut c_void) {
            super::rpc_call::rpc_guard!(rpc, ctx, $answer)
        }
        entry
    }};
}

/// Our commands. A new one needs its lines here and nothing else: `make man` writes the pages that list them.
static COMMANDS: &[Command] = &[
    Command {
        name: c"dns.stats",
        arguments: "",
        function: super::rpc_stats::dns_stats_rpc,
        help: c"Counters of lookups, queries, evictions and failures, and what the cache holds.",
        says: "the version, and for how many seconds it has been counting; all counters; what is under way; memory in use and its limit, octets; entries by type and state; query times",
        reply: Reply::One,
    },
    Command {
        name: c"dns.servers",
        arguments: "",
        function: super::rpc_stats::dns_servers_rpc,
        help: c"The nameservers asked so far: up or down, round trip time, queries and failures.",
        says: "each nameserver: up or down, smoothed round trip (µs), failures since its last answer, its counters and query times; whether it answers the probe; its `slot`, the place in the configuration by which the statistics go",
        reply: Reply::List,
    },
    Command {
        name: c"dns.explain",
        arguments: "SIP URI",
        function: super::explain::dns_explain_rpc,
        help: c"Where a request to a SIP URI goes: each record, why it was chosen or not, and the targets.",
        says: "where a request goes and why: every record found, chosen or not, with the reason; then the targets",
        reply: Reply::One,
    },
    Command {
        name: c"dns.config",
        arguments: "",
        function: entry!(super::rpc_config::answer),
        help: c"What is in force: nameservers, search list, files, times, and the options that are not at their default.",
        says: "what is in force: version, nameservers, search list, the numbers and switches of resolv.conf, the options that are not at their default",
        reply: Reply::One,
    },
    Command {
        name: c"dns.delete",
        arguments: "name",
        function: super::rpc_delete::dns_delete_rpc,
        help: c"Drops all entries of a name, of every type, but permanent ones.",
        says: "drops all that the cache has on the name, of every type; permanent entries stay; says how many",
        reply: Reply::One,
    },
    Command {
        name: c"dns.delete_below",
        arguments: "domain",
        function: super::rpc_delete::dns_delete_below_rpc,
        help: c"Drops all entries of a domain and of the names below it, but permanent ones.",
        says: "the same for the domain and all names below it",
        reply: Reply::One,
    },
    Command {
        name: c"dns.pin",
        arguments: "name or SIP URI",
        function: super::rpc_pins::dns_pin_rpc,
        help: c"Fetches the records of a name or SIP URI and keeps them fresh, whether used or not.",
        says: "keeps its NAPTR, SRV and address records fresh from now on, whether used or not (docs/caching.md)",
        reply: Reply::One,
    },
    Command {
        name: c"dns.unpin",
        arguments: "name or SIP URI",
        function: super::rpc_pins::dns_unpin_rpc,
        help: c"Ends what dns.pin began.",
        says: "ends that; the records live on as those of any other name",
        reply: Reply::One,
    },
    Command {
        name: c"dns.pins",
        arguments: "",
        function: super::rpc_pins::dns_pins_rpc,
        help: c"The pinned names: how fresh they are, and what could not be had last.",
        says: "the pinned names: who pinned each, whether its records are all there (`fresh`), asked for or failed; how many seconds ago they were all there (`age`), when the first expires, what could not be had last",
        reply: Reply::List,
    },
    Command {
        name: c"dns.save",
        arguments: "",
        function: super::rpc_snapshot::dns_save_rpc,
        help: c"Saves what the cache holds to the file of the option DNS.snapshot.",
        says: "saves the cache to the file of `DNS.snapshot`; takes no path (docs/caching.md)",
        reply: Reply::One,
    },
    Command {
        name: c"dns.load",
        arguments: "",
        function: super::rpc_snapshot::dns_load_rpc,
        help: c"Loads the file of the option DNS.snapshot as expired records.",
        says: "loads that file as expired records; nothing that is live gives way",
        reply: Reply::One,
    },
    Command {
        name: c"dns.snapshot",
        arguments: "name or pattern (optional)",
        function: entry!(super::rpc_snapshot::describe),
        help: c"Shows what the file of the option DNS.snapshot has; loads nothing.",
        says: "what that file has, in words: its age, and 500 record sets at most whose names fit; loads nothing",
        reply: Reply::List,
    },
    Command {
        name: c"dns.trace",
        arguments: "name or pattern, seconds (optional, 60)",
        function: super::rpc_trace::dns_trace_rpc,
        help: c"Has the log show what is done for the names that fit a pattern, for some seconds.",
        says: "has the log show what is done for the names that fit, see below; 0 seconds end it",
        reply: Reply::One,
    },
];

/// The host's `rpc_export_t`.
#[repr(C)]
struct Export {
    name: *const c_char,
    function: Option<Function>,
    /// Sentences, the last one NULL.
    help: *const *const c_char,
    flags: c_uint,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Export>() == 32);

/// The table that the host keeps pointers into: made once, never freed, never changed.
struct Table(Vec<Export>);

// SAFETY: pointers to static texts and leaked arrays, which nobody writes to.
unsafe impl Send for Table {}
// SAFETY: as above.
unsafe impl Sync for Table {}

static TABLE: OnceCell<Table> = OnceCell::new();

fn table() -> &'static Table {
    TABLE.get_or_init(|| {
        let mut exports: Vec<Export> = COMMANDS
            .iter()
            .map(|command| {
                let help: &'static [*const c_char; 2] =
                    Box::leak(Box::new([command.help.as_ptr(), null()]));
                Export {
                    name: command.name.as_ptr(),
                    function: Some(command.function),
                    help: help.as_ptr(),
                    flags: match command.reply {
                        Reply::One => 0,
                        Reply::List => 1,
                    },
                }
            })
            .collect();
        exports.push(Export {
            name: null(),
            function: None,
            help: null(),
            flags: 0,
        });
        Table(exports)
    })
}

/// Our commands, for the pages that list them.
#[cfg(feature = "testing")]
pub fn commands() -> impl Iterator<Item = &'static Command> {
    COMMANDS.iter()
}

#[cfg(feature = "testing")]
impl Command {
    /// Calls it as the host would.
    ///
    /// # Safety
    /// `rpc` is NULL or the functions of a transport, `ctx` its context.
    pub unsafe fn call(&self, rpc: *mut rpc_t, ctx: *mut c_void) {
        // SAFETY: the contract is the caller's.
        unsafe { (self.function)(rpc, ctx) }
    }
}

/// Registers our commands, once. Nothing outside Kamailio.
pub(crate) fn register() {
    if TABLE.get().is_some() {
        return;
    }
    let symbol = kamailio::symbol(c"rpc_register_array").unwrap_or(null_mut());
    if symbol.is_null() {
        return;
    }
    type Register = unsafe extern "C" fn(*const Export) -> c_int;
    // SAFETY: the host's function of that name has this type; it does not write to the table.
    let register = unsafe { std::mem::transmute::<*mut c_void, Register>(symbol) };
    // SAFETY: a table that ends with an element without name and is never freed.
    if unsafe { register(table().0.as_ptr()) } != 0 {
        crate::log!(Level::Warn, "not all dns commands could be registered");
    }
}
