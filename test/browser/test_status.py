"""The administrator's pages in a browser: readable for everybody, with nothing from elsewhere, and driven by nobody else."""

import re
from urllib.parse import urlsplit

import pytest
from browser import Browser
from chat import AFTER_RETRY, SOON
from looks import check_looks
from pexip import one_leg
from public import hosts_of, public_sites
from waiting import wait_until
from web import Web
from workspace import ADMIN, BASE

MEET, EVIL = urlsplit(BASE).hostname, "evil.example"
REFRESH = 10000     # milliseconds between two looks of the page's script
HOSTILE = """</h3><img src=x onerror=alert(1)><script>alert(2)</script>'"&lt; \u202efdp.exe\u2066 """ + "W" * 60


@pytest.fixture(scope="module")
def web():
    with Web(MEET, EVIL) as running:
        yield running


@pytest.fixture(scope="module")
def all_sites(mpm):
    with public_sites(mpm, {"usual": {}, "fresh": {"rest": False, "webhook": False}}) as made:
        yield made


@pytest.fixture(scope="module")
def browser(all_sites, web):
    with Browser({**hosts_of(all_sites), **web.hosts}) as running:
        yield running


@pytest.fixture(scope="module")
def used(all_sites):
    """A workspace that has seen everything: nodes, a call, something that Rocket.Chat refused."""
    site = all_sites["usual"]
    node = site.node()
    meeting = site.start("Weekly")
    node.policy(meeting["id"])
    node.conference_started(meeting["id"])
    one_leg(node, meeting["id"], "Nina")
    refused(site)
    return site


def refused(site):
    """A meeting that could not be told to its room, because the user that posts is not in it."""
    meeting = site.api.create(title=HOSTILE, room=site.elsewhere.as_meant(), creator=site.nina.creator())
    wait_until(lambda: meeting["id"] in str(site.deliveries()), AFTER_RETRY, "a failed delivery")
    return meeting


@pytest.fixture
def visit(browser):
    """visit(site, path="", **options of Browser.open): one of the pages, which must stay within itself. What the browser may complain
    about all the same is in visit.expected."""
    opened = []

    def open_page(site, path="", stopped_clock=False, **options):
        page = browser.open(auth=ADMIN, **options)
        opened.append((site, page))
        if stopped_clock:
            page.call("clock.install", {"time": 1000})
            page.call("clock.pauseAt", 2000)
        assert page.goto(f"{site.url}/pexip/status{path}")["status"] == 200
        return page
    open_page.expected = []
    yield open_page
    for site, page in opened:
        seen = page.seen()
        assert [each for each in seen.complaints if each not in open_page.expected] == []
        assert seen.hosts() == {urlsplit(site.url).hostname}
        assert {each["type"] for each in seen.requests} <= {"document", "fetch"}
        page.close()


# What people see

@pytest.mark.parametrize("path", ["", "/setup"], ids=["status", "setup"])
@pytest.mark.parametrize("which, dark, script", [("usual", False, True), ("usual", True, True), ("usual", True, False), ("fresh", False, True)])
def test_pages_can_be_read(all_sites, used, visit, which, script, dark, path):
    page = visit(all_sites[which], path, script=script, dark=dark)
    name = "-".join([path.strip("/") or "status", which, "dark" if dark else "light", *([] if script else ["plain"])])
    check_looks(page, name, narrow=True)
    page.call("setViewportSize", {"width": 320, "height": 640})
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 320


def test_what_is_wrong_can_be_read(mpm):
    with public_sites(mpm, {"full": {}}, server="PexipRCMaxMeetings 10\n") as made, Browser(hosts_of(made)) as browser:
        site = made["full"]
        site.chat.down()
        site.httpd.expect("Rocket.Chat", "full")
        for _ in range(10):
            site.api.create(room=site.general.as_meant(), creator=site.nina.creator())
        for dark in (False, True):
            page = browser.open(f"{site.url}/pexip/status", auth=ADMIN, dark=dark)
            assert page.text("h1.bad") == "Calls do not work as they should"
            check_looks(page, f"status-full-{'dark' if dark else 'light'}", narrow=True)
            assert page.seen().complaints == []


@pytest.mark.parametrize("path, heading", [("", "Status"), ("/setup", "Set-up")], ids=["status", "setup"])
def test_assistive_technology_finds_its_way(used, visit, path, heading):
    page = visit(used, path)
    told = page.accessibility()
    for landmark in ("- banner:", '- navigation "Pages":', "- main:", "- contentinfo:"):
        assert landmark in told, told
    assert page.call("title").startswith(heading)
    assert page.evaluate("() => document.querySelector('[aria-current=page]').textContent") == heading
    assert not re.search(r"^\s*- (button|link)(:| \[|$)", told, re.M), told      # one without a name
    assert page.evaluate("() => [...document.querySelectorAll('table')].filter((each) => !each.caption).length") == 0
    assert page.evaluate("""() => [...document.querySelectorAll('th')].filter((each) => !each.scope).length""") == 0


def focused(page):
    return page.evaluate("""() => { const {activeElement: at} = document;
        return [at.tagName, (at.getAttribute('aria-label') || at.textContent).trim().slice(0, 60)]; }""")


@pytest.mark.parametrize("path", ["", "/setup"], ids=["status", "setup"])
def test_the_keyboard_reaches_everything_in_the_order_of_the_page(used, visit, path):
    page = visit(used, path)
    wanted = page.evaluate("""() => [...document.querySelectorAll('a[href],button,[tabindex="0"]')]
        .filter((each) => each.checkVisibility()).length""")
    reached = []
    for _ in range(wanted):
        page.press("Tab")
        reached.append(page.evaluate("""() => [...document.querySelectorAll('a[href],button,[tabindex="0"]')]
            .filter((each) => each.checkVisibility()).indexOf(document.activeElement)"""))
        outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", focused(page)
    assert reached == list(range(wanted))


def test_texts_of_others_are_texts(used, visit):
    page = visit(used)
    shown = page.evaluate("() => [...document.querySelectorAll('#deliveries bdi')].map((each) => each.textContent)")
    assert any("<img src=x onerror=alert(1)><script>alert(2)</script>'\"&lt;" in each for each in shown), shown
    assert page.evaluate("() => document.querySelectorAll('img,main script,iframe').length") == 0
    pins = [pin for each in used.meetings(used.elsewhere) for pin in used.api.read(each["id"])["pins"].values()]
    text = page.evaluate("() => document.documentElement.outerHTML")
    assert pins and not any(re.search(rf"\b{pin}\b", text) for pin in pins)


# By itself

def test_it_is_brought_up_to_date_without_taking_the_focus(used, visit):
    page = visit(used, stopped_clock=True)
    people = "() => document.querySelector('#meetings').textContent"
    before = page.evaluate(people)
    page.call("focus", selector="#deliveries button >> nth=0")
    held = focused(page)
    meeting = used.start("Another")
    node = used.node()
    node.conference_started(meeting["id"])
    one_leg(node, meeting["id"], "Boris")
    used.becomes(meeting, "live")
    page.call("clock.runFor", REFRESH)
    page.wait_for("(before) => document.querySelector('#meetings').textContent !== before", before)
    assert focused(page) == held and held[0] == "BUTTON"
    assert len({each["url"] for each in page.seen().requests if each["type"] == "fetch"}) == 1


def test_what_cannot_be_brought_up_to_date_says_so(used, visit):
    visit.expected.append("Failed to load resource: net::ERR_INTERNET_DISCONNECTED")
    page = visit(used, stopped_clock=True)
    page.call("setOffline", True, context=True)
    page.call("clock.runFor", REFRESH)
    page.wait_for("() => document.getElementById('stale').checkVisibility()")
    page.call("setOffline", False, context=True)
    page.call("clock.runFor", REFRESH)
    page.wait_for("() => !document.getElementById('stale').checkVisibility()")


def test_without_script_the_browser_loads_it_again(used, visit):
    count = "() => document.querySelectorAll('meta[http-equiv=refresh]').length"
    assert visit(used, script=False).evaluate(count) == 1
    assert visit(used).evaluate(count) == 0


# To be pasted elsewhere

def test_values_are_copied_as_they_are_shown(used, visit):
    page = visit(used, "/setup")
    page.call("grantPermissions", ["clipboard-read", "clipboard-write"], context=True)
    count = page.evaluate("() => document.querySelectorAll('button[data-copy]').length")
    assert count > 4
    for number in range(count):
        page.click(f"button[data-copy] >> nth={number}")
        page.wait_for("(number) => document.querySelectorAll('button[data-copy]')[number].textContent === 'Copied'", number)
        got = page.evaluate("() => navigator.clipboard.readText()")
        assert got == page.evaluate("(number) => document.querySelectorAll('.copy code')[number].textContent", number)
    assert f"{used.url}/pexip/events" in page.text("main")


def test_where_there_is_no_clipboard_the_text_is_selected(used, browser):
    page = browser.open(auth=ADMIN)
    page.call("addInitScript", "Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.goto(f"{used.url}/pexip/status/setup")
    page.click("button[data-copy] >> nth=0")
    assert page.evaluate("() => getSelection().toString()") == page.text(".copy code >> nth=0")
    page.close()


def test_without_script_there_is_no_button_that_does_nothing(used, visit):
    page = visit(used, "/setup", script=False)
    assert page.evaluate("() => [...document.querySelectorAll('button')].filter((each) => each.checkVisibility()).length") == 0


# Changes

def listed(site, meeting):
    return meeting["id"] in str(site.deliveries())


@pytest.mark.parametrize("script", [True, False], ids=["script", "plain"])
def test_what_failed_is_tried_again_or_given_up(used, visit, script):
    meeting = refused(used)
    page = visit(used, script=script)
    form = f"form:has(input[value='{meeting['id']}'])"
    calls = len(used.chat.calls_of("chat.sendMessage", used.elsewhere.id))
    page.click(f"{form} >> text=Try again")
    page.wait_for_url(f"{used.url}/pexip/status**")
    assert "tried again" in page.text("main")
    wait_until(lambda: len(used.chat.calls_of("chat.sendMessage", used.elsewhere.id)) > calls, SOON, "another attempt")
    wait_until(lambda: listed(used, meeting), AFTER_RETRY, "another refusal")
    page.goto(f"{used.url}/pexip/status")
    page.click(f"{form} >> text=Give up")
    page.wait_for_url(f"{used.url}/pexip/status**")
    assert "given up" in page.text("main") and page.call("count", selector=form) == 0
    assert not listed(used, meeting)


@pytest.mark.parametrize("where", [EVIL, MEET])
def test_another_site_cannot_press_the_buttons(used, web, browser, where):
    """The browser knows the password already, and would send it."""
    meeting = refused(used)
    url = f"{used.url}/pexip/status"
    fields = f'<input name=action value=drop><input name=meeting value="{meeting["id"]}"><button>Win</button>'
    web.page(where, "/", f"""<!DOCTYPE html><html lang=en><title>Win</title><link rel=icon href=data:,>
<form method=post action="{url}">{fields}</form>
<iframe sandbox="allow-forms allow-scripts" src="/sand"></iframe>""")
    web.page(where, "/sand", f"""<!DOCTYPE html><form method=post action="{url}">{fields}</form>""")
    page = browser.open(auth=ADMIN)
    page.goto(url)
    page.goto(f"https://{where}/")
    for kind in ("application/x-www-form-urlencoded", "text/plain"):
        page.evaluate("""(url, body, kind) => fetch(url, {method: 'POST', mode: 'no-cors', credentials: 'include', body,
            headers: {'Content-Type': kind}}).then(() => 'sent')""", url, f"action=drop&meeting={meeting['id']}", kind)
    page.click("form >> text=Win")
    page.wait_for_url(url)
    assert page.text("h1") == "Nothing was changed"
    assert [each["method"] for each in page.seen().requests if each["url"] == url].count("POST") == 3
    assert listed(used, meeting)
    # From a frame that has no origin of its own.
    page.goto(f"https://{where}/")
    page.evaluate("() => document.querySelector('button').click()", frame="/sand")
    wait_until(lambda: [each["method"] for each in page.seen().requests if each["url"] == url].count("POST") == 4, SOON, "the frame's form")
    assert listed(used, meeting)
    page.close()


@pytest.mark.parametrize("where", [EVIL, MEET, "usual.example.com"])
def test_nobody_frames_them(used, web, browser, where):
    """Not even a page of Rocket.Chat. To strangers browsers do not even send the password, which leaves them with httpd's 401."""
    urls = [f"{used.url}/pexip/status", f"{used.url}/pexip/status/setup"]
    page = browser.open(urls[0], auth=ADMIN)
    page.goto(f"https://{where}/frames")
    page.evaluate("""(urls) => Promise.all(urls.map((url) => new Promise((done) => {
        const frame = document.createElement('iframe');
        Object.assign(frame, {src: url, onload: done});
        document.documentElement.append(frame);
    })))""", urls)
    shown = [url for url in page.frames if url.startswith("https:")]
    assert [page.text("h1", frame=url) for url in shown] == ["Unauthorized"] * (2 if where == EVIL else 0)
    if not shown:
        assert "frame-ancestors" in " ".join(page.seen().complaints)
    page.close()
