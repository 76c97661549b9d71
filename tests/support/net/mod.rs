//! Nameservers for tests: what they do is said once, and played in two places.
//!
//! | file | what it is |
//! |---|---|
//! | `wire.rs` | records and messages, written by hand and not by the library's own code |
//! | `query.rs`, `reply.rs` | a query as a server sees it; what comes back to it |
//! | `script.rs` | what one server does: records, replies in turn, a manner, what is lost; no socket, no clock |
//! | `text.rs` | the same, read from text |
//! | `memory.rs`, `director.rs` | servers in memory, on a clock that moves when somebody waits, or when a test says so |
//! | `loopback.rs` | servers on sockets of 127.0.0.1 |
//!
//! A test on sockets, and the same in memory:
//!
//! ```ignore
//! let server = Server::start();
//! server.add(Rr::a("sip.example.org", 60, "192.0.2.1"));
//! server.script("slow.example.org", A, vec![Reply::dropped(), Reply::from_records().delay_ms(300)]);
//! let options = use_server(&server);
//!
//! let network = Network::default();
//! let server = network.server("192.0.2.51:53");
//! server.add(Rr::a("sip.example.org", 60, "192.0.2.1"));
//! network.run(|| ask("sip.example.org"));
//! ```

pub mod director;
pub mod loopback;
pub mod memory;
pub mod query;
pub mod reply;
pub mod script;
pub mod text;
pub mod wire;
