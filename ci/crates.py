"""crates.py PACKAGE - the rules of deny.toml about licences, doubles and sources, where there is no cargo-deny.

Reads what `cargo tree` says of the package's crates. Prints what breaks a rule; the status is 0 when nothing does.
"""

import os
import re
import subprocess
import sys
import tomllib


def crates(package, targets):
    """Name, version, source and licence of all that is built for these targets; the source is empty for crates.io."""
    command = [os.environ.get("CARGO", "cargo"), "tree", "--locked", "--offline", "--all-features", "--edges", "all"]
    command += ["--prefix", "none", "--format", "{p}|{l}", "--manifest-path", os.path.join(package, "Cargo.toml")]
    for target in targets:
        command += ["--target", target]
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    for line in sorted(set(run.stdout.splitlines())):
        found = re.fullmatch(r"(\S+) v(\S+)((?: \([^)]*\))*)\|(.*?)(?: \(\*\))?", line)
        if found:
            source = found[3].replace("(proc-macro)", "").strip()
            yield {"name": found[1], "version": found[2], "source": source, "license": found[4]}


def is_allowed(expression, allowed):
    """Whether an SPDX expression can be met with these licences; a slash is an old OR."""
    words = re.findall(r"[()]|[^\s()/]+|/", expression.replace(" WITH ", "-WITH-"))
    python = {"(": "(", ")": ")", "OR": "or", "/": "or", "AND": "and"}
    return eval(" ".join(python.get(word, str(word in allowed)) for word in words))


def unlicensed(packages, rules):
    exceptions = {entry["crate"]: set(entry["allow"]) for entry in rules.get("exceptions", [])}
    for package in packages:
        allowed = set(rules["allow"]) | exceptions.get(package["name"], set())
        if not is_allowed(package["license"] or "none", allowed):
            yield f"{package['name']} {package['version']}: licence {package['license']}"


def twice(packages, rules):
    skipped = {tuple(entry["crate"].split("@")) for entry in rules.get("skip", [])}
    versions = {}
    for package in packages:
        name, version = package["name"], package["version"]
        if not any(name == crate and f"{version}.".startswith(f"{prefix}.") for crate, prefix in skipped):
            versions.setdefault(name, []).append(version)
    return [f"{name}: {' and '.join(found)}" for name, found in versions.items() if len(found) > 1]


def main():
    with open("deny.toml", "rb") as file:
        rules = tomllib.load(file)
    found = {(crate["name"], crate["version"]): crate for crate in crates(sys.argv[1], rules["graph"]["targets"])}
    packages = list(found.values())
    wrong = list(unlicensed(packages, rules["licenses"]))
    wrong += twice(packages, rules["bans"])
    # The package itself is in a folder of ours.
    wrong += [f"{p['name']}: from {p['source']}" for p in packages if p["source"] and not p["name"].startswith("kamailio-dns")]
    for line in wrong:
        print(line)
    print(f"{len(packages)} crates, {len(wrong)} against deny.toml")
    return bool(wrong) or len(packages) < 2


if __name__ == "__main__":
    sys.exit(main())
