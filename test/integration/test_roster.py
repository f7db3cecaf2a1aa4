"""Who is in a meeting: legs grouped into persons, their names, roles, protocols and quality."""

import itertools
import json
import uuid
from datetime import datetime

import pytest

from conftest import SAMPLES
from pexip import API_LEG, BEFORE_PIN, Leg, now, one_leg, sip, streaming, two_legs


def roster(api, meeting):
    read = api.read(meeting["id"])
    assert read["participant_count"] == len(read["participants"])
    return sorted(read["participants"], key=lambda person: person["name"])


def names(api, meeting):
    return [person["name"] for person in roster(api, meeting)]


def the_only_one(api, meeting):
    [person] = roster(api, meeting)
    return person


@pytest.fixture
def hosted(node, meeting):
    node.conference_started(meeting["id"])
    return meeting


# One person is one group of legs

def linked(node, name, how):
    """An API leg and a media leg of the same person, tied together in one way only."""
    api_leg = Leg(node, name, "Anna", **{**API_LEG, "role": "chair"})
    media = Leg(node, name, "Anna", role="chair")
    if how == "conversation":
        media.data["conversation_id"] = api_leg.uuid
    elif how == "foreign conversation":
        api_leg.data["conversation_id"] = media.data["conversation_id"] = str(uuid.uuid4())
    elif how == "media names api":
        media.data["related_uuids"] = [api_leg.uuid]
    elif how == "api names media":
        api_leg.data["related_uuids"] = [media.uuid]
    return api_leg, media


LINKS = ["conversation", "foreign conversation", "media names api", "api names media"]


@pytest.mark.parametrize("order", [1, -1], ids=["api-first", "media-first"])
@pytest.mark.parametrize("how", LINKS)
def test_two_legs_of_one_person_are_one(node, api, hosted, how, order):
    legs = linked(node, hosted["id"], how)
    for leg in legs[::order]:
        leg.connected()
    person = the_only_one(api, hosted)
    assert (person["name"], person["role"], person["protocol"]) == ("Anna", "host", "WebRTC")


@pytest.mark.parametrize("how", LINKS)
def test_a_presentation_leg_with_media_is_no_second_person(node, api, hosted, how):
    screen, camera = linked(node, hosted["id"], how)
    screen.data.update(protocol="MSSIP", has_media=True, is_presenting=True)
    camera.data.update(protocol="MSSIP")
    camera.connected()
    screen.connected()
    assert names(api, hosted) == ["Anna"]
    screen.disconnected()
    assert names(api, hosted) == ["Anna"]
    camera.disconnected()
    assert names(api, hosted) == []


def test_a_chain_of_related_legs_is_one_person(node, api, hosted):
    legs = [Leg(node, hosted["id"], "Anna") for _ in range(3)]
    legs[0].data["related_uuids"] = [legs[1].uuid]
    legs[2].data["related_uuids"] = [legs[1].uuid]
    for leg in (legs[0], legs[2], legs[1]):
        leg.connected()
    assert names(api, hosted) == ["Anna"]


def test_legs_that_learn_of_each_other_later_become_one(node, api, hosted):
    camera, screen = Leg(node, hosted["id"], "Anna"), Leg(node, hosted["id"], "Anna")
    camera.connected()
    screen.connected()
    assert names(api, hosted) == ["Anna", "Anna"]
    screen.updated(related_uuids=[camera.uuid])
    assert names(api, hosted) == ["Anna"]


def test_the_same_name_twice_is_two_persons(node, api, hosted):
    two_legs(node, hosted["id"], "Anna")
    two_legs(node, hosted["id"], "Anna")
    first, second = roster(api, hosted)
    assert first["id"] != second["id"]


def test_legs_of_one_person_on_two_nodes_are_one(node, other_node, api, hosted):
    other_node.conference_started(hosted["id"])
    api_leg = Leg(node, hosted["id"], "Anna", **API_LEG)
    api_leg.connected()
    Leg(other_node, hosted["id"], "Anna", conversation_id=api_leg.uuid, related_uuids=[api_leg.uuid]).connected()
    assert names(api, hosted) == ["Anna"]


def test_a_person_keeps_its_id_while_its_legs_change(node, api, hosted):
    anna = two_legs(node, hosted["id"], "Anna")
    before = the_only_one(api, hosted)
    anna.media.updated(is_muted=True)
    anna.media.stream_window("ok")
    assert the_only_one(api, hosted)["id"] == before["id"]
    assert the_only_one(api, hosted)["connected_at"] == before["connected_at"]


def test_without_its_media_leg_nobody_is_in_the_room(node, api, hosted):
    anna = two_legs(node, hosted["id"], "Anna")
    anna.media.disconnected()
    assert names(api, hosted) == []
    # and the browser connects its media again, by a new leg
    Leg(node, hosted["id"], "Anna", conversation_id=anna.legs[0].uuid, related_uuids=[anna.legs[0].uuid]).connected()
    assert names(api, hosted) == ["Anna"]


def test_a_person_stays_when_only_the_control_connection_goes(node, api, hosted):
    anna = two_legs(node, hosted["id"], "Anna")
    anna.legs[0].disconnected()
    assert names(api, hosted) == ["Anna"]


# Who counts

@pytest.mark.parametrize("fields", [{"has_media": False}, {"is_streaming": True}, {**API_LEG}, {"service_type": "connecting"},
                                    {"service_type": "ivr"}, {"service_type": "two_stage_dialing"}, {"service_type": "waiting_room"},
                                    {"service_type": "test_call"}, {"service_type": "media_playback"}, {"protocol": "BACKPLANE"}],
                         ids=lambda fields: "-".join(map(str, list(fields.values())[:1] + list(fields)[:1])))
def test_who_is_not_in_the_room_is_not_counted(node, api, hosted, fields):
    Leg(node, hosted["id"], "Not there", **fields).connected()
    assert api.read(hosted["id"])["participant_count"] == 0


@pytest.mark.parametrize("service_type", ["conference", "lecture", "Conference"])
def test_who_is_in_the_room_is_counted(node, api, hosted, service_type):
    Leg(node, hosted["id"], "Anna", service_type=service_type).connected()
    assert names(api, hosted) == ["Anna"]


def test_the_current_service_type_is_read_under_its_other_name(node, api, hosted):
    anna = Leg(node, hosted["id"], "Anna")
    del anna.data["service_type"]
    anna.connected(current_service_type="conference")
    assert names(api, hosted) == ["Anna"]


def test_a_missing_connect_time_does_not_hide_anybody(node, api, hosted):
    Leg(node, hosted["id"], "Anna", connect_time=None).connected()
    person = the_only_one(api, hosted)
    shown = datetime.fromisoformat(person["connected_at"].replace("Z", "+00:00")).timestamp()
    assert abs(shown - now()) < 5


def test_the_time_of_connection_is_the_nodes(node, api, hosted):
    Leg(node, hosted["id"], "Anna", connect_time=now() - 100).connected()
    shown = datetime.fromisoformat(the_only_one(api, hosted)["connected_at"].replace("Z", "+00:00")).timestamp()
    assert abs(shown - (now() - 100)) < 5


def test_a_room_system_is_counted_once_it_is_through_the_pin(node, api, hosted):
    boris = Leg(node, hosted["id"], "Boardroom", protocol="SIP", **BEFORE_PIN)
    boris.connected()
    assert api.read(hosted["id"])["participant_count"] == 0
    boris.updated(service_type="ivr", connect_time=now())
    assert api.read(hosted["id"])["participant_count"] == 0
    boris.updated(service_type="conference", role="chair")
    person = the_only_one(api, hosted)
    assert (person["name"], person["role"], person["protocol"]) == ("Boardroom", "host", "SIP")


def test_admission_from_the_waiting_room_and_back(node, api, hosted):
    boris = one_leg(node, hosted["id"], "Boris", waiting=True)
    assert api.read(hosted["id"])["participant_count"] == 0
    boris.admit()
    assert names(api, hosted) == ["Boris"]
    boris.media.updated(service_type="waiting_room")
    assert api.read(hosted["id"])["participant_count"] == 0
    boris.admit()
    boris.leave()
    assert names(api, hosted) == []


def test_a_recorder_beside_people_is_not_one_of_them(node, api, hosted):
    two_legs(node, hosted["id"], "Anna")
    recorder = streaming(node, hosted["id"])
    assert names(api, hosted) == ["Anna"]
    recorder.leave()
    assert names(api, hosted) == ["Anna"]


def test_many_people_come_and_go(node, other_node, api, hosted):
    other_node.conference_started(hosted["id"])
    people = {}
    for number in range(24):
        join = (two_legs, one_leg, sip)[number % 3]
        people[f"P{number:02}"] = join((node, other_node)[number % 2], hosted["id"], f"P{number:02}")
    assert names(api, hosted) == sorted(people)
    for name in sorted(people)[::2]:
        people.pop(name).leave()
    assert names(api, hosted) == sorted(people)
    for person in people.values():
        person.leave()
    assert names(api, hosted) == []


def test_the_roster_is_left_out_of_lists(node, api, hosted):
    two_legs(node, hosted["id"], "Anna")
    [listed] = [each for each in api.list(state="live", limit=100)["meetings"] if each["id"] == hosted["id"]]
    assert listed["participant_count"] == 1
    assert not listed.get("participants") and not listed.get("pins")


# What is told about a person

@pytest.mark.parametrize("said, shown", [("chair", "host"), ("guest", "guest"), ("unknown", "unknown"), ("Chair", "host"),
                                         ("GUEST", "guest"), ("presenter", "unknown"), ("", "unknown")])
def test_roles(node, api, hosted, said, shown):
    Leg(node, hosted["id"], "Anna", role=said).connected()
    assert the_only_one(api, hosted)["role"] == shown


def test_a_change_of_role_or_name_is_shown(node, api, hosted):
    anna = two_legs(node, hosted["id"], "Anna", role="guest")
    assert the_only_one(api, hosted)["role"] == "guest"
    anna.media.updated(role="chair", display_name="Anna Example")
    person = the_only_one(api, hosted)
    assert (person["role"], person["name"]) == ("host", "Anna Example")


@pytest.mark.parametrize("protocol", ["WebRTC", "SIP", "H323", "TEAMS", "MSSIP", "GHM"])
def test_protocols(node, api, hosted, protocol):
    Leg(node, hosted["id"], "Anna", protocol=protocol).connected()
    assert the_only_one(api, hosted)["protocol"] == protocol


@pytest.mark.parametrize("protocol", ["api", "API (control)"])
def test_the_protocol_is_its_first_word_in_any_case(node, api, hosted, protocol):
    Leg(node, hosted["id"], "Bot", protocol=protocol, has_media=False).connected()
    two_legs(node, hosted["id"], "Anna")
    assert names(api, hosted) == ["Anna"]


# Quality

def test_before_any_report_the_quality_is_unknown(node, api, hosted):
    two_legs(node, hosted["id"], "Anna")
    assert the_only_one(api, hosted)["quality"] == "unknown"


@pytest.mark.parametrize("quality", ["good", "ok", "bad", "terrible"])
def test_quality_follows_the_reports(node, api, hosted, quality):
    anna = two_legs(node, hosted["id"], "Anna")
    two_legs(node, hosted["id"], "Boris").media.stream_window("good")
    anna.media.stream_window("ok" if quality != "ok" else "bad")
    anna.media.stream_window(quality)
    assert [(person["name"], person["quality"]) for person in roster(api, hosted)] == [("Anna", quality), ("Boris", "good")]


@pytest.mark.parametrize("how", ["api names media", "media names api", "conversation"])
def test_quality_that_is_reported_for_the_other_leg_is_the_persons(node, api, hosted, how):
    legs = linked(node, hosted["id"], how)
    for leg in legs:
        leg.connected()
    legs[0].stream_window("bad")
    assert the_only_one(api, hosted)["quality"] == "bad"


def test_quality_is_joined_by_a_related_uuid_that_never_was_a_leg_of_its_own(node, api, hosted):
    media = str(uuid.uuid4())
    anna = Leg(node, hosted["id"], "Anna", related_uuids=[media])
    anna.connected()
    Leg(node, hosted["id"], "Anna", uuid=media).stream_window("terrible")
    assert the_only_one(api, hosted)["quality"] == "terrible"


def test_a_late_report_of_quality_does_not_replace_a_newer_one(node, api, hosted):
    anna = two_legs(node, hosted["id"], "Anna")
    late = anna.media.stream_window("terrible", send=False)
    anna.media.stream_window("good")
    node.send(late)
    assert the_only_one(api, hosted)["quality"] == "good"


def test_an_update_does_not_forget_the_quality(node, api, hosted):
    anna = two_legs(node, hosted["id"], "Anna")
    anna.media.stream_window("bad")
    anna.media.updated(is_muted=True)
    assert the_only_one(api, hosted)["quality"] == "bad"


# The walk-through of the reference

# After each file: who is in the room, with role and quality.
ANNA = ("Anna Example", "host", "unknown")
ANNA_OK = ("Anna Example", "host", "ok")
BORIS = ("Boris Example", "guest", "unknown")
STEPS = [[], [], [], [ANNA], [ANNA], [ANNA], [ANNA], [ANNA], [ANNA, BORIS], [ANNA, BORIS], [ANNA_OK, BORIS], [ANNA_OK, BORIS],
         [ANNA_OK], [ANNA_OK], [ANNA_OK], [], [], []]


TELLINGS = itertools.count(1)


def walk_through(meeting):
    """The recorded events, told of our meeting and of the last two seconds instead of the last quarter of an hour."""
    files = sorted((SAMPLES / "events" / "constructed_walkthrough").glob("*.json"))
    events = [json.loads(path.read_text()) for path in files]
    first, began = min(event["data"].get("start_time") or event["time"] for event in events), now() - 2

    def told_now(value):
        if isinstance(value, dict):
            return {key: round(began + (inner - first) / 500, 6) if key.endswith("time") and isinstance(inner, float)
                    else told_now(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [told_now(inner) for inner in value]
        return value

    # Each telling has nodes and legs of its own.
    mine = f"{next(TELLINGS):04}"
    text = json.dumps([told_now(event) for event in events])
    for recorded, told in (("rc-7Qd2mX9vKpL4sT8hZ", meeting["id"]), ("-000000000", f"-{mine}00000"), ("10.10.1.11", f"10.77.{int(mine)}.11"),
                           ("10.10.2.21", f"10.77.{int(mine)}.21")):
        assert recorded in text
        text = text.replace(recorded, told)
    return json.loads(text)


def seen(api, meeting):
    return [(person["name"], person["role"], person["quality"]) for person in roster(api, meeting)]


def test_the_walk_through_step_by_step(node, api, meeting):
    events = walk_through(meeting)
    assert len(events) == len(STEPS)
    for number, (event, expected) in enumerate(zip(events, STEPS), 1):
        node.send(event)
        read = api.read(meeting["id"])
        assert read["state"] == "live", number
        assert read["participant_count"] == len(expected), number
        counted = [(person["name"], person["role"], person["quality"]) for person in sorted(read["participants"], key=lambda each: each["name"])]
        # Who waits may be shown, as long as he is not counted.
        assert [each for each in counted if len(expected) == len(counted) or each in expected] == expected, number
    shares = {each["address"]: each["ended"] for each in api.read(meeting["id"])["nodes"]}
    assert shares == {events[0]["node"]: True, events[5]["node"]: True}


@pytest.mark.parametrize("first", ["Anna Example", "Boris Example"])
def test_the_walk_through_with_one_node_wholly_before_the_other(node, api, meeting, first):
    """Between nodes no order is promised."""
    events = walk_through(meeting)
    node_of = {"Anna Example": events[0]["node"], "Boris Example": events[5]["node"]}
    goodbyes = range(12, 18), range(11, 14)
    mine = [event for event in events if event["node"] == node_of[first]]
    for event in mine:
        if events.index(event) not in (goodbyes[0] if first == "Anna Example" else goodbyes[1]):
            node.send(event)
    assert [person[0] for person in seen(api, meeting)] == [first]
    for event in events:
        if event["node"] != node_of[first]:
            node.send(event)
    assert [person[0] for person in seen(api, meeting)] == [first]


def test_the_walk_through_as_one_bulk(node, api, meeting):
    events = walk_through(meeting)
    node.bulk(events[:11])
    assert seen(api, meeting) == [ANNA_OK, BORIS]
    node.bulk(events)
    assert seen(api, meeting) == []
