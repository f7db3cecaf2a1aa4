"""Persistent chat: one discussion for each meeting, carried to the web app in the links, with the people who come."""

import re
import time
from datetime import datetime, timezone
from urllib.parse import parse_qs, urlsplit

import pytest
from chat import AFTER_RETRY, SOON, blameless, make_sites, sites  # noqa: F401
from httpd import PATIENCE
from waiting import stays, wait_until
from workspace import BASE

ON = "PexipRCPersistentChat On\n"
TROUBLE = r"Rocket\.Chat|discussion"


@pytest.fixture(scope="module")
def all_sites(mpm):
    specs = {"usual": {"extra": ON}, "named": {"extra": ON + 'PexipRCDiscussionName "Talk %d.%m.%Y"'}, "off": {}, "mute": {"extra": ON, "rest": False},
             "old": {"extra": ON, "version": "6.13"}}
    with sites(mpm, specs) as made:
        made["mute"].httpd.expect("PexipRCPersistentChat")      # it warns of what cannot be had
        yield made


@pytest.fixture
def site(all_sites):
    return all_sites["usual"]


def discussion_of(site, room, timeout=SOON):
    """The room's only discussion."""
    found = wait_until(lambda: site.chat.discussions(room), timeout, "a discussion")
    assert len(found) == 1, found
    return found[0]


def recorded(site, meeting, timeout=SOON):
    """Until the module knows the discussion that it has made."""
    return wait_until(lambda: site.api.read(meeting["id"])["discussion"], timeout, "the discussion in the meeting")


def chat_url(site, discussion):
    return f"{site.url}/{'channel' if discussion.kind == 'c' else 'group'}/{discussion.name}?layout=embedded"


@pytest.mark.parametrize("kind", "cpd")
@pytest.mark.parametrize("name", ["usual", "old"])
def test_a_meeting_gets_a_discussion_below_its_room(all_sites, kind, name):
    site = all_sites[name]
    room = site.chat.direct(site.nina, site.chat.bot) if kind == "d" else site.room(kind)
    before = set(site.chat.discussions(room))
    meeting = site.start("With chat", room)
    discussion, = wait_until(lambda: set(site.chat.discussions(room)) - before, SOON, "a discussion")
    assert re.fullmatch(r"Conference Call Chat History - \d{4}-\d\d-\d\d \d\d:\d\d", discussion.shown)
    made = datetime.strptime(discussion.shown[-16:], "%Y-%m-%d %H:%M").replace(tzinfo=timezone.utc)
    assert abs((datetime.now(timezone.utc) - made).total_seconds()) < 130
    known = recorded(site, meeting)
    assert (known["id"], known["type"]) == (discussion.id, discussion.kind)
    call = [each for each in site.chat.calls_of("rooms.createDiscussion", room.id)][-1]
    assert call.json.get("encrypted") is False and not discussion.encrypted
    assert call.json.keys() <= {"prid", "t_name", "users", "encrypted"}


def test_its_name_is_the_administrators(all_sites):
    site = all_sites["named"]
    room = site.room()
    site.start("Named", room)
    today = datetime.now(timezone.utc)
    assert discussion_of(site, room).shown in (today.strftime("Talk %d.%m.%Y"), datetime.now(timezone.utc).strftime("Talk %d.%m.%Y"))


def test_the_links_carry_it_encoded_once(site):
    room = site.room()
    meeting = site.start("Carried", room)
    discussion = discussion_of(site, room)
    recorded(site, meeting)
    wanted = chat_url(site, discussion)
    for landed in (site.visitor().open(meeting["join_url"]), site.visitor(site.nina).open(meeting["join_url"]), site.visitor(site.boris).open(meeting["join_url"])):
        assert landed.status == 303 and landed.rid == wanted
        assert landed.location.startswith(f"{BASE}/webapp/conference?conference={meeting['id']}&") and "%25" not in landed.location
    link = site.api.link(meeting["id"])["url"]
    assert parse_qs(urlsplit(link).query)["rid"] == [wanted]


def test_a_room_with_long_lists_of_people_has_one(site):
    room = site.room()
    room.muted = [f"somebody.with.number.{number}" for number in range(20_000)]
    site.start("Crowded", room)
    discussion_of(site, room)


def test_below_a_discussion_it_belongs_to_the_topmost_parent(site):
    top = site.room()
    middle = site.chat.add_discussion(top, "Talk", [site.nina, site.chat.bot])
    site.start("Nested", middle)
    made = wait_until(lambda: [each for each in site.chat.discussions(top) if each is not middle], SOON, "the discussion")
    assert len(made) == 1 and not site.chat.discussions(middle)


def test_a_chain_of_discussions_leads_to_the_top(site):
    """Old workspaces have discussions below discussions."""
    top = site.room()
    middle = site.chat.add_discussion(top, "Middle", [site.nina, site.chat.bot])
    lower = site.chat.add_discussion(middle, "Lower", [site.nina, site.chat.bot])
    site.start("Nested deeply", lower)
    wait_until(lambda: [each for each in site.chat.discussions(top) if each is not middle], SOON, "the discussion at the top")
    assert site.chat.discussions(middle) == [lower] and not site.chat.discussions(lower)


def test_people_who_come_are_added(site):
    room = site.room()
    meeting = site.start("Added", room)
    discussion = discussion_of(site, room)
    wait_until(lambda: site.nina in discussion.members, SOON, "the creator in the discussion")
    recorded(site, meeting)
    assert site.carla not in discussion.members
    site.visitor(site.boris).open(meeting["join_url"])
    wait_until(lambda: site.boris in discussion.members, SOON, "Boris in the discussion")
    site.visitor().open(meeting["join_url"], "name=carla")
    stays(lambda: site.carla not in discussion.members, 0.5, "the discussion without whom nobody recognised")


def test_who_gets_a_link_by_the_api_is_added(site):
    """The companion app asks for one when somebody joins by the call button."""
    room = site.room()
    meeting = site.start("Linked", room)
    discussion = discussion_of(site, room)
    site.api.link(meeting["id"], user=site.boris.creator())
    wait_until(lambda: site.boris in discussion.members, SOON, "Boris in the discussion")
    invited = len(site.chat.calls_of("groups.invite"))
    for user in ({}, {"name": "Carla Example"}, {"id": ""}, {"username": "carla"}):
        site.api.call("POST", f"/meetings/{meeting['id']}/links", {"user": user})
    stays(lambda: len(site.chat.calls_of("groups.invite")) == invited, 0.5, "the discussion without whom nobody has named")
    site.api.link(meeting["id"], user={"id": "nobodyOfThisName1"})
    wait_until(lambda: len(site.chat.calls_of("groups.invite")) > invited, SOON, "somebody unknown to be invited")


@pytest.mark.once
def test_who_comes_before_the_chat_is_made_is_added_when_it_is(make_sites):
    site = make_sites({"slow": {"extra": ON}})["slow"]
    site.httpd.expect(TROUBLE)
    fault = site.chat.fault("rooms.createDiscussion", "hang", times=1)
    room = site.room()
    meeting = site.start("Slow", room)
    wait_until(lambda: fault.hits, SOON, "the discussion to be asked for")
    for user in (site.boris, site.carla):
        assert site.visitor(user).open(meeting["join_url"]).status == 303
    fault.stop()
    discussion = discussion_of(site, room, AFTER_RETRY)
    wait_until(lambda: {site.boris, site.carla} <= set(discussion.members), AFTER_RETRY, "both in the discussion")


@pytest.mark.parametrize("name", ["off", "mute"])
def test_there_is_none_where_it_is_off_or_nothing_may_be_asked(all_sites, name):
    site = all_sites[name]
    room = site.room()
    meeting = site.start("Without", room)
    stays(lambda: not site.chat.calls_of("rooms.createDiscussion") and not site.chat.discussions(room), 1, "the room without discussion")
    assert site.visitor().open(meeting["join_url"]).rid is None


def test_a_meeting_that_brings_its_discussion_gets_no_other(site):
    room = site.room()
    own = site.chat.add_discussion(room, "Own", [site.nina, site.chat.bot])
    meeting = site.api.create(room=room.as_meant(), creator=site.nina.creator(), discussion={"id": own.id, "name": own.name, "type": own.kind})
    landed = site.visitor().open(meeting["join_url"])
    assert landed.rid == chat_url(site, own)
    stays(lambda: site.chat.discussions(room) == [own], 1.5, "the only discussion")


def test_a_visitors_room_has_none_and_that_is_no_failure(site):
    """Omnichannel has no discussions."""
    room = site.room("l")
    meeting = site.start("Visitor", room)
    site.message_of(meeting)
    wait_until(lambda: [call for call in site.chat.calls_of("rooms.info") if call.query["roomId"] == room.id], SOON, "the question what kind of room it is")
    stays(lambda: not site.chat.discussions(room) and meeting["id"] not in str(site.deliveries()), 1, "no discussion and no failure")


FAULTS = ["lost", "hang", "500", "failure", "garbage"]


@pytest.mark.once
@pytest.mark.parametrize("kind", FAULTS)
def test_it_is_made_once_and_delays_nothing(make_sites, kind):
    site = make_sites({"troubled": {"extra": ON}})["troubled"]
    site.httpd.expect(TROUBLE)
    fault = site.chat.fault("rooms.createDiscussion", kind, times=1, stored=True)
    room = site.room()
    said = site.say("!pexip Troubled", room)
    assert said.status == 200 and said.seconds < 2 + 1.5 * PATIENCE
    meeting = site.meeting(room)
    assert site.visitor(site.boris).open(meeting["join_url"]).status == 303
    site.message_of(meeting, AFTER_RETRY)
    wait_until(lambda: fault.hits, SOON, "the fault")
    recorded(site, meeting, AFTER_RETRY)
    assert len(site.chat.discussions(room)) == 1
    assert site.visitor().open(meeting["join_url"]).rid == chat_url(site, discussion_of(site, room))


def test_where_discussions_are_forbidden_meetings_go_on(make_sites):
    site = make_sites({"forbidden": {"extra": ON}})["forbidden"]
    site.httpd.expect(TROUBLE)
    site.chat.discussions_enabled = False
    room = site.room()
    meeting = site.start("Forbidden", room)
    message = site.message_of(meeting)
    landed = site.visitor(site.nina).open(meeting["join_url"])
    assert landed.role(meeting) == "host" and landed.rid is None
    site.api.delete(meeting["id"])
    wait_until(lambda: re.search(r"\bended\b", message.text), AFTER_RETRY, "the end in the message")
    assert len(site.chat.calls_of("rooms.createDiscussion")) <= 3


@pytest.mark.once
def test_a_crowd_that_cannot_be_added_holds_up_no_other_workspace(make_sites):
    made = make_sites({"crowded": {"extra": ON}, "other": {}})
    site, other = made["crowded"], made["other"]
    site.httpd.expect(TROUBLE)
    room = site.room()
    meeting = site.start("Crowded", room)
    recorded(site, meeting)
    site.message_of(meeting)
    fault = site.chat.fault("groups.invite", "hang")
    crowd = [site.chat.add_user(f"visitor{number}", f"Visitor {number}") for number in range(40)]
    assert all(site.visitor(each).open(meeting["join_url"]).status == 303 for each in crowd)
    wait_until(lambda: fault.hits, SOON, "invitations that hang")
    began = time.monotonic()
    theirs = other.start("Meanwhile", other.room())
    other.message_of(theirs)
    assert time.monotonic() - began < 3 * PATIENCE


@pytest.mark.once
def test_nobody_is_added_before_rocket_chat_wants_to_be_asked_again(make_sites):
    site = make_sites({"limited": {"extra": ON}})["limited"]
    site.httpd.expect(TROUBLE)
    meeting = site.start("Limited", site.room())
    recorded(site, meeting)
    fault = site.chat.fault("groups.invite", "429", times=1, seconds=600)
    site.visitor(site.boris).open(meeting["join_url"])
    wait_until(lambda: fault.hits, SOON, "the first invitation")
    site.visitor(site.carla).open(meeting["join_url"])
    stays(lambda: len(site.chat.calls_of("groups.invite")) == 1, 1.5, "the only invitation")
