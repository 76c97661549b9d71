//! The library's own interface: `include/kamailio_dns_client.h`, which is made from these files, in this order.

pub mod types;

pub mod context;

pub mod resolve;

pub mod result;

pub mod known;

pub mod watch;
