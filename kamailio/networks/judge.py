"""Whether the library is as good as the original on a network, and what COMPAT.md excuses."""

import os
import re

import draw

# How much longer than the original the library may take, s: where it meets a fault for the first time, and afterwards.
FIRST_CONTACT, AFTERWARDS = 0.5, 0.05
RULE = re.compile(r"^- \*\*([a-z-]+)\*\*:", re.MULTILINE)
HEADING = "### Networks on which the original's call arrives"


def rules(root):
    """The names of the rules that COMPAT.md lists."""
    with open(os.path.join(root, "COMPAT.md")) as file:
        text = file.read()
    section = text.partition(HEADING)[2]
    section = re.split(r"^##", section, maxsplit=1, flags=re.MULTILINE)[0]
    return set(RULE.findall(section))


MISSING, ELSEWHERE, LATE = "missing", "elsewhere", "late"


def _faults(network):
    return [(fault["do"], fault.get("type"), server["tcp"]) for server in network["servers"] for fault in server["faults"]]


def _has(network, do):
    return any(kind == do for kind, _, _ in _faults(network))


def _fails(network, rtype, kinds):
    """A server answers questions of that type with an error, or with what cannot be read to its end."""
    return any(
        about in (None, rtype) and (do in kinds or (do == "truncated" and tcp != "ok"))
        for do, about, tcp in _faults(network)
    )


def _delays(network, zone):
    """A question about the zone takes its time, or has no answer."""
    faults = [fault for server in network["servers"] for fault in server["faults"]]
    return any(fault.get("zone") == zone or fault["do"] in ("slow", "lossy", "burst") for fault in faults)


def _asks_naptr(network, call):
    return "dns_try_naptr=yes" in network["core"] and ":5070" not in call["uri"] and "transport=" not in call["uri"]


ERRORS = ("servfail", "refused", "formerr")

# The calls that each rule may excuse, and from what.
APPLIES = {
    "other-class": lambda network, call, worse: worse == MISSING and _has(network, "other_class"),
    "long-address": lambda network, call, worse: worse == MISSING and _has(network, "long_address"),
    "others-additional": lambda network, call, worse: worse == ELSEWHERE and call["shape"] == "additional_of_others",
    "failed-naptr": lambda network, call, worse: (
        worse == MISSING and _asks_naptr(network, call) and _fails(network, "NAPTR", (*ERRORS, "silent"))
    ),
    "others-alias": lambda network, call, worse: (
        worse != ELSEWHERE and call["shape"] == "alias" and _delays(network, "one-" + call["base"])
    ),
    "tls-alone": lambda network, call, worse: worse == MISSING and call["shape"] == "tls_alone",
    "bounded-work": lambda network, call, worse: worse == MISSING and call["shape"] == "late_target",
}


def differences(network, stock, ours):
    """[(number of the call, how it is worse, the same in words)]"""
    out = []
    for number, (theirs, mine) in enumerate(zip(stock, ours, strict=True)):
        if theirs["code"] != 200:
            continue
        allowed = FIRST_CONTACT * max(mine["contacts"], theirs["contacts"]) or AFTERWARDS
        if mine["code"] != 200:
            out.append((number, MISSING, f"{mine['code']} after {mine['seconds']:.2f} s, the original's call arrives after {theirs['seconds']:.2f} s"))
        elif mine["place"] not in (theirs["place"], draw.right_place(network["calls"][number])):
            out.append((number, ELSEWHERE, f"at {mine['place']}, the original's call at {theirs['place']}"))
        # Where the original misses the right place, what it needed for that says nothing.
        elif mine["place"] == theirs["place"] and mine["seconds"] > theirs["seconds"] + allowed:
            out.append((number, LATE, f"after {mine['seconds']:.3f} s, the original's call after {theirs['seconds']:.3f} s; {allowed} s more are allowed"))
    return out


def unexcused(network, found, listed):
    """The differences that no listed rule is about."""
    return [
        (number, worse, text) for number, worse, text in found
        if not any(applies(network, network["calls"][number], worse) for name, applies in APPLIES.items() if name in listed)
    ]
