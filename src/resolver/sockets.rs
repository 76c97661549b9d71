//! Calls for sockets that std lacks: connecting without waiting, and again. And what wakes a thread that waits for them.
#![allow(unsafe_code, reason = "socket calls")]

use std::io;
use std::net::SocketAddr;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};

/// A socket of the server's address family that never blocks.
pub(super) fn new_socket(server: SocketAddr, kind: libc::c_int) -> io::Result<OwnedFd> {
    let family = match server {
        SocketAddr::V4(_) => libc::AF_INET,
        SocketAddr::V6(_) => libc::AF_INET6,
    };
    // SAFETY: takes numbers only.
    let fd = unsafe { libc::socket(family, kind | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made and nothing else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A descriptor that becomes readable when something is written to it, and never blocks.
pub(super) fn new_event() -> io::Result<OwnedFd> {
    // SAFETY: takes numbers only.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made and nothing else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Connects a socket.
pub(super) fn connect(fd: RawFd, server: SocketAddr) -> io::Result<()> {
    let result = match server {
        SocketAddr::V4(v4) => {
            let address = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr {
                    s_addr: u32::from_ne_bytes(v4.ip().octets()),
                },
                sin_zero: [0; 8],
            };
            let size = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            // SAFETY: the address is a whole sockaddr_in that outlives the call, and `size` is its.
            unsafe { libc::connect(fd, (&raw const address).cast(), size) }
        }
        SocketAddr::V6(v6) => {
            let address = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: v6.flowinfo(),
                sin6_addr: libc::in6_addr {
                    s6_addr: v6.ip().octets(),
                },
                sin6_scope_id: v6.scope_id(),
            };
            let size = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
            // SAFETY: the address is a whole sockaddr_in6 that outlives the call, and `size` is its.
            unsafe { libc::connect(fd, (&raw const address).cast(), size) }
        }
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Takes server and port from a connected UDP socket.
pub(super) fn dissolve(fd: RawFd) -> io::Result<()> {
    let nobody = libc::sockaddr {
        sa_family: libc::AF_UNSPEC as libc::sa_family_t,
        sa_data: [0; 14],
    };
    let size = size_of::<libc::sockaddr>() as libc::socklen_t;
    // SAFETY: the address is a whole sockaddr that outlives the call, and `size` is its.
    let result = unsafe { libc::connect(fd, &raw const nobody, size) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
