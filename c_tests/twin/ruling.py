"""How differences are judged.

A rule selects rows by their title (and, if it says so, by what the original gives), names the reason and
says what ours gives. Reasons are `B12`, a defect of the original that has a test of its own (b12 in tests/
or src/), or `COMPAT: ...` with words of a line of COMPAT.md.
"""

import pathlib
import re

ALL = []


class Rule:
    """Every row that it selects has to differ, and ours has to give what the rule says.

    title     regular expression, searched for in `FAMILY WORLD [OPTIONS] COMMAND`
    ours      what ours gives: text, in which \\1 stands for a group of the title; a compiled regular
              expression; or a function of (match, row) that gives one of these, see Row
    original  regular expression for what the original gives; rows where it does not match are not selected
    when      function of (match, row): True if the row is selected
    loose     chance decides: the original reads memory that nobody wrote, or ours draws; both may give the same
    where_different  only rows where the original gives something else than `ours`
    optional  not every row that it selects differs
    versions  the Kamailio versions it is about
    """

    def __init__(self, reason, title, ours, original=None, when=None, loose=False,
                 optional=False, where_different=False, versions=None):
        self.reason, self.ours, self.loose, self.versions = reason, ours, loose, versions
        self.optional, self.where_different = optional, where_different
        self.title, self.when = re.compile(title), when
        self.original = re.compile(original) if original is not None else None
        self.rows = 0
        ALL.append(self)

    def selects(self, row):
        match = self.title.search(row.title)
        if not match or (self.original and not self.original.search(row.original)):
            return None
        if self.when and not self.when(match, row):
            return None
        if self.where_different and self.expected(match, row) == row.original:
            return None
        return match

    def expected(self, match, row):
        if isinstance(self.ours, re.Pattern):
            return self.ours
        return self.ours(match, row) if callable(self.ours) else match.expand(self.ours)

    def __str__(self):
        return f"{self.reason}: {self.title.pattern}"


class Row:
    """A row, and the way to the others of the same side."""

    def __init__(self, title, original, others, views):
        self.title, self.original, self.others, self.views = title, original, others, views

    def other(self, title):
        """What the original gives in the row of that title."""
        if title not in self.others:
            raise KeyError(f"a rule needs the row {title}")
        return self.others[title]

    def entry(self, title, key):
        """What the original's dns.view says about an entry, in the row of that title."""
        if title not in self.views:
            raise KeyError(f"a rule needs the row {title}")
        return self.views[title].get(key, "(none)")


def same_as(pattern, replacement):
    """Ours gives what the original gives in another row: that of the title with this replacement."""
    def ours(_, row):
        return row.other(re.sub(pattern, replacement, row.title, count=1))
    return ours


def differs_from(pattern, replacement):
    """Selects the rows where the original gives something else than in that other row."""
    other = same_as(pattern, replacement)
    return lambda match, row: other(match, row) != row.original


def check_reasons(root):
    """Every reason has to exist."""
    # Where the tests of each defect stand; tests/defects.rs sees to it that they do.
    register = (root / "docs" / "defects.md").read_text()
    compat = " ".join((root / "COMPAT.md").read_text().split())
    for rule in ALL:
        if re.fullmatch(r"B\d\d", rule.reason):
            if not re.search(rf"^\| {rule.reason} \|", register, re.MULTILINE):
                yield f"{rule.reason} is no defect that docs/defects.md knows"
        elif rule.reason.startswith("COMPAT: "):
            if " ".join(rule.reason[8:].split()) not in compat:
                yield f"COMPAT.md does not say: {rule.reason[8:]}"
        else:
            yield f"no reason: {rule.reason}"


class Ruling:
    def __init__(self, version, root, others, views):
        self.rules = [rule for rule in ALL if rule.versions is None or version in rule.versions]
        self.others, self.views = others, views
        self.complaints = list(check_reasons(pathlib.Path(root)))

    def judge(self, title, original, ours):
        """(good, reason)"""
        row = Row(title, original, self.others, self.views)
        first = None
        for rule in self.rules:
            match = rule.selects(row)
            if not match or (rule.optional and original == ours):
                continue
            expected = rule.expected(match, row)
            fits = expected.fullmatch(ours) if isinstance(expected, re.Pattern) else expected == ours
            if fits and (original != ours or rule.loose):
                rule.rows += 1
                return True, str(rule.reason)
            if first is None:
                first = f"{rule}: ours should give {expected}"
        if first:
            return False, first if original != ours else f"no difference any more, but {first}"
        return original == ours, "equal" if original == ours else "unexplained"

    def failures(self):
        return self.complaints + [f"explains nothing: {rule}" for rule in self.rules if not rule.rows]

    def used(self):
        return sum(1 for rule in self.rules if rule.rows)
