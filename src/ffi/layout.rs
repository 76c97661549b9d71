//! Compile-time proof of the struct layouts that C code was built with.

use std::mem::{align_of, offset_of, size_of};

use super::types::*;
use crate::host::hooks::dns_func_t;
use crate::host::libc_state::__res_state;

/// A struct that C code shares with the library.
pub(super) struct Shared {
    /// The C name of the struct.
    pub(super) name: &'static str,
    /// Octets.
    pub(super) size: usize,
    /// Members and their offsets; names that are Rust's keywords have their `r#`.
    pub(super) members: &'static [(&'static str, usize)],
}

/// `layout!(type: size, align; member = offset, ...)`
macro_rules! layout {
    ($($type:ident: $size:literal, $align:literal; $($member:ident = $offset:literal),* $(,)?;)*) => {
        $(
            const _: () = assert!(size_of::<$type>() == $size, stringify!($type));
            const _: () = assert!(align_of::<$type>() == $align, stringify!($type));
            $(const _: () = assert!(
                offset_of!($type, $member) == $offset,
                concat!(stringify!($type), ".", stringify!($member))
            );)*
        )*
    };
}

/// As `layout!`, for structs that code of the host uses as well.
macro_rules! shared {
    ($($type:ident: $size:literal, $align:literal; $($member:ident = $offset:literal),* $(,)?;)*) => {
        layout! { $($type: $size, $align; $($member = $offset),*;)* }

        /// All of them, for a comparison with what the host says.
        pub(super) static SHARED: &[Shared] = &[$(Shared {
            name: stringify!($type),
            size: $size,
            members: &[$((stringify!($member), $offset)),*],
        }),*];
    };
}

// Only the three replaced files of Kamailio know the members of these.
#[cfg(target_pointer_width = "64")]
layout! {
    dns_lu_lst: 16, 8; next = 0, prev = 8;
    dns_srv_proto: 8, 4; proto = 0, proto_pref = 4;
    dns_counters_h: 4, 2; failed_dns_req = 0, slow_dns_req = 2;
    t_dns_cache_stats: 32, 8; dns_req_cnt = 0, dc_hits_cnt = 8, dc_neg_hits_cnt = 16,
        dc_lru_cnt = 24;
}

#[cfg(target_pointer_width = "32")]
layout! {
    dns_lu_lst: 8, 4; next = 0, prev = 4;
    dns_srv_proto: 8, 4; proto = 0, proto_pref = 4;
    dns_counters_h: 4, 2; failed_dns_req = 0, slow_dns_req = 2;
    t_dns_cache_stats: 16, 4; dns_req_cnt = 0, dc_hits_cnt = 4, dc_neg_hits_cnt = 8,
        dc_lru_cnt = 12;
}

#[cfg(target_pointer_width = "64")]
shared! {
    _str: 16, 8; s = 0, len = 8;
    ip_addr: 24, 8; af = 0, len = 4, u = 8;
    sockaddr_union: 128, 8; sin = 0, sin6 = 0;
    atomic_t: 4, 4; val = 0;
    dns_rr: 24, 8; next = 0, rdata = 8, expire = 16;
    dns_hash_entry: 64, 8; next = 0, prev = 8, last_used_lst = 16, rr_lst = 32, refcnt = 40,
        last_used = 44, expire = 48, total_size = 52, r#type = 56, ent_flags = 58, name_len = 59,
        name = 60;
    rdata: 32, 8; r#type = 0, pclass = 2, ttl = 4, rdata = 8, next = 16, name_len = 24, name = 25;
    a_rdata: 4, 1; ip = 0;
    aaaa_rdata: 16, 1; ip6 = 0;
    srv_rdata: 8, 2; priority = 0, weight = 2, port = 4, name_len = 6, name = 7;
    naptr_rdata: 48, 8; flags = 0, services = 8, regexp = 16, repl = 24, order = 32, pref = 34,
        flags_len = 36, services_len = 37, regexp_len = 38, repl_len = 39, skip_record = 40,
        str_table = 41;
    cname_rdata: 2, 1; name_len = 0, name = 1;
    dns_cstr: 16, 8; cstr = 0, cstr_len = 8;
    txt_rdata: 24, 8; cstr_no = 0, tslen = 2, txt = 8;
    ebl_rdata: 24, 8; separator = 0, apex = 8, separator_len = 16, apex_len = 17, position = 18,
        str_table = 19;
    ptr_rdata: 2, 1; ptrdname_len = 0, ptrdname = 1;
    counter_handle_t: 2, 2; id = 0;
    counter_def_t: 48, 8; handle = 0, name = 8, flags = 16, get_cbk = 24, get_cbk_param = 32,
        descr = 40;
    rpc_t: 96, 8; fault = 0, send = 8, add = 16, scan = 24, rpl_printf = 32, struct_add = 40,
        array_add = 48, struct_scan = 56, struct_printf = 64, capabilities = 72,
        delayed_ctx_new = 80, delayed_ctx_close = 88;
    timer_ln: 48, 8; next = 0, prev = 8, expire = 16, initial_timeout = 20, data = 24, f = 32, flags = 40,
        slow_idx = 44;
    dns_func_t: 32, 8; sr_res_init = 0, sr_res_search = 8, sr_gethostbyname = 16, sr_gethostbyname2 = 24;
}

#[cfg(target_pointer_width = "32")]
shared! {
    _str: 8, 4; s = 0, len = 4;
    ip_addr: 24, 4; af = 0, len = 4, u = 8;
    sockaddr_union: 128, 4; sin = 0, sin6 = 0;
    atomic_t: 4, 4; val = 0;
    dns_rr: 12, 4; next = 0, rdata = 4, expire = 8;
    dns_hash_entry: 44, 4; next = 0, prev = 4, last_used_lst = 8, rr_lst = 16, refcnt = 20,
        last_used = 24, expire = 28, total_size = 32, r#type = 36, ent_flags = 38, name_len = 39,
        name = 40;
    rdata: 20, 4; r#type = 0, pclass = 2, ttl = 4, rdata = 8, next = 12, name_len = 16, name = 17;
    a_rdata: 4, 1; ip = 0;
    aaaa_rdata: 16, 1; ip6 = 0;
    srv_rdata: 8, 2; priority = 0, weight = 2, port = 4, name_len = 6, name = 7;
    naptr_rdata: 28, 4; flags = 0, services = 4, regexp = 8, repl = 12, order = 16, pref = 18,
        flags_len = 20, services_len = 21, regexp_len = 22, repl_len = 23, skip_record = 24,
        str_table = 25;
    cname_rdata: 2, 1; name_len = 0, name = 1;
    dns_cstr: 8, 4; cstr = 0, cstr_len = 4;
    txt_rdata: 12, 4; cstr_no = 0, tslen = 2, txt = 4;
    ebl_rdata: 12, 4; separator = 0, apex = 4, separator_len = 8, apex_len = 9, position = 10,
        str_table = 11;
    ptr_rdata: 2, 1; ptrdname_len = 0, ptrdname = 1;
    counter_handle_t: 2, 2; id = 0;
    counter_def_t: 24, 4; handle = 0, name = 4, flags = 8, get_cbk = 12, get_cbk_param = 16,
        descr = 20;
    rpc_t: 48, 4; fault = 0, send = 4, add = 8, scan = 12, rpl_printf = 16, struct_add = 20,
        array_add = 24, struct_scan = 28, struct_printf = 32, capabilities = 36,
        delayed_ctx_new = 40, delayed_ctx_close = 44;
    timer_ln: 32, 4; next = 0, prev = 4, expire = 8, initial_timeout = 12, data = 16, f = 20, flags = 24,
        slow_idx = 28;
    dns_func_t: 16, 4; sr_res_init = 0, sr_res_search = 4, sr_gethostbyname = 8, sr_gethostbyname2 = 12;
}

const _: () = {
    assert!(
        offset_of!(__res_state, dnsrch)
            == if cfg!(target_pointer_width = "64") {
                72
            } else {
                68
            }
    );
    assert!(
        size_of::<libc::hostent>()
            == if cfg!(target_pointer_width = "64") {
                32
            } else {
                20
            }
    );
};
