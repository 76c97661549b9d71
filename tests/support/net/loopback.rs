//! A scripted server on sockets: UDP and TCP on one port of a loopback address. See [`Scripted`] for what it can be told.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::script::{Course, Scripted, What};
use super::text::{Actor, Scene};

/// How long a server thread sleeps before it looks whether it should end.
const POLL: Duration = Duration::from_millis(20);
/// TCP connections served at once; further ones are closed.
const MAX_CONNECTIONS: usize = 256;
/// How long a TCP connection may be idle.
const IDLE: Duration = Duration::from_secs(5);

/// The server. Its threads end when it is dropped.
pub struct Server {
    address: SocketAddr,
    script: Scripted,
    stop: Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Server {
    /// Starts on 127.0.0.1, on a port that the kernel picks.
    pub fn start() -> Self {
        Self::start_on(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    /// Starts on another loopback address.
    pub fn start_on(ip: IpAddr) -> Self {
        Self::serve(Scripted::default(), SocketAddr::new(ip, 0)).expect("sockets")
    }

    /// Has a server stand at an address; port 0 is one that the kernel picks.
    pub fn serve(script: Scripted, address: SocketAddr) -> std::io::Result<Self> {
        let (udp, tcp) = bind_both(address)?;
        let address = udp.local_addr()?;
        if script.is_closed() {
            // Nobody listens there.
            return Ok(Self {
                address,
                script,
                stop: Arc::default(),
                threads: Vec::new(),
            });
        }
        let stop = Arc::new(AtomicBool::new(false));
        let udp_parts = (udp, script.clone(), Arc::clone(&stop));
        let tcp_parts = (tcp, script.clone(), Arc::clone(&stop));
        let threads = vec![
            std::thread::spawn(move || serve_udp(&udp_parts.0, &udp_parts.1, &udp_parts.2)),
            std::thread::spawn(move || serve_tcp(&tcp_parts.0, &tcp_parts.1, &tcp_parts.2)),
        ];
        Ok(Self {
            address,
            script,
            stop,
            threads,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Scene {
    /// The servers on sockets, for as long as the first value lives, and what `dns_nameservers` has to be.
    pub fn on_loopback(&self) -> (Vec<Server>, String) {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let start = |actor: &Actor| {
            let address = actor.address.unwrap_or(any);
            Server::serve(actor.script.clone(), address).expect("sockets")
        };
        let servers: Vec<Server> = self.actors.iter().map(start).collect();
        let addresses: Vec<String> = servers.iter().map(|s| s.address().to_string()).collect();
        (servers, addresses.join(" "))
    }
}

impl Deref for Server {
    type Target = Scripted;

    fn deref(&self) -> &Scripted {
        &self.script
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn bind_both(address: SocketAddr) -> std::io::Result<(UdpSocket, TcpListener)> {
    for _ in 0..100 {
        let udp = UdpSocket::bind(address)?;
        match TcpListener::bind(udp.local_addr()?) {
            Ok(tcp) => {
                udp.set_read_timeout(Some(POLL))?;
                tcp.set_nonblocking(true)?;
                return Ok((udp, tcp));
            }
            Err(error) if address.port() != 0 => return Err(error),
            Err(_) => {}
        }
    }
    Err(std::io::Error::other(
        "no port that is free for UDP and TCP",
    ))
}

/// Waits until the server has had so many queries, 30 s at the most.
fn enough(script: &Scripted, queries: usize) -> bool {
    for _ in 0..3000 {
        if script.total() >= queries {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

fn serve_udp(socket: &UdpSocket, script: &Scripted, stop: &AtomicBool) {
    let mut buffer = [0; 4096];
    while !stop.load(Ordering::Relaxed) {
        let Ok((length, peer)) = socket.recv_from(&mut buffer) else {
            continue;
        };
        let Some(course) = script.lock().receive(&buffer[..length], false, peer.port()) else {
            continue;
        };
        // What comes at once needs no thread.
        if course.hold_until == 0 && course.deeds.iter().all(|(ms, _)| *ms <= 1) {
            send_udp(socket, peer, course);
            continue;
        }
        let (socket, script) = (socket.try_clone().expect("clone socket"), script.clone());
        std::thread::spawn(move || {
            if enough(&script, course.hold_until) {
                send_udp(&socket, peer, course);
            }
        });
    }
}

/// Does what a course says, each thing at its time; ends when `act` says so.
fn play(mut course: Course, mut act: impl FnMut(What) -> bool) {
    course.deeds.sort_by_key(|(ms, _)| *ms);
    let mut passed_ms = 0;
    for (after_ms, what) in course.deeds {
        // The way itself takes the first ms.
        if after_ms > passed_ms.max(1) {
            std::thread::sleep(Duration::from_millis(after_ms - passed_ms));
            passed_ms = after_ms;
        }
        if !act(what) {
            return;
        }
    }
}

fn send_udp(socket: &UdpSocket, peer: SocketAddr, course: Course) {
    play(course, |what| {
        let _ = match what {
            What::Message(octets) => socket.send_to(&octets, peer),
            What::Stranger(octets) => {
                let other = UdpSocket::bind((peer.ip(), 0)).expect("bind UDP");
                other.send_to(&octets, peer)
            }
            // An open port cannot say that it is closed.
            What::Failed => Ok(0),
        };
        true
    });
}

fn serve_tcp(listener: &TcpListener, script: &Scripted, stop: &AtomicBool) {
    let open = Arc::new(());
    while !stop.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok(_) if Arc::strong_count(&open) > MAX_CONNECTIONS => {}
            Ok((stream, peer)) => {
                let (script, counted) = (script.clone(), Arc::clone(&open));
                std::thread::spawn(move || {
                    serve_connection(stream, peer, &script);
                    drop(counted);
                });
            }
            Err(_) => std::thread::sleep(POLL),
        }
    }
}

fn serve_connection(mut stream: TcpStream, peer: SocketAddr, script: &Scripted) {
    let settings = [
        stream.set_nonblocking(false),
        stream.set_read_timeout(Some(IDLE)),
        stream.set_write_timeout(Some(IDLE)),
    ];
    if settings.iter().any(Result::is_err) {
        return;
    }
    let mut prefix = [0; 2];
    while stream.read_exact(&mut prefix).is_ok() {
        let mut octets = vec![0; usize::from(u16::from_be_bytes(prefix))];
        if stream.read_exact(&mut octets).is_err() {
            return;
        }
        let course = script.lock().receive(&octets, true, peer.port());
        let Some(course) = course.filter(|course| enough(script, course.hold_until)) else {
            return;
        };
        let mut open = true;
        play(course, |what| {
            open = match what {
                What::Message(octets) | What::Stranger(octets) => {
                    send_framed(&mut stream, &octets).is_ok()
                }
                What::Failed => false,
            };
            open
        });
        if !open {
            return;
        }
    }
}

/// In two parts, so that the reader has to put them together.
fn send_framed(stream: &mut TcpStream, octets: &[u8]) -> std::io::Result<()> {
    let mut framed = (octets.len() as u16).to_be_bytes().to_vec();
    framed.extend(octets);
    let (head, tail) = framed.split_at(framed.len() / 2);
    stream.write_all(head)?;
    std::thread::sleep(Duration::from_millis(1));
    stream.write_all(tail)
}
