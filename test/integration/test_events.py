"""The event handler: what is taken, what is answered, and what repeated, late and odd events do to a meeting."""

import base64
import json
import socket
import time
import uuid
from urllib.parse import quote

import pytest

from conftest import SAMPLES, Servers, bury
from pexip import TAG, Leg, Node, now, one_leg, sip, two_legs
from waiting import stays, wait_until
from workspace import ADMIN, NODES, PREFIX, workspace

SUCCESS = {"success": True}
PATH = f"{PREFIX}/events"


@pytest.fixture(scope="module")
def server(mpm):
    servers = Servers(mpm)
    try:
        yield servers(workspace(grace="500ms 1500ms"))
    finally:
        bury(servers)


def names(api, meeting):
    return sorted(person["name"] for person in api.read(meeting["id"])["participants"])


def state(api, meeting):
    return api.read(meeting["id"])["state"]


def taken(answer):
    assert answer.status == 200, answer.text[:300]
    assert answer.json() == SUCCESS
    return answer


# Methods and credentials

def test_get_answers_success_so_that_people_can_try_the_address(server):
    taken(server.request("GET", PATH, auth=NODES))


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_refused_with_those_allowed(server, method):
    answer = server.request(method, PATH, auth=NODES, body=b"{}")
    assert answer.status == 405
    assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize("auth", [None, ("pexip", "wrong"), ("nobody", NODES[1]), ("", ""), ADMIN],
                         ids=["none", "wrong-secret", "wrong-user", "empty", "administrator"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_without_the_nodes_credentials_nothing_is_taken(server, api, meeting, method, auth):
    event = {"node": "10.1.1.1", "seq": 1, "version": 2, "time": now(), "event": "conference_started",
             "data": {"name": meeting["id"], "service_type": "conference", "tag": TAG, "start_time": now()}}
    server.expect(r"AH0161[78]: user ")     # httpd's own lines about the attempt
    answer = server.request(method, PATH, auth=auth, body=event if method == "POST" else None)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert state(api, meeting) == "open"


# Samples

@pytest.mark.parametrize("path", sorted((SAMPLES / "events").rglob("*.json")), ids=lambda path: path.stem)
def test_a_sample_is_taken_and_changes_no_meeting_of_ours(server, node, api, meeting, path):
    taken(node.post(path.read_bytes()))
    assert api.read(meeting["id"]) == meeting


def test_there_are_samples(samples):
    assert len(list((samples / "events").rglob("*.json"))) >= 30


# Both versions

@pytest.mark.parametrize("version", [1, 2])
def test_a_meeting_can_be_followed_in_both_versions(server, api, meeting, version):
    node = Node(f"10.9.0.{version}", server, version=version)
    node.started()
    node.updated()
    node.conference_started(meeting["id"])
    assert state(api, meeting) == "live"
    anna = two_legs(node, meeting["id"], "Anna", role="chair")
    boris = sip(node, meeting["id"], "Boris")
    assert names(api, meeting) == ["Anna", "Boris"]
    anna.leave()
    assert names(api, meeting) == ["Boris"]
    boris.leave()
    node.conference_ended(meeting["id"])
    wait_until(lambda: state(api, meeting) == "ended")
    assert api.read(meeting["id"])["inferred"] is False


@pytest.mark.parametrize("name", ["eventsink_stopped", "eventsink_ended", "eventsink_updated", "eventsink_started"])
def test_news_of_the_sink_removes_nobody(node, api, meeting, name):
    node.conference_started(meeting["id"])
    two_legs(node, meeting["id"], "Anna")
    if name == "eventsink_started":
        node.started()
    else:
        node.send(node.event(name, {}))
    assert state(api, meeting) == "live"
    assert names(api, meeting) == ["Anna"]
    stays(lambda: state(api, meeting) == "live", 0.8)


# What may be missing, and what may be wrong

@pytest.mark.parametrize("missing", [["version"], ["time"], ["seq"], ["seq", "time", "version"]], ids="+".join)
def test_an_event_counts_without_part_of_its_envelope(node, api, meeting, missing):
    node.conference_started(meeting["id"])
    anna = Leg(node, meeting["id"], "Anna")
    node.send(node.event("participant_connected", anna.data, **dict.fromkeys(missing)))
    assert names(api, meeting) == ["Anna"]


def test_an_end_without_an_envelope_does_not_end_a_meeting_with_people(node, api, meeting):
    node.conference_started(meeting["id"])
    one_leg(node, meeting["id"], "Anna")
    taken(node.post({"event": "conference_ended", "data": {"name": meeting["id"]}}))
    stays(lambda: state(api, meeting) == "live", 0.9)
    assert names(api, meeting) == ["Anna"]


def test_participants_make_a_meeting_live_when_the_start_was_lost(node, api, meeting):
    anna = two_legs(node, meeting["id"], "Anna")
    assert state(api, meeting) == "live"
    assert names(api, meeting) == ["Anna"]
    anna.leave()
    node.conference_ended(meeting["id"])
    wait_until(lambda: state(api, meeting) == "ended")


def test_an_update_of_somebody_unknown_is_his_arrival(node, api, meeting):
    node.conference_started(meeting["id"])
    Leg(node, meeting["id"], "Anna").updated()
    assert names(api, meeting) == ["Anna"]


def test_a_partial_update_keeps_what_it_does_not_mention(node, api, meeting):
    node.conference_started(meeting["id"])
    anna = two_legs(node, meeting["id"], "Anna", role="chair")
    anna.media.updated(partial=True, is_muted=True)
    [person] = api.read(meeting["id"])["participants"]
    assert (person["name"], person["role"], person["protocol"]) == ("Anna", "host", "WebRTC")
    anna.media.updated(partial=True, display_name="Anna B.")
    [person] = api.read(meeting["id"])["participants"]
    assert (person["name"], person["role"], person["protocol"]) == ("Anna B.", "host", "WebRTC")


WRONG = [None, True, False, 0, -1, 1.5, 1e300, -1e300, 2 ** 63, "", "x", "1764590401", [], {}, [None], [[1]], {"a": 1}]
ENVELOPE = ["node", "seq", "version", "time", "event", "data"]
CONFERENCE = ["name", "service_type", "tag", "start_time", "end_time", "is_started", "is_locked", "guests_muted"]


def wrong_fields():
    for kind in ("conference_started", "conference_updated", "conference_ended"):
        yield from ((kind, field) for field in CONFERENCE)
    for kind in ("participant_connected", "participant_updated", "participant_disconnected"):
        yield kind, None    # each field of a participant, in one test: there are thirty
    for kind in ("participant_media_stream_window", "participant_media_streams_destroyed"):
        yield kind, None


@pytest.mark.parametrize("kind, field", list(wrong_fields()))
def test_wrong_types_in_data_are_taken_and_hurt_nobody_else(node, other_node, api, meeting, kind, field):
    other_node.conference_started(meeting["id"])
    anna = two_legs(other_node, meeting["id"], "Anna", role="chair")
    other = Leg(node, meeting["id"], "Somebody")
    window = other.stream_window("ok", send=False)["data"]
    destroyed = other.streams_destroyed(send=False)["data"]
    data = {"conference": {"name": meeting["id"], "service_type": "conference", "tag": TAG, "start_time": now()},
            "participant": {**other.data, "disconnect_reason": "x", "end_time": now(), "duration": 1.5}}[kind.split("_")[0]]
    data = {"participant_media_stream_window": window, "participant_media_streams_destroyed": destroyed}.get(kind, data)
    events = [node.event(kind, {**data, name: wrong}) for name in ([field] if field else data) for wrong in WRONG]
    # One by one a few, the rest as a bulk: both ways must bear it.
    for event in events[:len(WRONG)]:
        taken(node.post(event))
    taken(node.post(node.bulk(events, send=False)))
    now_meeting = api.read(meeting["id"])
    assert now_meeting["state"] == "live"
    assert [person["role"] for person in now_meeting["participants"] if person["name"] == "Anna"] == ["host"]
    anna.leave()
    assert "Anna" not in names(api, meeting)


@pytest.mark.parametrize("field", ENVELOPE)
def test_wrong_types_in_the_envelope_are_taken_and_hurt_nobody_else(node, other_node, api, meeting, field):
    other_node.conference_started(meeting["id"])
    two_legs(other_node, meeting["id"], "Anna", role="chair")
    for kind, data in (("conference_ended", {"name": meeting["id"], "end_time": now()}),
                       ("participant_updated", Leg(node, meeting["id"], "Somebody").data),
                       ("eventsink_started", {}), ("eventsink_bulk", [])):
        for wrong in WRONG:
            taken(node.post({**node.event(kind, data), field: wrong}))
    now_meeting = api.read(meeting["id"])
    assert now_meeting["state"] == "live"
    assert "Anna" in [person["name"] for person in now_meeting["participants"]]


@pytest.mark.parametrize("name", ["participant_something_new", "conference_end", "presentation_started", "transfer", "", "x" * 5000,
                                  "CONFERENCE_ENDED ", "eventsink_"])
def test_an_unknown_event_changes_nothing(node, api, meeting, name):
    before = api.read(meeting["id"])
    taken(node.post(node.event(name, {**Leg(node, meeting["id"], "Anna").data, "name": meeting["id"]})))
    assert api.read(meeting["id"]) == before


def test_unknown_fields_do_not_matter(node, api, meeting):
    node.send(node.event("participant_connected", {**Leg(node, meeting["id"], "Anna").data, "is_direct": False, "custom_properties": {
        "uuid": "x", "conference": ["y"]}, "license_count": None}, new_envelope_field={"a": [1, 2, {"b": None}]}, version=3))
    assert names(api, meeting) == ["Anna"]


@pytest.mark.parametrize("headers", [{"Content-Type": "text/json"}, {"Content-Type": "application/json; charset=utf-8"},
                                     {"Content-Type": "application/x-www-form-urlencoded"}, {"Content-Type": ""},
                                     {"Expect": "100-continue"}], ids=lambda headers: "/".join(headers.values()))
def test_headers_do_not_decide_about_an_event(server, node, api, meeting, headers):
    event = node.event("participant_connected", Leg(node, meeting["id"], "Anna").data)
    taken(server.request("POST", PATH, auth=NODES, headers=headers, body=json.dumps(event).encode()))
    assert names(api, meeting) == ["Anna"]


@pytest.mark.parametrize("name", ["Żółć 日本語 🎉", "a\\b\"c/d", "\u202etxt", "ж" * 125])
@pytest.mark.parametrize("escaped", [True, False], ids=["escaped", "raw"])
def test_names_arrive_as_they_were_sent(node, api, meeting, name, escaped):
    event = node.event("participant_connected", Leg(node, meeting["id"], name).data)
    taken(node.post(json.dumps(event, ensure_ascii=escaped)))
    assert names(api, meeting) == [name]


# Duplicates, lateness, order

def test_every_event_sent_twice_counts_once(node, api, meeting):
    with node.holding() as events:
        node.conference_started(meeting["id"])
        anna = two_legs(node, meeting["id"], "Anna")
        sip(node, meeting["id"], "Boris")
        anna.leave()
    for event in events:
        node.send(event)
        node.send(event)
    assert names(api, meeting) == ["Boris"]
    for event in events:    # the whole story once more
        node.send(event)
    assert names(api, meeting) == ["Boris"]


def test_repeated_events_do_not_bring_the_gone_back(node, api, meeting):
    with node.holding() as events:
        node.conference_started(meeting["id"])
        anna = one_leg(node, meeting["id"], "Anna")
    for event in events:
        node.send(event)
    anna.leave()
    for event in events:
        node.send(event)
    assert names(api, meeting) == []
    node.conference_ended(meeting["id"])
    for event in events:
        node.send(event)
    wait_until(lambda: state(api, meeting) == "ended", 3)


def test_a_late_update_does_not_undo_a_newer_one(node, api, meeting):
    node.conference_started(meeting["id"])
    anna = two_legs(node, meeting["id"], "Anna")
    late = anna.media.updated(display_name="Before", role="guest", send=False)
    anna.media.updated(display_name="After", role="chair")
    node.send(late)
    [person] = api.read(meeting["id"])["participants"]
    assert (person["name"], person["role"]) == ("After", "host")


@pytest.mark.parametrize("kept", ["connected", "updated"])
def test_who_has_disconnected_stays_away_when_older_events_follow(node, api, meeting, kept):
    node.conference_started(meeting["id"])
    anna = Leg(node, meeting["id"], "Anna")
    late = getattr(anna, kept)(send=False)
    anna.disconnected()
    node.send(late)
    assert names(api, meeting) == []


def test_a_disconnect_that_comes_late_still_counts(node, api, meeting):
    node.conference_started(meeting["id"])
    anna, boris = Leg(node, meeting["id"], "Anna"), Leg(node, meeting["id"], "Boris")
    anna.connected()
    boris.connected()
    late = anna.disconnected(send=False)
    for muted in (True, False):
        boris.updated(is_muted=muted)
    node.send(late)
    assert names(api, meeting) == ["Boris"]


def test_events_from_before_the_end_of_a_nodes_share_do_not_revive_it(node, api, meeting):
    start = node.conference_started(meeting["id"], send=False)
    anna = Leg(node, meeting["id"], "Anna")
    connect = anna.connected(send=False)
    update = node.conference_updated(meeting["id"], is_started=True, send=False)
    node.send(start)
    node.conference_ended(meeting["id"])
    for late in (connect, update, start):
        node.send(late)
    assert names(api, meeting) == []
    wait_until(lambda: state(api, meeting) == "ended", 1.3, "the end after the first time of the grace")


def test_one_node_may_be_far_behind_another(node, other_node, api, meeting):
    with other_node.holding() as delayed:
        other_node.conference_started(meeting["id"])
        sip(other_node, meeting["id"], "Boris")
    node.conference_started(meeting["id"])
    anna = two_legs(node, meeting["id"], "Anna")
    anna.leave()
    node.conference_ended(meeting["id"])
    for event in delayed:
        other_node.send(event)
    assert names(api, meeting) == ["Boris"]
    stays(lambda: state(api, meeting) == "live", 0.8)


@pytest.mark.parametrize("ahead", [-3.0, 3.0])
def test_clocks_of_two_nodes_need_not_agree(node, other_node, api, meeting, ahead):
    node.conference_started(meeting["id"])
    two_legs(node, meeting["id"], "Anna")
    with other_node.holding() as events:
        other_node.conference_started(meeting["id"], start_time=now() + ahead)
        boris = sip(other_node, meeting["id"], "Boris")
    for event in events:
        other_node.send({**event, "time": event["time"] + ahead})
    assert names(api, meeting) == ["Anna", "Boris"]
    event = boris.media.disconnected(send=False)
    other_node.send({**event, "time": event["time"] + ahead})
    assert names(api, meeting) == ["Anna"]


# The sequence

@pytest.mark.parametrize("announced", [True, False], ids=["eventsink_started", "unannounced"])
def test_a_series_that_begins_again_is_followed(node, api, meeting, announced):
    node.seq = 5000
    node.conference_started(meeting["id"])
    anna = two_legs(node, meeting["id"], "Anna")
    if announced:
        node.started()
    else:
        node.seq = 0
    sip(node, meeting["id"], "Boris")
    assert names(api, meeting) == ["Anna", "Boris"]
    anna.leave()
    assert names(api, meeting) == ["Boris"]


def test_a_lower_number_with_an_older_time_is_late_and_not_a_new_series(node, api, meeting):
    node.seq = 5000
    node.conference_started(meeting["id"])
    anna = two_legs(node, meeting["id"], "Anna")
    anna.media.updated(display_name="After")
    node.send(node.event("participant_updated", {**anna.media.data, "display_name": "Before"}, seq=17, time=now() - 30))
    assert names(api, meeting) == ["After"]


def test_gaps_in_the_series_and_large_numbers_do_no_harm(node, api, meeting):
    node.conference_started(meeting["id"])
    for number, name in ((2 ** 20, "Anna"), (2 ** 32 + 1, "Boris"), (2 ** 53, "Carla")):
        node.seq = number
        sip(node, meeting["id"], name)
    assert names(api, meeting) == ["Anna", "Boris", "Carla"]


def test_the_same_numbers_from_another_node_are_other_events(node, other_node, api, meeting):
    assert node.seq == other_node.seq
    for each, name in ((node, "Anna"), (other_node, "Boris")):
        each.conference_started(meeting["id"])
        Leg(each, meeting["id"], name).connected()
    assert node.seq == other_node.seq
    assert names(api, meeting) == ["Anna", "Boris"]


# Bulk

def whole_story(node, meeting):
    with node.holding() as events:
        node.conference_started(meeting["id"])
        anna = two_legs(node, meeting["id"], "Anna")
        sip(node, meeting["id"], "Boris")
        anna.leave()
    return events


def test_a_bulk_is_its_events(node, api, meeting):
    node.bulk(whole_story(node, meeting))
    assert names(api, meeting) == ["Boris"]


def test_bulks_and_single_events_may_alternate(node, api, meeting):
    events = whole_story(node, meeting)
    for start in range(0, len(events), 3):
        node.bulk(events[start:start + 2])
        for single in events[start + 2:start + 3]:
            node.send(single)
    assert names(api, meeting) == ["Boris"]


def test_a_bulk_sent_twice_counts_once(node, api, meeting):
    wrapper = node.bulk(whole_story(node, meeting))
    node.send(wrapper)
    assert names(api, meeting) == ["Boris"]


def test_a_bulk_may_hold_events_of_several_nodes(node, other_node, api, meeting):
    with other_node.holding() as others:
        other_node.conference_started(meeting["id"])
        sip(other_node, meeting["id"], "Carla")
    node.bulk([event for pair in zip(whole_story(node, meeting), others + [{}] * 20) for event in pair])
    assert names(api, meeting) == ["Boris", "Carla"]


@pytest.mark.parametrize("wrapper", [{"node": "10.44.34.14"}, {"version": None, "time": None, "node": "10.44.34.14"},
                                     {"seq": None, "node": None}, {"seq": 7}], ids=["address", "bare", "no-identity", "numbered"])
def test_a_wrapper_is_known_by_its_name_and_its_array(node, api, meeting, wrapper):
    bulk = {**node.bulk(whole_story(node, meeting), send=False), **wrapper}
    taken(node.post({key: value for key, value in bulk.items() if value is not None}))
    assert names(api, meeting) == ["Boris"]


def test_a_bare_array_of_events_is_a_bulk(node, api, meeting):
    taken(node.post(whole_story(node, meeting)))
    assert names(api, meeting) == ["Boris"]


@pytest.mark.parametrize("data", [[], {}, None, 7, "x", [[]], [[], {}, None, 1, "x", True]], ids=json.dumps)
def test_a_bulk_of_nothing_is_taken(node, api, meeting, data):
    taken(node.post({**node.bulk([], send=False), "data": data}))
    assert api.read(meeting["id"]) == meeting


@pytest.mark.parametrize("rubbish", [None, 1, "x", [], {}, True, {"event": 3}, {"event": "conference_ended", "data": []},
                                     {"event": "participant_connected", "data": {"uuid": [], "conference": {}}}], ids=json.dumps)
def test_rubbish_between_the_events_of_a_bulk_costs_none_of_them(node, api, meeting, rubbish):
    mixed = []
    for event in whole_story(node, meeting):
        mixed += [rubbish, event]
    node.bulk(mixed + [rubbish])
    assert names(api, meeting) == ["Boris"]


# Foreign conferences

def test_foreign_conferences_leave_no_trace(node, api, meeting):
    before = {each["id"] for each in api.list(limit=500)["meetings"]}
    for number in range(30):
        name = f"Sales weekly {number}" if number % 2 else uuid.uuid4().hex
        tag = TAG if number % 3 else "other"
        node.conference_started(name, tag=tag)
        two_legs(node, name, "Stranger", service_tag=tag)
    assert {each["id"] for each in api.list(limit=500)["meetings"]} == before
    assert api.read(meeting["id"])["participants"] == []
    assert api.call("GET", f"/meetings/{quote(name)}").status == 404


@pytest.mark.parametrize("change", [str.swapcase, lambda name: name + " ", lambda name: name[:-1], lambda name: name + "x",
                                    lambda name: "\n" + name], ids=["case", "blank", "shorter", "longer", "newline"])
def test_a_conference_with_almost_our_name_is_foreign(node, api, meeting, change):
    node.conference_started(change(meeting["id"]))
    Leg(node, change(meeting["id"]), "Stranger").connected()
    assert state(api, meeting) == "open"
    assert names(api, meeting) == []


def test_quality_of_somebody_unknown_is_taken(node, api, meeting):
    Leg(node, "elsewhere", "Stranger").stream_window("bad")
    Leg(node, "elsewhere", "Stranger").streams_destroyed()
    assert api.read(meeting["id"]) == meeting


# The connection

def test_a_slow_sender_of_an_event_is_heard(server, node, api, meeting):
    body = json.dumps(node.event("participant_connected", Leg(node, meeting["id"], "Anna").data)).encode()
    head = (f"POST {PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
            f"Authorization: Basic {base64.b64encode(':'.join(NODES).encode()).decode()}\r\n\r\n").encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(head)
        for start in range(0, len(body), 100):
            connection.sendall(body[start:start + 100])
            time.sleep(0.01)
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(json.dumps(SUCCESS, separators=(",", ":")).encode())
    assert names(api, meeting) == ["Anna"]
