"""Part three: what real nodes and their documentation have sent, against meetings of ours.

Conference names are replaced, nothing else: times, numbers, oddities and gaps stay as recorded.
"""

import json
import re
from urllib.parse import parse_qsl

from pexip import encode_refused
from story import same
from waiting import wait_until


def names_in(event):
    """The conference names an event speaks of."""
    if not isinstance(event, dict):
        return set()
    data = event.get("data")
    if isinstance(data, list):
        return set().union(*map(names_in, data)) if data else set()
    if not isinstance(data, dict):
        return set()
    return {data[key] for key in ("name", "conference") if isinstance(data.get(key), str)}


def renamed(event, meetings):
    if not isinstance(event, dict):
        return event
    data = event.get("data")
    if isinstance(data, list):
        data = [renamed(inner, meetings) for inner in data]
    elif isinstance(data, dict):
        data = {key: meetings.get(value, value) if key in ("name", "conference") else value for key, value in data.items()}
    return {**event, "data": data}


def describe(meeting):
    """What can be seen of a meeting from outside, in words, part by part."""
    count = meeting["participant_count"]
    nodes = [f"{node['address']} (ended)" if node["ended"] else f"{node['address']}" for node in meeting["nodes"]]
    quality = [person["quality"] for person in meeting["participants"] if person["quality"] != "unknown"]
    return [meeting["state"],
            "nobody" if count == 0 else "1 person" if count == 1 else f"{count} people",
            "quality " + " ".join(quality) if quality else "quality unknown",
            "nodes " + " ".join(sorted(nodes)) if nodes else "no node"]


def changes(before, after):
    """Between two such descriptions of several meetings."""
    return [f"{old} -> {new}" for each in before for old, new in zip(before[each], after[each]) if old != new]


def load(folder):
    """[(name, event)] of a folder, in the order of the names."""
    return [(path.name, json.loads(path.read_text())) for path in sorted(folder.glob("*.json"))]


def replay(story, api, node, files):
    """Sends the events one by one; returns the meetings that stand for the recorded conferences."""
    meetings = {}
    for name in sorted(set().union(*(names_in(event) for _, event in files))):
        with story.step(f"A fresh meeting stands for “{name}”", needed=True) as step:
            meetings[name] = api.create(title=name)["id"]
            step.note(meetings[name])

    for name, event in files:
        with story.step(name) as step:
            before = {each: describe(api.read(each)) for each in meetings.values()}
            answer = node.post(renamed(event, meetings))
            same("the status", answer.status, 200)
            same("the answer", answer.json(), {"success": True})
            after = {each: describe(api.read(each)) for each in meetings.values()}
            step.note("; ".join(changes(before, after)) or "changes nothing")
    return meetings


def with_alias(query, meeting_id):
    """The recorded query about a meeting of ours, in the recorded form of the alias: bare, with scheme, with domain."""
    def replace(found):
        scheme, domain = re.fullmatch(r"((?:sips?:|h323:)?)[^@]*(@.*)?", found.group(2)).groups()
        return f"{found.group(1)}{scheme}{meeting_id}{domain or ''}"
    query = re.sub(r"((?:^|&)local_alias=)([^&]*)", replace, query, count=1)
    if "call_direction=dial_out" in query and "service_name=" not in query:
        # The recorded dial-out lacks what a node sends with it, and it is the key in that direction.
        query += f"&service_name={meeting_id}"
    return query


def play(story, api, node, samples):
    story.chapter("Real input: a meeting recorded step by step, on two nodes")
    walkthrough = load(samples / "events" / "constructed_walkthrough")
    meetings = replay(story, api, node, walkthrough)
    with story.step("It has ended once the grace is over"):
        for meeting_id in meetings.values():
            wait_until(lambda: api.read(meeting_id)["state"] == "ended", 6, "the end of the meeting")

    story.chapter("Real input: single events of real nodes, of the vendor's pages and of other receivers' tests")
    single = load(samples / "events")
    # The way they happened; those without a time come last.
    single.sort(key=lambda each: each[1].get("time") or float("inf"))
    replay(story, api, node, single)

    story.chapter("Real input: policy requests, about a meeting of ours where they ask for a service")
    with story.step("A fresh meeting", needed=True) as step:
        meeting_id = api.create(title="Policy requests")["id"]
        step.note(meeting_id)
    lines = (samples / "policy-requests.tsv").read_text().splitlines()[1:]
    for line in lines:
        _, what, query = (line.split("\t") + ["", ""])[:3]
        path = what.removesuffix(" (directory)")
        wanted = 404
        if path == "service/configuration" and "local_alias=" in query:
            query, wanted = with_alias(query, meeting_id), 200
        said = dict(parse_qsl(query))
        about = [said[name] for name in ("protocol", "call_direction", "trigger", "local_alias") if name in said]
        with story.step(f"{what}: {', '.join(about) or 'no word of a call'}") as step:
            answer = node.policy_raw(encode_refused(f"{path}?{query}"))
            step.note(str(answer.status))
            same("the status", answer.status, wanted)
            if wanted == 200:
                same("the name", answer.json()["result"]["name"], meeting_id)
