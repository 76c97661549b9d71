//! kamailio-dns inside a Kamailio that was not linked with it: a file for `LD_PRELOAD`.
//!
//! When the loader has loaded everything and before the program's `main()`, the functions of Kamailio's three DNS files
//! get a jump to the library's function of the same name. Nothing is changed unless everything is as expected: [`plan`]
//! reads the executable's file and proves that nothing but these beginnings leads into the replaced code, [`probe`]
//! learns the structures by calls of the host's functions in a child process, [`library`] sees that library and host
//! fit, [`pages`] prepares the changed code beside the original. Only then one system call puts it into place. Else one
//! line says why, and Kamailio runs on its own code.

mod amd64;
mod arm64;
pub mod code;
mod coherence;
pub mod elf;
mod environment;
mod flow;
pub mod jumps;
pub mod layout;
mod library;
pub mod machine;
pub mod names;
pub mod pages;
pub mod plan;
pub mod probe;
pub mod process;
pub mod report;
mod takeover;
