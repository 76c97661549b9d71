//! resolv.conf and the hosts file while somebody writes them, takes them away, or names what is no file.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "test code; a failure ends the test"
)]

mod support;

use std::path::{Path, PathBuf};

use kamailio_dns::host::options;
use kamailio_dns::resolver::{Outcome, config, is_search_suffix, reload};
use support::OptionsGuard;
use support::Watchdog;
use support::children::{spawn, wait};
use support::network::{Network, ask, reply};

/// Which server the next question goes to, by its last octet.
fn asked(network: &Network) -> u8 {
    network.take_sent();
    let _ = ask("host.example.org.");
    network.take_sent().first().expect("somebody is asked").1
}

fn network() -> Network {
    let network = Network::default();
    for server in ["192.0.2.91:53", "192.0.2.92:53", "127.0.0.1:53"] {
        network.script(server, |query, _| Some(reply(query, 0x8180, true)));
    }
    network
}

const ONE: &str = "search one.example\nnameserver 192.0.2.91\n";
const TWO: &str = "search two.example\nnameserver 192.0.2.92\n";

#[test]
fn a_file_that_is_being_written_leaves_the_servers_in_force() {
    let mut options = OptionsGuard::take();
    options.resolv_conf(ONE);
    let network = network();
    network.run(|| {
        assert_eq!(asked(&network), 91);
        for text in ["", "\n\n", "# nothing yet\n"] {
            options.resolv_conf(text);
            assert_eq!(asked(&network), 91, "{text:?}");
            assert!(is_search_suffix(b"one.example"));
        }
        options.resolv_conf("search two.example\nnameserver oops\n");
        assert_eq!(asked(&network), 91);
        assert!(is_search_suffix(b"two.example"), "what it says counts");
        options.resolv_conf(TWO);
        assert_eq!(asked(&network), 92);
    });
}

#[test]
fn a_file_that_cannot_be_read_leaves_all_in_force_until_it_can() {
    let _watchdog = Watchdog::start(60);
    let mut options = OptionsGuard::take();
    options.resolv_conf(ONE);
    let path = options.resolv_conf_path().to_owned();
    let network = network();
    let replace = |make: &dyn Fn(&Path)| {
        let _ = std::fs::remove_file(&path);
        make(&path);
        config::look_again();
    };
    network.run(|| {
        assert_eq!(asked(&network), 91);
        let in_the_way: [&dyn Fn(&Path); 4] = [
            &|_| {},
            &|path| std::os::unix::fs::symlink("/dev/zero", path).unwrap(),
            &|path| {
                let made = std::process::Command::new("mkfifo").arg(path).status();
                assert!(made.unwrap().success());
            },
            &|path| std::fs::write(path, vec![b'\n'; (1 << 20) + 1]).unwrap(),
        ];
        for make in in_the_way {
            replace(make);
            assert_eq!(asked(&network), 91);
            assert!(is_search_suffix(b"one.example"));
            // Asked to read it again, too.
            reload();
            assert_eq!(asked(&network), 91);
            replace(&|path| std::fs::write(path, TWO).unwrap());
            assert_eq!(asked(&network), 92, "it counts as soon as it is good");
            replace(&|path| std::fs::write(path, ONE).unwrap());
            assert_eq!(asked(&network), 91);
        }
    });
}

#[test]
fn without_a_file_from_the_beginning_a_server_on_this_host_is_asked() {
    let mut options = OptionsGuard::take();
    options.set("dns_resolv_conf", "/nowhere/resolv.conf");
    let network = network();
    network.run(|| assert_eq!(asked(&network), 1));
}

#[test]
fn a_child_knows_what_its_parent_read() {
    let _watchdog = Watchdog::start(60);
    let mut options = OptionsGuard::take();
    options.resolv_conf(ONE);
    let path = options.resolv_conf_path().to_owned();
    let before = network();
    before.run(|| assert_eq!(asked(&before), 91));
    // As after giving up the right to read it.
    std::fs::remove_file(&path).unwrap();
    let child = spawn(|| {
        let network = network();
        network.run(|| assert_eq!(asked(&network), 91));
    });
    assert_eq!(wait(child), 0);
}

#[test]
fn what_is_no_file_is_refused_where_the_option_is_set() {
    let _options = OptionsGuard::take();
    for name in ["dns_resolv_conf", "dns_hosts_file"] {
        let before = options::get(name);
        for path in ["/dev/zero", "/"] {
            assert!(options::set(name, path).is_err(), "{name}={path}");
        }
        assert_eq!(options::get(name), before);
    }
}

/// A hosts file that is put in the place of another.
fn hosts_at(path: &Path, text: &str) {
    let _ = std::fs::remove_file(path);
    std::fs::write(path, text).unwrap();
    config::look_again();
}

#[test]
fn a_hosts_file_that_cannot_be_read_keeps_its_names() {
    let _watchdog = Watchdog::start(60);
    let mut options = OptionsGuard::take();
    options.resolv_conf(ONE);
    let path: PathBuf = options.resolv_conf_path().with_extension("hosts");
    hosts_at(&path, "192.0.2.1 gateway # B\u{fc}ro\n");
    options.set("dns_hosts_file", path.to_str().unwrap());
    let network = network();
    network.run(|| {
        let is_known = |name: &str| {
            network.take_sent();
            matches!(ask(name), Outcome::Answer(_)) && network.take_sent().is_empty()
        };
        assert!(is_known("gateway"));
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        config::look_again();
        assert!(is_known("gateway"));
        reload();
        assert!(is_known("gateway"));
        hosts_at(&path, "192.0.2.1 other\n");
        assert!(is_known("other") && !is_known("gateway"));
    });
    let _ = std::fs::remove_file(&path);
}
