//! What the integration tests share: a scripted DNS server, options, a watchdog.
//!
//! ```ignore
//! mod support;
//! let server = support::Server::start();
//! server.add(Rr::a("sip.example.org", 60, "192.0.2.1"));
//! let options = support::use_server(&server);
//! // ... ask the library ...
//! assert_eq!(server.count("sip.example.org", support::A), 1);
//! ```
#![allow(dead_code, reason = "each test program uses a part")]
#![allow(unused_imports, reason = "each test program uses a part")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "test code; a failure ends the test"
)]
#![allow(
    unreachable_pub,
    reason = "included into test programs, which export nothing"
)]

pub mod children;
#[cfg(feature = "use_dns_cache")]
pub mod handles;
pub mod neighbours;
pub mod net;
pub mod options;
#[cfg(feature = "use_dns_cache")]
pub mod rpc;
#[cfg(feature = "use_dns_cache")]
pub mod set;
#[cfg(feature = "use_dns_cache")]
pub mod setup;
#[cfg(feature = "use_dns_cache")]
pub mod walks;
pub mod watchdog;

pub use kamailio_dns as library;
pub use net::loopback::Server;
pub use net::query::Query;
pub use net::reply::Reply;
pub use net::script::Scripted;
pub use net::wire::{A, AAAA, CNAME, EBL, NAPTR, NS, OPT, PTR, Rr, SOA, SRV, TXT};
pub use net::{memory as network, wire};
pub use options::{OptionsGuard, use_server, use_servers, use_servers_as_ever};
#[cfg(feature = "use_dns_cache")]
pub use setup::Setup;
pub use watchdog::Watchdog;

/// Folder of a corpus: what another DNS program tests itself with, see ci/fetch/corpora.sh. `None` when it is not there.
pub fn corpus_folder(name: &str) -> Option<std::path::PathBuf> {
    let corpora = std::env::var_os("KAMAILIO_DNS_CORPORA").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("build/corpora"),
        Into::into,
    );
    let folder = corpora.join(name);
    folder.join(".complete").is_file().then_some(folder)
}

/// The same for a test that was asked for by name, and fails without its corpus.
pub fn corpus(name: &str) -> std::path::PathBuf {
    corpus_folder(name).unwrap_or_else(|| panic!("the corpus {name} is missing: make fetch"))
}
