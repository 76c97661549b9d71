"""Runs every case with the original and with ours, compares row by row, writes the table.

    run.py DRIVER ORIGINAL OURS OUT      the last three are folders

A row is equal, or one rule of rules.py explains it. A rule has to fit every row that it selects, and to
select some. Closing line: N passed, N failed.
"""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import time

import cases
import rules  # noqa: F401 (fills the list of rules)
import ruling

SLICES = 8
# for work on the rules: results of the last run stand where the cases are the same
REUSE = bool(os.environ.get("TWIN_REUSE"))
RESOLV_CONF = {
    # no answer is late, however busy the machine is
    "plain": "nameserver 127.0.0.1\noptions timeout:20 attempts:1\n",
    "search": "nameserver 127.0.0.1\nsearch c0.search.test\noptions timeout:20 attempts:1\n",
    # for names that are not answered
    "hasty": "nameserver 127.0.0.1\noptions timeout:2 attempts:1\n",
}
# How many octets an entry takes is the library's own business.
IRRELEVANT = [(re.compile(r"size_bytes=\d+"), "size_bytes=N")]


def start_server(here):
    server = subprocess.Popen([sys.executable, "-B", str(here / "server.py")], stdout=subprocess.PIPE, text=True)
    if server.stdout.readline() != "ready\n":
        sys.exit("run.py: the DNS server did not start")
    return server


def run_slice(driver, library, folder, number, some):
    case_file, result_file = folder / f"cases.{number}", folder / f"results.{number}"
    text = "".join(f"{line}\n" for case in some for line in case.lines())
    if REUSE and result_file.exists() and case_file.exists() and case_file.read_text() == text:
        return result_file.read_text(errors="replace")
    case_file.write_text(text)
    result_file.unlink(missing_ok=True)
    environment = {**os.environ, "LD_LIBRARY_PATH": str(library), "LC_ALL": "C"}
    with open(folder / f"log.{number}", "w") as log:
        done = subprocess.run([str(driver), str(case_file), str(result_file)], env=environment, stderr=log)
    if done.returncode != 0:
        sys.exit(f"run.py: {driver} ended with {done.returncode}, see {log.name}")
    return result_file.read_text(errors="replace")


def shorten(text):
    """The first steps of an iteration that does not end."""
    steps = text.removesuffix(" and no end").split(" ")
    return " ".join(steps[:6] + ["... and no end"]) if text.endswith(" and no end") else text


def entries(text):
    """The entries of a dns.view reply: what is said about each, by name and type."""
    found = {}
    for entry in re.split(r" (?=\{name=)", text):
        match = re.match(r"\{name=([^,]*), type=([^,]*), (.*)\}$", entry)
        if not match:
            return None
        key = f"{match[1]} {match[2]}"
        while key in found:
            key += " again"
        found[key] = match[3]
    return found


def rows_of(case, gave):
    """(title, what the original gives, what ours gives) for all commands; dns.view has a row for each entry."""
    for number in range(0, len(case.commands) + 1):
        theirs, mine = (gave[side].get((case.name, number)) for side in ("original", "ours"))
        if number == 0:
            if theirs is not None or mine is not None:
                yield f"{case.title(1)} (start)", theirs or "ok", mine or "ok"
            continue
        title = case.title(number)
        theirs = "not reached" if theirs is None else theirs
        mine = "not reached" if mine is None else mine
        if case.commands[number - 1] != "rpc dns.view":
            yield title, theirs, mine
            continue
        left, right = ({} if text == "(empty)" else entries(text) for text in (theirs, mine))
        if left is None or right is None or not (left or right):
            yield title, theirs, mine
            continue
        for key in sorted({*left, *right}):
            yield f"{title}: {key}", left.get(key, "(none)"), right.get(key, "(none)")


def run_all(driver, library, folder, found):
    """The results, by name of the case and number of the command."""
    folder.mkdir(parents=True, exist_ok=True)
    results = {}
    domains = {case.name: (case.domain(), case.domain("far")) for case in found}
    for resolver, text in RESOLV_CONF.items():
        pathlib.Path("/etc/resolv.conf").write_text(text)
        some = [case for case in found if case.resolver == resolver]
        # one domain for all: what was asked for it belongs to the case that runs
        count = 1 if resolver == "search" else SLICES
        slices = [(n, some[n::count]) for n in range(count) if some[n::count]]
        with concurrent.futures.ThreadPoolExecutor(SLICES) as pool:
            jobs = [pool.submit(run_slice, driver, library, folder, f"{resolver}{n}", part) for n, part in slices]
            for job in jobs:
                for line in job.result().splitlines():
                    name, number, value = line.split("\t", 2)
                    own, far = domains[name]
                    value = value.replace(own, "@").replace(far, "~").replace(own.upper(), "^")
                    for pattern, replacement in IRRELEVANT:
                        value = pattern.sub(replacement, value)
                    results[name, int(number)] = shorten(value)
    return results


def main():
    driver, original, ours, out = (pathlib.Path(p).resolve() for p in sys.argv[1:5])
    version = sys.argv[5]
    here = pathlib.Path(__file__).resolve().parent
    found = cases.all_cases()
    started = time.monotonic()
    gave = {}
    for side, library in (("original", original), ("ours", ours)):
        # a server for each side: it takes notes of what was asked
        server = start_server(here)
        try:
            gave[side] = run_all(driver, library, out / side, found)
        finally:
            server.terminate()
            server.wait()
    seconds = time.monotonic() - started

    rows = [row for case in found for row in rows_of(case, gave)]
    views = {case.title(number): entries(text) or {} for case in found for number, command in enumerate(case.commands, 1)
             if command == "rpc dns.view" and (text := gave["original"].get((case.name, number))) is not None}
    judge = ruling.Ruling(version, here.parent.parent, {title: theirs for title, theirs, _ in rows}, views)
    report, passed, equal = [], 0, 0
    for title, theirs, mine in rows:
        good, reason = judge.judge(title, theirs, mine)
        passed += good
        equal += theirs == mine
        report.append((good, title, theirs, mine, reason))
    lines = [f"{'' if good else 'FAILED '}{title}\n    original  {theirs}\n    ours      {mine}\n    reason    {reason}"
             for good, title, theirs, mine, reason in report]
    unused = judge.failures()
    lines += [f"FAILED rule {text}" for text in unused]
    failed = len(report) - passed + len(unused)
    summary = (f"Kamailio {version}: {len(found)} cases, {len(report)} rows: {equal} equal, "
               f"{passed - equal} explained by {judge.used()} rules; {seconds:.0f} s")
    (out / "report.txt").write_text("\n".join([summary, *lines, ""]))
    for line in [line for line in lines if line.startswith("FAILED")][:int(os.environ.get("SHOW", "40"))]:
        print(line)
    print(summary)
    print(f"{passed} passed, {failed} failed")
    return 0 if failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
