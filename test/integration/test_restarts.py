"""Restarts, reloads and killed processes under load: what was acknowledged is still there afterwards, to the byte.

Memory outlives the server, so this holds for a stop and for the death of every process as well.
"""

import http.client
import os
import random
import re
import signal
import subprocess
import threading
import time
import uuid

import pytest

from meetings import Api
from pexip import Node, one_leg, sip, two_legs
from waiting import wait_until
from workspace import workspace

GRACE = "500ms 1500ms"
KILLED = r"exit signal Killed \(9\)"
OVERWRITTEN = r"AH00098: pid file .* overwritten"
REPAIRED = r"a process died while it changed the working set"


def insist(action, tries=200):
    """A connection that is refused or torn is tried again, as nodes and HTTP clients do; an answer is an answer."""
    for _ in range(tries):
        try:
            return action()
        except (ConnectionError, http.client.HTTPException, TimeoutError):
            time.sleep(0.02)
    raise AssertionError("the server does not answer any more")


class Persistent:
    """An Httpd whose request() insists."""

    def __init__(self, httpd):
        self.httpd = httpd

    def request(self, *arguments, **options):
        return insist(lambda: self.httpd.request(*arguments, **options))


class Load:
    """Threads that ask, tell and create until they are told to stop; everything wrong ends up in `failures`."""

    def __init__(self, httpd, meetings):
        self.server = Persistent(httpd)
        self.api = Api(self.server)
        self.meetings = meetings
        self.failures, self.created, self.asked, self.told = [], [], 0, 0
        self.people = {}
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(work, number), daemon=True)
                         for number, work in enumerate((self._ask, self._ask, self._tell, self._tell, self._create))]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def _run(self, work, number):
        try:
            work(number)
        except Exception as exception:      # a thread has nobody else to tell
            self.failures.append(repr(exception))

    def _ask(self, number):
        node = Node(f"10.7.1.{number}", self.server)
        known = {}
        while not self._over.is_set():
            meeting = random.choice(self.meetings)
            answer = node.policy(meeting["id"])
            if answer.status != 200 or answer.json()["action"] != "continue" or known.setdefault(meeting["id"], answer.body) != answer.body:
                self.failures.append(f"policy {answer.status} {answer.text[:200]}")
            self.asked += 1

    def _tell(self, number):
        node = Node(f"10.7.2.{number}", self.server)
        node.started()
        present = self.people[node.address] = {}
        for meeting in self.meetings:
            node.conference_started(meeting["id"])
            present[meeting["id"]] = {}
        while not self._over.is_set():
            there = present[random.choice(self.meetings)["id"]]
            if len(there) > 5:
                there.pop(random.choice(sorted(there))).leave()
            else:
                [meeting_id] = [each for each, people in present.items() if people is there]
                name = f"{number}-{node.seq}"
                there[name] = random.choice((two_legs, one_leg, sip))(node, meeting_id, name)
            self.told += 1

    def _create(self, _):
        while not self._over.is_set():
            # An id of its own makes a repeated creation find the first one's result.
            self.created.append(self.api.create(id=uuid.uuid4().hex, title="Under load"))
            time.sleep(0.005)

    def check(self, api):
        """Nobody was refused, and everything that was acknowledged is there."""
        assert not self.failures, self.failures[:5]
        assert self.asked > 20 and self.told > 20 and len(self.created) > 5, (self.asked, self.told, len(self.created))
        for meeting in self.created:
            assert api.read(meeting["id"]) == meeting
        for meeting in self.meetings:
            expected = sorted(name for present in self.people.values() for name in present[meeting["id"]])
            assert sorted(person["name"] for person in api.read(meeting["id"])["participants"]) == expected


def scene(httpd):
    """Meetings of several kinds, and all that can be asked about them from outside."""
    api, node = Api(httpd), Node("10.7.3.1", httpd)
    node.started()
    live, closed, untouched = (api.create(title=title) for title in ("Live", "Closed", "Untouched"))
    window = api.create(title="Window", not_before="2020-01-01T00:00:00Z", not_after="2035-01-01T00:00:00Z",
                        discussion={"id": "d1", "name": "Talk", "type": "c"})
    ended = api.create(title="Ended")
    api.delete(ended["id"])
    for meeting in (live, closed):
        node.conference_started(meeting["id"])
        two_legs(node, meeting["id"], "Anna", role="chair").media.stream_window("ok")
        sip(node, meeting["id"], "Boris")
    api.delete(closed["id"])
    return node, [live, closed, untouched, window, ended]


def picture(httpd, node, meetings):
    api = Api(httpd)
    read = [api.read(meeting["id"]) for meeting in meetings]
    return [[api.call("GET", f"/meetings/{meeting['id']}").body for meeting in meetings],
            [node.policy(meeting["id"]).body for meeting in meetings],
            [meeting["pins"] for meeting in read], [meeting["join_url"] for meeting in read]]


def ends_by_its_timers(httpd):
    """The background work is being done by somebody: a meeting ends, and another that only fell silent."""
    api, node = Api(httpd), Node(f"10.7.4.{random.randrange(1, 255)}", httpd)
    node.started()
    said, silent = api.create(), api.create()
    for meeting in (said, silent):
        node.conference_started(meeting["id"])
        sip(node, meeting["id"], "Anna").leave()
    node.conference_ended(said["id"])
    wait_until(lambda: api.read(said["id"])["state"] == "ended", 4, "the end after the grace")
    wait_until(lambda: api.read(silent["id"])["state"] == "ended", 5, "the inferred end")
    assert [api.read(meeting["id"])["inferred"] for meeting in (said, silent)] == [False, True]


def serving(httpd, api):
    """After children were killed: several serve again, and answer."""
    wait_until(lambda: len(httpd.children()) >= 2, 10, "new children")
    insist(lambda: api.list(limit=1))


# Graceful restarts

def test_ten_graceful_restarts_under_load_lose_nothing(make_httpd):
    httpd = make_httpd(workspace(grace="60s 60s"))
    api = Api(httpd)
    node, meetings = scene(httpd)
    before = picture(httpd, node, meetings)
    with Load(httpd, [api.create() for _ in range(4)]) as load:
        used = httpd.segments()
        for _ in range(10):
            httpd.graceful()
    load.check(api)
    assert picture(httpd, node, meetings) == before
    assert len(used) == 1 and httpd.segments() == used


def test_what_was_live_before_a_graceful_restart_ends_after_it(make_httpd):
    httpd = make_httpd(workspace(grace=GRACE))
    api, node = Api(httpd), Node("10.7.5.1", httpd)
    node.started()
    said, silent, kept = api.create(), api.create(), api.create()
    anna = {}
    for meeting in (said, silent, kept):
        node.conference_started(meeting["id"])
        anna[meeting["id"]] = two_legs(node, meeting["id"], "Anna")
    anna[said["id"]].leave()
    anna[silent["id"]].leave()
    node.conference_ended(said["id"])       # the grace runs across the restart
    httpd.graceful()
    httpd.graceful()
    wait_until(lambda: [api.read(each["id"])["state"] for each in (said, silent)] == ["ended", "ended"], 5, "both ends")
    assert api.read(kept["id"])["state"] == "live"
    assert [person["name"] for person in api.read(kept["id"])["participants"]] == ["Anna"]
    anna[kept["id"]].leave()
    node.conference_ended(kept["id"])
    wait_until(lambda: api.read(kept["id"])["state"] == "ended", 4)


def test_new_settings_leave_the_answers_of_older_meetings_as_they_were(make_httpd):
    httpd = make_httpd(workspace(grace="60s 60s"))
    api = Api(httpd)
    node, meetings = scene(httpd)
    before = picture(httpd, node, meetings)
    httpd.configure(workspace(grace="60s 60s", extra="PexipRCTheme other\nPexipRCLayout five_mains_seven_pips\nPexipRCPins random 9\nPexipRCLocked Off"))
    httpd.graceful()
    # Old children may still be finishing, with their old settings.
    wait_until(lambda: len(api.create()["pins"]["host"]) == 9, 5, "the new settings")
    assert picture(httpd, node, meetings) == before
    result = node.policy(api.create()["id"]).json()["result"]
    assert (result["ivr_theme_name"], result["view"], result["locked"]) == ("other", "five_mains_seven_pips", False)


def test_other_table_sizes_wait_for_a_full_restart_and_say_so(make_httpd):
    httpd = make_httpd(workspace(grace="60s 60s"), server="PexipRCMaxMeetings 500\nPexipRCMaxParticipants 600")
    node, meetings = scene(httpd)
    before = picture(httpd, node, meetings)
    httpd.configure(workspace(grace="60s 60s"), server="PexipRCMaxMeetings 700\nPexipRCMaxParticipants 800")
    begin = len(httpd.error_log())
    httpd.graceful()
    notices = [line for line in httpd.error_log()[begin:].splitlines() if "PexipRCMax" in line]
    assert len(notices) == 1, notices
    assert ":notice]" in notices[0] and re.search("restart|stopped and started", notices[0])
    assert picture(httpd, node, meetings) == before


# Killed children

def test_children_killed_at_random_under_load_cost_nothing(make_httpd):
    httpd = make_httpd(workspace(grace="60s 60s"))
    httpd.expect(KILLED, REPAIRED)
    api = Api(httpd)
    node, meetings = scene(httpd)
    before = picture(httpd, node, meetings)
    with Load(httpd, [api.create() for _ in range(4)]) as load:
        for _ in range(5):
            wait_until(lambda: len(httpd.children()) >= 2, 10, "children to kill")
            httpd.kill(random.choice(httpd.children()), signal.SIGKILL)
            time.sleep(0.1)
    serving(httpd, api)
    load.check(Api(Persistent(httpd)))
    assert picture(Persistent(httpd), Node(node.address, Persistent(httpd)), meetings) == before


def test_timers_survive_the_death_of_every_child(make_httpd):
    """One of the children does the background work; nobody outside knows which, so each gets its turn."""
    httpd = make_httpd(workspace(grace=GRACE))
    httpd.expect(KILLED, REPAIRED)
    api, node = Api(Persistent(httpd)), Node("10.7.6.1", Persistent(httpd))
    node.started()
    meetings = [api.create() for _ in range(3)]
    for meeting in meetings:
        node.conference_started(meeting["id"])
        sip(node, meeting["id"], "Anna")
    node.conference_ended(meetings[0]["id"])
    for pid in httpd.children():
        httpd.kill(pid, signal.SIGKILL)
        wait_until(lambda: pid not in httpd.children() and httpd.children(), 10, "the next child")
        insist(lambda: api.list(limit=1))
    wait_until(lambda: api.read(meetings[0]["id"])["state"] == "ended", 5, "the end that was due meanwhile")
    assert [api.read(meeting["id"])["state"] for meeting in meetings[1:]] == ["live", "live"]
    ends_by_its_timers(Persistent(httpd))


def test_all_children_killed_at_once(make_httpd):
    httpd = make_httpd(workspace(grace=GRACE))
    httpd.expect(KILLED, REPAIRED)
    api, node = Api(Persistent(httpd)), Node("10.7.7.1", Persistent(httpd))
    node.started()
    meeting = api.create()
    node.conference_started(meeting["id"])
    boris = sip(node, meeting["id"], "Boris")
    before = api.read(meeting["id"])
    for pid in httpd.children():
        httpd.kill(pid, signal.SIGKILL)
    serving(httpd, api)
    assert api.read(meeting["id"]) == before
    boris.leave()
    node.conference_ended(meeting["id"])
    wait_until(lambda: api.read(meeting["id"])["state"] == "ended", 5)


# Stop and start

def test_a_stop_and_a_start_lose_nothing(make_httpd):
    httpd = make_httpd(workspace(grace="60s 60s"))
    node, meetings = scene(httpd)
    before = picture(httpd, node, meetings)
    for _ in range(2):
        httpd.stop()
        assert not httpd.processes()
        httpd.start()
        assert picture(httpd, node, meetings) == before
    assert "taken over from a former server" in httpd.error_log()


def test_after_everything_was_killed_a_start_goes_on_as_if_nothing_had_been(make_httpd):
    httpd = make_httpd(workspace(grace="60s 60s"))
    node, meetings = scene(httpd)
    before = picture(httpd, node, meetings)
    for _ in range(3):
        httpd.kill9_all()
        httpd.expect(OVERWRITTEN, REPAIRED)
        httpd.start()
        assert picture(httpd, node, meetings) == before
    assert len(httpd.segments()) == 1


def test_everything_killed_under_load_loses_nothing_that_was_acknowledged(make_httpd):
    httpd = make_httpd(workspace(grace="60s 60s"))
    meetings = [Api(httpd).create() for _ in range(4)]
    with Load(httpd, meetings) as load:
        for _ in range(3):
            told = load.told
            wait_until(lambda: load.told > told + 10 or load.failures, 10, "some load")
            httpd.kill9_all()
            httpd.expect(OVERWRITTEN, REPAIRED)
            httpd.start()
    load.check(Api(httpd))


def test_what_drained_before_a_stop_gets_its_whole_grace_after_the_start(make_httpd):
    httpd = make_httpd(workspace(grace="3s 3s"))
    api, node = Api(httpd), Node("10.7.9.1", httpd)
    meeting = api.create()
    node.conference_started(meeting["id"])
    node.conference_ended(meeting["id"])
    httpd.stop()
    time.sleep(3)
    httpd.start()
    assert api.read(meeting["id"])["state"] == "live"
    wait_until(lambda: api.read(meeting["id"])["state"] == "ended", 10)


@pytest.mark.parametrize("directive", ["PexipRCMaxMeetings 77", "PexipRCMaxParticipants 777"])
@pytest.mark.parametrize("database, kept", [("", True), ("PexipRCDatabase none", False)])
def test_changed_sizes_begin_a_new_working_set_at_a_full_restart_and_say_so(make_httpd, directive, database, kept):
    httpd = make_httpd(server=database)
    meeting = Api(httpd).create()
    answer = Node("10.7.9.2", httpd).policy(meeting["id"])
    httpd.stop()
    httpd.configure(workspace(), server=f"{directive}\n{database}")
    httpd.expect(r"is replaced: .*has changed")
    httpd.start()
    if kept:
        assert Api(httpd).read(meeting["id"]) == meeting
        assert Node("10.7.9.2", httpd).policy(meeting["id"]).body == answer.body
    else:
        assert Api(httpd).call("GET", f"/meetings/{meeting['id']}").status == 404


def test_changed_sizes_of_an_empty_working_set_are_no_cause_for_a_warning(make_httpd):
    httpd = make_httpd()
    api = Api(httpd)
    api.delete(api.create()["id"])
    httpd.stop()
    httpd.configure(workspace(), server="PexipRCMaxMeetings 77")
    httpd.start()
    assert api.create()["state"] == "open"


@pytest.mark.parametrize("damage, reason", [
    (lambda path: os.truncate(path, 100), "not complete"),
    (lambda path: os.truncate(path, os.path.getsize(path) // 2), "another version"),
    (lambda path: overwrite(path, 0, b"0" * 36), "before the machine was started"),
    (lambda path: overwrite(path, 4096, b"another magic"), "another version"),
    (lambda path: overwrite(path, os.path.getsize(path) // 2, os.urandom(1 << 20)), "damaged"),
])
def test_memory_that_cannot_be_trusted_is_replaced(make_httpd, damage, reason):
    httpd = make_httpd()
    meeting = Api(httpd).create()
    httpd.stop()
    damage(httpd.segments()[0])
    httpd.expect(f"is replaced: .*{reason}")
    httpd.start()
    assert Api(httpd).read(meeting["id"]) == meeting
    scene(httpd)


def overwrite(path, at, content):
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(content)


INTRUDERS = {
    "a file open to all": lambda path: (open(path, "w").close(), os.chmod(path, 0o666)),
    "a directory": lambda path: os.mkdir(path),
    "a full directory": lambda path: os.makedirs(f"{path}/with/more"),
    "a symbolic link": lambda path: os.symlink("/etc/passwd", path),
    "a symbolic link to nowhere": lambda path: os.symlink("/tmp/pxr-nowhere", path),
    "a pipe": lambda path: os.mkfifo(path, 0o666),
}


@pytest.mark.parametrize("intruder", INTRUDERS)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can move what belongs to others")
def test_what_others_put_in_the_way_of_the_memory_is_moved_away(make_httpd, intruder):
    """Anybody may write to the file system for shared memory, and the name can be guessed."""
    httpd = make_httpd()
    httpd.stop()
    path = httpd.segments()[0]
    os.unlink(path)
    INTRUDERS[intruder](path)
    os.chown(path, 65534, 65534, follow_symlinks=False)
    moved = set()
    try:
        assert httpd.configtest()[0] == 0
        httpd.expect("belongs to somebody else and was moved to")
        httpd.start()
        moved = {name for name in os.listdir("/dev/shm") if f"/dev/shm/{name}".startswith(path + ".foreign-")}
        assert len(moved) == 1
        scene(httpd)
        assert not os.path.exists("/tmp/pxr-nowhere")
    finally:
        for name in moved:
            subprocess.run(["rm", "-rf", f"/dev/shm/{name}"], check=True)


def test_a_second_server_with_the_same_run_time_directory_does_not_start(make_httpd):
    first = make_httpd()
    meeting = Api(first).create()
    second = make_httpd(start=False)
    conf = second.root / "conf" / "httpd.conf"
    conf.write_text(conf.read_text().replace("DefaultRuntimeDir run", f"DefaultRuntimeDir {first.root}/run"))
    # A reload reads the configuration once more, in the very process that holds the lock.
    for reload in (lambda: None, first.graceful, first.graceful):
        reload()
        second.expect("is used by another httpd", "has no working set", "Configuration Failed", "AH00016|AH00020")
        with pytest.raises(AssertionError):
            second.start()
        assert "is used by another httpd" in second.error_log()
        assert Api(first).read(meeting["id"]) == meeting


def test_a_second_server_does_not_share_the_state_of_the_first(make_httpd):
    first, second = make_httpd(workspace(grace=GRACE)), make_httpd(workspace(grace=GRACE))
    meeting = Api(first).create()
    assert Api(second).call("GET", f"/meetings/{meeting['id']}").status == 404
    assert Node("10.7.8.1", second).policy(meeting["id"]).status == 404
    assert not set(first.segments()) & set(second.segments())
    second.stop()
    assert Api(first).read(meeting["id"]) == meeting
