"""The examples of conf/examples for work beside others: loaded as they are shipped, and put to use."""

import base64
import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest

from examples import EXAMPLES, Framed, adapted, with_persistent_chat
from meetings import NINA, Api
from pexip import Node, one_leg
from policy_server import SERVICE, PolicyServer
from rocketchat import is_upstream
from workspace import ADMIN, NODES, PASSWORD_FILE, password_line

APP = "/api/apps/public/7fc612f5-b585-4e46-8c4e-6d2c13e2f451"


@pytest.fixture
def example(make_httpd):
    """example(text, upstream) -> an httpd with that text, adapted."""
    def start(text, upstream):
        server = make_httpd("", start=False, tls=True)
        server.make_certificate(["chat.example.com"])
        server.configure(adapted(text, server, upstream.rstrip("/")))
        server.start()
        return server
    return start


# Persistent chat

@pytest.fixture
def chatty(example):
    """rocketchat.conf with the lines of persistent-chat.conf in its virtual host."""
    with Framed() as upstream:
        server = example(with_persistent_chat(upstream.url), upstream.url)
        # This Rocket.Chat is a page and nothing else.
        server.expect("Rocket.Chat")
        yield server


def frame_headers(server, path):
    answer = server.request("GET", path)
    assert answer.status == 200
    return answer.headers.get("X-Frame-Options"), ", ".join(answer.headers.get_all("Content-Security-Policy"))


@pytest.mark.parametrize("path", ["/channel/general?layout=embedded", "/group/Ab3dE?layout=embedded", "/group/Ab3dE?x=1&layout=embedded&y=2"])
def test_embedded_rooms_may_be_framed_by_the_nodes_only(chatty, path):
    options, policy = frame_headers(chatty, path)
    assert options is None
    assert policy.count("frame-ancestors") == 1 and "frame-ancestors 'self' https://meet.example.com" in policy
    assert "default-src 'self'; frame-src *" in policy     # what Rocket.Chat itself says stays


@pytest.mark.parametrize("path", [
    "/channel/general", "/group/Ab3dE?layout=embedded2", "/group/Ab3dE?xlayout=embedded", "/group/Ab3dE?layout=", "/home?layout=embedded",
    "/admin/users?layout=embedded", "/direct/x?layout=embedded", "/channel/general/thread/x?layout=embedded", "/account/tokens?layout=embedded",
    "/xchannel/general?layout=embedded", "/?layout=embedded"])
def test_nothing_else_may_be_framed(chatty, path):
    options, policy = frame_headers(chatty, path)
    assert options == "sameorigin" and "frame-ancestors" not in policy


def test_join_links_carry_the_chat(chatty):
    discussion = {"id": "d1", "name": "Ab3dE", "type": "p"}
    meeting = Api(chatty).create(discussion=discussion)
    landed = chatty.request("GET", urlsplit(meeting["join_url"]).path)
    assert parse_qs(urlsplit(landed.headers["Location"]).query)["rid"] == ["https://chat.example.com/group/Ab3dE?layout=embedded"]
    assert landed.headers["Referrer-Policy"] == "no-referrer"


# The companion app's user

COMPANION = ("rocketchat-app", "stand-in-secret-of-the-app")


@pytest.mark.parametrize("name", ["rocketchat.conf", "beside-vendor-app.conf"])
def test_the_companion_app_may_begin_meetings_and_nothing_else(example, name):
    with PolicyServer() as upstream:
        server = example((EXAMPLES / name).read_text(), upstream.url)
        server.write(f"{PASSWORD_FILE}", password_line(*ADMIN) + password_line(*COMPANION))
        def status(method, path, auth=COMPANION):
            return server.request(method, path, auth=auth).status

        server.expect("AH01617", "AH01631")
        app = Api(server, auth=COMPANION)
        meeting = app.create()
        own = f"/pexip/api/v1/meetings/{meeting['id']}"
        assert app.read(meeting["id"])["id"] == meeting["id"]
        assert [app.call("POST", f"/meetings/{meeting['id']}/{what}", {"user": NINA}).status for what in ("links", "info")] == [200, 200]
        assert status("GET", "/pexip/api/v1/scheduling/links?alias=7071234567") == 200
        assert status("GET", "/pexip/api/v1/scheduling/template?kind=personal&link=go") == 200
        for path in ("history", "deliveries", "people/nina", "deliveries/x"):
            assert status("GET", f"/pexip/api/v1/{path}") == 401, path
        assert [status("GET", f"/pexip/{path}") for path in ("status?json", "status/setup", "metrics")] == [401] * 3
        assert status("DELETE", own) == 401 and status("GET", own, auth=ADMIN) == 200 and status("DELETE", own, auth=ADMIN) < 300
        assert status("GET", own, auth=(COMPANION[0], "x" * 30)) == 401 and status("GET", own, auth=None) == 401


# Two machines

@pytest.mark.any_mpm
@pytest.mark.parametrize("balancer", ["", "Define PEXIP_RC_BALANCER\n"])
def test_two_machines_is_understood(make_httpd, balancer):
    server = make_httpd("", start=False, tls=True, modules=("reqtimeout", "slotmem_shm", "proxy_balancer", "lbmethod_byrequests"))
    server.make_certificate(["chat.example.com"])
    first, second = ((EXAMPLES / name).read_text() for name in ("two-machines.conf", "rocketchat.conf"))
    server.configure(adapted(balancer + first + second, server, "http://127.0.0.1:3000"))
    code, output = server.configtest()
    assert code == 0 and "Syntax OK" in output, output
    assert not [line for line in output.splitlines() if "PXR" in line and "PexipRCStateDirectory" not in line], output


# Beside the vendor's app

class VendorApp(PolicyServer):
    """A Rocket.Chat with the vendor's app, which has one call running and wants its own password."""

    call = "OldCallOfTheApp0001"

    def __init__(self):
        super().__init__()
        self.posts = []

        def behave(handler):
            path = urlsplit(handler.path)
            if not path.path.startswith(APP + "/policy/"):
                handler.reply(200, "text/html", b"upstream", {"X-Upstream": "rocketchat"})
            elif handler.headers.get("Authorization") != self.credentials:
                handler.reply(401, "text/plain", b"")
            elif parse_qs(path.query).get("local_alias") == [self.call]:
                handler.reply(200, "application/json", json.dumps(SERVICE).encode())
            else:
                handler.reply(404, "text/plain", b"not found")
        self.behave = behave

    @property
    def credentials(self):
        return "Basic " + base64.b64encode(":".join(NODES).encode()).decode()


def test_calls_of_the_vendors_app_go_on_while_ours_begin(example):
    with VendorApp() as vendor:
        server = example((EXAMPLES / "beside-vendor-app.conf").read_text(), vendor.url)
        node = Node("10.12.1.1", server, prefix=APP)
        ours = Node("10.12.1.1", server)
        api = Api(server)

        # Step 1: the nodes ask where they always did, and the app's call is answered by the app.
        answer = node.policy(vendor.call)
        assert answer.json() == SERVICE and vendor.paths()[-1].startswith(f"{APP}/policy/v1/service/configuration?")
        unknown = node.policy("nobody")
        assert unknown.status == 404 and unknown.json()["action"] == "continue"
        status = server.request("GET", "/pexip/status?json", auth=ADMIN).json()
        assert status["counters"]["policy_fallback"] == 1
        assert [each["state"] for each in status["outside"]["fallbacks"]] == ["ok"]
        # Its events are still the app's, and so is everything else of Rocket.Chat.
        assert is_upstream(server.request("GET", f"{APP}/events")) and is_upstream(server.request("GET", "/channel/general"))

        # Step 2: the second event sink is ours. It hears of the app's calls, too, and leaves them alone.
        ours.started()
        ours.conference_started(vendor.call)
        ours.conference_ended(vendor.call)
        nodes = server.request("GET", "/pexip/status?json", auth=ADMIN).json()["nodes"]
        assert [each["address"] for each in nodes] == ["10.12.1.1"]

        # Step 3: a new call is ours; the app is not asked about it.
        meeting = api.create(title="New")
        before = len(vendor.requests)
        assert node.policy(meeting["id"]).json()["result"]["name"] == meeting["id"]
        ours.conference_started(meeting["id"])
        one_leg(ours, meeting["id"], "Nina")
        assert api.read(meeting["id"])["participant_count"] == 1
        assert len(vendor.requests) == before
        assert node.policy(vendor.call).json() == SERVICE

        # Step 4: without the app.
        text = (server.root / "conf" / "httpd.conf").read_text()
        rest, removed = re.subn(r"\n *PexipRCPolicyFallback .*", "", text)
        assert removed == 1
        server.write("conf/httpd.conf", rest)
        server.graceful()
        assert node.policy(vendor.call).status == 404
        assert node.policy(meeting["id"]).json()["result"]["name"] == meeting["id"]
        assert api.read(meeting["id"])["state"] == "live"


def test_an_app_that_is_switched_off_costs_nothing_but_its_own_calls(example):
    vendor = VendorApp()    # never started
    server = example((EXAMPLES / "beside-vendor-app.conf").read_text(), vendor.url)
    server.expect("PexipRCPolicyFallback")
    node = Node("10.12.2.1", server, prefix=APP)
    meeting = Api(server).create()
    for _ in range(4):
        assert node.policy("nobody").status == 404
        assert node.policy(meeting["id"]).status == 200
    assert server.request("GET", "/pexip/status?json", auth=ADMIN).json()["outside"]["fallbacks"][0]["state"] == "resting"
