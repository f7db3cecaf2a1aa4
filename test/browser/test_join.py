"""The join link in a browser: who is led where, what is found in the web client's storage, and that nobody else hears of it."""

import re
import time
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from browser import Browser
from httpd import PATIENCE
from looks import check_looks
from public import hosts_of, public_sites
from waiting import wait_until
from web import Web
from workspace import BASE

MEET = urlsplit(BASE).hostname
EVIL = "evil.example"
NEXT_YEAR = f"{time.gmtime().tm_year + 1}-07-22T20:15:00Z"
# The browser's own remark about a page that is not 200.
STATUS_REMARK = re.compile(r"Failed to load resource: the server responded with a status of (400|403|404|410|413|503)")


@pytest.fixture(scope="module")
def web():
    with Web(MEET, EVIL) as running:
        yield running


@pytest.fixture(scope="module")
def all_sites(mpm):
    with public_sites(mpm, {"usual": {}}) as made:
        yield made


@pytest.fixture(scope="module")
def browser(all_sites, web):
    with Browser({**hosts_of(all_sites), **web.hosts}) as running:
        yield running


@pytest.fixture
def site(all_sites):
    made = all_sites["usual"]
    yield made
    made.chat.faults.stop_all()


@pytest.fixture
def creator(site):
    """Somebody new: what was said of a session a moment ago is not asked again."""
    return site.chat.add_user(f"creator{len(site.chat.users)}", "Connie Example")


@pytest.fixture
def meeting(site, creator):
    return site.api.create(title="Weekly", room=site.general.as_meant(), creator=creator.creator())


@pytest.fixture
def visit(browser, site):
    """visit(user=None, **options of Browser.open): a tab, logged in to Rocket.Chat as user. None of them may complain."""
    pages = []

    def open_page(user=None, **options):
        page = browser.open(**options)
        pages.append(page)
        if user:
            site.log_in(page, user)
        return page
    yield open_page
    for page in pages:
        assert [each for each in page.seen().complaints if not STATUS_REMARK.match(each)] == []
        page.close()


def landed(page):
    """What the web app is told by the address that the visitor comes to."""
    page.wait_for_url(f"{BASE}/webapp/conference?**")
    return {name: value for name, [value] in parse_qs(urlsplit(page.url).query).items()}


def expected(meeting, role, name=None):
    return {"conference": meeting["id"], "pin": meeting["pins"][role], **({"name": name} if name else {})}


def kept_to_ourselves(site, web, page, *secrets):
    """Secrets go to the workspace's own origin in a body, and nowhere else; PINs and keys are in no Referer."""
    seen = page.seen()
    assert seen.hosts() <= {urlsplit(site.url).hostname, MEET}
    for request in seen.requests:
        assert "/pexip/" not in request["headers"].get("referer", "") and "pin=" not in request["headers"].get("referer", "")
        told = request["url"] if request["url"].startswith(site.url + "/") else str(request)
        assert not any(secret in told for secret in secrets), request["url"]
    assert not any(request.headers.get("Referer") for request in web.requests_of(MEET))
    assert not any(secret in str(each) for each in seen.console for secret in secrets)
    logs = site.httpd.error_log() + site.httpd.access_log() + (site.httpd.root / "logs" / "requests.log").read_text()
    assert not any(secret in logs for secret in secrets)


# Who is led where

def stand_still(page):
    """The page's clock stops, so that it can be looked at before it leads on. What the clock is told later happens again on each
    page that follows."""
    page.call("clock.install", {"time": 1000})
    page.call("clock.pauseAt", 2000)


@pytest.mark.parametrize("query, name", [("", None), ("?name=Anna%20%26%20Bo", "Anna & Bo")])
def test_who_is_not_known_comes_in_as_guest_within_a_second(site, web, meeting, visit, query, name):
    page = visit()
    stand_still(page)
    page.goto(meeting["join_url"] + query)
    page.call("clock.runFor", 500)
    assert page.url == meeting["join_url"] + query
    page.call("clock.runFor", 500)
    assert landed(page) == expected(meeting, "guest", name)
    kept_to_ourselves(site, web, page)


@pytest.mark.parametrize("role", ["host", "guest"])
def test_the_web_clients_session_is_found_and_leaks_nowhere(site, web, meeting, creator, visit, role):
    user = creator if role == "host" else site.boris
    page = visit(user)
    page.goto(meeting["join_url"])
    assert landed(page) == expected(meeting, role, user.name)
    assert page.evaluate("() => [document.referrer, window.opener, window.name]") == ["", None, ""]
    [handed_in] = [each for each in page.seen().requests if each["method"] == "POST"]
    assert handed_in["url"] == meeting["join_url"] and user.token in handed_in["body"]
    kept_to_ourselves(site, web, page, user.token)
    # The page in between is not in the history: who goes back is where he came from, not led on again.
    page.call("goBack")
    assert page.url == f"{site.url}/home"


def test_a_personal_link_leads_the_creator_without_any_session(site, web, visit):
    meeting = site.start()
    link = site.personal_link(meeting)
    page = visit()
    page.goto(link)
    assert landed(page) == expected(meeting, "host", site.nina.username)     # a webhook tells no other name
    key = parse_qs(urlsplit(link).query)["k"][0]
    assert not any(key in str(request.headers) + request.path for request in web.requests_of(MEET))
    assert key not in str([each["headers"] for each in page.seen().requests])


STORAGES = [
    ("{id}", "x" * 43), ("{id}", "{other}"), ("{id}", ""), ("", "{token}"), ("{id}\r\nX-Evil: 1", "{token}\u2028\n\0"), ("null", "undefined"),
    ("<img src=x onerror=alert(1)>", "</script><script>alert(1)</script>"), ('{"a":1}', '","userId":"x'), ("\U0001f600\u202e", "\ud83d"),
    ("u" * 1000000, "t" * 1000000)]


def test_whatever_else_is_stored_makes_a_guest(site, web, meeting, creator, visit):
    pages = []
    for stored in STORAGES:
        pages.append(page := visit())
        page.goto(f"{site.url}/home")
        values = [each.replace("{id}", creator.id).replace("{token}", creator.token).replace("{other}", site.boris.token) for each in stored]
        page.evaluate("(id, token) => { localStorage['Meteor.userId'] = id; localStorage['Meteor.loginToken'] = token; }", *values)
        page.goto(meeting["join_url"])
    for page, stored in zip(pages, STORAGES):
        assert landed(page) == expected(meeting, "guest"), stored
        kept_to_ourselves(site, web, page, creator.token)


def test_without_storage_the_visitor_is_a_guest(meeting, visit):
    page = visit()
    page.call("addInitScript", "Object.defineProperty(window, 'localStorage', {get() { throw new Error('SecurityError'); }})")
    page.goto(meeting["join_url"])
    assert landed(page) == expected(meeting, "guest")


# The page itself

def test_who_says_that_the_meeting_is_his_is_told_how(site, web, meeting, visit):
    page = visit()
    stand_still(page)
    page.goto(meeting["join_url"])
    assert not page.call("isVisible", selector="#how")
    page.click("text=I started this meeting")
    assert page.call("isVisible", selector="#how") and not page.call("isVisible", selector="#mine")
    assert page.evaluate("() => document.activeElement.id") == "how"
    assert "not known to Rocket.Chat" in page.text("#say")
    check_looks(page, "join-how", narrow=True)
    page.click("text=Try again")
    page.wait_for("() => document.getElementById('how')?.hidden")
    page.click("text=I started this meeting")
    page.click("a:text('Log in to Rocket.Chat')")
    page.wait_for_url(site.url + "/")
    kept_to_ourselves(site, web, page)


def test_who_says_so_is_not_led_on_before_he_wants(meeting, visit):
    page = visit()
    stand_still(page)
    page.goto(meeting["join_url"])
    page.click("text=I started this meeting")
    page.call("clock.runFor", 60000)
    assert page.url == meeting["join_url"]
    page.click("text=Join as guest")
    assert landed(page) == expected(meeting, "guest")


def test_who_has_logged_in_meanwhile_is_recognised_when_he_tries_again(site, meeting, creator, visit):
    page = visit()
    stand_still(page)
    page.goto(meeting["join_url"])
    page.click("text=I started this meeting")
    site.log_in(page, creator)
    page.call("goBack")
    page.call("clock.runFor", 2000)
    assert landed(page) == expected(meeting, "host", creator.name)


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_in_between(meeting, visit, dark):
    page = visit(dark=dark)
    stand_still(page)
    page.goto(meeting["join_url"])
    check_looks(page, f"join-{'dark' if dark else 'light'}")
    assert page.accessibility() == "\n".join([
        "- main:", '  - heading "Joining the meeting" [level=1]', "  - status: You are led to the meeting in a moment.", "  - paragraph:",
        '    - link "Join as guest":', '      - /url: "?guest"', "  - paragraph:", '    - button "I started this meeting"'])
    page.press("Tab")
    assert page.evaluate("() => document.activeElement.id") == "guest"
    page.press("Tab")
    assert page.evaluate("() => document.activeElement.id") == "mine"
    page.click("text=Join as guest")
    assert landed(page) == expected(meeting, "guest")


@pytest.mark.parametrize("name", [None, 'Anna "Bo" <b>&amp;</b> \u202eolleH \U0001f600'])
def test_without_script_the_link_leads_on(meeting, visit, name):
    page = visit(script=False)
    page.goto(meeting["join_url"] + (f"?name={quote(name, safe='')}" if name else ""))
    assert not page.call("isVisible", selector="#mine") and not page.call("isVisible", selector="#how")
    page.click("text=Join as guest")
    assert landed(page) == expected(meeting, "guest", name)


# Rocket.Chat away

@pytest.fixture
def away(site, meeting):
    """Makes Rocket.Chat hang, or whatever else; afterwards it is waited until the module has noticed that it is back."""
    site.httpd.expect("Rocket.Chat does not tell who somebody is")
    yield lambda kind, **options: site.chat.fault("me", kind, **options)
    site.chat.faults.stop_all()
    user = site.chat.add_user(f"healthy{len(site.chat.users)}", "Hal Example")
    wait_until(lambda: site.visitor(user).open(meeting["join_url"]).name == user.name, 15 * PATIENCE, "a Rocket.Chat that is asked again")


@pytest.fixture
def stranger(site):
    return site.chat.add_user(f"stranger{len(site.chat.users)}", "Sam Example")


def test_while_rocketchat_hangs_others_come_in_as_guests(site, meeting, stranger, visit, away):
    page = visit(stranger)
    fault = away("hang")
    page.goto(meeting["join_url"])
    assert landed(page) == expected(meeting, "guest")
    assert fault.hits == 1
    posted = next(each for each in page.seen().requests if each["method"] == "POST")
    assert page.seen().requests[-1]["at"] - posted["at"] < 20000 * PATIENCE


def test_while_rocketchat_is_slow_others_come_in_as_guests(site, meeting, stranger, visit, away):
    page = visit(stranger)
    away("slow", pause=0.1)
    page.goto(meeting["join_url"])
    assert landed(page) == expected(meeting, "guest")


def test_the_creator_waits_until_rocketchat_is_back(site, web, meeting, creator, visit, away):
    page = visit(creator)
    page.call("clock.install")
    fault = away("hang")
    page.goto(meeting["join_url"])
    page.wait_for("() => document.getElementById('say').textContent.includes('cannot be reached')")
    fault.stop()
    page.call("clock.fastForward", 5000)
    assert landed(page) == expected(meeting, "host", creator.name)
    kept_to_ourselves(site, web, page, creator.token)


def test_a_creator_whose_session_is_in_cookies_gets_a_page_that_tries_again(site, web, meeting, creator, visit, away):
    page = visit(script=False)
    page.set_cookies(site.url, creator.cookies())
    fault = away("hang")
    page.goto(meeting["join_url"])
    assert page.text("h1") == "Rocket.Chat cannot be reached"
    check_looks(page, "join-retry", narrow=True)
    fault.stop()
    assert landed(page) == expected(meeting, "host", creator.name)    # by itself
    kept_to_ourselves(site, web, page)


def test_whoever_does_not_want_to_wait_goes_in_as_guest(site, meeting, creator, visit, away):
    page = visit(script=False)
    page.set_cookies(site.url, creator.cookies())
    away("hang")
    page.goto(meeting["join_url"] + "?name=Me")
    page.click("text=Join as guest")
    assert landed(page) == expected(meeting, "guest", "Me")


# Where nobody can join

@pytest.mark.parametrize("case, status, heading", [
    ("ended", 410, "The meeting has ended"), ("unknown", 404, "There is no such meeting"), ("early", 403, "The meeting has not begun yet")])
def test_where_nobody_can_join_a_page_says_why(site, meeting, visit, case, status, heading):
    url = meeting["join_url"]
    if case == "ended":
        site.api.delete(meeting["id"])
    elif case == "unknown":
        url += "x"
    else:
        url = site.api.create(room=site.general.as_meant(), creator=site.nina.creator(), not_before=NEXT_YEAR)["join_url"]
    page = visit(site.nina)
    assert page.goto(url)["status"] == status
    assert page.text("h1") == page.call("title") == heading
    assert page.url == url
    check_looks(page, f"join-{case}", narrow=True)


@pytest.mark.parametrize("script, zone, said", [
    (True, "Asia/Kolkata", ["23 July", "01:45", "GMT+5:30"]), (True, "America/New_York", ["22 July", "16:15", "GMT-4"]),
    (False, "Asia/Kolkata", ["-07-22, 20:15 UTC"])])
def test_who_comes_too_early_is_told_the_moment_by_his_own_clock(site, visit, script, zone, said):
    meeting = site.api.create(room=site.general.as_meant(), creator=site.nina.creator(), not_before=NEXT_YEAR)
    page = visit(script=script, zone=zone)
    page.goto(meeting["join_url"])
    text = page.text("time")
    assert all(each in text for each in said), text


def test_who_waits_is_let_in_when_the_meeting_opens(site, visit):
    opens = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 4 * PATIENCE))
    meeting = site.api.create(room=site.general.as_meant(), creator=site.nina.creator(), not_before=opens)
    page = visit(script=False)
    page.goto(meeting["join_url"])
    page.click("text=Join as guest")    # which it does not offer before
    assert landed(page) == expected(meeting, "guest")


# Other people's texts

HOSTILE = {
    "markup": '</title></h1><img src=x onerror=alert(1)><script>alert(2)</script><svg onload=alert(3)>',
    "quotes": """'"><a href="javascript:alert(1)" onclick='alert(2)'>x</a> &lt;b&gt; &amp;amp; `${alert(3)}`""",
    "direction": "invoice \u202efdp.exe\u202c \u2066\u2067x",
    "separators": "a\u2028alert(1)\u2029b\u200d\U0001f468\u200d\U0001f469 \u0301\u0301\u0301",
    "long": "W" * 4000}


@pytest.mark.parametrize("how", ["cookies", "storage"])
def test_a_title_is_text_and_nothing_else(site, web, visit, how):
    page = visit(site.nina if how == "storage" else None)
    if how == "cookies":
        page.set_cookies(site.url, site.nina.cookies())
    for kind, title in HOSTILE.items():
        meeting = site.api.create(title=title, room=site.general.as_meant(), creator=site.nina.creator())
        title = site.api.read(meeting["id"])["title"]
        page.goto(meeting["join_url"] + "/info")
        page.wait_for("() => document.querySelector('dl')")
        assert page.text("h1") == page.evaluate("() => document.title") == title
        assert page.evaluate("() => [...document.querySelectorAll('h1 *,img,svg,a,iframe')].length") == 0
        shown = dict(zip(*page.evaluate("() => ['dt', 'dd'].map((tag) => [...document.querySelectorAll(tag)].map((each) => each.textContent))")))
        assert shown["PIN for guests"] == meeting["pins"]["guest"] and meeting["pins"]["host"] in shown.values()
        check_looks(page, f"info-{kind}" if how == "cookies" else None, narrow=True)
    kept_to_ourselves(site, web, page, site.nina.token)


def test_a_name_arrives_as_it_was_given(meeting, visit):
    # Characters that steer text or break lines may be taken out of it; none comes in.
    steering = dict.fromkeys(map(ord, "\u202e\u202c\u2066\u2067\u2028\u2029"))
    names = [each[:100] for each in HOSTILE.values()]
    pages = [visit() for _ in names]
    for page, name in zip(pages, names):
        page.goto(f"{meeting['join_url']}?name={quote(name, safe='')}")
    for page, name in zip(pages, names):
        told = landed(page)["name"]
        assert told.translate(steering).replace(" ", "") == name.translate(steering).replace(" ", "")


# Other sites

def test_another_site_cannot_frame_the_pages(web, meeting, visit, browser):
    web.page(EVIL, "/", f'<!DOCTYPE html><link rel=icon href=data:,><iframe src="{meeting["join_url"]}"></iframe>')
    page = browser.open(f"https://{EVIL}/")
    assert page.frames == [""]
    assert "frame-ancestors" in " ".join(page.seen().complaints)
    page.close()


def test_another_site_cannot_hand_a_session_in_or_read_an_answer(site, web, meeting, browser):
    web.page(EVIL, "/", f"""<!DOCTYPE html><link rel=icon href=data:,>
<form method=post action="{meeting["join_url"]}"><input name=userId value="{site.nina.id}"><input name=authToken value="{site.nina.token}">
<button>Win</button></form>""")
    page = browser.open()
    site.log_in(page, site.nina)
    page.set_cookies(site.url, {name: value for name, value in site.nina.cookies().items()})
    page.goto(f"https://{EVIL}/")
    got = page.evaluate("""async (url, body) => Promise.all(
        [{}, {method: 'POST', body}, {method: 'POST', body, headers: {'Content-Type': 'application/json'}}]
            .map((options) => fetch(url, {credentials: 'include', ...options}).then((answer) => answer.text(), () => 'refused')))""",
                        meeting["join_url"], f'{{"userId":"{site.nina.id}","authToken":"{site.nina.token}"}}')
    assert got == ["refused"] * 3
    page.click("text=Win")
    page.wait_for_url(meeting["join_url"])
    assert "another site" in page.text("body") and not any(pin in page.text("body") for pin in meeting["pins"].values())
    page.close()
