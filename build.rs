//! Sets the SONAME and flags of the linker, and generates the C header into OUT_DIR; the source tree is never written to.
//!
//! `include/kamailio_dns.h` is a committed copy: `make header` refreshes it, tests/header.rs fails
//! when the two differ.

use std::env;
use std::path::PathBuf;

/// Version of the binary interface; goes up when a program built before would not work any more.
const SONAME: &str = "libkamailio_dns.so.0";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=cbindgen.toml");
    println!("cargo::rerun-if-changed=src/ffi");
    println!("cargo::rerun-if-changed=src/host/hooks.rs");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,{SONAME}");
    // Threads, the handler of forks and destructors of threads need the code when a program has let go of it.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    if let Err(error) = generate_header() {
        println!("cargo::error=the C header could not be generated: {error}");
    }
}

fn generate_header() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let target = PathBuf::from(env::var("OUT_DIR")?).join("kamailio_dns.h");
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml"))?;
    let header = cbindgen::Builder::new()
        .with_config(config)
        .with_crate(&root)
        .generate()?;
    header.write_to_file(target);
    Ok(())
}
