//! Network interfaces by name, for IPv6 addresses with a scope.
#![allow(unsafe_code, reason = "if_nametoindex")]

/// Number of the interface that a scope (the part behind `%`) names: a number stands for itself.
///
/// `None` if there is no interface of that name.
#[must_use]
pub(crate) fn index_of(scope: &str) -> Option<u32> {
    if let Ok(number) = scope.parse() {
        return Some(number);
    }
    let name = std::ffi::CString::new(scope).ok()?;
    // SAFETY: the string is NUL-terminated and outlives the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    (index != 0).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_interface_has_a_number() {
        let index = index_of("lo").unwrap();
        assert!(index > 0);
        assert_eq!(index_of("7"), Some(7));
        for unknown in ["no-such-if", "", "lo\0"] {
            assert_eq!(index_of(unknown), None);
        }
    }
}
