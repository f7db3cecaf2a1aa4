"""The plugin in a real browser, beside a stand-in of Pexip's web app that serves the package of `make plugin` and gives it
the sandbox, and the page the policy, that the web app's documents tell of."""

import json
from pathlib import Path
from urllib.parse import quote

import pytest
from browser import REPOSITORY, TIMEOUT, Browser
from plugin_host import ENDPOINT, ORIGIN, make_package
from waiting import wait_until
from web import Web

MEET, CHAT, EVIL = "meet.example.com", "chat.example.com", "evil.example"
ROOM = f"{ORIGIN}/group/weekly"
STAND_IN = Path(__file__).parent / "webapp3"
PROTOCOL = REPOSITORY / "test" / "contract" / "plugin" / "webapp3.mjs"
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".mjs": "text/javascript", ".json": "application/json",
         ".txt": "text/plain"}
BUTTON = "footer .plugin"
# What the browser says of the sandbox that Pexip's documents ask for.
SANDBOX = "An iframe which has both allow-scripts and allow-same-origin for its sandbox attribute can escape its sandboxing."


def policy(frame="'self'", connect="'self'"):
    """What nodes send, and what an administrator adds."""
    return ("upgrade-insecure-requests; default-src 'self'; frame-ancestors 'self'; "
            f"frame-src {frame}; style-src 'self' 'unsafe-inline'; object-src 'self'; font-src 'self'; img-src 'self' data: blob:; "
            f"script-src 'self' 'unsafe-inline' 'unsafe-eval'; media-src 'self' blob:; connect-src {connect}")


OPEN = policy(f"'self' {ORIGIN}", f"'self' {ORIGIN}")
ROOM_PAGE = """<!DOCTYPE html><html lang=en><title>weekly</title><link rel=icon href=data:,><body style="font: 16px sans-serif; margin: 16px">
<h1 style="font-size: 1.2em">weekly</h1><p><b>nina</b> Shall we begin?<p><b>otto</b> Yes.</html>"""


class Site:
    """The web app with the package, the workspace, and whoever means harm."""

    def __init__(self, web, folder):
        self.web = web
        self.folder = folder

    def install(self, csp=OPEN, generation=37, manifest=None, **variables):
        """The web app, as if it had been installed anew."""
        make_package(self.folder, **(variables or {"RC": ORIGIN}))
        page = (STAND_IN / "index.html").read_text().replace("<html", f'<html data-generation="{generation}"', 1)
        self.serve("/webapp3/m/alias", page, ".html", csp)
        for path in (STAND_IN / "page.mjs", PROTOCOL):
            self.serve(f"/webapp3/{path.name}", path.read_text(), path.suffix, csp)
        for path in (self.folder / "webapp3").rglob("*.*"):
            text = path.read_text()
            if manifest and path.name == "manifest.json":
                text = json.dumps({**json.loads(text), **manifest})
            self.serve(f"/{path.relative_to(self.folder)}", text, path.suffix, csp)
        self.web.requests.clear()

    def serve(self, path, text, suffix, csp):
        self.web.page(MEET, path, text, {"Content-Type": TYPES[suffix], "Content-Security-Policy": csp, "X-Content-Type-Options": "nosniff"})

    def answer(self, text, host=CHAT, path="/pexip/chat", status=200, **headers):
        """Of the endpoint."""
        self.web.page(host, path, text, {"Content-Type": "application/json", "Access-Control-Allow-Origin": f"https://{MEET}",
                                         "Vary": "Origin", **headers}, status)

    def asked(self, host):
        return [request.path for request in self.web.requests_of(host)]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Web(MEET, CHAT, EVIL) as web:
        web.page(CHAT, "/group/weekly", ROOM_PAGE, {"Content-Security-Policy": f"frame-ancestors 'self' https://{MEET}"})
        yield Site(web, tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def browser(site):
    with Browser(site.web.hosts) as running:
        yield running


@pytest.fixture
def visit(site, browser):
    pages = []

    def begin(rid=None, **options):
        query = "" if rid is None else f"?rid={quote(rid, safe='')}&pin=1234&name=Nina"
        pages.append(browser.open(f"https://{MEET}/webapp3/m/alias{query}", **options))
        pages[-1].wait_for("() => window.app?.chanId")
        return pages[-1]

    yield begin
    for page in pages:
        page.close()


def wait_for_button(page, active):
    page.wait_for("(selector, value) => document.querySelector(selector)?.ariaPressed === value", BUTTON, str(active).lower())


def open_panel(page):
    page.wait_for("selector => document.querySelector(selector)", BUTTON)
    page.click(BUTTON)
    wait_for_button(page, True)


def text_of_room(page):
    wait_until(lambda: any("/group/weekly" in url for url in page.frames), TIMEOUT, "the room in a frame")
    return page.text("h1", frame="/group/weekly")


def complaints(page):
    return [text for text in page.seen().complaints if text != SANDBOX] + page.evaluate("() => app.complaints")


def test_the_room_of_the_link_opens_beside_the_meeting(site, visit):
    site.install()
    page = visit(ROOM)
    page.click("#join")
    open_panel(page)
    assert text_of_room(page) == "weekly"
    page.screenshot("plugin-open")
    assert page.url == f"https://{MEET}/webapp3/m/alias"
    assert page.evaluate("() => document.querySelector('#plugin').sandbox.value") == "allow-scripts allow-same-origin"
    page.click(BUTTON)
    wait_for_button(page, False)
    page.screenshot("plugin-closed")
    assert [path for path in site.asked(CHAT) if path != "/favicon.ico"] == ["/group/weekly?layout=embedded"]
    assert "1234" not in str([(request.path, str(request.headers)) for request in site.web.requests_of(CHAT)])
    assert complaints(page) == []


def test_a_meeting_without_room_in_the_link_is_asked_about(site, visit):
    site.install()
    site.answer("", status=503, **{"Retry-After": "1", "Access-Control-Expose-Headers": "Retry-After"})
    page = visit()
    page.set_cookies(ORIGIN, {"rc_token": "secret"})
    page.click("#join")
    wait_until(lambda: site.asked(CHAT), TIMEOUT, "the first question")
    site.answer(json.dumps({"url": ROOM}))
    open_panel(page)
    assert text_of_room(page) == "weekly"
    questions = [request for request in site.web.requests_of(CHAT) if request.path == "/pexip/chat?alias=alias"]
    assert len(questions) >= 2
    for question in questions:
        assert question.headers["Origin"] == f"https://{MEET}" and question.headers["Cookie"] is None


def test_an_endpoint_on_the_host_of_the_web_app_needs_no_change_of_its_policy(site, visit):
    site.install(policy(f"'self' {ORIGIN}"), RC=ORIGIN, ENDPOINT="/pexip/chat")
    site.answer(json.dumps({"url": ROOM}), MEET)
    page = visit()
    page.click("#join")
    open_panel(page)
    assert text_of_room(page) == "weekly" and complaints(page) == []


def test_an_old_web_app(site, visit):
    site.install(generation=35)
    page = visit(ROOM)
    page.click("#join")
    open_panel(page)
    assert text_of_room(page) == "weekly"
    page.screenshot("plugin-old-web-app")
    page.click("#people")
    wait_for_button(page, False)
    open_panel(page)
    assert page.seen().errors == [] and page.evaluate("() => app.complaints") == []


def test_a_policy_without_the_workspace_blocks_the_panel_and_the_plugin_says_so(site, visit):
    site.install(policy())
    page = visit(ROOM, locale="de-DE")
    page.click("#join")
    open_panel(page)
    page.wait_for("() => document.querySelector('output').textContent.includes('frame-src')")
    page.screenshot("plugin-blocked")
    assert "Der Chat ist gesperrt" in page.text("output")
    assert f"needs {ORIGIN} in frame-src" in str(page.seen().console)
    assert site.asked(CHAT) == []


@pytest.mark.parametrize("rid", [
    f"https://{EVIL}/group/weekly", f"https://{CHAT}@{EVIL}/group/weekly", f"https://{EVIL}\\@{CHAT}/group/weekly", f"//{EVIL}/group/x",
    "javascript:window.top.hurt=1", "data:text/html,<script>top.hurt=1</script>", f"{ORIGIN}/group/..%2f..%2fadmin", "x" * 30000, "%",
], ids=lambda rid: rid[:40])
def test_a_crafted_link_shows_nothing(site, visit, rid):
    """Even where the policy would let it."""
    site.install(policy("* data: blob: javascript:", "*"))
    site.answer("{}", status=404)
    page = visit(rid)
    page.click("#join")
    wait_until(lambda: "/pexip/chat?alias=alias" in site.asked(CHAT), TIMEOUT, "the endpoint to be asked instead")
    assert page.evaluate("() => [app.buttons.size, app.widgets.size, window.hurt, document.querySelectorAll('iframe').length]") == [0, 0, None, 1]
    assert site.asked(EVIL) == []


def test_the_chat_of_the_last_meeting_is_not_shown_in_the_next(site, visit):
    site.install()
    site.answer("{}", status=404)
    page = visit(ROOM)
    page.click("#join")
    open_panel(page)
    page.click("#leave")
    page.evaluate("() => app.emit('event:conference:authenticated', { conferenceAlias: 'another' })")
    page.wait_for("() => !app.buttons.size && !app.widgets.size && !document.querySelector('aside iframe')")


def test_without_allow_same_origin_the_console_says_what_is_missing(site, visit):
    site.install(manifest={"plugins": [{"id": "rc-chat", "src": "./plugins/rc-chat/index.html"}]})
    page = visit(ROOM)
    wait_until(lambda: "allow-same-origin" in str(page.seen().console), TIMEOUT, "the complaint")
    assert page.evaluate("() => app.buttons.size") == 0


def test_a_package_that_nobody_has_edited(site, visit):
    site.install(RC="")
    page = visit(ROOM)
    page.wait_for("() => document.querySelector('output').textContent.includes('not set up')")
    page.screenshot("plugin-not-set-up")
    assert "still the placeholder" in str(page.seen().console)
