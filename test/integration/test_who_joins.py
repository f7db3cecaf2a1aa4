"""Who somebody is at the join link: cookies of Rocket.Chat, a personal link, a page that asks; and a guest whenever that is not proven."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlsplit

import pytest
from chat import blameless, make_sites, sites  # noqa: F401
from httpd import PATIENCE
from joining import create, kept, meeting, site  # noqa: F401
from pexip import one_leg
from visitor import NAVIGATION, Visitor
from waiting import wait_until
from workspace import BASE

# What a visitor may have to wait for a Rocket.Chat that does not answer.
DEADLINE = 5 * PATIENCE
TROUBLE = r"Rocket\.Chat"
ORIGINS = {"elsewhere": "https://evil.example", "null": "null", "other scheme": "http://usual.example.com", "longer": "https://usual.example.com.evil.example",
           "other port": "https://usual.example.com:8443"}


@pytest.fixture(scope="module")
def all_sites(mpm):
    with sites(mpm, {"usual": {}, "other": {}, "open": {"extra": "PexipRCLocked Off"}, "pinless": {"extra": "PexipRCPins none"},
                     "numbers": {"extra": "PexipRCNumericAlias 77 6"},
                     # Six digits may stand in a log by chance.
                     "long": {"extra": "PexipRCPins random 20"}}) as made:
        yield made


def me_calls(site, user=None):
    return [call for call in site.chat.calls_of("me") if user is None or call.headers.get("X-User-Id") == user.id]


class Page(HTMLParser):
    def __init__(self, landed):
        super().__init__()
        assert landed.status == 200 and landed.headers["Content-Type"].split(";")[0] == "text/html", f"{landed.status} {landed.text[:300]}"
        self.landed, self.links, self.forms, self.scripts, self.sources, self.words, self.handlers, self.refreshes = landed, [], [], [], [], "", [], []
        self.feed(landed.text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.handlers += [name for name in given if name.startswith("on")]
        self.sources += [given[name] for name in ("src", "href", "action", "data", "srcset", "poster") if given.get(name) and (tag, name) != ("a", "href")]
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        elif tag == "form":
            self.forms.append(given)
        elif tag == "script":
            self.scripts.append(given)
        elif tag == "meta" and (given.get("http-equiv") or "").lower() == "refresh":
            self.refreshes.append(given["content"])

    def handle_data(self, data):
        self.words += data


# Cookies

@pytest.mark.parametrize("who, role", [("nina", "host"), ("boris", "guest"), ("carla", "guest")])
def test_a_session_of_rocketchat_names_its_user(site, meeting, who, role):
    user = getattr(site, who)
    landed = site.visitor(user).open(meeting["join_url"])
    assert kept(landed).status == 303 and landed.location == site.personal_url(meeting, role, user.name)


@pytest.mark.parametrize("navigates", [True, False])
def test_cookies_count_for_browsers_and_programs(site, meeting, navigates):
    assert site.visitor(site.nina, navigates=navigates).open(meeting["join_url"]).role(meeting) == "host"


def test_the_name_is_rocketchats_whatever_the_link_proposes(site, meeting):
    landed = site.visitor(site.boris).open(meeting["join_url"], "name=Nina")
    assert landed.name == "Boris Example"


def test_tokens_are_decoded_once(site, meeting):
    odd = site.chat.add_user("odd", "Odd", token="abc%2B+/=%25_-" + "x" * 20)
    assert site.visitor(odd).open(meeting["join_url"]).name == "Odd"


def broken_cookies(site, other):
    nina = site.nina
    return {
        "wrong token": {"rc_uid": nina.id, "rc_token": "x" * 43}, "another's token": {"rc_uid": nina.id, "rc_token": site.boris.token},
        "another workspace": other.nina.cookies(), "only user": {"rc_uid": nina.id}, "only token": {"rc_token": nina.token}, "empty": {"rc_uid": "", "rc_token": ""},
        "newline": {"rc_uid": nina.id + "\r\nX-Evil: 1", "rc_token": nina.token + "\n"}, "NUL": {"rc_uid": nina.id + "\0", "rc_token": nina.token},
        "long": {"rc_uid": "u" * 3000, "rc_token": "t" * 3000}, "other names": {"xrc_uid": nina.id, "xrc_token": nina.token}}


@pytest.mark.parametrize("which", ["wrong token", "another's token", "another workspace", "only user", "only token", "empty", "newline", "NUL", "long", "other names"])
def test_what_proves_nothing_makes_a_guest(all_sites, site, meeting, which):
    cookies = broken_cookies(site, all_sites["other"])[which]
    landed = Visitor(site.httpd, cookies, port=site.port).open(meeting["join_url"], "name=Somebody")
    assert kept(landed).role(meeting) == "guest" and landed.name == "Somebody"
    for call in me_calls(site):
        assert "X-Evil" not in call.headers and len(call.headers.get("X-User-Id", "")) < 300


def test_a_session_that_has_expired_makes_a_guest(site, meeting):
    expired = site.chat.add_user("expired", "Expired")
    mine = site.api.create(room=site.general.as_meant(), creator=expired.creator())
    cookies, expired.token = expired.cookies(), None
    assert Visitor(site.httpd, cookies, port=site.port).open(mine["join_url"]).role(mine) == "guest"


def test_a_deactivated_user_is_a_guest(site):
    gone = site.chat.add_user("gone", "Gone")
    mine = site.api.create(room=site.general.as_meant(), creator=gone.creator())
    gone.active = False
    assert site.visitor(gone).open(mine["join_url"]).role(mine) == "guest"


def test_a_user_with_the_creators_name_is_not_the_creator(site, meeting):
    namesake = site.chat.add_user("nina2", "Nina Example")
    assert site.visitor(namesake).open(meeting["join_url"]).role(meeting) == "guest"


@pytest.mark.parametrize("odd", [{"name": "x" * 300}, {"name": "x" * 300_000}, {"name": None, "username": None}, {"username": "u" * 300}], ids=lambda odd: str(odd)[:30])
def test_an_odd_profile_keeps_nobody_else_from_being_recognised(site, meeting, odd):
    """Whoever has it could otherwise pass for a Rocket.Chat that fails, which is not asked for a while."""
    site.httpd.expect(TROUBLE)
    user = site.chat.add_user("odd", "Odd")
    vars(user).update(odd)
    for number in range(4):
        user.token = f"token{number}of{user.id}"
        assert site.visitor(user).open(meeting["join_url"]).role(meeting) == "guest"
    somebody = site.chat.add_user("somebody", "Somebody")
    assert site.visitor(somebody).open(meeting["join_url"]).name == "Somebody"


def test_without_cookies_rocketchat_is_not_asked(site, meeting):
    before = len(me_calls(site))
    assert site.visitor().open(meeting["join_url"]).role(meeting) == "guest"
    assert len(me_calls(site)) == before


def test_rocketchat_is_asked_with_the_visitors_credentials_and_address(site, meeting):
    user = site.chat.add_user("asked", "Asked")
    site.visitor(user).open(meeting["join_url"])
    call, = me_calls(site, user)
    assert (call.method, call.headers["X-Auth-Token"]) == ("GET", user.token)
    assert call.headers["X-Real-IP"] == "127.0.0.1"
    assert "Cookie" not in call.headers and "Authorization" not in call.headers


def test_a_session_is_asked_about_once_a_minute(site, meeting):
    user = site.chat.add_user("frequent", "Frequent")
    for _ in range(5):
        assert site.visitor(user).open(meeting["join_url"]).name == "Frequent"
    # Each process may keep its own answers.
    assert len(me_calls(site, user)) <= len(site.httpd.children())


def test_what_is_remembered_is_the_pair(site, meeting):
    user = site.chat.add_user("paired", "Paired")
    mine = site.api.create(room=site.general.as_meant(), creator=user.creator())
    for _ in range(8):
        assert site.visitor(user).open(mine["join_url"]).role(mine) == "host"
        assert Visitor(site.httpd, {"rc_uid": user.id, "rc_token": user.token[:-1] + "!"}, port=site.port).open(mine["join_url"]).role(mine) == "guest"


def test_after_the_end_nobody_is_asked(site):
    mine = create(site)
    site.api.delete(mine["id"])
    before = len(me_calls(site))
    landed = kept(site.visitor(site.nina, navigates=True).open(mine["join_url"]))
    assert landed.status == 410 and len(me_calls(site)) == before


def test_many_at_once_are_each_themselves(site, meeting):
    people = [site.chat.add_user(f"crowd{number}", f"Crowd {number}") for number in range(40)]
    with ThreadPoolExecutor(20) as pool:
        landed = list(pool.map(lambda user: site.visitor(user).open(meeting["join_url"]), people))
    # At most some of the workers ask at the same time: the others may be sent on as guests, but never as somebody else.
    assert {each.role(meeting) for each in landed} == {"guest"}
    assert all(each.name in (None, user.name) for each, user in zip(landed, people))


# Personal links

@pytest.fixture(scope="module")
def personal(all_sites):
    """Meetings that nina has started in rooms, with her links: [(meeting, link)]."""
    site = all_sites["usual"]
    return [(meeting, site.personal_link(meeting)) for meeting in (site.start("First"), site.start("Second"))]


def test_the_creators_link_makes_a_host_without_cookies(site, personal):
    for meeting, link in personal:
        before = len(me_calls(site))
        landed = kept(site.visitor(navigates=True).open(link))
        creator = meeting["creator"]    # as the meeting knows him: a webhook tells the username only
        assert landed.status == 303 and landed.location == site.personal_url(meeting, "host", creator["name"] or creator["username"])
        assert len(me_calls(site)) == before


def test_a_link_with_anything_changed_makes_a_guest(site, personal):
    (meeting, link), (other, other_link) = personal
    key = parse_qs(urlsplit(link).query)["k"][0]
    changed = [key[:-1] + ("A" if key[-1] != "A" else "B"), key[:-1], key + "A", key[1:], key.swapcase(), "", "x", "x" * 5000, "%00", "%ff", key.replace(key[5], "~"),
               parse_qs(urlsplit(other_link).query)["k"][0]]
    for number in range(0, len(key), 7):
        changed.append(key[:number] + ("z" if key[number] != "z" else "y") + key[number + 1:])
    for each in changed:
        if each != key:
            landed = kept(site.visitor().open(meeting["join_url"], f"k={each}"))
            assert landed.role(meeting) == "guest", each[:60]


def test_a_link_of_another_workspace_makes_a_guest(all_sites, site, personal):
    meeting, _ = personal[0]
    other = all_sites["other"]
    foreign = other.start("Foreign", user=other.nina)
    link = other.personal_link(foreign)
    assert site.visitor().open(meeting["join_url"], urlsplit(link).query).role(meeting) == "guest"


def test_a_link_outlives_restarts_but_not_its_meeting(site, personal):
    site.httpd.graceful()
    meeting, link = personal[1]
    assert site.visitor().open(link).role(meeting) == "host"
    site.api.delete(meeting["id"])
    landed = kept(site.visitor(navigates=True).open(link))
    assert landed.status == 410 and not any(pin in landed.text for pin in meeting["pins"].values())


# The page

def test_a_browser_without_proof_gets_a_page(site, meeting):
    page = Page(kept(site.visitor(navigates=True).open(meeting["join_url"], headers={"Sec-Fetch-Site": "same-origin"})))
    policy = page.landed.headers["Content-Security-Policy"]
    assert "unsafe-inline" not in policy and "unsafe-eval" not in policy and re.search(r"default-src 'none'|default-src 'self'", policy)
    assert "frame-ancestors" in policy or page.landed.headers.get("X-Frame-Options")
    assert not page.handlers and not page.refreshes
    foreign = [each for each in page.sources if re.match(r"(https?:)?//", each) and not each.startswith(site.url + "/")]
    assert not foreign, f"loads from elsewhere: {foreign}"
    assert not any(pin in page.landed.text for pin in meeting["pins"].values())
    # Without script there is a link that goes on as guest.
    guest = [link for link in page.links if re.search(r"[?&]guest\b", link)]
    assert guest, page.links
    landed = site.visitor(navigates=True).open(urlsplit(meeting["join_url"]).path, urlsplit(guest[0]).query)
    assert landed.status == 303 and landed.role(meeting) == "guest"


@pytest.mark.parametrize("title", ["<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "</title><b>"])
def test_the_page_shows_titles_as_they_are(site, title):
    mine = create(site, title=title)
    page = Page(site.visitor(navigates=True).open(mine["join_url"], "name=%3Cb%3E"))
    assert title not in page.landed.text and not page.handlers and "<b>" not in page.landed.text


@pytest.mark.parametrize("headers", [
    {"Accept": "*/*"}, {"Accept": "application/json"}, {"Sec-Fetch-Mode": "cors", **{"Accept": "text/html"}},
    {"Sec-Fetch-Mode": "navigate", "Accept": "application/json"}], ids=str)
def test_who_does_not_navigate_is_a_guest_at_once(site, meeting, headers):
    landed = kept(Visitor(site.httpd, headers=headers, port=site.port).open(meeting["join_url"]))
    assert landed.status == 303 and landed.role(meeting) == "guest"


def proof(site, user, token=None):
    return f"uid={user.id}&token={token or user.token}".encode()


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_post_from_elsewhere_proves_nothing(site, meeting, origin):
    """Whatever the page sends, another site's page must not be able to send: cookies or not, the visitor stays unproven."""
    for body in (proof(site, site.nina), b"", b"guest=1"):
        landed = kept(site.visitor(headers={**NAVIGATION, "Origin": ORIGINS[origin], "Sec-Fetch-Site": "cross-site", **FORM})
                      .open(meeting["join_url"], method="POST", body=body))
        assert landed.role(meeting) != "host" and meeting["pins"]["host"] not in landed.text
        assert landed.status in (200, 303, 400, 403, 415)


@pytest.mark.parametrize("body", [b"", b"x", b"{", b"[]", b"\xff" * 50, b"a=%zz&b=%00", b"uid=&token=", b"x" * 100_000, b"{}" * 40000], ids=lambda body: repr(body[:10]))
@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "application/json", "text/plain"])
def test_odd_posts_never_cause_a_fault(site, meeting, body, kind):
    landed = kept(site.visitor(headers={**NAVIGATION, "Origin": site.url, "Content-Type": kind}).open(meeting["join_url"], method="POST", body=body))
    assert landed.status < 500 and landed.role(meeting) != "host"


# Rocket.Chat that does not answer

@pytest.fixture
def troubled(make_sites):
    made = make_sites({"locked": {}, "open": {"extra": "PexipRCLocked Off"}})
    made["locked"].httpd.expect(TROUBLE)
    return made


@pytest.mark.parametrize("how", ["down", "hang", "500", "502", "garbage", "huge", "failure", "reset"])
def test_whose_rocketchat_does_not_answer_may_retry_or_go_on(troubled, how):
    meetings = {name: create(site) for name, site in troubled.items()}
    for name, site in troubled.items():
        if how == "down":
            site.chat.down()
        else:
            site.chat.fault("me", how)
        began = time.monotonic()
        landed = kept(site.visitor(site.nina, navigates=True).open(meetings[name]["join_url"]))
        assert time.monotonic() - began < DEADLINE
        if name == "open":      # a guest can go in without a host: nothing to wait for
            assert landed.role(meetings[name]) == "guest"
            continue
        page = Page(landed)
        assert any(re.search(r"[?&]guest\b", link) for link in page.links)
        assert not any(pin in landed.text for pin in meetings[name]["pins"].values())
    site, meeting = troubled["locked"], meetings["locked"]
    landed = site.visitor(site.nina, navigates=True).open(meeting["join_url"], "guest")
    assert landed.role(meeting) == "guest"
    if how != "down":
        return
    site.chat.up()
    wait_until(lambda: site.visitor(site.nina, navigates=True).open(meeting["join_url"]).role(meeting) == "host", 35 * PATIENCE, "the host to be recognised", every=0.3)


def test_while_its_host_is_in_nobody_needs_to_wait_for_rocketchat(troubled):
    site = troubled["locked"]
    meeting = create(site)
    node = site.node()
    node.conference_started(meeting["id"])
    one_leg(node, meeting["id"], "Host", role="chair")
    site.chat.down()
    assert site.visitor(site.boris, navigates=True).open(meeting["join_url"]).status in (200, 303)


def test_many_who_wait_for_rocketchat_do_not_stop_the_others(troubled):
    site = troubled["locked"]
    meeting = create(site)
    site.chat.fault("me", "hang")
    node = site.node()
    with ThreadPoolExecutor(30) as pool:
        waiting = [pool.submit(site.visitor(site.chat.add_user(f"waiting{number}"), navigates=True).open, meeting["join_url"]) for number in range(30)]
        for _ in range(20):
            began = time.monotonic()
            assert node.policy(meeting["id"]).status == 200
            assert time.monotonic() - began < 2 * PATIENCE
        landed = [each.result() for each in waiting]
    assert {each.status for each in landed} <= {200, 303}


# Other ways in

def info(site, meeting, user=None, query="", **options):
    options.setdefault("headers", {"Accept": "text/html"})
    return kept(site.visitor(user, **options).open(urlsplit(meeting["join_url"]).path + "/info", query))


def test_who_is_recognised_is_told_other_ways_in_and_only_the_creator_the_host_pin(all_sites):
    site = all_sites["numbers"]
    meeting = site.start("Ways in")
    for landed in (info(site, meeting, site.nina), info(site, meeting, query=urlsplit(site.personal_link(meeting)).query)):
        assert landed.status == 200 and meeting["numeric_alias"] in landed.text
        assert meeting["pins"]["host"] in landed.text and meeting["pins"]["guest"] in landed.text
    landed = info(site, meeting, site.boris)
    assert landed.status == 200 and meeting["numeric_alias"] in landed.text
    assert meeting["pins"]["guest"] in landed.text and meeting["pins"]["host"] not in landed.text
    for landed in (info(site, meeting), info(site, meeting, query="k=x"), info(site, meeting, query="guest")):
        assert 200 <= landed.status < 500 and not any(pin in landed.text for pin in meeting["pins"].values())
    site.api.delete(meeting["id"])
    landed = info(site, meeting, site.nina)
    assert landed.status == 410 and not any(pin in landed.text for pin in meeting["pins"].values())


def test_where_there_are_no_pins_everybody_is_let_in_by_name(all_sites):
    site = all_sites["pinless"]
    meeting = create(site)
    landed = site.visitor(site.nina).open(meeting["join_url"])
    assert landed.location == f"{BASE}/webapp/conference?conference={meeting['id']}&name=Nina%20Example"
    assert info(site, meeting, site.nina).status == 200


# What is kept secret

def test_logs_and_pages_tell_no_secrets(all_sites):
    site = all_sites["long"]
    meeting = site.start("Hush-hush-title")
    link = site.personal_link(meeting)
    site.visitor(site.nina).open(link)
    site.visitor(site.boris, navigates=True).open(meeting["join_url"])
    info(site, meeting, site.nina)
    site.visitor(headers={**NAVIGATION, "Origin": site.url, **FORM}).open(meeting["join_url"], method="POST", body=proof(site, site.nina))
    texts = [site.httpd.error_log(), site.httpd.access_log(), site.status().text, str(site.deliveries())]
    key = parse_qs(urlsplit(link).query)["k"][0]
    for text in texts:
        for secret in (*meeting["pins"].values(), key, site.nina.token, site.boris.token, site.chat.bot.token, site.token):
            assert secret not in text
        assert "Authorization" not in text
