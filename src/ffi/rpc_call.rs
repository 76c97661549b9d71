//! A call of an RPC command: its arguments, and its reply.
#![allow(unsafe_code, reason = "calls of the host's RPC functions")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::null_mut;

use super::ptr;
use super::types::{_str, rpc_t};
use crate::cache::Cache;
use crate::host::options::{self, Opt};

/// An RPC call: the transport's functions and its context.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    functions: rpc_t,
    context: *mut c_void,
}

/// The reply could not be built; the transport has said why, or is told so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReplyFailed;

/// The error of a command that has waited for the cache for two seconds.
pub(super) const BUSY: &CStr =
    c"The cache cannot be changed: a process that changes it does not go on";

/// A struct or array of a reply.
#[derive(Clone, Copy)]
pub(crate) struct Part(*mut c_void);

fn check(result: c_int) -> Result<(), ReplyFailed> {
    if result < 0 { Err(ReplyFailed) } else { Ok(()) }
}

fn format(text: &CStr) -> *mut c_char {
    text.as_ptr().cast_mut()
}

/// Octets of a text that replies show; of names, and of the texts of a record, all.
const MOST_SHOWN: usize = 1024;

/// Text for a C string value. Names and records have whatever octets a stranger's zone has: those that are no visible
/// ASCII become `\xNN`, for not all transports escape them, and none is bound to find UTF-8. Very long texts are cut.
pub(crate) fn c_string(text: &[u8]) -> CString {
    let (kept, rest) = text.split_at(text.len().min(MOST_SHOWN));
    let mut shown = Vec::with_capacity(kept.len());
    for octet in kept {
        match octet {
            b' '..=b'~' => shown.push(*octet),
            _ => shown.extend(format!("\\x{octet:02x}").bytes()),
        }
    }
    if !rest.is_empty() {
        shown.extend(b"...");
    }
    CString::new(shown).unwrap_or_default()
}

impl Call {
    /// # Safety
    /// `rpc` is NULL or a table of functions that take `context`.
    pub(super) unsafe fn new(rpc: *mut rpc_t, context: *mut c_void) -> Option<Self> {
        // SAFETY: the contract is the caller's.
        let functions = unsafe { ptr::get(rpc) }?;
        Some(Self { functions, context })
    }

    /// Refuses the call.
    pub(crate) fn fault(&self, code: c_int, text: &CStr) {
        if let Some(fault) = self.functions.fault {
            // SAFETY: the transport's function, with its context and a text without directives.
            unsafe { fault(self.context, code, format(text)) };
        }
    }

    #[cfg(feature = "dns_watchdog_support")]
    pub(crate) fn add_int(&self, value: i32) -> Result<(), ReplyFailed> {
        let add = self.functions.add.ok_or(ReplyFailed)?;
        // SAFETY: `d` takes an int.
        check(unsafe { add(self.context, format(c"d"), value) })
    }

    pub(crate) fn add_struct(&self) -> Result<Part, ReplyFailed> {
        let add = self.functions.add.ok_or(ReplyFailed)?;
        let mut part: *mut c_void = null_mut();
        // SAFETY: `{` takes a place for a pointer.
        check(unsafe { add(self.context, format(c"{"), &raw mut part) })?;
        Ok(Part(part))
    }

    pub(crate) fn field_int(&self, part: Part, name: &CStr, value: i32) -> Result<(), ReplyFailed> {
        let add = self.functions.struct_add.ok_or(ReplyFailed)?;
        // SAFETY: `d` takes a name and an int.
        check(unsafe { add(part.0, format(c"d"), name.as_ptr(), value) })
    }

    /// A count: an int as long as it fits, so that all transports show it as one.
    pub(crate) fn field_count(
        &self,
        part: Part,
        name: &CStr,
        value: u64,
    ) -> Result<(), ReplyFailed> {
        if let Ok(small) = i32::try_from(value) {
            return self.field_int(part, name, small);
        }
        let add = self.functions.struct_add.ok_or(ReplyFailed)?;
        // SAFETY: `J` takes a name and an unsigned long long.
        check(unsafe { add(part.0, format(c"J"), name.as_ptr(), value) })
    }

    pub(crate) fn field_text(
        &self,
        part: Part,
        name: &CStr,
        value: &[u8],
    ) -> Result<(), ReplyFailed> {
        let add = self.functions.struct_add.ok_or(ReplyFailed)?;
        let value = c_string(value);
        // SAFETY: `s` takes a name and a NUL-terminated text, which live during the call.
        check(unsafe { add(part.0, format(c"s"), name.as_ptr(), value.as_ptr()) })
    }

    /// As `field_text`, given as a counted string.
    pub(crate) fn field_counted(
        &self,
        part: Part,
        name: &CStr,
        value: &[u8],
    ) -> Result<(), ReplyFailed> {
        let add = self.functions.struct_add.ok_or(ReplyFailed)?;
        let terminated = c_string(value);
        let mut counted = _str {
            s: terminated.as_ptr().cast_mut(),
            len: terminated.as_bytes().len() as c_int,
        };
        // SAFETY: `S` takes a name and a `str *`, which live during the call.
        check(unsafe { add(part.0, format(c"S"), name.as_ptr(), &raw mut counted) })
    }

    pub(crate) fn field_array(&self, part: Part, name: &CStr) -> Result<Part, ReplyFailed> {
        let add = self.functions.struct_add.ok_or(ReplyFailed)?;
        let mut array: *mut c_void = null_mut();
        // SAFETY: `[` takes a name and a place for a pointer.
        check(unsafe { add(part.0, format(c"["), name.as_ptr(), &raw mut array) })?;
        Ok(Part(array))
    }

    pub(crate) fn array_struct(&self, array: Part) -> Result<Part, ReplyFailed> {
        let add = self.functions.array_add.ok_or(ReplyFailed)?;
        let mut part: *mut c_void = null_mut();
        // SAFETY: `{` takes a place for a pointer.
        check(unsafe { add(array.0, format(c"{"), &raw mut part) })?;
        Ok(Part(part))
    }

    pub(crate) fn array_text(&self, array: Part, value: &[u8]) -> Result<(), ReplyFailed> {
        let add = self.functions.array_add.ok_or(ReplyFailed)?;
        let value = c_string(value);
        // SAFETY: `s` takes a NUL-terminated text, which lives during the call.
        check(unsafe { add(array.0, format(c"s"), value.as_ptr()) })
    }

    /// Reads a text argument; `None` when it is missing (the transport has complained then).
    pub(crate) fn scan_text(&self) -> Option<Vec<u8>> {
        self.scan_counted(c"S")
    }

    /// Reads a text argument that may be missing.
    pub(crate) fn scan_optional_text(&self) -> Option<Vec<u8>> {
        self.scan_counted(c"*S")
    }

    fn scan_counted(&self, wanted: &CStr) -> Option<Vec<u8>> {
        let scan = self.functions.scan?;
        let mut value = _str {
            s: null_mut(),
            len: 0,
        };
        // SAFETY: `S` takes a `str *` to fill; `*` before it says that it may be missing.
        if unsafe { scan(self.context, format(wanted), &raw mut value) } < 1 {
            return None;
        }
        // SAFETY: filled by the transport with text that lives as long as the call.
        unsafe { ptr::text(&raw const value) }.map(<[u8]>::to_vec)
    }

    /// As [`Self::scan_text`], asked for as a C string.
    #[cfg(feature = "use_dns_cache_stats")]
    pub(crate) fn scan_c_text(&self) -> Option<Vec<u8>> {
        let scan = self.functions.scan?;
        let mut value: *mut c_char = null_mut();
        // SAFETY: `s` takes a place for a text.
        if unsafe { scan(self.context, format(c"s"), &raw mut value) } < 1 {
            return None;
        }
        // SAFETY: filled by the transport with a NUL-terminated text that lives as long as the call.
        unsafe { ptr::c_text(value) }.map(<[u8]>::to_vec)
    }

    /// Reads a number; `None` when it is missing.
    pub(crate) fn scan_int(&self) -> Option<c_int> {
        self.scan_number(c"d")
    }

    /// Reads a number that may be missing.
    pub(crate) fn scan_optional_int(&self) -> Option<c_int> {
        self.scan_number(c"*d")
    }

    fn scan_number(&self, wanted: &CStr) -> Option<c_int> {
        let scan = self.functions.scan?;
        let mut value: c_int = 0;
        // SAFETY: `d` takes an int to fill; `*` before it says that it may be missing.
        (unsafe { scan(self.context, format(wanted), &raw mut value) } >= 1).then_some(value)
    }
}

/// The cache, or a fault when it is switched off.
pub(crate) fn cache(call: &Call) -> Option<&'static Cache> {
    super::settings::sync();
    let cache = Cache::instance().filter(|_| options::on(Opt::UseCache));
    if cache.is_none() {
        call.fault(500, c"dns cache support disabled (see use_dns_cache)");
    }
    cache
}

pub(crate) fn report(call: &Call, result: Result<(), ReplyFailed>) {
    if result.is_err() {
        call.fault(500, c"Internal error creating the reply");
    }
}

/// Wraps a command: a call without functions is ignored.
///
/// # Safety
/// As [`Call::new`].
pub(crate) unsafe fn serve(rpc: *mut rpc_t, context: *mut c_void, command: impl FnOnce(&Call)) {
    // SAFETY: the contract is the caller's.
    if let Some(call) = unsafe { Call::new(rpc, context) } {
        command(&call);
    }
}

/// The body of an exported command: [`serve`] in a panic guard. The contract is that of `serve`.
macro_rules! rpc_guard {
    ($rpc:expr, $context:expr, $command:expr) => {
        $crate::ffi::guard::guard!((), {
            // SAFETY: the contract is that of the exported function.
            unsafe { $crate::ffi::rpc_call::serve($rpc, $context, $command) }
        })
    };
}
pub(crate) use rpc_guard;

#[cfg(test)]
mod tests {
    use super::c_string;

    #[test]
    fn what_is_shown_is_visible_and_not_too_long() {
        let shown = |text: &[u8]| c_string(text).into_string().unwrap();
        assert_eq!(shown(b"!^.*$!sip:\\1@x!\" '"), "!^.*$!sip:\\1@x!\" '");
        assert_eq!(
            shown(b"a\0b\n\x1b\x7f\xe4\xff"),
            "a\\x00b\\x0a\\x1b\\x7f\\xe4\\xff"
        );
        assert_eq!(shown(&[b'x'; 1024]).len(), 1024);
        assert_eq!(shown(&[0xff; 5000]).len(), 4 * 1024 + 3);
    }
}
