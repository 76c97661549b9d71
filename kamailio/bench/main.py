#!/usr/bin/env python3
"""Measures cached and uncached lookups in Kamailio: the C original beside this library, in turn.

Every figure of the table is the median over several rounds, of longest stalls the least; in each round the two
run one after the other, so what the machine does meanwhile happens to both. Instructions are counted by
callgrind and do not depend on the machine's load. The run ends in bounded time: what is not measured by then is said to be missing.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import plans
import report

SIDES = ("stock", "ours")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", required=True, help="folder for zones, plans and results")
    parser.add_argument("--module", required=True, help="folder of dnsbench.so")
    parser.add_argument("--stock", required=True, help="Kamailio as it is")
    parser.add_argument("--ours", required=True, help="Kamailio on the library")
    parser.add_argument("--modules", default="", help="folder of Kamailio's own modules")
    parser.add_argument("--kamcmd", default="kamcmd", help="the command that sends RPCs")
    parser.add_argument("--programs", default="", help="folder of the programs question, walk and fill, see their sources")
    parser.add_argument("--libs", default="", help="for LD_LIBRARY_PATH")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and suites, for a look")
    parser.add_argument("--suites", help="suites by name, comma between; also: instructions")
    parser.add_argument("--merge", action="store_true", help="with --suites: the others stay as the last run left them")
    parser.add_argument("--minutes", type=float, help="no new round is begun after this (25, quick 3.5)")
    parser.add_argument("--out", help="folder for performance.md and its plots")
    parser.add_argument("--again", action="store_true", help="no measurement: report the results that are there")
    return parser.parse_args()


class Bench:
    def __init__(self, args):
        self.args = args
        self.binary = {"stock": args.stock, "ours": args.ours}
        os.makedirs(f"{args.work}/plans", exist_ok=True)
        os.makedirs(f"{args.work}/run", exist_ok=True)
        os.makedirs(f"{args.work}/results", exist_ok=True)

    def _run(self, side, name, lines, config, seconds, **environment):
        """Runs one plan; the lines of the result, parsed."""
        work = self.args.work
        plan, extra, out = f"{work}/plans/{name}.{side}.plan", f"{work}/run/{name}.{side}.cfg", f"{work}/run/{name}.{side}.json"
        asked = f"{work}/run/{name}.{side}.asked"
        places = {"@KAMCMD@": self.args.kamcmd, "@MODULES@": self.args.modules, "@SOCKET@": f"{work}/run/ctl",
                  "@PROGRAMS@": self.args.programs, "@ASKED@": asked, "@UNTIL@": f"{HERE}/until.sh"}
        if os.path.exists(asked):
            os.remove(asked)
        for path, text in ((plan, "\n".join(lines)), (extra, config)):
            for place, value in places.items():
                text = text.replace(place, value)
            with open(path, "w") as file:
                file.write(text + "\n")
        environment.setdefault("WORKERS", str(plans.WORKERS))
        env = dict(os.environ, WORK=work, PROGRAMS=self.args.programs, LD_LIBRARY_PATH=self.args.libs, LIMIT=str(seconds),
                   **environment)
        command = ["sh", f"{HERE}/once.sh", self.binary[side], self.args.module, plan, out, extra]
        subprocess.run(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        if not os.path.exists(out):
            sys.exit(f"bench: {name} of {side} could not be started; see {out}.log")
        with open(out) as file:
            return [parsed for parsed in map(_parsed, file) if parsed] + _asked(asked)

    def suite(self, side, name):
        make, config, _, _ = plans.SUITES[name]
        return self._run(side, name, make(self.args.quick), config, 150)

    def instructions(self, side, name):
        """Instructions an operation, by callgrind; None when it did not come to an end."""
        role, prime, config, count = plans.COUNTED[name]
        lines = [f"run label=prime quiet=1 | {prime}", f"run label=counted | {role} iters={count}"]
        folder = f"{self.args.work}/run/counted.{side}"
        subprocess.run(["rm", "-rf", folder], check=False)
        os.makedirs(folder)
        tool = ("valgrind --tool=callgrind --trace-children=yes --collect-atstart=no "
                f"--toggle-collect=dnsbench_cg_loop --callgrind-out-file={folder}/%p")
        search = plans.SEARCH_DOMAINS if name in plans.SEARCHED else ""
        self._run(side, f"counted_{name}", lines, config, 90, WRAP=tool, DNSBENCH_CG="1", WORKERS="1",
                  SEARCH=search)
        totals = []
        for file in os.listdir(folder):
            with open(f"{folder}/{file}") as text:
                found = re.search(r"^(?:summary|totals): (\d+)", text.read(), re.M)
            totals.append(int(found[1]) if found else 0)
        return round(max(totals, default=0) / count) or None


def _parsed(line):
    try:
        return json.loads(line)
    except ValueError:
        return None


def _asked(path):
    """What programs printed during a plan (label, processes, ns), as rows like those of the module."""
    if not os.path.exists(path):
        return []
    with open(path) as file:
        found = [line.split() for line in file]
    return [{"label": line[0], "allprocs": int(line[1]), "role": 0, "mode": "program", "cpu_ns": float(line[2])}
            for line in found if len(line) == 3]


# Other things on the machine stall a reader, too, now and then; what the library or the original does shows in
# every round.
AVERAGE = {"allmax": min}


def merge(rounds):
    """Medians over the rounds of one suite: {(label, processes): {key: value}}."""
    seen = {}
    for lines in rounds:
        whole = {}
        for line in lines:
            if "mode" not in line:
                continue
            # Roles of one command: each is a process with a name of its own, unless it has a row to itself.
            key = (line["label"], line["allprocs"])
            if line["role"] == 0:
                whole[key] = dict(line)
            elif line["label"] == "sip_own":
                row = whole[key]
                row["ops_s"] += line["ops_s"]
                row["ns_op"] = (row["ns_op"] * line["role"] + line["ns_op"]) / (line["role"] + 1)
        for key, row in whole.items():
            seen.setdefault(key, []).append(row)
    merged = {}
    for key, found in seen.items():
        numbers = [k for k, v in found[0].items() if isinstance(v, (int, float))]
        merged[key] = {k: AVERAGE.get(k, statistics.median)([row[k] for row in found if k in row]) for k in numbers}
        merged[key]["rounds"] = len(found)
    return merged


def measure(args):
    bench, deadline = Bench(args), time.monotonic() + 60 * args.minutes
    wanted = args.suites.split(",") if args.suites else [*plans.SUITES, "instructions"]
    counted = {side: {} for side in SIDES}
    if "instructions" in wanted:
        for name in plans.COUNTED_QUICK if args.quick else plans.COUNTED:
            for side in SIDES:
                if time.monotonic() < deadline:
                    counted[side][name] = bench.instructions(side, name)
            print(f"instructions {name}: C {counted['stock'].get(name)}, ours {counted['ours'].get(name)}", flush=True)
    raw = {side: {name: [] for name in plans.SUITES} for side in SIDES}
    for turn in range(max(row[2] for row in plans.SUITES.values())):
        for name, (_, _, full, quick) in plans.SUITES.items():
            if name not in wanted or turn >= (quick if args.quick else full):
                continue
            for side in SIDES if turn % 2 == 0 else reversed(SIDES):
                begun = time.monotonic()
                if begun < deadline:
                    lines = bench.suite(side, name)
                    raw[side][name].append(lines)
                    print(f"{name} {side}, round {turn + 1}: {len(lines)} rows, {time.monotonic() - begun:.0f} s", flush=True)
    measured = {side: {name: merge(raw[side][name]) for name in plans.SUITES} for side in SIDES}
    return {
        "quick": args.quick,
        "facts": report.facts(args),
        "instructions": counted,
        "rows": {
            side: {
                name: [[*key, row] for key, row in rows.items()] for name, rows in measured[side].items()
            }
            for side in SIDES
        },
    }


def merged(last, results, suites):
    """The last run with some suites measured again."""
    for side in SIDES:
        last["instructions"][side].update(results["instructions"][side])
        for name, rows in results["rows"][side].items():
            if rows:
                last["rows"][side][name] = rows
    again = f"{suites.replace(',', ', ')} ({results['facts']['Date']}, {results['facts']['Library']})"
    last["facts"]["Measured again"] = again
    return last


def main():
    args = arguments()
    args.minutes = args.minutes or (3.5 if args.quick else 25)
    file = f"{args.work}/results/last.json"
    if args.again:
        with open(file) as text:
            results = json.load(text)
    else:
        results = measure(args)
        if args.merge:
            with open(file) as text:
                results = merged(json.load(text), results, args.suites)
        with open(file, "w") as text:
            json.dump(results, text)
    text, plots, missed = report.render(results)
    print(text)
    if args.out:
        os.makedirs(f"{args.out}/performance", exist_ok=True)
        with open(f"{args.out}/performance.md", "w") as out:
            out.write(text)
        for name, plot in plots.items():
            with open(f"{args.out}/performance/{name}.svg", "w") as out:
                out.write(plot)
    print(f"{missed} not measured" if missed else "all rows measured")
    return 1 if missed and not args.suites and not args.quick else 0


if __name__ == "__main__":
    sys.exit(main())
