#!/usr/bin/env python3
"""readme.py FOLDER [--check] - writes a module's README from its doc/*.xml, in the form that Kamailio's modules have.

Kamailio's own way needs its whole tree, xsltproc and lynx; this knows the elements that the documentation here uses, and
refuses others.
"""

import os
import re
import sys
import textwrap
import xml.etree.ElementTree as ElementTree

ENTITIES = {"adminguide": "Admin Guide", "kamailio": "Kamailio", "kamailioname": "Kamailio"}
XI = "{http://www.w3.org/2001/XInclude}include"
WIDTH = 75
RULE = "     " + "_" * 66


def parse(path):
    with open(path, encoding="iso-8859-1") as file:
        text = file.read()
    text = re.sub(r"<!DOCTYPE.*?\]>", "", text, flags=re.S)
    for name, value in ENTITIES.items():
        text = text.replace(f"&{name};", value)
    return ElementTree.fromstring(text.encode("iso-8859-1"))


def words(element):
    return " ".join("".join(element.itertext()).split())


def wrapped(text, indent, first=None):
    return textwrap.fill(text, WIDTH, initial_indent=indent if first is None else first, subsequent_indent=indent,
                         break_long_words=False, break_on_hyphens=False)


class Readme:
    def __init__(self):
        self.out = []
        self.examples = []

    def content(self, chapter):
        """The table of contents: sections, and those in them."""
        lines = [f"   1. {words(chapter.find('title'))}", ""]
        for number, section in enumerate(chapter.findall("section"), 1):
            lines.append(f"        {number}. {words(section.find('title'))}")
            inner = [f"              {number}.{place}. {words(each.find('title'))}"
                     for place, each in enumerate(section.findall("section"), 1)]
            lines += ["", *inner, ""] if inner else []
        return lines

    def _title(self, title, path):
        pass

    def _para(self, para, path):
        self.out += [wrapped(words(para), "   "), ""]

    def _itemizedlist(self, items, path):
        for item in items.findall("listitem"):
            for position, para in enumerate(item.findall("para")):
                self.out.append(wrapped(words(para), "       ", "     * " if position == 0 else None))
        self.out.append("")

    def _example(self, example, path):
        self.examples.append(words(example.find("title")))
        self.out += [f"   Example 1.{len(self.examples)}. {self.examples[-1]}"]
        self._programlisting(example.find("programlisting"), path)

    def _programlisting(self, listing, path):
        self.out += [*("".join(listing.itertext()).strip("\n").split("\n")), ""]


def sections(readme, parent, path):
    """Writes what is in a chapter or section, and its sections with their numbers."""
    number = 0
    for child in parent:
        if child.tag != "section":
            getattr(readme, "_" + child.tag)(child, path)
            continue
        number += 1
        inner = [*path, str(number)]
        readme.out += [f"{'.'.join(inner)}. {words(child.find('title'))}", ""]
        sections(readme, child, inner)


def readme_of(folder):
    name = os.path.basename(os.path.abspath(folder))
    book = parse(os.path.join(folder, "doc", f"{name}.xml"))
    chapters = [parse(os.path.join(folder, "doc", each.get("href"))) for each in book.findall(XI)]
    readme = Readme()
    for chapter in chapters:
        sections(readme, chapter, [])
    head = [words(book.find("bookinfo/title")), "", words(book.find("bookinfo/authorgroup/author")), RULE, "",
            "   Table of Contents", ""]
    for chapter in chapters:
        head += [*readme.content(chapter), ""]
    head += ["   List of Examples", ""]
    head += [f"   1.{number}. {title}" for number, title in enumerate(readme.examples, 1)]
    head += ["", "Chapter 1. " + words(chapters[0].find("title")), ""]
    text = "\n".join(head + readme.out)
    return re.sub(r"\n{3,}", "\n\n", text).rstrip("\n") + "\n"


def main():
    folder = sys.argv[1]
    text = readme_of(folder)
    path = os.path.join(folder, "README")
    if "--check" not in sys.argv[2:]:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return 0
    with open(path, encoding="utf-8") as file:
        if file.read() == text:
            return 0
    print(f"{path} is not what its XML says: python3 module/readme.py {folder}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
