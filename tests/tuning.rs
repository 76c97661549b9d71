//! The figures of docs/tuning.md about search lists: how many questions a URI costs with one and without.
#![cfg(feature = "use_dns_cache")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "test code; a failure ends the test"
)]

mod support;

use std::path::Path;

use kamailio_dns::host::metrics::{self, Metric};
use kamailio_dns::select::{Cursor, handle};
use support::{Rr, SRV, Setup};

/// As a pod has it.
const POD: &str = "search ns.svc.cluster.test svc.cluster.test cluster.test\noptions ndots:5\n";

/// Questions that the first call to a host costs; `port` 0 = none in the URI.
fn questions(host: &str, port: u16) -> usize {
    let mut setup = Setup::new();
    setup.options.set("tls_disable", "yes");
    setup.options.resolv_conf(POD);
    let server = &setup.server;
    server.add(Rr::srv(
        "_sip._udp.example.org",
        300,
        1,
        1,
        5060,
        "sip1.example.org",
    ));
    server.add(Rr::a("sip1.example.org", 300, "192.0.2.1"));
    server.add(Rr::aaaa("sip1.example.org", 300, "2001:db8::1"));
    // Whether a server lives is no question of the call's.
    let before = metrics::value(Metric::QueryUdp);
    let (mut cursor, mut port, mut proto) = (Cursor::default(), port, 0);
    loop {
        let target = (Some(&mut port), Some(&mut proto));
        let step = handle::resolve(&mut cursor, host.as_bytes(), target.0, target.1, 0, None);
        if step.is_err() || !cursor.advance() {
            break;
        }
    }
    assert!(server.count("_sip._udp.example.org", SRV) <= 1);
    (metrics::value(Metric::QueryUdp) - before) as usize
}

/// The numbers of a row of the table.
fn told(uri: &str) -> Vec<usize> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tuning.md");
    let text = std::fs::read_to_string(path).unwrap();
    let row = text
        .lines()
        .find(|line| line.starts_with(&format!("| `{uri}`")));
    let cells = row.expect(uri).split('|').skip(2);
    cells.filter_map(|cell| cell.trim().parse().ok()).collect()
}

#[test]
fn a_search_list_costs_what_the_page_says() {
    for (uri, host, port) in [
        ("sip:example.org", "example.org", 0),
        ("sip:sip1.example.org:5060", "sip1.example.org", 5060),
    ] {
        let absolute = format!("{host}.");
        let counted = [questions(host, port), questions(&absolute, port)];
        assert_eq!(counted.to_vec(), told(uri), "{uri}");
    }
}
