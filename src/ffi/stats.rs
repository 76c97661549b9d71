//! `USE_DNS_CACHE_STATS`: set-up of the statistics and the command that shows them.
#![allow(unsafe_code, reason = "exported symbols")]

use std::ffi::{CStr, c_int, c_void};

use super::guard::guard;
use super::rpc_call::{Call, ReplyFailed, report, rpc_guard};
use super::types::rpc_t;
use crate::host::stats::{self, Stat};

/// Names of the counters, in the order of a reply.
const NAMES: [(&CStr, Stat); 4] = [
    (c"dns_req_cnt", Stat::Request),
    (c"dc_hits_cnt", Stat::Hit),
    (c"dc_neg_hits_cnt", Stat::NegativeHit),
    (c"dc_lru_cnt", Stat::Eviction),
];

/// Makes room for the statistics of a number of processes; 0, or -1 without memory. Before fork; a
/// second call starts from zero.
///
/// # Safety
/// Not while another thread counts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn init_dns_cache_stats(nr_of_processes: c_int) -> c_int {
    guard!(-1, {
        let processes = usize::try_from(nr_of_processes).unwrap_or(0);
        if processes > 0 && stats::init(processes) {
            0
        } else {
            -1
        }
    })
}

fn show(call: &Call) -> Result<(), ReplyFailed> {
    let (Some(name), Some(reset)) = (call.scan_c_text(), call.scan_int()) else {
        return Ok(());
    };
    let all = name == b"dc_all_stats";
    let wanted = || NAMES.iter().filter(|(n, _)| all || n.to_bytes() == name);
    if wanted().next().is_none() {
        call.fault(400, c"unknown dns cache stat parameter");
        return Ok(());
    }
    let part = call.add_struct()?;
    for (name, stat) in wanted() {
        call.field_int(part, name, stats::sum(*stat) as i32)?;
        if reset != 0 {
            stats::reset(*stat);
        }
    }
    Ok(())
}

/// `dns.stats_get`: counter name or `dc_all_stats`, 1 = start again from zero.
///
/// # Safety
/// `rpc` is NULL or the functions of a transport, `ctx` its context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_cache_stats_get(rpc: *mut rpc_t, ctx: *mut c_void) {
    rpc_guard!(rpc, ctx, |call| {
        if super::rpc_call::cache(call).is_some() {
            report(call, show(call));
        }
    })
}
