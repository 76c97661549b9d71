//! `dns.config`: the configuration in force.
#![allow(unsafe_code, reason = "exported symbols")]

use std::ffi::{CStr, c_void};
use std::os::unix::ffi::OsStrExt as _;

use super::rpc_call::{Call, Part, ReplyFailed, report, rpc_guard};
use super::types::rpc_t;
use crate::host::options;
use crate::resolver::Settings;

fn list(call: &Call, whole: Part, name: &CStr, items: &[String]) -> Result<(), ReplyFailed> {
    let array = call.field_array(whole, name)?;
    items
        .iter()
        .try_for_each(|item| call.array_text(array, item.as_bytes()))
}

/// The options that are not at their default, each with its name and the value in force.
fn changed_options() -> Vec<String> {
    let is_host = crate::host::kamailio::is_host();
    options::all()
        .filter(|option| !(is_host && option.outside_kamailio))
        .filter_map(|option| {
            let value = options::get(option.name)?;
            let default = match option.kind {
                options::Kind::Text => String::new(),
                _ => option.default.to_string(),
            };
            (value != default).then(|| format!("{} = {value}", option.name))
        })
        .collect()
}

fn show(call: &Call) -> Result<(), ReplyFailed> {
    let settings = Settings::current();
    let whole = call.add_struct()?;
    call.field_text(whole, c"version", env!("CARGO_PKG_VERSION").as_bytes())?;
    let (path, is_read) = Settings::file();
    call.field_text(whole, c"resolv_conf", path.as_os_str().as_bytes())?;
    call.field_text(whole, c"is_read", if is_read { b"yes" } else { b"no" })?;
    list(call, whole, c"nameservers", &settings.server_texts())?;
    list(call, whole, c"search", &settings.search_texts())?;
    for (name, number) in settings.numbers() {
        call.field_count(whole, name, number)?;
    }
    list(call, whole, c"options", &changed_options())
}

pub(super) fn answer(call: &Call) {
    report(call, show(call));
}

/// `dns.config`: a struct of the version, the file that is read as resolv.conf (and whether it could be read), the
/// arrays `nameservers` and `search`, the numbers and switches of resolv.conf that are in force (`timeout` in s), and the
/// array `options` of those that are not at their default.
///
/// # Safety
/// `rpc` is NULL or the functions of a transport, `ctx` its context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dns_config_rpc(rpc: *mut rpc_t, ctx: *mut c_void) {
    rpc_guard!(rpc, ctx, answer)
}
