//! Names of the hosts file need no DNS at all.

use crate::host::options::{self, ExtraOpt};
use crate::resolver;

/// True for a name that the hosts file has: neither NAPTR nor SRV records are asked for, unless `dns_hosts_srv` says
/// so.
///
/// Costs one load where there is no hosts file.
#[must_use]
#[inline]
pub fn needs_no_dns(name: &[u8]) -> bool {
    resolver::uses_hosts_file() && is_host(name)
}

#[inline(never)]
fn is_host(name: &[u8]) -> bool {
    options::extra(ExtraOpt::HostsSrv) == 0 && resolver::is_in_hosts_file(name)
}
