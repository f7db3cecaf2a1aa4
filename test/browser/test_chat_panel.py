"""The example persistent-chat.conf in a browser: rooms in the embedded layout stand beside a call, and nothing else can be framed."""

import pytest
from browser import Browser
from examples import Framed, adapted, with_persistent_chat
from meetings import Api
from web import Web

CHAT, MEET, EVIL = "chat.example.com", "meet.example.com", "evil.example"
ROOMS = ["/group/Ab3dE?layout=embedded", "/channel/general?layout=embedded", "/group/Ab3dE?x=1&layout=embedded"]
OTHERS = ["/", "/home", "/channel/general", "/home?layout=embedded", "/direct/x?layout=embedded", "/admin/users?layout=embedded",
          "/account/tokens?layout=embedded", "/group/Ab3dE?layout=embedded2", "/group/%2e%2e/admin?layout=embedded"]


def framing(*urls):
    frames = "".join(f'<iframe src="{url}"></iframe>' for url in urls)
    return f"<!DOCTYPE html><html lang=en><title>Frames</title><link rel=icon href=data:,>{frames}"


@pytest.fixture
def web():
    with Web(MEET, EVIL) as running:
        yield running


@pytest.fixture
def chatty(make_httpd):
    with Framed() as upstream:
        server = make_httpd("", start=False, tls=True)
        server.make_certificate([CHAT])
        server.configure(adapted(with_persistent_chat(upstream.url), server, upstream.url))
        server.start()
        # This Rocket.Chat is a page and nothing else.
        server.expect("Rocket.Chat")
        yield server


@pytest.fixture
def browser(chatty, web):
    with Browser({**web.hosts, CHAT: chatty.port}) as running:
        yield running


def shown(page):
    """What its frames show of the workspace; those that were refused show an error of the browser."""
    return sorted(url.removeprefix(f"https://{CHAT}") for url in page.frames if url.startswith("https:"))


def test_who_may_frame_what(chatty, web, browser):
    key = Api(chatty).create()["join_url"].removeprefix(f"https://{CHAT}")
    paths = [*ROOMS, *OTHERS, key, f"{key}?k=x&layout=embedded"]
    for host in (MEET, EVIL):
        web.page(host, "/", framing(*(f"https://{CHAT}{path}" for path in paths)))
    # In both cases there is another frame in between: all of them count.
    web.page(EVIL, "/outer", framing(f"https://{MEET}/inner"))
    web.page(MEET, "/inner", framing(f"https://{CHAT}{ROOMS[0]}"))

    page = browser.open(f"https://{MEET}/")
    assert shown(page) == sorted(ROOMS)
    page.screenshot("chat-panel")
    refused = " ".join(page.seen().complaints)
    assert "X-Frame-Options" in refused and "frame-ancestors" in refused
    assert shown(browser.open(f"https://{EVIL}/")) == []
    outer = browser.open(f"https://{EVIL}/outer")
    assert [url for url in outer.frames if url.startswith("https:")] == [f"https://{MEET}/inner"]


def test_the_call_window_of_the_workspace_may_hold_the_call_with_its_chat(web, browser):
    web.page(MEET, "/webapp", framing(f"https://{CHAT}{ROOMS[0]}"))
    page = browser.open(f"https://{CHAT}/home")
    page.evaluate("(url) => { const frame = document.createElement('iframe'); frame.src = url; document.documentElement.append(frame); }",
                  f"https://{MEET}/webapp")
    page.wait_for("() => true", frame=ROOMS[0])
    assert page.text("title", frame=ROOMS[0]) == "Rocket.Chat"


def test_who_is_logged_in_stays_so_in_the_panel(web, browser):
    """Both names are of one site, so that the browser does not keep the framed page's storage apart."""
    web.page(MEET, "/", framing(f"https://{CHAT}{ROOMS[0]}"))
    page = browser.open(f"https://{CHAT}/home")
    page.evaluate("() => localStorage.setItem('Meteor.userId', 'nina')")
    page.goto(f"https://{MEET}/")
    assert page.evaluate("() => localStorage.getItem('Meteor.userId')", frame=CHAT) == "nina"
