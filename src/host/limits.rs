//! The limits that the kernel sets to this process.
#![allow(unsafe_code, reason = "getrlimit")]

/// Descriptors that a process may be assumed to have when the kernel does not say.
const FEW: usize = 256;

/// Descriptors that this process may have open. The limit stays as it is: the program around us may use `select()`, for
/// which a number above 1,023 is memory that is not its own.
#[must_use]
pub(crate) fn descriptors() -> usize {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: a valid rlimit that the call may write to.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    if result < 0 {
        return FEW;
    }
    usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_some() {
        assert!(descriptors() >= 16);
    }
}
