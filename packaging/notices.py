#!/usr/bin/env python3
"""notices.py [--check] - writes NOTICES: every crate that is part of the library or of the takeover, with its licence.

The crates are those that cargo links, on any of the targets below; the texts are the files that each crate comes with.
--check only says whether NOTICES is as it would be written. Needs the crates, not the network.
"""

import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
CARGO = os.environ.get("CARGO", "cargo")
MANIFESTS = ["Cargo.toml", "takeover/Cargo.toml"]
TARGETS = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"]
NAMES = ("LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE")

HEAD = """\
kamailio-dns is free software under the GNU General Public License, version 2 or, at your option, any later one
(GPL-2.0-or-later); its text is in the file COPYING, on Debian in /usr/share/common-licenses/GPL-2.

The library and the takeover contain these crates. Where a crate offers several licences, "used under" says which one
counts here; its text stands below.

They also contain the standard library of Rust, Copyright (c) The Rust Project Contributors, MIT OR Apache-2.0, used
under MIT.
"""


def cargo(manifest, *arguments):
    command = [CARGO, *arguments, "--locked", "--offline", "--manifest-path", os.path.join(ROOT, manifest)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def linked(manifest):
    """(name, version) of all that is linked."""
    found = set()
    for target in TARGETS:
        tree = cargo(manifest, "tree", "-e", "normal", "--prefix", "none", "--format", "{p}", "--target", target)
        found |= {tuple(line.split()[:2]) for line in tree.splitlines() if line.strip()}
    return {(name, version.lstrip("v")) for name, version in found if not name.startswith("kamailio-dns")}


def used_under(licence):
    """What of a choice is taken: MIT, which goes with every version of the GPL, else all that is asked."""
    if "MIT" in licence and " AND " not in licence:
        return "MIT"
    return licence.replace("(MIT OR Apache-2.0)", "MIT")


def texts(folder, licence):
    names = sorted(n for n in os.listdir(folder) if n.upper().startswith(NAMES))
    if "MIT" in licence and any("MIT" in name.upper() for name in names):
        names = [n for n in names if not any(other in n.upper() for other in ("APACHE", "ZLIB"))]
    for name in names:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            lines = [line.rstrip() for line in file.read().splitlines()]
        yield "\n".join(lines).strip("\n")


MIT = """\
Copyright (c) {authors}

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE."""


def text_of_mit(package):
    """For a crate under MIT that comes without the text."""
    if package["license"] != "MIT":
        sys.exit(f"notices.py: {package['name']} {package['version']} comes without a licence file")
    authors = [author.split(" <")[0] for author in package["authors"]]
    authors = authors or [f"the authors of {package['name']}, {package['repository']}"]
    return MIT.format(authors=", ".join(authors))


def notices():
    crates, by_text = [], {}
    for manifest in MANIFESTS:
        packages = json.loads(cargo(manifest, "metadata", "--format-version", "1"))["packages"]
        folders = {(p["name"], p["version"]): p for p in packages}
        for crate in linked(manifest):
            package = folders[crate]
            entry = (*crate, package["license"])
            if entry in crates:
                continue
            crates.append(entry)
            found = list(texts(os.path.dirname(package["manifest_path"]), package["license"]))
            for text in found or [text_of_mit(package)]:
                by_text.setdefault(text, set()).add(f"{crate[0]} {crate[1]}")
    out = [HEAD]
    for name, version, licence in sorted(crates):
        out.append(f"{name} {version}: {licence}; used under {used_under(licence)}")
    for text, users in sorted(by_text.items(), key=lambda item: sorted(item[1])):
        out.append(f"\n{'-' * 100}\nOf {', '.join(sorted(users))}:\n\n{text}")
    return "\n".join(out) + "\n"


def main():
    path = os.path.join(ROOT, "NOTICES")
    text = notices()
    if sys.argv[1:] == ["--check"]:
        with open(path, encoding="utf-8") as file:
            if file.read() != text:
                sys.exit("NOTICES is not that of these crates: python3 packaging/notices.py")
        return
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


main()
