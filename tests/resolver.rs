//! The stub resolver against a scripted server.

mod support;

#[test]
fn the_scripted_server_answers_udp() {
    use support::{A, Rr, Server};
    let server = Server::start();
    server.add(Rr::a("a.example.org", 60, "192.0.2.1"));
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let query = support::wire::message(7, 0x0100, ("a.example.org", A), [&[], &[], &[]]);
    socket.send_to(&query, server.address()).unwrap();
    let mut buffer = [0; 512];
    let length = socket.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..2], &[0, 7]);
    assert_eq!(&buffer[length - 4..length], &[192, 0, 2, 1]);
    assert_eq!(server.count("A.example.org", A), 1);
}
