#!/usr/bin/env python3
"""coverage.py LCOV LIST: lines of each folder of src that tests run, without those of unit tests. Writes the lines that no
test runs to LIST, and fails when one of the folders that hold the rules is below 90 percent."""

import collections
import os
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "src")
DEMANDED = ("cache", "lookup", "resolver", "select")
LEAST = 90.0


def is_test(path):
    name = os.path.basename(path).removesuffix(".rs")
    return name.endswith(("tests", "_model")) or name.startswith(("loom_", "test_"))


def product_lines(path):
    """How many lines stand before the unit tests."""
    with open(path) as file:
        before, _, _ = file.read().partition("#[cfg(test)]\nmod tests {")
    return before.count("\n")


def counts(lcov):
    """{file: {line: whether it ran}}"""
    found = collections.defaultdict(dict)
    path = None
    with open(lcov) as file:
        for line in file:
            if line.startswith("SF:"):
                path = os.path.relpath(line[3:].strip(), ROOT)
            elif line.startswith("DA:"):
                number, count = line[3:].split(",")[:2]
                found[path][int(number)] = found[path].get(int(number), False) or int(count) > 0
    return {path: lines for path, lines in found.items() if not path.startswith("..") and not is_test(path)}


def main(lcov, listed):
    ran, all_lines = collections.Counter(), collections.Counter()
    missing = []
    for path, lines in sorted(counts(lcov).items()):
        end = product_lines(os.path.join(ROOT, path))
        folder = path.split(os.sep)[0]
        for number, count in sorted(lines.items()):
            if number > end:
                continue
            all_lines[folder] += 1
            ran[folder] += count
            if not count:
                missing.append((path, number))
    with open(listed, "w") as file:
        file.writelines(f"src/{path}:{number}\n" for path, number in missing)
    low = []
    for folder in sorted(all_lines):
        share = 100.0 * ran[folder] / all_lines[folder]
        print(f"{folder:14} {ran[folder]:6} of {all_lines[folder]:6} lines  {share:5.1f} %")
        if folder in DEMANDED and share <= LEAST:
            low.append(folder)
    print(f"lines that no test runs: {listed}")
    absent = [folder for folder in DEMANDED if folder not in all_lines]
    if low or absent:
        print(f"not above {LEAST} %: {', '.join(low + absent)}")
    return 1 if low or absent else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
