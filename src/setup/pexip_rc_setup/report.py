"""Everything that is printed goes through here, so that no secret and no control character gets out."""

import json
import sys


class SetupError(Exception):
    """One sentence for the administrator."""


class Unreachable(SetupError):
    """Whatever else is asked there will fail in the same way."""


class Unclear(SetupError):
    """A request that changes something was sent, and whether it has done so is not known."""


def shown(value):
    """Text of others on one line: what a terminal would obey, and what turns the direction of writing, is spelled out."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def quoted(name):
    return f'"{shown(name)}"'


class Report:
    """Lines for a person as they come, or with as_json one object at the end."""

    def __init__(self, as_json=False):
        self.as_json = as_json
        self.out = sys.stdout
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")       # whatever the terminal's character set is
        self.secrets = []
        self.data = {"changes": [], "notes": [], "by_hand": [], "errors": []}

    def hide(self, text):
        for secret in self.secrets:
            text = text.replace(secret, "(secret)").replace(shown(secret), "(secret)")
        return text

    def say(self, text=""):
        if not self.as_json:
            print(self.hide(text), file=self.out, flush=True)

    def keep(self, kind, text):
        self.data[kind].append(self.hide(text))

    def note(self, text):
        self.keep("notes", text)
        self.say(f"note: {text}")

    def error(self, text):
        self.keep("errors", text)
        if not self.as_json:
            print(f"pexip-rc-setup: {self.hide(text)}", file=sys.stderr, flush=True)

    def by_hand(self, text):
        self.keep("by_hand", text)

    def change(self, change):
        """Tells of a planned change, field by field."""
        self.say(f"{change.title}: {change.verb}")
        for name, old, new in change.lines:
            arrow = "" if old is None else f"{old} -> "
            self.say(f"    {name + ':':<36}{arrow}{new}")

    def finish(self, status, changes):
        self.data["status"] = status
        self.data["changes"] = [
            {"part": each.part, "object": self.hide(each.title), "change": each.verb, "state": each.state,
             "fields": [{"name": name, "old": old and self.hide(old), "new": self.hide(new)} for name, old, new in each.lines]}
            for each in changes]
        if self.as_json:
            json.dump(self.data, self.out, ensure_ascii=False, indent=2)
            print(file=self.out, flush=True)
        elif self.data["by_hand"]:
            self.say("\nLeft to be done by hand:")
            for text in self.data["by_hand"]:
                self.say(f"  - {text}")
