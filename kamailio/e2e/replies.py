"""The script of replies that the Rust tests play in memory and on sockets, played for calls through a real Kamailio."""

import ipaddress
import os

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SCRIPT = os.path.join(ROOT, "tests", "support", "net", "replies.txt")
UNRESOLVED = 478


def _is_address(text):
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def replies(scenario):
    """Each name is called once: the call arrives where the script says, or is refused."""
    with open(SCRIPT) as file:
        text = file.read()
    expected = [line.split()[1:] for line in text.split("\n") if line.startswith("expect ")]
    scenario.dns(text=text)
    scenario.callees({f"udp:127.0.0.{last}:5060": 200 for last in (10, 11)})
    # Only A records: the script says nothing of others.
    scenario.kamailio(("dns_try_ipv6=no", "dns_retr_time=2", "dns_retr_no=2"), ipv6=False)
    caller = scenario.caller()
    for name, outcome in expected:
        code = caller.call(f"sip:u@{name}:5060")
        scenario.check(f"{name}: the call", code, 200 if _is_address(outcome) else UNRESOLVED)
    places = [f"udp:{outcome}:5060" for _, outcome in expected if _is_address(outcome)]
    scenario.check("arrivals", scenario.arrivals("MESSAGE"), places)


def scenarios():
    return [("the replies that the Rust tests play", replies, "")]
