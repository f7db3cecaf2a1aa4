"""What rooms are told while machines, databases, processes and Rocket.Chat itself fail: in the end each has one right message."""

import random
import re
import signal
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from chat import AFTER_RETRY, SOON, blameless  # noqa: F401
from companion import SECRET, App
from httpd import PATIENCE
from meetings import Api
from pexip import Node, one_leg
from waiting import stays, wait_until
from workspace import PREFIX, workspace

from databases import Sqlite, empty, sql
from load import ADDRESSES
from machine import freeze, leader, power_cut, start_from_database, thaw, wait_for_database, wait_until_written
from messages import AGREE, ROCKETCHAT, Call, Calls, Shared, everywhere, opened, shared
from texts import ANY_DATABASE_TROUBLE, KILLED, LOCKED, MACHINE, OVERWRITTEN, REPAIRED

ONE_PER_ROOM = "PexipRCConcurrentCalls Off"
# Longer than the lease of ten seconds.
LEASE_OVER = 13
# A machine that does not speak is waited for this long before others end meetings.
SILENCE = 20


# Two machines in order

@pytest.fixture
def pair(mpm, audited, postgresql_server):
    with own_database(postgresql_server, "pair") as conninfo, shared(mpm, conninfo) as site:
        yield site


@contextmanager
def own_database(server, name):
    """Databases of one server, so that tests may run at the same time."""
    conninfo = re.sub(r"\bdbname=\w+", f"dbname=messages_{name}", server.conninfo)
    empty(conninfo)
    yield conninfo


@pytest.mark.mpm
def test_whichever_machine_hears_of_it_each_room_has_one_message(pair):
    calls = Calls(pair, 16).begin(pause=0.5).wait_for_messages()
    calls.meet().part().wait_for_ends().check()
    assert not any(call.said.posted for call in calls)
    # One machine tells, the other leaves it to it.
    assert [each.error_log().count("this process tells Rocket.Chat") > 0 for each in pair.all].count(True) == 1


def at_both(site, act):
    """act(machine) on both machines at the same moment; the results."""
    barrier = threading.Barrier(2)

    def run(machine):
        with site.only(machine):
            barrier.wait()
            return act(machine)
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(run, site.all))


def test_the_same_message_sent_to_both_machines_at_once_is_one_meeting(pair):
    calls = Calls(pair, 15)
    for call in calls:
        message = pair.chat.store(call.room, pair.nina, f"!pexip {call.title}")
        said = at_both(pair, lambda _: pair.chat.send_out(message))
        assert [each.status for each in said] == [200, 200] and not any(each.posted for each in said), said
        assert call.find(AGREE)
    calls.wait_for_messages().meet().part().wait_for_ends().check()


@pytest.mark.mpm
def test_who_starts_in_the_same_room_on_both_machines_meets_the_other(mpm, postgresql_server):
    with own_database(postgresql_server, "one") as conninfo, shared(mpm, conninfo, extra=ONE_PER_ROOM) as site:
        calls = Calls(site, 12)
        for call in calls:
            users = dict(zip(map(id, site.all), (site.nina, site.boris)))
            said = at_both(site, lambda machine: site.say(f"!pexip {call.title}", call.room, users[id(machine)]))
            assert [each.status for each in said] == [200, 200], said
            assert call.find(AGREE)
            led = [message for each in said for message in each.posted]
            # Whoever came second is told where to go, in words of his own or by the message of the meeting.
            assert all(call.meeting["join_url"] in message.words for message in led) and len(led) <= 1, led
            for message in led:
                call.room.messages.remove(message)
            call.creator = next(user for user in users.values() if user.id == call.meeting["creator"]["id"])
        calls.wait_for_messages().meet().part().wait_for_ends().check()


# Two machines, one of which fails, and what else takes its time

def killed(site):
    """kill -9 of the machine that delivers, while posts are under way."""
    site.httpd.expect(KILLED, OVERWRITTEN, REPAIRED, LOCKED, *ANY_DATABASE_TROUBLE, MACHINE, ROCKETCHAT)
    delivering = site.delivering()
    slow = site.chat.fault("chat.sendMessage", "slow", pause=0.01)
    stored = site.chat.fault("im.create", "hang", times=3)
    calls = Calls(site, 12)
    with calls.beginning(pause=1.5):
        wait_until(lambda: slow.hits >= 3, 15 * PATIENCE, "posts under way")
        delivering.kill9_all()
        site.use(site.other(delivering))
        for fault in (slow, stored):
            fault.stop()
    calls.meet().wait_for_messages(25 * PATIENCE).part()
    calls.wait_for_ends((SILENCE + 25) * PATIENCE).check()
    delivering.start()
    site.use(*site.all)
    wait_for_database(delivering)
    Calls(site, 4).begin().wait_for_messages(25 * PATIENCE).meet().part().wait_for_ends((SILENCE + 25) * PATIENCE).check()
    calls.check(settle=0)


def frozen(site):
    """The machine that delivers stands still for longer than its lease, with posts and edits under way, and goes on."""
    site.httpd.expect(LOCKED, *ANY_DATABASE_TROUBLE, MACHINE, ROCKETCHAT, r"the clock was set")
    delivering = site.delivering()
    other = site.other(delivering)
    old = Calls(site, 6).begin().wait_for_messages().meet()
    edits = site.chat.fault("chat.update", "hang", times=3)
    wait_until(lambda: edits.hits == 3, 20 * PATIENCE, "edits under way")
    faults = [site.chat.fault("chat.sendMessage", "hang", times=2, stored=stored) for stored in (True, False)]
    new = Calls(site, 8)
    try:
        with new.beginning():
            wait_until(lambda: all(fault.hits == 2 for fault in faults), 10 * PATIENCE, "posts under way")
            freeze(delivering)
            site.use(other)
            for fault in (edits, *faults):
                fault.stop()
            time.sleep(LEASE_OVER)
        new.meet().wait_for_messages()
        late = Calls(site, 3).begin().wait_for_messages().meet()
    finally:
        thaw(delivering)
    site.use(*site.all)
    everything = Calls(site, 0)
    everything.extend([*old, *new, *late])
    stays(lambda: all(len(call.messages()) == 1 for call in everything), 2, "one message in each room")
    everything.part().wait_for_ends().check(settle=2)


def frozen_often(site):
    """Whichever delivers stands still at any moment, so that what is under way goes on at any moment."""
    site.httpd.expect(LOCKED, *ANY_DATABASE_TROUBLE, MACHINE, ROCKETCHAT, r"the clock was set")
    everything = Calls(site, 0)
    for _ in range(2):
        delivering = site.delivering()
        calls = Calls(site, 8)
        try:
            with calls.beginning(pause=0.5):
                time.sleep(random.uniform(0.1, 0.7))
                freeze(delivering)
                site.use(site.other(delivering))
                time.sleep(LEASE_OVER)
        finally:
            thaw(delivering)
        site.use(*site.all)
        everything.extend(calls)
    everything.wait_for_messages().meet().part().wait_for_ends().check(settle=2)


def impatient(site):
    """During the first minute no retry waits longer than 15 s, whatever the server says."""
    site.httpd.expect(ROCKETCHAT)
    site.chat.fault("chat.sendMessage", "429", times=1, seconds=60)
    began = time.monotonic()
    calls = Calls(site, 1).begin().wait_for_messages(19 * PATIENCE)
    assert time.monotonic() - began > 10, "the limit is not heeded at all"
    calls.meet().part().wait_for_ends().check(settle=0)


def taken_out(site):
    """A workspace that a reload takes out of the configuration goes on where it was when another one puts it back."""
    httpd, = site.all
    httpd.expect(ROCKETCHAT)
    there = (httpd.root / "conf" / "httpd.conf").read_text()
    calls = Calls(site, 4).begin().wait_for_messages().meet()
    fault = site.chat.fault("chat.sendMessage", "hang", times=2)
    waiting = Calls(site, 2).begin()
    httpd.configure(workspace(site="https://other.example.com"))
    httpd.graceful()
    wait_until(lambda: len(httpd.children()) >= 2, 10 * PATIENCE, "new children")
    asked = len(site.chat.calls)
    fault.stop()
    stays(lambda: len(site.chat.calls) <= asked + 2, 1.5, "silence")
    httpd.write("conf/httpd.conf", there)
    httpd.graceful()
    waiting.wait_for_messages(5 * PATIENCE).meet()
    more = Calls(site, 2).begin().wait_for_messages().meet()
    for each in (calls, waiting, more):
        each.part().wait_for_ends().check(settle=0.3)


# What was there before the tables had anything for Rocket.Chat.
ADDED = ("host_key", "single", "room_key", "called", "calls", "told", "thread_id", "visitors")
INDEXED = ("meeting_creator_id", "meeting_creator_username", "meeting_creator_name", "meeting_withdrawn", "participant_name")
TO_VERSION_1 = ["DROP TABLE removal", *(f"DROP INDEX {name}" for name in INDEXED), "DROP TABLE lease",
                *(f"ALTER TABLE meeting DROP COLUMN {name}" for name in ADDED), "UPDATE revision SET version = 1"]


def older(site, conninfo=None):
    """Meetings that an older module has left in the database go on, and nothing is said about them."""
    httpd, = site.all
    api = Api(httpd)
    members = {"room": site.general.as_meant(), "creator": site.nina.creator()}
    opening, living, over = everything = [api.create(title=title, **members) for title in ("Open", "Live", "Over")]
    node = Node(next(ADDRESSES), httpd)
    node.started()
    node.conference_started(living["id"])
    anna = one_leg(node, living["id"], "Anna")
    api.delete(over["id"])
    wait_until(lambda: api.read(over["id"])["state"] == "ended", (SILENCE + 10) * PATIENCE, "the end")
    answers = [node.policy(each["id"]).body for each in everything]
    wait_until_written(httpd)
    power_cut(httpd, stop=True)
    if conninfo:
        sql(conninfo, *TO_VERSION_1)
    else:
        with Sqlite().connect(httpd) as connection:
            for statement in TO_VERSION_1:
                connection.execute(statement)
    site.rest = site.webhook = True
    site.extra = "PexipRCPersistentChat On"
    site.configure(httpd)
    start_from_database(httpd)

    assert [node.policy(each["id"]).body for each in everything] == answers
    assert [api.read(each["id"])["state"] for each in everything] == ["open", "live", "ended"]
    key = opening["join_url"].rpartition("/")[2]
    for query in ("", "?k=", "?k=x"):
        answer = httpd.request("GET", f"{PREFIX}/join/{key}{query}")
        assert answer.status == 303 and opening["pins"]["guest"] in answer.headers["Location"], answer
    node.conference_started(opening["id"])
    boris = one_leg(node, opening["id"], "Boris")
    for person, each in ((anna, living), (boris, opening)):
        person.leave()
        node.conference_ended(each["id"])
    for each in (living, opening):
        wait_until(lambda: api.read(each["id"])["state"] == "ended", (SILENCE + 10) * PATIENCE, "the end")
    assert not [call for call in site.chat.calls if call.method == "POST"]
    # What begins now is told.
    Calls(site, 2).begin().wait_for_messages().meet().part().wait_for_ends((SILENCE + 10) * PATIENCE).check(discussion=True)
    power_cut(httpd, stop=True)
    start_from_database(httpd)
    assert [api.read(each["id"])["state"] for each in everything] == ["ended"] * 3


def on_a_pair(name, act):
    def run(mpm, postgresql_server):
        with own_database(postgresql_server, name) as conninfo, shared(mpm, conninfo, name=f"site-{name.replace('_', '-')}") as site:
            act(site)
    return run


def alone_on_sqlite(name, act, **spec):
    def run(mpm, _):
        with opened(Shared(f"site-{name.replace('_', '-')}", **spec), mpm) as site:
            act(site)
    return run


def older_on_postgresql(mpm, postgresql_server):
    with own_database(postgresql_server, "older") as conninfo, \
            shared(mpm, conninfo, machines=1, name="site-older-pgsql", rest=False, webhook=False) as site:
        older(site, conninfo)


JOBS = {
    **{act.__name__: on_a_pair(act.__name__, act) for act in (killed, frozen, frozen_often)},
    **{act.__name__: alone_on_sqlite(act.__name__, act) for act in (impatient, taken_out)},
    "older": alone_on_sqlite("older", older, rest=False, webhook=False),
    "older_on_postgresql": older_on_postgresql,
}


@pytest.fixture(scope="module")
def outcomes(mpm, postgresql_server):
    """{name: an exception, or None}. All at the same time, each with servers of its own: most of it is waiting."""
    def run(name):
        try:
            JOBS[name](mpm, postgresql_server)
        except Exception as error:
            return error
    with ThreadPoolExecutor(len(JOBS)) as pool:
        yield dict(zip(JOBS, pool.map(run, JOBS)))


@pytest.mark.slow
@pytest.mark.parametrize("name", JOBS)
def test_one_right_message_in_each_room_although(outcomes, name):
    if outcomes[name]:
        raise outcomes[name]


@pytest.mark.slow
def test_one_right_message_whatever_befalls_the_database(mpm, postgresql):
    with shared(mpm, postgresql.conninfo) as site:
        site.httpd.expect(*ANY_DATABASE_TROUBLE, MACHINE, LOCKED)
        calls = Calls(site, 8)
        with calls.beginning(pause=2):
            time.sleep(0.7)
            postgresql.restart()
        calls.meet()
        postgresql.freeze()
        time.sleep(4)
        postgresql.thaw()
        more = Calls(site, 4).begin()
        more.meet()
        everywhere([*calls, *more], Call.part)
        postgresql.kill9()
        postgresql.start()
        for each in (calls, more):
            each.wait_for_ends().check()


# One machine, everything at random

def api_call(call):
    """Through the API, as the companion app does, with an id of its own; sent again until it is answered."""
    meeting_id = uuid.uuid4().hex
    call.meeting = call.api.create(id=meeting_id, title=call.title, room=call.room.as_meant(), creator=call.site.nina.creator())
    return call


class Accidents:
    """Now and then Rocket.Chat loses a reply, refuses or fails; now and then a process is killed, or all are replaced."""

    def __init__(self, site, count):
        self.site, self.left = site, count
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._trouble), threading.Thread(target=self._kill)]
        self.failure = None

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        for thread in self.threads:
            thread.join()
        assert not self.failure, self.failure

    def _trouble(self):
        while not self.over.wait(0.15):
            kind = random.choice(("lost", "lost", "reset", "429", "500", "502", "garbage"))
            self.site.chat.fault("*", kind, times=1, seconds=1)
        # What nobody has met yet would meet the last rooms again and again, which ask ever less often.
        self.site.chat.faults.stop_all()

    def _kill(self):
        httpd, = self.site.all
        try:
            while self.left:
                self.left -= 1
                time.sleep(random.uniform(0.1, 0.8))
                children = wait_until(httpd.children, 10 * PATIENCE, "a child")
                if self.left % 6 == 5:
                    httpd.graceful()
                else:
                    httpd.kill(leader(httpd) if self.left % 2 and leader(httpd) else random.choice(children), signal.SIGKILL)
        except Exception as error:      # a thread has nobody else to tell
            self.failure = error
        finally:
            self.over.set()


@pytest.mark.slow
@pytest.mark.mpm
def test_sixty_rooms_through_kills_reloads_and_a_rocketchat_that_loses_replies(mpm):
    with App() as app:
        site = Shared("random", extra=f"PexipRCPersistentChat On\nPexipRCAppCallback {app.url} conf/random.app")
        site.secrets = {"conf/random.app": f"{SECRET}\n"}
        with opened(site, mpm):
            httpd, = site.all
            httpd.expect(KILLED, REPAIRED, ROCKETCHAT, r"AH00016|AH00045|AH00046|AH00047")
            calls = Calls(site, 60)
            by_api = calls[::2]
            app.answers = [500, "cut", 200, 503, "cut"] * 4
            with Accidents(site, 30):
                def live(call):
                    time.sleep(random.uniform(0, 1.5))
                    (api_call if call in by_api else Call.say)(call)
                    call.meet()
                    # After the end nobody has any use for these two: what is not there by then is not made any more.
                    call.wait_for(lambda: site.chat.discussions(call.room) and call.personal_links(), "chat and link")
                    time.sleep(random.uniform(0, 3))
                    call.part()
                everywhere(calls, live, workers=12)
            calls.wait_for_ends(60 * PATIENCE)
            wait_until(lambda: all(app.has_heard(call.meeting["id"]) for call in by_api), 45 * PATIENCE, "every callback")
            calls.check(discussion=True)
            failed = site.api.call("GET", "/deliveries?state=failed").json()
            assert not failed["deliveries"], failed


# The power

@pytest.fixture
def alone(mpm, audited):
    with opened(Shared("alone", extra="PexipRCPersistentChat On"), mpm) as site:
        yield site


def test_a_power_cut_between_deed_and_record_repeats_nothing(alone):
    """The message is posted, the chat made, the personal link sent; nobody here ever hears of it. Then of the last edit."""
    httpd, = alone.all
    for route in ("chat.sendMessage", "rooms.createDiscussion", "chat.update"):
        faults = [alone.chat.fault(route, "hang", times=2, stored=stored) for stored in (True, False)]
        calls = Calls(alone, 4).begin()
        if route == "chat.update":
            calls.wait_for_messages().meet().part()
        wait_until(lambda: all(fault.hits == 2 for fault in faults), 15 * PATIENCE, f"{route} under way")
        if route == "chat.update":
            assert {call.api.read(call.meeting["id"])["state"] for call in calls} == {"ended"}
        httpd.expect(ROCKETCHAT)
        power_cut(httpd)
        for fault in faults:
            fault.stop()
        start_from_database(httpd)
        if route != "chat.update":
            calls.wait_for_messages().meet().part()
        calls.wait_for_ends().check(discussion=True)


def test_direct_messages_are_not_repeated_after_a_power_cut(alone):
    httpd, = alone.all
    calls = Calls(alone, 4)
    direct = alone.chat.direct(alone.nina, alone.chat.bot)
    faults = [alone.chat.fault("chat.sendMessage", "hang", times=2, stored=stored, room=direct.id) for stored in (True, False)]
    calls.begin()
    wait_until(lambda: all(fault.hits == 2 for fault in faults), 15 * PATIENCE, "links under way")
    httpd.expect(ROCKETCHAT)
    power_cut(httpd)
    for fault in faults:
        fault.stop()
    start_from_database(httpd)
    wait_until(lambda: all(call.personal_links() for call in calls), 15 * PATIENCE, "a link for each")
    calls.meet().part().wait_for_ends().check()


# A room with one meeting, begun by somebody's word and joined by the app

def test_the_app_hears_of_the_end_of_a_call_that_led_to_a_meeting_of_the_webhook(mpm, audited):
    with App() as app:
        site = Shared("joined", extra=f"{ONE_PER_ROOM}\nPexipRCAppCallback {app.url} conf/joined.app")
        site.secrets = {"conf/joined.app": f"{SECRET}\n"}
        with opened(site, mpm):
            call, = Calls(site, 1).begin().wait_for_messages()
            mine = call.api.create(id="CallOfTheApp1", room=call.room.as_meant(), creator=site.boris.creator())
            assert mine["id"] == call.meeting["id"]
            call.meet().part()
            wait_until(lambda: app.has_heard("CallOfTheApp1"), SOON + AFTER_RETRY, "the callback")
            wait_until(call.is_told_of_end, SOON, "the end")
