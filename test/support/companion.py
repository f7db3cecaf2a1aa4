"""The companion app's endpoint, which is told of the ends of calls: it answers, fails and forgets as it is told to.

    with App() as app:
        app.answers = [500, "cut"]
        ...
        app.of(call_id)
"""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from httpd import free_ports

PATH = "/api/apps/public/11111111-2222-3333-4444-555555555555/ended"
SECRET = "stand-in-secret-of-the-companion-app"


class Heard(NamedTuple):
    at: float
    path: str
    headers: dict
    body: dict
    answer: object


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        app = self.server.app
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        with app.lock:
            answer = app.answers.pop(0) if app.answers else app.otherwise
            app.heard.append(Heard(time.monotonic(), self.path, self.headers, body, answer))
        if answer != "cut":
            self.send_response(answer)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


class App:
    """answers: status codes or "cut", given one by one; `otherwise` afterwards."""

    def __init__(self):
        self.answers, self.otherwise, self.heard, self.lock = [], 200, [], threading.Lock()
        self.port, = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}{PATH}"

    def __enter__(self):
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Receiver)
        self._server.daemon_threads, self._server.app = True, self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def of(self, call):
        return [each for each in list(self.heard) if each.body.get("callId") == call]

    def has_heard(self, call):
        return any(each.answer == 200 for each in self.of(call))
