"""Killed processes, stops and power cuts, under load: architecture section 3's promises about what is lost.

Memory and database are judged separately: first what the server says, then what it says after its memory was taken away.
"""

import os
import random
import signal
import threading
import time

import pytest

from databases import Pgsql, Sqlite
from load import ADDRESSES, Load, Patient
from machine import (PATIENCE, database as database_of, history, leader, listing, power_cut, start_from_database, status,
                     wait_for_database, wait_until_written)
from meetings import Api
from pexip import Node, sip, two_legs
from texts import ANY_DATABASE_TROUBLE, KILLED, LOCKED, NO_ROOM, OVERWRITTEN, REPAIRED, REPLACED
from waiting import wait_until
from workspace import NODES, PREFIX, workspace

QUIET = workspace(grace="60s 60s")
# What may be lost in a power cut: a second, and what a loaded machine adds.
LAST_SECOND = 1.2 * PATIENCE


def kill_one(httpd, pid=None):
    """kill -9 of a child, any or a certain one, if there is one just now."""
    children = httpd.children()
    if pid or children:
        httpd.kill(pid or random.choice(children), signal.SIGKILL)
        return 1
    return 0


def serving(httpd):
    wait_until(lambda: len(httpd.children()) >= 2, 10 * PATIENCE, "new children")


def check_memory_and_database(httpd, load):
    """The server knows everything, and so does its database by itself."""
    serving(httpd)
    wait_for_database(httpd)
    load.check(httpd)
    wait_until_written(httpd)
    power_cut(httpd)
    start_from_database(httpd)
    load.check(httpd)


# Children

@pytest.mark.mpm
def test_children_killed_at_random_under_load_cost_nothing(make_server, database):
    httpd = make_server(database, QUIET)
    httpd.expect(KILLED, REPAIRED)
    with Load(httpd) as load:
        killed = 0
        while killed < 12:
            load.grows(3)
            killed += kill_one(httpd)
    check_memory_and_database(httpd, load)


@pytest.mark.slow
def test_a_hundred_random_kills_and_graceful_restarts_leave_an_exact_count(make_server):
    httpd = make_server(Sqlite(), QUIET)
    httpd.expect(KILLED, REPAIRED)
    accidents = 0
    with Load(httpd, pause=0.04) as load:
        while accidents < 100:
            if accidents % 10 == 9:
                wait_until(httpd.children, 10 * PATIENCE, "a child")
                httpd.graceful()
                accidents += 1
            else:
                accidents += kill_one(httpd)
            time.sleep(random.uniform(0, 0.2))
            assert not load.failures, load.failures[:5]
        load.grows(5)
    check_memory_and_database(httpd, load)

    # Whoever was not told what came of a creation without an id of its own may have made one more.
    there = {meeting["id"] for meeting in listing(httpd)}
    assert there >= set(load.known)
    assert len(there - set(load.known)) <= load.torn["creation"]
    numbers = status(httpd)["meetings"]
    assert numbers["open"] + numbers["live"] == len(there) - sum(meeting["state"] == "ended" for meeting in listing(httpd))
    assert numbers["present"] == sum(map(len, load.present().values()))


def test_the_child_that_does_the_background_work_is_killed_while_it_writes(make_server, database):
    httpd = make_server(database, QUIET)
    httpd.expect(KILLED, REPAIRED)
    with Load(httpd) as load:
        for _ in range(6):
            load.grows(3)       # there is something to be written at any moment
            time.sleep(random.uniform(0, 0.3))
            serving(httpd)
            killed = wait_until(lambda: leader(httpd), 5 * PATIENCE, "a leader")
            kill_one(httpd, killed)
            wait_until(lambda: leader(httpd) not in (None, killed), 5 * PATIENCE, "the next leader")
            load.grows(3)
    check_memory_and_database(httpd, load)


def test_a_child_killed_inside_the_lock_is_nobodys_loss(make_server, database):
    """A stopped child with the lock makes everybody's events wait: then it is killed. Policy needs no lock, and never waits."""
    httpd = make_server(database, QUIET)
    httpd.expect(KILLED, REPAIRED, LOCKED)
    meeting = Api(httpd).create()
    load = Load(httpd, askers=1, tellers=1)
    node = Node(next(ADDRESSES), httpd)
    node.started()
    before = node.policy(meeting["id"]).body
    over, failures = threading.Event(), []

    def keep_the_lock_busy():
        busy = Node(next(ADDRESSES), Patient(load, "event"))
        try:
            busy.started()
            person = two_legs(busy, meeting["id"], busy.address)
            while not over.is_set():
                busy.bulk([person.media.updated(is_muted=bool(number % 2), send=False) for number in range(150)])
            person.leave()
        except Exception as exception:      # a thread has nobody else to tell
            failures.append(repr(exception))

    def is_locked():
        """Fresh requests are taken by children that are not stopped."""
        for _ in range(2):
            try:
                httpd.request("POST", f"{PREFIX}/events", body=node.updated(send=False), auth=NODES, timeout=0.25)
                return False
            except TimeoutError:
                pass
        return True

    threads = [threading.Thread(target=keep_the_lock_busy, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    with load:
        caught = attempts = 0
        until = time.monotonic() + 150 * PATIENCE
        while time.monotonic() < until and caught < (3 if attempts < 300 else 1):
            attempts += 1
            serving(httpd)
            victim = random.choice(httpd.children())
            httpd.kill(victim, signal.SIGSTOP)
            try:
                if is_locked():
                    assert node.policy(meeting["id"]).body == before
                    httpd.kill(victim, signal.SIGKILL)
                    assert not is_locked()
                    caught += 1
            finally:
                httpd.kill(victim, signal.SIGCONT)
        over.set()
        for thread in threads:
            thread.join(60)
    assert not failures, failures
    assert caught
    assert status(httpd)["repairs"] > 0
    assert Api(httpd).read(meeting["id"])["participants"] == []
    load.check()


def test_a_meeting_ends_exactly_once_whoever_is_killed_meanwhile(make_server, database):
    httpd = make_server(database, workspace(grace="300ms 900ms"))
    httpd.expect(KILLED, REPAIRED)
    node = Node(next(ADDRESSES), Patient(Load(httpd), "event"))
    node.started()
    meetings = [Api(httpd).create()["id"] for _ in range(12)]
    for number, meeting_id in enumerate(meetings):
        node.conference_started(meeting_id)
        sip(node, meeting_id, "Anna").leave()
        if number % 2:
            node.conference_ended(meeting_id)
        if number % 3 == 2:
            serving(httpd)
            kill_one(httpd, leader(httpd))
    serving(httpd)
    for meeting_id in meetings:
        wait_until(lambda: Api(httpd).read(meeting_id)["state"] == "ended", 10 * PATIENCE, "the end")
    wait_until_written(httpd)
    ended = [meeting["id"] for meeting in history(httpd)]
    assert sorted(each for each in ended if each in meetings) == sorted(meetings)
    power_cut(httpd)
    start_from_database(httpd)
    assert [Api(httpd).read(each)["state"] for each in meetings] == ["ended"] * len(meetings)
    assert sorted(meeting["id"] for meeting in history(httpd)) == sorted(ended)


# The parent, and all

def test_children_whose_parent_was_killed_go_on_and_the_next_start_knows_all(make_server, database):
    httpd = make_server(database, QUIET)
    with Load(httpd) as load:
        load.grows(5)
        parent = httpd.pid()
        httpd.kill(parent, signal.SIGKILL)
        wait_until(lambda: httpd._parent.poll() is not None, 5, "the death of the parent")
        load.grows(20)
        created = len(load.known)
        wait_until(lambda: len(load.known) > created + 5 or load.failures, 10, "creations without a parent")
    load.check(httpd)
    wait_until_written(httpd)
    assert httpd.processes() and parent not in httpd.processes()
    httpd.kill9_all()
    httpd.expect(OVERWRITTEN, REPAIRED)
    httpd.start()
    check_memory_and_database(httpd, load)


@pytest.mark.mpm
def test_every_process_killed_under_load_loses_nothing_that_was_acknowledged(make_server, database):
    httpd = make_server(database, QUIET)
    with Load(httpd) as load:
        for _ in range(3):
            load.grows(10)
            httpd.kill9_all()
            httpd.expect(OVERWRITTEN, REPAIRED)
            httpd.start()
        load.grows(3)
    check_memory_and_database(httpd, load)


# The power

@pytest.mark.parametrize("times", [1, pytest.param(4, marks=pytest.mark.slow)])
def test_a_power_cut_under_load_costs_no_meeting_and_the_events_of_a_second_at_most(make_server, database, times):
    httpd = make_server(database, QUIET)
    loads = []
    for _ in range(times):
        with Load(httpd) as load:
            load.grows(10)
            time.sleep(random.uniform(LAST_SECOND, 2 * LAST_SECOND))
            cut = load.cut()
            power_cut(httpd)
        loads.append((load, cut))
        start_from_database(httpd)
        for load, cut in loads:
            load.check(httpd, settled=cut - LAST_SECOND)


def test_a_power_cut_takes_postgresql_along(make_server, postgresql):
    httpd = make_server(Pgsql(postgresql), QUIET)
    httpd.expect(*ANY_DATABASE_TROUBLE)
    with Load(httpd) as load:
        load.grows(10)
        time.sleep(LAST_SECOND)
        cut = load.cut()
        postgresql.kill9()
        power_cut(httpd)
    postgresql.start()
    start_from_database(httpd)
    load.check(httpd, settled=cut - LAST_SECOND)


@pytest.mark.mpm
def test_a_clean_stop_writes_everything_before_memory_goes(make_server, database):
    httpd = make_server(database, QUIET)
    with Load(httpd) as load:
        load.grows(10)
    power_cut(httpd, stop=True)      # no second of patience here
    start_from_database(httpd)
    load.check(httpd)


def test_what_comes_back_from_the_database_goes_on_to_live(make_server, database):
    """Joins, new people, quality, the end by its timers: the meeting is a whole one."""
    httpd = make_server(database, workspace(grace="300ms 900ms"))
    api, node = Api(httpd), Node(next(ADDRESSES), httpd)
    node.started()
    said, silent, window, closed = (api.create(**members) for members in (
        {"title": "Said"}, {"title": "Silent"},
        {"title": "Window", "not_before": "2020-01-01T00:00:00Z", "not_after": "2035-01-01T00:00:00Z"}, {"title": "Closed"}))
    people = {}
    for meeting in (said, silent, closed):
        node.conference_started(meeting["id"])
        people[meeting["id"]] = two_legs(node, meeting["id"], "Anna", role="chair")
        people[meeting["id"]].media.stream_window("bad")
    api.delete(closed["id"])
    answers = [node.policy(meeting["id"]).body for meeting in (said, silent, window, closed)]
    before = [api.read(meeting["id"]) for meeting in (said, silent, window, closed)]
    wait_until_written(httpd)
    power_cut(httpd)
    start_from_database(httpd)

    after = [api.read(meeting["id"]) for meeting in (said, silent, window, closed)]
    for old, new in zip(before, after):
        assert {**new, "nodes": None} == {**old, "nodes": None}
        assert [(each["address"], each["ended"]) for each in new["nodes"]] == [(each["address"], each["ended"]) for each in old["nodes"]]
    assert [node.policy(meeting["id"]).body for meeting in (said, silent, window, closed)] == answers
    key = said["join_url"].rpartition("/")[2]
    assert httpd.request("GET", f"{PREFIX}/join/{key}").status == 303
    boris = sip(node, said["id"], "Boris")
    assert sorted(each["name"] for each in api.read(said["id"])["participants"]) == ["Anna", "Boris"]
    for meeting in (said, silent, closed):
        people[meeting["id"]].leave()
    boris.leave()
    node.conference_ended(said["id"])
    for meeting, inferred in ((said, False), (silent, True), (closed, True)):
        # On a shared database the machine that was here before the power cut is another one, which is waited for.
        wait_until(lambda: api.read(meeting["id"])["state"] == "ended", 30 * PATIENCE, f"the end of {meeting['title']}")
        assert api.read(meeting["id"])["inferred"] is inferred
    assert api.read(window["id"])["state"] == "open"


def test_numbers_are_dialled_and_refused_as_before_after_a_power_cut(make_server, database):
    httpd = make_server(database, workspace(grace="60s 60s", extra="PexipRCNumericAlias 88 4"))
    api, node = Api(httpd), Node(next(ADDRESSES), httpd)
    given = [api.create()["numeric_alias"] for _ in range(3)]
    api.delete(api.create(id="ended0123456789")["id"])
    given.append(api.read("ended0123456789")["numeric_alias"])
    answers = [node.policy(number).body for number in given]
    wait_until_written(httpd)
    power_cut(httpd)
    start_from_database(httpd)
    assert [node.policy(number).body for number in given] == answers


# Another size of memory

@pytest.mark.parametrize("directive", ["PexipRCMaxMeetings 777", "PexipRCMaxParticipants 7777"])
def test_changed_sizes_are_filled_from_the_database_at_a_full_restart(make_server, database, directive):
    httpd = make_server(database, QUIET)
    with Load(httpd) as load:
        load.grows(10)
    httpd.stop()
    httpd.configure(QUIET, server=f"{database.directive}\n{directive}")
    httpd.expect(REPLACED)
    httpd.start()
    wait_for_database(httpd)
    load.check(httpd)
    assert status(httpd)["tables"]["meetings" if "Meetings" in directive else "participants"]["size"] in (777, 7777)


def test_what_does_not_fit_into_smaller_tables_is_told_and_stays_in_the_database(make_server, database):
    httpd = make_server(database, QUIET)
    api = Api(httpd)
    meetings = [api.create() for _ in range(30)]
    wait_until_written(httpd)
    httpd.stop()
    httpd.configure(QUIET, server=f"{database.directive}\nPexipRCMaxMeetings 10")
    httpd.expect(REPLACED, NO_ROOM)
    httpd.start()
    wait_for_database(httpd)
    assert database_of(httpd)["not_loaded"] >= 20
    there = [api.call("GET", f"/meetings/{meeting['id']}").status for meeting in meetings]
    assert there.count(200) == 10
    httpd.stop()
    httpd.configure(QUIET, server=database.directive)
    httpd.expect(REPLACED)
    httpd.start()
    wait_for_database(httpd)
    assert [api.read(meeting["id"]) for meeting in meetings] == meetings
    assert database_of(httpd)["not_loaded"] == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="the parent is root only when root starts it")
def test_the_database_file_belongs_to_the_run_user_and_to_nobody_else(make_server):
    httpd = make_server(Sqlite(), QUIET)
    Api(httpd).create()
    for path in [httpd.root / "state", *Sqlite.files(httpd)]:
        info = path.stat()
        assert path.owner() == "www-data" and info.st_mode & 0o077 == 0, (path, oct(info.st_mode))
