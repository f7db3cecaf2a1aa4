"""Every request to Rocket.Chat's REST API that the module can make, by the published validators of three major versions."""

from concurrent.futures import ThreadPoolExecutor

from chat import AFTER_RETRY, SOON, blameless, make_sites, sites  # noqa: F401
from pexip import one_leg
from validators import Validators
from waiting import wait_until

# All that the module ever asks for; the stand-in notes a problem for each request that any of the versions would refuse.
ROUTES = {"me", "chat.sendMessage", "chat.update", "chat.getMessage", "rooms.info", "rooms.getDiscussions",
          "rooms.createDiscussion", "groups.invite", "channels.invite", "im.create"}


def asked(site):
    return {call.route for call in list(site.chat.calls)}


def play(site):
    """One meeting in a channel and one in a private room, with a reply that is lost each time, and one message that cannot
    be edited."""
    for kind in "cp":
        room = site.room(kind)
        for route in ("chat.sendMessage", "rooms.createDiscussion"):
            site.chat.fault(route, "lost", times=1)
        meeting = site.start("Weekly <b> \"quoted\" 会议", room)
        wait_until(lambda: site.api.read(meeting["id"])["discussion"], AFTER_RETRY, "the discussion")
        site.visitor(site.boris).open(meeting["join_url"])
        node = site.node()
        node.conference_started(meeting["id"])
        person = one_leg(node, meeting["id"], "Anna")
        message = site.message_of(meeting, AFTER_RETRY)
        wait_until(lambda: "Anna" in message.text, AFTER_RETRY, "Anna in the message")
        person.leave()
        if kind == "p":
            site.chat.editing = False
        node.conference_ended(meeting["id"])
        wait_until(lambda: "ended" in message.text or room.by(site.chat.bot, tmid=message.id), AFTER_RETRY, "the end")
        site.personal_link(meeting)


def test_all_requests_are_what_each_version_takes(make_sites):
    assert Validators.available()
    versions = {"six": "6.13", "seven": "7.13", "eight": "8.8"}
    made = make_sites({name: {"version": version, "extra": "PexipRCPersistentChat On"} for name, version in versions.items()})
    for site in made.values():
        site.httpd.expect(r"Rocket\.Chat")
    with ThreadPoolExecutor() as pool:
        list(pool.map(play, made.values()))
    for site in made.values():
        wait_until(lambda: asked(site) == ROUTES, SOON, f"{ROUTES} in {site.name}; asked for is {asked(site)}")
