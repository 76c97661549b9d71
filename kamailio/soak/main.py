#!/usr/bin/env python3
"""Kamailio under load while everything changes: records, options, the cache's content.

Calls are made by sipp at a steady rate over many names, through 8 UDP workers. At the same time the zone
rotates every second, and operators flush, delete, add, view and change options. Then: no call has failed,
no process has died, every reference is back, memory has kept its limit.

With --valgrind the same at a lower rate, every process of Kamailio under memcheck.
"""

import argparse
import glob
import os
import re
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
sys.path.insert(0, HERE)

import churn
from bed import memcheck, sipp
from bed.kamailio import Build
from bed.wait import wait_for
from scenario import CALLER, Scenario

CORE = ("use_dns_failover=on", "dns_try_naptr=on", "dns_srv_lb=on", "dns_cache_gc_interval=2")
# Transactions, and the references in them, go soon after their end.
PARAMS = ('modparam("tm", "wt_timer", 1000)',)
# How long a lowered limit may take to be kept: the collection that follows, and what calls still hold.
SHRINK_SECONDS = 5
# Octets of page records that stay when pages have once been in use.
PAGE_RECORDS = 16 << 10


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--suite", required=True)
    parser.add_argument("--server", required=True)
    parser.add_argument("--modules", required=True)
    parser.add_argument("--kamcmd", required=True)
    parser.add_argument("--libs", default="")
    parser.add_argument("--out", required=True)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rate", type=int, default=220, help="calls a second")
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--valgrind", action="store_true")
    return parser.parse_args()


def wrapper(args):
    if not args.valgrind:
        return []
    return [
        "valgrind", "--trace-children=yes", "--leak-check=full", "--errors-for-leak-kinds=definite",
        "--show-leak-kinds=definite", "--num-callers=30", f"--suppressions={HERE}/kamailio.supp",
        f"--log-file={os.path.join(args.out, 'valgrind.%p')}",
    ]


def references(kamailio):
    """Names of entries that somebody besides the cache still holds."""
    entries = kamailio.rpc("dns.debug")["entries"]
    return sorted({f"{entry['name']}/{entry['type']}" for entry in entries if entry["reference_counter"] != 1})


def transactions(kamailio):
    stats = kamailio.rpc("tm.stats")
    return stats["current"] + stats["waiting"]


def memory_kept(operators):
    """Samples in which more was in use than the limit, which had been the same for a while."""
    samples = sorted(sample for operator in operators for sample in operator.memory)
    over, since, last = [], 0.0, None
    for at, used, limit in samples:
        if limit != last:
            since, last = at, limit
        if used > limit and at - since > SHRINK_SECONDS:
            over.append((used, limit))
    return len(samples), over


def load(args, scenario, kamailio):
    """The calls, with everything else going on meanwhile. Returns the operators."""
    # In the order of their pauses: under valgrind everything takes its time.
    pause = 0.1 if args.valgrind else 0.01
    operators = [churn.Operator(kamailio, pause, seed) for seed in (1, 2)]
    rotation = churn.Rotation(scenario.server)
    console = churn.Console(kamailio, 0.5)
    threads = [*operators, rotation, console]
    for thread in threads:
        thread.start()
    with open(os.path.join(scenario.folder, "uris.csv"), "w") as file:
        file.write("SEQUENTIAL\n" + "".join(f"{uri};\n" for uri in churn.uris()))
    count = args.seconds * args.rate
    status, output = sipp.many_calls(scenario.folder, count, args.rate, CALLER, args.seconds * 3 + 60)
    for thread in threads:
        thread.stopping.set()
    for thread in threads:
        thread.join(60)
    numbers = dict(re.findall(r"(Successful call|Failed call|Retransmissions?)\s*\|\s*\d*\s*\|\s*(\d+)", output))
    scenario.check(f"{count} calls, as sipp sees it", (status, numbers.get("Successful call"), numbers.get("Failed call")),
                   (0, str(count), "0"))
    for thread in (*operators, rotation):
        scenario.check("no command and no change of the zone got stuck", thread.error, None)
    scenario.check_that(f"versions of the zone: {rotation.version}", rotation.version >= args.seconds // 4)
    scenario.check_that(f"kamcmd commands: {console.done}", console.done >= args.seconds // 2)
    return operators


def commands_given(scenario, operators, seconds):
    done = sum((operator.done for operator in operators), start=type(operators[0].done)())
    refused = sum((operator.refused for operator in operators), start=type(operators[0].refused)())
    print(f"commands: {sum(done.values())}, refused: {sum(refused.values())}")
    unused = sorted(set(churn.OPTIONS) - set(done))
    scenario.check("options that were not changed", unused if seconds >= 20 else [], [])
    unexpected = sorted(
        fault for fault in refused
        if not re.search(r"400 (Not found|Permanent entries|Failed to add)|cfg.seti|use_dns_failover", fault)
    )
    scenario.check("faults besides those of commands that had nothing to do", unexpected, [])


def calm(args, scenario, kamailio, operators, at_start):
    """After the load: nothing is held, nothing is left."""
    wait_for("the end of all transactions", lambda: transactions(kamailio) == 0, 120)
    kamailio.rpc("cfg.seti", "core", "dns_cache_mem", 500)
    held = []
    for _ in range(100):
        held = references(kamailio)
        if not held:
            break
        time.sleep(0.1)
    scenario.check("entries that are still held", held, [])
    # The counters are worth looking at only if they move.
    scenario.check_that("entries were held during the load", sum(operator.held for operator in operators) > 0)
    samples, over = memory_kept(operators)
    scenario.check(f"samples of memory over the limit, of {samples}", over, [])
    kamailio.rpc("dns.delete_all_force")

    def empty():
        return kamailio.rpc("dns.mem_info")["used"] <= at_start + PAGE_RECORDS

    try:
        wait_for("the memory to come back", empty, 20)
    except TimeoutError:
        pass
    scenario.check_that(f"memory of the empty cache: {kamailio.rpc('dns.mem_info')}, at start {at_start}", empty())
    running = len(kamailio.pids())
    return running


def valgrind_reports(scenario, folder):
    """Errors that memcheck found in any process, each once: children report what they inherited, too."""
    found, finished = memcheck.reports(folder)
    reports = {}
    for path, paragraph in found:
        key = re.sub(r"0x[0-9A-F]+|record \d+ of \d+|\d+ bytes in \d+ blocks", "", paragraph)
        reports.setdefault(key, f"{path}: {paragraph}")
    for report in reports.values():
        print(report[:3000] + "\n")
    scenario.check("reports of memcheck", len(reports), 0)
    scenario.check_that(f"processes that memcheck has summed up: {finished}", finished >= 5)


def settled(kamailio):
    """The number of processes, once it stays the same for a second: RPC answers before the last one is forked."""
    before, now = 0, len(kamailio.pids())
    while now != before:
        time.sleep(1)
        before, now = now, len(kamailio.pids())
    return now


def soak(args, scenario):
    scenario.server = scenario.nsd(churn.zone(0))
    for address in churn.CALLEES:
        scenario.sipp_callee(f"udp:{address}:5060")
    for address in churn.CALLEES6:
        scenario.sipp_callee(f"udp:[{address}]:5060")
    kamailio = scenario.kamailio(
        CORE, params=PARAMS, children=args.workers, memory=256, wrapper=wrapper(args), start_seconds=180, stop_seconds=180,
        fr_timer=20000 if args.valgrind else 5000,
    )
    processes = settled(kamailio)
    at_start = kamailio.rpc("dns.mem_info")["used"]
    operators = load(args, scenario, kamailio)
    commands_given(scenario, operators, args.seconds)
    running = calm(args, scenario, kamailio, operators, at_start)
    scenario.check("processes", running, processes)
    scenario.end_kamailio(kamailio)
    bad = [line for line in kamailio.log().split("\n") if re.search(r"BUG|panic|signal \d+|core was", line)]
    scenario.check("lines in the log that tell of damage", bad[:10], [])
    if args.valgrind:
        valgrind_reports(scenario, args.out)


def main():
    args = arguments()
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    args.out = os.path.abspath(args.out)
    os.makedirs(args.out, exist_ok=True)
    for path in glob.glob(os.path.join(args.out, "valgrind.*")):
        os.unlink(path)
    build = Build(args.suite, os.path.abspath(args.server), os.path.abspath(args.modules), os.path.abspath(args.kamcmd), args.libs)
    scenario = Scenario(build, "soak", args.out, observe=False)
    started = time.monotonic()
    try:
        soak(args, scenario)
    except Exception:
        scenario.fail(traceback.format_exc())
    scenario.end()
    for text in scenario.failures:
        print("FAILED " + text)
    what = "under valgrind, " if args.valgrind else ""
    print(f"soak of {args.suite}, {what}{args.seconds} s at {args.rate} calls a second, {time.monotonic() - started:.0f} s in all")
    print(f"{scenario.passed} passed, {len(scenario.failures)} failed")
    sys.stdout.flush()
    os._exit(1 if scenario.failures else 0)


if __name__ == "__main__":
    main()
