#!/usr/bin/env python3
"""End-to-end tests: real Kamailio, real or scripted name servers, sipp. See README.md beside this file.

Each scenario runs in a process and in namespaces of its own, several at a time. Prints one line for each
and at the end "N passed, N failed".
"""

import argparse
import concurrent.futures
import faulthandler
import json
import os
import re
import subprocess
import sys
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import balance
import changes
import documents
import flows
import observe
import operate
import options
import prometheus
import replies
import search
import spread
import warm
from bed.kamailio import Build
from scenario import Scenario

# A scenario that hangs is ended; none needs a fraction of this. Longer in an emulator: Build.patience().
WATCHDOG = 240


def table(suite):
    """(name, function, defect of the C original that shows here) of all scenarios for this version."""
    return (balance.scenarios() + changes.scenarios() + documents.scenarios() + flows.scenarios() + observe.scenarios()
            + operate.scenarios() + options.scenarios(suite) + prometheus.scenarios() + replies.scenarios() + search.scenarios()
            + spread.scenarios() + warm.scenarios())


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--suite", required=True)
    parser.add_argument("--server", required=True, help="the kamailio executable")
    parser.add_argument("--modules", required=True, help="folder of its modules")
    parser.add_argument("--kamcmd", required=True)
    parser.add_argument("--libs", default="", help="folders for LD_LIBRARY_PATH")
    parser.add_argument("--preload", default="", help="a file for LD_PRELOAD of the server")
    parser.add_argument("--loader", default="", help="a command that starts the server, such as another loader")
    parser.add_argument("--out", required=True, help="folder for logs")
    parser.add_argument("--jobs", type=int, default=6, help="scenarios at the same time; most of them wait")
    parser.add_argument("--match", default="", help="only scenarios whose name contains this, or one of several: a|b")
    parser.add_argument("--selftest", action="store_true", help="turn expectations round: every scenario must fail")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--flip", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--sabotage", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def build_of(args):
    return Build(args.suite, os.path.abspath(args.server), os.path.abspath(args.modules), os.path.abspath(args.kamcmd), args.libs,
                 args.preload, tuple(args.loader.split()))


def run_one(args):
    """Runs one scenario in this process and prints the outcome as JSON."""
    faulthandler.enable()
    build = build_of(args)
    function = next(function for name, function, _ in table(args.suite) if name == args.one)
    scenario = Scenario(build, args.one, args.out, args.flip, args.sabotage)
    try:
        function(scenario)
    except Exception:
        scenario.fail(traceback.format_exc(limit=-3))
    scenario.end()
    print(json.dumps({"passed": scenario.passed, "failures": scenario.failures}))
    sys.stdout.flush()
    # Threads of the endpoints need no good-bye.
    os._exit(0)


def spawn(args, name, *turned):
    """The outcome of a scenario run in a process of its own: (checks passed, failures)."""
    folder = os.path.join(os.path.abspath(args.out), re.sub(r"[^A-Za-z0-9]+", "-", name) + "".join(turned))
    os.makedirs(folder, exist_ok=True)
    command = [sys.executable, os.path.abspath(sys.argv[0]), "--one", name, "--suite", args.suite, "--server", args.server,
               "--modules", args.modules, "--kamcmd", args.kamcmd, "--libs", args.libs, "--preload", args.preload,
               "--loader", args.loader, "--out", folder, *turned]
    watchdog = WATCHDOG * build_of(args).patience()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=watchdog)
    except subprocess.TimeoutExpired:
        return 0, [f"hung for {watchdog} s"]
    try:
        outcome = json.loads(done.stdout.strip().split("\n")[-1])
    except ValueError:
        return 0, [f"no outcome, exit status {done.returncode}: {done.stderr[-2000:]}"]
    if not outcome["passed"] and not outcome["failures"]:
        return 0, ["nothing was checked"]
    return outcome["passed"], outcome["failures"]


def selftest(args, name):
    """(checks passed, failures) of the proof that the scenario can fail."""
    turns = ["--flip"] + (["--sabotage"] if name.startswith("flow: ") and flows.needs_dns(name) else [])
    failures = []
    for turn in turns:
        _, failed = spawn(args, name, turn)
        if not failed:
            failures.append(f"passes although turned with {turn}")
    return len(turns), failures


def main():
    args = arguments()
    # nsd and ip live where the path of an ordinary user does not lead, promtool where ci/fetch/promtool.sh puts it.
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
    os.environ["PATH"] += f":/usr/sbin:/sbin:{root}/build/lint/bin"
    if args.one:
        run_one(args)
    names = [(name, defect) for name, _, defect in table(args.suite)
             if any(text in name for text in args.match.split("|"))]
    if args.list:
        print("\n".join(name for name, _ in names))
        return 0
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        job = selftest if args.selftest else spawn
        futures = {pool.submit(job, args, name): (name, defect) for name, defect in names}
        for future in concurrent.futures.as_completed(futures):
            name, defect = futures[future]
            checks, failures = future.result()
            if failures:
                failed += 1
                print(f"FAILED {name}" + (f" ({defect} of the C original)" if defect else ""))
                for text in failures:
                    print("    " + text.replace("\n", "\n    "))
            else:
                passed += 1
                print(f"ok     {name} ({checks} checks)")
            sys.stdout.flush()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
