//! The C structs, under their C names.
//!
//! Layouts are those of Kamailio 5.5 to 6.2 on 64-bit machines and are checked at compile time in
//! `super::layout`; what the Kamailio around the library has is compared at start (`super::host_layout`). Types that belong to the host (`str`, `ip_addr`, `rpc_t`, ...) are not put into
//! the generated header: a Kamailio tree has its own, others get those in `include/host`.
#![allow(non_camel_case_types, reason = "names fixed by the C interface")]

use std::ffi::{c_char, c_int, c_long, c_uchar, c_uint, c_ulong, c_ulonglong, c_ushort, c_void};
use std::sync::atomic::AtomicI32;

/// Counted text (`str` of the host); not NUL-terminated unless said so.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct _str {
    /// First octet.
    pub s: *mut c_char,
    /// Number of octets; negative is an error.
    pub len: c_int,
}

/// An address of the host: `af` is `AF_INET` or `AF_INET6`, `len` 4 or 16, octets in network order.
#[repr(C)]
#[cfg_attr(target_pointer_width = "64", repr(align(8)))]
#[cfg_attr(target_pointer_width = "32", repr(align(4)))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ip_addr {
    /// Address family.
    pub af: c_uint,
    /// Octets in use.
    pub len: c_uint,
    /// The octets.
    pub u: [u8; 16],
}

impl ip_addr {
    pub(crate) const fn new(af: u32, len: u32, u: [u8; 16]) -> Self {
        Self { af, len, u }
    }

    /// All zero: no address.
    pub(crate) const ZERO: Self = Self::new(0, 0, [0; 16]);
}

/// A socket address of the host; the largest member decides the size.
#[repr(C)]
#[derive(Clone, Copy)]
pub union sockaddr_union {
    /// IPv4.
    pub sin: libc::sockaddr_in,
    /// IPv6.
    pub sin6: libc::sockaddr_in6,
    /// Any.
    pub sas: libc::sockaddr_storage,
}

/// A 32-bit word that several processes count in.
#[repr(C)]
#[derive(Debug)]
pub struct atomic_t {
    /// The count.
    pub val: AtomicI32,
}

/// Link of the list of recently used entries; this library keeps none, the list is always empty.
#[repr(C)]
#[derive(Debug)]
pub struct dns_lu_lst {
    /// Next link.
    pub next: *mut dns_lu_lst,
    /// Previous link.
    pub prev: *mut dns_lu_lst,
}

/// One record of a cache entry. Read-only: shared by processes.
#[repr(C)]
#[derive(Debug)]
pub struct dns_rr {
    /// Next record of the entry.
    pub next: *mut dns_rr,
    /// The data: `struct a_rdata`, ... according to the entry's type.
    pub rdata: *mut c_void,
    /// Tick at which the record expires.
    pub expire: c_uint,
}

/// A cache entry: all records of one name and type. Shared by processes and read-only, but for the
/// reference count.
#[repr(C)]
#[derive(Debug)]
pub struct dns_hash_entry {
    /// Private.
    pub next: *mut dns_hash_entry,
    /// Private.
    pub prev: *mut dns_hash_entry,
    /// Private.
    pub last_used_lst: dns_lu_lst,
    /// The records; NULL in a negative entry.
    pub rr_lst: *mut dns_rr,
    /// References: one of the cache, one for each holder.
    pub refcnt: atomic_t,
    /// Tick of the last use.
    pub last_used: c_uint,
    /// Tick at which the last record expires.
    pub expire: c_uint,
    /// Octets of the whole entry.
    pub total_size: c_int,
    /// Record type.
    pub r#type: c_ushort,
    /// 1 = negative, 2 = permanent.
    pub ent_flags: c_uchar,
    /// Octets of the name.
    pub name_len: c_uchar,
    /// The name, NUL-terminated; longer than declared.
    pub name: [c_char; 1],
}

/// Failover state of one request, in the caller's memory. `crate::select::cursor` has the layouts, which depend on the
/// host; the C form is in include/kamailio_dns_types.h.
#[repr(C)]
#[derive(Debug)]
pub struct dns_srv_handle {
    _private: [c_ulonglong; 0],
}

/// A record in a list made by `get_record()`. Writable; the list may be put into another order.
#[repr(C)]
#[derive(Debug)]
pub struct rdata {
    /// Record type.
    pub r#type: c_ushort,
    /// Class.
    pub pclass: c_ushort,
    /// Time to live, s.
    pub ttl: c_uint,
    /// The data: `struct a_rdata`, ... according to the type; NULL for types without decoder.
    pub rdata: *mut c_void,
    /// Next record.
    pub next: *mut rdata,
    /// Octets of the owner name.
    pub name_len: c_uchar,
    /// Owner name, NUL-terminated; longer than declared.
    pub name: [c_char; 1],
}

/// Data of an A record.
#[repr(C)]
#[derive(Debug)]
pub struct a_rdata {
    /// The address.
    pub ip: [c_uchar; 4],
}

/// Data of an AAAA record.
#[repr(C)]
#[derive(Debug)]
pub struct aaaa_rdata {
    /// The address.
    pub ip6: [c_uchar; 16],
}

/// Data of an SRV record.
#[repr(C)]
#[derive(Debug)]
pub struct srv_rdata {
    /// Lower is tried first.
    pub priority: c_ushort,
    /// Share of the load.
    pub weight: c_ushort,
    /// Port, host order.
    pub port: c_ushort,
    /// Octets of the target.
    pub name_len: c_uchar,
    /// Target, NUL-terminated; longer than declared. Empty for the root.
    pub name: [c_char; 1],
}

/// Data of a NAPTR record. The four texts are counted and lie one after the other in `str_table`;
/// only `repl` is NUL-terminated.
#[repr(C)]
#[derive(Debug)]
pub struct naptr_rdata {
    /// Flags, e.g. `s`.
    pub flags: *mut c_char,
    /// Services, e.g. `SIP+D2U`.
    pub services: *mut c_char,
    /// Substitution expression.
    pub regexp: *mut c_char,
    /// Next name.
    pub repl: *mut c_char,
    /// Lower is processed first.
    pub order: c_ushort,
    /// Lower is preferred within one order.
    pub pref: c_ushort,
    /// Octets of `flags`.
    pub flags_len: c_uchar,
    /// Octets of `services`.
    pub services_len: c_uchar,
    /// Octets of `regexp`.
    pub regexp_len: c_uchar,
    /// Octets of `repl`.
    pub repl_len: c_uchar,
    /// Always 0: progress is kept in handles.
    pub skip_record: c_uchar,
    /// The texts; longer than declared.
    pub str_table: [c_char; 1],
}

/// Data of a CNAME record.
#[repr(C)]
#[derive(Debug)]
pub struct cname_rdata {
    /// Octets of the name.
    pub name_len: c_uchar,
    /// The name, NUL-terminated; longer than declared.
    pub name: [c_char; 1],
}

/// One string of a TXT record.
#[repr(C)]
#[derive(Debug)]
pub struct dns_cstr {
    /// The text, NUL-terminated.
    pub cstr: *mut c_char,
    /// Octets of the text.
    pub cstr_len: c_uchar,
}

/// Data of a TXT record.
#[repr(C)]
#[derive(Debug)]
pub struct txt_rdata {
    /// Number of strings.
    pub cstr_no: c_ushort,
    /// Octets of all strings together, NULs included.
    pub tslen: c_ushort,
    /// The strings; longer than declared.
    pub txt: [dns_cstr; 1],
}

/// Data of an EBL record (infrastructure ENUM).
#[repr(C)]
#[derive(Debug)]
pub struct ebl_rdata {
    /// Separator, counted.
    pub separator: *mut c_char,
    /// Apex, NUL-terminated.
    pub apex: *mut c_char,
    /// Octets of `separator`.
    pub separator_len: c_uchar,
    /// Octets of `apex`.
    pub apex_len: c_uchar,
    /// Position of the separator in the number.
    pub position: c_uchar,
    /// The texts; longer than declared.
    pub str_table: [c_char; 1],
}

/// Data of a PTR record.
#[repr(C)]
#[derive(Debug)]
pub struct ptr_rdata {
    /// Octets of the name.
    pub ptrdname_len: c_uchar,
    /// The name, NUL-terminated; longer than declared.
    pub ptrdname: [c_char; 1],
}

/// A transport and its preference, for `create_srv_pref_list()`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct dns_srv_proto {
    /// Transport number.
    pub proto: c_char,
    /// Preference, higher first.
    pub proto_pref: c_int,
}

/// Number of a host counter.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct counter_handle_t {
    /// The number.
    pub id: c_ushort,
}

/// The host counters of this library.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct dns_counters_h {
    /// Lookups that failed.
    pub failed_dns_req: counter_handle_t,
    /// Queries that took longer than `dns_slow_query_ms`.
    pub slow_dns_req: counter_handle_t,
}

/// Description of a host counter.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct counter_def_t {
    /// Where its number is stored.
    pub handle: *mut counter_handle_t,
    /// Name.
    pub name: *const c_char,
    /// Flags of the host.
    pub flags: c_int,
    /// Called to read it; NULL = a plain counter.
    pub get_cbk: Option<unsafe extern "C" fn(counter_handle_t, *mut c_void) -> c_long>,
    /// Argument of `get_cbk`.
    pub get_cbk_param: *mut c_void,
    /// One sentence.
    pub descr: *const c_char,
}

/// Cache statistics of one process.
#[repr(C)]
#[derive(Debug, Default)]
pub struct t_dns_cache_stats {
    /// Lookups.
    pub dns_req_cnt: c_ulong,
    /// Answered by a positive entry.
    pub dc_hits_cnt: c_ulong,
    /// Answered by a negative entry.
    pub dc_neg_hits_cnt: c_ulong,
    /// Entries evicted because memory was short.
    pub dc_lru_cnt: c_ulong,
}

/// Answer functions of an RPC transport. The functions take printf-like formats of the host.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct rpc_t {
    /// Refuses the call: code, text.
    pub fault: Option<unsafe extern "C" fn(*mut c_void, c_int, *mut c_char, ...)>,
    /// Sends the reply.
    pub send: Option<unsafe extern "C" fn(*mut c_void) -> c_int>,
    /// Adds values to the reply.
    pub add: Option<unsafe extern "C" fn(*mut c_void, *mut c_char, ...) -> c_int>,
    /// Reads arguments.
    pub scan: Option<unsafe extern "C" fn(*mut c_void, *mut c_char, ...) -> c_int>,
    /// Adds formatted text.
    pub rpl_printf: Option<unsafe extern "C" fn(*mut c_void, *mut c_char, ...) -> c_int>,
    /// Adds name and value pairs to a struct.
    pub struct_add: Option<unsafe extern "C" fn(*mut c_void, *mut c_char, ...) -> c_int>,
    /// Adds values to an array.
    pub array_add: Option<unsafe extern "C" fn(*mut c_void, *mut c_char, ...) -> c_int>,
    /// Reads a struct argument.
    pub struct_scan: Option<unsafe extern "C" fn(*mut c_void, *mut c_char, ...) -> c_int>,
    /// Adds formatted text to a struct.
    pub struct_printf:
        Option<unsafe extern "C" fn(*mut c_void, *mut c_char, *mut c_char, ...) -> c_int>,
    /// Gives the transport's capabilities.
    pub capabilities: Option<unsafe extern "C" fn(*mut c_void) -> c_uint>,
    /// Starts a delayed reply.
    pub delayed_ctx_new: Option<unsafe extern "C" fn(*mut c_void) -> *mut c_void>,
    /// Ends a delayed reply.
    pub delayed_ctx_close: Option<unsafe extern "C" fn(*mut c_void)>,
}

/// A timer of the host; the part that its owner fills.
#[repr(C)]
#[derive(Debug)]
pub struct timer_ln {
    /// Private.
    pub next: *mut timer_ln,
    /// Private.
    pub prev: *mut timer_ln,
    /// Private.
    pub expire: c_uint,
    /// Private.
    pub initial_timeout: c_uint,
    /// Handed to the handler.
    pub data: *mut c_void,
    /// The handler; gives the ticks until its next call, -1 = the same again.
    pub f: Option<unsafe extern "C" fn(c_uint, *mut c_void, *mut c_void) -> c_uint>,
    /// Flags of the host.
    pub flags: c_uint,
    /// Private.
    pub slow_idx: c_uint,
}
