"""The plugin and the module together: a meeting's chat beside the meeting, from the join link and from its alias alone."""

import pytest
from browser import REPOSITORY, TIMEOUT, Browser
from chat import SOON
from foreign import SCHEDULED, Conference, furnish, made_for
from pexip import one_leg
from public import hosts_of, public_sites
from waiting import wait_until
from web import Web
from webapp import MEET, WebApp, complaints, join, open_panel, text_of_room

EXAMPLE = (REPOSITORY / "conf" / "examples" / "persistent-chat.conf").read_text()


@pytest.fixture(scope="module")
def web():
    with Web(MEET) as running:
        yield running


@pytest.fixture(scope="module")
def site(mpm):
    """Set up as the example says."""
    with public_sites(mpm, {"chat": {"extra": f"{SCHEDULED}\n{EXAMPLE}"}}) as made:
        furnish(made["chat"])
        yield made["chat"]


@pytest.fixture(scope="module")
def webapp(web, tmp_path_factory):
    app = WebApp(web, tmp_path_factory.mktemp("package"))
    app.install()
    app.serve_start_page("/webapp/conference")
    return app


@pytest.fixture(scope="module")
def browser(site, web):
    with Browser({**hosts_of({"chat": site}), **web.hosts}) as running:
        yield running


def start_with_chat(site):
    room = site.room()
    meeting = site.start("Weekly", room)
    [discussion] = wait_until(lambda: site.chat.discussions(room), SOON, "the discussion")
    wait_until(lambda: site.api.read(meeting["id"])["discussion"], SOON, "the discussion in the meeting")
    return meeting, discussion


def shows(page, discussion):
    return f"/group/{discussion.name}?layout=embedded" in text_of_room(page, f"/group/{discussion.name}", "p")


def test_from_the_join_link_to_the_chat(site, webapp, browser):
    meeting, discussion = start_with_chat(site)
    page = browser.open(meeting["join_url"])
    page.wait_for_url(f"https://{MEET}/webapp/conference?**")
    join(page)
    open_panel(page)
    assert shows(page, discussion)
    assert complaints(page) == []
    page.close()


def test_who_has_only_the_alias_gets_the_same_chat(site, webapp, browser):
    """He is in the meeting before the module hears of it."""
    meeting, discussion = start_with_chat(site)
    page = browser.open(webapp.address(meeting["id"]))
    join(page)
    wait_until(lambda: f"/pexip/chat?alias={meeting['id']}" in str(page.seen().requests), TIMEOUT, "the first question")
    one_leg(site.node(), meeting["id"], "Anna")
    open_panel(page)
    assert shows(page, discussion)
    page.close()


def test_a_meeting_that_outlook_made_gets_a_chat(site, webapp, browser):
    conference = Conference(site)
    conference.enter()
    page = browser.open(webapp.address(conference.alias))
    join(page)
    open_panel(page)
    [discussion] = made_for(site, conference.alias)
    assert shows(page, discussion)
    page.screenshot("plugin-scheduled")
    assert complaints(page) == []
    page.close()
