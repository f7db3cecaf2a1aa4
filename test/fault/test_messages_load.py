"""A Rocket.Chat that hangs, or is slow while everybody calls at once, costs nobody else anything; and what telling it costs us."""

import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from chat import SOON, blameless  # noqa: F401
from httpd import PATIENCE
from meetings import Api
from pexip import Node, one_leg
from visitor import Visitor
from waiting import wait_until

from conftest import ROOM_FOR_WAITING
from load import ADDRESSES
from machine import leader, took
from messages import ROCKETCHAT, Calls, Shared, everywhere, opened, shared
from meter import Meter

# The machine that tests run on has two processors and other work, so only what is far worse counts.
FACTOR, GRACE = 4, 0.005
LATE_FACTOR, LATE_GRACE = 6, 0.08
TICKS = os.sysconf("SC_CLK_TCK")


def as_before(quiet, busy):
    """Whether policy is answered as fast while it is busy."""
    assert busy.median < FACTOR * quiet.median + GRACE, (quiet, busy)
    assert busy.p95 < LATE_FACTOR * quiet.p95 + LATE_GRACE, (quiet, busy)


@pytest.fixture
def site(mpm, audited):
    with opened(Shared("load"), mpm, server=ROOM_FOR_WAITING.get(mpm, "")) as site:
        yield site


@pytest.mark.mpm
def test_a_rocketchat_that_hangs_costs_nothing_but_its_messages(site):
    httpd, = site.all
    httpd.expect(ROCKETCHAT)
    api = Api(httpd)
    known = Calls(site, 1).begin().wait_for_messages()[0].meeting
    with Meter(httpd, known["id"]) as meter:
        quiet = meter.part(2)
        site.chat.fault("*", "hang")
        rooms = [site.room() for _ in range(40)]
        meter.begin()
        with ThreadPoolExecutor(40) as pool:
            asked = [pool.submit(site.say, f"!pexip Hanging {room.name}", room) for room in rooms]
            time.sleep(0.5)
            # All that is waited for is an eighth of the workers, whatever hangs.
            with took() as creation:
                made = [api.create(title=f"Created {number}") for number in range(5)]
            with took() as joins:
                key = known["join_url"].rpartition("/")[2]
                assert [Visitor(httpd).open(known["join_url"]).status for _ in range(10)] == [303] * 10
                link = api.link(known["id"], user=site.nina.creator())["url"]
            with took() as events:
                node = Node(next(ADDRESSES), httpd)
                node.started()
                for meeting in made:
                    node.conference_started(meeting["id"])
                    one_leg(node, meeting["id"], "Anna").leave()
                    node.conference_ended(meeting["id"])
            said = [each.result() for each in asked]
        time.sleep(1)
        hanging = meter.end()
    assert {each.status for each in said} == {200} and not any(each.posted for each in said), said
    assert max(each.seconds for each in said) < 2 + 2 * PATIENCE
    assert link and key and creation.seconds < 5 * PATIENCE and joins.seconds < 2 * PATIENCE and events.seconds < 5 * PATIENCE, \
        (creation.seconds, joins.seconds, events.seconds)
    as_before(quiet, hanging)
    for meeting in made:
        wait_until(lambda: api.read(meeting["id"])["state"] == "ended", 15 * PATIENCE, "the end")
    # Requests to it are under way, and are not waited for.
    with took() as stop:
        httpd.stop()
    assert stop.seconds < 3 * PATIENCE


@pytest.mark.mpm
def test_a_hundred_rooms_at_once_and_a_slow_rocketchat_delay_nobody(site):
    httpd, = site.all
    answer = site.chat.answer

    def slow(call):
        time.sleep(0.1)
        return answer(call)
    known = Calls(site, 1).begin().wait_for_messages()[0].meeting
    site.chat.answer = slow
    with Meter(httpd, known["id"]) as meter:
        quiet = meter.part(2)
        meter.begin()
        calls = Calls(site, 100)
        with took() as rush:
            everywhere(calls, lambda call: call.say(), workers=25)
            calls.wait_for_messages(15 * PATIENCE)
        busy = meter.end()
    assert rush.seconds < 20 * PATIENCE
    as_before(quiet, busy)
    assert [len(call.messages()) for call in calls] == [1] * 100
    wait_until(lambda: all(len(call.personal_links()) == 1 for call in calls), 15 * PATIENCE, "a personal link for each")


# What it costs

def processor_time(pid):
    fields = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def anonymous(pid):
    """What a process has of its own; the working set is everybody's."""
    kib, = re.findall(r"^Anonymous:\s+(\d+) kB", Path("/proc", str(pid), "smaps_rollup").read_text(), re.M)
    return int(kib) * 1024


def test_an_idle_leader_costs_next_to_nothing(site):
    """With tables of the default size, and some meetings that are open."""
    httpd, = site.all
    Calls(site, 5).begin().wait_for_messages()
    pid = wait_until(lambda: leader(httpd), SOON, "a leader")
    time.sleep(1)
    before = processor_time(pid)
    time.sleep(4)
    used = (processor_time(pid) - before) / 4
    assert used < 0.04 * PATIENCE, f"{100 * used:.1f} % of a processor"


@pytest.mark.slow
def test_short_meetings_leave_nothing_behind_in_the_leader(mpm, postgresql):
    """On PostgreSQL, because SQLite keeps up to sixteen megabytes of its file in memory."""
    with shared(mpm, postgresql.conninfo, machines=1) as site:
        many_short_meetings(site)


def many_short_meetings(site):
    httpd, = site.all
    api = Api(httpd)
    members = {"room": site.general.as_meant(), "creator": site.nina.creator()}

    def live(number):
        meeting = api.create(title=f"Short {number}", **members)
        api.delete(meeting["id"])

    def rounds(count):
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(live, range(count)))
        wait_until(lambda: sum(bool(re.search(r"\bended\b", message.text)) for message in site.general.by(site.chat.bot)) == rounds.done + count,
                   30 * PATIENCE, "all ends to be told")
        rounds.done += count
        return anonymous(wait_until(lambda: leader(httpd), SOON, "a leader"))
    rounds.done = 0
    first = rounds(200)
    grown = rounds(500) - first
    assert grown < 500 * 400, f"{grown / 500:.0f} bytes for each meeting"
