"""The statistics as the module xhttp_prom shows them, read as Prometheus reads them, and what the alerts make of them.

The configuration is that of examples/prometheus; the files there are checked against what the server shows.
"""

import http.client
import json
import os
import re
import shutil
import subprocess
import time

from bed.kamailio import RELAY
from bed.wait import wait_for

NEW = "no such statistics in the C original"
EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/prometheus")
UDP10 = "udp:127.0.0.10:5060"
ZONE = ("known.test 2 A 127.0.0.10", "other.test A 127.0.0.10", "fresh.test 300 A 127.0.0.10")
# A line of the text format: a name, no labels, a value, and a time in ms.
SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*) (-?[0-9]+(?:\.[0-9]+)?) ([0-9]+)")
CLASSES = ("500us", "1ms", "2ms", "5ms", "10ms", "20ms", "50ms", "100ms", "200ms", "500ms", "1s", "2s", "5s")
INTERVAL = 15
# The alerts of an outage, and the others, which one must not fire.
OF_OUTAGE = ("KamailioDnsAllServersDown", "KamailioDnsServerDown", "KamailioDnsServesStale", "KamailioDnsNoAnswers",
             "KamailioDnsRefreshFails", "KamailioDnsPinNotFresh")
ALERTS = (*OF_OUTAGE, "KamailioDnsSlow", "KamailioDnsCacheFull", "KamailioDnsRepliesDiscarded", "KamailioDnsCacheRepaired")


def example_config():
    """(core, params, route) of examples/prometheus/kamailio.cfg."""
    with open(os.path.join(EXAMPLES, "kamailio.cfg")) as file:
        text = file.read()
    head, route = text.split("event_route", 1)
    lines = [line for line in head.splitlines() if line and not line.startswith("#")]
    params = [line for line in lines if line.startswith(("loadmodule", "modparam"))]
    return [line for line in lines if line not in params], params, RELAY + "event_route" + route


def parse(text):
    """{name: value}; anything that the text format does not allow raises."""
    values = {}
    for line in text.split("\n"):
        if not line or line.startswith("#"):
            continue
        found = SAMPLE.fullmatch(line)
        if not found:
            raise ValueError(f"no line of the text format: {line!r}")
        name, value, _ = found.groups()
        if name in values:
            raise ValueError(f"twice: {name}")
        values[name] = float(value)
    return values


def page():
    """What the module shows, as it is."""
    connection = http.client.HTTPConnection("127.0.0.1", 5060, timeout=20)
    connection.request("GET", "/metrics")
    reply = connection.getresponse()
    text = reply.read().decode()
    connection.close()
    if reply.status != 200:
        raise RuntimeError(f"{reply.status} {text}")
    return text


def scrape():
    return parse(page())


def promtool_reads(text):
    """True when Prometheus' own parser does. That help and types are missing (status 3) is the module's way."""
    done = subprocess.run([shutil.which("promtool") or "promtool", "check", "metrics"], input=text, capture_output=True, text=True,
                          timeout=60)
    return done.returncode in (0, 3) and "error while linting" not in done.stdout + done.stderr


def named(path):
    """Names of ours that a file speaks of."""
    with open(os.path.join(EXAMPLES, path)) as file:
        return set(re.findall(r"kamailio_dns[a-z0-9_:]*", file.read()))


def recorded():
    with open(os.path.join(EXAMPLES, "rules.yml")) as file:
        return set(re.findall(r"record: (\S+)", file.read()))


def start(s, dns_options=()):
    core, params, route = example_config()
    return s.kamailio((*core, "dns_try_ipv6=no", *dns_options), params=params, route=route, ipv6=False)


def shown(s):
    dns = s.dns(ZONE)
    server = start(s)
    s.callees({UDP10: 200})
    caller = s.caller()
    for name in ("known.test", "other.test", "other.test"):
        s.check(f"a call to {name}", caller.call(f"sip:u@{name}:5060"), 200)
    values, stats = scrape(), server.rpc("dns.stats")
    for name in ("hits", "misses", "queries_udp", "entries", "memory_used", "memory_limit", "waiting", "in_background"):
        s.check(f"{name} as in dns.stats", values["kamailio_dns_" + name], stats[name])
    s.check("all queries are in the last class", values["kamailio_dns_query_count"], len(dns.asked))
    classes = [values["kamailio_dns_query_le_" + name] for name in CLASSES]
    s.check("classes grow", classes, sorted(classes))
    s.check("and hold all", classes[-1], len(dns.asked))
    s.check_that("the sum of the times", 0 < values["kamailio_dns_query_sum"] < 5e6 * len(dns.asked))
    s.check("the nameserver is up", values["kamailio_dns_server_1_state"], 1)
    s.check_that("with a round trip", values["kamailio_dns_server_1_rtt_us"] > 0)
    s.check("there is no second one", values["kamailio_dns_server_2_state"], 0)
    s.check("its slot", server.rpc("dns.servers")[0]["slot"], 1)
    s.check_that("the version", re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+.*", stats["version"]))
    s.check_that("it runs for some time", 0 <= stats["uptime"] <= 240)
    s.check("nothing is named after a name", [name for name in values if "test" in name], [])
    if shutil.which("promtool"):
        s.check_that("Prometheus' parser reads it", promtool_reads(page()))
        s.check_that("and does not read everything", not promtool_reads(page() + "kamailio_dns_hits{ 1 2\n"))
    # An explanation is no traffic.
    before = scrape()
    told = server.rpc("dns.explain", "sip:fresh.test")
    s.check_that("asked", any("from the network" in line for line in told["tree"]))
    after = scrape()
    for name in ("hits", "misses", "queries_udp", "negative_hits"):
        s.check(f"{name} after an explanation", after["kamailio_dns_" + name], before["kamailio_dns_" + name])
    # The files that are shipped name no series that does not exist.
    there = set(values) | recorded()
    for file in ("rules.yml", "alerts.yml", "alerts_test.yml", "dashboard.json", "README.md"):
        s.check(f"names in {file}", sorted(named(file) - there - {"kamailio_dns", "kamailio_dns_", "kamailio_dns_alerts"}), [])
    with open(os.path.join(EXAMPLES, "dashboard.json")) as file:
        panels = json.load(file)["panels"]
    s.check_that("panels of the dashboard", len(panels) > 8 and all(panel["targets"] for panel in panels))


def series(samples):
    """The input of a unit test of promtool: what was seen, a sample each 15 s."""
    lines = []
    for name in sorted(samples[0]):
        values = " ".join(f"{sample[name]:g}" if sample[name] < 1e6 else str(int(sample[name])) for sample in samples)
        lines.append(f"      - {{series: '{name}{{instance=\"a\"}}', values: '{values}'}}")
    return "\n".join(lines)


def firing(s, samples, name):
    """True when the alert fires at the end of what was seen."""
    at = (len(samples) - 1) * INTERVAL
    text = f"""rule_files:
  - {EXAMPLES}/rules.yml
  - {EXAMPLES}/alerts.yml
evaluation_interval: {INTERVAL}s
tests:
  - interval: {INTERVAL}s
    input_series:
{series(samples)}
    promql_expr_test:
      - expr: count(ALERTS{{alertname="{name}", alertstate="firing"}}) or vector(0)
        eval_time: {at}s
        exp_samples:
          - {{labels: '{{}}', value: 1}}
"""
    path = os.path.join(s.folder, f"{name}.yml")
    with open(path, "w") as file:
        file.write(text)
    done = subprocess.run([shutil.which("promtool"), "test", "rules", path], capture_output=True, text=True, timeout=60)
    output = done.stdout + done.stderr
    if done.returncode != 0 and "got:" not in output:
        raise RuntimeError(output)
    return done.returncode == 0


def alerted(s):
    if not shutil.which("promtool"):
        return s.fail("promtool is missing: sh ci/fetch/promtool.sh")
    dns = s.dns(ZONE)
    server = start(s, ("DNS.stale_recent = 0", "DNS.resolve_deadline = 1500", 'DNS.pin = "known.test:5060"'))
    s.callees({UDP10: 200})
    caller = s.caller()
    s.check("a call", caller.call("sip:u@known.test:5060"), 200)
    quiet = [scrape() for _ in range(12)]
    for name in ALERTS:
        s.check(f"{name} before the outage", firing(s, quiet, name), False)
    dns.lives = False
    dns.rules = {"*": "drop"}
    samples = quiet[-4:]
    for number in range(48):
        # A sample a step stands for a quarter of a minute.
        s.check("a name in use", caller.call("sip:u@known.test:5060"), 200)
        caller.call(f"sip:u@n{number}.test:5060", seconds=20) if number % 6 == 0 else time.sleep(0.2)
        samples.append(scrape())
    s.check("the state of the nameserver", samples[-1]["kamailio_dns_server_1_state"], 2)
    s.check("all are down", samples[-1]["kamailio_dns_servers_down"], samples[-1]["kamailio_dns_servers"])
    for name in ALERTS:
        s.check(f"{name} in the outage", firing(s, samples, name), name in OF_OUTAGE)
    log = server.log()
    s.check("once: it is down", log.count("nameserver 127.0.0.1:53 does not answer"), 1)
    s.check("once: stale records", log.count("records that have expired are served"), 1)
    s.check_that("a lookup that failed", re.search(r"DNS lookup failed: type 1 name (known|n\d+)\.test: no answer in time", log))
    dns.rules = {}
    dns.lives = True
    wait_for("the nameserver is up again", lambda: scrape()["kamailio_dns_servers_down"] == 0)
    wait_for("a line of it", lambda: "nameserver 127.0.0.1:53 answers again" in server.log())
    s.check("once: it is back", server.log().count("nameserver 127.0.0.1:53 answers again"), 1)


def scenarios():
    return [
        ("prometheus: the statistics and what is shipped for them", shown, NEW),
        ("prometheus: an outage fires the alerts", alerted, NEW),
    ]
