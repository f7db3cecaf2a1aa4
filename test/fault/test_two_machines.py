"""Two machines behind a balancer, with nothing in common but a PostgreSQL: each answers for the other's meetings."""

import random
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from load import ADDRESSES, Load
from machine import (BACK_WITHIN, PATIENCE, database as database_of, freeze, history, machines_alive, power_cut, status,
                     start_from_database, thaw, took, wait_for_database, wait_until_written)
from meetings import NINA, ROOM, Api
from pexip import Node, one_leg, sip, two_legs
from texts import ANY_DATABASE_TROUBLE, KILLED, LOCKED, MACHINE, OVERWRITTEN, REPAIRED, RESTORED
from waiting import stays, wait_until
from workspace import workspace

BRISK = workspace(grace="1s 2s")

# Rosters agree within a second; what is above is a loaded machine and the reading itself.
AGREE = 1.0 + 0.5 * PATIENCE
# A miss waits a quarter of a second for news.
MISS = 0.25 + 0.35 * PATIENCE
# A machine that does not speak is waited for this long before others end meetings.
SILENCE = 20.0
TROUBLE = (*ANY_DATABASE_TROUBLE, MACHINE)


class Balancer:
    """One address in front of both: each request goes to either, as Node and Api see it."""

    def __init__(self, machines):
        self.machines = machines

    def request(self, *arguments, **options):
        return random.choice(self.machines).request(*arguments, **options)


def new_node(server, location="Oslo"):
    node = Node(next(ADDRESSES), server, location=location)
    node.started()
    return node


def names(httpd, meeting):
    return sorted(person["name"] for person in Api(httpd).read(meeting["id"])["participants"])


def state(httpd, meeting):
    return Api(httpd).read(meeting["id"])["state"]


def knows(httpd, meeting):
    return Api(httpd).call("GET", f"/meetings/{meeting['id']}").status == 200


def live(meeting, *machines):
    wait_until(lambda: all(knows(each, meeting) and state(each, meeting) == "live" for each in machines), AGREE, "life on every machine")


def ended_once(meeting, machines, within=10 * PATIENCE):
    """Both say so, at the same time, and the history has it once."""
    wait_until(lambda: [state(each, meeting) for each in machines] == ["ended"] * len(machines), within, "the end on every machine")
    reads = [Api(each).read(meeting["id"]) for each in machines]
    assert len({read["ended_at"] for read in reads}) == 1 and reads[0]["ended_at"]
    assert len({read["inferred"] for read in reads}) == 1
    for each in machines:
        wait_until_written(each)
        told = [one for one in history(each) if one["id"] == meeting["id"]]
        assert len(told) == 1 and told[0]["ended_at"] == reads[0]["ended_at"]
    return reads[0]


# Meetings

@pytest.mark.mpm
def test_a_meeting_made_on_one_is_answered_by_the_other_at_once(two_machines):
    machines = two_machines()
    assert [machines_alive(each) for each in machines] == [2, 2]
    assert not set(machines[0].segments()) & set(machines[1].segments())
    late = []
    for number in range(100):
        here, there = machines if number % 2 else reversed(machines)
        meeting = Api(here).create(title=f"Number {number}")
        with took() as time_taken:
            answer = Node("10.9.0.1", there).policy(meeting["id"])
        assert answer.status == 200 and answer.json()["action"] == "continue", (number, answer.text)
        assert answer.body == Node("10.9.0.1", here).policy(meeting["id"]).body
        late.append(time_taken.seconds)
        read = Api(there).read(meeting["id"])
        assert {name: read[name] for name in ("id", "pins", "join_url", "title", "created_at", "room", "creator")} \
            == {name: meeting[name] for name in ("id", "pins", "join_url", "title", "created_at", "room", "creator")}
    assert max(late) < MISS, sorted(late)[-5:]


def test_every_way_in_works_on_the_other_machine_at_once(two_machines):
    here, there = two_machines(workspace(grace="60s 60s", extra="PexipRCNumericAlias 77 6"))
    for _ in range(5):
        meeting = Api(here).create()
        key = meeting["join_url"].rpartition("/")[2]
        answer = there.request("GET", f"/pexip/join/{key}")
        assert answer.status == 303 and meeting["pins"]["guest"] in answer.headers["Location"]
        meeting = Api(here).create()
        answer = new_node(there).policy(meeting["numeric_alias"])
        assert answer.body == new_node(here).policy(meeting["id"]).body
        meeting = Api(here).create()
        assert Api(there).link(meeting["id"])["url"]
        meeting = Api(here).create()
        Api(there).delete(meeting["id"])
        wait_until(lambda: state(here, meeting) == "ended", AGREE, "the end on the machine that made it")


def test_a_miss_is_a_miss_soon_however_many_ask(two_machines):
    machines = two_machines()

    def ask(number):
        with took() as time_taken:
            answer = Node("10.9.0.2", machines[number % 2]).policy(f"nobodyknows{number}")
        return answer.status, time_taken.seconds
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(ask, range(60)))
    assert {status for status, _ in answers} == {404}
    assert max(seconds for _, seconds in answers) < MISS + 0.4 * PATIENCE


def test_the_same_id_posted_to_both_at_the_same_moment_is_one_meeting(two_machines):
    machines = two_machines(workspace(grace="60s 60s", extra="PexipRCNumericAlias 77 6"))
    barrier = threading.Barrier(2)

    def post(httpd, meeting_id):
        barrier.wait()
        return Api(httpd).call("POST", "/meetings", {"id": meeting_id, "room": ROOM, "creator": NINA})
    with ThreadPoolExecutor(2) as pool:
        for _ in range(30):
            meeting_id = uuid.uuid4().hex
            answers = list(pool.map(post, machines, [meeting_id] * 2))
            assert sorted(answer.status for answer in answers) == [200, 201]
            one, other = (answer.json() for answer in answers)
            for name in ("pins", "join_url", "created_at", "numeric_alias", "title"):
                assert one[name] == other[name], name
            assert len({Node("10.9.0.3", each).policy(meeting_id).body for each in machines}) == 1


def test_numbers_are_unique_over_both_machines(two_machines):
    """Ten thousand numbers, six hundred meetings: without an agreement some would be given twice."""
    machines = two_machines(workspace(grace="60s 60s", extra="PexipRCNumericAlias 55 4"))

    def create(httpd):
        return [Api(httpd).create() for _ in range(150)]
    with ThreadPoolExecutor(4) as pool:
        made = [meeting for some in pool.map(create, machines * 2) for meeting in some]
    assert len({meeting["numeric_alias"] for meeting in made}) == len(made) == 600
    for meeting in random.sample(made, 20):
        assert len({Node("10.9.0.4", each).policy(meeting["numeric_alias"]).json()["result"]["name"] for each in machines}) == 1


def test_closing_on_one_is_known_on_the_other_within_a_second(two_machines):
    here, there = machines = two_machines()
    empty, occupied = Api(here).create(), Api(here).create()
    node = new_node(here)
    node.conference_started(occupied["id"])
    sip(node, occupied["id"], "Anna")
    live(occupied, *machines)
    for meeting in (empty, occupied):
        assert Node("10.9.0.5", there).policy(meeting["id"]).json()["action"] == "continue"
        Api(here).delete(meeting["id"])
        wait_until(lambda: Node("10.9.0.5", there).policy(meeting["id"]).json()["action"] == "reject", AGREE, "the closed door")
    assert (state(there, empty), state(there, occupied)) == ("ended", "live")
    assert Api(there).read(occupied["id"])["closed"] is True
    assert names(there, occupied) == ["Anna"]


def test_what_one_has_filled_in_the_other_has(two_machines):
    here, there = two_machines()
    meeting_id = uuid.uuid4().hex
    Api(here).create(id=meeting_id, title=None)
    Api(there).create(id=meeting_id, title="Filled in", discussion={"id": "d1", "name": "Talk", "type": "c"})
    wait_until(lambda: Api(here).read(meeting_id)["title"] == "Filled in", AGREE, "the title")
    assert Api(here).read(meeting_id)["discussion"] == Api(there).read(meeting_id)["discussion"] != None  # noqa: E711


# Events

def test_fifty_meetings_whose_events_go_to_either_machine_are_the_same_on_both(two_machines):
    machines = two_machines()
    meetings = [Api(random.choice(machines)).create()["id"] for _ in range(50)]
    expected = {meeting_id: set() for meeting_id in meetings}

    def tell(mine):
        node = new_node(Balancer(machines))
        inside = {meeting_id: {} for meeting_id in mine}
        for meeting_id in mine:
            node.conference_started(meeting_id)
        for number in range(80):
            meeting_id = random.choice(mine)
            there = inside[meeting_id]
            if there and random.random() < 0.4:
                there.pop(random.choice(list(there))).leave()
            else:
                name = f"{node.address} {number}"
                there[name] = random.choice((two_legs, one_leg, sip))(node, meeting_id, name)
                if random.random() < 0.3:
                    there[name].media.updated(is_muted=True, partial=True)
        return inside
    with ThreadPoolExecutor(4) as pool:
        # Each meeting is hosted by two nodes.
        for inside in pool.map(tell, (meetings[:25], meetings[25:], meetings[::2], meetings[1::2])):
            for meeting_id, there in inside.items():
                expected[meeting_id] |= set(there)

    def differing():
        return [meeting_id for each in machines for meeting_id in meetings
                if names(each, {"id": meeting_id}) != sorted(expected[meeting_id])]
    deadline = time.monotonic() + AGREE
    while (wrong := differing()) and time.monotonic() < deadline:
        pass
    assert not wrong, (len(wrong), [names(each, {"id": wrong[0]}) for each in machines], sorted(expected[wrong[0]]))
    reads = [[Api(each).read(meeting_id) for meeting_id in meetings] for each in machines]
    for one, other in zip(*reads):
        assert (one["state"], one["started_at"], one["participants"]) == (other["state"], other["started_at"], other["participants"])


def test_events_come_to_a_machine_before_it_knows_the_meeting(two_machines):
    here, there = machines = two_machines(BRISK)
    for _ in range(10):
        meeting = Api(here).create()
        node = new_node(there)
        node.conference_started(meeting["id"])
        anna = two_legs(node, meeting["id"], "Anna")
        wait_until(lambda: [names(each, meeting) for each in machines] == [["Anna"]] * 2, AGREE, "Anna on both")
        anna.leave()
        wait_until(lambda: [names(each, meeting) for each in machines] == [[]] * 2, AGREE, "nobody on both")


def test_events_of_a_meeting_that_nobody_has_made_yet_are_kept_for_it(two_machines):
    here, there = machines = two_machines()
    meeting_id = uuid.uuid4().hex
    node = new_node(there)
    node.conference_started(meeting_id)
    sip(node, meeting_id, "Anna")
    time.sleep(0.5)
    Api(here).create(id=meeting_id)
    wait_until(lambda: [names(each, {"id": meeting_id}) for each in machines] == [["Anna"]] * 2, AGREE, "Anna on both")
    live({"id": meeting_id}, *machines)


def test_a_late_repetition_on_the_other_machine_changes_nothing(two_machines):
    here, there = machines = two_machines()
    meeting = Api(here).create()
    node, late = new_node(here), Node(next(ADDRESSES), there)
    node.conference_started(meeting["id"])
    with node.holding() as events:
        anna = sip(node, meeting["id"], "Anna")
        boris = sip(node, meeting["id"], "Boris")
    for event in events:
        node.send(event)
    anna.leave()
    for event in events:
        late.send(event)        # what a node sent to a machine that did not answer in time
    boris.media.updated(is_muted=True)
    wait_until(lambda: [names(each, meeting) for each in machines] == [["Boris"]] * 2, AGREE, "Boris alone")
    stays(lambda: [names(each, meeting) for each in machines] == [["Boris"]] * 2, 1.5, "Boris alone")


# Ends

def test_a_meeting_on_both_machines_ends_exactly_once(two_machines):
    machines = two_machines(BRISK)
    meetings = [Api(random.choice(machines)).create() for _ in range(10)]
    for meeting in meetings:
        nodes = [new_node(Balancer(machines)) for _ in range(2)]
        people = []
        for node, name in zip(nodes, ("Anna", "Boris")):
            node.conference_started(meeting["id"])
            people.append(two_legs(node, meeting["id"], name))
        for person, node in zip(people, nodes):
            person.leave()
            node.conference_ended(meeting["id"])
    for meeting in meetings:
        ended = ended_once(meeting, machines)
        assert ended["inferred"] is False and ended["participants"] == []
    for each in machines:
        [told] = [one for one in history(each) if one["id"] == meetings[0]["id"]]
        assert sorted(person["name"] for person in told["participants"]) == ["Anna", "Boris"]


def test_somebody_on_the_other_machine_keeps_a_meeting_alive(two_machines):
    here, there = machines = two_machines(BRISK)
    meeting = Api(here).create()
    node, other = new_node(here), new_node(there, "Berlin")
    node.conference_started(meeting["id"])
    anna = sip(node, meeting["id"], "Anna")
    other.conference_started(meeting["id"])
    boris = sip(other, meeting["id"], "Boris")
    anna.leave()
    node.conference_ended(meeting["id"])
    stays(lambda: [state(each, meeting) for each in machines] == ["live"] * 2, 4, "life")
    assert [names(each, meeting) for each in machines] == [["Boris"]] * 2
    boris.leave()
    other.conference_ended(meeting["id"])
    assert ended_once(meeting, machines)["inferred"] is False


def test_who_was_seen_coming_by_the_other_machine_holds_the_end(two_machines):
    here, there = machines = two_machines(BRISK)
    meeting = Api(here).create()
    node = new_node(here)
    node.conference_started(meeting["id"])
    sip(node, meeting["id"], "Anna").leave()
    live(meeting, *machines)
    node.conference_ended(meeting["id"])
    coming = new_node(there)
    assert coming.policy(meeting["id"]).json()["action"] == "continue"
    stays(lambda: [state(each, meeting) for each in machines] == ["live"] * 2, 4, "life")
    assert coming.policy(meeting["id"]).json()["action"] == "continue"
    coming.conference_started(meeting["id"])
    boris = sip(coming, meeting["id"], "Boris")
    wait_until(lambda: [names(each, meeting) for each in machines] == [["Boris"]] * 2, AGREE, "Boris")
    boris.leave()
    coming.conference_ended(meeting["id"])
    ended_once(meeting, machines)


def test_a_probe_at_the_other_machine_holds_nothing(two_machines):
    here, there = machines = two_machines(BRISK)
    meeting = Api(here).create()
    node = new_node(here)
    node.conference_started(meeting["id"])
    sip(node, meeting["id"], "Anna").leave()
    node.conference_ended(meeting["id"])
    new_node(there).probe(meeting["id"])
    ended_once(meeting, machines, 6 * PATIENCE)


def test_whoever_is_told_last_that_somebody_came_back_nobody_ends_it_over_his_head(two_machines):
    """The grace runs out on one machine while a join arrives at the other, at every moment of it."""
    here, there = machines = two_machines(workspace(grace="1s 1s"))
    meetings, people = [], []
    for number in range(12):
        meeting = Api(here).create()
        node = new_node(here)
        node.conference_started(meeting["id"])
        sip(node, meeting["id"], "Anna").leave()
        node.conference_ended(meeting["id"])
        meetings.append((meeting, time.monotonic() + 1.0 - 0.3 + number * 0.05))
    admitted = []
    for meeting, when in meetings:
        time.sleep(max(0, when - time.monotonic()))
        node = new_node(there, "Berlin")
        if node.policy(meeting["id"]).json()["action"] == "continue":
            node.conference_started(meeting["id"])
            people.append(sip(node, meeting["id"], "Boris"))
            admitted.append(meeting)
    time.sleep(3)
    for meeting, _ in meetings:
        states = [state(each, meeting) for each in machines]
        assert states == (["live"] * 2 if meeting in admitted else ["ended"] * 2), (states, meeting in admitted)
    for meeting in admitted:
        assert [names(each, meeting) for each in machines] == [["Boris"]] * 2


# Faults

@pytest.mark.parametrize("meanwhile", ["nothing", "restart of one", "children killed", "PostgreSQL restarted"])
def test_a_balanced_load_is_the_same_on_both(two_machines, postgresql, meanwhile):
    here, there = machines = two_machines()
    for each in machines:
        each.expect(KILLED, REPAIRED, LOCKED, *TROUBLE)
    database_trouble = meanwhile == "PostgreSQL restarted"
    with Load(*machines, late_answers=database_trouble) as load:
        load.grows(10)
        if meanwhile == "restart of one":
            here.graceful()
            load.grows(10)
            there.stop("graceful-stop")
            load.grows(10)
            there.start()
        elif meanwhile == "children killed":
            for _ in range(6):
                victim = random.choice(machines)
                wait_until(victim.children, 10, "a child")
                victim.kill(random.choice(victim.children()), 9)
                load.grows(5)
        elif database_trouble:
            postgresql.restart()
            load.grows(10)
            postgresql.kill9()
            postgresql.start()
        load.grows(20)
    load.check(refused=("creation",) if database_trouble else (), within=BACK_WITHIN if meanwhile != "nothing" else AGREE)
    # And so it is in the database alone.
    for each in machines:
        wait_for_database(each)
        wait_until_written(each)
    power_cut(here)
    start_from_database(here)
    load.check(here, refused=("creation",))


@pytest.mark.slow
def test_a_machine_killed_with_all_its_processes_is_done_without_and_comes_back(two_machines):
    here, there = machines = two_machines(BRISK)
    for each in machines:
        each.expect(KILLED, OVERWRITTEN, REPAIRED, LOCKED, *TROUBLE)
    with Load(*machines) as load:
        load.grows(20)
        there.kill9_all()
        load.grows(30)
        there.start()
        load.grows(20)
    load.check(within=BACK_WITHIN)
    for meeting_id in load.meetings:
        assert [state(each, {"id": meeting_id}) for each in machines] == ["live"] * 2


@pytest.mark.slow
def test_meetings_end_without_a_killed_machine_after_a_while(two_machines):
    here, there = machines = two_machines(BRISK)
    for each in machines:
        each.expect(OVERWRITTEN, REPAIRED, *TROUBLE)
    meeting = Api(there).create()
    node = new_node(there)
    node.conference_started(meeting["id"])
    anna = sip(node, meeting["id"], "Anna")
    live(meeting, *machines)
    there.kill9_all()
    node.request = here.request
    anna.leave()
    node.conference_ended(meeting["id"])
    wait_until(lambda: state(here, meeting) == "ended", SILENCE + 10 * PATIENCE, "the end")
    assert machines_alive(here) == 1
    there.start()
    wait_for_database(there)
    ended_once(meeting, machines)
    wait_until(lambda: [machines_alive(each) for each in machines] == [2, 2], 15 * PATIENCE, "both machines")


@pytest.mark.slow
def test_a_machine_that_stands_still_for_ten_seconds_ends_nothing_and_loses_nothing(two_machines):
    """It saw Boris coming and could not tell anybody."""
    here, there = machines = two_machines(workspace(grace="1s 30s"))
    for each in machines:
        each.expect(*TROUBLE, r"the clock was set", LOCKED)
    meeting, other = Api(here).create(), Api(here).create()
    node, frozen_node, third = new_node(here), new_node(there, "Berlin"), new_node(there)
    node.conference_started(meeting["id"])
    anna = sip(node, meeting["id"], "Anna")
    third.conference_started(other["id"])
    carla = sip(third, other["id"], "Carla")
    for each in (meeting, other):
        live(each, *machines)
    try:
        frozen_node.conference_started(meeting["id"])
        boris = sip(frozen_node, meeting["id"], "Boris")
        freeze(there)
        anna.leave()
        node.conference_ended(meeting["id"])
        # The balancer now sends everything here. What was about to end there has somebody new here.
        third.request = here.request
        carla.leave()
        doris = sip(third, other["id"], "Doris")
        made = Api(here).create()
        stays(lambda: state(here, meeting) == state(here, other) == "live", 10, "life")
    finally:
        thaw(there)
    wait_until(lambda: [names(each, meeting) for each in machines] == [["Boris"]] * 2, 5 * PATIENCE, "Boris on both")
    wait_until(lambda: [names(each, other) for each in machines] == [["Doris"]] * 2, 5 * PATIENCE, "Doris on both")
    stays(lambda: all(state(each, one) == "live" for each in machines for one in (meeting, other)), 3, "life")
    assert Api(there).read(made["id"])["pins"] == made["pins"]
    for person, its_node, one in ((boris, frozen_node, meeting), (doris, third, other)):
        person.leave()
        its_node.conference_ended(one["id"])
        ended_once(one, machines)


@pytest.mark.slow
def test_a_balanced_load_goes_on_while_one_machine_stands_still(two_machines):
    here, there = machines = two_machines()
    for each in machines:
        each.expect(*TROUBLE, LOCKED)
    with Load(*machines) as load:
        load.grows(20)
        freeze(there)
        try:
            load.servers = (here,)      # the balancer notices; what is on its way is waited for
            load.grows(30)
            time.sleep(5)
        finally:
            thaw(there)
        load.servers = tuple(machines)
        load.grows(20)
    # Who asked the machine that stood still was told after that to try again.
    load.check(refused=("creation",), within=BACK_WITHIN)


def test_two_machines_without_their_database_serve_what_they_know(two_machines, postgresql):
    machines = two_machines(workspace(grace="60s 60s", extra="PexipRCUnknownAlias reject ^rc"))
    for each in machines:
        each.expect(*TROUBLE)
    meetings = [Api(each).create() for each in machines]
    nodes = [new_node(each) for each in machines]
    for one, meeting in enumerate(meetings):
        for node in nodes:
            assert node.policy(meeting["id"]).status == 200
            node.conference_started(meeting["id"])
        sip(nodes[one], meeting["id"], "Anna")
        live(meeting, *machines)
    answers = [nodes[0].policy(meeting["id"]).body for meeting in meetings]
    postgresql.freeze()
    try:
        for each in machines:
            wait_for_database(each, "hanging", "unreachable")
        for node in nodes:
            with took() as time_taken:
                assert [node.policy(meeting["id"]).body for meeting in meetings] == answers
            assert time_taken.seconds < 0.5 * PATIENCE
            with took() as time_taken:
                assert node.policy("rcnobodyknows").json()["action"] == "continue"
            assert time_taken.seconds < MISS
        boris = [sip(node, meetings[0]["id"], f"Boris {one}") for one, node in enumerate(nodes)]
        boris[0].leave()
    finally:
        postgresql.thaw()
    for each in machines:
        wait_for_database(each)
    wait_until(lambda: [names(each, meetings[0]) for each in machines] == [["Anna", "Boris 1"]] * 2, 5 * PATIENCE, "the same people")


def test_an_older_backup_is_brought_up_to_date_by_both(two_machines, postgresql):
    here, there = machines = two_machines()
    for each in machines:
        each.expect(*TROUBLE, RESTORED)
    first = Api(here).create()
    for each in machines:
        wait_until_written(each)
    backup = postgresql.dump()
    second, third = Api(here).create(), Api(there).create()
    node = new_node(Balancer(machines))
    for meeting in (first, second, third):
        node.conference_started(meeting["id"])
        sip(node, meeting["id"], "Anna")
        live(meeting, *machines)
    for each in machines:
        wait_until_written(each)
    postgresql.restore(backup)
    time.sleep(2)
    for each in machines:
        wait_until_written(each, BACK_WITHIN)
    for each in machines:
        power_cut(each)
    for each in machines:
        start_from_database(each)
    for meeting in (first, second, third):
        assert [names(each, meeting) for each in machines] == [["Anna"]] * 2
        assert Api(there).read(meeting["id"])["pins"] == meeting["pins"]


def test_status_shows_the_other_machine(two_machines):
    machines = two_machines()
    assert [machines_alive(each) for each in machines] == [2, 2]
    assert [status(each)["status"] for each in machines] == ["ok", "ok"]
    Api(machines[0]).create()
    for each in machines:
        wait_until_written(each)
    wait_until(lambda: len({database_of(each)["revision"] for each in machines}) == 1, 3 * PATIENCE, "the same revision")
    machines[1].expect(*TROUBLE)
    machines[1].stop()
    wait_until(lambda: machines_alive(machines[0]) == 1, SILENCE + 10 * PATIENCE, "the other machine to be gone")
