"""PexipRCAppCallback: the companion app is told of the end of a meeting, for every call of it, until it has heard."""

import pytest
from chat import AFTER_RETRY, SOON, blameless, sites  # noqa: F401
from companion import PATH, SECRET, App
from httpd import PATIENCE
from pexip import one_leg
from waiting import stays, wait_until

TROUBLE = r"companion app|PexipRCAppCallback|callback|Rocket\.Chat"


@pytest.fixture(scope="module")
def world(mpm):
    """(sites, the app of each)"""
    extras = {"usual": "", "one": "PexipRCConcurrentCalls Off\n"}
    with App() as usual, App() as one:
        apps = {"usual": usual, "one": one}
        with sites(mpm, {name: {"rest": False, "webhook": False, "extra": f"{extras[name]}PexipRCAppCallback {app.url} conf/{name}.app"}
                         for name, app in apps.items()},
                   files={f"conf/{name}.app": f"{SECRET}\n" for name in apps}) as made:
            yield made, apps


@pytest.fixture
def site(world):
    return world[0]["usual"]


@pytest.fixture
def app(world):
    app = world[1]["usual"]
    app.heard.clear()
    app.answers, app.otherwise = [], 200
    return app


def create(site, meeting_id, room=None, name="team"):
    return site.api.create(id=meeting_id, room={"id": room or meeting_id, "name": name, "type": "p"}, creator=site.nina.creator())


def test_it_is_told_once_when_the_meeting_has_ended(site, app):
    meeting = create(site, "Callback1Once")
    node = site.node()
    node.conference_started(meeting["id"])
    anna = one_leg(node, meeting["id"], "Anna")
    assert not app.of(meeting["id"])
    anna.leave()
    node.conference_ended(meeting["id"])
    site.becomes(meeting, "ended")
    heard, = wait_until(lambda: app.of(meeting["id"]), SOON, "the call")
    assert heard.path == PATH and heard.body == {"callId": meeting["id"]}
    assert heard.headers["X-Pexip-RC-Secret"] == SECRET and heard.headers["Content-Type"].split(";")[0] == "application/json"
    stays(lambda: len(app.of(meeting["id"])) == 1, 1.5, "the only call")


def test_a_meeting_that_is_closed_by_hand_is_told_of_too(site, app):
    meeting = create(site, "Callback2Closed")
    site.api.delete(meeting["id"])
    wait_until(lambda: app.of(meeting["id"]), SOON, "the call")


@pytest.mark.once
@pytest.mark.parametrize("answers", [[500, 503], ["cut", 502], [429], [404], [403, 401], [204]], ids=str)
def test_it_is_told_again_until_it_has_heard(site, app, answers):
    app.answers = list(answers)
    meeting = create(site, "Callback3" + "x".join(map(str, answers)))
    site.httpd.expect(TROUBLE)
    site.api.delete(meeting["id"])
    heard = 1 if answers[0] in (204, 404) else len(answers) + 1
    wait_until(lambda: len(app.of(meeting["id"])) >= heard, len(answers) * AFTER_RETRY, "the calls")
    stays(lambda: len(app.of(meeting["id"])) == heard, 2, "the last call")


def test_it_is_told_after_a_restart_what_it_has_missed(site, app):
    app.otherwise = 503
    meeting = create(site, "Callback4Missed")
    site.httpd.expect(TROUBLE)
    site.api.delete(meeting["id"])
    wait_until(lambda: app.of(meeting["id"]), SOON, "the first call")
    site.httpd.stop()
    app.otherwise = 200
    site.httpd.start()
    wait_until(lambda: app.has_heard(meeting["id"]), AFTER_RETRY, "the call after the start")


def test_every_call_of_a_shared_meeting_is_told_of(world):
    site, app = world[0]["one"], world[1]["one"]
    for number in range(3):
        create(site, f"Callback5Shared{number}", room="SharedRoom")
    site.api.delete("Callback5Shared0")
    wait_until(lambda: all(app.of(f"Callback5Shared{number}") for number in range(3)), 2 * SOON, "a call for each id")
    stays(lambda: len(app.heard) == 3, 1, "the three calls")


def test_the_secret_is_in_no_log(site, app):
    meeting = create(site, "Callback6Secret")
    site.api.delete(meeting["id"])
    wait_until(lambda: app.of(meeting["id"]), SOON * PATIENCE, "the call")
    assert SECRET not in site.httpd.error_log() and SECRET not in site.status().text
