//! The steps of a takeover, in their order.
#![allow(unsafe_code, reason = "runs before main(), replaces code")]

use std::ffi::CString;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::elf::Image;
use crate::environment::{self, Wish};
use crate::jumps;
use crate::layout;
use crate::library::{Library, belongs_to};
use crate::machine::Machine;
use crate::names::SHARED_VARIABLES;
use crate::pages::{Copy, READ_RUN, near, page, rights};
use crate::plan::{Plan, Refusal, plan};
use crate::probe;
use crate::process::{self, Program, mappings, symbol};
use crate::report;

/// The loader calls it when this file and all that it needs is there, before `main()`.
#[used]
#[unsafe(link_section = ".init_array")]
static START: extern "C" fn() = start;

extern "C" fn start() {
    // An error here must not keep the program from running.
    let done = std::panic::catch_unwind(|| {
        // Programs that are not Kamailio are not touched, and pass the environment on.
        if let Some(inside) = symbol(c"ver_flags").filter(|_| symbol(c"core_cfg").is_some()) {
            in_kamailio(inside);
        }
    });
    if done.is_err() {
        report::refuse("a defect of the takeover");
    }
}

fn in_kamailio(inside: *mut std::ffi::c_void) {
    let own = belongs_to(start as *const std::ffi::c_void);
    let Some((own, _)) = own else {
        return report::refuse("the loader does not say where this file is");
    };
    environment::clean(&own);
    let wish = environment::wish();
    let outcome = if wish.nothing {
        Err("it is switched off by KAMAILIO_DNS_TAKEOVER".to_owned())
    } else {
        take_over(&own, inside, wish)
    };
    if let Err(why) = outcome {
        report::refuse(&why);
    }
}

fn take_over(own: &Path, inside: *mut std::ffi::c_void, wish: Wish) -> Result<(), Refusal> {
    let threads = if wish.emulated {
        process::threads_of_the_program()
    } else {
        process::threads()
    };
    if threads != 1 {
        return Err("there is more than one thread, or /proc is not there".to_owned());
    }
    let program = process::program(inside)?;
    let image = Image::parse(&program.bytes)?;
    if image.machine != Machine::OWN {
        return Err("its file is one for another processor".to_owned());
    }
    let plan = plan(&image)?;
    if !program.is_unchanged(plan.code) {
        return Err("the code in memory is not that of the executable's file".to_owned());
    }
    check_hooks(&plan, &program)?;
    let handle = probe::learn(&plan, &program)?;
    let library = Library::open(own)?;
    let prepared = match prepare(&plan, &program, &library, handle, wish.traps) {
        Ok(prepared) => prepared,
        Err(why) => {
            library.close();
            return Err(why);
        }
    };
    let path = library.path.clone();
    prepared.put_into_place(&program)?;
    report::record(&plan, &path);
    Ok(())
}

/// Refuses when `dns_func` leads back into this Kamailio: the library would call itself for ever.
fn check_hooks(plan: &Plan, program: &Program) -> Result<(), Refusal> {
    let table = symbol(c"dns_func").ok_or("the variable dns_func is missing")?;
    // SAFETY: the host's structure of four pointers.
    let functions = unsafe { table.cast::<[usize; 4]>().read() };
    let code = program.address(plan.code.address);
    let code = code..code + plan.code.memory_size as usize;
    if functions.iter().any(|function| code.contains(function)) {
        return Err("dns_func has functions of this Kamailio".to_owned());
    }
    Ok(())
}

/// All changes, prepared beside the original.
struct Prepared {
    table: Copy,
    code: Copy,
    /// Where the code belongs, and what is there now, in the file.
    place: usize,
    length: usize,
    offset: u64,
}

fn prepare(
    plan: &Plan,
    program: &Program,
    library: &Library,
    handle: layout::Handle,
    trap: bool,
) -> Result<Prepared, Refusal> {
    let targets = plan.entries.iter().map(|entry| library.symbol(entry.name));
    let targets = targets.map(|found| found.map(|address| address as usize));
    let targets = targets.collect::<Result<Vec<_>, _>>()?;
    library.check_shared(|name| {
        let name = SHARED_VARIABLES
            .contains(&name)
            .then(|| CString::new(name).ok())??;
        symbol(&name).map(|place| place as usize)
    })?;
    layout::describe(handle);
    let size = library.handle_size()?;
    if size != handle.size() {
        return Err(format!(
            "the library does not know a handle of {} octets with its port at {}",
            handle.size(),
            handle.numbers + 8
        ));
    }
    let changed = jumps::changed(plan, page()).ok_or("nothing to replace")?;
    let offset = plan.code.offset + (changed.start - plan.code.address);
    let length = (changed.end - changed.start) as usize;
    let place = program.address(changed.start);
    let from = offset as usize;
    let code = program.bytes.get(from..from + length);
    let mut code = code.ok_or("the executable's file is cut off")?.to_vec();
    let table = near_table(plan.machine, &targets, &(place..place + length))?;
    jumps::write(plan, &mut code, changed.start, place, table.address(), trap)
        .ok_or("a function is out of reach of its jump")?;
    let source = Some((&program.file, from));
    let code = Copy::new(0, &code, source, rights(plan.is_guarded)).map_err(|e| not_allowed(&e))?;
    Ok(Prepared {
        table,
        code,
        place,
        length,
        offset,
    })
}

fn not_allowed(error: &io::Error) -> Refusal {
    format!(
        "the system does not let code be changed ({error}): MemoryDenyWriteExecute=no in the service, or execmod and \
         execute of tmpfs for SELinux, would allow it"
    )
}

/// The table of jumps, where jumps from the code reach it.
fn near_table(machine: Machine, targets: &[usize], code: &Range<usize>) -> Result<Copy, Refusal> {
    const NONE: &str = "no free page near the executable";
    let content = jumps::table(machine, targets, page());
    let maps = std::fs::read_to_string("/proc/self/maps").map_err(|error| error.to_string())?;
    let mapped: Vec<_> = mappings(&maps).into_iter().map(|m| m.range).collect();
    let mut why = NONE.to_owned();
    for place in near(&mapped, code, machine.reach(), content.len()) {
        match Copy::new(place, &content, None, READ_RUN) {
            Ok(table) => return Ok(table),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {}
            Err(error) => why = not_allowed(&error),
        }
    }
    Err(why)
}

impl Prepared {
    fn put_into_place(self, program: &Program) -> Result<(), Refusal> {
        // SAFETY: the host's code of this length is mapped there, was seen to be that of the file, and there is one
        // thread, which runs this.
        let done = unsafe { self.code.take_place(self.place) };
        if let Err(error) = done {
            restore(program, self.place, self.length, self.offset);
            return Err(format!("the system does not let code be moved: {error}"));
        }
        self.table.keep();
        Ok(())
    }
}

/// After a move that failed: the system may have emptied the place before.
fn restore(program: &Program, place: usize, length: usize, offset: u64) {
    use std::os::fd::AsRawFd as _;
    let mut octet = [0];
    // The file is still what it was.
    let is_there = program.file.read_exact_at(&mut octet, offset).is_ok();
    let rights = libc::PROT_READ | libc::PROT_EXEC;
    let flags = libc::MAP_PRIVATE | libc::MAP_FIXED;
    let file = program.file.as_raw_fd();
    let offset = offset as libc::off_t;
    // SAFETY: what was mapped there, once more.
    let found = unsafe { libc::mmap(place as *mut _, length, rights, flags, file, offset) };
    if !is_there || found == libc::MAP_FAILED {
        report::refuse("and its code could not be restored: the program ends");
        std::process::abort();
    }
}
