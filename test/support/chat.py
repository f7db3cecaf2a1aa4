"""Workspaces of Rocket.Chat with their virtual hosts: the common set-up of what people see of the module.

    with sites(mpm, {"plain": {}, "mute": {"rest": False}}) as site:
        said = site["plain"].say("!pexip Weekly")
        meeting = site["plain"].meeting()
        message = site["plain"].message_of(meeting)

Each site has a stand-in workspace `chat` with nina (who usually calls), boris, carla and the module's own `chat.bot`; rooms general (c),
team (p) and elsewhere (p, without the bot). Files of tests that use it import `blameless`, which fails a test on what the stand-in minded.
"""

import re
from contextlib import contextmanager
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest

from fixtures import ADDRESSES, Servers, bury
from httpd import PATIENCE, free_ports
from meetings import Api
from pexip import Node
from rocketchat import Workspace
from visitor import Visitor
from waiting import wait_until
from workspace import ADMIN, BASE, PREFIX, workspace

# Longer than the first attempt and what follows a success take; faults need more.
SOON = 5 * PATIENCE
# During the first minute no retry waits longer than 15 s; an attempt that hangs has its own limit.
AFTER_RETRY = 32 * PATIENCE

WEBHOOK = f"""
<Location "{PREFIX}/webhook">
    SetHandler pexip-rc-webhook
    Require all granted
</Location>
"""
DATABASE_TROUBLE = r"the database (cannot be used|can be used again|did not answer in time|does not answer)"

LIVE_SITES = []


class Site:
    def __init__(self, name, port, version="8.8", rest=True, webhook=True, extra="", grace="1s 3s"):
        """rest, webhook: whether the module has credentials for the REST API, and the webhook's token."""
        self.name, self.port = name, port
        self.rest, self.webhook, self.extra, self.grace = rest, webhook, extra, grace
        self.url = f"https://{name}.example.com"
        self.chat = Workspace(version, self.url)
        self.nina = self.chat.add_user("nina", "Nina Example")
        self.boris = self.chat.add_user("boris", "Boris Example")
        self.carla = self.chat.add_user("carla", "Carla Example")
        everybody = [self.nina, self.boris, self.carla]
        self.general = self.chat.add_room("general", members=[*everybody, self.chat.bot])
        self.team = self.chat.add_room("team", "p", [*everybody, self.chat.bot])
        self.elsewhere = self.chat.add_room("elsewhere", "p", everybody)
        self.token = f"stand-in-token-of-the-webhook-of-{name}"
        self.httpd = self.api = self.hook = None

    def directives(self):
        lines = [f"PexipRCRestURL {self.chat.url}"]
        if self.rest:
            lines.append(f"PexipRCRestCredentialsFile conf/{self.name}.rest")
        if self.webhook:
            lines.append(f"PexipRCWebhookTokenFile conf/{self.name}.webhook")
        return "\n".join([*lines, self.extra])

    def body(self):
        inside = workspace(site=self.url, extra=self.directives(), grace=self.grace) + WEBHOOK
        return f"<VirtualHost 127.0.0.1:{self.port}>\n{inside}\n</VirtualHost>\n"

    def write_files(self, httpd):
        if self.rest:
            httpd.write(f"conf/{self.name}.rest", f"{self.chat.bot.id}\n{self.chat.bot.token}\n", 0o600)
        if self.webhook:
            httpd.write(f"conf/{self.name}.webhook", f"{self.token}\n", 0o600)

    def belong_to(self, httpd):
        self.httpd = httpd
        self.api = Api(httpd, port=self.port)
        self.hook = self.chat.add_integration(httpd, f"{PREFIX}/webhook", token=self.token, port=self.port)

    def request(self, method, path, **options):
        return self.httpd.request(method, path, port=self.port, **options)

    # In a room

    def room(self, kind="p", *others):
        """A new room of nina, boris, carla and the bot; of kind d: nina's conversation with the bot."""
        if kind == "d":
            return self.chat.direct(self.nina, self.chat.bot)
        return self.chat.add_room(f"room{len(self.chat.rooms)}", kind, [self.nina, self.boris, self.carla, self.chat.bot, *others])

    def say(self, text, room=None, user=None, **options):
        return self.chat.say(user or self.nina, room or self.general, text, **options)

    def meetings(self, room=None, **query):
        return self.api.list(room=(room or self.general).id, **query)["meetings"]

    def meeting(self, room=None):
        """The newest meeting of the room, in full."""
        newest = (self.meetings(room) or [None])[0]
        assert newest, f"there is no meeting in {room or self.general}"
        return self.api.read(newest["id"])

    def start(self, title="Weekly", room=None, user=None, **options):
        """Somebody calls: the meeting."""
        room = room or self.room()
        said = self.say(f"!pexip {title}".rstrip(), room, user, **options)
        assert said.status == 200, said
        return self.meeting(room)

    def messages_about(self, meeting, room=None):
        """What the module has written in the meeting's room with the meeting's link in its first version; personal links apart."""
        room = room or self.chat.rooms[meeting["room"]["id"]]
        path = urlsplit(meeting["join_url"]).path
        seen = [(each, unquote(f"{each.texts[0]} {each.words}")) for each in room.by(self.chat.bot)]
        return [each for each, words in seen if path in words and not re.search(r"[?&]k=", words)]

    def message_of(self, meeting, timeout=SOON):
        return wait_until(lambda: self.messages_about(meeting), timeout, f"the message about {meeting['title']}")[0]

    def conference_link(self, meeting):
        """What opens the call window on the desktop and a tab on the web."""
        return f"{self.url}/conference/{meeting['id']}?callUrl={quote(meeting['join_url'] + '?x=1', safe='')}&callProvider=Pexip"

    def personal_link(self, meeting, user=None, timeout=SOON):
        """The signed link that somebody was sent by direct message."""
        return wait_until(lambda: next(iter(self.personal_links(meeting, user)), None), timeout, "the personal link")

    def personal_links(self, meeting, user=None):
        room = self.chat.direct(user or self.nina, self.chat.bot)
        links = [urlsplit(link) for message in room.by(self.chat.bot) for link in message.links]
        return [link.geturl() for link in links if link.path == urlsplit(meeting["join_url"]).path and "k" in parse_qs(link.query)]

    # At the meeting

    def node(self):
        node = Node(next(ADDRESSES), self.httpd, port=self.port)
        node.started()
        return node

    def visitor(self, user=None, **options):
        return Visitor(self.httpd, user.cookies() if user else None, port=self.port, **options)

    def becomes(self, meeting, state, timeout=10 * PATIENCE):
        wait_until(lambda: self.api.read(meeting["id"])["state"] == state, timeout, f"a meeting that is {state}")

    def status(self):
        """What /status?json says, as it is and as text."""
        answer = self.request("GET", f"{PREFIX}/status?json", auth=ADMIN)
        assert answer.status == 200
        return answer

    def deliveries(self):
        answer = self.api.call("GET", "/deliveries?state=failed")
        assert answer.status == 200, answer.text
        return answer.json()

    def personal_url(self, meeting, role, name):
        return f"{BASE}/webapp/conference?conference={meeting['id']}&pin={meeting['pins'][role]}&name={quote(name, safe='-._~')}"


@contextmanager
def sites(mpm, specs, server="", files=(), kind=Site, **options):
    """One httpd with a virtual host and a stand-in workspace for each spec: {name: arguments of Site}. files: secrets below its root.
    kind: another class of sites."""
    made = {name: kind(name, port, **spec) for (name, spec), port in zip(specs.items(), free_ports(len(specs)))}
    servers = Servers(mpm)
    try:
        for site in made.values():
            site.chat.start()
        httpd = servers("".join(site.body() for site in made.values()), start=False, server=server,
                        ports=[site.port for site in made.values()], **options)
        for site in made.values():
            site.write_files(httpd)
            site.belong_to(httpd)
        for name, text in dict(files).items():
            httpd.write(name, text, 0o600)
        LIVE_SITES.extend(made.values())
        httpd.start()
        yield made
    finally:
        try:
            for site in made.values():
                site.chat.faults.stop_all()
            bury(servers)
        finally:
            for site in made.values():
                if site in LIVE_SITES:
                    LIVE_SITES.remove(site)
                site.chat.close()


@pytest.fixture
def make_sites(mpm, audited):
    """make_sites({"name": {...}}, server="", ...): sites of one test's own."""
    opened = []

    def make(specs, **options):
        context = sites(mpm, specs, **options)
        opened.append(context)
        return context.__enter__()
    yield make
    for context in reversed(opened):
        context.__exit__(None, None, None)


def check_blame():
    problems = []
    for site in LIVE_SITES:
        site.chat.finish_echoes()
        found, site.chat.problems[:] = list(site.chat.problems), []
        problems += [f"{site.name}: {each}" for each in found]
        log = site.httpd.error_log()
        for user in site.chat.users.values():
            if user.token and user.token in log:
                problems.append(f"the error log holds the token of {user.username}")
        if site.token in log:
            problems.append("the error log holds the webhook's token")
    return problems


@pytest.fixture(autouse=True)
def blameless():
    """Nothing that a test makes the module do may be what a real workspace would have minded."""
    yield
    problems = check_blame()
    assert not problems, "\n".join(problems[:20])
