//! The sockets: those of the tests' nameserver, used in part.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "the modules are those of the tests"
)]

#[path = "../../tests/support/net/loopback.rs"]
pub(crate) mod loopback;
#[path = "../../tests/support/net/query.rs"]
mod query;
#[path = "../../tests/support/net/reply.rs"]
mod reply;
#[path = "../../tests/support/net/script.rs"]
pub(crate) mod script;
#[path = "../../tests/support/net/text.rs"]
mod text;
#[path = "../../tests/support/net/wire.rs"]
mod wire;
