"""What the join page does: it hands in the session that the web client keeps in the browser, and is told where to go."""

import json
import re
import time
from urllib.parse import urlsplit

import pytest
from chat import blameless, make_sites, sites  # noqa: F401
from joining import create, kept, meeting, site  # noqa: F401
from visitor import NAVIGATION, Visitor
from workspace import BASE


@pytest.fixture(scope="module")
def all_sites(mpm):
    with sites(mpm, {"usual": {}, "chatty": {"extra": "PexipRCPersistentChat On\nPexipRCNumericAlias 77 6"},
                     "away": {"extra": "PexipRCJoinURL https://calls.example.com/pexip"},
                     "mute": {"rest": False, "webhook": False}}) as made:
        yield made


def hand_in(site, meeting, user=None, *, body=None, headers=None, path="", query="", **options):
    """As the page's script does it."""
    if body is None:
        body = {"userId": user.id, "authToken": user.token}
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    sent = {"Host": urlsplit(site.url).netloc, "Origin": site.url, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors",
            "Content-Type": "application/json", "Accept": "application/json", **(headers or {})}
    sent = {name: value for name, value in sent.items() if value is not None}
    where = urlsplit(meeting["join_url"]).path + path + (f"?{query}" if query else "")
    return kept(site.request("POST", where, headers=sent, body=body, **options))


@pytest.mark.parametrize("who, role", [("nina", "host"), ("boris", "guest")])
def test_a_session_that_is_handed_in_names_its_user(site, meeting, who, role):
    user = getattr(site, who)
    answer = hand_in(site, meeting, user)
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {"url": site.personal_url(meeting, role, user.name), "role": role, "recognised": True}


def test_without_credentials_of_the_module_visitors_are_recognised_too(all_sites):
    site = all_sites["mute"]
    meeting = create(site)
    assert hand_in(site, meeting, site.nina).json()["role"] == "host"


def test_what_rocketchat_does_not_know_makes_a_guest(site, meeting):
    for body in ({"userId": site.nina.id, "authToken": "x" * 43}, {"userId": site.nina.id, "authToken": site.boris.token}):
        answer = hand_in(site, meeting, body=body, query="name=Somebody")
        assert answer.json() == {"url": site.personal_url(meeting, "guest", "Somebody"), "role": "guest", "recognised": False}


def test_what_is_handed_in_counts_before_the_cookies(site, meeting):
    cookies = "; ".join(f"{name}={value}" for name, value in site.boris.cookies().items())
    assert hand_in(site, meeting, site.nina, headers={"Cookie": cookies}).json()["role"] == "host"


@pytest.mark.parametrize("headers", [
    {"Origin": None}, {"Origin": "null"}, {"Origin": "https://evil.example"}, {"Origin": "http://usual.example.com"},
    {"Origin": "https://usual.example.com.evil.example"}, {"Origin": "https://usual.example.com:8443"}, {"Origin": "HTTPS://usual.example.com/"},
    {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "none"}], ids=str)
@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
def test_another_site_cannot_hand_anything_in(site, meeting, headers, kind):
    body = None if kind == "application/json" else f"userId={site.nina.id}&authToken={site.nina.token}".encode()
    answer = hand_in(site, meeting, site.nina, body=body, headers={**headers, "Content-Type": kind})
    assert answer.status == 403 and answer.headers["Content-Type"] == "application/problem+json"
    assert not any(pin in answer.text for pin in meeting["pins"].values())


def test_an_older_browser_says_less(site, meeting):
    answer = hand_in(site, meeting, site.nina, headers={"Sec-Fetch-Site": None, "Sec-Fetch-Mode": None, "Content-Type": "application/json; charset=utf-8"})
    assert answer.json()["role"] == "host"


def test_a_form_leads_like_a_link(site, meeting):
    form = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"}
    body = f"userId={site.nina.id}&authToken={site.nina.token}".encode()
    answer = hand_in(site, meeting, body=body, headers=form)
    assert (answer.status, answer.headers["Location"]) == (303, site.personal_url(meeting, "host", "Nina Example"))
    answer = hand_in(site, meeting, body=b"name=Some+Body", headers=form)
    assert (answer.status, answer.headers["Location"]) == (303, site.personal_url(meeting, "guest", "Some Body"))


HOSTILE = [b"x", b"{", b"[]", b"null", b'"x"', b"{}", b'{"userId":"u"}', b'{"authToken":"t"}', b'{"userId":1,"authToken":2}', b'{"userId":"","authToken":""}',
           b'{"userId":"a b","authToken":"t"}', b'{"userId":"a\\r\\nX-Evil: 1","authToken":"t"}', b'{"userId":"a\\u0000","authToken":"t"}',
           b'{"userId":"\xc3\xb8","authToken":"t"}', b'{"userId":"u","userId":"v","authToken":"t"}', b'{"userId":"' + b"u" * 65 + b'","authToken":"t"}',
           b'{"userId":"u","authToken":"' + b"t" * 256 + b'"}', b"\xff\xfe{}", b"[" * 5000, b'{"a":' * 1300 + b"1" + b"}" * 1300]
FORMS = [b"userId=u", b"authToken=t", b"userId=&authToken=", b"userId=%00&authToken=t", b"userId=%ff&authToken=t", b"userId=%zz&authToken=t",
         b"userId=a%0d%0ab&authToken=t", b"userId=" + b"u" * 65 + b"&authToken=t", b"name=%ff", b"name=" + b"x" * 3000]


@pytest.mark.parametrize("kind, bodies", [("application/json", HOSTILE), ("application/x-www-form-urlencoded", FORMS),
                                          ("text/plain", [b"x"]), ("multipart/form-data; boundary=x", [b"--x--"]), ("application/jsonx", [b"{}"])])
def test_a_hostile_body_is_refused(site, meeting, kind, bodies):
    before = len(site.chat.calls_of("me"))
    for body in bodies:
        answer = hand_in(site, meeting, body=body, headers={"Content-Type": kind})
        assert answer.status == 400, body[:60]
        assert answer.headers["Content-Type"] == "application/problem+json" and answer.json()["status"] == 400
    assert len(site.chat.calls_of("me")) == before


def test_a_long_body_is_refused(site, meeting):
    answer = hand_in(site, meeting, body=b" " * 8193)
    assert answer.status == 413 and answer.headers["Content-Type"] == "application/problem+json"
    assert hand_in(site, meeting, body=b" " * 8100 + json.dumps({"userId": site.nina.id, "authToken": site.nina.token}).encode()[:80]).status in (200, 400)


@pytest.mark.parametrize("end", ["delete", "unknown"])
def test_where_nobody_can_join_nothing_is_asked(site, meeting, end):
    if end == "delete":
        site.api.delete(meeting["id"])
    else:
        meeting = {**meeting, "join_url": meeting["join_url"] + "x"}
    before = len(site.chat.calls_of("me"))
    answer = hand_in(site, meeting, site.nina)
    assert answer.status == {"delete": 410, "unknown": 404}[end] and answer.headers["Content-Type"] == "application/problem+json"
    assert len(site.chat.calls_of("me")) == before


# When there is a page

def opened(site, meeting, query="", **headers):
    return kept(site.visitor(navigates=True, headers=headers).open(meeting["join_url"], query))


@pytest.mark.parametrize("host, is_page", [
    ("usual.example.com", True), ("USUAL.example.com", True), ("usual.example.com:443", True), ("usual.example.com:8443", False),
    ("usual.example.com.evil.example", False), ("calls.example.com", False), ("127.0.0.1", False)])
def test_only_the_workspaces_own_origin_has_a_page(site, meeting, host, is_page):
    assert (opened(site, meeting, Host=host).status == 200) is is_page


def test_where_join_links_lead_to_another_origin_there_is_no_page(all_sites):
    site = all_sites["away"]
    meeting = create(site)
    for host in ("away.example.com", "calls.example.com"):
        assert opened(site, meeting, Host=host).status == 303


def test_the_page_keeps_the_name_that_the_link_proposes(site, meeting):
    page = opened(site, meeting, "name=Anna%20%26%20%22Bo%22%3C%2Fscript%3E").text
    guest, = re.findall(r'id="guest" href="([^"]*)"', page)
    assert guest == "?guest&amp;name=Anna%20%26%20%22Bo%22%3C%2Fscript%3E" and page.count("</script>") == 1
    landed = opened(site, meeting, guest[1:].replace("&amp;", "&"))
    assert landed.name == 'Anna & "Bo"</script>' and landed.status == 303


def test_the_page_is_a_new_one_each_time_and_allows_itself_only(site, meeting):
    nonces = set()
    for _ in range(3):
        landed = opened(site, meeting)
        policy = landed.headers["Content-Security-Policy"]
        nonce, = set(re.findall(r"'nonce-([^']+)'", policy))
        assert policy == (f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; base-uri 'none'; "
                          "form-action 'none'; frame-ancestors 'self'")
        assert landed.text.count(f'nonce="{nonce}"') == 2 and landed.text.count("nonce=") == 2
        nonces.add(nonce)
    assert len(nonces) == 3


def test_head_says_the_same_as_get(site, meeting):
    for user, status in ((None, 200), (site.nina, 303)):
        landed = kept(site.visitor(user, navigates=True).open(meeting["join_url"], method="HEAD"))
        assert landed.status == status and landed.text == ""


# Rocket.Chat away

@pytest.fixture
def troubled(make_sites):
    made = make_sites({"usual": {}})
    made["usual"].httpd.expect(r"PexipRCRestURL: .*Rocket\.Chat does not tell who somebody is")
    return made["usual"]


def test_a_page_that_cannot_find_out_is_told_to_try_again(troubled):
    site = troubled
    meeting = create(site)
    site.chat.fault("me", "hang")
    began = time.monotonic()
    answer = hand_in(site, meeting, site.nina)
    assert answer.status == 503 and answer.headers["Retry-After"] and time.monotonic() - began < 2.5
    # Who is not the one that everybody waits for is not kept.
    answer = hand_in(site, meeting, site.boris, query="name=Bo")
    assert answer.json() == {"url": site.personal_url(meeting, "guest", "Bo"), "role": "guest", "recognised": False}
    for _ in range(2):
        hand_in(site, meeting, site.nina)
    asked = len(site.chat.calls_of("me"))
    began = time.monotonic()
    for _ in range(10):
        assert hand_in(site, meeting, site.nina).status == 503
    assert time.monotonic() - began < 1 and len(site.chat.calls_of("me")) == asked == 3
    outside = site.status().json()["outside"]["sessions"]
    assert outside["state"] == "resting" and outside["url"] == site.chat.url


def test_too_many_requests_say_nothing_about_rocketchats_health(troubled):
    site = troubled
    site.httpd.expected.clear()
    meeting = create(site)
    for _ in range(5):
        site.chat.fault("me", "429")
    for _ in range(4):
        assert hand_in(site, meeting, site.nina).status == 503
    assert site.status().json()["outside"]["sessions"]["failed"] == 0


# Other ways in

def test_ways_in_are_told_to_programs_as_data(all_sites):
    site = all_sites["chatty"]
    meeting = create(site, title="Ways")
    host = urlsplit(BASE).hostname
    wanted = {"title": "Ways", "alias": meeting["id"], "numeric_alias": meeting["numeric_alias"], "address": f"{meeting['numeric_alias']}@{host}",
              "guest_pin": meeting["pins"]["guest"]}
    for user, more in ((site.nina, {"host_pin": meeting["pins"]["host"]}), (site.boris, {})):
        told = Visitor(site.httpd, user.cookies(), port=site.port, headers={"Accept": "application/json"}).open(urlsplit(meeting["join_url"]).path + "/info")
        assert kept(told).status == 200 and told.answer.json() == {**wanted, **more}
        assert hand_in(site, meeting, user, path="/info").json() == {**wanted, **more}
    told = Visitor(site.httpd, port=site.port, headers={"Accept": "application/json"}).open(urlsplit(meeting["join_url"]).path + "/info")
    assert kept(told).status == 403 and told.headers["Content-Type"] == "application/problem+json"
    stranger = kept(site.visitor(navigates=True).open(meeting["join_url"].split("?")[0] + "/info"))
    assert stranger.status == 403 and "log in" in stranger.text.lower() and meeting["numeric_alias"] not in stranger.text


def test_markup_in_titles_is_shown_as_it_is(site):
    meeting = create(site, title="<script>alert(1)</script>")
    page = site.visitor(site.nina, headers=NAVIGATION).open(urlsplit(meeting["join_url"]).path + "/info").text
    assert "<script>alert" not in page and "&lt;script&gt;alert(1)&lt;/script&gt;" in page


# The chat beside it

def test_the_chat_is_in_everybodys_link(all_sites):
    site = all_sites["chatty"]
    room = site.room("c")
    discussion = site.chat.add_discussion(room, "Talk", [site.nina, site.chat.bot])
    meeting = site.api.create(room=room.as_meant(), creator=site.nina.creator(),
                              discussion={"id": discussion.id, "name": discussion.name, "type": discussion.kind})
    wanted = f"{site.url}/{'channel' if discussion.kind == 'c' else 'group'}/{discussion.name}?layout=embedded"
    for user in (None, site.nina, site.boris):
        assert site.visitor(user).open(meeting["join_url"]).rid == wanted
    for kind in ({"name": "a%41b"}, {"name": "a/b"}, {"name": None}):
        odd = site.api.create(room=room.as_meant(), creator=site.nina.creator(), discussion={"id": "x", "type": "c", **kind})
        assert site.visitor().open(odd["join_url"]).rid is None
