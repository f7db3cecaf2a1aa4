"""The plugin in a real browser, beside the stand-in of Pexip's web app (webapp.py)."""

import json

import pytest
from browser import TIMEOUT, Browser
from plugin_host import ORIGIN
from waiting import wait_until
from web import Web
from webapp import BUTTON, MEET, WebApp, complaints, join, open_panel, policy, text_of_room, wait_for_button, wait_for_plugin

CHAT, EVIL = "chat.example.com", "evil.example"
ROOM = f"{ORIGIN}/group/weekly"
ROOM_PAGE = """<!DOCTYPE html><html lang=en><title>weekly</title><link rel=icon href=data:,><body style="font: 16px sans-serif; margin: 16px">
<h1 style="font-size: 1.2em">weekly</h1><p><b>nina</b> Shall we begin?<p><b>otto</b> Yes.</html>"""


@pytest.fixture(scope="module")
def web():
    with Web(MEET, CHAT, EVIL) as running:
        running.page(CHAT, "/group/weekly", ROOM_PAGE, {"Content-Security-Policy": f"frame-ancestors 'self' https://{MEET}"})
        yield running


@pytest.fixture(scope="module")
def webapp(web, tmp_path_factory):
    return WebApp(web, tmp_path_factory.mktemp("package"))


@pytest.fixture
def answer(web):
    """What the endpoint answers from now on."""
    def give(text, host=CHAT, status=200, **headers):
        web.page(host, "/pexip/chat", text, {"Content-Type": "application/json", "Access-Control-Allow-Origin": f"https://{MEET}",
                                             "Vary": "Origin", **headers}, status)
    return give


@pytest.fixture(scope="module")
def browser(web):
    with Browser(web.hosts) as running:
        yield running


@pytest.fixture
def visit(webapp, browser):
    pages = []

    def begin(rid=None, **options):
        pages.append(browser.open(webapp.address("alias", rid), **options))
        wait_for_plugin(pages[-1])
        return pages[-1]

    yield begin
    for page in pages:
        page.close()


def shows_room(page):
    return text_of_room(page, "/group/weekly") == "weekly"


def test_the_room_of_the_link_opens_beside_the_meeting(webapp, visit):
    webapp.install()
    page = visit(ROOM)
    join(page)
    open_panel(page)
    assert shows_room(page)
    page.screenshot("plugin-open")
    assert page.url == f"https://{MEET}/webapp3/m/alias"
    assert page.evaluate("() => document.querySelector('#plugin').sandbox.value") == "allow-scripts allow-same-origin"
    page.click(BUTTON)
    wait_for_button(page, False)
    page.screenshot("plugin-closed")
    assert [path for path in webapp.asked(CHAT) if path != "/favicon.ico"] == ["/group/weekly?layout=embedded"]
    assert "1234" not in str([(request.path, str(request.headers)) for request in webapp.web.requests_of(CHAT)])
    assert complaints(page) == []


def test_a_meeting_without_room_in_the_link_is_asked_about(webapp, visit, answer):
    webapp.install()
    answer("", status=503, **{"Retry-After": "1", "Access-Control-Expose-Headers": "Retry-After"})
    page = visit()
    page.set_cookies(ORIGIN, {"rc_token": "secret"})
    join(page)
    wait_until(lambda: webapp.asked(CHAT), TIMEOUT, "the first question")
    answer(json.dumps({"url": ROOM}))
    open_panel(page)
    assert shows_room(page)
    questions = [request for request in webapp.web.requests_of(CHAT) if request.path == "/pexip/chat?alias=alias"]
    assert len(questions) >= 2
    for question in questions:
        assert question.headers["Origin"] == f"https://{MEET}" and question.headers["Cookie"] is None


def test_an_endpoint_on_the_host_of_the_web_app_needs_no_change_of_its_policy(webapp, visit, answer):
    webapp.install(policy(f"'self' {ORIGIN}"), RC=ORIGIN, ENDPOINT="/pexip/chat")
    answer(json.dumps({"url": ROOM}), MEET)
    page = visit()
    join(page)
    open_panel(page)
    assert shows_room(page) and complaints(page) == []


def test_an_old_web_app(webapp, visit):
    webapp.install(generation=35)
    page = visit(ROOM)
    join(page)
    open_panel(page)
    assert shows_room(page)
    page.screenshot("plugin-old-web-app")
    page.click("#people")
    open_panel(page)
    assert complaints(page) == []


def test_a_policy_without_the_workspace_blocks_the_panel_and_the_plugin_says_so(webapp, visit):
    webapp.install(policy())
    page = visit(ROOM, locale="de-DE")
    join(page)
    open_panel(page)
    page.wait_for("() => document.querySelector('output').textContent.includes('frame-src')")
    page.screenshot("plugin-blocked")
    assert "Der Chat ist gesperrt" in page.text("output")
    assert f"needs {ORIGIN} in frame-src" in str(page.seen().console)
    assert webapp.asked(CHAT) == []


@pytest.mark.parametrize("rid", [
    f"https://{EVIL}/group/weekly", f"https://{CHAT}@{EVIL}/group/weekly", f"https://{EVIL}\\@{CHAT}/group/weekly",
    "javascript:window.top.hurt=1", "data:text/html,<script>top.hurt=1</script>"])
def test_a_crafted_link_shows_nothing(webapp, visit, answer, rid):
    """Even where the policy would let it."""
    webapp.install(policy("* data: blob: javascript:", "*"))
    answer("{}", status=404)
    page = visit(rid)
    join(page)
    wait_until(lambda: "/pexip/chat?alias=alias" in webapp.asked(CHAT), TIMEOUT, "the endpoint to be asked instead")
    assert page.evaluate("() => [app.buttons.size, app.widgets.size, window.hurt, document.querySelectorAll('iframe').length]") == [0, 0, None, 1]
    assert webapp.asked(EVIL) == []


def test_the_chat_of_the_last_meeting_is_not_shown_in_the_next(webapp, visit, answer):
    webapp.install()
    answer("{}", status=404)
    page = visit(ROOM)
    join(page)
    open_panel(page)
    page.click("#leave")
    page.evaluate("() => app.emit('event:conference:authenticated', { conferenceAlias: 'another' })")
    page.wait_for("() => !app.buttons.size && !app.widgets.size && !document.querySelector('aside iframe')")


def test_without_allow_same_origin_the_console_says_what_is_missing(webapp, visit):
    webapp.install(manifest={"plugins": [{"id": "rc-chat", "src": "./plugins/rc-chat/index.html"}]})
    page = visit(ROOM)
    wait_until(lambda: "allow-same-origin" in str(page.seen().console), TIMEOUT, "the complaint")
    assert page.evaluate("() => app.buttons.size") == 0


def test_a_package_that_nobody_has_edited(webapp, visit):
    webapp.install(RC="")
    page = visit(ROOM)
    page.wait_for("() => document.querySelector('output').textContent.includes('not set up')")
    page.screenshot("plugin-not-set-up")
    assert "still the placeholder" in str(page.seen().console)
