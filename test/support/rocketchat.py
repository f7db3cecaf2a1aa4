"""Stand-ins for Rocket.Chat.

RocketChat answers everything, and says that it was asked: enough for what stands behind a proxy.

    with RocketChat() as upstream:
        ... ProxyPass "/" "{upstream.url}/" ...
        upstream.requests    # [("GET", "/channel/general"), ...]

Workspace is one with users, rooms and messages, whose REST API answers, refuses and fails as the real one does:

    with Workspace(version="8.8") as chat:
        nina = chat.add_user("nina", "Nina")
        room = chat.add_room("general", members=[nina, chat.bot])
        chat.fault("chat.sendMessage", "lost", times=1)     # stored, but the answer never arrives
        chat.calls_of("chat.sendMessage")
        chat.problems       # what a real workspace would have minded
"""

import html
import io
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from httpd import free_ports
from outgoing import Integrations
from rest_api import Limiter, RestApi, validators
from rest_faults import Faults
from rooms import Rooms

VERSIONS = ("6.13", "7.13", "8.8")


def upstream_answer(method, path):
    if path.startswith("/api/"):
        return "application/json", json.dumps({"upstream": "rocketchat", "method": method, "path": path}).encode()
    page = f"<!DOCTYPE html><title>Rocket.Chat</title><p>upstream: rocketchat, {html.escape(path)}</p>\n"
    return "text/html; charset=utf-8", page.encode()


class Handler(BaseHTTPRequestHandler):
    # HTTP/1.0, its default, closes after each answer: no idle connection outlives a test.
    server_version = "stand-in"

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        self.server.requests.append((self.command, self.path))
        kind, body = upstream_answer(self.command, self.path)
        self.reply(200, kind, body)

    def reply(self, status, kind, body, headers=()):
        self.send_response(status)
        self.send_header("X-Upstream", "rocketchat")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do(self):
        self.answer()

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do

    def log_message(self, *_):
        pass


class RocketChat:
    def __init__(self):
        self.port, = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self.requests = []
        self._server = self._thread = None

    def _make(self):
        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        server.requests = self.requests
        return server

    def start(self):
        self._server = self._make()
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def close(self):
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = None

    __enter__ = start

    def __exit__(self, *_):
        self.close()


def is_upstream(answer):
    return answer.headers.get("X-Upstream") == "rocketchat"


class Call:
    """One request to the REST API, as it arrived and how it was answered; status None where no answer was sent."""

    def __init__(self, handler, body):
        parts = urlsplit(handler.path)
        self.method, self.path = handler.command, handler.path
        self.route = parts.path.removeprefix("/api/v1/")
        self.query = dict(parse_qsl(parts.query, keep_blank_values=True))
        self.headers = handler.headers
        self.body = body
        self.client = handler.headers.get("X-Real-IP") or handler.client_address[0]
        self.at = time.monotonic()
        self.status = None

    @property
    def json(self):
        """The body as an object; {} where it is none."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def room(self):
        """The room that it is about, where it says so."""
        message = self.json.get("message")
        return (message.get("rid") if isinstance(message, dict) else None) or self.json.get("roomId") \
            or self.json.get("prid") or self.query.get("roomId")

    def __repr__(self):
        return f"<{self.method} {self.route} {self.status}>"


class ApiHandler(Handler):
    protocol_version = "HTTP/1.1"
    timeout = 60        # of an idle connection
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self):
        self.server.connections.discard(self.connection)
        try:
            super().finish()
        except OSError:     # cut off on purpose, or by the other side
            pass

    def handle(self):
        try:
            super().handle()
        except OSError:
            pass

    def answer(self):
        chat = self.server.chat
        self.server.requests.append((self.command, self.path))
        if not self.path.startswith(("/api/v1/", "/api/info")):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.reply(200, *upstream_answer(self.command, self.path))
            return
        route = urlsplit(self.path).path.removeprefix("/api/v1/")
        if chat.faults.before_reading(route):
            chat.calls.append(Call(self, b""))
            self.cut_off(reset=True)
            return
        call = Call(self, self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        chat.calls.append(call)
        fault = chat.faults.of(call)
        if fault:
            fault.answer(self, call, chat.answer)
        else:
            self.send(call, *chat.answer(call))

    def send(self, call, status, value, headers=()):
        call.status = status
        self.reply(status, "application/json", json.dumps(value).encode(), headers)

    def cut_off(self, reset=False):
        """No answer, no more of this connection."""
        self.close_connection = True
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            # Only the last reference closes it, and only closing sends the reset.
            self.rfile.close()
            self.wfile.close()
            self.connection.close()
            self.rfile, self.wfile = io.BytesIO(), io.BytesIO()
        else:
            self.connection.shutdown(socket.SHUT_RDWR)


class Listener(ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, request, client_address):
        self.chat.note_mishap()

    def shutdown_request(self, request):
        try:
            super().shutdown_request(request)
        except OSError:
            pass


class Workspace(Rooms, RestApi, Integrations, RocketChat):
    """A workspace; version is one of VERSIONS. tls: an ssl.SSLContext. `bot` is the user that the module acts as."""

    def __init__(self, version="8.8", site="https://chat.example.com", tls=None):
        RocketChat.__init__(self)
        validators()
        self.version = version
        self.major = int(version.partition(".")[0])
        self.site = site
        self.tls = tls
        if tls:
            self.url = f"https://localhost:{self.port}"
        self.lock = threading.RLock()
        self.calls, self.problems = [], []
        self.faults = Faults()
        self.limiter = Limiter()
        Rooms.__init__(self)
        Integrations.__init__(self)

    def _make(self):
        server = Listener(("127.0.0.1", self.port), ApiHandler)
        server.requests, server.chat, server.connections = self.requests, self, set()
        if self.tls:
            server.socket = self.tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        return server

    def fault(self, route, kind, times=None, **options):
        """Something that goes wrong from now on, `times` times or until its stop(): see rest_faults. route "*": every one."""
        return self.faults.add(route, kind, times, **options)

    def down(self):
        """Nobody listens any more, and what was connected is cut."""
        connections = list(self._server.connections)
        RocketChat.close(self)
        for each in connections:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def up(self):
        if not self._server:
            RocketChat.start(self)

    def close(self):
        self.faults.stop_all()
        self.finish_echoes()
        if self._server:
            self.down()

    def calls_of(self, route, room=None):
        return [call for call in list(self.calls) if call.route == route and room in (None, call.room)]

    def note(self, problem):
        """Something that a real workspace would have minded, or that no module may do."""
        with self.lock:
            self.problems.append(problem)

    def note_mishap(self):
        import traceback
        self.note("the stand-in itself failed: " + traceback.format_exc())
