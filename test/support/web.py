"""Other people's web sites, all on one port by TLS: the Conferencing Nodes' web app, and whoever means harm.

    with Web("meet.example.com", "evil.example") as web:
        web.page("evil.example", "/", "<iframe src=https://chat.example.com/></iframe>")
        Browser({**web.hosts, "chat.example.com": port})
        web.requests[-1].headers["Referer"]
"""

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from tempfile import TemporaryDirectory
from typing import NamedTuple

from httpd import free_ports, make_certificate


class Request(NamedTuple):
    method: str
    host: str
    path: str       # with the query
    headers: object
    body: bytes


class Handler(BaseHTTPRequestHandler):
    def do(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        host = self.headers.get("Host", "")
        self.server.web.requests.append(Request(self.command, host, self.path, self.headers, body))
        status, page, headers = self.server.web.find(host, self.path)
        page = page.encode()
        self.send_response(status)
        for name, value in {"Content-Type": "text/html; charset=utf-8", "Content-Length": str(len(page)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(page)

    do_GET = do_HEAD = do_POST = do

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def finish_request(self, request, client_address):
        """In the connection's own thread: a browser may open connections that it does not use."""
        try:
            request.settimeout(60)
            request.do_handshake()
            super().finish_request(request, client_address)
        except OSError:
            pass


class Web:
    def __init__(self, *names):
        self.names = names
        self.requests = []
        self._pages = {}
        self.port, = free_ports(1)
        self.hosts = dict.fromkeys(names, self.port)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with TemporaryDirectory() as directory:
            context.load_cert_chain(*make_certificate(directory, names))
        self._server = Server(("127.0.0.1", self.port), Handler)
        self._server.web = self
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def page(self, name, path, text, headers=(), status=200):
        """What is there from now on, whatever the query."""
        self._pages[name, path] = status, text, dict(headers)

    def find(self, host, path):
        empty = 200, f"<!DOCTYPE html><html lang=en><title>{host}</title><link rel=icon href=data:,><p>{host}", {}
        return self._pages.get((host, path.partition("?")[0]), empty)

    def requests_of(self, name):
        return [each for each in list(self.requests) if each.host == name]

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
