"""A stand-in for the Rocket.Chat behind the proxy: answers everything, and says that it was asked.

    with RocketChat() as upstream:
        ... ProxyPass "/" "{upstream.url}/" ...
        upstream.requests    # [("GET", "/channel/general"), ...]
"""

import html
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    # HTTP/1.0, its default, closes after each answer: no idle connection outlives a test.
    server_version = "stand-in"

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        self.server.requests.append((self.command, self.path))
        if self.path.startswith("/api/"):
            kind = "application/json"
            body = json.dumps({"upstream": "rocketchat", "method": self.command, "path": self.path})
        else:
            kind = "text/html; charset=utf-8"
            body = f"<!DOCTYPE html><title>Rocket.Chat</title><p>upstream: rocketchat, {html.escape(self.path)}</p>\n"
        body = body.encode()
        self.send_response(200)
        self.send_header("X-Upstream", "rocketchat")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = answer

    def log_message(self, *_):
        pass


class RocketChat:
    def __init__(self):
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.requests = self.requests = []
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def start(self):
        self._thread.start()
        return self

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    __enter__ = start

    def __exit__(self, *_):
        self.close()


def is_upstream(answer):
    return answer.headers.get("X-Upstream") == "rocketchat"
