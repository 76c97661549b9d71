//! The stub resolver: asks nameservers, decodes answers. Sees neither cache nor shared memory, so no
//! lock can be held over the network.
//!
//! `ask` is where questions come in. [`config`] reads their [`Settings`]. `search` says which names are asked.
//! `exchange` runs a question through servers and attempts over a [`transport::Transport`], `session` runs exchanges
//! side by side. `reply` judges what comes back; `message`, `wire` and `rdata` read it. `edns` says which queries have
//! an OPT record, `resend` when one is sent again. `hook` replaces all of that when a module has swapped the search
//! function. Processes share what they know of the [`servers`], nothing else: `health` says whether one lives, `probe`
//! asks it that.

#[macro_use]
mod trace;
mod ask;
pub(crate) mod background;
mod caller;
mod channel;
pub mod config;
mod cookie;
mod datagrams;
mod edns;
mod exchange;
mod few;
#[cfg(feature = "testing")]
mod for_tests;
mod health;
mod hook;
pub mod hosts;
mod late;
mod many;
mod message;
mod outcome;
mod outgoing;
mod probe;
mod rdata;
pub(crate) mod regular_file;
mod reply;
mod resend;
mod resolv_conf;
mod search;
mod search_list;
pub mod servers;
mod session;
mod settings;
mod sockets;
mod spelling;
pub mod stored;
mod transport;
mod waker;
mod wire;
mod wire_name;

pub(crate) use ask::{
    Part, begin_open, end_open, look_at_open, query_along, query_for_a_while, take_answered,
    wait_for_open,
};
pub use ask::{note_slow_query, query};
pub use background::{Background, Done};
pub use caller::{while_patient, while_resends_wait};
pub use config::{
    is_in_hosts_file, search_digest, search_digest_within, sync_hosts_file, uses_hosts_file,
};
#[cfg(feature = "testing")]
pub use for_tests::{Decoded, decode_for_tests, query_all, with_transport};
pub use health::ProbeHabit;
pub use hook::reload;
pub(crate) use outcome::whole_seconds;
pub use outcome::{Answer, Negative, Outcome, Question, Timed};
#[cfg(feature = "testing")]
pub use resend::hold_resends;
pub use search_list::{SearchList, is_search_suffix};
pub use session::now_ms;
pub(crate) use session::{Ticket, WaitedForOpen};
pub use settings::Settings;
#[cfg(feature = "testing")]
pub use transport::{Event, Handle, Protocol, Transport};
pub use waker::Waker;

use crate::host::hooks;

/// Maps the memory of the servers and reads the configuration; before fork.
pub(crate) fn prepare() {
    servers::prepare();
    config::prepare();
}

/// How long a question is waited for before it is left open, ms.
#[must_use]
pub(crate) fn while_ms() -> u64 {
    Settings::current().while_ms()
}

/// How long answers usually take, ms: who wants one that others are asking for waits as long.
#[must_use]
pub fn usual_ms() -> u64 {
    Settings::current().usual_ms()
}

/// False while no nameserver answers, as far as is known; true where a module's search function is asked.
#[must_use]
pub fn is_any_server_up() -> bool {
    let settings = Settings::current();
    hooks::swapped_search().is_some() || settings.is_any_server_up()
}

/// The longest that [`query`] may block for a question without a deadline, ms.
#[must_use]
pub fn longest_ms() -> u64 {
    Settings::current().longest_ms()
}
