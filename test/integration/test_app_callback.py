"""PexipRCAppCallback: the companion app is told of the end of a meeting, for every call of it, until it has heard."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from chat import AFTER_RETRY, SOON, blameless, sites  # noqa: F401
from httpd import PATIENCE, free_ports
from pexip import one_leg
from waiting import stays, wait_until

SECRET = "stand-in-secret-of-the-companion-app"
PATH = "/api/apps/public/11111111-2222-3333-4444-555555555555/ended"
TROUBLE = r"companion app|PexipRCAppCallback|callback|Rocket\.Chat"


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        app = self.server.app
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with app.lock:
            answer = app.answers.pop(0) if app.answers else app.otherwise
            app.heard.append((time.monotonic(), self.path, self.headers, json.loads(body), answer))
        if answer == "cut":
            return
        self.send_response(answer)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


class App:
    """The companion app's endpoint: `answers` are given one by one, then `otherwise`."""

    def __init__(self):
        self.answers, self.otherwise, self.heard, self.lock = [], 200, [], threading.Lock()
        self.port, = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}{PATH}"
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Receiver)
        self._server.daemon_threads, self._server.app = True, self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def of(self, call_id):
        return [each for each in list(self.heard) if each[3].get("callId") == call_id]

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def world(mpm):
    """(sites, the app of each)"""
    apps = {name: App() for name in ("usual", "one")}
    extras = {"usual": "", "one": "PexipRCConcurrentCalls Off\n"}
    with sites(mpm, {name: {"rest": False, "webhook": False, "extra": f"{extras[name]}PexipRCAppCallback {app.url} conf/{name}.app"}
                     for name, app in apps.items()},
               files={f"conf/{name}.app": f"{SECRET}\n" for name in apps}) as made:
        yield made, apps
    for app in apps.values():
        app.close()


@pytest.fixture
def site(world):
    return world[0]["usual"]


@pytest.fixture
def app(world):
    app = world[1]["usual"]
    app.heard.clear()
    app.answers, app.otherwise = [], 200
    return app


def create(site, meeting_id, room=None, name="team"):
    return site.api.create(id=meeting_id, room={"id": room or meeting_id, "name": name, "type": "p"}, creator=site.nina.creator())


def test_it_is_told_once_when_the_meeting_has_ended(site, app):
    meeting = create(site, "Callback1Once")
    node = site.node()
    node.conference_started(meeting["id"])
    anna = one_leg(node, meeting["id"], "Anna")
    assert not app.of(meeting["id"])
    anna.leave()
    node.conference_ended(meeting["id"])
    site.becomes(meeting, "ended")
    (_, path, headers, body, _), = wait_until(lambda: app.of(meeting["id"]), SOON, "the call")
    assert path == PATH and body == {"callId": meeting["id"]}
    assert headers["X-Pexip-RC-Secret"] == SECRET and headers["Content-Type"].split(";")[0] == "application/json"
    stays(lambda: len(app.of(meeting["id"])) == 1, 1.5, "the only call")


def test_a_meeting_that_is_closed_by_hand_is_told_of_too(site, app):
    meeting = create(site, "Callback2Closed")
    site.api.delete(meeting["id"])
    wait_until(lambda: app.of(meeting["id"]), SOON, "the call")


@pytest.mark.once
@pytest.mark.parametrize("answers", [[500, 503], ["cut", 502], [429], [404], [403, 401], [204]], ids=str)
def test_it_is_told_again_until_it_has_heard(site, app, answers):
    app.answers = list(answers)
    meeting = create(site, "Callback3" + "x".join(map(str, answers)))
    site.httpd.expect(TROUBLE)
    site.api.delete(meeting["id"])
    heard = 1 if answers[0] in (204, 404) else len(answers) + 1
    wait_until(lambda: len(app.of(meeting["id"])) >= heard, len(answers) * AFTER_RETRY, "the calls")
    stays(lambda: len(app.of(meeting["id"])) == heard, 2, "the last call")


def test_it_is_told_after_a_restart_what_it_has_missed(site, app):
    app.otherwise = 503
    meeting = create(site, "Callback4Missed")
    site.httpd.expect(TROUBLE)
    site.api.delete(meeting["id"])
    wait_until(lambda: app.of(meeting["id"]), SOON, "the first call")
    site.httpd.stop()
    app.otherwise = 200
    site.httpd.start()
    wait_until(lambda: [each for each in app.of(meeting["id"]) if each[4] == 200], AFTER_RETRY, "the call after the start")


def test_every_call_of_a_shared_meeting_is_told_of(world):
    site, app = world[0]["one"], world[1]["one"]
    for number in range(3):
        create(site, f"Callback5Shared{number}", room="SharedRoom")
    site.api.delete("Callback5Shared0")
    wait_until(lambda: all(app.of(f"Callback5Shared{number}") for number in range(3)), 2 * SOON, "a call for each id")
    stays(lambda: len(app.heard) == 3, 1, "the three calls")


def test_the_secret_is_in_no_log(site, app):
    meeting = create(site, "Callback6Secret")
    site.api.delete(meeting["id"])
    wait_until(lambda: app.of(meeting["id"]), SOON * PATIENCE, "the call")
    assert SECRET not in site.httpd.error_log() and SECRET not in site.status().text
