//! What a lookup that has to ask costs: instructions and system calls per miss on the loopback interface.
//!
//! `cargo bench --bench miss` prints the time per miss; docs/resolver.md says how callgrind counts the
//! instructions. The answering process is a child of its own, so its work is not counted.
#![allow(unsafe_code, reason = "fork; a symbol that callgrind finds")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark"
)]

use std::net::UdpSocket;

use kamailio_dns::host::{clock, options};
use kamailio_dns::lookup;

/// Kills the child when the benchmark ends.
struct Child(libc::pid_t);

impl Drop for Child {
    fn drop(&mut self) {
        // SAFETY: a child of this process that was not waited for, so the id is still its.
        unsafe { libc::kill(self.0, libc::SIGKILL) };
        // SAFETY: waits for that child; no status is wanted.
        unsafe { libc::waitpid(self.0, std::ptr::null_mut(), 0) };
    }
}

/// Answers every question with one address.
fn serve(socket: &UdpSocket) -> ! {
    let mut query = [0; 1500];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut query) else {
            continue;
        };
        let Some(query) = query.get(..length) else {
            continue;
        };
        let mut end = 12;
        while let Some(&label) = query.get(end).filter(|&&label| label != 0) {
            end += usize::from(label) + 1;
        }
        let mut reply = query.get(..end + 5).unwrap_or_default().to_vec();
        if let Some(counts) = reply.get_mut(2..12) {
            counts.copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
        }
        reply.extend(b"\xC0\x0C\x00\x01\x00\x01\x00\x00\x0E\x10\x00\x04\xC0\x00\x02\x01");
        let _ = socket.send_to(&reply, from);
    }
}

fn start_server() -> (Child, u16) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    // SAFETY: no thread was started yet; the child only serves.
    let child = unsafe { libc::fork() };
    if child == 0 {
        serve(&socket);
    }
    assert!(child > 0);
    (Child(child), port)
}

/// The part that is counted.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn kamailio_dns_bench_misses(first: u32, count: u32) -> u32 {
    let mut found = 0;
    for number in first..first + count {
        let mut name = *b"host00000000.zone.example.org";
        let mut rest = number;
        for digit in name[4..12].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        found += u32::from(lookup::first_address(&name, lookup::request::IPV4_ONLY).is_ok());
    }
    found
}

fn main() {
    // `cargo bench` passes --bench; a number is the count of misses.
    let count = std::env::args().find_map(|argument| argument.parse().ok());
    let count: u32 = count.unwrap_or(20_000);
    let (_child, port) = start_server();
    options::set("dns_nameservers", &format!("127.0.0.1:{port}")).unwrap();
    options::set("dns_cache_mem", "65536").unwrap();
    kamailio_dns::cache::Cache::init().unwrap();
    // Everything that is made at first use.
    assert_eq!(kamailio_dns_bench_misses(90_000_000, 10), 10);
    let started_ns = clock::monotonic_ns();
    assert_eq!(kamailio_dns_bench_misses(0, count), count);
    let took_ns = clock::monotonic_ns() - started_ns;
    println!("{count} misses, {} ns each", took_ns / u64::from(count));
}
