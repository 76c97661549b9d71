//! The functions of Kamailio's three DNS files, and which Kamailio has them.

/// Which Kamailio has a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Every known one.
    Always,
    /// 5.5 to 6.0.
    Until6_0,
    /// 6.0 and later.
    Since6_0,
    /// 6.1 and later.
    Since6_1,
    /// The function came within a family, so some versions of the family lack it.
    Perhaps,
    /// Built with `USE_DNS_CACHE_STATS`.
    WithStatistics,
    /// Built with `DNS_WATCHDOG_SUPPORT`.
    WithWatchdog,
}

use Presence::{Always, Perhaps, Since6_0, Since6_1, Until6_0, WithStatistics, WithWatchdog};

/// Name, who has it, and whether other files of the core call it: where nobody does, the calls were inlined.
pub static FUNCTIONS: [(&str, Presence, bool); 88] = [
    ("__resolvehost", Since6_0, false),
    ("__sip_resolvehost", Since6_0, false),
    ("_sip_resolvehost", Always, false),
    ("create_srv_name", Always, false),
    ("create_srv_pref_list", Always, false),
    ("destroy_dns_cache", Always, true),
    ("dns_a_parser", Always, false),
    ("dns_aaaa_parser", Always, false),
    ("dns_cache_add_a", Always, true),
    ("dns_cache_add_aaaa", Always, true),
    ("dns_cache_add_record", Always, false),
    ("dns_cache_add_srv", Always, true),
    ("dns_cache_debug", Always, true),
    ("dns_cache_debug_all", Always, true),
    ("dns_cache_delete_a", Always, true),
    ("dns_cache_delete_aaaa", Always, true),
    ("dns_cache_delete_all", Always, true),
    ("dns_cache_delete_all_force", Always, true),
    ("dns_cache_delete_cname", Always, true),
    ("dns_cache_delete_ebl", Always, true),
    ("dns_cache_delete_naptr", Always, true),
    ("dns_cache_delete_ptr", Always, true),
    ("dns_cache_delete_single_record", Always, false),
    ("dns_cache_delete_srv", Always, true),
    ("dns_cache_delete_txt", Always, true),
    ("dns_cache_flush", Always, false),
    ("dns_cache_max_mem_fixup", Always, true),
    ("dns_cache_mem_info", Always, true),
    ("dns_cache_print_entry", Always, false),
    ("dns_cache_rpc_lookup", Always, true),
    ("dns_cache_stats_get", WithStatistics, false),
    ("dns_cache_view", Always, true),
    ("dns_cname_parser", Always, false),
    ("dns_get_he", Always, false),
    ("dns_get_ip", Always, false),
    ("dns_get_server_state", WithWatchdog, false),
    ("dns_get_server_state_rpc", WithWatchdog, false),
    ("dns_hash_put", Until6_0, false),
    ("dns_hash_put_entry", Since6_1, false),
    ("dns_hash_put_entry_shm_unsafe", Since6_1, false),
    ("dns_hash_put_shm_unsafe", Until6_0, false),
    ("dns_naptr_parser", Always, false),
    ("dns_naptr_sip_iterate", Always, false),
    ("dns_naptr_sip_resolvehost", Always, false),
    ("dns_ptr_parser", Always, false),
    ("dns_reinit_fixup", Always, true),
    ("dns_resolvehost", Always, false),
    ("dns_set_local_ttl", Always, false),
    ("dns_set_server_state", WithWatchdog, false),
    ("dns_set_server_state_rpc", WithWatchdog, false),
    ("dns_sip_resolve", Always, true),
    ("dns_sip_resolvehost", Always, false),
    ("dns_skipname", Always, false),
    ("dns_srv_get_he", Always, false),
    ("dns_srv_get_ip", Always, false),
    ("dns_srv_parser", Always, false),
    ("dns_srv_sip_resolvehost", Always, false),
    ("dns_strerror", Always, true),
    ("dns_try_ipv6_fixup", Always, true),
    ("fix_dns_flags", Always, true),
    ("free_rdata_list", Always, false),
    ("get_record", Always, false),
    ("init_dns_cache", Always, true),
    ("init_dns_cache_stats", WithStatistics, false),
    ("ksr_gethostbyname", Perhaps, false),
    ("load_dnsfunc", Always, false),
    ("match_search_list", Always, false),
    ("naptr_choose", Always, false),
    ("naptr_get_sip_proto", Always, false),
    ("naptr_proto_preferred", Always, false),
    ("naptr_proto_supported", Always, false),
    ("naptr_sip_iterate", Always, false),
    ("naptr_sip_resolvehost", Always, false),
    ("no_naptr_srv_sip_resolvehost", Always, false),
    ("register_resolv_reinit_cb", WithWatchdog, false),
    ("reinit_proto_prefs", Always, true),
    ("resolv_init", Always, true),
    ("resolv_reinit", Always, true),
    ("sip_hostport2su", Always, true),
    ("srv_sip_resolvehost", Always, false),
    ("str2ip", Always, true),
    ("str2ip6", Always, true),
    ("str2ip6buf", Always, false),
    ("str2ipbuf", Always, false),
    ("str2ipx", Always, false),
    ("str2ipxbuf", Always, false),
    ("use_dns_cache_fixup", Always, true),
    ("use_dns_failover_fixup", Always, true),
];

/// Variables of the three files that core, modules and library use: there is one of each in a process.
pub static SHARED_VARIABLES: [&str; 4] = [
    "dns_cache_init",
    "dns_timer_interval",
    "dns_flags",
    "dns_func",
];

/// Variables of a core that has no atomic instructions of its machine.
pub static ATOMIC_LOCKS: [&str; 2] = ["_atomic_lock_set", "_atomic_lock"];

/// Functions of the C library that do not come back.
pub static ENDLESS: [&str; 12] = [
    "__assert_fail",
    "__chk_fail",
    "__fortify_fail",
    "__libc_start_main",
    "__longjmp_chk",
    "__stack_chk_fail",
    "_exit",
    "abort",
    "exit",
    "longjmp",
    "pthread_exit",
    "siglongjmp",
];

/// Flags in `ver_flags` without which the functions are others.
pub static NEEDED_FLAGS: [&str; 3] = ["USE_DNS_CACHE", "USE_DNS_FAILOVER", "USE_NAPTR"];

/// Flags with which structures are others.
pub static FOREIGN_FLAGS: [&str; 1] = ["TIMER_DEBUG"];

/// A family of versions, such as 5.6.
pub type Family = (u32, u32);

/// The families whose structures are known.
pub static FAMILIES: [Family; 7] = [(5, 5), (5, 6), (5, 7), (5, 8), (6, 0), (6, 1), (6, 2)];

/// The family that a version such as `5.6.3` belongs to.
#[must_use]
pub fn family(version: &str) -> Option<Family> {
    let mut parts = version.split(['.', '-']);
    let found = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    FAMILIES.contains(&found).then_some(found)
}

/// True when a Kamailio of this family, with these flags, must have a function.
#[must_use]
pub fn is_due(presence: Presence, family: Family, flags: &[&str]) -> bool {
    match presence {
        Always => true,
        Until6_0 => family <= (6, 0),
        Since6_0 => family >= (6, 0),
        Since6_1 => family >= (6, 1),
        Perhaps => false,
        WithStatistics => flags.contains(&"USE_DNS_CACHE_STATS"),
        WithWatchdog => flags.contains(&"DNS_WATCHDOG_SUPPORT"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_has_every_function() {
        let exports = include_str!("../../symbols/exports.txt");
        let exports: Vec<_> = exports
            .lines()
            .filter_map(|l| l.split(' ').next())
            .collect();
        for (name, _, _) in FUNCTIONS {
            assert!(exports.contains(&name), "{name}");
        }
        for name in SHARED_VARIABLES {
            assert!(exports.contains(&name), "{name}");
        }
    }

    #[test]
    fn families_are_read_from_versions() {
        assert_eq!(family("5.6.3"), Some((5, 6)));
        assert_eq!(family("6.2.0-dev1"), Some((6, 2)));
        assert_eq!(family("6.3.0"), None);
        assert_eq!(family("5.4.8"), None);
        assert_eq!(family(""), None);
    }

    #[test]
    fn versions_differ_in_what_they_must_have() {
        assert!(is_due(Until6_0, (6, 0), &[]) && !is_due(Until6_0, (6, 1), &[]));
        assert!(is_due(Since6_1, (6, 1), &[]) && !is_due(Since6_0, (5, 8), &[]));
        assert!(is_due(WithWatchdog, (5, 6), &["DNS_WATCHDOG_SUPPORT"]));
        assert!(!is_due(WithStatistics, (5, 6), &["DNS_WATCHDOG_SUPPORT"]));
    }
}
