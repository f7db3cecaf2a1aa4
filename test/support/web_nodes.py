"""The web side of stand-in Conferencing Nodes: TLS by a CA of the tests, pages, the client API, streams of events.

    authority = Authority(directory)
    with WebNode("one", authority) as node:
        ... BalancerMember https://localhost:{node.port} ...
        node.maintenance()
        node.requests       # what arrived but for health checks: (method, path as it came, headers)
"""

import json
import socket
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from httpd import free_ports

STATUS = "/api/client/v2/status"


class Authority:
    """A CA whose certificate is at `certificate`, and that signs the keys of servers."""

    def __init__(self, directory, name="tests"):
        self.directory = Path(directory)
        self.name = name
        self.certificate, self.key = self._path("crt"), self._path("key")
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
                      "-subj", f"/CN=CA of {name}", "-addext", "keyUsage=critical,keyCertSign", "-out", self.certificate, "-keyout", self.key)

    def _path(self, suffix, of=""):
        return self.directory / f"{self.name}{of}.{suffix}"

    @staticmethod
    def _openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    def sign(self, server, names):
        """Returns the paths of certificate and key for a server of these names."""
        certificate, key, request, extensions = (self._path(suffix, f"-{server}") for suffix in ("crt", "key", "csr", "ext"))
        extensions.write_text("subjectAltName=" + ",".join(f"DNS:{name}" for name in names) + "\nbasicConstraints=critical,CA:FALSE\n")
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={names[0]}",
                      "-out", request, "-keyout", key)
        self._openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial", "-days", "30",
                      "-extfile", extensions, "-out", certificate)
        return certificate, key


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "node"
    wbufsize = -1       # head and body leave together, as from a real server

    def setup(self):
        # In the connection's own thread: who never finishes his handshake holds nobody up.
        self.request.settimeout(30)
        self.request.do_handshake()
        super().setup()

    def do_GET(self):
        node = self.server.node
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == STATUS:
            node.checks += 1
        else:
            node.requests.append((self.command, self.path, self.headers))
        if node.hanging.is_set():
            node.released.wait(60)
            self.close_connection = True
        elif self.path == STATUS:
            self._status(node)
        elif self.path.split("?")[0].endswith("/events"):
            self._stream(node)
        else:
            self.reply(200, {"node": node.name, "path": self.path, "body": len(body)}, node.headers)

    do_POST = do_PUT = do_GET

    def _status(self, node):
        if node.draining:
            self.reply(503, {"status": "failed", "result": "Maintenance mode"})
        else:
            self.reply(200, {"status": "success", "result": "OK"})

    def _stream(self, node):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True
        stream = Stream(self.wfile)
        node.streams.append(stream)
        stream.ended.wait()

    def reply(self, status, answer, headers=()):
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Stream:
    """An event stream that a browser has open."""

    def __init__(self, file):
        self.file = file
        self.ended = threading.Event()

    def say(self, text):
        self.file.write(f"data: {text}\n\n".encode())
        self.file.flush()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, node):
        self.node = node
        super().__init__(("127.0.0.1", node.port), Handler)

    def get_request(self):
        connection, address = super().get_request()
        self.node.connections.append(connection)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wrapped = self.node.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self.node.connections[-1] = wrapped
        return wrapped, address

    def handle_error(self, *_):
        """Broken handshakes and connections are what is tested here."""


class WebNode:
    def __init__(self, name, authority, names=("localhost", "meet.example.com")):
        self.name = name
        self.port, = free_ports(1)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*authority.sign(name, names))
        self.headers = []           # of all answers but streams: (name, value)
        self.requests = []
        self.streams = []
        self.connections = []
        self.checks = 0             # of health
        self.draining = False
        self.hanging = threading.Event()
        self.released = threading.Event()
        self._server = None

    def maintenance(self, on=True):
        self.draining = on

    def hang(self):
        """Takes requests and answers none of them, until recover()."""
        self.released.clear()
        self.hanging.set()

    def recover(self):
        self.hanging.clear()
        self.released.set()

    def start(self):
        self._server = Server(self)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def close(self):
        """Dies: its port and all its connections are closed."""
        self.recover()
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        for stream in self.streams:
            stream.ended.set()
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass        # closed already
        self.streams, self.connections = [], []

    __enter__ = start

    def __exit__(self, *_):
        self.close()
