"""Part two: the same from inside Rocket.Chat, from what somebody writes in a room to the message that says it is over."""

import re
from urllib.parse import urlsplit

from meetings import BORIS, NINA, ROOM
from one_meeting import becomes
from pexip import two_legs
from story import check, same
from visitor import Visitor
from waiting import wait_until
from workspace import PREFIX

TOKEN = "stand-in-token-of-the-webhook"
LOCATION = f"""
<Location "{PREFIX}/webhook">
    SetHandler pexip-rc-webhook
    Require all granted
</Location>
"""
# An edit waits for its ten seconds at most.
EDITED = 15


def directives(chat):
    return (f"PexipRCRestURL {chat.url}\nPexipRCRestCredentialsFile conf/rocketchat.rest\n"
            "PexipRCWebhookTokenFile conf/rocketchat.webhook\nPexipRCPersistentChat On\n")


def write_files(server, chat):
    server.write("conf/rocketchat.rest", f"{chat.bot.id}\n{chat.bot.token}\n", 0o600)
    server.write("conf/rocketchat.webhook", f"{TOKEN}\n", 0o600)


def populate(chat):
    """The room and the caller of the meetings that begin by the API, and those of this part."""
    chat.nina, chat.boris = [chat.add_user(each["username"], each["name"], user_id=each["id"]) for each in (NINA, BORIS)]
    chat.add_room(ROOM["name"], ROOM["type"], [chat.nina, chat.boris, chat.bot], room_id=ROOM["id"])
    chat.projects = chat.add_room("projects", "p", [chat.nina, chat.boris, chat.bot])


def path_of(link):
    return urlsplit(link).path


def link_in(message, path):
    found = [link for link in message.links if path_of(link) == path]
    check(found, f"no link to {path} in {message.words!r}")
    return found[0]


def first_line(text):
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def play(story, server, api, chat, host, node):
    nina, boris, room = chat.nina, chat.boris, chat.projects
    chat.add_integration(server, f"{PREFIX}/webhook", token=TOKEN, headers={"Host": host})

    def browser(user=None, **options):
        return Visitor(server, user.cookies() if user else None, headers={"Host": host}, **options)

    story.chapter("The same from inside Rocket.Chat")

    with story.step("Nina writes “!pexip Weekly” in a private room; the webhook is answered with {}", needed=True) as step:
        said = chat.say(nina, room, "!pexip Weekly")
        same("the status", said.status, 200)
        same("the answer", said.answer, {})
        meeting = api.read(api.list(room=room.id)["meetings"][0]["id"])
        same("title and creator", (meeting["title"], meeting["creator"]["username"]), ("Weekly", "nina"))
        step.note(f"meeting {meeting['id']}, after {said.seconds * 1000:.0f} ms")

    with story.step("The message with its button appears in the room, once", needed=True) as step:
        message, = wait_until(lambda: room.by(chat.bot), 5, "a message of the module")
        check(meeting["join_url"] in message.buttons.values(), f"its buttons are {message.buttons}")
        check(f"/conference/{meeting['id']}?callUrl=" in message.text, "no link that opens the call window")
        step.note(first_line(message.text))

    path = urlsplit(meeting["join_url"]).path
    with story.step("Nina, and nobody else, gets a personal link by direct message"):
        private = wait_until(lambda: [each for each in chat.direct(nina, chat.bot).by(chat.bot) if path in map(path_of, each.links)],
                             5, "a direct message")[0]
        landed = browser().open(link_in(private, path))
        same("who it leads in as", landed.role(meeting), "host")
        same("messages to Boris", chat.direct(boris, chat.bot).messages, [])

    with story.step("A discussion for the call hangs below the room") as step:
        wait_until(lambda: api.read(meeting["id"])["discussion"], 5, "the discussion")
        discussion, = chat.discussions(room)
        step.note(discussion.shown)

    with story.step("Nina presses the button: her session of Rocket.Chat makes her the host") as step:
        landed = browser(nina, navigates=True).open(meeting["join_url"])
        same("status, role and name", (landed.status, landed.role(meeting), landed.name), (303, "host", "Nina"))
        same("the chat beside the video", landed.rid, f"{chat.site}/group/{discussion.name}?layout=embedded")

    with story.step("Boris presses it too: a guest, by his name; a stranger with the link is a guest as well"):
        landed = browser(boris, navigates=True).open(meeting["join_url"])
        same("role and name", (landed.role(meeting), landed.name), ("guest", "Boris"))
        same("the stranger's role", browser().open(meeting["join_url"]).role(meeting), "guest")

    with story.step("Both come in, and the message says who is there") as step:
        node.conference_started(meeting["id"])
        people = [two_legs(node, meeting["id"], "Nina", role="chair"), two_legs(node, meeting["id"], "Boris")]
        becomes(api, meeting["id"], state="live", participant_count=2)
        wait_until(lambda: "Nina" in message.text and "Boris" in message.text and len(message.versions) > 1, EDITED, "both in the message")
        step.note(first_line(message.text))

    with story.step("Both leave; the message says that it is over, how long it took and how many were there") as step:
        for person in people:
            person.leave()
        node.conference_ended(meeting["id"])
        becomes(api, meeting["id"], timeout=6, state="ended")
        wait_until(lambda: re.search(r"\bended\b", message.text), EDITED, "the word ended in the message")
        same("messages in the room", len(room.by(chat.bot)), 1)
        step.note(first_line(message.text))

    with story.step("Nothing that the module asked of Rocket.Chat was refused or odd") as step:
        same("what the workspace minded", chat.problems, [])
        # That a message is not there yet is an answer, not a refusal.
        refused = [call for call in chat.calls if call.status != 200 and call.route != "chat.getMessage"]
        same("what was refused", refused, [])
        step.note(f"{len(chat.calls)} calls")
    return meeting["id"]
