"""A name server that does as it is told: answers from a table, stays silent, fails, answers late.

It is examples/scripted_server, the server of the Rust tests, which the environment names as SCRIPTED_SERVER. This file says
in its text what the tests here want.
"""

import os
import subprocess
import threading
import time


class Rules(dict):
    """A dictionary that says when it was changed."""

    def __init__(self, changed, rules=()):
        super().__init__(rules)
        self._changed = changed

    def __setitem__(self, key, rule):
        super().__setitem__(key, rule)
        self._changed()

    def __delitem__(self, key):
        super().__delitem__(key)
        self._changed()

    def clear(self):
        super().clear()
        self._changed()


class ScriptedServer:
    """Serves records given as text lines "owner [ttl] TYPE data"; owners and targets are absolute.

    `rules` maps (name, type), (name, "*"), (address, "*") or "*" to what happens instead of an answer: "drop", "servfail",
    "refused", or a number of seconds to wait before the answer. `additional` maps (name, type) to lines put into the
    additional section. `asked` lists the questions as (server, name, type, time), without those whether the server
    lives: these it answers unless a rule drops everything and `lives` is false.

    With `text` it does what that says instead, a script of one server without an address.
    """

    def __init__(self, lines=(), addresses=("127.0.0.1",), negative_ttl=60, default_ttl=60, text=None):
        self.text = text
        self.addresses = addresses
        self.negative_ttl = negative_ttl
        self.default_ttl = default_ttl
        self.lines = list(lines)
        self.prefixes = []
        self._lives = False
        self._rules = Rules(self._play)
        self._additional = {}
        self._asked = []
        self.lock = threading.Lock()
        self.program = subprocess.Popen(
            [os.environ["SCRIPTED_SERVER"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._play()

    # --- what it does

    @property
    def rules(self):
        return self._rules

    @rules.setter
    def rules(self, rules):
        self._rules = Rules(self._play, rules)
        self._play()

    @property
    def additional(self):
        return dict(self._additional)

    @additional.setter
    def additional(self, additional):
        self._additional = additional
        self._play()

    @property
    def lives(self):
        return self._lives

    @lives.setter
    def lives(self, lives):
        self._lives = lives
        self._play()

    def load(self, lines):
        """Replaces all records."""
        self.lines = list(lines)
        self._play()

    def wildcard(self, prefix, rtype, value):
        """Every name that starts with `prefix` has this record."""
        self.prefixes.append(f"prefix {prefix} {self.default_ttl} {rtype} {value}")
        self._play()

    # --- what it was asked

    @property
    def asked(self):
        with self.lock:
            now = time.monotonic()
            for line in self._command(f"asked {len(self._asked)}"):
                address, name, rtype, ago = line.split(" ")
                self._asked.append((address, name, rtype, now - int(ago) / 1000))
            return list(self._asked)

    def questions(self):
        """(name, type) of all questions so far, in order."""
        return [(name, rtype) for _, name, rtype, _ in self.asked]

    # --- how the program is told

    def _command(self, text):
        """Gives the lines of the answer."""
        self.program.stdin.write(f"{text}\n.\n")
        self.program.stdin.flush()
        lines = []
        while (line := self.program.stdout.readline()) != ".\n":
            if not line or line.startswith("error"):
                raise RuntimeError(f"the name server: {line or 'it has ended'}")
            lines.append(line.rstrip("\n"))
        return lines

    def _play(self):
        text = ["play"]
        for address in self.addresses:
            where = f"[{address}]:53" if ":" in address else f"{address}:53"
            text += [f"server {address} {where}", *self._script(address)]
        with self.lock:
            self._command("\n".join(text))

    def _script(self, address):
        """The lines about the server at one address."""
        everything = {self.rules.get("*"), self.rules.get((address, "*"))}
        if "drop" in everything and not self.lives:
            yield "mute"
        if self.text is not None:
            yield from (line for line in self.text.split("\n") if not line.startswith("server "))
            return
        yield f"negative-ttl {self.negative_ttl} {self.negative_ttl}"
        yield from map(self._record, self.lines)
        yield from self.prefixes
        if (address, "*") in self.rules:
            yield f"on * *: {_reply(self.rules[address, '*'])}"
            return
        for question in {**self.rules, **self._additional}:
            name, rtype = ("*", "*") if question == "*" else question
            if name in self.addresses:
                continue
            extra = ""
            if question in self._additional:
                extra = f"with [ {' , '.join(map(self._record, self._additional[question]))} ] "
            rule = self.rules.get(question, self.rules.get((name, "*"), self.rules.get("*")))
            yield f"on {name} {rtype}: {extra}{_reply(rule)}"

    def _record(self, line):
        """The record with a TTL, and with quotes where its value is one text."""
        owner, *rest = line.split(None, 2)
        if rest[0].isdigit():
            ttl, (rtype, value) = rest[0], rest[1].split(None, 1)
        else:
            ttl, (rtype, value) = self.default_ttl, rest
        if rtype == "TXT":
            value = f'"{value}"'
        return f"{owner} {ttl} {rtype} {value}"


def _reply(rule):
    """The reply that a rule means, in the server's words."""
    if isinstance(rule, (int, float)):
        return f"after {round(rule * 1000)} answer"
    return {None: "answer", "drop": "silent"}.get(rule, rule)
