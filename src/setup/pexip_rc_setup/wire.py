"""One HTTPS request: a certificate that is checked, a deadline for all of it, a limit of what is taken, no redirects."""

import base64
import http.client
import json
import socket
import ssl
import threading

from .report import SetupError, Unclear, Unreachable, shown

ANSWER_MAX = 8 << 20        # bytes
CONNECT_SECONDS = 10
USER_AGENT = "pexip-rc-setup"


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def trust(ca_file=None):
    """Who is trusted: the system's authorities, and those in the file."""
    context = ssl.create_default_context()
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as problem:
            raise SetupError(f"--ca {shown(ca_file)}: no certificates can be read from it: {shown(str(problem))}") from None
    return context


def _connect(host, port, context):
    connection = http.client.HTTPSConnection(host, port, timeout=CONNECT_SECONDS, context=context)
    try:
        connection.connect()
    except ssl.SSLCertVerificationError as problem:
        raise Unreachable(f"the certificate of {shown(host)}:{port} is not accepted: {shown(problem.verify_message)} "
                         "(--ca names authorities that are trusted besides)") from None
    except (OSError, ValueError) as problem:
        raise Unreachable(f"{shown(host)}:{port} cannot be reached: {shown(str(problem))}") from None
    return connection


def json_object(content):
    """The object that a text of JSON is, None where it is none."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def exchange(method, host, port, path, context, *, headers=(), body=None, seconds=30, limit=ANSWER_MAX):
    """Returns status, headers and body of the answer. SetupError when there is none, Unclear when it may have been acted on."""
    connection = _connect(host, port, context)
    connection.sock.settimeout(seconds)
    late = threading.Event()

    def give_up():
        late.set()
        try:
            # The socket's own: an SSL socket's would take the session away from under the reading thread.
            socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)
        except (OSError, AttributeError, TypeError):
            pass

    watch = threading.Timer(seconds, give_up)
    watch.daemon = True
    watch.start()
    try:
        connection.request(method, path, body=body, headers={
            "User-Agent": USER_AGENT, "Accept-Encoding": "identity", "Connection": "close", **dict(headers)})
        answer = connection.getresponse()
        content = answer.read(limit + 1)
        if len(content) < limit + 1 and answer.length:
            raise http.client.IncompleteRead(content, answer.length)
        if late.is_set():
            raise TimeoutError      # what was cut off may look like an end
    except (OSError, http.client.HTTPException, ValueError) as problem:
        reason = f"no answer within {seconds} seconds" if late.is_set() or isinstance(problem, socket.timeout) \
            else f"the connection broke: {shown(str(problem) or type(problem).__name__)}"
        kind = Unreachable if method == "GET" else Unclear
        raise kind(f"{method} {shown(path)} at {shown(host)}: {reason}") from None
    finally:
        watch.cancel()
        connection.close()
    if len(content) > limit:
        kind = SetupError if method == "GET" else Unclear
        raise kind(f"{method} {shown(path)} at {shown(host)}: the answer is longer than {limit} bytes")
    return answer.status, answer.headers, content
