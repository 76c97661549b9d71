"""Kamailio with the module, and what it counts."""

import os

from bed.wait import wait_for

# Silent names are given up after 2 s by resolv.conf; a transaction gets 6 s from tm.
FR_TIMER = 6000

ROUTES = """
route[OUT] {
    t_dns_wait("RESOLVED");
    send_reply("500", "Not suspended");
}
route[RESOLVED] {
    xlog("L_NOTICE", "resolved $rm $ru end=$dnsw(end) $dnsw(error), $dnsw(waited) ms, targets=$dnsw(targets) source=$dnsw(source)\\n");
    if ($dnsw(end) == "shed") { send_reply("503", "Too many wait"); exit; }
    if ($dnsw(end) == "timeout") { send_reply("504", "No answer"); exit; }
    if ($dnsw(end) == "failed") { send_reply("478", "$dnsw(error)"); exit; }
    if (!t_relay()) send_reply("500", "Not relayed");
}
"""


def module_lines(**params):
    """Loads the module, with parameters."""
    return [f'loadmodule "{os.environ["DNS_WAIT_MODULE"]}"'] + [
        f'modparam("dns_wait", "{name}", {value})' for name, value in params.items()]


def kamailio(scenario, route=ROUTES, core=(), more_params=(), options=None, **params):
    """A Kamailio with one SIP worker and the module."""
    params = {"deadline": 4000, **params}
    more = {"children": 1, "fr_timer": FR_TIMER, "ipv6": False, "debug": 1, **(options or {})}
    return scenario.kamailio(("dns_try_ipv6=no", *core), params=[*module_lines(**params), *more_params], route=route, **more)


def counted(server, name):
    """A statistic of the module."""
    return int(server.rpc("cnt.get", "dns_wait", name))


def wait_until_counted(server, name, value):
    wait_for(f"{name}={value}", lambda: counted(server, name) == value)


def counts(server, *names):
    return {name: counted(server, name) for name in names}
