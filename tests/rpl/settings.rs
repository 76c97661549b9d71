//! Unbound's settings in the library's words.

use crate::support::OptionsGuard;

use super::client::Manner;
use super::parser::Scenario;
use super::runner::Plan;

/// How long a failure is remembered in these scenarios (unbound's `NORR_TTL`), s.
pub const FAILURE_TTL_S: u64 = 5;
/// Address of a nameserver that no file names.
const RECURSOR: &str = "192.0.2.53";
/// Unbound's default of `outbound-msg-retry`.
const RETRIES: &str = "5";

/// The file's settings in the library's words.
#[derive(Debug)]
pub struct Settings {
    options: Vec<(&'static str, String)>,
    pub manner: Manner,
    /// What is due is fetched anew in the background.
    pub refresher: bool,
}

/// What is said about expired data.
#[derive(Debug, Default)]
struct Expired {
    served: bool,
    /// Empty = without limit.
    limit_s: String,
    /// Before the server is asked, rather than when it does not answer.
    at_once: bool,
}

impl Expired {
    fn options(&self) -> [(&'static str, String); 2] {
        let limit = match (self.served, self.limit_s.as_str()) {
            (false, _) => "0",
            (true, "" | "0") => LONG,
            (true, limit) => limit,
        };
        let recent = if self.at_once { LONG } else { "0" };
        [
            ("dns_stale_ttl", limit.to_owned()),
            ("dns_stale_recent", recent.to_owned()),
        ]
    }
}

/// A week, s.
const LONG: &str = "604800";

impl Settings {
    /// Reads the settings of a file; one that is not known is an error.
    pub fn read(scenario: &Scenario, plan: &Plan) -> Result<Self, String> {
        let mut servers = plan.servers.clone();
        if plan.recursor {
            servers.push(RECURSOR.to_owned());
        }
        let mut retries = RETRIES.to_owned();
        let mut manner = Manner::Cached;
        let mut expired = Expired {
            at_once: plan.answers_at_once,
            ..Expired::default()
        };
        let mut prefetch = false;
        let mut options: Vec<(&'static str, String)> = vec![
            ("dns_failure_ttl", FAILURE_TTL_S.to_string()),
            // As unbound's.
            ("dns_cache_negative_ttl", "3600".into()),
            ("dns_retr_time", "5".into()),
            // The servers of the scenarios answer without OPT, and count queries.
            ("dns_edns", "yes".into()),
            ("dns_resolve_deadline", "0".into()),
        ];
        for (key, value) in &scenario.config {
            let value = value.clone();
            match key.as_str() {
                "cache-max-ttl" => options.push(("dns_cache_max_ttl", value)),
                "cache-min-ttl" => options.push(("dns_cache_min_ttl", value)),
                "cache-max-negative-ttl" => options.push(("dns_cache_negative_ttl", value)),
                "msg-cache-size" => {
                    let octets: u64 = value.parse().map_err(|_| format!("{key}: {value}"))?;
                    options.push(("dns_cache_mem", (octets / 1024).to_string()));
                }
                "serve-expired" => expired.served = value == "yes",
                "serve-expired-ttl" => expired.limit_s = value,
                "serve-expired-client-timeout" => expired.at_once = value == "0",
                "prefetch" => prefetch = value == "yes",
                "outbound-msg-retry" => retries = value,
                "forward-no-cache" if value == "yes" => manner = Manner::Uncached,
                "forward-addr" | "stub-addr" if plan.servers.is_empty() && !plan.recursor => {
                    servers.push(value.split('@').next().unwrap_or_default().to_owned());
                }
                key if NO_COUNTERPART.contains(&key) => {}
                _ => return Err(format!("setting {key}: {value} is not known")),
            }
        }
        if retries == "0" {
            // One query and no second: that is one attempt here.
            retries = "1".into();
        }
        options.extend(expired.options());
        let percent = if prefetch { "10" } else { "0" };
        options.push(("dns_refresh_ahead", percent.to_owned()));
        options.push(("dns_retr_no", retries));
        options.push(("dns_nameservers", servers.join(" ")));
        Ok(Self {
            options,
            manner,
            refresher: prefetch || (expired.served && expired.at_once),
        })
    }

    /// Puts them into force until the guard is dropped.
    pub fn put(&self) -> OptionsGuard {
        let mut guard = OptionsGuard::take();
        guard.hold_resends();
        for (name, value) in &self.options {
            guard.set(name, value);
        }
        guard
    }
}

/// Settings of unbound's that change nothing of what a stub's client sees.
const NO_COUNTERPART: [&str; 35] = [
    "server",
    "forward-zone",
    "stub-zone",
    "name",
    "forward-addr",
    "stub-addr",
    // The name of a nameserver: a stub has their addresses.
    "forward-host",
    "access-control",
    "module-config",
    // How a recursive server finds its way.
    "harden-referral-path",
    "iter-scrub-promiscuous",
    "target-fetch-policy",
    "qname-minimisation",
    // What else is in an answer.
    "minimal-responses",
    "rrset-roundrobin",
    "ede",
    "ede-serve-expired",
    "msg-cache-slabs",
    "num-queries-per-thread",
    // The TTL is 30 s, the limit is not put off by failures.
    "serve-expired-reply-ttl",
    "serve-expired-ttl-reset",
    // No lower bound for absences; only its scenario has it, and that is not played.
    "cache-min-negative-ttl",
    "forward-no-cache",
    "stub-prime",
    "stub-first",
    "forward-first",
    "harden-glue",
    "iter-scrub-ns",
    "max-query-restarts",
    "do-ip6",
    "log-servfail",
    "log-time-ascii",
    "aggressive-nsec",
    "harden-unverified-glue",
    "iter-scrub-cname",
];
