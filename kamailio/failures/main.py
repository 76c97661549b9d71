#!/usr/bin/env python3
"""Measures how Kamailio behaves when DNS fails: the C original beside this library. See README.md.

Each row of the table runs in a process and in namespaces of its own. Prints one line for each, and at the
end "N passed, N failed": a row passes when the library meets its criterion.
"""

import argparse
import concurrent.futures
import datetime
import faulthandler
import json
import os
import platform
import signal
import subprocess
import sys
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import report
import rows

from bed.kamailio import Build

# Beyond the time that a row takes by design: start and end of the server.
SPARE_SECONDS = 180


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", action="append", default=[], metavar="SUITE,KIND,SERVER,MODULES,KAMCMD,LIBS",
                        help="KIND is stock or ours; LIBS is for LD_LIBRARY_PATH")
    parser.add_argument("--out", required=True, help="folder for logs")
    parser.add_argument("--full", action="store_true", help="the whole table, not the short version for CI")
    parser.add_argument("--outage", type=float, help="seconds that DNS is down (300, short version 12)")
    parser.add_argument("--table", help="file to write the table to")
    parser.add_argument("--jobs", type=int, default=8, help="servers that run at the same time; most of them wait")
    parser.add_argument("--rows", default=",".join(rows.ROWS))
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser.parse_args()


def parse_build(text):
    suite, kind, server, modules, kamcmd, libs = text.split(",")
    build = Build(suite, server, modules, kamcmd, libs)
    build.kind = kind
    return kind, build


def run_one(args):
    """Measures one row in this process; prints the numbers as JSON."""
    faulthandler.enable()
    ((_, build),) = map(parse_build, args.build)
    more = {"seconds": args.outage} if args.one == "outage" else {}
    try:
        measured = rows.ROWS[args.one](build, args.out, args.full, **more)
        bed = rows.Bed.all[-1]
        # Queries that came in before and after the counters were read.
        measured["asked"] = [bed.asked()]
        measured["counters"] = bed.counters()
        measured["asked"].append(bed.asked())
    finally:
        rows.close_all()
    print(json.dumps(measured), flush=True)


def spawn(args, name, text):
    kind, build = parse_build(text)
    folder = os.path.join(os.path.abspath(args.out), f"{name}-{build.suite}-{kind}")
    os.makedirs(folder, exist_ok=True)
    command = [sys.executable, os.path.abspath(__file__), "--one", name, "--build", text, "--out", folder,
               "--outage", str(args.outage)] + (["--full"] if args.full else [])
    limit = SPARE_SECONDS + args.outage
    try:
        row = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
        output, errors = row.communicate(timeout=limit)
        return json.loads(output.strip().split("\n")[-1])
    except subprocess.TimeoutExpired:
        # With the servers that it started.
        os.killpg(row.pid, signal.SIGKILL)
        row.communicate()
        return {"error": f"hung for {limit} s"}
    except ValueError:
        return {"error": f"no numbers, exit status {row.returncode}: {errors[-1500:]}"}


def facts():
    model = "unknown processor"
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = " ".join(line.split(":", 1)[1].split())
                break
    with open("/proc/meminfo") as file:
        gib = int(file.readline().split()[1]) / (1 << 20)
    today = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    root = os.path.dirname(os.path.abspath(__file__))
    revision = subprocess.run(["git", "-C", root, "describe", "--always", "--dirty"], capture_output=True, text=True)
    return [
        f"Date: {today}",
        f"Machine: {os.cpu_count()} x {model}, {gib:.0f} GiB, Linux {platform.release().split('-')[0]}",
        f"Library: revision {revision.stdout.strip() or 'unknown'}",
    ]


def version(build):
    environment = dict(os.environ, LD_LIBRARY_PATH=build.libs)
    done = subprocess.run([build.server, "-v"], capture_output=True, text=True, env=environment)
    words = done.stdout.split()
    return words[2] if len(words) > 2 else build.suite


def main():
    args = arguments()
    if args.outage is None:
        args.outage = 300.0 if args.full else 12.0
    if args.one:
        try:
            run_one(args)
        except Exception:
            print(json.dumps({"error": traceback.format_exc()}), flush=True)
        # Threads of the endpoints need no good-bye.
        os._exit(0)
    builds = {}
    for text in args.build:
        kind, build = parse_build(text)
        builds[build.suite, kind] = (text, build)
    suites = sorted({suite for suite, _ in builds})
    names = [name for name in rows.ROWS if name in args.rows.split(",")]
    results = {}
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        # The long ones first.
        order = sorted(names, key=lambda name: name not in ("outage", "new_name", "crowd_of_one_parent", "crowd_of_many_parents"))
        futures = {
            pool.submit(spawn, args, name, text): (name, suite, kind)
            for name in order for (suite, kind), (text, _) in builds.items()
        }
        for future in concurrent.futures.as_completed(futures):
            results[futures[future]] = future.result()
    passed = failed = 0
    for suite in suites:
        for name in names:
            ours, stock = results[name, suite, "ours"], results[name, suite, "stock"]
            trouble = report.judge(name, ours, stock)
            passed += trouble is None
            failed += trouble is not None
            print(f"{'ok     ' if trouble is None else 'FAILED '}{suite} {name}")
            print(f"       stock: {report.cell(name, stock)}")
            print(f"       ours:  {report.cell(name, ours)}")
            if trouble:
                print("       " + trouble.replace("\n", "\n       "))
    if args.table:
        versions = {suite: version(builds[suite, "ours"][1]) for suite in suites}
        text, _ = report.table(results, suites, versions, facts())
        with open(args.table, "w") as file:
            file.write(text)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
