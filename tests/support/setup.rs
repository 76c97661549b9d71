//! What most tests of the cache begin with.

use kamailio_dns::cache::Cache;
use kamailio_dns::host::metrics;
use kamailio_dns::lookup;

use super::{OptionsGuard, Server, Watchdog, use_server};

/// A scripted server, options that name it, and an empty cache in which nothing is known of failures; all for
/// the life of the value, and no longer than two minutes.
pub struct Setup {
    _watchdog: Watchdog,
    pub server: Server,
    pub options: OptionsGuard,
}

impl Setup {
    /// With the library's own time for an answer, which tests of silent servers count on.
    pub fn new() -> Self {
        let watchdog = Watchdog::start(120);
        let server = Server::start();
        let options = use_server(&server);
        metrics::prepare();
        lookup::prepare();
        Cache::init().unwrap().flush(true);
        lookup::forget_failures();
        Self {
            _watchdog: watchdog,
            server,
            options,
        }
    }

    /// With so much time that a busy machine does not look like a silent server, and without a second query for
    /// one that may be silent to EDNS only.
    pub fn patient() -> Self {
        let mut setup = Self::new();
        setup.options.set("dns_edns", "yes");
        setup.options.set("dns_retr_time", "20");
        setup
    }
}
