"""The changes that were found to be needed. They are all planned before the first one is made."""

from dataclasses import dataclass, field
from typing import Optional, Union

from .client import uri_of
from .packages import fingerprint
from .report import SetupError, Unclear, quoted, shown

SECRET = "(secret)"
TEXT_SHOWN = 200            # characters of a value


class New:
    """Stands for the URI of an object that is to be made."""

    def __init__(self, title):
        self.title = title
        self.uri = None


@dataclass
class Change:
    part: str
    verb: str               # "is made", "is changed", "is deleted"
    resource: str
    title: str
    uri: Union[str, New]
    fields: dict = field(default_factory=dict)
    files: Optional[dict] = None
    lines: list = field(default_factory=list)   # (name, old or None, new), as they are shown
    state: str = "planned"


def resolved(value):
    if isinstance(value, New):
        if value.uri is None:
            raise SetupError(f"{value.title} was not made")
        return value.uri
    if isinstance(value, list):
        return [resolved(each) for each in value]
    return value


def display(name, value):
    if name == "password":
        return SECRET
    if name == "certificate":
        return fingerprint(value)
    if isinstance(value, New):
        return value.title
    if value is None or value == "":
        return "nothing"
    if isinstance(value, list):
        return ", ".join(display(name, each) for each in value) or "nothing"
    if isinstance(value, bool):
        return "on" if value else "off"
    text = shown(value)
    return text if len(text) <= TEXT_SHOWN else text[:TEXT_SHOWN] + "..."


class Job:
    """One run: who is asked, what is wanted, and what has been planned so far."""

    def __init__(self, client, settings, report):
        self.client, self.settings, self.report = client, settings, report
        self.changes = []
        self.failures = 0
        self._objects = {}      # (resource, name) -> URI or New, of what earlier parts have looked for

    # What the parts say

    def note(self, text):
        self.report.note(text)

    def fail(self, text):
        self.failures += 1
        self.report.error(text)

    def by_hand(self, text):
        self.report.by_hand(text)

    def plan(self, change):
        self.changes.append(change)
        self.report.change(change)
        return change

    # What they share

    def object_named(self, resource, name):
        """The URI of an object of this or an earlier part, or of one that is there; None if there is none."""
        key = resource, name
        if key not in self._objects:
            found = self.client.find(resource, "name", name)
            self._objects[key] = uri_of(found.get("resource_uri")) if found else None
        return self._objects[key]

    def known(self, resource, title, fields, needed=()):
        """The fields that this version of Infinity has; the others are named."""
        schema = self.client.schema(resource)
        missing = [name for name in fields if name not in schema]
        wanting = [name for name in missing if name in needed]
        if wanting:
            raise SetupError(f"{title}: this version of Infinity has no {', '.join(wanting)} in {resource}")
        if missing:
            self.note(f"{title}: this version of Infinity has no {', '.join(missing)}; left out")
        return {name: value for name, value in fields.items() if name in schema}

    def ensure(self, part, resource, key, title, found, wanted, *, on_creation=None, files=None, needed=()):
        """Plans what makes the object have what is wanted, and returns its URI or what stands for it.
        on_creation is given to new objects only; files are sent whenever they are there. Passwords cannot be read back, so
        they are wanted only where they have to be sent."""
        name = wanted.get("name", key)
        if found is None:
            fields = self.known(resource, title, {**wanted, **{each: value for each, value in (on_creation or {}).items()
                                                               if each not in wanted}}, needed)
            made = New(f"the new {title}")
            lines = [(each, None, display(each, value)) for each, value in fields.items()]
            self.plan(Change(part, "is made", resource, title, made, fields, files, lines + _file_lines(files)))
            self._objects[resource, name] = made
            return made
        uri = uri_of(found.get("resource_uri"))
        if uri is None:
            raise SetupError(f"{title}: the management node does not say where it is")
        fields = self.known(resource, title, wanted, needed)
        changed = {each: value for each, value in fields.items() if found.get(each) != value}
        if changed or files:
            lines = [(each, None if each == "password" else display(each, found.get(each)), display(each, value))
                     for each, value in changed.items()]
            self.plan(Change(part, "is changed", resource, title, uri, changed, files, lines + _file_lines(files)))
        self._objects[resource, name] = uri
        return uri

    def change(self, part, resource, uri, title, fields, lines):
        self.plan(Change(part, "is changed", resource, title, uri, fields, None, lines))

    # What is done

    def apply(self):
        """Makes every change in turn; the first that fails ends it, because what follows may stand on it."""
        for change in self.changes:
            try:
                self._make(change)
            except Unclear as problem:
                change.state = "unclear"
                self._stop(f"{change.title}: {problem}. It is not known whether this was done; run it again, it finds out")
                return
            except KeyboardInterrupt:
                change.state = "unclear"
                self._stop(f"{change.title}: interrupted; run it again, it finds out whether this was done")
                return
            except SetupError as problem:
                change.state = "failed"
                self._stop(f"{change.title}: {problem}")
                return
            change.state = "done"
            self.report.say(f"done: {change.title} {change.verb}")

    def _make(self, change):
        fields = {name: resolved(value) for name, value in change.fields.items()}
        if change.verb == "is made":
            change.uri.uri = self.client.create(change.resource, fields, change.files)
        elif change.verb == "is changed":
            self.client.change(change.uri, fields, change.files)
        else:
            self.client.delete(change.uri)

    def _stop(self, text):
        self.fail(text)
        for change in self.changes:
            if change.state == "planned":
                self.report.say(f"not done: {change.title} {change.verb}")


def _file_lines(files):
    return [(name, None, f"{quoted(file_name)}, {len(content)} bytes") for name, (file_name, content) in (files or {}).items()]
