//! Takeovers of a small program that stands for a Kamailio, and of ones that are not as expected: those run as ever,
//! and one line says why.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a failed test is the point"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use kamailio_dns_takeover::names::{FUNCTIONS, family, is_due};

/// What the takeover is told by.
const SWITCH: &str = "KAMAILIO_DNS_TAKEOVER";

/// Functions that the C files have themselves.
const WRITTEN: [&str; 4] = ["str2ip", "dns_sip_resolve", "dns_hash_put", "dns_strerror"];

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/host")
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Another machine than this one: its C compiler, and the command that runs its programs.
fn foreign() -> Option<(String, Vec<String>)> {
    let compiler = std::env::var("TAKEOVER_CC").ok()?;
    let runner = std::env::var("TAKEOVER_RUNNER").unwrap();
    Some((compiler, runner.split(' ').map(str::to_owned).collect()))
}

fn is_arm64() -> bool {
    foreign().map_or(cfg!(target_arch = "aarch64"), |(compiler, _)| {
        compiler.starts_with("aarch64")
    })
}

/// True, and said, where a test depends on what an emulator does not do: `what`.
#[allow(clippy::print_stdout, reason = "a test that is left out says so")]
fn is_out_of_place(what: &str) -> bool {
    let is_foreign = foreign().is_some();
    if is_foreign {
        println!("left out, in an emulator: {what}");
    }
    is_foreign
}

/// The file that is preloaded: TAKEOVER_FILE, or as cargo built it for this test.
fn takeover() -> PathBuf {
    if let Some(file) = std::env::var_os("TAKEOVER_FILE") {
        return file.into();
    }
    let built = Path::new(env!("CARGO_BIN_EXE_kamailio-dns-check"));
    let name = "libkamailio_dns_takeover.so";
    let inner = built.with_file_name("deps").join(name);
    if inner.exists() {
        inner
    } else {
        built.with_file_name(name)
    }
}

fn compile(
    folder: &Path,
    output: &str,
    inputs: &[&str],
    options: &[&str],
    left_out: &str,
) -> PathBuf {
    let list = FUNCTIONS
        .iter()
        .filter(|(name, presence, _)| {
            is_due(*presence, family("5.6.3").unwrap(), &[]) && !WRITTEN.contains(name)
        })
        .filter(|(name, _, _)| *name != left_out)
        .map(|(name, _, _)| format!("STUB({name})\n"));
    fs::write(folder.join("functions.h"), list.collect::<String>()).unwrap();
    let output = folder.join(output);
    let compiler = foreign().map_or("cc".to_owned(), |(compiler, _)| compiler);
    let done = Command::new(compiler)
        .args(["-O2", "-w", "-o"])
        .arg(&output)
        .arg("-I")
        .arg(folder)
        .args(options)
        .args(inputs.iter().map(|input| sources().join(input)))
        .args(["-lresolv", "-ldl", "-lpthread"])
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    output
}

fn library(name: &str, options: &[&str]) -> PathBuf {
    let folder = folder(name);
    let options = [&["-shared", "-fPIC"], options].concat();
    compile(
        &folder,
        "libkamailio_dns.so.0",
        &["library.c"],
        &options,
        "",
    );
    folder
}

/// The folder of the usual library.
fn usual_library() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| library("library", &[]))
}

fn host_without(name: &str, options: &[&str], left_out: &str) -> PathBuf {
    let options = [&["-fPIE", "-pie", "-rdynamic"], options].concat();
    compile(
        &folder(name),
        "kamailio",
        &["main.c", "dns.c"],
        &options,
        left_out,
    )
}

fn host(name: &str, options: &[&str]) -> PathBuf {
    host_without(name, options, "")
}

/// The command that runs a host with this environment.
fn command(host: &Path, environment: &[(&str, &std::ffi::OsStr)]) -> Command {
    let mut command = Command::new("timeout");
    // The watchdog.
    command.arg("60");
    match foreign() {
        None => {
            command.arg(host);
            // The watchdog is no Kamailio, and passes it on.
            command.envs(environment.iter().copied());
        }
        Some((_, runner)) => {
            command.args(runner);
            for (name, value) in environment {
                let mut word = std::ffi::OsString::from(name);
                word.push("=");
                word.push(value);
                command.arg("-E").arg(word);
            }
            command.arg(host);
        }
    }
    command
}

fn run_with(host: &Path, library: &Path, more: &[(&str, &str)]) -> Output {
    let own = takeover();
    let mut environment = vec![
        ("LD_LIBRARY_PATH", library.as_os_str()),
        ("JOURNAL_STREAM", "0:0".as_ref()),
        ("LD_PRELOAD", own.as_os_str()),
    ];
    let emulated = foreign().map(|_| "emulated");
    let wished = more
        .iter()
        .find(|(name, _)| *name == SWITCH)
        .map(|(_, value)| *value);
    let wish = [emulated, wished]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ");
    environment.push((SWITCH, wish.as_ref()));
    environment.extend(
        more.iter()
            .filter(|(name, _)| *name != SWITCH)
            .map(|(name, value)| (*name, value.as_ref())),
    );
    command(host, &environment).output().unwrap()
}

fn run(host: &Path) -> Output {
    run_with(host, usual_library(), &[])
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

fn taken_over(output: &Output) {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{:?}\n{out}{err}", output.status);
    assert_eq!(err, "");
    assert!(
        out.contains("answers: library\nliteral: 42\nsaid: kamailio-dns took over "),
        "{out}"
    );
    assert!(out.ends_with("child: \n"), "{out}");
}

fn refused(output: &Output, why: &str) {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{:?}\n{out}{err}", output.status);
    assert_eq!(err.lines().count(), 1, "{err}");
    assert!(
        err.starts_with("kamailio-dns: no takeover, Kamailio runs on its own DNS code: "),
        "{err}"
    );
    assert!(err.contains(why), "{err}");
    assert_eq!(out, "answers: host\nliteral: 0\nsaid: \nchild: \n");
}

#[test]
fn a_known_kamailio_is_taken_over() {
    taken_over(&run(&host("usual", &[])));
    // The file in whose folder the library lies needs no path.
    let folder = library("beside", &[]);
    let own = folder.join("libkamailio_dns_takeover.so");
    fs::copy(takeover(), &own).unwrap();
    let more = [("LD_PRELOAD", own.to_str().unwrap())];
    taken_over(&run_with(
        &host("usual-beside", &[]),
        Path::new("/nonexistent"),
        &more,
    ));
}

#[test]
fn handles_of_all_known_layouts_are_learnt() {
    for (name, pointers, numbers) in [("h40", "8", "24"), ("h48", "8", "32")] {
        let pointers = format!("-DPOINTERS={pointers}");
        let numbers = format!("-DNUMBERS={numbers}");
        taken_over(&run(&host(name, &[&pointers, &numbers])));
    }
}

#[test]
fn landing_marks_stay() {
    let marks = if is_arm64() {
        "-mbranch-protection=standard"
    } else {
        "-fcf-protection=full"
    };
    taken_over(&run(&host("marks", &[marks])));
}

#[test]
fn replaced_code_does_not_run() {
    taken_over(&run_with(
        &host("traps", &[]),
        usual_library(),
        &[(SWITCH, "trap")],
    ));
}

#[test]
fn it_can_be_switched_off() {
    let off = run_with(&host("off", &[]), usual_library(), &[(SWITCH, "off")]);
    refused(&off, "switched off");
}

#[test]
fn unknown_versions_and_flags_are_refused() {
    refused(
        &run(&host("version", &["-DVERSION=\"7.0.1\""])),
        "Kamailio 7.0.1 is not known",
    );
    refused(
        &run(&host(
            "naptr",
            &["-DFLAGS=\"USE_DNS_CACHE, USE_DNS_FAILOVER\""],
        )),
        "without USE_NAPTR",
    );
    let debug = "-DFLAGS=\"USE_DNS_CACHE, USE_DNS_FAILOVER, USE_NAPTR, TIMER_DEBUG\"";
    refused(&run(&host("timer", &[debug])), "with TIMER_DEBUG");
    let watched = "-DFLAGS=\"USE_DNS_CACHE, USE_DNS_FAILOVER, USE_NAPTR, DNS_WATCHDOG_SUPPORT\"";
    refused(&run(&host("watchdog", &[watched])), "is missing");
}

#[test]
fn functions_that_are_not_as_expected_are_refused() {
    refused(
        &run(&host_without("missing", &[], "dns_cache_debug")),
        "dns_cache_debug() is missing",
    );
    refused(
        &run(&host("short", &["-DSHORT"])),
        if is_arm64() {
            "dns_strerror() has 4 octets"
        } else {
            "dns_strerror() has 1 octets"
        },
    );
    refused(
        &run(&host("changed", &["-DCHANGED"])),
        "not that of the executable's file",
    );
    refused(
        &run(&host("hooks", &["-DHOOKS"])),
        "dns_func has functions of this Kamailio",
    );
}

#[test]
fn other_ways_into_the_code_are_refused() {
    refused(
        &run(&host("middle", &["-DMIDDLE"])),
        "the middle of dns_strerror() is reached",
    );
    refused(
        &run(&host("helper", &["-DSHARED_HELPER"])),
        "a static function of the DNS files",
    );
    refused(
        &run(&host("inlined", &["-DINLINED"])),
        "was inlined into other code",
    );
    let whole = host("lto", &["-flto", "-O3", "-DWHOLE"]);
    refused(&run(&whole), "a static function of the DNS files");
}

#[test]
fn structures_that_are_not_as_expected_are_refused() {
    let unknown = host("h56", &["-DPOINTERS=8", "-DNUMBERS=40"]);
    refused(
        &run(&unknown),
        "does not know a handle of 56 octets with its port at 48",
    );
    refused(
        &run(&host("counts", &["-DCOUNTS_ELSEWHERE"])),
        "what they do in known versions",
    );
}

#[test]
fn functions_that_fail_do_so_in_a_child() {
    for variant in ["CRASH", "HANG"] {
        let host = host(variant, &[&format!("-D{variant}")]);
        refused(&run(&host), "what they do in known versions");
    }
}

#[test]
fn libraries_that_do_not_fit_are_refused() {
    let host = host("library-host", &[]);
    let lacks = library("lacks", &["-DLACKS"]);
    refused(&run_with(&host, &lacks, &[]), "has no str2ip");
    let apart = library("apart", &["-Wl,-Bsymbolic"]);
    refused(
        &run_with(&host, &apart, &[]),
        "do not share the variable dns_cache_init",
    );
    refused(
        &run_with(&host, Path::new("/nonexistent"), &[]),
        "libkamailio_dns.so.0",
    );
}

#[test]
fn a_second_thread_is_refused() {
    refused(&run(&host("thread", &["-DTHREAD"])), "more than one thread");
}

#[test]
fn code_is_changed_by_a_file_in_memory_where_writing_is_not_allowed() {
    if is_out_of_place("rules for system calls") {
        return;
    }
    taken_over(&run(&host("deny", &["-DDENY=1"])));
    refused(
        &run(&host("deny-all", &["-DDENY=2"])),
        "MemoryDenyWriteExecute=no",
    );
}

#[test]
fn no_page_near_is_refused() {
    refused(
        &run(&host("full", &["-DFULL"])),
        "no free page near the executable",
    );
}

#[test]
fn executables_that_cannot_be_moved_are_refused() {
    let options = ["-fno-pie", "-no-pie", "-rdynamic"];
    let fixed = compile(
        &folder("fixed"),
        "kamailio",
        &["main.c", "dns.c"],
        &options,
        "",
    );
    refused(&run(&fixed), "not position-independent");
}

#[test]
fn emulated_atomic_operations_are_refused() {
    refused(
        &run(&host("atomics", &["-DATOMIC_LOCK"])),
        "counts references under locks of its own",
    );
}

#[test]
fn a_static_executable_runs_as_ever() {
    let options = ["-static"];
    let fixed = compile(
        &folder("static"),
        "kamailio",
        &["main.c", "dns.c"],
        &options,
        "",
    );
    let output = run(&fixed);
    assert!(output.status.success());
    assert!(text(&output.stdout).starts_with("answers: host\nliteral: 0\n"));
}

#[test]
fn other_programs_are_left_alone() {
    if is_out_of_place("a shell of that machine") {
        return;
    }
    let own = takeover();
    let output = Command::new("sh")
        .args(["-c", "echo $LD_PRELOAD; exec /bin/true"])
        .env("LD_PRELOAD", &own)
        .output()
        .unwrap();
    assert_eq!(text(&output.stderr), "");
    assert_eq!(text(&output.stdout).trim(), own.to_str().unwrap());
}

#[test]
fn other_preloads_are_left_alone() {
    let own = takeover();
    // Before or behind it.
    let folder = folder("other");
    fs::write(folder.join("other.c"), "int other_preload = 1;\n").unwrap();
    let other = folder.join("other.so");
    let compiler = foreign().map_or("cc".to_owned(), |(compiler, _)| compiler);
    let done = Command::new(compiler)
        .args(["-shared", "-fPIC", "-o"])
        .arg(&other)
        .arg(folder.join("other.c"))
        .status()
        .unwrap();
    assert!(done.success());
    let host = host("kept", &[]);
    let (own, other) = (own.to_str().unwrap(), other.to_str().unwrap());
    for list in [format!("{own}:{other}"), format!("{other} {own}")] {
        let output = run_with(&host, usual_library(), &[("LD_PRELOAD", &list)]);
        let out = text(&output.stdout);
        assert!(
            out.contains("answers: library"),
            "{out}{}",
            text(&output.stderr)
        );
        assert!(out.ends_with(&format!("child: {other}\n")), "{out}");
    }
}

/// A copy that everybody may run: the folder of the tests may not be open to others.
fn public_copy(host: &Path, name: &str) -> PathBuf {
    let public = Path::new("/tmp").join(format!("kamailio-dns-{name}-{}", std::process::id()));
    fs::copy(host, &public).unwrap();
    public
}

#[test]
fn a_privileged_program_runs_as_ever() {
    if is_out_of_place("programs of another owner") {
        return;
    }
    // The loader drops the preload without a word: the owner differs from the user.
    use std::os::unix::fs::{PermissionsExt as _, chown};
    let public = public_copy(&host("privileged", &[]), "setuid");
    if chown(&public, Some(65534), None).is_err() {
        fs::remove_file(&public).unwrap();
        println!("not root: a program of another owner cannot be made");
        return;
    }
    fs::set_permissions(&public, fs::Permissions::from_mode(0o4755)).unwrap();
    let output = run(&public);
    fs::remove_file(&public).unwrap();
    assert!(
        text(&output.stdout).starts_with("answers: host\n"),
        "{output:?}"
    );
}

#[test]
fn a_program_with_file_capabilities_runs_as_ever() {
    if is_out_of_place("programs with capabilities") {
        return;
    }
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;
    let public = public_copy(&host("capable", &[]), "capable");
    fs::set_permissions(&public, fs::Permissions::from_mode(0o755)).unwrap();
    // Revision 2 with the bit "effective", then CAP_NET_BIND_SERVICE as permitted: what setcap writes.
    let words = [0x0200_0001_u32, 1 << 10, 0, 0, 0];
    let value: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    if !set_attribute(&public, c"security.capability", &value) {
        fs::remove_file(&public).unwrap();
        println!("not root: a program with capabilities cannot be made");
        return;
    }
    // They mean nothing to root.
    let output = Command::new(&public)
        .uid(65534)
        .env("LD_PRELOAD", takeover())
        .output();
    fs::remove_file(&public).unwrap();
    let output = output.unwrap();
    assert!(
        text(&output.stdout).starts_with("answers: host\n"),
        "{output:?}"
    );
    // Not a word, neither the loader's nor ours.
    assert_eq!(text(&output.stderr), "");
}

#[allow(unsafe_code, reason = "no safe function of Rust's sets an attribute")]
fn set_attribute(path: &Path, name: &std::ffi::CStr, value: &[u8]) -> bool {
    use std::os::unix::ffi::OsStrExt as _;
    let path = std::ffi::CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: two NUL-terminated names, and a value with its length.
    let done = unsafe {
        libc::setxattr(
            path.as_ptr(),
            name.as_ptr(),
            value.as_ptr().cast(),
            value.len(),
            0,
        )
    };
    done == 0
}
