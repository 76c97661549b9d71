"""The document: a table of every row with its ratio, the floors behind what was not reached, and plots."""

import datetime
import os
import platform
import subprocess

import rows
import svg

HEAD = """# Performance

`make bench-kamailio` writes this page; `make bench-kamailio-quick` takes a look. Both run Kamailio 6.0.1 as Debian builds it
(-O2) with the C original and with this library, in turn, on one machine. The figures are those of the revision below, and say
nothing of a later one. They are medians over the rounds; longest stalls are the least of the rounds, for other things on a
machine stall a reader, too. Times are those that one worker sees for one call, with all workers on {cpus} CPUs. A ratio says
how many times less the library needs. Only ratios and instruction counts carry over to other machines.

"""


def facts(args):
    model = "unknown processor"
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = " ".join(line.split(":", 1)[1].split())
                break
    with open("/proc/meminfo") as file:
        gib = int(file.readline().split()[1]) / (1 << 20)
    root = os.path.dirname(os.path.abspath(__file__))
    revision = subprocess.run(["git", "-C", root, "describe", "--always", "--dirty"], capture_output=True, text=True)
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    return {
        "Date": now,
        "Machine": f"{os.cpu_count()} x {model}, {gib:.0f} GiB, Linux {platform.release().split('-')[0]}",
        "Library": f"revision {revision.stdout.strip() or 'unknown'}",
        "Run": "quick: few repetitions, read the figures as magnitudes" if args.quick else "full",
        "Load": "{:.2f} processes wanted to run in the minute before".format(os.getloadavg()[0]),
        "cpus": str(os.cpu_count()),
    }


def number(value):
    if value is None:
        return "-"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _with_unit(value, unit):
    return "-" if value is None else f"{number(value)} {unit}".strip()


def render(results):
    """(the document, {plot name: SVG}, number of rows without figures)."""
    lines = [HEAD.format(cpus=results["facts"]["cpus"])]
    lines += [f"- {key}: {value}\n" for key, value in results["facts"].items() if key != "cpus"]
    lines.append("\n![ratios](performance/ratios.svg)\n\n![scaling](performance/scaling.svg)\n\n![names](performance/names.svg)\n")
    missed, bars, short = 0, [], []
    for title, group in rows.ROWS:
        lines.append(f"\n## {title}\n\n| | C original | ours | ratio | to reach | |\n|---|---:|---:|---:|---:|---|\n")
        for row in group:
            stock, ours = row.value(results, "stock"), row.value(results, "ours")
            if stock is None or ours is None:
                missed += 1
                lines.append(f"| {row.text} | {_with_unit(stock, row.unit)} | {_with_unit(ours, row.unit)} | - | | not measured |\n")
                continue
            ratio, wanted, reached = row.judge(stock, ours)
            verdict = {True: "met", False: "**not met**", None: ""}[reached]
            shown = f"{number(ratio)} x" if ratio is not None else "-"
            lines.append(f"| {row.text} | {_with_unit(stock, row.unit)} | {_with_unit(ours, row.unit)} | {shown} | {wanted} | {verdict} |\n")
            if row.goal and ratio:
                bars.append((row.text, ratio, row.goal))
            if reached is False:
                short.append((row, stock, ours))
    lines += _floors(results, short)
    plots = {
        "ratios": svg.bars("times less than the C original", bars),
        "scaling": svg.lines("dns_get_ip, one hot name: total throughput over one process of the C original",
                             "processes", *_scaling(results)),
        "names": svg.lines("dns_get_ip, random name: time over the C original with 100 names", "names cached",
                           *_names(results), log=True),
    }
    return "".join(lines), plots, missed


def _floors(results, short):
    """What the machine itself needs, measured in the same run, beside what was not reached."""
    lines = ["\n## The machine's own floor\n\n| | time | over the C original's dns_get_ip |\n|---|---:|---:|\n"]
    base = rows._find(results, "stock", "hits", "a_1", 1, "ns_op")
    for name, (_, text) in rows.FLOORS.items():
        value = rows.floor_of(results, name)
        share = f"{value / base:.2f}" if value and base else "-"
        lines.append(f"| {text} | {_with_unit(value, 'ns')} | {share} |\n")
    if short:
        lines.append("\nNot met, and the floor under it:\n\n")
    for row, stock, ours in short:
        value = rows.floor_of(results, row.floor)
        if value:
            lines.append(f"- {row.text}: ours takes {number(ours / value)} times the floor ({rows.FLOORS[row.floor][1]}: "
                         f"{number(value)} ns), which itself would be {number(stock / value)} x.\n")
        else:
            lines.append(f"- {row.text}.\n")
    return lines


def _scaling(results):
    counts = [1, 2, 4, 8]
    base = rows._find(results, "stock", "hits", "a_1", 1, "ops_s")
    series = {}
    for name, side in (("C original", "stock"), ("ours", "ours")):
        values = [rows._find(results, side, "hits", "a_1", n, "ops_s") for n in counts]
        series[name] = [v / base if v and base else None for v in values]
    return counts, series


def _names(results):
    counts = [100, 10_000, 100_000]
    base = rows._find(results, "stock", "scale", "scale_100", 1, "ns_op")
    series = {}
    for name, side in (("C original", "stock"), ("ours", "ours")):
        for procs in (1, 8):
            values = [rows._find(results, side, "scale", f"scale_{n}", procs, "ns_op") for n in counts]
            series[f"{name}, {procs} process{'es' if procs > 1 else ''}"] = [v / base if v and base else None for v in values]
    return counts, series
