"""What the pages for operators tell people to write and to type, word by word: lines of kamailio.cfg have a server start with
them in force, commands are run in a shell, with kamcmd in the path."""

import os
import re
import subprocess

import prometheus
from bed.kamailio import RpcFault
from bed.wait import wait_for

NEW = "no such options and commands in the C original"
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
PAGES = ("README.md", "docs/caching.md", "docs/observability.md", "docs/security.md", "docs/troubleshooting.md", "docs/tuning.md")
# Core options, ours and those of modules, as a line of kamailio.cfg has them.
SETTING = re.compile(r'((?:dns|use_dns|tcp)_[a-z0-9_]+|DNS\.[a-z0-9_]+)\s*=\s*("[^"]*"|\S+)')
# Words that stand for what the reader puts there.
PLACEHOLDER = re.compile(r"\b[A-Z]{3,}\b")
UDP10 = "udp:127.0.0.10:5060"
ZONE = ("_sip._udp.example.org SRV 1 0 5060 sip1.example.org", "sip1.example.org A 127.0.0.10", "other.example.org A 127.0.0.10",
        "trunk.example.org A 127.0.0.10")


def text_of(page):
    with open(os.path.join(ROOT, page)) as file:
        return file.read()


def blocks(page):
    """The lines of each code block that has no language."""
    for block in re.findall(r"^```\n(.*?)^```", text_of(page), re.DOTALL | re.MULTILINE):
        yield [line for line in block.splitlines() if line.strip()]


def settings():
    """(page, lines of kamailio.cfg) of each block with such lines."""
    for page in PAGES:
        for block in blocks(page):
            lines = [line for line in block if SETTING.fullmatch(line.strip())]
            if lines:
                yield page, lines


def commands():
    """(page, line) of each command that is given with kamcmd, in blocks and in the text."""
    for page in PAGES:
        for block in blocks(page):
            yield from ((page, line) for line in block if line.startswith("kamcmd "))
        yield from ((page, line) for line in re.findall(r"`(kamcmd [^`\n]*)`", text_of(page)))


def _in_force(s, server, page, line):
    name, value = SETTING.fullmatch(line.strip()).groups()
    value = value.strip('"')
    if name.startswith("tcp_"):
        return
    value = {"yes": "1", "no": "0"}.get(value, value)
    if name.startswith("DNS."):
        own = name[4:] if name[4:].startswith("dns_") else f"dns_{name[4:]}"
        s.check_that(f"{page}: {line}", f"{own} = {value}" in server.rpc("dns.config")["options"])
        return
    if name == "dns_cache_mem":
        s.check(f"{page}: {line}", server.rpc("dns.mem_info")["limit"], int(value) * 1024)
        return
    try:
        s.check(f"{page}: {line}", server.rpc("cfg.get", "core", name), int(value))
    except RpcFault as fault:
        # Kamailio does not let use_dns_failover be read; that it started with it counts.
        s.check(f"{page}: {line}: {fault}", name, "use_dns_failover")


def configured(s):
    s.dns(ZONE)
    count = 0
    for page, lines in settings():
        server = s.kamailio(lines, ipv6=False)
        for line in lines:
            _in_force(s, server, page, line)
        wrong = [line for line in server.log().splitlines() if re.search(r"(ERROR|CRITICAL|BUG): .*kamailio-dns", line)]
        s.check(f"{page}: errors", wrong, [])
        s.end_kamailio(server)
        os.unlink(server.log_path)
        count += 1
    s.check_that(f"blocks with settings: {count}", count >= 6)


def typed(s):
    s.dns(ZONE)
    folder = os.path.join(s.run_folder, "cache")
    os.mkdir(folder, 0o700)
    s.endings.append(lambda: subprocess.run(["rm", "-r", folder], check=True))
    core, params, route = prometheus.example_config()
    server = s.kamailio((*core, "dns_try_ipv6=no", f'DNS.snapshot = "{folder}/snapshot"'), params=params, route=route, ipv6=False)
    s.callees({UDP10: 200})
    caller = s.caller()
    for name in ("other.example.org:5060", "example.org;transport=udp"):
        s.check(f"a call to {name}", caller.call(f"sip:u@{name}"), 200)
    wrapper = os.path.join(folder, "kamcmd")
    with open(wrapper, "w") as file:
        file.write(f'#!/bin/sh\nexec "{server.build.kamcmd}" -s "unix:{server.folder}/ctl" "$@"\n')
    os.chmod(wrapper, 0o700)
    environment = dict(server.plain_environment(), PATH=f"{folder}:{os.environ['PATH']}")
    count = 0
    for page, line in commands():
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60, env=environment, cwd=ROOT)
        said = (done.stdout + done.stderr).strip()
        # Nothing has the name that a placeholder stands for. grep says 1 when it counts none.
        is_fine = "error:" not in said or (PLACEHOLDER.search(line) and "400 - " in said)
        is_silent = line.startswith("kamcmd cfg.set")
        s.check_that(f"{page}: {line}: {said[:300]}", is_fine and (said or is_silent) and done.returncode in (0, 1 if "grep" in line else 0))
        count += 1
    s.check_that(f"commands: {count}", count >= 15)
    # Lines that come in pairs with a command.
    wait_for("the pin that was typed", lambda: any(pin["name"] == "sip:other.example.org" for pin in server.rpc("dns.pins")))
    pattern = re.search(r"^grep -E '(.*)'$", text_of("docs/troubleshooting.md"), re.MULTILINE).group(1)
    s.check_that("what to watch finds a line of the start", re.search(pattern, server.log()))


def scenarios():
    return [
        ("documents: settings as the pages have them", configured, NEW),
        ("documents: commands as the pages have them", typed, NEW),
    ]
