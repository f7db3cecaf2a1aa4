"""One meeting for each room: PexipRCConcurrentCalls Off, and the room's name as an alias."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from chat import SOON, blameless, sites  # noqa: F401
from pexip import one_leg
from test_policy import is_miss, is_service
from waiting import wait_until

OFF = "PexipRCConcurrentCalls Off\n"


@pytest.fixture(scope="module")
def all_sites(mpm):
    with sites(mpm, {"usual": {}, "one": {"extra": OFF}, "named": {"extra": OFF + "PexipRCRoomAlias On"}, "mute": {"extra": OFF, "rest": False}}) as made:
        yield made


@pytest.fixture(params=["one", "mute", "named"])
def site(request, all_sites):
    return all_sites[request.param]


def by_id(site, meeting_id, room, creator=None):
    return site.api.create(id=meeting_id, room=room.as_meant(), creator=(creator or site.nina).creator())


def ids(site, room):
    return [each["id"] for each in site.meetings(room, state="open,live")]


def rejected(answer):
    return answer.status == 200 and answer.json()["action"] == "reject"


def test_otherwise_every_call_is_a_meeting(all_sites):
    site = all_sites["usual"]
    room = site.room()
    assert site.start("First", room)["id"] != site.start("Second", room)["id"]
    assert len(ids(site, room)) == 2


def test_who_calls_again_gets_the_meeting_that_is_open(site):
    room = site.room()
    first = site.start("First", room)
    said = site.say("!pexip Second", room, site.boris)
    assert said.status == 200 and ids(site, room) == [first["id"]]
    again = site.meeting(room)
    assert (again["id"], again["creator"]["id"], again["join_url"], again["pins"]) == (first["id"], site.nina.id, first["join_url"], first["pins"])
    # Boris is told where to go, one way or the other.
    assert said.posted and first["join_url"] in said.text or wait_until(lambda: site.messages_about(first), SOON)


def test_each_room_has_its_own(site):
    one, other = site.room(), site.room()
    assert site.start("One", one)["id"] != site.start("Other", other)["id"]


def test_it_is_reused_while_it_is_live_and_new_after_its_end(site):
    room = site.room()
    first = site.start("First", room)
    node = site.node()
    node.conference_started(first["id"])
    anna = one_leg(node, first["id"], "Anna")
    site.say("!pexip Second", room)
    assert ids(site, room) == [first["id"]]
    anna.leave()
    node.conference_ended(first["id"])
    site.becomes(first, "ended")
    second = site.start("Third", room)
    assert second["id"] != first["id"] and ids(site, room) == [second["id"]]
    assert second["pins"] != first["pins"] and second["join_url"] != first["join_url"]


def test_further_ids_are_aliases_of_the_meeting(site):
    """A companion app makes one id for each call: all lead to the same conference."""
    room = site.room()
    first = by_id(site, "FirstIdOf" + room.name, room)
    for number in range(3):
        again = by_id(site, f"Further{number}{room.name}", room, site.boris)
        assert (again["id"], again["creator"]["id"]) == (first["id"], site.nina.id)
    node = site.node()
    answers = [node.policy(alias) for alias in (first["id"], *(f"Further{number}{room.name}" for number in range(3)))]
    assert all(is_service(answer, first["id"]) for answer in answers)
    assert len({answer.body for answer in answers}) == 1
    assert {f"Further{number}{room.name}" for number in range(3)} <= set(site.api.read(first["id"])["aliases"])
    assert is_miss(node.policy(f"Further9{room.name}"))


def test_the_aliases_end_with_the_meeting(site):
    room = site.room()
    first = by_id(site, "EndingId" + room.name, room)
    by_id(site, "EndingAlias" + room.name, room)
    site.api.delete(first["id"])
    node = site.node()
    assert all(rejected(node.policy(each + room.name)) for each in ("EndingId", "EndingAlias"))
    assert by_id(site, "AfterTheEnd" + room.name, room)["id"] == "AfterTheEnd" + room.name
    assert rejected(node.policy("EndingAlias" + room.name))


def test_a_closed_meeting_is_not_reused(site):
    room = site.room()
    first = site.start("Closed", room)
    node = site.node()
    node.conference_started(first["id"])
    one_leg(node, first["id"], "Anna")
    site.api.delete(first["id"])
    assert site.api.read(first["id"])["state"] == "live"
    second = by_id(site, "AfterClosing" + room.name, room)
    assert second["id"] != first["id"] and not second["closed"]


def test_many_who_call_at_once_share_one(site):
    room = site.room()
    with ThreadPoolExecutor(20) as pool:
        said = list(pool.map(lambda user: site.say("!pexip All at once", room, user), [site.nina, site.boris, site.carla] * 8))
    assert {each.status for each in said} == {200}
    assert len(ids(site, room)) == 1


def test_many_ids_at_once_share_one(site):
    room = site.room()
    with ThreadPoolExecutor(20) as pool:
        made = list(pool.map(lambda number: by_id(site, f"Parallel{number}{room.name}", room), range(24)))
    assert len({each["id"] for each in made}) == 1
    node = site.node()
    assert len({node.policy(f"Parallel{number}{room.name}").body for number in range(24)}) == 1


def test_a_room_may_ask_as_often_as_it_likes(site):
    room = site.room()
    first = site.start("First", room)
    for number in range(60):
        said = site.say(f"!pexip {number}", room)
        assert said.status == 200 and first["join_url"] in said.text, f"{number}: {said.text}"
    # There is still room for a call of the companion app, whose id a node may ask for.
    call = by_id(site, "ByTheApp" + room.name, room)
    assert call["id"] == first["id"] and is_service(site.node().policy("ByTheApp" + room.name), first["id"])


def test_more_calls_than_a_meeting_can_have_are_refused_for_what_they_are(all_sites):
    site = all_sites["one"]
    room = site.room()
    first = by_id(site, "Call00Of" + room.name, room)
    refused = None
    for number in range(1, 60):
        body = {"id": f"Call{number:02}Of{room.name}", "room": room.as_meant(), "creator": site.nina.creator()}
        answer = site.api.call("POST", "/meetings", body)
        if answer.status != 200:
            refused = refused or number
            assert answer.status == 409 and "calls" in answer.json()["detail"]
    assert refused == 49 and len(site.api.read(first["id"])["aliases"]) == 48
    assert "working set is full" not in site.httpd.error_log()
    # What is typed is led to the meeting all the same.
    assert first["join_url"] in site.say("!pexip", room).text


def test_a_rooms_name_is_nobodys_meeting(all_sites):
    """Anybody may name his room after the id of another one's meeting, as devices write it."""
    site = all_sites["named"]
    room, other = site.room(), site.room()
    meeting = by_id(site, "NinasMeeting" + room.name, room)
    theirs = site.api.create(id="Theirs" + other.name, room={**other.as_meant(), "name": meeting["id"].lower()}, creator=site.boris.creator())
    assert is_service(site.node().policy(meeting["id"].lower()), meeting["id"])
    assert is_service(site.node().policy(theirs["id"]), theirs["id"])


def test_the_rooms_name_is_an_alias_where_that_is_wanted(all_sites):
    site, other = all_sites["named"], all_sites["one"]
    room = site.room()
    node = site.node()
    assert is_miss(node.policy(room.name))
    meeting = by_id(site, "ByName" + room.name, room)
    for alias in (room.name, f"sip:{room.name}@meet.example.com"):
        assert is_service(node.policy(alias), meeting["id"])
    site.api.delete(meeting["id"])
    assert is_miss(node.policy(room.name)) or rejected(node.policy(room.name))
    again = by_id(site, "ByNameAgain" + room.name, room)
    assert is_service(node.policy(room.name), again["id"])
    # Off, the name means nothing.
    theirs = other.room()
    by_id(other, "NotByName" + theirs.name, theirs)
    assert is_miss(other.node().policy(theirs.name))


def test_a_graceful_restart_forgets_no_room(all_sites):
    site = all_sites["one"]
    room = site.room()
    first = site.start("Before", room)
    site.httpd.graceful()
    site.say("!pexip After", room)
    assert ids(site, room) == [first["id"]]
