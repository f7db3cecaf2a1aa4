"""The meetings API: creating, reading, listing, closing, personal links."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from conftest import Servers, bury
from meetings import NINA, ROOM, Api
from pexip import one_leg
from waiting import wait_until
from workspace import ADMIN, BASE, PREFIX, SITE, workspace

MEMBERS = {"id", "title", "state", "closed", "inferred", "numeric_alias", "aliases", "room", "creator", "discussion", "pins", "join_url",
           "created_at", "not_before", "not_after", "started_at", "ended_at", "expires_at", "participant_count", "participants", "nodes"}
BORIS = {"id": "u-boris", "username": "boris", "name": "Boris"}
MINIMAL = {"room": {"id": "R"}, "creator": {"id": "C"}}


@pytest.fixture(scope="module")
def server(mpm):
    servers = Servers(mpm)
    try:
        yield servers(workspace(extra="PexipRCNumericAlias 77 6"))
    finally:
        bury(servers)


def moment(text):
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", text), f"not RFC 3339: {text}"
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def seconds_between(early, late):
    return (moment(late) - moment(early)).total_seconds()


def problem(answer, status, *words):
    """A refusal as RFC 9457 has it; its detail names the words."""
    assert answer.status == status, f"{answer.status} {answer.text[:300]}"
    assert answer.headers["Content-Type"].split(";")[0] == "application/problem+json"
    body = answer.json()
    assert body.get("status", status) == status
    for word in words:
        assert word in body["detail"], f"{word} is not named in: {body['detail']}"
    return True


# Creating

def test_minimal_creation_says_where_the_meeting_is_and_what_it_is(api, server):
    answer = api.call("POST", "/meetings", MINIMAL)
    assert answer.status == 201
    assert answer.headers["Content-Type"].split(";")[0] == "application/json"
    meeting = answer.json()
    assert meeting.keys() >= MEMBERS
    location = urlsplit(answer.headers["Location"])
    assert location.path == f"{PREFIX}/api/v1/meetings/{meeting['id']}"
    assert server.request("GET", location.path, auth=ADMIN).json() == meeting


def test_minimal_creation_fills_in_the_rest(api):
    before = datetime.now(timezone.utc)
    meeting = api.call("POST", "/meetings", MINIMAL).json()
    assert re.fullmatch("[A-Za-z0-9]{8,64}", meeting["id"])
    assert (meeting["state"], meeting["closed"], meeting["inferred"]) == ("open", False, False)
    assert (meeting["room"]["id"], meeting["creator"]["id"]) == ("R", "C")
    assert not meeting["title"] and not meeting["discussion"]
    assert (meeting["participant_count"], meeting["participants"], meeting["nodes"]) == (0, [], [])
    assert [meeting[each] for each in ("not_before", "not_after", "started_at", "ended_at")] == [None] * 4
    assert abs((moment(meeting["created_at"]) - before).total_seconds()) < 5
    assert abs(seconds_between(meeting["created_at"], meeting["expires_at"]) - 24 * 3600) < 2
    assert isinstance(meeting["aliases"], list)


def test_the_join_url_has_a_key_of_128_bits_that_is_not_the_id(api):
    urls = [api.create()["join_url"] for _ in range(20)]
    assert len(set(urls)) == 20
    for url in urls:
        assert url.startswith(f"{SITE}{PREFIX}/join/")
        assert re.fullmatch("[A-Za-z0-9_-]{22,}", url.rpartition("/")[2])


def test_the_number_is_a_string_and_unique(api):
    numbers = [api.create()["numeric_alias"] for _ in range(30)]
    assert all(re.fullmatch(r"77\d{6}", number) for number in numbers)
    assert len(set(numbers)) == 30


def test_no_number_where_none_is_configured(make_httpd):
    assert Api(make_httpd()).create()["numeric_alias"] is None


def test_full_creation_is_given_back(api):
    wanted = {"id": "Full1Creation", "title": "Weekly “planning” 🎉", "room": {"id": "r1", "name": "généräl", "type": "p"},
              "creator": {"id": "u1", "username": "nina.ö", "name": "Nina Østergård"},
              "discussion": {"id": "d1", "name": "talk", "type": "p"}}
    meeting = api.create(**wanted)
    assert {name: meeting[name] for name in wanted} == wanted


@pytest.mark.parametrize("kind", "cpdl")
def test_every_room_type_is_taken(api, kind):
    assert api.create(room={"id": "r1", "name": "n", "type": kind})["room"]["type"] == kind


def test_windows_are_instants_whatever_their_zone(api):
    meeting = api.create(not_before="2030-11-22T10:00:00+02:00", not_after="2030-11-22T10:30:00.250Z")
    assert moment(meeting["not_before"]) == datetime(2030, 11, 22, 8, tzinfo=timezone.utc)
    assert moment(meeting["not_after"]) == datetime(2030, 11, 22, 10, 30, 0, 250000, timezone.utc)
    assert meeting["state"] == "open"


def test_without_an_end_a_meeting_expires_its_lifetime_after_it_may_begin(api):
    meeting = api.create(not_before="2030-11-22T10:00:00Z")
    assert seconds_between("2030-11-22T10:00:00Z", meeting["expires_at"]) == 24 * 3600


def test_a_known_id_gives_the_same_meeting(api):
    body = {"id": "Known1Meeting", "title": "First", "room": ROOM, "creator": NINA}
    first, second = (api.call("POST", "/meetings", body) for _ in range(2))
    assert (first.status, second.status) == (201, 200)
    assert first.json() == second.json()


def test_a_known_id_keeps_what_it_has_got(api):
    first = api.create(id="Known2Meeting", title="First", discussion={"id": "d1", "name": "one", "type": "c"})
    again = api.create(id="Known2Meeting", title="Second", room={"id": "other"}, creator=BORIS,
                       discussion={"id": "d2", "name": "two", "type": "p"})
    assert again == first == api.read("Known2Meeting")


def test_a_known_id_gets_what_it_lacked(api):
    first = api.create(id="Known3Meeting", title=None)
    assert api.create(id="Known3Meeting", title="Filled in")["title"] == "Filled in"
    discussion = {"id": "d1", "name": "one", "type": "c"}
    api.create(id="Known3Meeting", title="Too late", discussion=discussion)
    assert api.read("Known3Meeting") == {**first, "title": "Filled in", "discussion": discussion}


def test_a_known_id_that_has_ended_stays_ended(api):
    api.create(id="Known4Meeting")
    api.delete("Known4Meeting")
    answer = api.call("POST", "/meetings", {"id": "Known4Meeting", **MINIMAL})
    assert (answer.status, answer.json()["state"]) == (200, "ended")


def test_fifty_creations_of_one_id_at_once_make_one_meeting(api):
    body = {"id": "Parallel1Meeting", "title": "All", "room": ROOM, "creator": NINA}
    with ThreadPoolExecutor(25) as pool:
        answers = list(pool.map(lambda _: api.call("POST", "/meetings", body), range(50)))
    assert sorted(answer.status for answer in answers) == [200] * 49 + [201]
    assert len({(each["pins"]["host"], each["pins"]["guest"], each["join_url"]) for each in (answer.json() for answer in answers)}) == 1


def test_fifty_creations_at_once_make_fifty_meetings(api):
    with ThreadPoolExecutor(25) as pool:
        made = list(pool.map(lambda _: api.create(room={"id": "fifty"}), range(50)))
    assert len({meeting["id"] for meeting in made}) == len({meeting["join_url"] for meeting in made}) == 50
    found, page = [], {"next": None}
    while True:
        page = api.list(room="fifty", limit=7, **({"after": page["next"]} if page["next"] else {}))
        found += [each["id"] for each in page["meetings"]]
        if not page["next"]:
            break
    assert sorted(found) == sorted(meeting["id"] for meeting in made)


# Reading

@pytest.mark.parametrize("what", ["Unknown1Meeting", "x", "a" * 200, "%ff", "a%20b", "%3Cb%3E", "%0a"])
def test_an_unknown_meeting_is_not_found(api, what):
    assert problem(api.call("GET", f"/meetings/{what}"), 404)


@pytest.mark.parametrize("what", ["%00", "a%00b", "..%2f", "../../status"])
def test_a_path_that_httpd_itself_minds_is_not_found(api, what):
    assert api.call("GET", f"/meetings/{what}").status == 404


def test_the_join_key_is_no_id(api, meeting):
    assert problem(api.call("GET", "/meetings/" + meeting["join_url"].rpartition("/")[2]), 404)


def test_a_roster_names_people_as_documented(api, node, meeting):
    node.conference_started(meeting["id"])
    one_leg(node, meeting["id"], "Anna")
    now = api.read(meeting["id"])
    assert (now["state"], now["participant_count"]) == ("live", 1)
    assert moment(now["started_at"])
    person, = now["participants"]
    assert person.keys() >= {"id", "name", "role", "protocol", "connected_at", "quality"}
    assert (person["name"], person["role"], person["quality"]) == ("Anna", "guest", "unknown")
    where, = now["nodes"]
    assert (where["address"], where["ended"]) == (node.address, False) and moment(where["last_event_at"])


# Listing

def test_a_list_is_newest_first_and_tells_no_secrets(api):
    made = [api.create(room={"id": "list1", "name": "l"}, title=f"T{number}") for number in range(5)]
    listed = api.list(room="list1")["meetings"]
    assert [each["id"] for each in listed] == [each["id"] for each in reversed(made)]
    for entry, meeting in zip(listed, reversed(made)):
        assert entry == {name: value for name, value in meeting.items() if name not in ("pins", "participants")}


def test_a_list_leaves_out_people_but_counts_them(api, node):
    meeting = api.create(room={"id": "list2"})
    node.conference_started(meeting["id"])
    one_leg(node, meeting["id"], "Anna")
    entry, = api.list(room="list2")["meetings"]
    assert (entry["state"], entry["participant_count"]) == ("live", 1)
    assert "participants" not in entry and "pins" not in entry


def test_paging_through_25_meetings_finds_each_once_also_while_new_ones_come(api):
    made = [api.create(room={"id": "paged"})["id"] for _ in range(25)]
    found, page = [], api.list(room="paged", limit=10)
    sizes = []
    while True:
        sizes.append(len(page["meetings"]))
        found += [each["id"] for each in page["meetings"]]
        if not page["next"]:
            break
        api.create(room={"id": "paged"})
        page = api.list(room="paged", limit=10, after=page["next"])
    assert found == made[::-1]
    assert sizes == [10, 10, 5]


def test_the_last_full_page_is_followed_by_nothing(api):
    made = [api.create(room={"id": "even"})["id"] for _ in range(4)]
    page = api.list(room="even", limit=2)
    second = api.list(room="even", limit=2, after=page["next"])
    assert [each["id"] for each in page["meetings"] + second["meetings"]] == made[::-1]
    assert not second["next"] or api.list(room="even", limit=2, after=second["next"])["meetings"] == []


def test_lists_are_narrowed_by_state_and_room(api, node):
    opened, ended, live = (api.create(room={"id": "states"})["id"] for _ in range(3))
    api.delete(ended)
    node.conference_started(live)
    one_leg(node, live, "Anna")

    def ids(**query):
        return [each["id"] for each in api.list(room="states", **query)["meetings"]]
    assert ids() == [live, ended, opened]
    assert (ids(state="open"), ids(state="live"), ids(state="ended")) == ([opened], [live], [ended])
    assert ids(state="open,live") == ids(state="live,open") == [live, opened]
    assert ids(state="ended,open,live") == [live, ended, opened]
    assert api.list(room="no such room") == {"meetings": [], "next": None}


@pytest.mark.parametrize("query, member", [("state=running", "state"), ("state=open;live", "state"), ("limit=ten", "limit"),
                                           ("limit=0", "limit"), ("limit=-1", "limit"), ("limit=99999999999999999999", "limit")])
def test_bad_list_parameters_are_refused_by_name(api, query, member):
    assert problem(api.call("GET", "/meetings?" + query), 400, member)


@pytest.mark.parametrize("query", ["after=garbage", "after=", "after=%00", "after=" + "9" * 500, "room=%ff", "room=%00", "%zz", "limit", "&&=&", "state=open,", "state=,"])
def test_odd_list_parameters_never_cause_a_fault(api, query):
    answer = api.call("GET", "/meetings?" + query)
    assert answer.status == 200 and "meetings" in answer.json() or problem(answer, 400)


# Closing

def test_deleting_an_open_meeting_ends_it_at_once(api, node, server, meeting):
    answer = api.call("DELETE", f"/meetings/{meeting['id']}")
    assert (answer.status, answer.body) == (204, b"")
    now = api.read(meeting["id"])
    assert (now["state"], now["closed"]) == ("ended", True)
    assert moment(now["ended_at"])
    assert node.policy(meeting["id"]).json()["action"] == "reject"
    assert server.request("GET", urlsplit(meeting["join_url"]).path).status == 410
    assert api.call("DELETE", f"/meetings/{meeting['id']}").status == 204
    assert api.read(meeting["id"]) == now


def test_deleting_a_live_meeting_closes_it_and_it_ends_by_the_rule(api, node, meeting):
    node.conference_started(meeting["id"])
    anna = one_leg(node, meeting["id"], "Anna")
    api.delete(meeting["id"])
    api.delete(meeting["id"])
    now = api.read(meeting["id"])
    assert (now["state"], now["closed"], now["participant_count"], now["ended_at"]) == ("live", True, 1, None)
    anna.leave()
    node.conference_ended(meeting["id"])
    now = wait_until(lambda: (got := api.read(meeting["id"]))["state"] == "ended" and got, 5, "the end")
    assert (now["closed"], now["inferred"], now["participant_count"]) == (True, False, 0)


def test_deleting_an_unknown_meeting_is_not_found(api):
    assert problem(api.call("DELETE", "/meetings/Unknown1Meeting"), 404)


# Personal links

def personal_url(meeting, role, name, extra=""):
    return f"{BASE}/webapp/conference?conference={meeting['id']}&pin={meeting['pins'][role]}&name={quote(name, safe='-._~')}{extra}"


@pytest.mark.parametrize("user, members, role", [
    (NINA, {}, "host"), (BORIS, {}, "guest"), (BORIS, {"role": "host"}, "host"), (NINA, {"role": "guest"}, "guest"),
    (NINA, {"role": "host"}, "host"), ({**NINA, "id": "u-other"}, {}, "guest"), ({**NINA, "id": "U-NINA"}, {}, "guest")])
def test_the_creator_is_host_others_are_guests_unless_a_role_is_asked_for(api, meeting, user, members, role):
    assert api.link(meeting["id"], user, **members) == {"url": personal_url(meeting, role, user["name"]), "role": role}


@pytest.mark.parametrize("members, extra", [
    ({"microphone": False}, "&muteMicrophone=true"), ({"camera": False}, "&muteCamera=true"),
    ({"microphone": False, "camera": False}, "&muteMicrophone=true&muteCamera=true"), ({"microphone": True, "camera": True}, "")])
def test_devices_that_are_to_be_off_are_asked_for(api, meeting, members, extra):
    assert api.link(meeting["id"], BORIS, **members)["url"] == personal_url(meeting, "guest", "Boris", extra)


@pytest.mark.parametrize("name", ["Nina Østergård", "a&pin=1#x", "100% %41", "a+b", "😀", 'q"<b>\\', "اسم", "-._~", "!*'()",
                                  "x" * 250, "a/b?c=d;e@f:g,h"],
                         ids=lambda name: name[:12])
def test_names_are_percent_encoded_once(api, meeting, name):
    link = api.link(meeting["id"], {"id": "u", "username": "u", "name": name})
    assert link["url"] == personal_url(meeting, "guest", name)
    assert parse_qs(urlsplit(link["url"]).query)["name"] == [name]


def test_a_user_known_by_id_only_gets_a_link(api, meeting):
    query = parse_qs(urlsplit(api.link(meeting["id"], {"id": "u-x"})["url"]).query)
    assert query["conference"] == [meeting["id"]] and query["pin"] == [meeting["pins"]["guest"]]


def test_pins_with_a_hash_are_encoded_and_no_pins_leave_the_parameter_out(make_httpd):
    server = make_httpd(workspace(extra="PexipRCPins file conf/pins"), start=False)
    server.write("conf/pins", "4829#\n6072#\n", 0o600)
    server.start()
    api = Api(server)
    assert "&pin=4829%23&" in api.link(api.create()["id"])["url"]
    server.configure(workspace(extra="PexipRCPins none"))
    server.graceful()
    meeting = api.create()
    assert api.link(meeting["id"])["url"] == f"{BASE}/webapp/conference?conference={meeting['id']}&name=Nina"


@pytest.mark.parametrize("body, member", [
    ({"user": "nina"}, "user"), ({"user": []}, "user"), ({"user": {"id": 7}}, "id"), ({"user": {"id": "u", "name": 7}}, "name"),
    ({"user": {"id": "u", "username": False}}, "username"), ({"user": NINA, "role": "boss"}, "role"), ({"user": NINA, "role": 1}, "role"),
    ({"user": NINA, "microphone": "no"}, "microphone"), ({"user": NINA, "camera": 0}, "camera"),
    ({"user": {"id": "u", "name": "n" * 251}}, "name"), ({"user": {"id": "u" * 65}}, "id")], ids=lambda value: str(value)[:40])
def test_bad_link_requests_are_refused_by_name(api, meeting, body, member):
    assert problem(api.call("POST", f"/meetings/{meeting['id']}/links", body), 400, member)


def test_links_to_an_unknown_meeting_are_not_found(api):
    assert problem(api.call("POST", "/meetings/Unknown1Meeting/links", {"user": NINA}), 404)


# A full table

def test_a_full_table_refuses_and_loses_nothing(make_httpd):
    server = make_httpd(server="PexipRCMaxMeetings 3")
    api = Api(server)
    made = [api.create()["id"] for _ in range(3)]
    server.expect(r"pexip_rc:(warn|error)")
    answer = api.call("POST", "/meetings", {"id": "TheFourth", **MINIMAL})
    assert problem(answer, 503)
    assert int(answer.headers["Retry-After"]) > 0
    assert api.call("GET", "/meetings/TheFourth").status == 404
    assert [each["id"] for each in api.list()["meetings"]] == made[::-1]
    assert api.call("POST", "/meetings", {"id": made[0], **MINIMAL}).status == 200


def test_a_short_lifetime_ends_what_nobody_uses(make_httpd):
    api = Api(make_httpd(workspace(extra="PexipRCMeetingLifetime 1s")))
    meeting = api.create()
    assert seconds_between(meeting["created_at"], meeting["expires_at"]) == 1
    limit = datetime.now(timezone.utc) + timedelta(seconds=4)
    wait_until(lambda: api.read(meeting["id"])["state"] == "ended" or datetime.now(timezone.utc) > limit, 6)
    assert api.read(meeting["id"])["state"] == "ended"
