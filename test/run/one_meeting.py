"""Part one: a whole meeting on two nodes, from the first click to the page that says it is over."""

import re
from urllib.parse import parse_qs, urlsplit

from meetings import BORIS, NINA
from pexip import one_leg, sip, two_legs
from rocketchat import is_upstream
from story import check, same
from waiting import stays, wait_until
from workspace import ADMIN


def masked(url):
    return re.sub(r"(pin=)\d+", lambda found: found.group(1) + "******", url)


def becomes(api, meeting_id, timeout=2, **wanted):
    """The meeting has these members soon; the reason of a failure names what differs."""
    seen = {}

    def there():
        seen.clear()
        seen.update(api.read(meeting_id))
        return all(seen.get(name) == value for name, value in wanted.items())
    try:
        wait_until(there, timeout)
    except AssertionError:
        raise AssertionError(", ".join(f"{name} is {seen.get(name)!r}, should be {value!r}"
                                       for name, value in wanted.items() if seen.get(name) != value)) from None
    return seen


def roster(meeting):
    return sorted(person["name"] for person in meeting["participants"])


def unchanged(before, after):
    """Nothing of a meeting has changed but when its nodes were last heard, which any event moves, and its chat, which Rocket.Chat
    makes in its own time."""
    for name in sorted((before.keys() | after.keys()) - {"discussion"}):
        old, new = ([{**node, "last_event_at": None} for node in each[name]] if name == "nodes" else each.get(name)
                    for each in (before, after))
        same(name, new, old)


def play(story, server, api, host, node_a, node_b):
    """host: the Host header of the site. Returns the meeting's id."""

    def get(path, **headers):
        return server.request("GET", path, headers={"Host": host, **headers})

    story.chapter("A meeting, from the first click to the end")

    with story.step("Rocket.Chat itself is still reached through the same httpd"):
        check(is_upstream(get("/channel/general")), "the room's page did not come from the stand-in Rocket.Chat")

    with story.step("Both Conferencing Nodes report that their event sink has started"):
        node_a.started()
        node_b.started()

    with story.step("Nina starts the call “Weekly” in #general: one call of the meetings API", needed=True) as step:
        answer = api.call("POST", "/meetings", {
            "title": "Weekly", "room": {"id": "GENERAL", "name": "general", "type": "c"}, "creator": NINA})
        same("the status", answer.status, 201)
        meeting = answer.json()
        meeting_id = meeting["id"]
        same("the state", meeting["state"], "open")
        check(answer.headers.get("Location", "").endswith(meeting_id), "no Location that leads to the meeting")
        pins = meeting["pins"]
        check(pins["host"] != pins["guest"] and len(pins["host"]) == len(pins["guest"]), "host and guest PIN do not fit together")
        step.note(f"meeting {meeting_id}")

    join_path = urlsplit(meeting["join_url"]).path
    with story.step("The join link sends a visitor to the web app as guest") as step:
        answer = get(join_path + "?name=Anna%20Example")
        same("the status", answer.status, 303)
        target = answer.headers["Location"]
        query = parse_qs(urlsplit(target).query)
        same("the conference", query.get("conference"), [meeting_id])
        check(query.get("pin") == [pins["guest"]], "the PIN is not the guests'")
        same("the name", query.get("name"), ["Anna Example"])
        same("Referrer-Policy", answer.headers["Referrer-Policy"], "no-referrer")
        same("Cache-Control", answer.headers["Cache-Control"], "no-store")
        step.note(masked(target))

    with story.step("The creator's personal link carries the host PIN, a colleague's the guest PIN"):
        for user, role in ((NINA, "host"), (BORIS, "guest")):
            link = api.link(meeting_id, user)
            same(f"the role of {user['name']}", link["role"], role)
            check(parse_qs(urlsplit(link["url"]).query).get("pin") == [pins[role]], f"the PIN is not the {role}'s")

    with story.step("Both nodes ask for policy several times and get the same answer to the byte") as step:
        answers = [node.policy(alias) for node in (node_a, node_b, node_a, node_b)
                   for alias in (meeting_id, f"sip:{meeting_id}@meet.example.com")]
        same("the statuses", {answer.status for answer in answers}, {200})
        same("the number of different answers", len({answer.body for answer in answers}), 1)
        result = answers[0].json()["result"]
        same("name", result["name"], meeting_id)
        same("service_type", result["service_type"], "conference")
        check((result["pin"], result["guest_pin"]) == (pins["host"], pins["guest"]), "the PINs are not those of the meeting")
        step.note(f"{len(answers)} answers of {len(answers[0].body)} bytes")

    with story.step("An alias that nobody knows is left to Infinity: 404, continue"):
        answer = node_a.policy("nobody.knows.this")
        same("the status", answer.status, 404)
        same("the answer", answer.json(), {"status": "fail", "action": "continue", "result": {}})

    with story.step("Node A starts the conference"):
        node_a.conference_started(meeting_id)
        becomes(api, meeting_id, state="live", participant_count=0)

    with story.step("Anna comes in on node A: control connection and media are one person"):
        anna = two_legs(node_a, meeting_id, "Anna", role="chair")
        node_a.conference_updated(meeting_id, is_started=True)
        same("the roster", roster(becomes(api, meeting_id, participant_count=1)), ["Anna"])

    with story.step("Boris reaches node B and waits in the waiting room: he is not in yet"):
        node_b.conference_started(meeting_id)
        boris = one_leg(node_b, meeting_id, "Boris", waiting=True)
        same("the roster", roster(becomes(api, meeting_id, participant_count=1)), ["Anna"])

    # Built now, delivered much later.
    late = boris.media.updated(send=False)
    with story.step("He is admitted: two people, on two nodes"):
        admitted = boris.admit()
        meeting = becomes(api, meeting_id, participant_count=2)
        same("the roster", roster(meeting), ["Anna", "Boris"])
        same("the nodes", sorted(node["address"] for node in meeting["nodes"]), [node_a.address, node_b.address])

    with story.step("Node B repeats that event, same seq: nothing changes"):
        before = api.read(meeting_id)
        node_b.send(admitted)
        unchanged(before, api.read(meeting_id))

    with story.step("An older event, still from the waiting room, arrives late: nothing changes"):
        before = api.read(meeting_id)
        node_b.send(late)
        unchanged(before, api.read(meeting_id))

    with story.step("Anna's line gets bad, and the roster says so"):
        anna.media.stream_window("bad")
        wait_until(lambda: {person["name"]: person["quality"] for person in api.read(meeting_id)["participants"]}.get("Anna") == "bad",
                   2, "Anna's quality to be bad")

    with story.step("A room system's whole way in comes in one bulk, rubbish between: it is in"):
        with node_b.holding() as events:
            boardroom = sip(node_b, meeting_id, "Boardroom")
        node_b.bulk([events[0], "rubbish", {"event": 7}, *events[1:]])
        same("the roster", roster(becomes(api, meeting_id, participant_count=3)), ["Anna", "Boardroom", "Boris"])

    with story.step("The room system hangs up"):
        boardroom.leave()
        becomes(api, meeting_id, participant_count=2)

    with story.step("Boris leaves and node B ends its part: the meeting goes on, also after the grace"):
        boris.leave()
        node_b.conference_ended(meeting_id)
        becomes(api, meeting_id, participant_count=1, state="live")
        stays(lambda: api.read(meeting_id)["state"] == "live", 1.6, "the meeting with Anna in it")

    with story.step("Anna leaves, node A ends its part: after the grace the meeting has ended"):
        anna.leave()
        node_a.conference_ended(meeting_id)
        meeting = becomes(api, meeting_id, timeout=6, state="ended", participant_count=0)
        same("inferred", meeting["inferred"], False)
        check(meeting["ended_at"], "no time of the end")

    with story.step("Who calls now is refused: action reject and no result"):
        answer = node_a.policy(meeting_id)
        same("the status", answer.status, 200)
        body = answer.json()
        same("status and action", (body.get("status"), body.get("action")), ("success", "reject"))
        check("result" not in body, "there is a result in it")

    with story.step("The join link shows a page that says it is over"):
        answer = get(join_path, Accept="text/html")
        same("the status", answer.status, 410)
        check("html" in answer.headers.get("Content-Type", "") and "<" in answer.text, "no page")

    with story.step("The status knows about it all") as step:
        answer = server.request("GET", f"{api.base.removesuffix('/api/v1')}/status?json", headers={"Host": host}, auth=ADMIN)
        same("the status", answer.status, 200)
        status = answer.json()
        check(isinstance(status, dict) and status, "it says nothing")
        check(all(pin not in answer.text for pin in pins.values()), "it shows a PIN")
        step.note("it speaks of " + ", ".join(sorted(status)))
    return meeting_id
