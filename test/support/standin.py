"""What stand-ins for other people's HTTP servers have in common."""

import threading
from http.server import ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    """Its handlers find the stand-in as self.server.owner."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        """Who gives up waiting, or does not trust the certificate, closes his connection: that is what is tested."""


class StandIn:
    """Serves `port` by `handler`, two members that the subclass sets, from start() to close()."""

    server_type = Server
    _server = None

    def __init__(self):
        self.released = threading.Event()   # for handlers that hang

    def start(self):
        self._server = self.server_type(("127.0.0.1", self.port), self.handler)
        self._server.owner = self
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def close(self):
        self.released.set()
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()
