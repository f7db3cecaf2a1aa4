"""The history: meetings that have ended with who was in them, as JSON and as a table."""

import csv
import io
import re
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta, timezone
from urllib.parse import quote, urlencode, urlsplit

import pytest
from conftest import ADDRESSES, Servers, bury
from httpd import PATIENCE
from meetings import Api
from pexip import API_LEG, Leg, Node, now, one_leg, sip, streaming, two_legs
from waiting import wait_until
from workspace import ADMIN, PREFIX, SITE, workspace

MEMBERS = {"id", "title", "state", "inferred", "numeric_alias", "room", "creator", "discussion", "created_at", "not_before", "not_after",
           "started_at", "ended_at", "duration_seconds", "participant_count", "participants"}
PERSON = {"id", "name", "role", "protocol", "connected_at", "left_at", "duration_seconds", "quality"}
COLUMNS = ["meeting_id", "title", "room_id", "room_name", "creator_id", "creator_username", "started_at", "ended_at",
           "meeting_duration_seconds", "participant_name", "role", "protocol", "connected_at", "left_at", "duration_seconds", "worst_quality"]
# Meetings of 2020 stay.
BRISK = workspace(grace="200ms 600ms", extra="PexipRCNumericAlias 77 6\nPexipRCHistoryKeep forever")
LIMIT = 50000


@pytest.fixture(scope="module")
def server(mpm):
    servers = Servers(mpm)
    try:
        yield servers(BRISK)
    finally:
        bury(servers)


def ask(api, accept=None, **query):
    suffix = "?" + urlencode(query) if query else ""
    return api.call("GET", "/history" + suffix, headers={"Accept": accept} if accept else None)


def page(api, **query):
    answer = ask(api, **query)
    assert answer.status == 200, f"{answer.status} {answer.text[:300]}"
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json().keys() == {"meetings", "next"}
    return answer.json()


def rows(answer):
    """The table as a program reads it, which must be what was meant."""
    assert answer.status == 200, f"{answer.status} {answer.text[:300]}"
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.body.endswith(b"\r\n")
    lines = list(csv.reader(io.StringIO(answer.body.decode("utf-8"), newline=""), strict=True))
    assert lines[0] == COLUMNS and {len(line) for line in lines} == {len(COLUMNS)}
    return [dict(zip(COLUMNS, line)) for line in lines[1:]]


def problem(answer, status, *words):
    assert answer.status == status, f"{answer.status} {answer.text[:300]}"
    assert answer.headers["Content-Type"] == "application/problem+json"
    for word in words:
        assert word in answer.json()["detail"]
    return True


def moment(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def told(api, meeting, **query):
    """What the history tells of a meeting, once it does."""
    def find():
        found = [each for each in page(api, limit=1000, **query)["meetings"] if each["id"] == meeting["id"]]
        assert len(found) <= 1
        return found and found[0]
    return wait_until(find, 10 * PATIENCE, "the meeting in the history")


def finish(node, meeting, *people):
    for person in people:
        person.leave()
    node.conference_ended(meeting["id"])


# What is told

def test_a_meeting_is_told_as_the_list_tells_it_with_who_was_in_it(api, node):
    meeting = api.create(title="Told", room={"id": "told", "name": "t", "type": "p"}, discussion={"id": "d", "name": "dn", "type": "c"})
    node.conference_started(meeting["id"])
    anna, boris = two_legs(node, meeting["id"], "Anna", role="chair"), sip(node, meeting["id"], "Boris")
    anna.media.stream_window("bad")
    anna.media.stream_window("good")
    roster = {each["name"]: each for each in api.read(meeting["id"])["participants"]}
    time.sleep(1)
    finish(node, meeting, anna, boris)
    past = told(api, meeting)
    listed = api.read(meeting["id"])
    assert past.keys() == MEMBERS
    shared = MEMBERS - {"duration_seconds", "participants", "participant_count"}
    assert {name: past[name] for name in shared} == {name: listed[name] for name in shared}
    assert (past["state"], past["inferred"], past["participant_count"]) == ("ended", False, 2)
    assert abs(past["duration_seconds"] - (moment(past["ended_at"]) - moment(past["started_at"])).total_seconds()) <= 0.5
    people = {each["name"]: each for each in past["participants"]}
    assert all(each.keys() == PERSON for each in people.values())
    assert {name: (each["role"], each["protocol"], each["quality"]) for name, each in people.items()} \
        == {"Anna": ("host", "WebRTC", "bad"), "Boris": ("guest", "SIP", "unknown")}
    assert {name: each["id"] for name, each in people.items()} == {name: each["id"] for name, each in roster.items()}
    for each in people.values():
        assert abs((moment(each["left_at"]) - moment(each["connected_at"])).total_seconds() - each["duration_seconds"]) <= 0.5
        assert each["duration_seconds"] >= 1


def test_secrets_are_not_told(api, node):
    meeting = api.create(title="Secret")
    node.conference_started(meeting["id"])
    finish(node, meeting, one_leg(node, meeting["id"], "Anna"))
    told(api, meeting)
    for accept in ("application/json", "text/csv"):
        text = ask(api, accept, limit=1000).text
        for secret in (meeting["pins"]["host"], meeting["pins"]["guest"], meeting["join_url"].rpartition("/")[2]):
            assert f'"{secret}"' not in text and f",{secret}," not in text
        assert "join_url" not in text and "pins" not in text


def test_legs_of_one_conversation_are_one_person_and_others_are_not(api, node):
    """Times are the node's own: hours pass in no time."""
    meeting, began = api.create(), now() - 7200
    node.conference_started(meeting["id"], start_time=began)
    first = Leg(node, meeting["id"], "Anna", connect_time=began)
    control = Leg(node, meeting["id"], "Anna", connect_time=began, conversation_id=first.uuid, **API_LEG)
    again = Leg(node, meeting["id"], "Anna", connect_time=began + 605, conversation_id=first.uuid)
    later = Leg(node, meeting["id"], "Anna", connect_time=began + 1300, conversation_id=first.uuid)
    fresh = Leg(node, meeting["id"], "Anna", connect_time=began + 3000)
    bot, recorder = Leg(node, meeting["id"], "Bot", connect_time=began, **API_LEG), streaming(node, meeting["id"])
    lobby = Leg(node, meeting["id"], "Lobby", connect_time=began, service_type="waiting_room")
    for leg in (first, control, again, later, fresh, bot, lobby):
        leg.connected()
    for leg, end in ((first, 600), (again, 1200), (later, 1900), (fresh, 3060), (control, 4000), (bot, 4000), (lobby, 4000)):
        leg.disconnected(end_time=began + end)
    recorder.media.disconnected(end_time=began + 4000)
    node.conference_ended(meeting["id"], end_time=began + 4000)
    past = told(api, meeting)
    assert [(each["name"], each["duration_seconds"]) for each in past["participants"]] == [("Anna", 1800), ("Anna", 60)]
    assert past["participant_count"] == 2
    assert past["duration_seconds"] == 4000
    assert [round(moment(past["participants"][0][name]).timestamp() - began) for name in ("connected_at", "left_at")] == [0, 1900]


def test_a_meeting_that_nobody_joined_has_no_beginning_and_no_people(api):
    meeting = api.create()
    api.delete(meeting["id"])
    past = told(api, meeting)
    assert (past["started_at"], past["duration_seconds"], past["participant_count"], past["participants"]) == (None, 0, 0, [])
    assert past["ended_at"]
    [line] = [row for row in rows(ask(api, "text/csv", limit=1000)) if row["meeting_id"] == meeting["id"]]
    assert line["started_at"] == "" and line["meeting_duration_seconds"] == "0"
    assert all(line[name] == "" for name in COLUMNS[9:])


def test_running_meetings_are_not_told(api, node):
    opened, live = api.create(room={"id": "running"}), api.create(room={"id": "running"})
    node.conference_started(live["id"])
    anna = one_leg(node, live["id"], "Anna")
    ended = api.create(room={"id": "running"})
    api.delete(ended["id"])
    told(api, ended)
    assert [each["id"] for each in page(api, room="running")["meetings"]] == [ended["id"]]
    finish(node, live, anna)
    told(api, live)
    assert opened["id"] not in [each["id"] for each in page(api, room="running")["meetings"]]


def test_workspaces_do_not_see_each_others(make_httpd):
    other = workspace(site="https://other.example.com", prefix="/other", grace="200ms 600ms")
    httpd = make_httpd(f"<VirtualHost *:*>\nServerName one\n{BRISK}\n</VirtualHost>\n"
                       f"<VirtualHost *:*>\nServerName two\n{other}\n</VirtualHost>")
    one = Api(httpd, headers={"Host": "one"})
    two = Api(httpd, prefix="/other", headers={"Host": "two"})
    mine, yours = one.create(id="SharedName1", title="mine"), two.create(id="SharedName1", title="yours")
    for api, meeting in ((one, mine), (two, yours)):
        api.delete(meeting["id"])
        told(api, meeting)
    assert [each["title"] for each in page(one)["meetings"]] == ["mine"]
    assert [each["title"] for each in page(two)["meetings"]] == ["yours"]


def test_the_history_outlives_the_server_and_its_memory(make_httpd):
    httpd = make_httpd(BRISK)
    api, node = Api(httpd), Node(next(ADDRESSES), httpd)
    node.started()
    meeting = api.create()
    node.conference_started(meeting["id"])
    finish(node, meeting, two_legs(node, meeting["id"], "Anna"))
    past = told(api, meeting)
    httpd.graceful()
    assert page(api)["meetings"] == [past]
    httpd.close()       # the memory goes as well
    httpd.start()
    assert page(api)["meetings"] == [past]


# Pages. The database is written to directly: nobody wants to wait for a thousand meetings.

T0 = int(datetime(2020, 1, 1, tzinfo=timezone.utc).timestamp()) * 1_000_000


def database(httpd):
    return closing(sqlite3.connect(httpd.root / "state" / "pexip-rc.sqlite3", isolation_level=None, timeout=20))


def insert(connection, table, row):
    names = ", ".join(row)
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(row))})", list(row.values()))


def bring_in(httpd, meetings, legs=()):
    with database(httpd) as connection:
        connection.execute("BEGIN IMMEDIATE")
        for each in meetings:
            insert(connection, "meeting", {"workspace": SITE, "over": 1, "state": 3, "creator_id": "u", **each})
        for each in legs:
            insert(connection, "participant", {"workspace": SITE, "over": 1, "service": 1, "has_media": 2, "protocol": "SIP", **each})
        connection.execute("COMMIT")


def text_time(micros):
    return datetime.fromtimestamp(micros / 1e6, timezone.utc).isoformat().replace("+00:00", "Z")


@pytest.fixture(scope="module")
def filled(server):
    """25 meetings of a room, in groups that ended in the same moment; returned last ended first."""
    meetings = [{"id": f"Paged{number:05}", "room_id": "paged", "ended_at": T0 + number // 4, "started_at": T0 - 1, "created_at": T0 - 2}
                for number in range(25)]
    bring_in(server, meetings)
    return [each["id"] for each in reversed(meetings)]


@pytest.mark.parametrize("limit", [1, 3, 4, 7, 24, 25, 26, 1000])
def test_pages_tell_each_meeting_once_and_last_ended_first(api, filled, limit):
    found, after = [], {}
    while True:
        one = page(api, room="paged", limit=limit, **after)
        assert 1 <= len(one["meetings"]) <= limit
        found += [each["id"] for each in one["meetings"]]
        if one["next"] is None:
            break
        assert len(one["meetings"]) == limit
        assert quote(one["next"], safe="") == one["next"], "it must not need to be encoded"
        after = {"after": one["next"]}
    assert found == filled


def test_a_table_is_whole_whatever_part_is_asked_for(server, filled):
    path, table = f"{PREFIX}/api/v1/history?room=paged", {"Accept": "text/csv"}
    whole = server.request("GET", path, auth=ADMIN, headers=table)
    part = server.request("GET", path, auth=ADMIN, headers={**table, "Range": "bytes=0-9"})
    assert (part.status, part.body) == (200, whole.body)


@pytest.mark.parametrize("limit", [4, 25])
def test_tables_lead_from_page_to_page_by_their_links(server, api, filled, limit):
    path, found = f"{PREFIX}/api/v1/history?room=paged&limit={limit}&from=2019-12-31T23:00:00-01:00", []
    while path:
        answer = server.request("GET", path, auth=ADMIN, headers={"Accept": "text/csv"})
        found += [row["meeting_id"] for row in rows(answer)]
        path = None
        if answer.headers["Link"]:
            url, = re.fullmatch(r'<(\S+)>; rel="next"', answer.headers["Link"]).groups()
            path = urlsplit(url).path + "?" + urlsplit(url).query
    assert found == filled


def test_paging_goes_on_where_it_was_when_meetings_are_added(api, server, filled):
    first = page(api, room="paged", limit=10)
    bring_in(server, [{"id": "Paged99999", "room_id": "paged", "ended_at": T0 + 100}])
    second = page(api, room="paged", limit=1000, after=first["next"])
    assert [each["id"] for each in first["meetings"] + second["meetings"]] == filled
    with database(server) as connection:
        connection.execute("DELETE FROM meeting WHERE id = 'Paged99999'")


def test_a_hundred_are_told_where_nothing_is_said(api, server):
    bring_in(server, [{"id": f"Default{number:05}", "room_id": "default", "ended_at": T0 + number} for number in range(150)])
    one = page(api, room="default")
    assert len(one["meetings"]) == 100 and one["next"]


def test_a_page_of_very_many_people_is_shorter_but_a_meeting_is_always_whole(api, server):
    sizes = [10, 100, LIMIT - 50, 70, 20]      # newest first: the third goes beyond, so the fourth begins a page
    bring_in(server, [{"id": f"Crowd{number:05}", "room_id": "crowd", "ended_at": T0 - number, "started_at": T0 - 3600_000_000}
                      for number in range(len(sizes))],
             [{"meeting": f"Crowd{number:05}", "uuid": f"u{number}-{leg}", "name": f"Person {leg}", "connected_at": T0 - 3600_000_000 + leg,
               "left_at": T0 - 1800_000_000} for number, size in enumerate(sizes) for leg in range(size)])
    first = server.request("GET", f"{PREFIX}/api/v1/history?room=crowd", auth=ADMIN, timeout=60).json()
    assert [each["participant_count"] for each in first["meetings"]] == sizes[:3]
    assert [len(each["participants"]) for each in first["meetings"]] == sizes[:3]
    second = page(api, room="crowd", after=first["next"])
    assert [each["participant_count"] for each in second["meetings"]] == sizes[3:]
    assert second["next"] is None


def test_withdrawn_meetings_and_open_ones_are_never_told(api, server):
    bring_in(server, [{"id": "Withdrawn1", "room_id": "odd", "ended_at": T0, "withdrawn": 1},
                      {"id": "StillOpen1", "room_id": "odd", "ended_at": 0, "over": 0, "state": 1}, {"id": "Ended00001", "room_id": "odd", "ended_at": T0}])
    try:
        assert [each["id"] for each in page(api, room="odd")["meetings"]] == ["Ended00001"]
    finally:
        with database(server) as connection:
            connection.execute("DELETE FROM meeting WHERE room_id = 'odd'")


# What is asked for

def test_the_range_is_about_the_end_and_takes_its_beginning_but_not_its_end(api, server):
    hour = 3600_000_000
    base = T0 + 1000 * hour
    bring_in(server, [{"id": f"Range{number:05}", "room_id": "range", "started_at": base - 5 * hour, "ended_at": base + number * hour} for number in range(5)])

    def numbers(**query):
        return [int(each["id"][5:]) for each in page(api, room="range", **query)["meetings"]]
    at = [text_time(base + number * hour) for number in range(5)]
    assert numbers() == [4, 3, 2, 1, 0]
    assert numbers(**{"from": at[2]}) == [4, 3, 2]
    assert numbers(to=at[2]) == [1, 0]
    assert numbers(**{"from": at[1], "to": at[3]}) == [2, 1]
    assert numbers(**{"from": at[3], "to": at[1]}) == []
    assert numbers(**{"from": at[2], "to": at[2]}) == []
    first = page(api, room="range", limit=1, **{"from": at[1], "to": at[4]})
    assert numbers(**{"from": at[1], "to": at[4], "after": first["next"]}) == [2, 1]
    local = datetime.fromtimestamp((base + 2 * hour) / 1e6, timezone(timedelta(hours=2))).isoformat()
    assert local.endswith("+02:00") and numbers(**{"from": local}) == [4, 3, 2]
    # Not encoded, the plus sign of the offset comes as a blank.
    answer = api.call("GET", f"/history?room=range&from={local}")
    assert [int(each["id"][5:]) for each in answer.json()["meetings"]] == [4, 3, 2]


def test_a_room_is_asked_for_by_its_id(api, server):
    strange = "Räume & mehr=?"
    bring_in(server, [{"id": "Strange0001", "room_id": strange, "room_name": "r", "ended_at": T0}])
    assert [each["id"] for each in page(api, room=strange)["meetings"]] == ["Strange0001"]
    assert page(api, room="no such room") == {"meetings": [], "next": None}
    assert page(api, room="strange") == {"meetings": [], "next": None}


@pytest.mark.parametrize("query, member", [
    ("from=yesterday", "from"), ("from=2026-13-01T00:00:00Z", "from"), ("from=2026-11-22", "from"), ("from=%00", "from"), ("from=%ff", "from"),
    ("to=1795341600", "to"), ("to=2026-11-22T10:00:00", "to"), ("to=" + "2" * 200, "to"), ("room=%ff", "room"), ("room=" + "r" * 300, "room"),
    ("limit=0", "limit"), ("limit=1001", "limit"), ("limit=ten", "limit"), ("limit=-1", "limit"), ("limit=", "limit"), ("limit=1e3", "limit"),
    ("after=garbage", "after"), ("after=12", "after"), ("after=.Paged00001", "after"), ("after=12.", "after"), ("after=12.x", "after"),
    ("after=-12.Paged00001", "after"), ("after=12.Paged00001'", "after"), ("after=99999999999999999999.Paged00001", "after"), ("after=" + "1" * 500, "after")])
def test_wrong_values_are_refused_by_name(api, query, member):
    answer = api.call("GET", "/history?" + query)
    assert problem(answer, 400) and answer.json()["detail"].startswith(member + " ")


@pytest.mark.parametrize("query", ["from=", "to=&from=&room=&after=", "unknown=1", "&&=&", "%zz", "limit=1&limit=x"])
def test_empty_and_unknown_parameters_say_nothing(api, query):
    assert api.call("GET", "/history?" + query).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_the_history_is_only_read(api, method):
    answer = api.call(method, "/history", b"{}")
    assert problem(answer, 405, "GET") and answer.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("accept", ["application/json", "text/csv"])
def test_head_says_what_get_would(api, filled, accept):
    get, head = (api.call(method, "/history?room=paged&limit=3", headers={"Accept": accept}) for method in ("GET", "HEAD"))
    assert (head.status, head.body) == (200, b"")
    assert all(head.headers[name] == get.headers[name] for name in ("Content-Type", "Link", "Vary", "Cache-Control"))


def test_the_history_is_for_administrators(server):
    assert server.request("GET", f"{PREFIX}/api/v1/history").status == 401


@pytest.mark.parametrize("accept, kind", [
    (None, "application/json"), ("*/*", "application/json"), ("text/html", "application/json"), ("text/csv", "text/csv"),
    ("TEXT/CSV", "text/csv"), ("text/csv, application/json;q=0.5", "text/csv"), ("application/json, text/csv", "application/json"),
    ("text/html,text/csv;q=0.9,*/*;q=0.1", "text/csv")])
def test_a_table_is_given_to_those_who_ask_for_it_first(api, accept, kind):
    answer = ask(api, accept, limit=1)
    assert answer.status == 200 and answer.headers["Content-Type"].split(";")[0] == kind
    assert answer.headers["Vary"] == "Accept" and answer.headers["Cache-Control"] == "no-store"
    if kind == "text/csv":
        assert answer.headers["Content-Disposition"] == 'attachment; filename="history.csv"'


def test_without_a_database_there_is_no_history(make_httpd):
    httpd = make_httpd(BRISK, server="PexipRCDatabase none")
    assert problem(ask(Api(httpd)), 404, "database")
    assert problem(Api(httpd).call("GET", "/history?limit=0"), 400)


# Names of people who mean harm

HOSTILE = ["=1+1", "+1", "-1", "@SUM(A1:A9)", "\t=1", "  =1", "=HYPERLINK(\"http://x\",\"y\")", "a,b\"c", "x;=cmd|'/c calc'!A1", "＝1", "\u3000=1",
           "“Nina”", "line\r\nbreak", "\n@x", "'", "\"", "Ælfrēd 日本 🎉", "</script><!--", "%s%n", "\\", "\u202e=1", "ж" * 125]


def test_hostile_names_stay_texts_everywhere(api, node):
    title, room = "=cmd|'/c calc'!A1", {"id": "hostile", "name": "@room\n=1", "type": "c"}
    creator = {"id": "u", "username": "-nina", "name": "N"}
    meeting = api.create(title=title, room=room, creator=creator)
    node.conference_started(meeting["id"])
    people = [Leg(node, meeting["id"], name, connect_time=now() - 100 + number) for number, name in enumerate(HOSTILE)]
    for leg in people:
        leg.connected()
    seen = {each["name"] for each in api.read(meeting["id"])["participants"]}
    for leg in people:
        leg.disconnected()
    node.conference_ended(meeting["id"])
    past = told(api, meeting)
    assert (past["title"], past["room"], past["creator"]) == (title, room, creator)
    assert {each["name"] for each in past["participants"]} == seen and len(past["participants"]) == len(HOSTILE)
    table = rows(ask(api, "text/csv", room="hostile"))
    assert [row["meeting_id"] for row in table] == [meeting["id"]] * len(HOSTILE)
    for row, person in zip(table, past["participants"]):
        for text, given in ((row["title"], title), (row["room_name"], room["name"]), (row["creator_username"], creator["username"]),
                            (row["participant_name"], person["name"])):
            assert text.replace("'", "") == given.replace("'", "")
            assert not re.match(r"[\t\r\n]|[\s\u200b-\u200f\u202a-\u202e]*[=+\-@＝＋－＠]", text), repr(text)
            assert not re.search(r"[;\t\r\n]\s*[=+\-@]", text), repr(text)
        assert row["title"] == "'" + title
    harmless = {row["participant_name"] for row in table}
    assert {"“Nina”", "a,b\"c", "Ælfrēd 日本 🎉", "</script><!--", "%s%n", "\\"} <= harmless


def test_a_table_says_what_json_says(api, node):
    meeting = api.create(title="Both", room={"id": "both", "name": "b", "type": "c"})
    node.conference_started(meeting["id"])
    finish(node, meeting, two_legs(node, meeting["id"], "Anna", role="chair"), sip(node, meeting["id"], "Boris"))
    past = told(api, meeting)
    table = rows(ask(api, "text/csv", room="both"))
    assert [row["participant_name"] for row in table] == [each["name"] for each in past["participants"]]
    for row, person in zip(table, past["participants"]):
        assert row == {"meeting_id": past["id"], "title": "Both", "room_id": "both", "room_name": "b", "creator_id": "u-nina",
                       "creator_username": "nina", "started_at": past["started_at"], "ended_at": past["ended_at"],
                       "meeting_duration_seconds": str(past["duration_seconds"]), "participant_name": person["name"], "role": person["role"],
                       "protocol": person["protocol"], "connected_at": person["connected_at"], "left_at": person["left_at"],
                       "duration_seconds": str(person["duration_seconds"]), "worst_quality": person["quality"]}


# Many at once

def test_many_at_once_are_all_answered(api, filled):
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: ask(api, room="paged"), range(50)))
    assert {answer.status for answer in answers} <= {200, 503}
    good = [answer.json() for answer in answers if answer.status == 200]
    assert len(good) >= 10 and all([each["id"] for each in one["meetings"]] == filled for one in good)
    for answer in answers:
        assert answer.status == 200 or problem(answer, 503, "try again") and int(answer.headers["Retry-After"]) > 0


def test_reading_and_meetings_do_not_harm_each_other(api, node):
    def read(_):
        return [ask(api, limit=50).status for _ in range(20)]
    with ThreadPoolExecutor(3) as pool:
        reading = [pool.submit(read, number) for number in range(3)]
        made = []
        for _ in range(15):
            meeting = api.create(room={"id": "while reading"})
            node.conference_started(meeting["id"])
            finish(node, meeting, one_leg(node, meeting["id"], "Anna"))
            made.append(meeting)
        statuses = {status for task in reading for status in task.result()}
    assert statuses <= {200, 503} and 200 in statuses
    for meeting in made:
        assert [each["name"] for each in told(api, meeting, room="while reading")["participants"]] == ["Anna"]


def test_nothing_is_left_open_after_many_readings(server, api):
    """No thread, no descriptor, no memory for each."""
    def open_files():
        return sum(len(list((child / "fd").iterdir())) for child in children())

    def threads():
        return sum(len(list((child / "task").iterdir())) for child in children())

    def children():
        from pathlib import Path
        return [Path("/proc", str(pid)) for pid in server.children()]
    for _ in range(20):
        ask(api, limit=1)
    before = open_files(), threads(), len(server.children())
    for _ in range(100):
        ask(api, limit=1)
    after = open_files(), threads(), len(server.children())
    assert before[2] != after[2] or (after[0] <= before[0] + 5 and after[1] <= before[1] + 2), (before, after)


def test_a_stop_in_the_middle_of_readings_is_clean(make_httpd):
    httpd = make_httpd(BRISK)
    api = Api(httpd)
    bring_in(httpd, [{"id": f"Busy{number:06}", "room_id": "busy", "ended_at": T0 + number} for number in range(1000)])

    def read(_):
        count = 0
        while True:
            try:
                assert ask(api, limit=1000).status in (200, 503)
                count += 1
            except OSError:
                return count
            except Exception as gone:       # http.client's words for a connection that was cut
                assert type(gone).__module__ == "http.client", gone
                return count
    with ThreadPoolExecutor(4) as pool:
        tasks = [pool.submit(read, number) for number in range(4)]
        time.sleep(0.5)
        httpd.graceful()
        time.sleep(0.5)
        began = time.monotonic()
        httpd.stop()
        assert time.monotonic() - began < 3 + 2 * PATIENCE
        assert sum(task.result() for task in tasks) >= 1
