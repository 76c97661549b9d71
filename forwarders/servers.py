"""How each forwarding nameserver is started: its settings and its command. All of them ask the authoritative server for
everything, run in the foreground without privileges to give up, and write into a folder of their own."""

import os


class Place:
    """Where one server listens and keeps its files, and where the zones are."""

    def __init__(self, folder, address, port, authority, root):
        self.folder, self.address, self.port, self.authority, self.root = folder, address, port, authority, root
        os.makedirs(folder, exist_ok=True)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as out:
            out.write(text)
        return path

    def program(self, path):
        return os.path.join(self.root, path)


def nsd(place, zone):
    place.write("zone", zone)
    conf = place.write("nsd.conf", f"""
server:
	ip-address: {place.address}@{place.port}
	zonesdir: "{place.folder}"
	zonelistfile: "{place.folder}/list"
	database: ""
	username: ""
	chroot: ""
	pidfile: ""
	xfrdfile: "{place.folder}/xfrd"
	xfrdir: "{place.folder}"
	logfile: "{place.folder}/log"
	server-count: 1
	rrl-ratelimit: 0
remote-control:
	control-enable: no
zone:
	name: example.net
	zonefile: zone
""")
    return [place.program("usr/sbin/nsd"), "-d", "-c", conf]


def unbound(place, more="", modules="iterator"):
    conf = place.write("unbound.conf", f"""
server:
	directory: "{place.folder}"
	chroot: ""
	username: ""
	pidfile: ""
	use-syslog: no
	logfile: "{place.folder}/log"
	do-daemonize: no
	interface: {place.address}
	port: {place.port}
	access-control: 127.0.0.0/8 allow
	do-not-query-localhost: no
	module-config: "{modules}"
{more}
stub-zone:
	name: "example.net"
	stub-addr: {place.authority[0]}@{place.authority[1]}
remote-control:
	control-enable: no
""")
    return [place.program("usr/sbin/unbound"), "-d", "-c", conf]


def unbound_dns64(place):
    return unbound(place, "\tdns64-prefix: 64:ff9b::/96\n", "dns64 iterator")


def unbound_rpz(place):
    place.write("rpz", """$TTL 60
@ SOA localhost. h. 1 3600 600 86400 60
@ NS localhost.
b.trunk.example.net A 192.0.2.77
""")
    more = f"rpz:\n\tname: rpz.local\n\tzonefile: \"{place.folder}/rpz\"\n"
    return unbound(place, more, "respip iterator")


def dnsmasq(place):
    conf = place.write("dnsmasq.conf", f"""
no-resolv
no-hosts
bind-interfaces
listen-address={place.address}
port={place.port}
server={place.authority[0]}#{place.authority[1]}
user=root
group=root
pid-file={place.folder}/pid
log-facility={place.folder}/log
""")
    return [place.program("usr/sbin/dnsmasq"), "-k", "-C", conf]


def bind(place, more=""):
    conf = place.write("named.conf", f"""
options {{
	directory "{place.folder}";
	pid-file "{place.folder}/pid";
	session-keyfile "{place.folder}/key";
	managed-keys-directory "{place.folder}";
	listen-on port {place.port} {{ {place.address}; }};
	listen-on-v6 {{ none; }};
	recursion yes;
	allow-query {{ any; }};
	forward only;
	forwarders {{ {place.authority[0]} port {place.authority[1]}; }};
	dnssec-validation no;
	{more}
}};
controls {{ }};
""")
    return [place.program("usr/sbin/named"), "-g", "-n", "1", "-c", conf]


def bind_slip(place):
    return bind(place, "rate-limit { responses-per-second 1; slip 2; window 5; };")


def knot_resolver(place):
    conf = place.write("kresd.conf", f"""
net.listen('{place.address}', {place.port}, {{ kind = 'dns' }})
cache.size = 10 * MB
trust_anchors.remove('.')
policy.add(policy.suffix(policy.STUB({{ '{place.authority[0]}@{place.authority[1]}' }}),
	policy.todnames({{ 'example.net.' }})))
""")
    return ["/usr/sbin/kresd", "-n", "-c", conf, place.folder]


def powerdns(place):
    place.write("recursor.conf", f"""
local-address={place.address}
local-port={place.port}
forward-zones=example.net={place.authority[0]}:{place.authority[1]}
dont-query=
dnssec=off
daemon=no
disable-syslog=yes
quiet=yes
socket-dir={place.folder}
security-poll-suffix=
threads=1
""")
    return [place.program("usr/sbin/pdns_recursor"), f"--config-dir={place.folder}"]


def dnsdist(place, more=""):
    conf = place.write("dnsdist.conf", f"""
setLocal('{place.address}:{place.port}')
setACL('127.0.0.0/8')
setSecurityPollSuffix('')
newServer({{ address = '{place.authority[0]}:{place.authority[1]}' }}):setUp()
{more}
""")
    return [place.program("usr/bin/dnsdist"), "--supervised", "--disable-syslog", "-C", conf]


def dnsdist_truncates(place):
    return dnsdist(place, "addAction(AndRule({ TCPRule(false), MaxQPSIPRule(1) }), TCAction())")


def resolved(place):
    place.write("resolved.conf", f"""[Resolve]
DNS={place.authority[0]}:{place.authority[1]}
Domains=~.
DNSStubListener=no
DNSStubListenerExtra={place.address}:{place.port}
DNSSEC=no
LLMNR=no
MulticastDNS=no
""")
    return [place.program("lib/systemd/systemd-resolved")]


# Name, how it is started, whether it wants Debian's paths: it then runs in a mount namespace of its own.
FORWARDERS = [
    ("unbound", unbound, False),
    ("dnsmasq", dnsmasq, False),
    ("BIND", bind, False),
    ("Knot Resolver", knot_resolver, True),
    ("PowerDNS Recursor", powerdns, False),
    ("dnsdist", dnsdist, False),
    ("systemd-resolved", resolved, True),
]
ODD = [
    ("unbound with dns64", unbound_dns64, False),
    ("unbound with RPZ", unbound_rpz, False),
    ("BIND that limits its rate", bind_slip, False),
    ("dnsdist that truncates", dnsdist_truncates, False),
]
