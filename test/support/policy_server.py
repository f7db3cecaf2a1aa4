"""Stand-in policy servers, as other products have them.

    with PolicyServer() as other:
        other.answer("service/configuration", {"status": "success", ...})
        ... PexipRCPolicyFallback {other.url} ...
        other.requests      # what arrived, as it arrived
"""

import json
import socket
import time
from http.server import BaseHTTPRequestHandler
from typing import NamedTuple

from httpd import free_ports
from standin import StandIn

SERVICE = {"status": "success", "action": "continue",
           "result": {"service_type": "conference", "name": "The other's", "service_tag": "other"}}


class Arrived(NamedTuple):
    path: str           # with its query, as it stood in the request line
    headers: object
    at: float


class Handler(BaseHTTPRequestHandler):
    server_version = "other"

    def do_GET(self):
        owner = self.server.owner
        owner.requests.append(Arrived(self.path, self.headers, time.monotonic()))
        owner.behave(self)

    def reply(self, status, kind, body, headers=()):
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class PolicyServer(StandIn):
    """behave is a function that gets the handler of each request; the methods below set it."""

    handler = Handler

    def __init__(self, prefix=""):
        super().__init__()
        self.prefix = prefix
        self.port, = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}{prefix}"
        self.requests = []
        self.serve()

    # What it does

    def say(self, status, kind, body, headers=()):
        body = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        self.behave = lambda handler: handler.reply(status, kind, body, headers)

    def serve(self, answer=SERVICE, status=200):
        self.say(status, "application/json", answer)

    def know_nothing(self):
        self.say(404, "application/json", {"status": "fail", "action": "continue", "result": {}})

    def hang(self):
        """Takes the request and never answers, until it is released."""
        self.behave = lambda handler: self.released.wait(30)

    def dribble(self):
        """An answer that arrives byte by byte and has no end in time."""
        def behave(handler):
            handler.send_response(200)
            handler.send_header("Content-Type", "application/json")
            handler.end_headers()
            while not self.released.wait(0.1):
                handler.wfile.write(b" ")
        self.behave = behave

    def be_slow(self, seconds, answer=SERVICE):
        body = json.dumps(answer).encode()

        def behave(handler):
            time.sleep(seconds)
            handler.reply(200, "application/json", body)
        self.behave = behave

    def hang_up(self):
        def behave(handler):
            handler.connection.shutdown(socket.SHUT_RDWR)
        self.behave = behave

    # Control

    def paths(self):
        return [each.path for each in self.requests]
