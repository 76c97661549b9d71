#!/usr/bin/env python3
"""The original and the library on the same networks: wherever the original's call arrives, ours arrives. See README.md.

Prints a line for each network, and at the end "N passed, N failed".
"""

import argparse
import concurrent.futures
import faulthandler
import json
import os
import signal
import subprocess
import sys
import traceback

here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [here, os.path.join(here, "..", "e2e")]

import draw
import judge
import measure

from bed.kamailio import Build

ROOT = os.path.join(here, "..", "..")
# Time for one network with all its calls, s.
LIMIT_SECONDS = 400
# A machine that is busy makes calls late; what is worse each time is worse.
ATTEMPTS = 3


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", action="append", default=[], metavar="SUITE,KIND,SERVER,MODULES,KAMCMD,LIBS",
                        help="KIND is stock or ours; LIBS is for LD_LIBRARY_PATH")
    parser.add_argument("--out", required=True, help="folder for logs")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--count", type=int, default=0, help="networks drawn by the seed")
    parser.add_argument("--short", action="store_true", help="a part of the table, for every day")
    parser.add_argument("--match", default="", help="only networks whose name has this in it")
    parser.add_argument("--core", action="append", default=[], metavar="LINE", help="a further line of kamailio.cfg, for all networks of the table")
    parser.add_argument("--jobs", type=int, default=6, help="servers that run at the same time; most of them wait")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser.parse_args()


def parse_build(text):
    suite, kind, server, modules, kamcmd, libs = text.split(",")
    return kind, Build(suite, server, modules, kamcmd, libs)


def run_one(args):
    faulthandler.enable()
    ((kind, build),) = map(parse_build, args.build)
    print(json.dumps(measure.measure(kind, build, json.loads(args.one), args.out)), flush=True)


def spawn(text, network, folder):
    """The calls' results, or a text that says what went wrong."""
    os.makedirs(folder, exist_ok=True)
    command = [sys.executable, "-B", os.path.abspath(__file__), "--one", json.dumps(network), "--build", text, "--out", folder]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        output, errors = process.communicate(timeout=LIMIT_SECONDS)
        return json.loads(output.strip().split("\n")[-1])
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return f"hung for {LIMIT_SECONDS} s"
    except ValueError:
        return f"no results, exit status {process.returncode}: {errors[-1500:]}"


class Runner:
    """Runs networks on both builds."""

    def __init__(self, args):
        self.builds = dict(reversed((text, parse_build(text)[0])) for text in args.build)
        self.out = os.path.abspath(args.out)
        self.pool = concurrent.futures.ThreadPoolExecutor(args.jobs)

    def begin(self, network, attempt):
        name = "".join(c if c.isalnum() else "-" for c in network["name"])
        return {
            kind: self.pool.submit(spawn, text, network, os.path.join(self.out, f"{name}-{attempt}-{kind}"))
            for kind, text in self.builds.items()
        }


def finish(runner, network, begun, listed):
    """(texts of what is worse each time, results of the last attempt)"""
    worse = None
    for attempt in range(ATTEMPTS):
        results = {kind: future.result() for kind, future in begun.items()}
        trouble = [f"{kind}: {result}" for kind, result in results.items() if isinstance(result, str)]
        if trouble:
            return trouble, results
        found = judge.differences(network, results["stock"], results["ours"])
        left = judge.unexcused(network, found, listed)
        numbers = {number for number, _, _ in left}
        worse = numbers if worse is None else worse & numbers
        texts = [f"{network['calls'][number]['uri']} ({network['calls'][number]['shape']}): {text}"
                 for number, _, text in left if number in worse]
        if not worse or attempt + 1 == ATTEMPTS:
            return texts, results
        begun = runner.begin(network, attempt + 1)


def cell(calls):
    if isinstance(calls, str):
        return calls
    return ", ".join(f"{call['seconds']:.2f}{'' if call['code'] == 200 else ' (' + str(call['code']) + ')'}" for call in calls)


def show(network, texts, results):
    print(f"{'FAILED ' if texts else 'ok     '}{network['name']}: "
          f"original {cell(results['stock'])} s; ours {cell(results['ours'])} s", flush=True)
    for text in texts:
        print("       " + text)
    if texts:
        print("       " + json.dumps(network), flush=True)


def chosen(args):
    """The networks to run; those of the rules by their names."""
    table = [network for network in draw.TABLE if not args.short or network["name"] in draw.SHORT]
    networks = table + [draw.draw(args.seed, number) for number in range(args.count)]

    def pick(network):
        return args.match in network["name"]

    for one in networks:
        one["core"] += args.core
    # Another option may take away what a rule is about.
    rules = {} if args.core else draw.RULES
    return list(filter(pick, networks)), {name: one for name, one in rules.items() if pick(one)}


def main():
    args = arguments()
    if args.one:
        try:
            run_one(args)
        except Exception:
            traceback.print_exc()
        sys.stderr.flush()
        os._exit(0)
    listed = judge.rules(ROOT)
    networks, rules = chosen(args)
    print(f"seed {args.seed}, {len(networks)} networks, {len(rules)} rules", flush=True)
    runner = Runner(args)
    passed = failed = 0
    begun = [(network, None, runner.begin(network, 0)) for network in networks]
    begun += [(network, rule, runner.begin(network, 0)) for rule, network in rules.items()]
    for network, rule, futures in begun:
        texts, results = finish(runner, network, futures, listed)
        if rule is not None and not texts and not isinstance(results["ours"], str):
            texts = rule_trouble(rule, network, results, listed)
        show(network, texts, results)
        passed, failed = passed + (not texts), failed + bool(texts)
    unknown = listed ^ set(draw.RULES)
    for name in sorted(unknown):
        print(f"FAILED the rule {name} is not both in COMPAT.md and among the networks")
    failed += len(unknown)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


def rule_trouble(rule, network, results, listed):
    """A rule is listed because something differs, and nothing else excuses that."""
    found = judge.differences(network, results["stock"], results["ours"])
    if not found:
        return [f"the rule {rule} excuses nothing: the library is as good here"]
    if not judge.unexcused(network, found, listed - {rule}):
        return [f"without the rule {rule} this network still passes"]
    return []


if __name__ == "__main__":
    sys.exit(main())
