"""When a meeting is open, live and over: by what several nodes say, and by what they fail to say.

Never over while there is evidence of a person; always over once the evidence is gone.
"""

import time
from datetime import datetime, timedelta, timezone
from urllib.parse import urlsplit

import pytest

from conftest import Servers, bury
from meetings import Api
from pexip import API_LEG, TAG, Leg, Node, now, one_leg, sip, two_legs
from waiting import stays, wait_until
from workspace import PREFIX, workspace

FIRST, SECOND = 0.2, 0.7
GRACE = "200ms 700ms"
SILENT = SECOND + 0.3
LATE = 2.5          # what a loaded machine may add


@pytest.fixture(scope="module")
def server(mpm):
    servers = Servers(mpm)
    try:
        yield servers(workspace(grace=GRACE))
    finally:
        bury(servers)


def state(api, meeting):
    return api.read(meeting["id"])["state"]


def names(api, meeting):
    return sorted(person["name"] for person in api.read(meeting["id"])["participants"])


def ends(api, meeting, within=FIRST + LATE):
    wait_until(lambda: state(api, meeting) == "ended", within, "the end of the meeting")
    return api.read(meeting["id"])


def ends_silently(api, meeting):
    """Nobody said that it was over: so not before the second time."""
    stays(lambda: state(api, meeting) == "live", SECOND - 0.3, "the live meeting")
    ended = ends(api, meeting, SECOND + LATE)
    assert ended["inferred"] is True
    return ended


def keeps_going(api, meeting, seconds=FIRST + 0.4):
    """Longer than a node's word would need to end it; SILENT is for what only silence could end."""
    stays(lambda: state(api, meeting) == "live", seconds, "the live meeting")


def admits(node, meeting):
    answer = node.policy(meeting["id"])
    assert answer.status == 200
    assert answer.json()["status"] == "success"
    return answer.json()["action"] == "continue"


def join(server, meeting):
    key = urlsplit(meeting["join_url"]).path.rpartition("/")[2]
    return server.request("GET", f"{PREFIX}/join/{key}")


def parsed(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def stamp(seconds):
    """An RFC 3339 time so many seconds from now, in whole seconds: cut, so at most one earlier."""
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


# The ordinary course

def test_a_meeting_lives_until_its_last_node_has_ended_it(server, node, other_node, api, meeting):
    began = time.time()
    assert meeting["state"] == "open" and meeting["started_at"] is None and meeting["ended_at"] is None
    assert admits(node, meeting)

    node.conference_started(meeting["id"])
    assert state(api, meeting) == "live"
    anna = two_legs(node, meeting["id"], "Anna", role="chair")
    other_node.conference_started(meeting["id"])
    boris = sip(other_node, meeting["id"], "Boris")
    live = api.read(meeting["id"])
    assert live["participant_count"] == 2
    assert {each["address"] for each in live["nodes"]} == {node.address, other_node.address}
    assert [each["ended"] for each in live["nodes"]] == [False, False]
    assert abs(parsed(live["started_at"]).timestamp() - began) < 5
    assert live["ended_at"] is None

    boris.leave()
    other_node.conference_ended(meeting["id"])
    assert {each["address"]: each["ended"] for each in api.read(meeting["id"])["nodes"]} == {node.address: False, other_node.address: True}
    keeps_going(api, meeting)
    assert names(api, meeting) == ["Anna"]
    assert admits(node, meeting)

    anna.leave()
    last = time.time()
    node.conference_ended(meeting["id"])
    assert state(api, meeting) == "live", "the grace was not waited for"
    ended = ends(api, meeting)
    assert time.time() - last >= FIRST - 0.1
    assert (ended["inferred"], ended["participants"]) == (False, [])
    assert ended["started_at"] == live["started_at"]
    assert abs(parsed(ended["ended_at"]).timestamp() - last) < 3
    assert parsed(ended["created_at"]) <= parsed(ended["ended_at"])

    rejected = node.policy(meeting["id"]).json()
    assert (rejected["status"], rejected["action"]) == ("success", "reject")
    assert "result" not in rejected
    assert join(server, meeting).status == 410


def test_both_nodes_end_at_the_same_moment(node, other_node, api, meeting):
    for each in (node, other_node):
        each.conference_started(meeting["id"])
    people = [two_legs(node, meeting["id"], "Anna"), sip(other_node, meeting["id"], "Boris")]
    for person in people:
        person.leave()
    for each in (node, other_node):
        each.conference_ended(meeting["id"])
    assert ends(api, meeting)["inferred"] is False


def test_an_untouched_meeting_stays_open(api, meeting):
    stays(lambda: state(api, meeting) == "open", SECOND + 0.4)


def test_a_conference_of_nobody_ends_when_its_node_says_so(node, api, meeting):
    node.conference_started(meeting["id"])
    node.conference_ended(meeting["id"])
    assert ends(api, meeting)["inferred"] is False


def test_the_end_of_one_node_closes_only_the_participants_of_that_node(node, other_node, api, meeting):
    for each, name in ((node, "Anna"), (other_node, "Boris")):
        each.conference_started(meeting["id"])
        two_legs(each, meeting["id"], name)
    node.conference_ended(meeting["id"])       # and no word of Anna's leaving
    assert names(api, meeting) == ["Boris"]
    keeps_going(api, meeting)
    other_node.conference_ended(meeting["id"])
    assert ends(api, meeting)["participants"] == []


# What nodes fail to say

def test_a_node_that_falls_silent_does_not_keep_a_meeting_without_people(node, api, meeting):
    node.conference_started(meeting["id"])
    anna = two_legs(node, meeting["id"], "Anna")
    anna.leave()
    ended = ends_silently(api, meeting)
    assert ended["participants"] == []
    assert not admits(node, meeting)


def test_a_quiet_meeting_with_people_is_not_taken_for_a_dead_one(node, api, meeting):
    node.conference_started(meeting["id"])
    two_legs(node, meeting["id"], "Anna")
    keeps_going(api, meeting, 2 * SECOND + 0.3)


def test_the_silence_of_one_node_does_not_end_the_meeting_of_another(node, other_node, api, meeting):
    for each in (node, other_node):
        each.conference_started(meeting["id"])
    sip(node, meeting["id"], "Anna").leave()
    sip(other_node, meeting["id"], "Boris")
    keeps_going(api, meeting, SILENT)


def test_one_node_ends_and_the_other_falls_silent(node, other_node, api, meeting):
    for each in (node, other_node):
        each.conference_started(meeting["id"])
    sip(node, meeting["id"], "Anna").leave()
    sip(other_node, meeting["id"], "Boris").leave()
    node.conference_ended(meeting["id"])
    ends_silently(api, meeting)


# Who keeps a meeting alive

def test_what_is_nobody_does_not_keep_a_meeting_alive(node, api):
    kinds = {"api": lambda name: Leg(node, name, "Bot", **API_LEG),
             "shadow": lambda name: Leg(node, name, "Watching host", role="chair", has_media=False),
             "backplane": lambda name: Leg(node, name, "Backplane", protocol="BACKPLANE"),
             "streaming": lambda name: Leg(node, name, "Recorder", protocol="RTMP", is_streaming=True, call_direction="out")}
    meetings = {kind: api.create() for kind in kinds}
    for kind, meeting in meetings.items():
        node.conference_started(meeting["id"])
        anna = two_legs(node, meeting["id"], "Anna")
        kinds[kind](meeting["id"]).connected()
        assert names(api, meeting) == ["Anna"], kind
        assert api.read(meeting["id"])["participant_count"] == 1, kind
        anna.leave()
        assert api.read(meeting["id"])["participant_count"] == 0, kind
    for kind, meeting in meetings.items():
        wait_until(lambda: state(api, meeting) == "ended", SECOND + LATE, kind)
        assert api.read(meeting["id"])["inferred"] is True, kind


@pytest.mark.parametrize("protocol", ["SIP", "WebRTC"])
def test_who_waits_or_types_a_pin_keeps_a_meeting_alive(node, api, protocol):
    waiting = {}
    for service_type in ("waiting_room", "ivr", "connecting", "two_stage_dialing"):
        meeting = api.create()
        node.conference_started(meeting["id"])
        anna = two_legs(node, meeting["id"], "Anna", role="chair")
        boris = Leg(node, meeting["id"], "Boris", protocol=protocol, role="unknown", service_type=service_type)
        boris.connected()
        assert api.read(meeting["id"])["participant_count"] == 1, service_type
        anna.leave()
        waiting[service_type] = meeting, boris
    stays(lambda: [state(api, meeting) for meeting, _ in waiting.values()] == ["live"] * 4, SECOND + 0.4)
    for service_type, (meeting, boris) in waiting.items():
        boris.updated(service_type="conference", role="guest")
        assert names(api, meeting) == ["Boris"], service_type
        boris.disconnected()
        node.conference_ended(meeting["id"])
    for meeting, _ in waiting.values():
        assert ends(api, meeting)["inferred"] is False


def test_a_browser_in_the_waiting_room_without_media_keeps_a_meeting_alive(node, api, meeting):
    node.conference_started(meeting["id"])
    boris = one_leg(node, meeting["id"], "Boris", waiting=True)
    assert api.read(meeting["id"])["participant_count"] == 0
    keeps_going(api, meeting, SILENT)
    boris.admit()
    assert names(api, meeting) == ["Boris"]


def test_who_is_sent_back_to_the_waiting_room_still_keeps_it_alive(node, api, meeting):
    node.conference_started(meeting["id"])
    boris = one_leg(node, meeting["id"], "Boris")
    boris.media.updated(service_type="waiting_room")
    assert api.read(meeting["id"])["participant_count"] == 0
    keeps_going(api, meeting, SILENT)


# Coming back

def test_somebody_who_is_dialling_holds_the_end(node, api, meeting):
    node.conference_started(meeting["id"])
    two_legs(node, meeting["id"], "Anna").leave()
    assert admits(node, meeting)
    node.conference_ended(meeting["id"])
    keeps_going(api, meeting, SILENT)
    again = Node(node.address, node.request)
    again.seq = node.seq
    again.conference_started(meeting["id"])
    anna = two_legs(again, meeting["id"], "Anna again")
    assert names(api, meeting) == ["Anna again"]
    anna.leave()
    again.conference_ended(meeting["id"])
    ends(api, meeting)      # the request has been redeemed, or lies before the last person left


def test_somebody_who_is_dialling_holds_the_end_of_a_silent_node_too(node, other_node, api, meeting):
    node.conference_started(meeting["id"])
    two_legs(node, meeting["id"], "Anna").leave()
    assert admits(other_node, meeting)
    keeps_going(api, meeting, SILENT)


def test_dialling_within_the_grace_holds_the_end(node, api, meeting):
    node.conference_started(meeting["id"])
    two_legs(node, meeting["id"], "Anna").leave()
    node.conference_ended(meeting["id"])
    assert admits(node, meeting)
    keeps_going(api, meeting)


@pytest.mark.parametrize("kind", ["probe", "dial_out"])
def test_a_request_of_nobody_who_joins_does_not_hold_the_end(node, api, meeting, kind):
    node.conference_started(meeting["id"])
    two_legs(node, meeting["id"], "Anna").leave()
    node.conference_ended(meeting["id"])
    assert getattr(node, kind)(meeting["id"]).json()["action"] == "continue"
    ends(api, meeting)


def test_a_request_from_before_the_last_person_left_does_not_hold_the_end(node, api, meeting):
    assert admits(node, meeting)
    node.conference_started(meeting["id"])
    anna = two_legs(node, meeting["id"], "Anna")
    assert admits(node, meeting)
    anna.leave()
    node.conference_ended(meeting["id"])
    ends(api, meeting)


@pytest.mark.parametrize("other", [False, True], ids=["same-node", "other-node"])
def test_a_return_within_the_grace_keeps_the_meeting(node, other_node, api, meeting, other):
    node.conference_started(meeting["id"])
    sip(node, meeting["id"], "Anna").leave()
    node.conference_ended(meeting["id"])
    place = other_node if other else node
    place.conference_started(meeting["id"])
    anna = sip(place, meeting["id"], "Anna")
    keeps_going(api, meeting)
    assert names(api, meeting) == ["Anna"]
    anna.leave()
    place.conference_ended(meeting["id"])
    assert ends(api, meeting)["inferred"] is False


def test_nothing_that_comes_after_the_end_changes_it(server, node, other_node, api, meeting):
    node.conference_started(meeting["id"])
    anna = two_legs(node, meeting["id"], "Anna")
    late = anna.media.updated(is_muted=True, send=False)
    anna.leave()
    node.conference_ended(meeting["id"])
    ended = ends(api, meeting)
    node.send(late)
    node.conference_updated(meeting["id"])
    other_node.conference_started(meeting["id"])
    boris = two_legs(other_node, meeting["id"], "Boris")
    boris.media.stream_window("bad")
    node.conference_started(meeting["id"])
    node.conference_ended(meeting["id"])
    after = api.read(meeting["id"])
    assert {**after, "nodes": None} == {**ended, "nodes": None}
    assert not admits(node, meeting)
    assert join(server, meeting).status == 410
    api.call("DELETE", f"/meetings/{meeting['id']}")
    again = api.read(meeting["id"])
    assert (again["state"], again["ended_at"]) == ("ended", ended["ended_at"])


# Restarted nodes, and media on the move

def test_a_restarted_node_has_lost_its_old_participants(node, other_node, api, meeting):
    node.conference_started(meeting["id"], start_time=now() - 60)
    other_node.conference_started(meeting["id"])
    two_legs(node, meeting["id"], "Anna")
    sip(other_node, meeting["id"], "Boris")
    node.started()
    assert names(api, meeting) == ["Anna", "Boris"]     # so far only the sink may have been restarted
    node.conference_started(meeting["id"])
    assert names(api, meeting) == ["Boris"]
    sip(node, meeting["id"], "Carla")
    assert names(api, meeting) == ["Boris", "Carla"]


def test_a_repeated_start_with_the_same_time_removes_nobody(node, api, meeting):
    start = node.conference_started(meeting["id"])
    two_legs(node, meeting["id"], "Anna")
    node.started()
    node.send(node.event("conference_started", start["data"]))
    assert names(api, meeting) == ["Anna"]


def test_a_node_that_never_comes_back_with_people_ends_by_its_next_word(node, api, meeting):
    node.conference_started(meeting["id"], start_time=now() - 60)
    two_legs(node, meeting["id"], "Anna")
    node.started()
    node.conference_started(meeting["id"])
    node.conference_ended(meeting["id"])
    assert ends(api, meeting)["participants"] == []


def test_somebody_whose_media_moves_to_another_node_stays_in_the_meeting(node, other_node, api, meeting):
    node.conference_started(meeting["id"])
    anna = sip(node, meeting["id"], "Anna")
    other_node.conference_started(meeting["id"])
    anna.media.node = other_node
    anna.media.updated(media_node=other_node.address)
    node.conference_ended(meeting["id"])
    keeps_going(api, meeting)
    assert names(api, meeting) == ["Anna"]
    anna.leave()
    assert names(api, meeting) == []
    other_node.conference_ended(meeting["id"])
    assert ends(api, meeting)["inferred"] is False


def test_the_new_node_may_be_heard_before_the_old_one_lets_go(node, other_node, api, meeting):
    node.conference_started(meeting["id"])
    anna = sip(node, meeting["id"], "Anna")
    old_end = node.conference_ended(meeting["id"], send=False)
    anna.media.node = other_node
    anna.media.updated(media_node=other_node.address)      # its conference_started was lost
    node.send(old_end)
    assert names(api, meeting) == ["Anna"]
    keeps_going(api, meeting)


# Breakout rooms

def breakout(meeting, number=1):
    return f"{meeting['id']}_breakout_00000000-0000-4000-8000-{number:012d}"


def test_people_in_a_breakout_keep_the_meeting_alive_and_count(node, other_node, api, meeting):
    node.conference_started(meeting["id"])
    anna = sip(node, meeting["id"], "Anna")
    other_node.conference_started(breakout(meeting))
    boris = sip(other_node, breakout(meeting), "Boris")
    assert names(api, meeting) == ["Anna", "Boris"]
    anna.leave()
    node.conference_ended(meeting["id"])
    keeps_going(api, meeting, SILENT)
    assert api.read(meeting["id"])["participant_count"] == 1
    boris.leave()
    other_node.conference_ended(breakout(meeting))
    assert ends(api, meeting)["inferred"] is False


def test_a_breakout_that_is_seen_first_makes_the_meeting_live(node, api, meeting):
    node.conference_started(breakout(meeting))
    sip(node, breakout(meeting), "Boris")
    assert state(api, meeting) == "live"
    assert names(api, meeting) == ["Boris"]


def test_the_end_of_a_breakout_does_not_end_the_main_room_on_the_same_node(node, api, meeting):
    node.conference_started(meeting["id"])
    sip(node, meeting["id"], "Anna")
    node.conference_started(breakout(meeting))
    sip(node, breakout(meeting), "Boris").leave()
    node.conference_ended(breakout(meeting))
    assert names(api, meeting) == ["Anna"]
    keeps_going(api, meeting)


def test_the_end_of_the_main_room_does_not_empty_a_breakout_on_the_same_node(node, api, meeting):
    node.conference_started(meeting["id"])
    node.conference_started(breakout(meeting))
    boris = sip(node, breakout(meeting), "Boris")
    node.conference_ended(meeting["id"])
    keeps_going(api, meeting)
    assert names(api, meeting) == ["Boris"]
    boris.leave()
    node.conference_ended(breakout(meeting))
    assert ends(api, meeting)["inferred"] is False


def test_moving_between_rooms_without_a_goodbye_neither_loses_nor_doubles_anybody(node, api, meeting):
    node.conference_started(meeting["id"])
    anna = sip(node, meeting["id"], "Anna")
    for number in (1, 2):
        node.conference_started(breakout(meeting, number))
        anna.media.updated(conference=breakout(meeting, number), connect_time=None)
        assert names(api, meeting) == ["Anna"]
    node.conference_ended(breakout(meeting, 1))
    assert names(api, meeting) == ["Anna"]
    anna.media.updated(conference=meeting["id"])
    for number in (1, 2):
        node.conference_ended(breakout(meeting, number))
    keeps_going(api, meeting)
    assert names(api, meeting) == ["Anna"]


def test_a_host_who_watches_breakouts_is_one_person(node, api, meeting):
    node.conference_started(meeting["id"])
    anna = two_legs(node, meeting["id"], "Anna", role="chair")
    for number in (1, 2):
        node.conference_started(breakout(meeting, number))
        Leg(node, breakout(meeting, number), "Anna", role="chair", has_media=False, protocol="API",
            conversation_id=anna.media.data["conversation_id"]).connected()
    assert names(api, meeting) == ["Anna"]


@pytest.mark.parametrize("pattern", ["_breakout_{}", "{}-breakout_1", "{}_break_1", "x{}_breakout_1"])
def test_what_only_resembles_a_breakout_is_foreign(node, api, meeting, pattern):
    node.conference_started(pattern.format(meeting["id"]))
    sip(node, pattern.format(meeting["id"]), "Stranger")
    assert state(api, meeting) == "open"


# Windows

def test_a_meeting_with_a_window_returns_to_open_and_ends_when_it_closes(server, node, api):
    meeting = api.create(not_before=stamp(-60), not_after=stamp(3))
    closes = parsed(meeting["not_after"]).timestamp()
    assert meeting["state"] == "open" and admits(node, meeting)
    for _ in range(2):
        node.conference_started(meeting["id"])
        two_legs(node, meeting["id"], "Anna").leave()
        node.conference_ended(meeting["id"])
        wait_until(lambda: state(api, meeting) == "open", FIRST + LATE, "the return to open")
        assert api.read(meeting["id"])["participant_count"] == 0
    assert time.time() < closes and admits(node, meeting)
    ended = ends(api, meeting, closes - time.time() + LATE)
    assert time.time() >= closes - 0.1
    assert ended["inferred"] is False
    assert not admits(node, meeting)
    assert join(server, meeting).status == 410


def test_before_its_window_nobody_gets_in(server, node, api):
    meeting = api.create(not_before=stamp(2), not_after=stamp(3600))
    opens = parsed(meeting["not_before"]).timestamp()
    assert not admits(node, meeting)
    assert join(server, meeting).status == 403
    wait_until(lambda: admits(node, meeting), 2 + LATE, "the opening of the window")
    assert time.time() >= opens - 0.1
    assert join(server, meeting).status == 303


def test_a_meeting_that_is_live_when_its_window_closes_goes_on_until_it_is_empty(node, api):
    meeting = api.create(not_before=stamp(-60), not_after=stamp(2))
    closes = parsed(meeting["not_after"]).timestamp()
    node.conference_started(meeting["id"])
    anna = two_legs(node, meeting["id"], "Anna")
    before = node.policy(meeting["id"]).body
    wait_until(lambda: time.time() > closes + 0.2, 5)
    keeps_going(api, meeting, 0.5)
    assert node.policy(meeting["id"]).body == before
    anna.leave()
    node.conference_ended(meeting["id"])
    # Somebody may be held on to who asked above; DELETE tells that nobody is in it any more.
    api.delete(meeting["id"])
    ends(api, meeting)


# Closing, and never used

def test_deleting_a_live_meeting_closes_the_door_and_throws_nobody_out(server, node, other_node, api, meeting):
    node.conference_started(meeting["id"])
    anna = two_legs(node, meeting["id"], "Anna")
    api.delete(meeting["id"])
    closed = api.read(meeting["id"])
    assert (closed["state"], closed["closed"], closed["participant_count"]) == ("live", True, 1)
    rejected = other_node.policy(meeting["id"]).json()
    assert (rejected["status"], rejected["action"]) == ("success", "reject")
    assert "result" not in rejected
    assert join(server, meeting).status in (403, 404, 410)
    keeps_going(api, meeting)
    api.delete(meeting["id"])
    assert names(api, meeting) == ["Anna"]
    anna.leave()
    node.conference_ended(meeting["id"])
    assert ends(api, meeting)["closed"] is True


def test_a_rejected_caller_does_not_hold_the_end(node, api, meeting):
    node.conference_started(meeting["id"])
    anna = two_legs(node, meeting["id"], "Anna")
    api.delete(meeting["id"])
    anna.leave()
    assert not admits(node, meeting)
    node.conference_ended(meeting["id"])
    ends(api, meeting)


@pytest.mark.parametrize("past", ["never joined", "left again"])
def test_deleting_a_meeting_that_nobody_is_in_ends_it_at_once(server, node, api, meeting, past):
    if past == "left again":
        node.conference_started(meeting["id"])
        two_legs(node, meeting["id"], "Anna").leave()
    api.delete(meeting["id"])
    ended = api.read(meeting["id"])
    assert ended["state"] == "ended"
    assert ended["ended_at"] is not None
    assert not admits(node, meeting)
    assert join(server, meeting).status == 410


def test_what_nobody_joined_expires(make_httpd):
    httpd = make_httpd(workspace(grace=GRACE, extra="PexipRCMeetingLifetime 2s"))
    api, node = Api(httpd), Node("10.8.0.1", httpd)
    later = api.create(not_before=stamp(60))
    meeting, used = api.create(), api.create()
    lasts = parsed(meeting["expires_at"]) - parsed(meeting["created_at"])
    assert abs(lasts.total_seconds() - 2) < 0.1
    assert abs((parsed(later["expires_at"]) - parsed(later["not_before"])).total_seconds() - 2) < 0.1
    node.started()
    node.conference_started(used["id"])
    anna = sip(node, used["id"], "Anna", service_tag=TAG)
    ended = ends(api, meeting, 2 + LATE)
    assert time.time() >= parsed(meeting["expires_at"]).timestamp() - 0.1
    assert ended["started_at"] is None
    assert not admits(node, meeting)
    assert join(httpd, meeting).status == 410
    stays(lambda: state(api, used) == "live", 0.5)
    assert state(api, later) == "open"
    anna.leave()
    node.conference_ended(used["id"])
    ends(api, used)
