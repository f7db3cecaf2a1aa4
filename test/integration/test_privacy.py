"""What is taken out of the history: meetings that are old, and people who ask for it."""

import sqlite3
import time
from contextlib import closing
from urllib.parse import quote

import pytest
from conftest import Servers, bury
from httpd import PATIENCE
from meetings import Api
from pexip import one_leg
from waiting import wait_until
from workspace import ADMIN, NODES, PASSWORD_FILE, PREFIX, SITE, password_line, workspace

pytestmark = pytest.mark.once

PATH = f"{PREFIX}/api/v1/people"
COMPANION = ("companion", "stand-in-secret-of-the-app")
DAY = 24 * 3600


@pytest.fixture(scope="module")
def server(mpm):
    servers = Servers(mpm)
    body = workspace(grace="200ms 600ms", extra="PexipRCHistoryKeep 2d") + f"""
<Location "{PREFIX}/api/v1/meetings">
    <Limit GET POST>
        Require user admin companion
    </Limit>
    <LimitExcept GET POST>
        Require user admin
    </LimitExcept>
</Location>"""
    httpd = servers(body, start=False)
    httpd.write(PASSWORD_FILE, password_line(*ADMIN) + password_line(*COMPANION))
    httpd.start()
    try:
        yield httpd
    finally:
        bury(servers)


def remove(server, who, **options):
    return server.request("DELETE", f"{PATH}/{quote(who, safe='')}", **{"auth": ADMIN, **options})


def past(api):
    return {each["id"]: each for each in api.call("GET", "/history?limit=1000").json()["meetings"]}


def held(api, node, name, creator=None, title="Weekly"):
    """A meeting that is over, in which somebody of that name was."""
    meeting = api.create(title=title, creator=creator or {"id": "u-else", "username": "else", "name": "Else"})
    node.conference_started(meeting["id"])
    one_leg(node, meeting["id"], name).leave()
    node.conference_ended(meeting["id"])
    wait_until(lambda: meeting["id"] in past(api), 20 * PATIENCE, "the meeting in the history")
    return meeting["id"]


def names(meeting):
    return [each["name"] for each in meeting["participants"]]


NINA = {"id": "u-nina-1", "username": "nina.w", "name": "Nina W."}


@pytest.mark.parametrize("who", NINA.values())
def test_the_creator_is_known_by_id_and_both_names_and_goes_with_all_of_them(server, node, who):
    api = Api(server)
    first, other = held(api, node, "Anna", NINA, "Nina's title"), held(api, node, "Anna")
    assert remove(server, who).status == 204
    gone = past(api)[first]
    assert gone["creator"] == {"id": "removed", "username": "removed", "name": "removed"}
    assert gone["title"] == "Nina's title" and names(gone) == ["Anna"]
    assert past(api)[other]["creator"]["id"] == "u-else"
    # In memory as well, where the meeting still is.
    wait_until(lambda: api.read(first)["creator"]["id"] == "removed", 20 * PATIENCE, "memory to follow")
    assert api.read(first)["creator"] == gone["creator"]
    assert remove(server, who).status == 404


@pytest.mark.parametrize("who", ["Нина Вебер", "张伟", "نينا", "😀" * 60, "<script>alert(1)</script>", "O'Hara; DROP TABLE meeting;--", "100%_\\", "a+b c?d#e&f=g", "N" * 250])
def test_participants_are_known_by_their_names_of_every_script(server, node, who):
    api = Api(server)
    meeting, other = held(api, node, who), held(api, node, "Boris")
    listed = past(api)[meeting]
    path = f"{PATH}?name={quote(who, safe='')}" if "/" in who else f"{PATH}/{quote(who, safe='')}"
    assert server.request("DELETE", path, auth=ADMIN).status == 204
    after = past(api)
    assert names(after[meeting]) == ["removed"] and names(after[other]) == ["Boris"]
    assert {**after[meeting], "participants": 0} == {**listed, "participants": 0}
    assert who not in api.call("GET", "/history?limit=1000", headers={"Accept": "text/csv"}).text


def test_nothing_is_taken_for_a_pattern_or_another_case(server, node):
    api = Api(server)
    meeting = held(api, node, "Petra_1")
    for who in ("%", "Petra%", "Petra-1", "petra_1", "Petra_1 ", "Petra", "removed", "*"):
        assert remove(server, who).status == 404, who
    assert names(past(api)[meeting]) == ["Petra_1"]


@pytest.mark.parametrize("path", ["", "/", f"/{'x' * 251}", f"/{'x' * 5000}", "/%FF%FE", "?name=", "?name=%FF", f"?name={'x' * 251}"])
def test_what_is_no_name_is_refused(server, path):
    answer = server.request("DELETE", PATH + path, auth=ADMIN)
    assert answer.status == 400 and answer.headers["Content-Type"] == "application/problem+json"


def test_only_the_administrator_may(server, node):
    api = Api(server)
    server.expect(r"user \S+ not found|authorization failure|client denied")
    meeting = held(api, node, "Companion's victim")
    assert remove(server, "Companion's victim", auth=None).status == 401
    assert remove(server, "Companion's victim", auth=NODES).status == 401
    assert remove(server, "Companion's victim", auth=COMPANION).status == 401
    # Which may read and create, by the section that its README shows.
    assert Api(server, auth=COMPANION).read(meeting)["id"] == meeting
    assert remove(server, "x", headers={"Origin": "https://evil.example.com"}).status == 403
    for method in ("GET", "POST", "PUT"):
        answer = server.request(method, f"{PATH}/x", auth=ADMIN)
        assert answer.status == 405 and answer.headers["Allow"] == "DELETE"
    assert names(past(api)[meeting]) == ["Companion's victim"]


def test_a_meeting_that_is_not_over_follows(server, node):
    api = Api(server)
    meeting = api.create(creator={"id": "u-late", "username": "late", "name": "Late"})
    answer = remove(server, "u-late")
    assert answer.status == 202 and "not over" in answer.json()["detail"]
    assert api.read(meeting["id"])["creator"]["id"] == "u-late"
    api.delete(meeting["id"])
    wait_until(lambda: meeting["id"] in past(api), 20 * PATIENCE)
    # Ten minutes are long for a test.
    with closing(sqlite3.connect(server.root / "state" / "pexip-rc.sqlite3", timeout=20)) as db, db:
        assert db.execute("UPDATE removal SET again_at = 1 WHERE who = 'u-late'").rowcount == 1
    wait_until(lambda: past(api)[meeting["id"]]["creator"]["id"] == "removed", 20 * PATIENCE, "it to follow")


def test_the_log_tells_who_removed_but_not_whom(server, node):
    api = Api(server)
    before = len(server.error_log())
    held(api, node, "Very Private Person")
    assert remove(server, "Very Private Person").status == 204
    said = [line for line in server.error_log()[before:].splitlines() if "out of the history" in line]
    assert len(said) == 1 and f"user '{ADMIN[0]}'" in said[0] and ":notice]" in said[0]
    assert "Very Private Person" not in server.error_log()


def test_old_meetings_go_and_young_ones_stay(server, node):
    api = Api(server)
    old, young = held(api, node, "Anna"), held(api, node, "Anna")
    path = server.root / "state" / "pexip-rc.sqlite3"
    with closing(sqlite3.connect(path, timeout=20)) as db, db:
        for meeting, days in ((old, 2.01), (young, 1.99)):
            db.execute("UPDATE meeting SET ended_at = ? WHERE id = ?", (int((time.time() - days * DAY) * 1e6), meeting))
        db.executemany("INSERT INTO participant (workspace, meeting, uuid, over, left_at) VALUES (?, ?, ?, 1, 1)",
                       [(SITE, old, f"leg{number}") for number in range(1200)])
    # Looked for once a minute, and soon after a start.
    server.graceful()
    wait_until(lambda: old not in past(api), 90 * PATIENCE, "the old meeting to go")
    wait_until(lambda: count(path, old) == [0, 0, 0, 0], 20 * PATIENCE, "all that belongs to it")
    assert young in past(api) and count(path, young)[0] == 1


def count(path, meeting):
    with closing(sqlite3.connect(path, timeout=20)) as db:
        return [db.execute(f"SELECT COUNT(*) FROM {table} WHERE {column} = ?", (meeting,)).fetchone()[0]
                for table, column in (("meeting", "id"), ("participant", "meeting"), ("hosting", "meeting"), ("alias", "meeting"))]


def test_without_a_database_there_is_nobody_to_remove(make_httpd):
    server = make_httpd(server="PexipRCDatabase none")
    answer = remove(server, "Nina")
    assert answer.status == 404 and "PexipRCDatabase none" in answer.json()["detail"]


def test_a_database_that_is_away_is_503(make_httpd):
    server = make_httpd(start=False, server='PexipRCDatabase pgsql "host=127.0.0.1 port=1 dbname=x user=y"')
    server.expect("the database cannot be used")
    server.start()
    answer = remove(server, "Nina")
    assert answer.status == 503 and answer.headers["Retry-After"]
