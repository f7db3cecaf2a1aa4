"""The companion app and the module itself, with the access that the app's README gives the app."""

import json
import re
import textwrap
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from apps_engine import APP_ID
from conftest import SECRET
from fixtures import Servers, bury
from httpd import PATIENCE, free_ports
from meetings import Api
from pexip import Node, one_leg
from waiting import stays, wait_until
from workspace import ADMIN, PASSWORD_FILE, PREFIX, password_line, workspace

README = Path(__file__).resolve().parents[2] / "src" / "rocketchat-app" / "README.md"
APP = ("rocketchat-app", "stand-in-secret-of-the-app")
CALL_ID = "697887e3c8b0533020781a4a"
NINA = {"_id": "uid-nina", "username": "nina", "name": "Nina"}
OTTO = {"_id": "uid-otto", "username": "otto", "name": "Otto"}
ROOM = {"id": "GENERAL", "slugifiedName": "general", "type": "c"}
CHAT = {"id": "rid-of-chat", "slugifiedName": "kXb7Qw2mNzL5pRt9A", "type": "p"}
CALL = {"_id": CALL_ID, "type": "videoconference", "rid": "GENERAL", "createdBy": NINA, "title": "Weekly", "status": 1,
        "providerName": "pexip"}


def lines_of_the_readme():
    """The section that the README tells an administrator to add."""
    [block] = re.findall(r"```apache\n(\s*<Location.*?)```", README.read_text(), re.S)
    return textwrap.dedent(block)


class PublicApi(BaseHTTPRequestHandler):
    """How Rocket.Chat lets others reach an app: the path says which, and 404 in plain text that there is none."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        app = self.server.app
        if app is None or self.path != f"/api/apps/public/{APP_ID}/ended":
            self.reply(404, "text/plain", b"Not Found")
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = app.do("request", path="ended", method="post", headers=headers, content=json.loads(body))
        self.server.answers.append(answer["status"])
        self.reply(answer["status"], "application/json", json.dumps(answer["content"]).encode())

    def reply(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def rocketchat():
    """What the module tells that a call has ended; `app` is the one that is installed there."""
    port, = free_ports(1)
    server = ThreadingHTTPServer(("127.0.0.1", port), PublicApi)
    server.daemon_threads, server.app, server.answers = True, None, []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def server(mpm, rocketchat):
    servers = Servers(mpm)
    callback = f"http://127.0.0.1:{rocketchat.server_address[1]}/api/apps/public/{APP_ID}/ended"
    try:
        httpd = servers(workspace(extra=f"PexipRCAppCallback {callback} conf/callback") + lines_of_the_readme(), start=False)
        httpd.write("conf/callback", f"{SECRET}\n", 0o600)
        passwords = Path(httpd.root) / PASSWORD_FILE
        passwords.write_text(passwords.read_text() + password_line(*APP))
        httpd.start()
        yield httpd
        # Meetings of other tests end while no app is there to hear of it.
        httpd.expect(r"the companion app did not take the end of a call")
    finally:
        bury(servers)


@pytest.fixture
def app(running_engine, server, rocketchat):
    rocketchat.app = running_engine
    rocketchat.answers.clear()
    running_engine.do("put", rooms=[ROOM, CHAT])
    running_engine.do("world")
    running_engine.do("set", settings={"module_address": f"http://127.0.0.1:{server.port}{PREFIX}", "module_user": APP[0],
                                       "module_password": APP[1], "callback_secret": SECRET})
    yield running_engine
    rocketchat.app = None


def query(url):
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def test_a_call_from_its_start_to_a_join(app, server):
    call_id = f"{CALL_ID}{'a' if app.own_process else 'b'}"
    call = {**CALL, "_id": call_id}
    assert app.do("isFullyConfigured") is True
    app.do("onNewVideoConference", call=call)
    url = app.do("generateUrl", call={**call, "discussionRid": CHAT["id"]})

    meeting = Api(server).read(call_id)
    assert meeting["join_url"] == url
    assert (meeting["title"], meeting["room"], meeting["creator"]["id"]) == (
        "Weekly", {"id": "GENERAL", "name": "general", "type": "c"}, "uid-nina")
    assert meeting["discussion"] == {"id": CHAT["id"], "name": CHAT["slugifiedName"], "type": "p"}

    host = query(app.do("customizeUrl", call={**call, "url": url}, user=NINA, options={"mic": False}))
    guest = query(app.do("customizeUrl", call={**call, "url": url}, user=OTTO, options={"cam": False}))
    nobody = query(app.do("customizeUrl", call={**call, "url": url}, user=None, options={}))
    assert host["pin"] == meeting["pins"]["host"] and host["name"] == "Nina" and host["muteMicrophone"] == "true"
    assert guest["pin"] == meeting["pins"]["guest"] and guest["name"] == "Otto" and guest["muteCamera"] == "true"
    assert nobody["pin"] == meeting["pins"]["guest"]
    assert "muteCamera" not in host and "muteMicrophone" not in guest


def test_details_are_those_of_who_asks(app, server):
    call = {**CALL, "_id": f"{CALL_ID}{'e' if app.own_process else 'f'}"}
    url = app.do("generateUrl", call=call)
    pins = Api(server).read(call["_id"])["pins"]

    def told(user):
        return dict(block["text"]["text"].split(": ", 1) for block in app.do("getVideoConferenceInfo", call=call, user=user))
    creator, member = told(NINA), told(OTTO)
    assert creator == {**member, "Host PIN": pins["host"]}
    assert member == {"Title": "Weekly", "Join by browser": url, "Address": f"{call['_id']}@meet.example.com",
                      "Alias": call["_id"], "Guest PIN": pins["guest"]}


def test_a_call_ends_in_rocketchat_when_its_meeting_does(app, server, rocketchat):
    call = {**CALL, "_id": f"{CALL_ID}{'1' if app.own_process else '2'}"}
    app.do("put", rooms=[ROOM], calls=[call])
    app.do("generateUrl", call=call)
    node = Node("10.10.1.11" if app.own_process else "10.10.1.12", server)
    node.started()
    node.conference_started(call["_id"])
    anna = one_leg(node, call["_id"], "Anna")
    assert rocketchat.answers == []
    anna.leave()
    node.conference_ended(call["_id"])
    wait_until(lambda: rocketchat.answers, 15 * PATIENCE, "the module's callback")
    assert rocketchat.answers == [200]
    assert app.do("world")["updates"] == [{"_id": call["_id"], "status": 3}]


def test_a_call_that_rocketchat_has_forgotten_is_not_told_again(app, server, rocketchat):
    call = {**CALL, "_id": f"{CALL_ID}{'3' if app.own_process else '4'}"}
    app.do("generateUrl", call=call)
    Api(server).delete(call["_id"])
    wait_until(lambda: rocketchat.answers, 15 * PATIENCE, "the module's callback")
    stays(lambda: rocketchat.answers == [404], 1, "the only callback")
    assert app.do("world")["updates"] == []


def test_who_joins_what_has_ended_is_sent_to_the_page_that_says_so(app, server, rocketchat):
    call_id = f"{CALL_ID}{'c' if app.own_process else 'd'}"
    url = app.do("generateUrl", call={**CALL, "_id": call_id})
    Api(server).delete(call_id)
    wait_until(lambda: rocketchat.answers, 15 * PATIENCE, "the module's callback")
    assert app.do("customizeUrl", call={**CALL, "_id": call_id, "url": url}, user=OTTO, options={}) == url
    assert server.request("GET", urlsplit(url).path).status == 410


MEETINGS = f"{PREFIX}/api/v1/meetings"


@pytest.mark.parametrize("method, path, allowed", [
    ("POST", MEETINGS, True), ("GET", MEETINGS, True), ("POST", f"{MEETINGS}/{CALL_ID}/links", True),
    ("DELETE", f"{MEETINGS}/{CALL_ID}", False), ("PUT", f"{MEETINGS}/{CALL_ID}", False), ("OPTIONS", MEETINGS, False),
    ("DELETE", f"{PREFIX}/api//v1//meetings/{CALL_ID}", False), ("GET", f"{PREFIX}/api/v1/history", False),
    ("GET", f"{MEETINGS}/../history", False), ("GET", f"{MEETINGS}/%2e%2e/history", False), ("GET", f"{PREFIX}/status?json", False),
])
def test_the_readmes_lines_let_the_app_do_what_it_must_and_no_more(server, method, path, allowed):
    # The administrator may end the meeting, of which no app is there to hear, then or while the next case runs.
    server.expect(r"AH01617: user rocketchat-app: authentication failure",
                  r"the companion app did not take the end of a call")
    if not allowed:
        server.expect(r"AH01631: user rocketchat-app: authorization failure")
    body = {"id": CALL_ID, "room": {"id": "GENERAL"}, "creator": {"id": "uid-nina"}} if method == "POST" else None
    assert (server.request(method, path, auth=APP, body=body).status == 401) is not allowed
    assert server.request(method, path, auth=ADMIN, body=body).status != 401
    assert server.request(method, path, auth=(APP[0], "wrong"), body=body).status == 401
    assert server.request(method, path, body=body).status == 401
