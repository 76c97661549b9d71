//! The layout of the host's structures, learnt by calls of the host's own functions before anything is changed.
//!
//! A child process makes the calls: should they go wrong in a Kamailio that is not as expected, the child dies and the
//! host is left alone. The calls get address literals, so they ask nobody.
#![allow(unsafe_code, reason = "calls functions of the host")]

use std::ffi::{c_char, c_int, c_uint, c_ushort, c_void};
use std::ptr::null_mut;

use crate::layout::Handle;
use crate::plan::{Plan, Refusal};
use crate::process::Program;

/// The literal of the calls, and its octets.
const LITERAL: &[u8] = b"192.0.2.77";
const OCTETS: [u8; 4] = [192, 0, 2, 77];
/// A port that no structure has by chance, and the one of SIP.
const PORT: c_ushort = 40_961;
const SIP_PORT: c_ushort = 5060;
const UDP: u8 = 1;
/// The octet that fills memory before the calls, and shows what they left unwritten.
const UNTOUCHED: u8 = 0xa5;
/// Octets of room for a handle; known handles have 32 to 48.
const ROOM: usize = 128;
/// Where callers count references of an entry.
const REFERENCES: usize = 40;
/// Seconds that a child has.
const PATIENCE: c_uint = 5;
/// Memory that stands for the table of the cache.
const TABLE: usize = 1 << 24;

/// `str`.
#[repr(C)]
struct Text {
    start: *const c_char,
    length: c_int,
}

/// `struct ip_addr`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Address {
    family: c_uint,
    length: c_uint,
    octets: [u8; 16],
}

impl Address {
    const NONE: Self = Self {
        family: 0,
        length: 0,
        octets: [0; 16],
    };

    fn is_expected(&self) -> bool {
        self.family == libc::AF_INET as c_uint
            && self.length == 4
            && self.octets.starts_with(&OCTETS)
    }
}

type ToAddress = unsafe extern "C" fn(*mut Text) -> *const Address;
type Resolve =
    unsafe extern "C" fn(*mut u8, *mut Text, *mut Address, *mut c_ushort, *mut u8, c_int) -> c_int;
/// From 6.1 on a file and a line follow the entry; more arguments do no harm to the older function.
type Put = unsafe extern "C" fn(*mut c_void, *const c_char, c_uint);

/// The functions that are called.
struct Functions {
    to_address: ToAddress,
    resolve: Resolve,
    put: Put,
}

fn functions(plan: &Plan, program: &Program) -> Result<Functions, Refusal> {
    let find = |names: &[&str]| {
        let address = names.iter().find_map(|name| plan.address(name));
        let address = address.ok_or_else(|| format!("{}() is missing", names.join("() or ")))?;
        Ok::<_, Refusal>(program.address(address) as *mut c_void)
    };
    let (to_address, resolve) = (find(&["str2ip"])?, find(&["dns_sip_resolve"])?);
    let put = find(&["dns_hash_put", "dns_hash_put_entry"])?;
    Ok(Functions {
        // SAFETY: the host's function of that name has this type in all known families.
        to_address: unsafe { std::mem::transmute::<*mut c_void, ToAddress>(to_address) },
        // SAFETY: as above.
        resolve: unsafe { std::mem::transmute::<*mut c_void, Resolve>(resolve) },
        // SAFETY: as above; the older function does not read the registers of the further arguments.
        put: unsafe { std::mem::transmute::<*mut c_void, Put>(put) },
    })
}

/// Learns where a handle has its parts, and sees that the other structures are as expected.
///
/// # Errors
/// When they are not, or when the host's functions do not answer.
pub fn learn(plan: &Plan, program: &Program) -> Result<Handle, Refusal> {
    let functions = functions(plan, program)?;
    let pointers = in_child(|| basics(&functions))
        .ok_or("its functions do not do with an address literal what they do in known versions")?;
    // One of the variables points to the table of the cache, and nothing says which. With another variable the call
    // fails, or does not behave as with a cache.
    let numbers = plan
        .private_variables
        .iter()
        .map(|variable| program.address(*variable))
        .find_map(|variable| in_child(|| with_table(&functions, variable)))
        .ok_or("its dns_sip_resolve() does not tell where a handle has its port")?;
    Ok(Handle {
        pointers: pointers.into(),
        numbers: numbers.into(),
    })
}

/// The octet that a child found out; `None` when the child failed or died.
fn in_child(work: impl FnOnce() -> Option<u8>) -> Option<u8> {
    let mut ends = [0; 2];
    // SAFETY: room for two descriptors.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
        return None;
    }
    let [from, to] = ends;
    // SAFETY: there is one thread.
    let child = unsafe { libc::fork() };
    if child == 0 {
        calm();
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        if let Ok(Some(found)) = found {
            // SAFETY: one octet, to a pipe that is open.
            unsafe { libc::write(to, (&raw const found).cast(), 1) };
        }
        // SAFETY: ends the process at once: nothing of the host's is to run in it.
        unsafe { libc::_exit(0) };
    }
    // SAFETY: a descriptor of our own.
    unsafe { libc::close(to) };
    let mut found = 0_u8;
    let read = if child > 0 {
        // SAFETY: one octet of room. The child's end of the pipe closes when it ends, in a few seconds at most.
        let read = unsafe { libc::read(from, (&raw mut found).cast(), 1) };
        // SAFETY: our own child; without a place for its status.
        unsafe { libc::waitpid(child, null_mut(), 0) };
        read
    } else {
        0
    };
    // SAFETY: a descriptor of our own.
    unsafe { libc::close(from) };
    (read == 1).then_some(found)
}

/// Makes the child a quiet one that cannot last: no core file, no lines in the log, an end by itself.
fn calm() {
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: a valid structure.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
    for signal in [
        libc::SIGALRM,
        libc::SIGSEGV,
        libc::SIGBUS,
        libc::SIGABRT,
        libc::SIGILL,
    ] {
        // SAFETY: the default action, in a process of its own.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    let mut all = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: room for a set.
    unsafe { libc::sigemptyset(all.as_mut_ptr()) };
    // SAFETY: a set that was just made.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, all.as_ptr(), null_mut()) };
    // SAFETY: no memory is involved.
    unsafe { libc::alarm(PATIENCE) };
    if let Some(to_stderr) = crate::process::symbol(c"log_stderr") {
        // SAFETY: the host's int variable of that name.
        unsafe { to_stderr.cast::<c_int>().write(1) };
    }
    // SAFETY: a NUL-terminated path.
    let nowhere = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) };
    for stream in [1, 2] {
        // SAFETY: numbers of descriptors; without /dev/null nothing happens.
        unsafe { libc::dup2(nowhere, stream) };
    }
}

fn literal() -> Text {
    Text {
        start: LITERAL.as_ptr().cast(),
        length: LITERAL.len() as c_int,
    }
}

/// Resolves the literal; port and protocol that the call gives, if it succeeds with the address of the literal.
fn resolve(
    functions: &Functions,
    handle: &mut [u8; ROOM],
    mut port: c_ushort,
    mut protocol: u8,
) -> Option<(c_ushort, u8)> {
    let (mut name, mut address) = (literal(), Address::NONE);
    // SAFETY: the host's function with what it expects, and room for any handle.
    let result = unsafe {
        (functions.resolve)(
            handle.as_mut_ptr(),
            &raw mut name,
            &raw mut address,
            &raw mut port,
            &raw mut protocol,
            0,
        )
    };
    (result == 0 && address.is_expected()).then_some((port, protocol))
}

/// `str`, `ip_addr`, the count of references, and where `srv` and `a` are: they are emptied where there is no cache.
fn basics(functions: &Functions) -> Option<u8> {
    let mut name = literal();
    // SAFETY: the host's function with what it expects.
    let address = unsafe { (functions.to_address)(&raw mut name) };
    // SAFETY: NULL or an address, which is valid until the next calls.
    let address = unsafe { address.as_ref() }?;
    if !address.is_expected() || !counts_references(functions.put) {
        return None;
    }
    let mut handle = [UNTOUCHED; ROOM];
    let found = resolve(functions, &mut handle, PORT, UDP);
    let first = handle.iter().position(|&octet| octet == 0)?;
    let emptied = handle
        .iter()
        .skip(first)
        .take_while(|&&octet| octet == 0)
        .count();
    let others = handle.iter().filter(|&&octet| octet != UNTOUCHED).count();
    let is_expected = found.is_some_and(|(port, _)| port == PORT)
        && (emptied, others) == (16, 16)
        && [0, 8].contains(&first);
    is_expected.then_some(first as u8)
}

/// True when giving a reference back changes the word where callers count them, and nothing else.
fn counts_references(put: Put) -> bool {
    const HELD: u32 = 5;
    let mut entry = [HELD; 64];
    // SAFETY: memory of more than an entry's size, with more references than one.
    unsafe { put(entry.as_mut_ptr().cast(), c"takeover".as_ptr(), 1) };
    let mut expected = [HELD; 64];
    if let Some(word) = expected.get_mut(REFERENCES / size_of::<u32>()) {
        *word = HELD - 1;
    }
    entry == expected
}

/// Where the numbers of a handle are: with a cache, a call without port and protocol stores those it chooses.
fn with_table(functions: &Functions, variable: usize) -> Option<u8> {
    let rights = libc::PROT_READ | libc::PROT_WRITE;
    let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: new memory, nobody else's.
    let table = unsafe { libc::mmap(null_mut(), TABLE, rights, kind, -1, 0) };
    if table == libc::MAP_FAILED {
        return None;
    }
    let place = variable as *mut *mut c_void;
    // SAFETY: a variable of the host, in a process that ends when this is over.
    let before = unsafe { place.read_unaligned() };
    if !before.is_null() {
        return None;
    }
    // SAFETY: as above.
    unsafe { place.write_unaligned(table) };
    let mut handle = [0_u8; ROOM];
    let found = resolve(functions, &mut handle, 0, 0);
    let [low, high] = SIP_PORT.to_le_bytes();
    let at = handle.windows(2).position(|pair| pair == [low, high])?;
    let mut expected = [0; ROOM];
    for (offset, octet) in [(at, low), (at + 1, high), (at + 4, UDP)] {
        *expected.get_mut(offset)? = octet;
    }
    let is_expected = found == Some((SIP_PORT, UDP)) && handle == expected && at >= 24;
    is_expected.then_some((at - 8) as u8)
}
