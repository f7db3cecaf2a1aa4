"""The examples of conf/examples for the web side, loaded as they are shipped: Conferencing Nodes, the branding package, policies of content."""

import http.client
import re
import shutil
import ssl
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from conftest import ADDRESSES, Servers, bury
from httpd import MPMS, PATIENCE
from meetings import Api
from pexip import Node
from waiting import stays, wait_until
from web_nodes import Authority, WebNode
from workspace import workspace

pytestmark = pytest.mark.once

EXAMPLES = Path(__file__).resolve().parents[2] / "conf" / "examples"
MODULES = ("alias", "mime", "dir", "setenvif", "filter", "deflate", "proxy_balancer", "lbmethod_byrequests", "slotmem_shm", "proxy_hcheck")
CHAT = "https://chat.example.com"
HOST = {"Host": "meet.example.com"}
PAGE = {"Accept": "text/html,application/xhtml+xml;q=0.9"}
CALL = "/api/client/v2/conferences/aB3xYz/"
BRANDING = "/webapp3/branding/"
# What httpd has to say of nodes that are not what they should be.
NODE_TROUBLE = r"\[(proxy|proxy_http|proxy_hcheck|proxy_balancer|ssl):(error|warn)\]"
# A check each second, which may have to wait for its time-out of four.
NOTICED = 20 * PATIENCE


def adapted(text, server, changes):
    """With the names of a real site replaced by what exists here, and shorter times."""
    for from_, to in (
            ("<VirtualHost *:443>", f"<VirtualHost 127.0.0.1:{server.port}>"),
            ("/etc/ssl/certs/meet.example.com.pem", "conf/tls.crt"),
            ("/etc/ssl/private/meet.example.com.key", "conf/tls.key"),
            ("${APACHE_LOG_DIR}/meet.example.com.log", "logs/example.log"),
            ("/srv/pexip-branding/", f"{server.root}/branding/"),
            ("hcinterval=10 hcfails=2 hcpasses=2", "hcinterval=1 hcfails=1 hcpasses=1"), ("timeout=30 ", "timeout=4 "), ("retry=5", "retry=1"), *changes):
        assert from_ in text, from_
        text = text.replace(from_, to)
    return text


def example(servers, nodes, authority):
    """A server with nodes.conf and, in its virtual host, branding.conf and the handlers of a workspace."""
    server = servers("", start=False, tls=True, modules=MODULES)
    server.make_certificate(["meet.example.com"])
    text, lines = ((EXAMPLES / name).read_text() for name in ("nodes.conf", "branding.conf"))
    assert text.count("</VirtualHost>") == 1
    changes = [(f"https://px0{number}.vc.example.com", f"https://localhost:{node.port}") for number, node in enumerate(nodes, 1)]
    changes.append(("/etc/ssl/certs/ca-certificates.crt", str(authority.certificate)))
    server.configure(adapted(text.replace("</VirtualHost>", lines + workspace() + "</VirtualHost>"), server, changes),
                     "TypesConfig /dev/null\nAddOutputFilterByType DEFLATE application/json text/event-stream\n")
    shutil.copytree(package(server.root), server.root / "branding" / "webapp3" / "branding", symlinks=True)
    server.start()
    return server


def package(root):
    """A branding package as somebody could have unpacked it, with links in it that lead out."""
    top = root / "package"
    for name, text in {"manifest.json": "{}", "images/logo.svg": "<svg/>", "plugins/rc-chat/index.html": "<!DOCTYPE html>",
                       "plugins/rc-chat/main.js": "1", "plugins/rc-chat/my-Settings.js": "2", "plugins/rc-chat/assets/index-B3k9_xQ1.js": "3",
                       "plugins/rc-chat/config.json": "{}", "plugins/rc-chat/widget.html": "<p>", "custom.css": "p{}"}.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (top / "passwd.json").symlink_to("/etc/passwd")
    (top / "etc").symlink_to("/etc")
    return top


class Front:
    """What browsers see: the server, its nodes, and the workspace beside them in the same httpd."""

    def __init__(self, server, nodes):
        self.server, self.nodes = server, nodes

    def request(self, method, path, headers=(), **options):
        return self.server.request(method, path, headers={**HOST, **dict(headers)}, **options)

    def get(self, path, headers=(), **options):
        return self.request("GET", path, headers, **options)

    def who(self, path="/webapp3/assets/x.png", route=None, method="GET"):
        """The name of the node that answers, or None."""
        answer = self.request(method, path, {"Cookie": f"PXROUTE=.{route}"} if route else {})
        return answer.json()["node"] if answer.status == 200 else None

    def everyone(self, path="/webapp3/assets/x.png", count=6):
        """Who answers new visitors."""
        return {self.who(path) for _ in range(count)}

    @contextmanager
    def stream(self, route=None, headers=()):
        """An open stream of events: (answer, the node's end of it)."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.server.port, timeout=20 * PATIENCE, context=ssl._create_unverified_context())
        with closing(connection):
            cookie = {"Cookie": f"PXROUTE=.{route}"} if route else {}
            before = {id(stream) for node in self.nodes for stream in node.streams}
            connection.request("GET", f"{CALL}events?token=secret", headers={**HOST, **cookie, **dict(headers)})
            their = wait_until(lambda: next((stream for node in self.nodes for stream in node.streams if id(stream) not in before), None),
                               10 * PATIENCE, "the stream at a node")
            their.say("first")
            answer = connection.getresponse()
            try:
                assert answer.status == 200 and answer.readline() == b"data: first\n" and answer.readline() == b"\n"
                yield answer, their
            finally:
                their.ended.set()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def made(mpm, authority):
    servers = Servers(mpm)
    with WebNode("one", authority) as one, WebNode("two", authority) as two:
        try:
            yield Front(example(servers, [one, two], authority), [one, two])
        finally:
            bury(servers)


@pytest.fixture
def front(made):
    """With both nodes well and in the pools."""
    for node in made.nodes:
        node.headers = []
    assert wait_until(lambda: made.everyone() == {"one", "two"}, NOTICED, "both nodes in the pool", every=0.1)
    for node in made.nodes:
        node.requests.clear()
    return made


# Nodes: what they get

@pytest.mark.parametrize("path", [
    "/", "/webapp3/m/aB3xYz?name=Nina&pin=1234", "/conference?conference=aB3xYz&rid=https%3A%2F%2Fx", "/api/client/v2/statusx", f"{CALL}participants",
    "/api/client/v2/conferences/meet.alice%40x.com%2Fz/request_token", "/api/client/v2/conferences/meet.alice%40x.com%2Fz/participants?a=%2F",
    "/api/client/v2/conferences/meet.alice@x.com/release_token?token=x", "/webapp3//x", "/static/webrtc/js/pexrtc.js", "/webapp3/branding",
    "/webapp3/brandingx/manifest.json", "/webapp/branding/manifest.json"])
def test_everything_reaches_a_node_as_it_came(front, path):
    answer = front.get(path, {"X-Real-IP": "203.0.113.9"})
    assert answer.status == 200 and answer.json()["path"] == path
    (method, arrived, headers), = [each for node in front.nodes for each in node.requests]
    assert (method, arrived, headers["Host"], headers["X-Real-IP"]) == ("GET", path, "meet.example.com", "127.0.0.1")


# Nodes: who stays where

def test_a_browser_stays_with_its_node(front):
    answer = front.get("/webapp3/m/aB3xYz", PAGE)
    cookie, = answer.headers.get_all("Set-Cookie")
    value, *attributes = cookie.split("; ")
    assert set(attributes) == {"Path=/", "Secure", "HttpOnly", "SameSite=None", "Partitioned"}
    name, _, route = value.partition("=.")
    assert (name, answer.json()["node"]) in [("PXROUTE", "one"), ("PXROUTE", "two")] and route == {"one": "n1", "two": "n2"}[answer.json()["node"]]
    for method, path, headers in (("GET", "/webapp3/a.js", {}), ("POST", f"{CALL}request_token", {}), ("POST", f"{CALL}refresh_token", {}),
                                  ("GET", f"{CALL}participants", {}), ("GET", "/webapp3/m/other", PAGE)) * 2:
        again = front.request(method, path, {"Cookie": f"x=y; {value}; z=.n9", **headers})
        assert again.json()["node"] == answer.json()["node"] and "Set-Cookie" not in again.headers


@pytest.mark.parametrize("cookie", [
    "PXROUTE=.n9", "PXROUTE=", "PXROUTE=.", "PXROUTE=n1", "PXROUTE=.n1.n2.n3", "PXROUTE=..", "PXROUTE=.N1", "PXROUTE=." + "n" * 5000,
    "PXROUTE=.n1%0d%0aX: y", "=;PXROUTE;PXROUTE"])
def test_a_cookie_of_somebody_elses_making_is_as_good_as_none(front, cookie):
    answer = front.get("/webapp3/", {**PAGE, "Cookie": cookie})
    assert answer.status == 200 and answer.headers["Set-Cookie"].split(";")[0] in ("PXROUTE=.n1", "PXROUTE=.n2")


def test_who_asks_for_a_token_without_a_page_gets_a_node_as_well(front):
    assert front.request("POST", f"{CALL}request_token").headers["Set-Cookie"].startswith("PXROUTE=.n")


def test_a_node_in_maintenance_mode_keeps_its_calls_and_gets_no_new_ones(front):
    one, two = front.nodes
    front.server.expect(NODE_TROUBLE)
    with front.stream("n1") as (events, theirs):
        one.maintenance()
        try:
            wait_until(lambda: front.everyone() == {"two"}, NOTICED, "new visitors at the other node", every=0.1)
            assert front.everyone("/api/client/v2/conferences/x/request_token") == {"two"}
            # The call goes on: whatever its browser loads meanwhile, nothing leads it away.
            assert {front.who(CALL + path, "n1", "POST") for path in ("refresh_token", "calls", "participants/x/mute")} == {"one"}
            picture = front.get("/webapp3/assets/x.png", {"Cookie": "PXROUTE=.n1"})
            assert picture.json()["node"] == "two" and "Set-Cookie" not in picture.headers
            stays(lambda: front.who(CALL + "participants", "n1") == "one", 2, "the call at its node", every=0.2)
            theirs.say("still here")
            assert events.readline() == b"data: still here\n"
            # The next call of the same browser is led to the other node, and stays there.
            for path, headers in (("/webapp3/m/other", PAGE), ("/api/client/v2/conferences/other/request_token", {})):
                moved = front.get(path, {"Cookie": "PXROUTE=.n1", **headers})
                assert moved.json()["node"] == "two" and moved.headers["Set-Cookie"].startswith("PXROUTE=.n2;")
        finally:
            one.maintenance(False)
    wait_until(lambda: "one" in front.everyone(), NOTICED, "the node back in the pool", every=0.1)


def test_when_a_node_dies_the_next_request_goes_to_another(front):
    one, two = front.nodes
    front.server.expect(NODE_TROUBLE)
    one.close()
    try:
        assert {front.who(route="n1"), front.who(f"{CALL}request_token", "n1", "POST"), front.who(f"{CALL}participants", "n1")} == {"two"}
        assert front.everyone() == {"two"}
        moved = front.get("/webapp3/m/aB3xYz", {**PAGE, "Cookie": "PXROUTE=.n1"})
        assert moved.headers["Set-Cookie"].startswith("PXROUTE=.n2;")
    finally:
        one.start()


def test_a_node_that_hangs_leaves_the_pool(front):
    one, two = front.nodes
    front.server.expect(NODE_TROUBLE)
    one.hang()
    try:
        # Who finds out first waits in vain; new visitors are then led to the other for a while.
        assert front.who(route="n1") is None
        wait_until(lambda: "'failontimeout' parameter" in front.server.error_log(), 5 * PATIENCE, "the time-out in the log")
        # For calls it is the checks that find out, and they go on.
        wait_until(lambda: front.who(CALL + "participants", "n1") == "two", NOTICED, "the calls of the hanging node at the other", every=0.1)
        assert front.everyone(CALL + "participants", count=10) == {"two"}
    finally:
        one.recover()


# Streams and workers

def test_each_event_arrives_at_once_and_is_not_compressed(front):
    with front.stream(headers={"Accept-Encoding": "gzip"}) as (answer, theirs):
        assert answer.headers["Content-Type"] == "text/event-stream" and answer.headers["Content-Encoding"] is None
        for number in range(5):
            theirs.say(f"event {number}")
            assert answer.readline() == f"data: event {number}\n".encode() and answer.readline() == b"\n"
    other = front.get("/" + "long" * 100, {"Accept-Encoding": "gzip"})
    assert other.status == 200 and other.headers["Content-Encoding"] == "gzip"


def test_a_reload_cuts_no_stream(front):
    with front.stream() as (answer, theirs):
        front.server.graceful()
        assert front.everyone() == {"one", "two"}
        theirs.say("after it")
        assert answer.readline() == b"data: after it\n"


class Streams:
    """Browsers in meetings, each with its stream open or waiting for it."""

    def __init__(self, front):
        self.front, self.threads = front, []

    def add(self, count):
        for _ in range(count):
            self.threads.append(threading.Thread(target=self._browser, daemon=True))
            self.threads[-1].start()

    def _browser(self):
        self.front.get(f"{CALL}events?token=secret", timeout=60)

    def arrived(self):
        return sum(not stream.ended.is_set() for node in self.front.nodes for stream in node.streams)

    def close(self):
        def ended():
            for node in self.front.nodes:
                for stream in node.streams:
                    stream.ended.set()
            return not any(thread.is_alive() for thread in self.threads)
        wait_until(ended, 30 * PATIENCE, "the end of the streams")


def test_a_stream_holds_a_worker_and_policy_needs_one_too(front, mpm):
    """The formula of nodes.conf: with streams in all workers but a few, policy is answered; with all taken it waits."""
    workers = int(re.search(r"MaxRequestWorkers (\d+)", MPMS[mpm])[1])
    front.server.expect("MaxRequestWorkers", NODE_TROUBLE)
    node = Node(next(ADDRESSES), front.server, headers=HOST)
    meeting = Api(front.server, headers=HOST).create()
    answers = []

    def ask():
        """A policy request that has to wait; None when it was answered."""
        asking = threading.Thread(target=lambda: answers.append(node.policy(meeting["id"]).status))
        asking.start()
        asking.join(1)
        return asking if asking.is_alive() else None

    with closing(Streams(front)) as streams:
        streams.add(workers - 8)
        wait_until(lambda: streams.arrived() == workers - 8, 30 * PATIENCE, "the streams at the nodes")
        assert all(node.policy(meeting["id"]).status == 200 for _ in range(20))
        streams.add(24)
        waiting = wait_until(ask, 30 * PATIENCE, "the last worker to be taken")
        assert streams.arrived() > workers - 8
    waiting.join(20 * PATIENCE)
    assert set(answers) == {200} and not waiting.is_alive()


# Trust and logs

def test_a_node_with_a_wrong_certificate_gets_nothing_and_logs_hold_no_secret(authority, make_httpd, tmp_path):
    stranger = Authority(tmp_path, "stranger")
    with WebNode("foreign", stranger) as foreign, WebNode("misnamed", authority, names=("localhost", "other.example.com")) as misnamed:
        front = Front(example(make_httpd, [foreign, misnamed], authority), [foreign, misnamed])
        front.server.expect(NODE_TROUBLE)
        secrets = {"Referer": "https://meet.example.com/webapp3/m/x?pin=827364&token=Zm9v"}
        for path in ("/webapp3/m/aB3xYz?pin=827364&name=Nina", f"{CALL}events?token=Zm9v", f"{CALL}request_token"):
            for _ in range(2):
                assert front.get(path, secrets).status in (500, 502, 503)
        assert foreign.requests == misnamed.requests == []
        log = wait_until(lambda: front.server.error_log(), 5, "the error log")
        access = (front.server.root / "logs" / "example.log").read_text()
        assert "[proxy" in log and f"GET {CALL}events HTTP/1.1" in access
        for text in (log, access):
            assert not any(secret in text for secret in ("827364", "Zm9v", "Nina", "referer"))


def test_the_access_log_holds_paths_and_nodes_only(front):
    front.get(f"{CALL}participants?token=Zm9v&pin=827364", {"Cookie": "PXROUTE=.n2", "Referer": "https://x/?pin=827364", "User-Agent": "827364"})
    log = front.server.root / "logs" / "example.log"
    line = wait_until(lambda: next((each for each in log.read_text().splitlines() if f"{CALL}participants " in each and each.endswith(" n2")), None), 5, "the line")
    assert "827364" not in line and "Zm9v" not in line


# Branding

@pytest.mark.parametrize("name, kind, cached", [
    ("manifest.json", "application/json", False), ("plugins/rc-chat/index.html", "text/html; charset=utf-8", False),
    ("plugins/rc-chat/widget.html", "text/html; charset=utf-8", False), ("plugins/rc-chat/main.js", "text/javascript", False),
    ("plugins/rc-chat/my-Settings.js", "text/javascript", False), ("plugins/rc-chat/config.json", "application/json", False),
    ("plugins/rc-chat/assets/index-B3k9_xQ1.js", "text/javascript", True), ("images/logo.svg", "image/svg+xml", False),
    ("custom.css", "text/css", False)])
def test_the_package_comes_from_here_with_what_browsers_ask_of_it(front, name, kind, cached):
    answer = front.get(BRANDING + name)
    assert answer.status == 200 and answer.headers["Content-Type"] == kind
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == ("public, max-age=31536000, immutable" if cached else "no-cache")
    assert answer.headers.get_all("Content-Security-Policy") == [f"frame-ancestors 'self' {CHAT}"]
    assert answer.headers["X-Frame-Options"] is None
    assert front.get(BRANDING + name, {"If-None-Match": answer.headers["ETag"]}).status == 304
    assert all(node.requests == [] for node in front.nodes)


@pytest.mark.parametrize("path", [
    "", "plugins/", "plugins/rc-chat", "passwd.json", "etc/passwd", "missing.json", "..%2f..%2f..%2fetc/passwd", "%2e%2e/%2e%2e/secret",
    "..%5csecret", "manifest.json/x", "x" * 300, "%00", "plugins/rc-chat/%2e%2e%2f%2e%2e%2fpasswd.json"])
def test_neither_lists_nor_links_nor_ways_out(front, path):
    front.server.expect(r"\[core:error\]")
    (front.server.root / "branding" / "secret").write_text("root:")
    answer = front.get(BRANDING + path)
    # A path that is out of the folder when it has been tidied up is none of the package's, so a node may have it.
    assert answer.status in (301, 400, 403, 404) or answer.status == 200 and answer.json()["node"]
    assert "root:" not in answer.text and "Index of" not in answer.text and "rc-chat" not in answer.text.replace("/rc-chat", "")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_the_package_is_for_reading(front, method):
    assert front.request(method, BRANDING + "manifest.json", body=b"x").status == 405
    assert (front.server.root / "branding/webapp3/branding/manifest.json").read_text() == "{}"


# Policies of content

def policies(front, *upstream, frame_options=()):
    """What browsers get of a node's headers: its policies as they came, and X-Frame-Options."""
    for node in front.nodes:
        node.headers = [("Content-Security-Policy", each) for each in upstream] + [("X-Frame-Options", each) for each in frame_options]
    answer = front.get("/webapp3/")
    assert answer.status == 200
    return answer.headers.get_all("Content-Security-Policy") or [], answer.headers.get_all("X-Frame-Options") or []


def changed(front, *upstream):
    return policies(front, *upstream)[0]


NODES_OWN = ("upgrade-insecure-requests; default-src 'self'; frame-ancestors 'self'; frame-src 'self' https://telemetryservice.firstpartyapps.oaspapps.com/"
             "telemetryservice/telemetryproxy.html https://*.microsoft.com https://*.office.com; style-src 'self' 'unsafe-inline'; object-src 'self'; "
             "img-src 'self' https://www.adobe.com data: blob:; media-src 'self' blob:; connect-src 'self' https://example.com;")


def test_the_policy_of_the_nodes_lets_the_panel_in_and_the_call_window(front):
    got, = changed(front, NODES_OWN)
    assert got == NODES_OWN.replace("frame-src 'self'", f"frame-src {CHAT} 'self'").replace("frame-ancestors 'self'", f"frame-ancestors {CHAT} 'self'")


@pytest.mark.parametrize("upstream, expected", [
    # Present.
    ("frame-src 'self'", f"frame-src {CHAT} 'self'"),
    ("FRAME-SRC 'self'; Frame-Ancestors 'self'", f"FRAME-SRC {CHAT} 'self'; Frame-Ancestors {CHAT} 'self'"),
    ("frame-src", f"frame-src {CHAT}"),
    (" ;; frame-src\thttps://x ;", f";; frame-src {CHAT}\thttps://x ;"),
    # 'none' stands alone or not at all.
    ("frame-src 'none'", f"frame-src {CHAT}"),
    ("frame-src   'NONE'  ; frame-ancestors 'none'", f"frame-src {CHAT}; frame-ancestors {CHAT}"),
    # There already, so it is not named twice; a longer name is another one.
    (f"frame-src 'self' {CHAT}; frame-ancestors {CHAT}", f"frame-src 'self' {CHAT}; frame-ancestors {CHAT}"),
    (f"frame-src {CHAT}.evil.example", f"frame-src {CHAT} {CHAT}.evil.example"),
    (f"frame-src https://chatXexample.com {CHAT}:8443", f"frame-src {CHAT} https://chatXexample.com {CHAT}:8443"),
    # Missing: what browsers would use instead is copied.
    ("default-src 'self' https://x; img-src *", f"default-src 'self' https://x; frame-src {CHAT} 'self' https://x; img-src *"),
    ("default-src 'self'; child-src https://y; img-src *", f"default-src 'self'; child-src https://y; frame-src {CHAT} https://y; img-src *"),
    ("child-src 'none'; default-src *", f"child-src 'none'; frame-src {CHAT}; default-src *"),
    ("DEFAULT-SRC 'None'", f"DEFAULT-SRC 'None'; frame-src {CHAT}"),
    ("default-src", f"default-src; frame-src {CHAT}"),
    ("default-src 'self';", f"default-src 'self'; frame-src {CHAT} 'self';"),
    # Nothing to fall back to: nothing is blocked, and nothing is said.
    ("img-src 'self'", "img-src 'self'"),
    ("upgrade-insecure-requests", "upgrade-insecure-requests"),
    # Names that only look alike.
    ("default-src-elem 'self'; x-frame-src 'none'; script-src frame-src", "default-src-elem 'self'; x-frame-src 'none'; script-src frame-src"),
    ("frame-srcs 'none'; default-src 'self'", f"frame-srcs 'none'; default-src 'self'; frame-src {CHAT} 'self'"),
    ("report-uri /x?frame-src; default-src 'self'", f"report-uri /x?frame-src; default-src 'self'; frame-src {CHAT} 'self'"),
    # Only the first counts for browsers; that the others get it too does no harm.
    ("default-src 'self'; default-src *", f"default-src 'self'; frame-src {CHAT} 'self'; default-src *"),
    ("frame-src 'none'; frame-src *", f"frame-src {CHAT}; frame-src {CHAT} *"),
    # Two policies in one header: each.
    ("default-src 'self', frame-src 'none';img-src *,img-src 'self'", f"default-src 'self'; frame-src {CHAT} 'self', frame-src {CHAT};img-src *,img-src 'self'"),
    ("frame-src 'self', default-src 'none'", f"frame-src {CHAT} 'self', default-src 'none'; frame-src {CHAT}"),
    (",,default-src 'self',", f",,default-src 'self'; frame-src {CHAT} 'self',"),
])
def test_one_policy_is_changed_and_none_is_added(front, upstream, expected):
    assert changed(front, upstream) == [expected]


def test_two_headers_are_both_changed(front):
    assert changed(front, "default-src 'self'", "Frame-Src 'none'; frame-ancestors 'self'") == [
        f"default-src 'self'; frame-src {CHAT} 'self'", f"Frame-Src {CHAT}; frame-ancestors {CHAT} 'self'"]


def test_pages_of_the_module_keep_their_policy(front):
    answer = front.get("/pexip/join/unknown")
    assert answer.status == 404 and "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]
    assert CHAT not in ", ".join(answer.headers.get_all("Content-Security-Policy"))


def test_where_a_node_has_no_policy_none_is_made(front):
    assert policies(front) == ([], [])


@pytest.mark.parametrize("upstream", [
    "frame-src " + "https://a.example.com " * 300, ";" * 7000 + "default-src 'self'", "," * 7000, " " * 7000 + "frame-src 'self'",
    "default-src 'self'" + ";x" * 3400, "frame-src" + " " * 6000 + "'none'x", "a;" * 3000 + ",default-src" * 100])
def test_enormous_policies_cost_no_time(front, upstream):
    before = time.monotonic()
    got, = changed(front, upstream)
    assert time.monotonic() - before < 2 * PATIENCE
    assert (CHAT in got) == ("-src" in upstream)


@pytest.mark.parametrize("upstream, options, policy, left", [
    (["frame-ancestors 'self'"], ["SAMEORIGIN"], [f"frame-ancestors {CHAT} 'self', frame-ancestors 'self' {CHAT}"], []),
    ([], ["sameorigin"], [f"frame-ancestors 'self' {CHAT}"], []),
    (["img-src 'self'"], ["SAMEORIGIN"], [f"img-src 'self', frame-ancestors 'self' {CHAT}"], []),
    ([], ["DENY"], [], ["DENY"]),
    ([], ["ALLOW-FROM https://x"], [], ["ALLOW-FROM https://x"]),
    ([], ["SAMEORIGIN, DENY"], [], ["SAMEORIGIN, DENY"]),
    (["frame-ancestors 'none'"], [], [f"frame-ancestors {CHAT}"], []),
])
def test_x_frame_options_give_way_to_a_policy_that_is_as_strict(front, upstream, options, policy, left):
    assert policies(front, *upstream, frame_options=options) == (policy, left)
