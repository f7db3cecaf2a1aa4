"""What is taken out of the history is taken out on every machine, whoever dies meanwhile."""

import os
import signal
from urllib.parse import quote

import pytest

from databases import Sqlite, sql
from load import ADDRESSES
from machine import PATIENCE, history, leader
from meetings import Api
from pexip import Node, one_leg
from texts import ANY_DATABASE_TROUBLE, KILLED, REPAIRED
from waiting import wait_until
from workspace import ADMIN, PREFIX, workspace

BRISK = workspace(grace="200ms 600ms")
DORIS = {"id": "u-doris", "username": "doris", "name": "Doris"}
# More than are renamed in one transaction, several times.
LEGS = 4000


def held(httpd, creator, name):
    """A meeting that is over, on this machine."""
    node = Node(next(ADDRESSES), httpd)
    node.started()
    meeting = Api(httpd).create(creator=creator)
    node.conference_started(meeting["id"])
    one_leg(node, meeting["id"], name).leave()
    node.conference_ended(meeting["id"])
    wait_until(lambda: meeting["id"] in [each["id"] for each in history(httpd)], 20 * PATIENCE, "the meeting in the history")
    return meeting["id"]


def remove(httpd, who):
    return httpd.request("DELETE", f"{PREFIX}/api/v1/people/{quote(who)}", auth=ADMIN, timeout=30).status


def creator(httpd, meeting):
    return Api(httpd).read(meeting)["creator"]["id"]


def run(database, httpd, statement):
    if isinstance(database, Sqlite):
        with database.connect(httpd) as connection:
            return connection.execute(statement).fetchone()
    return sql(database.postgresql.conninfo, statement)


@pytest.mark.slow
def test_a_removal_outlives_whoever_does_it(make_server, database):
    httpd = make_server(database, BRISK)
    meeting = held(httpd, DORIS, "Doris")
    run(database, httpd, "INSERT INTO participant (workspace, meeting, uuid, over, name, service, has_media) "
        f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {LEGS}) "
        f"SELECT workspace, id, 'made' || i, 1, 'Doris', 1, 2 FROM meeting, n WHERE id = '{meeting}'")
    httpd.expect(KILLED, REPAIRED, *ANY_DATABASE_TROUBLE)
    victim = wait_until(lambda: leader(httpd), 20 * PATIENCE, "somebody who leads")
    os.kill(victim, signal.SIGKILL)
    assert remove(httpd, "Doris") in (202, 204)
    victim = wait_until(lambda: leader(httpd), 20 * PATIENCE, "somebody who leads")
    os.kill(victim, signal.SIGKILL)

    def gone():
        past, = [each for each in history(httpd) if each["id"] == meeting]
        return {each["name"] for each in past["participants"]} == {"removed"} and past["creator"]["name"] == "removed"
    wait_until(gone, 60 * PATIENCE, "all of it to go")
    assert creator(httpd, meeting) == "removed" or wait_until(lambda: creator(httpd, meeting) == "removed", 20 * PATIENCE)


@pytest.mark.slow
def test_the_other_machine_follows(two_machines):
    first, second = two_machines(BRISK)
    here, there = held(first, DORIS, "Anna"), held(second, DORIS, "Doris")
    for each in (here, there):
        wait_until(lambda: all(Api(machine).call("GET", f"/meetings/{each}").status == 200 for machine in (first, second)), 20 * PATIENCE)
    assert remove(second, "u-doris") == 204
    assert remove(first, "Doris") == 204
    for machine in (first, second):
        assert not {each["creator"]["id"] for each in history(machine)} & {"u-doris"}
        assert not {person["name"] for each in history(machine) for person in each["participants"]} & {"Doris"}
        wait_until(lambda: [creator(machine, each) for each in (here, there)] == ["removed"] * 2, 20 * PATIENCE, "memory to follow")
