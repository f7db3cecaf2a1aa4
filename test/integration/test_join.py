"""The join link: where it leads, what it carries, and what it says when it leads nowhere."""

import re
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from conftest import Servers, bury
from httpd import free_ports
from meetings import Api
from pexip import Node, one_leg
from workspace import BASE, PREFIX, workspace

HTML = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
JSON = {"Accept": "application/json"}

VARIANTS = {
    "nopins": "PexipRCPins none",
    "long": "PexipRCPins random 20",
    "branding": "PexipRCBrandingPath sales",
    "path": "PexipRCMeetingPath /webapp3/m/{alias}?join=1&callType=video",
    "question": "PexipRCMeetingPath /m/{alias}?",
    "both": "PexipRCBrandingPath sales\nPexipRCMeetingPath /team/conference?x=1&conference={alias}",
    "joinurl": "PexipRCJoinURL https://calls.example.com/go/to",
    "port": "",
}


@pytest.fixture(scope="module")
def server(mpm):
    """The usual workspace on the first port, the others behind it."""
    ports = free_ports(len(VARIANTS) + 1)
    servers = Servers(mpm)
    usual = f"<VirtualHost 127.0.0.1:{ports[0]}>\n{workspace(extra='PexipRCNumericAlias 77 6')}\n</VirtualHost>\n"
    hosts = "".join(
        f"<VirtualHost 127.0.0.1:{port}>\n"
        f"{workspace(site=f'https://{name}.example.com', base='https://meet.example.com:8443' if name == 'port' else BASE, extra=extra)}\n"
        "</VirtualHost>\n" for port, (name, extra) in zip(ports[1:], VARIANTS.items()))
    try:
        httpd = servers(usual + hosts, ports=ports)
        httpd.variants = dict(zip(VARIANTS, ports[1:]))
        yield httpd
    finally:
        bury(servers)


def answered(answer, status):
    """With the headers that every answer of the handler has."""
    assert answer.status == status, f"{answer.status} {answer.text[:300]}"
    assert answer.headers.get_all("Referrer-Policy") == ["no-referrer"]
    assert answer.headers.get_all("Cache-Control") == ["no-store"]
    return answer


def path_of(meeting):
    return urlsplit(meeting["join_url"]).path


@pytest.fixture
def visit(server, meeting):
    """visit(query, method, headers) follows the meeting's join link."""
    def go(query="", method="GET", headers=None):
        return server.request(method, path_of(meeting) + (f"?{query}" if query else ""), headers=headers or {})
    return go


def guest_url(meeting, name=None):
    suffix = "" if name is None else "&name=" + quote(name, safe="-._~")
    return f"{BASE}/webapp/conference?conference={meeting['id']}&pin={meeting['pins']['guest']}{suffix}"


class Page(HTMLParser):
    def __init__(self, answer):
        super().__init__()
        assert answer.headers["Content-Type"].split(";")[0] == "text/html"
        self.tags, self.words, self.attributes = [], "", []
        self.feed(answer.body.decode("utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.words += data


def is_page(answer):
    page = Page(answer)
    assert {"html", "title", "body"} <= set(page.tags) and len(page.words.split()) > 5
    assert "lang" in dict(page.attributes)
    foreign = [value for name, value in page.attributes if name in ("src", "href") and value and re.match(r"(https?:)?//", value)]
    assert not foreign, f"loads from elsewhere: {foreign}"
    return True


def is_problem(answer):
    assert answer.headers["Content-Type"].split(";")[0] == "application/problem+json"
    body = answer.json()
    assert body.get("status", answer.status) == answer.status and (body.get("title") or body.get("detail"))
    return True


# Where it leads

def test_a_visitor_becomes_a_guest(visit, meeting):
    answer = answered(visit(), 303)
    assert answer.headers.get_all("Location") == [guest_url(meeting)]
    assert meeting["pins"]["host"] not in answer.text


@pytest.mark.parametrize("headers", [HTML, JSON, {"Accept": "*/*"}, {"Accept": ""}], ids=str)
def test_it_leads_there_whatever_is_accepted(visit, meeting, headers):
    assert answered(visit("guest", headers=headers), 303).headers["Location"] == guest_url(meeting)


NAMES = ["Anna Example", "Nina Østergård", "a&pin=1", "#fragment", "100% %41", "a+b", "😀 اسم", "</script>", 'q"\\', "-._~!*'()", "x" * 250]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: name[:12])
def test_a_name_is_handed_on_percent_encoded_once(visit, meeting, name):
    assert answered(visit("name=" + quote(name, safe="")), 303).headers["Location"] == guest_url(meeting, name)


def test_a_plus_in_the_query_is_a_blank(visit, meeting):
    assert visit("name=Anna+Example").headers["Location"] == guest_url(meeting, "Anna Example")


HOSTILE = ["%0d%0aSet-Cookie:%20a=b", "a%0ab", "%00", "a%00b", "%ff%fe", "%C3", "%", "%zz", "%u0041", "a%1b[31m", "x" * 7900, "%F0%9F%98%80" * 600,
           "%ed%a0%80", "%c0%af", "", "%20", "+", "%E2%80%AE"]


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: name[:12])
def test_a_hostile_name_changes_nothing_else(visit, meeting, name):
    answer = answered(visit("name=" + name), 303)
    location, = answer.headers.get_all("Location")
    assert re.fullmatch(r"[!-~]+", location) and "Set-Cookie" not in answer.headers
    plain = guest_url(meeting)
    assert location == plain or location.startswith(plain + "&name=")
    assert parse_qs(urlsplit(location).query, errors="strict").keys() <= {"conference", "pin", "name"}
    given = parse_qs(urlsplit(location).query).get("name", [""])[0]
    assert len(given) <= 250 and not any(ord(each) < 32 for each in given)


@pytest.mark.parametrize("query", ["pin=1", "role=host", "conference=other", "pin=1&conference=other&role=host", "rid=https://evil.example/", "x=1&y=2",
                                   "muteMicrophone", "guest", "%zz", "&&&"])
def test_nothing_else_of_the_query_is_handed_on(visit, meeting, query):
    assert answered(visit(query), 303).headers["Location"] == guest_url(meeting)


def test_one_name_only_is_handed_on(visit, meeting):
    location = answered(visit("name=Anna&name=Boris"), 303).headers["Location"]
    assert location in (guest_url(meeting, "Anna"), guest_url(meeting, "Boris"))


def test_a_live_meeting_is_joined_the_same_way(visit, meeting, node):
    node.conference_started(meeting["id"])
    one_leg(node, meeting["id"], "Anna")
    assert answered(visit(), 303).headers["Location"] == guest_url(meeting)


@pytest.mark.parametrize("variant, wanted", [
    ("nopins", "https://meet.example.com/webapp/conference?conference={id}&name=Anna"),
    ("branding", "https://meet.example.com/sales/conference?conference={id}&pin={pin}&name=Anna"),
    ("path", "https://meet.example.com/webapp3/m/{id}?join=1&callType=video&pin={pin}&name=Anna"),
    ("question", "https://meet.example.com/m/{id}?pin={pin}&name=Anna"),
    ("both", "https://meet.example.com/team/conference?x=1&conference={id}&pin={pin}&name=Anna"),
    ("port", "https://meet.example.com:8443/webapp/conference?conference={id}&pin={pin}&name=Anna")])
def test_settings_shape_the_personal_url(server, variant, wanted):
    port = server.variants[variant]
    meeting = Api(server, port=port).create()
    answer = answered(server.request("GET", path_of(meeting) + "?name=Anna", port=port), 303)
    assert answer.headers["Location"].replace("?&", "?") == wanted.format(id=meeting["id"], pin=(meeting["pins"] or {}).get("guest"))


def test_the_join_url_is_where_the_administrator_says(server):
    meeting = Api(server, port=server.variants["joinurl"]).create()
    assert re.fullmatch(r"https://calls\.example\.com/go/to/join/[A-Za-z0-9_-]{22,}", meeting["join_url"])


def test_it_works_below_any_prefix(make_httpd):
    server = make_httpd(workspace(prefix="/some/where", extra="PexipRCJoinURL https://chat.example.com/some/where"))
    meeting = Api(server, prefix="/some/where").create()
    assert answered(server.request("GET", path_of(meeting)), 303).headers["Location"] == guest_url(meeting)


# Where it leads nowhere

def keys(meeting):
    key = path_of(meeting).rpartition("/")[2]
    return {"unknown": "A" * len(key), "id": meeting["id"], "number": meeting["numeric_alias"], "longer": key + "x", "shorter": key[:-1],
            "other case": key.swapcase(), "nothing": "", "long": "k" * 7000, "markup": "%3Cscript%3Ealert(1)%3C/script%3E", "binary": "%ff%01",
            "deeper": key + "/x/y", "quote": key + "%22"}


@pytest.mark.parametrize("which", ["unknown", "id", "number", "longer", "shorter", "other case", "nothing", "long", "markup", "binary", "deeper", "quote"])
def test_what_is_no_key_is_not_found(server, meeting, which):
    path = f"{PREFIX}/join/{keys(meeting)[which]}"
    assert is_page(answered(server.request("GET", path, headers=HTML), 404))
    assert is_problem(answered(server.request("GET", path, headers=JSON), 404))
    assert "<script>alert" not in server.request("GET", path, headers=HTML).text


def test_the_bare_handler_is_not_found(server):
    answered(server.request("GET", f"{PREFIX}/join"), 404)


def make_ended(api, server):
    meeting = api.create(title="<script>alert(1)</script>")
    api.delete(meeting["id"])
    return meeting


def make_closed(api, server):
    meeting = api.create()
    node = Node("10.20.30.40", server)
    node.started()
    node.conference_started(meeting["id"])
    one_leg(node, meeting["id"], "Anna")
    api.delete(meeting["id"])
    assert api.read(meeting["id"])["state"] == "live"
    return meeting


def make_early(api, server):
    begin = datetime.now(timezone.utc) + timedelta(hours=1)
    return api.create(title="<script>alert(1)</script>", not_before=begin.isoformat(timespec="seconds"))


@pytest.mark.parametrize("make, status", [(make_ended, 410), (make_closed, 410), (make_early, 403)])
def test_a_meeting_that_cannot_be_joined_says_so(api, server, make, status):
    meeting = make(api, server)
    path = path_of(meeting)
    page = answered(server.request("GET", path + "?name=Anna", headers=HTML), status)
    assert is_page(page)
    assert is_problem(answered(server.request("GET", path, headers=JSON), status))
    for answer in (page, answered(server.request("GET", path, headers={"Accept": "*/*"}), status)):
        assert "Location" not in answer.headers
        assert "<script>alert" not in answer.text
        assert not any(pin in answer.text for pin in meeting["pins"].values())
    head = answered(server.request("HEAD", path, headers=HTML), status)
    assert head.body == b""


def test_accept_decides_by_its_weights(server):
    path = f"{PREFIX}/join/unknown"
    assert is_page(server.request("GET", path, headers={"Accept": "text/html, application/json;q=0.5"}))
    assert is_problem(server.request("GET", path, headers={"Accept": "application/problem+json"}))


# Methods

def test_head_says_the_same_without_a_body(visit, meeting):
    answer = answered(visit("name=Anna", "HEAD"), 303)
    assert (answer.headers["Location"], answer.body) == (guest_url(meeting, "Anna"), b"")


def test_post_leads_to_the_same_place(visit, meeting):
    assert answered(visit(method="POST"), 303).headers["Location"] == guest_url(meeting)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("key", ["known", "unknown"])
def test_other_methods_are_refused_with_allow(server, api, meeting, method, key):
    path = path_of(meeting) if key == "known" else f"{PREFIX}/join/unknown"
    answer = answered(server.request(method, path), 405)
    assert {each.strip() for each in answer.headers["Allow"].split(",")} >= {"GET", "POST"}
    assert method not in answer.headers["Allow"]
    assert api.read(meeting["id"]) == meeting


# What is kept secret

def test_no_log_tells_pins_names_or_keys(server):
    port = server.variants["long"]
    api = Api(server, port=port)
    meeting = api.create(title="Hush-hush-title")
    server.request("GET", path_of(meeting) + "?name=Somebody-Unmistakable", port=port)
    api.link(meeting["id"], {"id": "u", "username": "u", "name": "Another-Unmistakable"})
    api.delete(meeting["id"])
    server.request("GET", path_of(meeting) + "?name=Somebody-Unmistakable", port=port, headers=HTML)
    key = path_of(meeting).rpartition("/")[2]
    errors, accesses = server.error_log(), server.access_log()
    assert f"{PREFIX}/api/v1/meetings/{meeting['id']}" in accesses
    for secret in (*meeting["pins"].values(), "Unmistakable"):
        assert secret not in errors and secret not in accesses
    assert key not in errors
