"""A stand-in for the module's meetings API as the companion app sees it: over real HTTP, and strict.

    with ModuleApi() as module:
        ... the app is set up with module.address, USER, PASSWORD ...
        module.requests      # [("POST", "/pexip/api/v1/meetings", {...}), ...]
        module.complaints    # what was wrong with them; must stay empty
        module.fault = Fault(503)
"""

import base64
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

# Neither is ASCII throughout: credentials travel as UTF-8.
USER = "pexip-äpp"
PASSWORD = "pässword-of-the-app-3f9c: with a colon"
PREFIX = "/pexip"
HOST_PIN, GUEST_PIN = "482915", "730264"

PERSON = {"id": str, "username": str, "name": str}
ROOM = {"id": str, "name": str, "type": str}
MEETING = {"id": str, "call": bool, "title": str, "room": ROOM, "creator": PERSON, "discussion": ROOM}
LINK = {"user": PERSON, "microphone": bool, "camera": bool}
INFO = {"user": {"id": str}}
REQUIRED = {"id", "call", "room", "creator", "microphone", "camera"}


class Fault(NamedTuple):
    status: int = 200
    kind: str = "application/problem+json"
    body: str = '{"title": "wrong", "detail": "the reason"}'
    silent: bool = False        # nothing is answered until the stand-in is reset
    echo: bool = False          # the detail repeats the request's headers


def wrong_in(value, shape, where="body"):
    """Everything in which a JSON value differs from its shape: unknown members, wrong types, what is missing."""
    if not isinstance(shape, dict):
        return [] if type(value) is shape else [f"{where} is no {shape.__name__}: {value!r}"]
    if not isinstance(value, dict):
        return [f"{where} is no object: {value!r}"]
    wrong = [f"{where}.{name} is unknown" for name in value.keys() - shape.keys()]
    wrong += [f"{where}.{name} is missing" for name in (shape.keys() & REQUIRED) - value.keys()]
    for name in value.keys() & shape.keys():
        wrong += wrong_in(value[name], shape[name], f"{where}.{name}")
    return wrong


class Handler(BaseHTTPRequestHandler):
    server_version = "stand-in"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        api = self.server.api
        fault = api.fault
        if fault and fault.silent:
            api.keep_silent()
            return
        if fault:
            text = json.dumps({"detail": f"you sent {dict(self.headers)}"}) if fault.echo else fault.body
            self.reply(fault.status, fault.kind, text)
            return
        self.reply(*api.answer(self.path, self.headers, body))

    def do_GET(self):
        self.server.api.complaints.append(f"GET {self.path}")
        self.reply(405, "application/problem+json", "{}")

    do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = do_GET

    def reply(self, status, kind, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class ModuleApi:
    def __init__(self):
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.api = self
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}{PREFIX}"
        self._silence = threading.Event()
        self.reset()
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def reset(self):
        """Forgets everything; who was kept waiting is let go."""
        self._silence.set()
        self._silence = threading.Event()
        self.meetings, self.requests, self.complaints, self.fault = {}, [], [], None

    def keep_silent(self):
        self._silence.wait(30)

    def join_url(self, call_id):
        return f"https://chat.example.com/pexip/join/key-of-{call_id}"

    def answer(self, path, headers, body):
        """Status, content type and text for one request, whose faults are noted."""
        expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if headers.get("Authorization") != expected:
            return 401, "text/html", "<h1>Unauthorized</h1>"
        if headers.get("Content-Type") != "application/json":
            self.complaints.append(f"Content-Type {headers.get('Content-Type')}")
        body = json.loads(body)
        self.requests.append(("POST", path, body))
        match = re.fullmatch(f"{PREFIX}/api/v1/meetings(?:/([A-Za-z0-9]{{8,64}})(/links|/info))?", path)
        if not match:
            self.complaints.append(f"POST {path}")
            return self.problem(404, "no such path")
        call_id, what = match.groups()
        self.complaints += wrong_in(body, {None: MEETING, "/links": LINK, "/info": INFO}[what])
        if what is None:
            return self.create(body)
        if call_id not in self.meetings:
            return self.problem(404, "no such meeting")
        return self.link(call_id, body) if what == "/links" else self.info(call_id, body)

    def problem(self, status, detail):
        return status, "application/problem+json", json.dumps({"status": status, "detail": detail})

    def create(self, body):
        if body.get("call") is not True:
            self.complaints.append("not marked as a call")
        if "discussion" in body and body["discussion"].get("type") not in ("c", "p"):
            self.complaints.append(f"discussion of type {body['discussion'].get('type')}")
        if len(body.get("title", "")) > 5000 or len(body["creator"].get("name", "")) > 250:
            return self.problem(400, "too long")
        known = body["id"] in self.meetings
        meeting = self.meetings.setdefault(body["id"], body)
        if "discussion" in body:
            meeting.setdefault("discussion", body["discussion"])
        answer = {"id": body["id"], "join_url": self.join_url(body["id"]), "aliases": [body["id"]]}
        return 200 if known else 201, "application/json", json.dumps(answer)

    def link(self, call_id, body):
        user = body.get("user", {})
        role = "host" if user.get("id") == self.meetings[call_id]["creator"]["id"] else "guest"
        muted = ("&muteMicrophone=true" if not body["microphone"] else "") + ("&muteCamera=true" if not body["camera"] else "")
        url = f"https://join.example.com/webapp/conference?conference={call_id}&name={user.get('username', '')}{muted}"
        return 200, "application/json", json.dumps({"url": url, "role": role})

    def info(self, call_id, body):
        meeting = self.meetings[call_id]
        info = {"title": meeting.get("title", "Rocket.Chat"), "address": "join.example.com", "alias": call_id,
                "numeric_alias": "7712345", "guest_pin": GUEST_PIN, "join_url": self.join_url(call_id)}
        if body["user"]["id"] == meeting["creator"]["id"]:
            info["host_pin"] = HOST_PIN
        return 200, "application/json", json.dumps(info)

    def start(self):
        self._thread.start()
        return self

    def close(self):
        self.reset()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    __enter__ = start

    def __exit__(self, *_):
        self.close()
