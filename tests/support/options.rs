//! Options of the library for the length of one test.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kamailio_dns::host::options;
use kamailio_dns::resolver::{config, hold_resends, servers};

use super::Server;

/// Options are per process: one test at a time may change them.
static ONE_TEST: Mutex<()> = Mutex::new(());
static FILES: AtomicU32 = AtomicU32::new(0);

/// Keeps other tests of the program away from the options; puts back what was changed.
#[must_use]
pub struct OptionsGuard {
    changed: Vec<(String, String)>,
    file: PathBuf,
    _lock: MutexGuard<'static, ()>,
}

impl OptionsGuard {
    /// Waits for other tests, then points `dns_resolv_conf` at a file that turns the search list
    /// off, waits 1 s for a reply and asks each server twice.
    pub fn take() -> Self {
        let lock = ONE_TEST.lock().unwrap_or_else(PoisonError::into_inner);
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        let file =
            std::env::temp_dir().join(format!("kamailio-dns-{}-{number}.conf", std::process::id()));
        servers::forget_all();
        let mut guard = Self {
            changed: Vec::new(),
            file,
            _lock: lock,
        };
        guard.resolv_conf("search .\noptions timeout:1 attempts:2\n");
        guard
    }

    /// Sets an option until the guard is dropped.
    pub fn set(&mut self, name: &str, value: &str) {
        let old = options::get(name).unwrap_or_else(|| panic!("no option {name}"));
        options::set(name, value).unwrap_or_else(|e| panic!("{name}={value}: {e:?}"));
        self.changed.push((name.to_owned(), old));
    }

    /// Has nothing sent again to servers that keep silent: who counts queries counts attempts.
    pub fn hold_resends(&mut self) {
        hold_resends(true);
    }

    /// Replaces the text of the resolv.conf in use.
    pub fn resolv_conf(&mut self, text: &str) {
        // A new inode each time, so that a change is seen whatever the clock's resolution is.
        let fresh = self.file.with_extension("new");
        std::fs::write(&fresh, text).expect("write resolv.conf");
        std::fs::rename(&fresh, &self.file).expect("rename resolv.conf");
        config::look_again();
        let path = self.file.to_str().expect("path is text").to_owned();
        if options::get("dns_resolv_conf").as_deref() != Some(&path) {
            self.set("dns_resolv_conf", &path);
        }
    }

    /// Path of the resolv.conf in use.
    pub fn resolv_conf_path(&self) -> &std::path::Path {
        &self.file
    }
}

impl Drop for OptionsGuard {
    fn drop(&mut self) {
        for (name, value) in self.changed.drain(..).rev() {
            let _ = options::set(&name, &value);
        }
        hold_resends(false);
        let _ = std::fs::remove_file(&self.file);
    }
}

/// Makes the library ask this server only, until the guard is dropped.
pub fn use_server(server: &Server) -> OptionsGuard {
    use_servers(&[server])
}

/// Makes the library ask these servers, in this order, until the guard is dropped. Nothing is sent again to one that
/// keeps silent: who counts queries counts attempts.
pub fn use_servers(servers: &[&Server]) -> OptionsGuard {
    let mut guard = use_servers_as_ever(servers);
    guard.hold_resends();
    guard
}

/// As [`use_servers`], with everything as it is outside of tests.
pub fn use_servers_as_ever(servers: &[&Server]) -> OptionsGuard {
    let mut guard = OptionsGuard::take();
    let list: Vec<String> = servers.iter().map(|s| s.address().to_string()).collect();
    guard.set("dns_nameservers", &list.join(" "));
    guard
}
