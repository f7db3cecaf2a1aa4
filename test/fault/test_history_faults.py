"""The database hangs or goes while the history is read: requests are answered in time, nothing else waits for them, and
afterwards the history can be read again."""

import http.client
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlencode

import pytest

from databases import Pgsql, Sqlite
from load import ADDRESSES
from machine import PATIENCE, history, took, wait_for_database, wait_until_written
from meetings import Api
from pexip import Node, two_legs
from texts import ANY_DATABASE_TROUBLE, KILLED, REPAIRED
from waiting import wait_until
from workspace import ADMIN, PREFIX, workspace

BRISK = workspace(grace="300ms 900ms")
# A reading is given up after ten seconds; with the wait for its turn and a slow machine.
ANSWERED_WITHIN = 10.0 + 2 * PATIENCE
REFUSED_WITHIN = 1.0 * PATIENCE
STOPPED_WITHIN = 3.0 + 0.5 * PATIENCE


def read(httpd, **query):
    return httpd.request("GET", f"{PREFIX}/api/v1/history?{urlencode(query)}", auth=ADMIN, timeout=30)


def refused(answer):
    assert answer.status == 503, f"{answer.status} {answer.text[:300]}"
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Content-Type"] == "application/problem+json" and answer.json()["detail"]
    return True


def cut_off(httpd):
    """A reading that need not come to an answer."""
    try:
        return read(httpd).status
    except (OSError, http.client.HTTPException):
        return None


def with_history(make_server, database):
    """A server with one past meeting, and one that goes on."""
    httpd = make_server(database, BRISK)
    httpd.expect(*ANY_DATABASE_TROUBLE)
    node, past, live = Node(next(ADDRESSES), httpd), Api(httpd).create(), Api(httpd).create()
    node.started()
    for meeting in (past, live):
        node.conference_started(meeting["id"])
    two_legs(node, live["id"], "Anna")
    two_legs(node, past["id"], "Boris").leave()
    node.conference_ended(past["id"])
    wait_until(lambda: [each["id"] for each in history(httpd)] == [past["id"]], 10 * PATIENCE, "the past meeting in the history")
    wait_until_written(httpd)
    return httpd, node, live


@contextmanager
def readings(httpd, count):
    """So many at once; hands out the tasks as soon as they are under way."""
    with ThreadPoolExecutor(count) as pool:
        tasks = [pool.submit(cut_off, httpd) for _ in range(count)]
        time.sleep(0.4)
        yield tasks


def test_a_frozen_postgresql_is_answered_for_in_time_and_policy_does_not_wait(make_server, postgresql):
    httpd, node, live = with_history(make_server, Pgsql(postgresql))
    answer = node.policy(live["id"]).body
    with ThreadPoolExecutor(10) as pool:
        with Pgsql(postgresql).trouble("frozen", httpd):
            with took() as time_taken:
                tasks = [pool.submit(read, httpd) for _ in range(10)]
                while not all(task.done() for task in tasks):
                    with took() as policy:
                        assert node.policy(live["id"]).body == answer
                    assert policy.seconds < 1.0 * PATIENCE
                    time.sleep(0.1)
            assert all(refused(task.result()) for task in tasks)
            assert time_taken.seconds < ANSWERED_WITHIN
            wait_for_database(httpd, "hanging", "unreachable")
            with took() as time_taken:
                assert refused(read(httpd))
            assert time_taken.seconds < REFUSED_WITHIN
    wait_for_database(httpd)
    # Nobody keeps a place: more than there are get one.
    wait_until(lambda: all(read(httpd).status == 200 for _ in range(5)), 20 * PATIENCE, "the history")


@pytest.mark.slow
def test_a_connection_that_hangs_in_the_middle_of_a_reading_is_given_up(make_server, postgresql):
    """A table that somebody has locked: the database is well, the reading is not."""
    httpd, node, live = with_history(make_server, Pgsql(postgresql))
    answer = node.policy(live["id"]).body
    import psycopg2
    lock = psycopg2.connect(postgresql.conninfo)
    try:
        # The keeper writes no leg meanwhile, so only readings are held up.
        lock.cursor().execute("LOCK TABLE participant IN ACCESS EXCLUSIVE MODE")
        with ThreadPoolExecutor(4) as pool, took() as time_taken:
            tasks = [pool.submit(read, httpd) for _ in range(4)]
            time.sleep(0.5)
            assert node.policy(live["id"]).body == answer
            assert all(refused(task.result()) for task in tasks)
        assert time_taken.seconds < ANSWERED_WITHIN
        with ThreadPoolExecutor(4) as pool, took() as time_taken:
            assert all(refused(each) for each in pool.map(lambda _: read(httpd), range(4)))
        assert time_taken.seconds < ANSWERED_WITHIN
    finally:
        lock.close()
    wait_until(lambda: all(read(httpd).status == 200 for _ in range(5)), 20 * PATIENCE, "the history")


@pytest.mark.mpm
def test_a_stop_does_not_wait_for_readings_that_hang(make_server, postgresql):
    httpd, _, _ = with_history(make_server, Pgsql(postgresql))
    with Pgsql(postgresql).trouble("frozen", httpd), readings(httpd, 6):
        with took() as time_taken:
            httpd.stop()
        assert time_taken.seconds < STOPPED_WITHIN
    httpd.start()
    wait_for_database(httpd)
    assert len(history(httpd)) == 1


@pytest.mark.mpm
def test_a_graceful_restart_does_not_wait_for_readings_that_hang_nor_does_a_stop_after_it(make_server, postgresql):
    httpd, node, live = with_history(make_server, Pgsql(postgresql))
    answer = node.policy(live["id"]).body
    with Pgsql(postgresql).trouble("frozen", httpd), readings(httpd, 6):
        old = set(httpd.children())
        with took() as time_taken:
            httpd.graceful()
            assert node.policy(live["id"]).body == answer
            wait_until(lambda: not old & set(httpd.processes()), 10 * PATIENCE, "the end of the old processes")
        assert time_taken.seconds < STOPPED_WITHIN
        with took() as time_taken:
            httpd.stop()
        assert time_taken.seconds < STOPPED_WITHIN
    httpd.start()
    wait_for_database(httpd)
    assert len(history(httpd)) == 1


@pytest.mark.mpm
def test_readers_that_are_killed_leave_their_places_to_others(make_server, postgresql):
    httpd, _, _ = with_history(make_server, Pgsql(postgresql))
    httpd.expect(KILLED, REPAIRED)
    for _ in range(3):
        with Pgsql(postgresql).trouble("frozen", httpd), readings(httpd, 6):
            for pid in httpd.children():
                httpd.kill(pid, signal.SIGKILL)
        wait_for_database(httpd)
    wait_until(lambda: all(read(httpd).status == 200 for _ in range(5)), 20 * PATIENCE, "the history")


def test_while_the_database_is_away_the_history_is_refused_at_once(make_server, postgresql):
    httpd, _, _ = with_history(make_server, Pgsql(postgresql))
    with Pgsql(postgresql).trouble("stopped", httpd):
        wait_for_database(httpd, "unreachable")
        for _ in range(3):
            with took() as time_taken:
                assert refused(read(httpd))
            assert time_taken.seconds < REFUSED_WITHIN
    wait_for_database(httpd)
    assert len(history(httpd)) == 1


def test_a_locked_sqlite_file_is_read_or_refused_in_time(make_server):
    httpd, node, live = with_history(make_server, Sqlite())
    answer = node.policy(live["id"]).body
    with Sqlite().trouble("locked", httpd):
        for _ in range(6):
            with took() as time_taken:
                one = read(httpd)
            assert one.status == 200 or refused(one)
            assert time_taken.seconds < ANSWERED_WITHIN
            assert node.policy(live["id"]).body == answer
            time.sleep(0.5)
    wait_for_database(httpd)
    assert len(history(httpd)) == 1


def test_a_file_that_is_gone_is_told_and_calls_go_on(make_server):
    httpd, node, live = with_history(make_server, Sqlite())
    answer = node.policy(live["id"]).body
    httpd.expect(r"the file of the database was replaced", r"the database is another one")
    for path in Sqlite.files(httpd):
        os.unlink(path)
    one = read(httpd)
    assert one.status == 200 or refused(one)
    assert node.policy(live["id"]).body == answer
    wait_until(lambda: read(httpd).status == 200, 10 * PATIENCE, "the history")
