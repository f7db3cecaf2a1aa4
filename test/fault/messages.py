"""Rooms that are told of meetings while something goes wrong: a workspace that one machine or several serve, and what must be true in the end.

    with shared(mpm, conninfo) as site:         # two machines, one PostgreSQL, one stand-in workspace
        calls = Calls(site, 8).begin()
        site.delivering().kill9_all()
        calls.finish()                          # everybody meets, leaves, and the meetings end
        calls.check()
"""

import http.client
import itertools
import random
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import parse_qs, unquote, urlsplit

from chat import LIVE_SITES, Site
from fixtures import Servers, bury
from load import ADDRESSES
from machine import machines_alive, wait_for_database
from meetings import Api
from pexip import Node, one_leg
from waiting import wait_until

from httpd import PATIENCE, free_ports

TORN = (OSError, http.client.HTTPException)
# What the error log may say of a Rocket.Chat that fails on purpose.
ROCKETCHAT = r"Rocket\.Chat|companion app did not take"
# What one machine knows the others know within a second.
AGREE = 1.0 + 0.5 * PATIENCE
# What somebody is told whose meeting cannot be made at the moment.
REFUSED = "No meeting can be started"
DELIVERS = "this process tells Rocket.Chat"


class Machines:
    """All machines of a site, as one server: a request goes to any of them, or to the one that only() names."""

    def __init__(self, machines):
        self.machines = list(machines)
        self._chosen = threading.local()

    def request(self, *arguments, port=None, **options):
        chosen = getattr(self._chosen, "machine", None)
        machine = chosen if chosen in self.machines else random.choice(self.machines)
        return machine.request(*arguments, **options)

    @contextmanager
    def only(self, machine):
        """For this thread."""
        self._chosen.machine = machine
        try:
            yield
        finally:
            self._chosen.machine = None

    def error_log(self):
        return "".join(each.error_log() for each in self.machines)

    def expect(self, *patterns):
        for each in self.machines:
            each.expect(*patterns)


class Shared(Site):
    """A workspace with as many machines as are wanted, all with the same configuration and one database."""

    def __init__(self, name="shared", **spec):
        super().__init__(name, None, **spec)
        self.all = []
        self.secrets = {}       # further files below each machine's root

    def write_files(self, httpd):
        super().write_files(httpd)
        for name, text in self.secrets.items():
            httpd.write(name, text, 0o600)

    def add_machine(self, servers, server=""):
        self.server = server
        self.port, = free_ports(1)
        httpd = servers(self.body(), server=server, ports=[self.port], start=False)
        self.port = None        # each machine has its own
        self.write_files(httpd)
        self.all.append(httpd)
        return httpd

    def configure(self, httpd):
        """Once more, after this site's settings were changed."""
        self.port = httpd.port
        httpd.configure(self.body(), server=self.server)
        self.port = None
        self.write_files(httpd)

    def open(self):
        self.belong_to(Machines(self.all))
        for each in self.all:
            each.start()
        for each in self.all:
            wait_for_database(each)
        if len(self.all) > 1:
            wait_until(lambda: [machines_alive(each) for each in self.all] == [len(self.all)] * len(self.all), 10 * PATIENCE,
                       "all machines to see each other")

    def only(self, machine):
        return self.httpd.only(machine)

    def use(self, *machines):
        """What the balancer in front of them knows to be alive."""
        self.httpd.machines = list(machines)

    def delivering(self):
        """The machine that has begun to tell Rocket.Chat last."""
        def find():
            lines = [(line, each) for each in self.all for line in each.error_log().splitlines() if DELIVERS in line]
            return max(lines, key=lambda found: found[0][:40], default=(None, None))[1]
        return wait_until(find, 15 * PATIENCE, "a machine that delivers")

    def other(self, machine):
        return next(each for each in self.all if each is not machine)


@contextmanager
def opened(site, mpm, machines=1, server=""):
    servers = Servers(mpm)
    try:
        site.chat.start()
        for _ in range(machines):
            site.add_machine(servers, server)
        LIVE_SITES.append(site)
        site.open()
        yield site
        site.chat.finish_echoes()
        assert not site.chat.problems, "\n".join(site.chat.problems[:20])
    finally:
        try:
            site.chat.faults.stop_all()
            bury(servers)
        finally:
            if site in LIVE_SITES:
                LIVE_SITES.remove(site)
            site.chat.close()


@contextmanager
def shared(mpm, conninfo, machines=2, **spec):
    with opened(Shared(**spec), mpm, machines, f'PexipRCDatabase pgsql "{conninfo}"') as site:
        yield site


class Patient:
    """A node's way to the machines: what is not taken is sent again, as real nodes do."""

    def __init__(self, site, seconds=60):
        self.site, self.seconds = site, seconds

    def request(self, *arguments, **options):
        deadline = time.monotonic() + self.seconds * PATIENCE
        while True:
            try:
                answer = self.site.httpd.request(*arguments, **{"timeout": 5, **options})
                if answer.status != 503:
                    return answer
            except TORN:
                pass
            if time.monotonic() > deadline:
                raise AssertionError(f"nobody answers {arguments[:2]}")
            time.sleep(0.05)


class Call:
    """Somebody calls in a room of his own, people come and go, the meeting ends."""
    numbers = itertools.count(1)

    def __init__(self, site, people=2):
        self.site = site
        self.title = f"Call {next(self.numbers)} of many"
        self.room = site.room()
        self.names = [f"Anna {self.title}", f"Boris {self.title}", f"Carla {self.title}"][:people]
        self.api = Api(Patient(site))
        self.meeting = self.said = None
        self.refusals = []
        self.creator = site.nina

    def say(self):
        """Rocket.Chat does not ask again where nothing has answered: whoever gets no meeting writes once more, as people do, and
        so does whoever was told that there is none. A machine that stands still may have the database in its hands."""
        self.said = self.site.say(f"!pexip {self.title}", self.room)
        while not self.find(AGREE):
            self.refusals += [message for message in self.said.posted if REFUSED in message.text]
            self.said = self.site.chat.send_out(self.said.message)
        self.refusals += [message for message in self.said.posted if REFUSED in message.text]
        return self

    def find(self, within):
        """The meeting in this room, once every machine knows of it, which takes a moment after one has made it."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            for machine in self.site.httpd.machines:
                with self.site.only(machine):
                    found = self.meetings()
                if not found:
                    break
            else:
                self.meeting = self.api.read(found[0]["id"])
                return self.meeting
            time.sleep(0.05)
        return None

    def meetings(self):
        return self.api.list(room=self.room.id)["meetings"]

    def meet(self):
        self.node = Node(next(ADDRESSES), Patient(self.site))
        self.node.started()
        self.node.conference_started(self.meeting["id"])
        self.people = [one_leg(self.node, self.meeting["id"], name) for name in self.names]
        return self

    def part(self):
        for person in self.people:
            person.leave()
        self.node.conference_ended(self.meeting["id"])
        return self

    def knowledge(self):
        """What the machine that is asked knows of the meeting and of what its room was told."""
        listed = self.api.call("GET", "/deliveries?state=waiting,posted,fixed,done,failed,dropped").json()["deliveries"]
        meeting = self.api.call("GET", f"/meetings/{self.meeting['id']}").text
        return f"{meeting} {[line for line in listed if line['meeting'] == self.meeting['id']]}"

    def wait_for(self, predicate, what, timeout=45 * PATIENCE):
        try:
            wait_until(predicate, timeout, f"{what} of {self.title}")
        except AssertionError as late:
            raise AssertionError(f"{late}; {self.knowledge()}") from None

    def messages(self):
        """What is ours in the room, replies in threads included."""
        return [message for message in self.room.by(self.site.chat.bot) if message not in self.refusals]

    def is_told_of_end(self):
        return [each for each in self.messages() if re.search(r"\bended\b", each.text)]

    def personal_links(self):
        path = urlsplit(self.meeting["join_url"]).path
        room = self.site.chat.direct(self.creator, self.site.chat.bot)
        return [message for message in room.by(self.site.chat.bot)
                if any(urlsplit(link).path == path and "k" in parse_qs(urlsplit(link).query) for link in message.links)]

    def faults(self, discussion=False):
        """What is not as it has to be, as sentences."""
        found, messages = [], self.messages()
        if len(self.meetings()) != 1:
            found.append(f"{len(self.meetings())} meetings")
        if len(messages) != 1:
            found.append(f"{len(messages)} messages: {messages}")
        elif messages[0].tmid:
            found.append("a reply in a thread")
        for message in messages:
            last = message.text
            if not re.match(r"\S*Meeting ended: [^\n]*\b%d (person|people)\b" % len(self.names), last) or self.title not in last:
                found.append(f"the last text is {last!r}")
            ends = [bool(re.search(r"\bended\b", text)) for text in message.texts]
            if ends != sorted(ends):
                found.append(f"an old text over a newer one: {message.texts}")
            # What could not be posted before the end needs no link any more.
            if not ends[0] and urlsplit(self.meeting["join_url"]).path not in unquote(f"{message.texts[0]} {message.words}"):
                found.append("a message without the link")
        if len(self.personal_links()) != 1:
            found.append(f"{len(self.personal_links())} personal links")
        if discussion and len(self.site.chat.discussions(self.room)) != 1:
            found.append(f"discussions: {self.site.chat.discussions(self.room)}")
        return [f"{self.title}: {each}" for each in found]


def everywhere(calls, act, workers=8):
    """act(call) for all of them, some at a time; the first exception is ours."""
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(act, calls))


class Calls(list):
    def __init__(self, site, count, **options):
        super().__init__(Call(site, **options) for _ in range(count))
        self.site = site

    def begin(self, pause=0.0):
        def say(call):
            time.sleep(random.uniform(0, pause))
            return call.say()
        everywhere(self, say)
        return self

    @contextmanager
    def beginning(self, pause=0.0):
        """Calls are made while something else happens; all have been made afterwards."""
        with ThreadPoolExecutor(1) as pool:
            begun = pool.submit(self.begin, pause)
            yield
            begun.result()

    def meet(self):
        everywhere(self, Call.meet)
        return self

    def part(self):
        everywhere(self, Call.part)
        return self

    def wait_for_messages(self, timeout=15 * PATIENCE):
        wait_until(lambda: all(call.messages() for call in self), timeout, "a message in each room")
        return self

    def wait_for_ends(self, timeout=45 * PATIENCE):
        try:
            wait_until(lambda: all(call.is_told_of_end() for call in self), timeout, "the end in each room")
        except AssertionError as late:
            raise AssertionError("\n".join([str(late), *self.why_not_ended()])) from None
        return self

    def why_not_ended(self):
        """Whether the meeting goes on, or has ended and the room was not told: what each machine says of it."""
        found = []
        for call in self:
            if call.is_told_of_end():
                continue
            found.append(f"{call.title}: {[message.texts for message in call.messages()]}")
            for machine in self.site.httpd.machines:
                with self.site.only(machine):
                    found.append(f"  port {machine.port}: {call.knowledge()}")
                found += [f"    {line}" for line in machine.error_log().splitlines() if f"of node {call.node.address}," in line]
        for machine in self.site.httpd.machines:
            with self.site.only(machine):
                found.append(f"port {machine.port}: {self.site.status().text}")
        return found

    def check(self, discussion=False, settle=1.0):
        """Everything is right at once, and stays so for a moment."""
        deadline = time.monotonic() + 15 * PATIENCE
        while (found := [fault for call in self for fault in call.faults(discussion)]) and time.monotonic() < deadline:
            time.sleep(0.2)
        if not found:
            time.sleep(settle)
            found = [fault for call in self for fault in call.faults(discussion)]
        assert not found, f"{len(found)} faults: " + "\n".join(found[:10])
