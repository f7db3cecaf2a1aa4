"""The companion app's endpoint, which is told of the ends of calls: it answers, fails and forgets as it is told to."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from httpd import free_ports

PATH = "/api/apps/public/11111111-2222-3333-4444-555555555555/ended"


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        app = self.server.app
        call = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))["callId"]
        with app.lock:
            answer = app.answers.pop(0) if app.answers else 200
            app.heard.append((call, answer))
        if answer != "cut":
            self.send_response(answer)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


class App:
    """answers: status codes or "cut", given one by one; 200 afterwards."""
    secret = "stand-in-secret-of-the-companion-app"

    def __init__(self):
        self.answers, self.heard, self.lock = [], [], threading.Lock()
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

    def has_heard(self, call):
        return (call, 200) in list(self.heard)
