"""The database is away, hangs, is full, damaged, older or newer: what runs goes on, nothing ends, nothing is half created,
and afterwards everything is written."""

import os
import random
import shutil
import statistics
import subprocess
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from databases import Pgsql, Sqlite, empty, sql
from load import ADDRESSES, TORN, Load
from machine import (BACK_WITHIN, PATIENCE, database as database_of, history, listing, power_cut, start_from_database, status,
                     took, wait_for_database, wait_until_written)
from meetings import NINA, ROOM, Api
from pexip import Node, sip, two_legs
from texts import ANY_DATABASE_TROUBLE, DAMAGED, NEWER, RESTORED
from waiting import stays, wait_until
from workspace import workspace

QUIET = workspace(grace="60s 60s")
BRISK = workspace(grace="300ms 900ms")
AWAY = ("unreachable", "hanging", "refused", "starting")

# A creation is refused after two seconds at most; what is above is a loaded machine.
REFUSED_WITHIN = 2.0 + 0.7 * PATIENCE
# A process joins its threads within two seconds; httpd escalates at three.
STOPPED_WITHIN = 3.0 + 0.5 * PATIENCE

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount and give files away")


def post(httpd, **members):
    return Api(httpd).call("POST", "/meetings", {"title": "Weekly", "room": ROOM, "creator": NINA, **members})


def refused(httpd, **members):
    """A creation that must be refused, properly and in time."""
    with took() as time_taken:
        answer = post(httpd, **members)
    assert answer.status == 503, f"{answer.status} {answer.text[:300]}"
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert time_taken.seconds < REFUSED_WITHIN, time_taken.seconds
    return answer


def occupied(httpd):
    """A node, and a meeting with Anna in it, written to the database."""
    meeting, node = Api(httpd).create(), Node(next(ADDRESSES), httpd)
    node.started()
    node.conference_started(meeting["id"])
    anna = two_legs(node, meeting["id"], "Anna")
    wait_until_written(httpd)
    return node, meeting, anna


def names(httpd, meeting):
    return sorted(person["name"] for person in Api(httpd).read(meeting["id"])["participants"])


# Creating

@pytest.mark.mpm
def test_creating_is_refused_in_time_while_the_database_is_away_and_nothing_is_half_created(make_server, trouble):
    httpd = make_server(trouble.database, QUIET)
    httpd.expect(*ANY_DATABASE_TROUBLE)
    meeting_id, lost = uuid.uuid4().hex, f"Lost {uuid.uuid4().hex}"
    with trouble(httpd):
        for _ in range(2):
            refused(httpd, id=meeting_id, title="Wanted")
            refused(httpd, title=lost)
        wait_for_database(httpd, *trouble.states)
        assert Api(httpd).call("GET", f"/meetings/{meeting_id}").status == 404
        assert Node(next(ADDRESSES), httpd).policy(meeting_id).status == 404
        assert not listing(httpd)
    wait_for_database(httpd)
    stays(lambda: not listing(httpd), 1, "the emptiness")       # nothing comes late
    made = Api(httpd).create(id=meeting_id, title="Wanted")
    assert Api(httpd).create(id=meeting_id, title="Wanted") == made
    wait_until_written(httpd)
    power_cut(httpd)
    start_from_database(httpd)
    assert [each["title"] for each in listing(httpd)] == ["Wanted"]
    assert Api(httpd).read(meeting_id) == made


def test_a_deletion_waits_for_a_database_that_takes_its_time(make_server, postgresql):
    httpd = make_server(Pgsql(postgresql), QUIET)
    api, meeting = Api(httpd), Api(httpd).create()
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'revision'::regclass"
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(sql, postgresql.conninfo, "BEGIN", "LOCK TABLE revision IN ACCESS EXCLUSIVE MODE", "SELECT pg_sleep(1)", "COMMIT")
        wait_until(lambda: slow.done() or sql(postgresql.conninfo, waiting).strip() != "0", 10 * PATIENCE, "the keeper to wait")
        time.sleep(0.2)
        with took() as time_taken:
            api.delete(meeting["id"])
        # After two seconds it is only closed.
        assert api.read(meeting["id"])["state"] == "ended" or time_taken.seconds >= 2
        slow.result()


def test_a_creation_that_waits_is_answered_when_the_database_comes_back_in_time(make_server, trouble):
    httpd = make_server(trouble.database, QUIET)
    httpd.expect(*ANY_DATABASE_TROUBLE)
    with ThreadPoolExecutor(1) as pool:
        with trouble(httpd):
            answer = pool.submit(post, httpd)
            time.sleep(0.5)
        answer = answer.result()
    # A lost connection may take longer than the two seconds to be made again, or be told at once.
    assert answer.status in ((201,) if trouble.how in ("frozen", "locked") else (201, 503))
    wait_for_database(httpd)
    assert len(listing(httpd)) == (answer.status == 201)


def test_retries_with_the_same_id_across_the_return_give_one_meeting(make_server, trouble):
    """Several clients insist while the database goes and comes."""
    httpd = make_server(trouble.database, QUIET)
    httpd.expect(*ANY_DATABASE_TROUBLE)
    ids = [uuid.uuid4().hex for _ in range(3)]
    over = threading.Event()

    def insist(meeting_id):
        answers = []
        while not (over.is_set() and answers and answers[-1].status != 503):
            answers.append(post(httpd, id=meeting_id))
        return [answer for answer in answers if answer.status != 503]
    with ThreadPoolExecutor(6) as pool:
        with trouble(httpd):
            tasks = [pool.submit(insist, meeting_id) for meeting_id in ids * 2]
            time.sleep(2.5)
        wait_for_database(httpd)
        over.set()
        given = [answer for task in tasks for answer in task.result()]
    assert {answer.status for answer in given} <= {200, 201}
    for meeting_id in ids:
        same = [answer.json() for answer in given if answer.json()["id"] == meeting_id]
        assert all(each["pins"] == same[0]["pins"] and each["join_url"] == same[0]["join_url"] for each in same)
    assert sorted(each["id"] for each in listing(httpd)) == sorted(ids)


# What runs goes on

def test_people_come_and_go_while_the_database_is_away_and_all_is_written_afterwards(make_server, trouble):
    httpd = make_server(trouble.database, QUIET)
    httpd.expect(*ANY_DATABASE_TROUBLE)
    with Load(httpd) as load:
        load.grows(5)
        with trouble(httpd):
            load.grows(60)
            wait_for_database(httpd, *trouble.states)
            assert database_of(httpd)["unwritten"] > 0
            time.sleep(2)
            assert not load.failures, load.failures[:5]
        wait_for_database(httpd)
        load.grows(5)
    load.check(refused=("creation",))
    wait_until_written(httpd)
    power_cut(httpd)
    start_from_database(httpd)
    load.check(refused=("creation",))


def test_status_tells_since_when_and_why(make_server, trouble):
    httpd = make_server(trouble.database, QUIET)
    httpd.expect(*ANY_DATABASE_TROUBLE)
    Api(httpd).create()
    wait_until_written(httpd)
    good = database_of(httpd)
    assert (good["driver"], good["state"], good["unwritten"]) == (trouble.database.driver, "ok", 0)
    assert good["last_commit_at"] and not good.get("error")
    assert status(httpd)["status"] == "ok"
    with trouble(httpd):
        refused(httpd)
        bad = wait_for_database(httpd, *trouble.states)
        assert bad["since"] and bad["since"] >= good["last_commit_at"]
        assert isinstance(bad["error"], str) and bad["error"].strip()
        assert bad["last_commit_at"] == good["last_commit_at"]
        assert "password" not in bad["error"]
    back = wait_for_database(httpd)
    assert not back.get("error")
    Api(httpd).create()
    assert database_of(httpd)["revision"] > good["revision"]


def times(httpd, meetings, count=250):
    """Seconds that policy answers took, one after the other; the answers must be right."""
    node, found = Node(next(ADDRESSES), httpd), []
    for _ in range(count):
        with took() as time_taken:
            answer = node.policy(random.choice(meetings)["id"])
        assert answer.status == 200 and answer.json()["action"] == "continue"
        found.append(time_taken.seconds)
    found.sort()
    return statistics.median(found), found[int(count * 0.99)]


def test_policy_answers_are_as_fast_as_ever_while_the_database_is_away(make_server, trouble):
    httpd = make_server(trouble.database, QUIET)
    httpd.expect(*ANY_DATABASE_TROUBLE)
    meetings = [Api(httpd).create() for _ in range(20)]
    quiet = times(httpd, meetings)
    over = threading.Event()

    def events():
        node = Node(next(ADDRESSES), httpd)
        node.started()
        for meeting in meetings:
            node.conference_started(meeting["id"])
        while not over.wait(0.01):
            sip(node, random.choice(meetings)["id"], "Anna").leave()

    def creations():
        while not over.is_set():
            refused(httpd)
    with ThreadPoolExecutor(4) as pool:
        with trouble(httpd):
            tasks = [pool.submit(work) for work in (events, creations, creations, creations)]
            time.sleep(0.5)
            away = [times(httpd, meetings) for _ in range(2)]
            over.set()
            for task in tasks:
                task.result()
    # The load is the test's own: its threads and the server share two processors. A wait for the database would be seconds.
    for median, late in away:
        assert median < 4 * quiet[0] + 0.010 * PATIENCE, (quiet, away)
        assert late < 4 * quiet[1] + 0.150 * PATIENCE, (quiet, away)
    wait_for_database(httpd)


def test_creations_that_wait_leave_the_workers_to_policy(make_server, trouble):
    httpd = make_server(trouble.database, QUIET)
    httpd.expect(*ANY_DATABASE_TROUBLE)
    meeting = Api(httpd).create()
    expected = Node(next(ADDRESSES), httpd).policy(meeting["id"]).body

    def ask(_):
        with took() as time_taken:
            answer = Node("10.9.9.9", httpd).policy(meeting["id"])
        return answer.body == expected, time_taken.seconds
    with trouble(httpd), ThreadPoolExecutor(60) as pool:
        waiting = [pool.submit(refused, httpd) for _ in range(5)]
        time.sleep(0.3)
        answers = list(pool.map(ask, range(50)))
        assert all(right for right, _ in answers)
        assert max(seconds for _, seconds in answers) < 1.0 * PATIENCE
        for each in waiting:
            each.result()


def test_an_unknown_alias_is_never_rejected_while_the_database_cannot_be_asked(make_server, trouble):
    httpd = make_server(trouble.database, workspace(grace="60s 60s", extra="PexipRCUnknownAlias reject ^rc"))
    httpd.expect(*ANY_DATABASE_TROUBLE)
    node = Node(next(ADDRESSES), httpd)
    assert node.policy("rcunknown0123").json()["action"] == "reject"
    with trouble(httpd):
        refused(httpd)
        wait_for_database(httpd, *trouble.states)
        with took() as time_taken:
            answer = node.policy("rcunknown0123")
        assert time_taken.seconds < 1.0 * PATIENCE
        assert (answer.status, answer.json()["action"]) == (404, "continue")
    wait_for_database(httpd)
    assert node.policy("rcunknown0123").json()["action"] == "reject"


# Ends

def test_nothing_ends_while_the_database_is_away_and_the_end_comes_afterwards_once(make_server, trouble):
    httpd = make_server(trouble.database, BRISK)
    httpd.expect(*ANY_DATABASE_TROUBLE)
    node, said, anna = occupied(httpd)
    silent, kept = Api(httpd).create(), Api(httpd).create()
    node.conference_started(silent["id"])
    boris = sip(node, silent["id"], "Boris")
    node.conference_started(kept["id"])
    sip(node, kept["id"], "Carla")
    wait_until_written(httpd)
    meetings = (said, silent, kept)
    with trouble(httpd):
        refused(httpd)
        wait_for_database(httpd, *trouble.states)
        anna.leave()
        boris.leave()
        node.conference_ended(said["id"])
        stays(lambda: [Api(httpd).read(each["id"])["state"] for each in meetings] == ["live"] * 3, 3, "life")
    wait_for_database(httpd)
    for meeting, inferred in ((said, False), (silent, True)):
        wait_until(lambda: Api(httpd).read(meeting["id"])["state"] == "ended", 10 * PATIENCE, "the end")
        assert Api(httpd).read(meeting["id"])["inferred"] is inferred
    assert (Api(httpd).read(kept["id"])["state"], names(httpd, kept)) == ("live", ["Carla"])
    wait_until_written(httpd)
    ended = history(httpd)
    assert sorted(each["id"] for each in ended) == sorted((said["id"], silent["id"]))
    assert {each["id"]: [person["name"] for person in each["participants"]] for each in ended} \
        == {said["id"]: ["Anna"], silent["id"]: ["Boris"]}


@pytest.mark.mpm
def test_who_comes_back_while_the_database_is_away_keeps_his_meeting(make_server, trouble):
    httpd = make_server(trouble.database, BRISK)
    httpd.expect(*ANY_DATABASE_TROUBLE)
    node, meeting, anna = occupied(httpd)
    with trouble(httpd):
        anna.leave()
        node.conference_ended(meeting["id"])
        time.sleep(1.5)
        node.conference_started(meeting["id"])
        sip(node, meeting["id"], "Boris")
    wait_for_database(httpd)
    stays(lambda: Api(httpd).read(meeting["id"])["state"] == "live", 2, "life")
    assert names(httpd, meeting) == ["Boris"]


# Stops and starts

@pytest.mark.mpm
def test_a_stop_and_a_graceful_restart_do_not_wait_for_a_hanging_database(make_server, trouble):
    httpd = make_server(trouble.database, QUIET)
    httpd.expect(*ANY_DATABASE_TROUBLE)
    node, meeting, anna = occupied(httpd)
    answer = node.policy(meeting["id"]).body
    with trouble(httpd):
        sip(node, meeting["id"], "Boris")
        refused(httpd)
        old = set(httpd.children())
        with took() as time_taken:
            httpd.graceful()
            wait_until(lambda: not old & set(httpd.processes()), 10 * PATIENCE, "the end of the old children")
        assert time_taken.seconds < STOPPED_WITHIN, time_taken.seconds
        assert node.policy(meeting["id"]).body == answer
        refused(httpd)
        with took() as time_taken:
            httpd.stop()
        assert time_taken.seconds < STOPPED_WITHIN, time_taken.seconds
        httpd.start()
        assert node.policy(meeting["id"]).body == answer
        anna.leave()
    wait_for_database(httpd)
    wait_until_written(httpd)
    power_cut(httpd)
    start_from_database(httpd)
    assert names(httpd, meeting) == ["Boris"]


@pytest.mark.mpm
def test_a_stop_does_not_wait_for_creations_that_do(make_server, trouble):
    httpd = make_server(trouble.database, QUIET)
    httpd.expect(*ANY_DATABASE_TROUBLE)

    def create():
        try:
            return post(httpd).status
        except TORN as torn:
            return torn
    with trouble(httpd), ThreadPoolExecutor(5) as pool:
        tasks = [pool.submit(create) for _ in range(5)]
        time.sleep(0.5)
        with took() as time_taken:
            httpd.stop()
        assert time_taken.seconds < STOPPED_WITHIN, time_taken.seconds
        acknowledged = [task.result() for task in tasks].count(201)
        httpd.start()
    wait_for_database(httpd)
    assert len(listing(httpd)) == acknowledged == 0


def test_a_start_without_postgresql_serves_what_memory_has_and_waits_for_the_rest(make_server, postgresql):
    httpd = make_server(Pgsql(postgresql), QUIET)
    httpd.expect(*ANY_DATABASE_TROUBLE)
    node, meeting, _ = occupied(httpd)
    answer = node.policy(meeting["id"]).body
    httpd.stop()
    postgresql.stop("fast")
    try:
        httpd.start()
        wait_for_database(httpd, *AWAY)
        assert node.policy(meeting["id"]).body == answer
        sip(node, meeting["id"], "Boris")
        assert names(httpd, meeting) == ["Anna", "Boris"]
        refused(httpd)
    finally:
        postgresql.start()
    wait_for_database(httpd)
    assert Api(httpd).create()["state"] == "open"
    wait_until_written(httpd)
    power_cut(httpd)
    start_from_database(httpd)
    assert names(httpd, meeting) == ["Anna", "Boris"]


@pytest.mark.parametrize("how", ["stopped", "frozen"])
def test_a_first_start_without_postgresql_and_without_memory_recovers_by_itself(make_server, postgresql, how):
    """What nodes tell meanwhile, of meetings only the database knows, is not lost."""
    database = Pgsql(postgresql)
    httpd = make_server(database, QUIET)
    httpd.expect(*ANY_DATABASE_TROUBLE)
    node, meeting, _ = occupied(httpd)
    answer = node.policy(meeting["id"]).body
    power_cut(httpd)
    with database.trouble(how, httpd):
        with took() as time_taken:
            httpd.start()
        assert time_taken.seconds < 5 * PATIENCE
        wait_for_database(httpd, *AWAY)
        refused(httpd)
        events = held(node, lambda: sip(node, meeting["id"], "Boris"))
        pending = [event for event in events if node.post(event).status == 503]
        assert pending in ([], events), "refused in the middle"
    wait_for_database(httpd)
    for event in pending:
        node.send(event)
    assert node.policy(meeting["id"]).body == answer
    wait_until(lambda: names(httpd, meeting) == ["Anna", "Boris"], 3 * PATIENCE, "both people")


def held(node, scene):
    with node.holding() as events:
        scene()
    return events


def test_postgresql_restarted_again_and_again_under_load_costs_nothing(make_server, postgresql):
    httpd = make_server(Pgsql(postgresql), QUIET)
    httpd.expect(*ANY_DATABASE_TROUBLE)
    with Load(httpd) as load:
        for how in ("restart", "kill9", "restart"):
            load.grows(5)
            if how == "kill9":
                postgresql.kill9()
                postgresql.start()
            else:
                postgresql.restart()
            wait_for_database(httpd)
    load.check(refused=("creation",))
    wait_until_written(httpd)
    power_cut(httpd)
    start_from_database(httpd)
    load.check(refused=("creation",))


# Another database than before

def after_the_backup(httpd, node, first):
    """What the backup does not know: a meeting, people, an end."""
    second, ended = Api(httpd).create(title="After the backup"), Api(httpd).create()
    node.conference_started(second["id"])
    sip(node, second["id"], "Carla")
    sip(node, first["id"], "Boris")
    Api(httpd).delete(ended["id"])
    wait_until_written(httpd)
    return second, ended


def everything_is_in_the_database(httpd, first, second, ended, answer):
    node = Node(next(ADDRESSES), httpd)

    def is_all_there():
        reads = [Api(httpd).call("GET", f"/meetings/{each['id']}") for each in (first, second, ended)]
        assert [read.status for read in reads] == [200] * 3
        assert [read.json()["state"] for read in reads] == ["live", "live", "ended"]
        assert (names(httpd, first), names(httpd, second)) == (["Anna", "Boris"], ["Carla"])
        assert node.policy(first["id"]).body == answer
    is_all_there()
    time.sleep(1)       # it has been noticed, and is being written
    wait_until_written(httpd, BACK_WITHIN)
    is_all_there()
    power_cut(httpd)
    start_from_database(httpd)
    is_all_there()
    assert [each["id"] for each in history(httpd)].count(ended["id"]) == 1


def test_an_older_backup_of_postgresql_is_noticed_and_brought_up_to_date(make_server, postgresql):
    httpd = make_server(Pgsql(postgresql), QUIET)
    httpd.expect(*ANY_DATABASE_TROUBLE, RESTORED)
    node, first, _ = occupied(httpd)
    answer = node.policy(first["id"]).body
    backup = postgresql.dump()
    second, ended = after_the_backup(httpd, node, first)
    postgresql.restore(backup)
    Api(httpd).create()
    everything_is_in_the_database(httpd, first, second, ended, answer)


def test_an_empty_postgresql_in_place_of_the_old_one_is_filled(make_server, postgresql):
    httpd = make_server(Pgsql(postgresql), QUIET)
    httpd.expect(*ANY_DATABASE_TROUBLE, RESTORED)
    node, first, _ = occupied(httpd)
    answer = node.policy(first["id"]).body
    second, ended = after_the_backup(httpd, node, first)
    empty(postgresql.conninfo)
    wait_until(lambda: post(httpd).status == 201, BACK_WITHIN, "a database to create in")
    everything_is_in_the_database(httpd, first, second, ended, answer)


@pytest.mark.parametrize("what", ["an older copy", "nothing"])
def test_an_older_sqlite_file_put_back_while_httpd_was_stopped_is_brought_up_to_date(make_server, what):
    database = Sqlite()
    httpd = make_server(database, QUIET)
    httpd.expect(*ANY_DATABASE_TROUBLE, RESTORED)
    node, first, _ = occupied(httpd)
    answer = node.policy(first["id"]).body
    backup = database.copy(httpd)
    second, ended = after_the_backup(httpd, node, first)
    httpd.stop()
    if what == "nothing":
        for path in database.files(httpd):
            path.unlink()
    else:
        database.put_back(httpd, backup)
    httpd.start()
    wait_for_database(httpd)
    everything_is_in_the_database(httpd, first, second, ended, answer)


def test_tables_of_a_newer_version_are_refused_clearly_and_not_touched(make_server, database):
    httpd = make_server(database, QUIET)
    meeting = Api(httpd).create()
    answer = Node(next(ADDRESSES), httpd).policy(meeting["id"]).body
    wait_until_written(httpd)
    httpd.stop()
    back = database.raise_schema(httpd)
    httpd.expect(NEWER, *ANY_DATABASE_TROUBLE)
    httpd.start()
    assert "newer" in wait_for_database(httpd, "newer")["error"]
    refused(httpd)
    assert Node(next(ADDRESSES), httpd).policy(meeting["id"]).body == answer
    httpd.stop()
    back()
    httpd.start()
    wait_for_database(httpd)
    assert Api(httpd).create()["state"] == "open"
    assert Api(httpd).read(meeting["id"]) == meeting


# The disk

@contextmanager
def small_disk(httpd, size="700k"):
    """A file system of its own below the state directory."""
    state = httpd.root / "state"
    state.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700,uid=www-data,gid=www-data", "tmpfs", state], check=True)
    try:
        yield state
    finally:
        httpd.close()
        subprocess.run(["umount", "-l", state], check=True)


def fill(directory):
    """Not a byte is left."""
    with open(directory / "filler", "wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                pass


@needs_root
def test_a_full_disk_refuses_creations_and_nothing_else(make_server):
    httpd = make_server(Sqlite(), QUIET, start=False)
    httpd.expect(*ANY_DATABASE_TROUBLE)
    with small_disk(httpd) as state:
        httpd.start()
        wait_for_database(httpd)
        node, meeting, anna = occupied(httpd)
        answer = node.policy(meeting["id"]).body
        fill(state)
        # Room in the database's own files may still be there.
        made = []
        for _ in range(500):
            one = post(httpd, title="x" * 4000)
            if one.status == 503:
                break
            made.append(one.json())
        refused(httpd)
        wait_until(lambda: status(httpd)["status"] == "degraded", 5 * PATIENCE, "the trouble in the status")
        assert database_of(httpd)["error"]
        for number in range(20):
            sip(node, meeting["id"], f"P{number}").leave()
        sip(node, meeting["id"], "Boris")
        anna.leave()
        assert names(httpd, meeting) == ["Boris"]
        assert node.policy(meeting["id"]).body == answer

        (state / "filler").unlink()
        wait_for_database(httpd)
        made.append(Api(httpd).create())
        wait_until_written(httpd)
        power_cut(httpd)
        start_from_database(httpd)
        assert names(httpd, meeting) == ["Boris"]
        assert [Api(httpd).read(each["id"]) for each in made] == made
        assert len(listing(httpd)) == len(made) + 1


@needs_root
def test_a_disk_that_is_full_at_the_start_is_waited_for(make_server):
    httpd = make_server(Sqlite(), QUIET, start=False)
    httpd.expect(*ANY_DATABASE_TROUBLE)
    with small_disk(httpd) as state:
        fill(state)
        httpd.start()
        wait_until(lambda: status(httpd)["status"] == "degraded", 5 * PATIENCE, "the trouble in the status")
        refused(httpd)
        (state / "filler").unlink()
        wait_for_database(httpd)
        assert Api(httpd).create()["state"] == "open"


@needs_root
def test_a_directory_that_cannot_be_written_is_waited_for(make_server):
    httpd = make_server(Sqlite(), QUIET, start=False)
    httpd.expect(*ANY_DATABASE_TROUBLE, r"pexip_rc:(warn|error)\].*StateDirectory")
    state = httpd.root / "state"
    state.mkdir()
    state.chmod(0o555)
    httpd.start()
    wait_until(lambda: status(httpd)["status"] == "degraded", 5 * PATIENCE, "the trouble in the status")
    assert database_of(httpd)["state"] in AWAY and database_of(httpd)["error"]
    refused(httpd)
    shutil.chown(state, "www-data", "www-data")
    state.chmod(0o700)
    wait_for_database(httpd)
    meeting = Api(httpd).create()
    wait_until_written(httpd)
    power_cut(httpd)
    start_from_database(httpd)
    assert Api(httpd).read(meeting["id"]) == meeting


@needs_root
def test_a_file_that_became_read_only_is_told_and_recovers(make_server):
    """Mounted read-only between a stop and a start, as after an error of the disk."""
    httpd = make_server(Sqlite(), QUIET, start=False)
    httpd.expect(*ANY_DATABASE_TROUBLE)
    with small_disk(httpd, "8m") as state:
        httpd.start()
        wait_for_database(httpd)
        node, meeting, _ = occupied(httpd)
        answer = node.policy(meeting["id"]).body
        httpd.stop()
        subprocess.run(["mount", "-o", "remount,ro", state], check=True)
        httpd.start()
        wait_until(lambda: status(httpd)["status"] == "degraded", 5 * PATIENCE, "the trouble in the status")
        refused(httpd)
        sip(node, meeting["id"], "Boris")
        assert node.policy(meeting["id"]).body == answer
        subprocess.run(["mount", "-o", "remount,rw", state], check=True)
        wait_for_database(httpd)
        wait_until_written(httpd)
        power_cut(httpd)
        start_from_database(httpd)
        assert names(httpd, meeting) == ["Anna", "Boris"]


def overwrite(path, begin, end):
    """Rubbish between two fractions of the file."""
    size = path.stat().st_size
    with open(path, "r+b") as file:
        file.seek(int(size * begin))
        file.write(os.urandom(int(size * end) - int(size * begin)))


def damaged(httpd):
    return sorted(path.name for path in (httpd.root / "state").glob("*.damaged-*"))


@pytest.mark.parametrize("begin, end", [(0, 0.1), (0.3, 0.9), (0, 1)], ids=["its head", "its middle", "all of it"])
def test_a_damaged_file_found_at_the_start_is_set_aside_and_a_new_one_filled_from_memory(make_server, begin, end):
    httpd = make_server(Sqlite(), QUIET)
    node, meeting, _ = occupied(httpd)
    meetings = [Api(httpd).create(title="x" * 3000) for _ in range(40)]
    answer = node.policy(meeting["id"]).body
    wait_until_written(httpd)
    httpd.stop()
    overwrite(Sqlite.file(httpd), begin, end)
    httpd.expect(DAMAGED, *ANY_DATABASE_TROUBLE)
    httpd.start()
    # Damage in the middle may be met a moment after the start.
    wait_until(lambda: any(":error]" in line and "damaged" in line for line in httpd.error_log().splitlines()), BACK_WITHIN, "the damage to be told")
    wait_for_database(httpd)
    assert len([name for name in damaged(httpd) if not name.endswith(("-wal", "-shm"))]) == 1
    assert node.policy(meeting["id"]).body == answer
    wait_until_written(httpd)
    power_cut(httpd)
    start_from_database(httpd)
    assert names(httpd, meeting) == ["Anna"]
    assert node.policy(meeting["id"]).body == answer
    assert [Api(httpd).read(each["id"]) for each in meetings] == meetings
    assert len([name for name in damaged(httpd) if not name.endswith(("-wal", "-shm"))]) == 1


def test_a_damaged_file_without_memory_is_told_loudly_and_calls_work(make_server):
    httpd = make_server(Sqlite(), QUIET)
    Api(httpd).create()
    power_cut(httpd, stop=True)
    overwrite(Sqlite.file(httpd), 0, 1)
    httpd.expect(DAMAGED, *ANY_DATABASE_TROUBLE)
    httpd.start()
    wait_for_database(httpd)
    assert damaged(httpd)
    assert any(":error]" in line and "damaged" in line for line in httpd.error_log().splitlines())
    meeting = Api(httpd).create()
    wait_until_written(httpd)
    power_cut(httpd)
    start_from_database(httpd)
    assert [each["id"] for each in listing(httpd)] == [meeting["id"]]


def test_a_file_damaged_under_a_running_server_costs_nothing(make_server):
    """Noticed at once or at the next start, but noticed: then memory fills a new one."""
    httpd = make_server(Sqlite(), QUIET)
    httpd.expect(DAMAGED, *ANY_DATABASE_TROUBLE)
    with Load(httpd) as load:
        load.grows(10)
        overwrite(Sqlite.file(httpd), 0.1, 1)
        load.grows(60)
        time.sleep(1)
    load.check(refused=("creation",))
    httpd.stop()
    httpd.start()
    wait_for_database(httpd)
    load.check(refused=("creation",))
    wait_until_written(httpd)
    power_cut(httpd)
    start_from_database(httpd)
    load.check(refused=("creation",))


# Without

def test_without_a_database_everything_works_in_memory_alone(make_httpd):
    httpd = make_httpd(BRISK, server="PexipRCDatabase none")
    page = status(httpd)
    assert (page["status"], page["database"]["state"], page["database"]["driver"]) == ("ok", "none", "none")
    assert not list((httpd.root / "state").glob("*.sqlite3*"))
    api, node = Api(httpd), Node(next(ADDRESSES), httpd)
    node.started()
    meeting, other = api.create(), api.create()
    node.conference_started(meeting["id"])
    anna = two_legs(node, meeting["id"], "Anna")
    httpd.graceful()
    httpd.stop()
    httpd.start()
    assert names(httpd, meeting) == ["Anna"]
    assert api.read(other["id"]) == other
    anna.leave()
    node.conference_ended(meeting["id"])
    wait_until(lambda: api.read(meeting["id"])["state"] == "ended", 5 * PATIENCE, "the end")
    assert api.call("GET", "/history").status in (200, 404, 503)
