"""What can go wrong between the module and Rocket.Chat, route by route.

    fault = chat.fault("chat.sendMessage", "429", times=2, seconds=3)
    chat.fault("*", "hang", room=room.id)
    fault.hits          # how often it has struck
    fault.stop()        # those that hang are let go as well
"""

import json
import threading
import time

BAD_GATEWAY = b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><h1>502 Bad Gateway</h1></body>\r\n</html>\r\n"


class Fault:
    def __init__(self, route, kind, times, room=None, **options):
        self.route, self.kind, self.times, self.room = route, kind, times, room
        self.options = options
        self.hits = 0
        self.over = threading.Event()
        if not hasattr(self, f"_{kind}"):
            raise ValueError(f"no such fault: {kind}")

    def strikes(self, route, room=None):
        return not self.over.is_set() and self.route in ("*", route) and self.room in (None, room)

    def take(self):
        """Counts one; False when it has struck often enough already."""
        if self.times is not None and self.hits >= self.times:
            return False
        self.hits += 1
        return True

    def stop(self):
        self.over.set()

    def answer(self, handler, call, act):
        getattr(self, f"_{self.kind}")(handler, call, act)

    # Nothing comes

    def _hang(self, handler, call, act):
        """Taken, never acted on, never answered; options: stored=True acts on it."""
        if self.options.get("stored"):
            act(call)
        self.over.wait(600)
        handler.cut_off()

    def _lost(self, handler, call, act):
        """Acted on, but the answer never arrives."""
        act(call)
        handler.cut_off()

    def _reset(self, handler, call, act):
        handler.cut_off(reset=True)

    # Something else comes

    def _slow(self, handler, call, act):
        """The right answer in single bytes; options: pause between them in seconds."""
        status, value, _ = act(call)
        call.status = status
        body = json.dumps(value).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        for index in range(len(body)):
            handler.wfile.write(body[index:index + 1])
            if self.over.wait(self.options.get("pause", 0.5)):
                break
        handler.cut_off()

    def _429(self, handler, call, act):
        """options: seconds to wait; headers=False or text=False leave out where that is said."""
        seconds = self.options.get("seconds", 2)
        text = f" You must wait {seconds} seconds before trying this endpoint again." if self.options.get("text", True) else ""
        headers = {}
        if self.options.get("headers", True):
            headers = {"X-RateLimit-Limit": "10", "X-RateLimit-Remaining": "0",
                       "X-RateLimit-Reset": str(int((time.time() + seconds) * 1000))}
        handler.send(call, 429, {"success": False, "error": f"Error, too many requests. Please slow down.{text} [error-too-many-requests]"}, headers)

    def _500(self, handler, call, act):
        handler.send(call, 500, {"success": False, "error": "Internal server error"})

    def _502(self, handler, call, act):
        call.status = 502
        handler.reply(502, "text/html", BAD_GATEWAY)

    def _503(self, handler, call, act):
        handler.send(call, 503, {"success": False, "error": "Service Unavailable"})

    def _failure(self, handler, call, act):
        """Status 200 and no success."""
        handler.send(call, 200, {"success": False})

    def _401(self, handler, call, act):
        handler.send(call, 401, {"success": False, "error": "You must be logged in to do this."})

    def _403(self, handler, call, act):
        handler.send(call, 403, {"success": False, "error": "User does not have the permissions required for this action [error-unauthorized]"})

    def _400(self, handler, call, act):
        """options: error, the errorType."""
        error = self.options.get("error", "error-not-allowed")
        handler.send(call, 400, {"success": False, "error": f"Not allowed [{error}]", "errorType": error})

    def _garbage(self, handler, call, act):
        call.status = 200
        handler.reply(200, "application/json", b'{"success": tru\xff\x00{"message": {"_id": [}')

    def _huge(self, handler, call, act):
        """A hundred megabytes of JSON."""
        call.status = 200
        part = b'"' + b"x" * 65533 + b'",'
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(1600 * len(part)))
        handler.end_headers()
        for _ in range(1600):
            handler.wfile.write(part)

    def _redirect(self, handler, call, act):
        """options: to, an address that must never be followed with our token."""
        call.status = 302
        handler.reply(302, "text/html", b"elsewhere", {"Location": self.options.get("to", "https://elsewhere.example.com/")})


class Faults:
    def __init__(self):
        self._lock = threading.Lock()
        self._faults = []

    def add(self, route, kind, times, **options):
        fault = Fault(route, kind, times, **options)
        with self._lock:
            self._faults.append(fault)
        return fault

    def before_reading(self, route):
        """Whether the connection is to be reset without looking at what else comes."""
        with self._lock:
            return any(each.kind == "reset" and each.room is None and each.strikes(route) and each.take() for each in self._faults)

    def of(self, call):
        with self._lock:
            return next((each for each in self._faults if each.strikes(call.route, call.room) and each.take()), None)

    def stop_all(self):
        with self._lock:
            for each in self._faults:
                each.stop()
            self._faults.clear()
