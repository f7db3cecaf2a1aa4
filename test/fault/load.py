"""Load that remembers: threads that create, ask and tell while servers are killed, and what was acknowledged, and when.

    with Load(httpd) as load:           # or Load(one, other): each request goes to either
        httpd.kill(...)
        load.grows()                    # waits until the load has got on
    load.check()                        # everything acknowledged is there, on every server, to the byte

A request that is refused, torn or answered with 503 is sent again, the same, before anything else is sent: so do
Conferencing Nodes (event reference 1.6) and sensible clients. How often that happened is in `torn` and `refused`.
"""

import collections
import http.client
import itertools
import random
import threading
import time
import uuid

from meetings import NINA, ROOM, Api
from pexip import Node, one_leg, sip, two_legs
from waiting import wait_until

from httpd import PATIENCE
from machine import listing

TORN = (OSError, http.client.HTTPException)
PAUSE = 0.03        # before a request is sent again
TIMEOUT = 5         # a node waits seven seconds; a creation is answered after two
GIVE_UP = 60        # the server does not come back

# What never changes in a meeting.
LASTING = ("id", "title", "pins", "join_url", "numeric_alias", "room", "creator", "discussion", "created_at", "not_before", "not_after")

ADDRESSES = (f"10.{60 + number // 65536}.{number // 256 % 256}.{number % 256}" for number in itertools.count(257))


class GivenUp(Exception):
    """The load was cut off while this request had no answer yet."""


class Patient:
    """Has request() like an Httpd, and hands back answers that are answers."""

    def __init__(self, load, kind):
        self.load, self.kind = load, kind

    def request(self, *arguments, **options):
        load = self.load
        deadline = time.monotonic() + GIVE_UP * PATIENCE
        while not load.is_cut:
            try:
                answer = load.balance().request(*arguments, **{"timeout": TIMEOUT, **options})
                if answer.status != 503:
                    return answer
                load.refused[self.kind] += 1
            except TORN:
                load.torn[self.kind] += 1
            if time.monotonic() > deadline:
                raise AssertionError(f"no {self.kind} was answered for {GIVE_UP} s")
            time.sleep(PAUSE)
        raise GivenUp


class Change:
    """Somebody came or left. acked is None until every event about it was taken."""

    def __init__(self, present):
        self.present, self.acked = present, None

    def is_settled(self, until):
        return self.acked is not None and (until is None or self.acked <= until)


class Load:
    def __init__(self, *servers, meetings=4, askers=2, tellers=2, people=6, pause=0.02, title="Under load", late_answers=False):
        """meetings: how many the tellers' people are in. pause: between two creations of the one thread that creates.
        late_answers: a meeting may be unknown to one of the servers for a while (its database is down)."""
        self.servers = servers
        self.title = title
        self.pause = pause
        self.people_at_most = people
        self.late_answers = late_answers
        self.is_cut = False
        self.failures, self.refused, self.torn = [], collections.Counter(), collections.Counter()
        self.asked = self.told = 0
        self.known = {}         # id: (when acknowledged, meeting)
        self.deleted = {}       # id: when acknowledged, None as long as nobody knows
        self.answers = {}       # id: policy answer
        self.people = {}        # id: {name: Change}
        self.never = set()      # titles of meetings whose creation was refused
        self._over = threading.Event()
        self.asking = Node(next(ADDRESSES), Patient(self, "policy"))
        self.api = Api(Patient(self, "creation"))
        self.meetings = [self._created(self.api.create(id=uuid.uuid4().hex, title=title)) for _ in range(meetings)]
        self.people.update((meeting_id, {}) for meeting_id in self.meetings)
        work = [self._ask] * askers + [self._tell] * tellers + [self._create] * bool(pause)
        self._threads = [threading.Thread(target=self._run, args=(each,), daemon=True) for each in work]

    def balance(self):
        """Which server is asked next."""
        return random.choice(self.servers)

    # While it runs

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, failed, *_):
        """Every node brings what it has begun to its end, unless the test has failed already."""
        self.is_cut = self.is_cut or failed is not None
        self._over.set()
        for thread in self._threads:
            thread.join((GIVE_UP + 10) * PATIENCE)
            assert not thread.is_alive(), "the load does not end"

    def cut(self):
        """No request is sent again: what is on its way now may or may not have been taken. Returns the time."""
        self.is_cut = True
        return time.monotonic()

    def grows(self, by=10, timeout=30):
        """Waits until so many more changes of the roster were taken, and policy answered."""
        told, asked = self.told + by, self.asked + by
        wait_until(lambda: self.failures or self.told >= told and self.asked >= asked, timeout * PATIENCE, "more load")
        assert not self.failures, self.failures[:5]

    def _run(self, work):
        try:
            work()
        except GivenUp:
            pass
        except Exception as exception:      # a thread has nobody else to tell
            self.failures.append(repr(exception))

    def _created(self, meeting):
        self.known[meeting["id"]] = time.monotonic(), meeting
        return meeting["id"]

    def _policy(self, node, meeting_id):
        """The answer is the one that was given before."""
        deadline = time.monotonic() + GIVE_UP
        while True:
            answer = node.policy(meeting_id)
            if answer.status != 404 or not self.late_answers or time.monotonic() > deadline:
                break
            time.sleep(PAUSE)
        if answer.status != 200 or answer.json()["action"] != "continue":
            self.failures.append(f"policy for {meeting_id}: {answer.status} {answer.text[:200]}")
        elif self.answers.setdefault(meeting_id, answer.body) != answer.body:
            self.failures.append(f"policy for {meeting_id} has changed to {answer.text[:200]}")
        self.asked += 1

    def _ask(self):
        node = Node(next(ADDRESSES), Patient(self, "policy"))
        while not self._over.is_set():
            self._policy(node, random.choice([each for each in list(self.known) if each not in self.deleted]))

    def _tell(self):
        node = Node(next(ADDRESSES), Patient(self, "event"))
        node.started()
        inside = {meeting_id: {} for meeting_id in self.meetings}
        for meeting_id in self.meetings:
            node.conference_started(meeting_id)
        while not self._over.is_set():
            meeting_id = random.choice(self.meetings)
            there, changes = inside[meeting_id], self.people[meeting_id]
            if len(there) >= random.randint(1, self.people_at_most):
                name = random.choice(list(there))
                changes[name] = change = Change(False)
                there.pop(name).leave()
            else:
                name = f"{node.address} {node.seq}"
                changes[name] = change = Change(True)
                there[name] = random.choice((two_legs, one_leg, sip))(node, meeting_id, name)
            change.acked = time.monotonic()
            self.told += 1

    def _create(self):
        for number in itertools.count():
            if self._over.wait(self.pause):
                return
            if number % 8 == 7:
                self._create_without_id(f"{self.title} {uuid.uuid4().hex}")
            elif number % 8 == 3:
                doomed = uuid.uuid4().hex
                self.deleted[doomed] = None
                self._created(self.api.create(id=doomed, title=self.title))
                self.api.delete(doomed)
                self.deleted[doomed] = time.monotonic()
            else:
                self._policy(self.asking, self._created(self.api.create(id=uuid.uuid4().hex, title=self.title)))

    def _create_without_id(self, title):
        """Tried once, by somebody who would try again with another title: a refused one never shows up."""
        try:
            answer = self.balance().request("POST", self.api.base + "/meetings", auth=self.api.auth, timeout=TIMEOUT,
                                            body={"title": title, "room": ROOM, "creator": NINA})
        except TORN:
            self.torn["creation"] += 1
            return
        if answer.status == 201:
            self._policy(self.asking, self._created(answer.json()))
        elif answer.status == 503:
            self.refused["creation"] += 1
            self.never.add(title)
        else:
            self.failures.append(f"creation: {answer.status} {answer.text[:200]}")

    # Afterwards

    def _is_deleted(self, meeting_id, settled):
        when = self.deleted.get(meeting_id)
        return when is not None and (settled is None or when <= settled)

    def differences(self, server, settled=None, ended=True):
        """In which respects the server does not know what was acknowledged (until `settled`), as sentences.
        ended: what was deleted has ended; else it need only be closed."""
        api, node, found = Api(server), Node(next(ADDRESSES), server), []
        for meeting_id, (acked, meeting) in list(self.known.items()):
            read = api.call("GET", f"/meetings/{meeting_id}")
            if read.status != 200:
                found.append(f"{meeting_id}, acknowledged {time.monotonic() - acked:.1f} s ago, answers {read.status}")
                continue
            read = read.json()
            found += [f"{name} of {meeting_id} was {meeting[name]!r} and is {read[name]!r}"
                      for name in LASTING if read[name] != meeting[name]]
            if self._is_deleted(meeting_id, settled):
                if not read["closed"]:
                    found.append(f"{meeting_id} was deleted and is not closed")
                elif ended and read["state"] != "ended":
                    found.append(f"{meeting_id} was deleted and is closed, but {read['state']}")
            elif meeting_id not in self.deleted and meeting_id in self.answers and node.policy(meeting_id).body != self.answers[meeting_id]:
                found.append(f"the policy answer of {meeting_id} has changed")
            found += self._roster(meeting_id, read, settled)
        if self.never:
            found += [f"{each['title']} was refused and is there" for each in listing(server) if each["title"] in self.never]
        return found

    def _roster(self, meeting_id, read, settled):
        there = [person["name"] for person in read["participants"]]
        changes = self.people.get(meeting_id, {})
        found = [f"{name} is {there.count(name)} times in {meeting_id}" for name in set(there) if there.count(name) > 1]
        found += [f"a stranger, {name}, is in {meeting_id}" for name in there if name not in changes]
        for name, change in list(changes.items()):
            if change.is_settled(settled) and change.present != (name in there):
                found.append(f"{name} {'is missing in' if change.present else 'has left, and is in'} {meeting_id}")
        return found

    def check(self, *servers, settled=None, refused=(), within=0.0, ends_within=0.0):
        """Every server knows everything that was acknowledged (until `settled`), at the latest after `within` seconds.
        refused: what may have been answered with 503 meanwhile, of policy, event, creation.
        ends_within: so long may what was deleted be only closed, because a machine that has gone is waited for."""
        assert not self.failures, self.failures[:5]
        assert self.asked and self.told and self.known, (self.asked, self.told, len(self.known))
        assert not set(self.refused) - set(refused), self.refused
        began = time.monotonic()
        for server in servers or self.servers:
            if ends_within:
                self._agree(server, settled, began + within * PATIENCE, ended=False)
            self._agree(server, settled, began + max(within * PATIENCE, ends_within), ended=True)

    def _agree(self, server, settled, deadline, ended):
        while (found := self.differences(server, settled, ended)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not found, f"{len(found)} differences, e.g. {found[:5]}; refused {self.refused}, torn {self.torn}"

    def present(self):
        """Everybody who is in, by meeting."""
        return {meeting_id: sorted(name for name, change in changes.items() if change.present)
                for meeting_id, changes in self.people.items()}
