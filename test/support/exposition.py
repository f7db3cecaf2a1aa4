"""Reads Prometheus' text format 0.0.4 and minds everything that its description forbids.

    metrics = read(text)
    metrics["pexip_rc_nodes"].value(workspace="https://chat.example.com")
    metrics["pexip_rc_policy_duration_seconds"].value("_count")
"""

import re

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)')
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
ESCAPED = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


class Family:
    def __init__(self, name, help_text):
        self.name, self.help, self.kind, self.samples = name, help_text, None, {}

    def all(self, suffix=""):
        """What each set of labels has, as {labels: value} with the labels as frozenset of pairs."""
        return {labels: value for (end, labels), value in self.samples.items() if end == suffix}

    def value(self, suffix="", **labels):
        """Of the one sample that has these labels, and perhaps others."""
        found = [value for having, value in self.all(suffix).items() if set(labels.items()) <= having]
        assert len(found) == 1, f"{self.name}{suffix} {labels}: {found}"
        return found[0]

    def sum(self, **labels):
        return sum(value for having, value in self.all().items() if set(labels.items()) <= having)


def read_labels(text):
    labels, at = {}, 0
    while at < len(text):
        match = LABEL.match(text, at)
        assert match, f"no label: {text[at:]!r}"
        name, value = match.groups()
        assert name not in labels, f"{name} stands there twice"
        labels[name] = re.sub(r'\\[\\"n]', lambda escape: ESCAPED[escape.group()], value)
        at = match.end()
    assert not text.endswith(","), "a comma and nothing behind it"
    return frozenset(labels.items())


def suffixes(kind):
    return ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)


def read_sample(line, family):
    match = SAMPLE.fullmatch(line)
    assert match, f"no sample: {line!r}"
    name, labels, number = match.groups()
    assert NUMBER.fullmatch(number), f"no number: {line!r}"
    suffix = name[len(family.name):]
    assert name.startswith(family.name) and suffix in suffixes(family.kind), f"{line!r} stands in the family {family.name}"
    key = suffix, read_labels(labels or "")
    assert key not in family.samples, f"twice: {line!r}"
    family.samples[key] = float(number)


def check_histogram(family):
    series = {}
    for labels, value in family.all("_bucket").items():
        bound, = (float(text) for name, text in labels if name == "le")
        series.setdefault(frozenset(pair for pair in labels if pair[0] != "le"), []).append((bound, value))
    assert series and family.all("_sum").keys() == family.all("_count").keys() == series.keys()
    for labels, buckets in series.items():
        counts = [count for _, count in sorted(buckets)]
        assert counts == sorted(counts), f"{family.name} is not cumulated"
        assert sorted(buckets)[-1] == (float("inf"), family.all("_count")[labels])


def check_family(family):
    assert family.kind, f"{family.name} has no type"
    assert family.name.startswith("pexip_rc_") and "\\" not in family.help
    assert (family.kind == "counter") == family.name.endswith("_total")
    if family.kind == "histogram":
        check_histogram(family)
    if family.kind == "counter":
        assert all(value >= 0 and value == int(value) for value in family.samples.values())


def read(text):
    families, family = {}, None
    assert text.endswith("\n") and "\r" not in text and "\n\n" not in text
    for line in text.splitlines():
        if line.startswith("# HELP "):
            _, _, name, said = line.split(" ", 3)
            assert NAME.fullmatch(name) and name not in families and said.strip(), line
            family = families[name] = Family(name, said)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == family.name and family.kind is None and not family.samples, line
            assert kind in ("counter", "gauge", "histogram"), line
            family.kind = kind
        else:
            read_sample(line, family)
    for each in families.values():
        check_family(each)
    return families
