"""sipp as caller and callee of complete calls: INVITE, 200, ACK, BYE, 200.

No 180: two workers may pass it on after the 200. For the same reason the BYE waits a moment for the ACK to
get ahead, and the callee does not insist on it.
"""

import os
import subprocess

from .sip import parse_place
from .wait import wait_for

CALLER = """<?xml version="1.0" encoding="UTF-8"?>
<scenario name="caller">
<send retrans="500"><![CDATA[

INVITE [uri] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:caller@[local_ip]:[local_port]>;tag=[pid]f[call_number]
To: <[uri]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:caller@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="100" optional="true"/>
{rest}
</scenario>
"""

ANSWERED = """<recv response="200" rrs="true"/>
<send><![CDATA[

ACK [next_url] SIP/2.0
[routes]
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:caller@[local_ip]:[local_port]>;tag=[pid]f[call_number]
To: <[uri]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
<pause milliseconds="10"/>
<send retrans="500"><![CDATA[

BYE [next_url] SIP/2.0
[routes]
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:caller@[local_ip]:[local_port]>;tag=[pid]f[call_number]
To: <[uri]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="200"/>"""

REFUSED = """<recv response="{code}"/>
<send><![CDATA[

ACK [uri] SIP/2.0
[last_Via:]
From: <sip:caller@[local_ip]:[local_port]>;tag=[pid]f[call_number]
To: <[uri]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>"""

CALLEE = """<?xml version="1.0" encoding="UTF-8"?>
<scenario name="callee">
<recv request="INVITE" rrs="true"/>
{answer}
</scenario>
"""

REPLY = """<send{attributes}><![CDATA[

SIP/2.0 {code} Scripted
[last_Via:]
[last_From:]
[last_To:];tag=[pid]t[call_number]
[last_Call-ID:]
[last_CSeq:]
[last_Record-Route:]
Contact: <sip:callee@[local_ip]:[local_port];transport=[transport]>
Content-Length: 0

]]></send>
"""

ACCEPTS = """<recv request="ACK" optional="true"/>
<recv request="BYE"/>
<send><![CDATA[

SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
"""


def _write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w") as file:
        file.write(text)
    return path


def _caller_xml(final):
    return CALLER.format(rest=ANSWERED if final == 200 else REFUSED.format(code=final))


def _callee_xml(code):
    if code == 200:
        answer = REPLY.format(code=200, attributes=' retrans="500"') + ACCEPTS
    else:
        answer = REPLY.format(code=code, attributes=' retrans="500"') + '<recv request="ACK"/>'
    return CALLEE.format(answer=answer)


class Callee:
    """Answers every call at `place` with `code`, or as the scenario `xml` says, until stopped."""

    def __init__(self, folder, place, code=200, xml=None, patience=1):
        proto, host, port = parse_place(place)
        name = place.replace(":", "_")
        scenario = _write(folder, f"callee-{name}.xml", xml or _callee_xml(code))
        self.log = open(os.path.join(folder, f"callee-{name}.log"), "w")
        # -skip_rlimit: the number of open files is not ours to raise.
        command = ["sipp", "-sf", scenario, "-i", host, "-p", str(port), "-t", "t1" if proto == "tcp" else "u1",
                   "-nostdin", "-skip_rlimit", *_once(patience)]
        self.process = subprocess.Popen(
            command, stdout=self.log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=folder)
        wait_for(f"sipp at {place}", lambda: self._listens(proto, port) or self._died())

    @staticmethod
    def _listens(proto, port):
        for family in ("", "6"):
            with open(f"/proc/net/{proto}{family}") as table:
                if any(line.split()[1].endswith(f":{port:04X}") for line in table.readlines()[1:]):
                    return True
        return False

    def _died(self):
        if self.process.poll() is not None:
            self.log.flush()
            raise RuntimeError(f"sipp ended with {self.process.returncode}, see {self.log.name}")

    def stop(self):
        self.process.kill()
        self.process.wait(10)


def _once(patience):
    """With patience sipp sends nothing a second time: it would give a call up after so many of them."""
    return ["-nr"] if patience > 1 else []


def calls(folder, uri, final=200, count=1, rate=0, limit=1, place="127.0.0.1:5080", seconds=60, patience=1):
    """Makes calls to `uri` through Kamailio. Returns (exit status, last lines of sipp); 0 = all as expected.

    `limit` calls at the same time; with `rate` 0 each starts when the one before has ended. `patience` is Build.patience().
    """
    scenario = _write(folder, f"caller-{final}.xml", _caller_xml(final))
    return _run(
        folder, scenario, place, count, rate or 100, limit, seconds * patience, *_once(patience), "-key", "uri", uri
    )


def play(folder, name, xml, uri, count=1, rate=10, place="127.0.0.1:5080", seconds=60):
    """As `calls`, by a scenario of the caller's own."""
    scenario = _write(folder, f"caller-{name}.xml", xml)
    return _run(folder, scenario, place, count, rate, count, seconds, "-key", "uri", uri)


def many_calls(folder, count, rate, place, seconds):
    """As `calls`, to the URIs in uris.csv in turn."""
    scenario = _write(folder, "caller-many.xml", _caller_xml(200).replace("[uri]", "[field0]"))
    return _run(folder, scenario, place, count, rate, 3 * rate, seconds, "-inf", os.path.join(folder, "uris.csv"))


def _run(folder, scenario, place, count, rate, limit, seconds, *more):
    host, port = place.rsplit(":", 1)
    command = [
        "sipp", "127.0.0.1:5060", "-sf", scenario, "-i", host, "-p", port, "-m", str(count), "-l", str(limit), "-r", str(rate),
        "-nostdin", "-skip_rlimit", "-timeout", f"{seconds}s", "-timeout_error", "-trace_err", "-error_file",
        os.path.join(folder, "caller.err"), *more,
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, cwd=folder,
        timeout=seconds + 30,
    )
    return done.returncode, done.stdout[-2000:] + done.stderr[-2000:]
