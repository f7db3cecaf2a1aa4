"""Strangers and hostile pages: what costs them little must cost the others nothing, and a visitor's browser works for nobody else."""

import base64
import json
import os
import pwd
import re
import shutil
import socket
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from chat import SOON, blameless, sites  # noqa: F401
from foreign import PLACE
from httpd import PATIENCE
from joining import create, kept
from meetings import Api
from pexip import Node, one_leg
from policy_server import SERVICE, PolicyServer
from waiting import wait_until
from workspace import ADMIN, NODES, PASSWORD_FILE, PREFIX, guarded, workspace

pytestmark = pytest.mark.any_mpm

EVIL = "https://evil.example"
GO = f"<Location {PREFIX}/go>\nSetHandler pexip-rc-go\nRequire all granted\n</Location>\n"
METRICS = guarded(f"{PREFIX}/metrics", "pexip-rc-metrics", f"AuthBasicProvider file\n    AuthUserFile {PASSWORD_FILE}", "valid-user")
SLOW = "RequestReadTimeout header=60 body=1\n"


@pytest.fixture(scope="module")
def all_sites(mpm):
    with PolicyServer() as other, sites(mpm, {
            "usual": {"extra": f"PexipRCPersistentChat On\nPexipRCPolicyFallback {other.url}\n{PLACE}{GO}{METRICS}"}},
            server=SLOW, modules=("reqtimeout",)) as made:
        other.serve()
        made["usual"].other = other
        yield made


@pytest.fixture
def site(all_sites):
    yield all_sites["usual"]
    all_sites["usual"].chat.faults.stop_all()


# A visitor's browser at the command of another site

EMBEDDED = [{"Sec-Fetch-Dest": "image", "Sec-Fetch-Mode": "no-cors"}, {"Sec-Fetch-Dest": "iframe", "Sec-Fetch-Mode": "navigate"},
            {"Sec-Fetch-Dest": "script", "Sec-Fetch-Mode": "no-cors"}, {"Sec-Fetch-Dest": "empty", "Sec-Fetch-Mode": "cors", "Origin": EVIL},
            {"Sec-Fetch-Dest": "object", "Sec-Fetch-Mode": "no-cors"}, {"Sec-Fetch-Dest": "", "Sec-Fetch-Mode": "navigate"}]


@pytest.mark.parametrize("where", ["cross-site", "same-site", "", "none, cross-site"])
@pytest.mark.parametrize("headers", EMBEDDED, ids=lambda each: each["Sec-Fetch-Dest"] or "nothing")
def test_a_page_that_embeds_the_link_does_not_use_its_visitors_session(site, headers, where):
    meeting = create(site)
    before = len(site.chat.calls_of("me"))
    landed = kept(site.visitor(site.nina, headers={"Sec-Fetch-Site": where, **headers}).open(meeting["join_url"]))
    assert landed.role(meeting) == "guest" and landed.name is None
    assert len(site.chat.calls_of("me")) == before


def test_a_page_that_embeds_the_link_gets_nobody_into_the_chat(site):
    room = site.room()
    meeting = site.start("Tempting", room)
    discussion, = wait_until(lambda: site.chat.discussions(room), SOON, "the discussion")
    site.visitor(site.boris, headers={"Sec-Fetch-Site": "cross-site", **EMBEDDED[0]}).open(meeting["join_url"])
    site.visitor(site.carla, navigates=True, headers={"Sec-Fetch-Site": "cross-site"}).open(meeting["join_url"])
    wait_until(lambda: site.carla in discussion.members, SOON, "who has followed the link")
    assert site.boris not in discussion.members


@pytest.mark.parametrize("headers", [
    {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": EVIL}, {"Origin": "null"}, {"Origin": "https://usual.example.com.evil.example"},
    {"Origin": "https://127.0.0.1:1"}, {"Origin": ""}], ids=str)
@pytest.mark.parametrize("path, account", [("/events", NODES), ("/api/v1/meetings", ADMIN)])
def test_a_password_that_a_browser_keeps_is_not_used_for_other_sites(site, path, account, headers):
    event = {"event": "eventsink_started", "node": "10.66.6.6", "seq": 1, "version": 2, "time": time.time(), "data": {}}
    body = json.dumps(event if path == "/events" else {"room": {"id": "forged"}, "creator": {"id": "forged"}})
    answer = site.request("POST", PREFIX + path, auth=account, body=body, headers={"Content-Type": "text/plain", **headers})
    assert answer.status == 403 and answer.json()["detail"] == "the request was made by another site"
    assert not site.api.list(room="forged")["meetings"]
    assert "10.66.6.6" not in site.status().text


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": "https://usual.example.com"},
                                     {"Origin": "http://usual.test:8080", "Host": "usual.test:8080"}], ids=str)
def test_programs_and_pages_of_ours_are_not_other_sites(site, headers):
    assert site.request("POST", f"{PREFIX}/events", auth=NODES, body="{}", headers=headers).status == 200
    assert site.request("POST", f"{PREFIX}/api/v1/meetings", auth=ADMIN, body="{}", headers=headers).status == 400


@pytest.mark.parametrize("method, path, account", [
    ("GET", "/policy/v1/service/configuration?local_alias=x", NODES), ("GET", "/events", NODES), ("GET", "/api/v1/meetings", ADMIN), ("GET", "/api/v1/history", ADMIN),
    ("GET", "/api/v1/scheduling/template?kind=personal&link=go", ADMIN), ("GET", "/status", ADMIN), ("GET", "/status?json", ADMIN), ("GET", "/status/setup", ADMIN),
    ("GET", "/metrics", ADMIN), ("GET", "/join/nothing", None), ("GET", "/chat?alias=x", None), ("POST", "/webhook", None), ("POST", "/chat", None)])
def test_no_answer_is_taken_for_something_else_or_kept(site, method, path, account):
    answer = site.request(method, PREFIX + path, auth=account, body="{}" if method == "POST" else None)
    assert answer.headers.get_all("X-Content-Type-Options") == ["nosniff"] and answer.headers.get_all("Cache-Control") == ["no-store"]


# Requests that cost their sender little

def test_strangers_do_not_take_the_places_of_nodes(site):
    """Each of these asks about a session that does not exist, of a workspace that does not answer."""
    site.httpd.expect("Rocket.Chat does not tell who somebody is")
    meeting, node = create(site), site.node()
    hanging = site.chat.fault("me", "hang")
    with ThreadPoolExecutor(16) as pool:
        strangers = [pool.submit(site.visitor(headers={"Cookie": f"rc_uid=nobody{number}; rc_token=token{number}"}).open, meeting["join_url"])
                     for number in range(16)]
        wait_until(lambda: hanging.hits >= 3, SOON, "strangers whose sessions are asked about")
        asked = [node.policy(f"somebody.elses.{number}") for number in range(4)]
        hanging.stop()
        assert {each.result().role(meeting) for each in strangers} == {"guest"}
    assert [each.json() for each in asked] == [SERVICE] * 4


def test_bodies_that_never_come_do_not_hold_the_workers(site):
    """With mod_reqtimeout, as Debian has it. Fewer than there are workers, because httpd complains when it has no more."""
    head = f"POST {PREFIX}/webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n{{".encode()
    with ExitStack() as open_connections:
        connections = [open_connections.enter_context(socket.create_connection(("127.0.0.1", site.port), timeout=30 * PATIENCE)) for _ in range(24)]
        for each in connections:
            each.sendall(head)
        assert {each.recv(65536).split(b" ")[1] for each in connections} == {b"408"}


def test_aliases_that_are_tried_out_all_look_alike(site):
    """Whoever has no link learns nothing about a meeting from the address that is open to all."""
    meetings = {"open": create(site), "closed": create(site), "live": create(site)}
    site.api.call("DELETE", f"/meetings/{meetings['closed']['id']}")
    one_leg(site.node(), meetings["live"]["id"], "Anna")
    answers = [site.request("GET", f"{PREFIX}/chat?alias={alias}") for alias in
               ["A" * 20, "", meetings["open"]["id"], meetings["closed"]["id"], *(urlsplit(each["join_url"]).path.rpartition("/")[2] for each in meetings.values())]]
    assert {(each.status, each.body) for each in answers} == {(404, b"{}")}
    assert len({tuple(name for name, _ in each.headers.items()) for each in answers}) == 1


# Requests that nobody would make

HOSTILE = ["", ".", "..", "%00", "%0d%0aX-Evil:%201", "%0aX-Evil:1", "%2e%2e", "%2f%2fevil.example", "//evil.example/", "\\\\evil.example", "%5c%5cevil.example",
           "@evil.example", "https:evil.example", "javascript:alert(1)", "<script>alert(1)</script>", "'\"><img>", "%ff%fe", "%c0%af", "%e2%80%ae", "%25" * 800, "%zz",
           "A" * 300, "A" * 7000, "=1+1", "{{7*7}}", "${jndi:x}", "&&&===", "?" * 50, ";" * 200, "\x7f", "\xc3\xa9", "sip:a@[::1]:99999", "'; DROP TABLE meeting; --"]
PLACES = ["/chat?alias={}", "/chat/{}", "/go/{}", "/go/1?{}", "/join/{}", "/join/{}/info", "/join/{key}?name={}", "/join/{key}?k={}", "/join/{key}/{}", "/webhook/{}", "/status?{}",
          "/status/{}", "/status/setup?{}", "/api/v1/meetings?state={}", "/api/v1/meetings?room={}&after={}", "/api/v1/meetings/{}", "/api/v1/meetings/{}/links",
          "/api/v1/history?from={}&room={}", "/api/v1/deliveries?state={}", "/api/v1/deliveries/{}", "/api/v1/scheduling/links?alias={}",
          "/api/v1/scheduling/template?kind={}", "/policy/v1/{}", "/policy/v1/service/configuration?local_alias={}&node_ip={}",
          "/policy/v1/participant/properties?service_name={}", "/events/{}", "/metrics?{}", "/metrics/{}"]
HEADERS = ["Origin", "Cookie", "Accept", "Host", "Sec-Fetch-Site", "Sec-Fetch-Dest", "User-Agent", "Sec-CH-UA-Mobile", "X-Forwarded-For", "Content-Type", "Range"]
VALUES = ["", "null", "*", "rc_uid=a; rc_token=" + "b" * 7000, "rc_uid=%00; rc_token=%0d%0a", "rc_uid; rc_token;;=", "\xff\xfe", "bytes=0-0,1-1,-1", "a" * 8000, EVIL, "<script>"]
BODIES = [b"", b"{", b"null", b"[" * 5000, b'{"a":' * 5000, b"\0" * 100, b"\xff" * 100, b'"' * 1000, b"userId=%00&authToken=%zz", b"action=retry&meeting=..%2f", b"1e999999",
          b'{"token":"\\u0000","text":{}}', b'{"userId":"\\ud800","authToken":"\\udfff"}']


def hostile_requests(key):
    for place in PLACES:
        for text in HOSTILE:
            yield "GET", place.replace("{key}", key).replace("{}", text), {}, b""
    for path in ("/chat?alias=1", "/go/1", f"/join/{key}", "/status", "/webhook"):
        for name in HEADERS:
            for value in VALUES:
                yield "GET" if path != "/webhook" else "POST", path, {name: value}, b""
    for path in (f"/join/{key}", "/webhook", "/status", "/api/v1/meetings", "/api/v1/meetings/AAAAAAAA/links", "/events", "/chat", "/go/1"):
        for body in BODIES:
            for kind in ("application/json", "application/x-www-form-urlencoded"):
                yield "POST", path, {"Content-Type": kind}, body


def test_no_request_makes_a_fault_or_leads_elsewhere(site):
    site.httpd.expect("core:error", "allowmethods:error")
    key = urlsplit(create(site)["join_url"]).path.rpartition("/")[2]
    children = site.httpd.children()
    for method, path, headers, body in hostile_requests(key):
        account = NODES if path.startswith(("/policy", "/events")) else ADMIN
        sent = {"Host": "usual.example.com", "Content-Length": str(len(body)), "Connection": "close",
                "Authorization": "Basic " + base64.b64encode(":".join(account).encode()).decode(), **headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        answer = site.httpd.raw(f"{method} {PREFIX}{path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body, port=site.port)
        head, _, page = answer.partition(b"\r\n\r\n")
        what = (method, path[:200], headers, body[:50], head[:500])
        assert 200 <= int(head.split(b" ")[1]) < 500, what
        assert b"\nX-Evil" not in head and b"<script>alert" not in page and b"<img>" not in page, what
        where = re.search(rb"\nLocation: ([^\r]*)", head)
        assert not where or re.match(rb"https://(meet\.example\.com|go\.rocket\.chat|usual\.example\.com)/", where[1]), what
    assert set(children) <= set(site.httpd.children())


# Files and directories

@pytest.mark.skipif(os.geteuid() != 0, reason="only root is led astray")
@pytest.mark.parametrize("prepare", ["his directory", "his directory above", "open to all", "open to his group", "his link", "his link above",
                                     "his hard link"])
def test_root_does_not_write_where_the_run_user_leads(make_httpd, prepare):
    httpd = make_httpd(start=False)
    user = pwd.getpwnam("www-data")
    victim = httpd.write("victim", "unharmed\n", 0o600)
    place = httpd.root / "place" / "logs"
    place.mkdir(parents=True)
    if prepare == "open to all":
        place.chmod(0o777)
    elif prepare == "open to his group":
        os.chown(place, 0, user.pw_gid)
        place.chmod(0o775)
    else:
        os.chown(place.parent if prepare.endswith("above") else place, user.pw_uid, user.pw_gid)
    if prepare == "his link":
        (place / "events.log").symlink_to(victim)
    elif prepare == "his link above":
        victim.rename(httpd.root / "events.log")
        victim = httpd.root / "events.log"
        place.rmdir()
        place.symlink_to(httpd.root)
    elif prepare == "his hard link":
        os.link(victim, place / "events.log")
    httpd.configure(workspace(), server=f"PexipRCEventLog {place}/events.log")
    if "link" in prepare:
        with pytest.raises(AssertionError, match="cannot be opened"):
            httpd.start()
        httpd.expect("cannot be opened", "Configuration Failed|AH00016")
    else:
        httpd.start()
        assert (place / "events.log").exists()
    assert victim.read_text() == "unharmed\n"


@pytest.mark.parametrize("mode, owner, words", [(0o1777, None, "for everybody"), (0o700, "nobody", "belongs to neither"), (0o700, None, None),
                                                (0o755, None, None), (0o777, None, None), (0o770, None, None)])
def test_a_state_directory_is_closed_to_others_or_refused(make_httpd, mode, owner, words):
    if owner and os.geteuid() != 0:
        pytest.skip("only root can give things away")
    httpd = make_httpd(start=False)
    state = httpd.root / "state"
    state.mkdir()
    shutil.chown(state, owner or ("www-data" if os.geteuid() == 0 else None) or os.geteuid())
    state.chmod(mode)
    code, output = httpd.configtest()
    assert (code == 0) == (words is None), output
    assert stat.S_IMODE(state.stat().st_mode) == mode
    if words:
        assert re.search(rf"PexipRCStateDirectory.*{words}", output), output
        return
    httpd.start()
    assert stat.S_IMODE(state.stat().st_mode) == (0o755 if mode == 0o755 else 0o700)
    assert ("PXR1064" in httpd.error_log()) == (mode in (0o777, 0o770))


def test_an_open_umask_opens_nothing(make_httpd):
    httpd = make_httpd(start=False)
    httpd.configure(workspace(), server=f"PexipRCEventLog {httpd.root}/logs/events.log")
    before = os.umask(0)
    try:
        httpd.start()
    finally:
        os.umask(before)
    api, node = Api(httpd), Node("10.66.0.1", httpd)
    node.started()
    one_leg(node, api.create()["id"], "Anna")
    made = [httpd.root / "state", *(httpd.root / "state").iterdir(), httpd.root / "logs" / "events.log", *map(Path, httpd.segments())]
    assert len(made) >= 4
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in made}
    assert not [name for name, mode in modes.items() if mode & (0o027 if name == "events.log" else 0o077)], modes


def test_no_child_can_cut_the_memory_that_its_parent_reads(site):
    """The file is root's; whoever has taken over a child would need a descriptor to make it shorter."""
    segments = site.httpd.segments()
    wait_until(lambda: all(any(name in Path("/proc", str(pid), "maps").read_text() for name in segments) for pid in site.httpd.children()),
               5 * PATIENCE, "children with the memory")

    def open_files(pid):
        return {os.readlink(each) for each in Path("/proc", str(pid), "fd").iterdir()}
    wait_until(lambda: not [pid for pid in site.httpd.children() if open_files(pid) & set(segments)], 5 * PATIENCE, "children without descriptors of it")
    assert open_files(site.httpd.pid()) & set(segments)
