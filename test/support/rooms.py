"""What a stand-in workspace of Rocket.Chat holds: users, rooms, messages with all versions that each has had."""

import random
import re
import string
import time
from datetime import datetime, timezone
from urllib.parse import parse_qs, urlsplit

LETTERS = string.ascii_letters + string.digits
# Where Rocket.Chat sees a mention: the characters that may stand before it are generous on purpose.
MENTION = re.compile(r"""(?:^|[\s>*_~`("'\[])@([0-9A-Za-z_.-]+)""", re.M)


def new_id(length=17):
    return "".join(random.choices(LETTERS, k=length))


def timestamp(seconds=None):
    moment = datetime.fromtimestamp(time.time() if seconds is None else seconds, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class User:
    def __init__(self, username, name, user_id=None, token=None, roles=("user",)):
        self.id = user_id or new_id()
        self.username, self.name = username, name
        self.token = token or new_id(43)
        self.roles = set(roles)
        self.active = True
        # Permission api-bypass-rate-limit.
        self.bypass = False

    def brief(self):
        return {"_id": self.id, "username": self.username, "name": self.name}

    def creator(self):
        """As the meetings API wants to have it."""
        return {"id": self.id, "username": self.username, "name": self.name}

    def cookies(self, token=None):
        return {"rc_uid": self.id, "rc_token": token or self.token}

    def __repr__(self):
        return f"<{self.username}>"


class Message:
    def __init__(self, message_id, room, user, text, attachments=None, tmid=None, **more):
        self.id, self.room, self.user, self.tmid = message_id or new_id(), room, user, tmid
        self.more = more
        self.edited_by = None
        self.created = time.time()
        # (time.monotonic(), text, attachments) of each version, oldest first.
        self.versions = [(time.monotonic(), text, attachments or [])]

    def change(self, text, user):
        self.edited_by = user
        self.versions.append((time.monotonic(), text, self.attachments))

    @property
    def text(self):
        return self.versions[-1][1]

    @property
    def texts(self):
        return [text for _, text, _ in self.versions]

    @property
    def attachments(self):
        return self.versions[-1][2]

    @property
    def words(self):
        """Everything that somebody reads in it: text, titles, fields, buttons."""
        found = [self.text]

        def collect(value):
            if isinstance(value, str):
                found.append(value)
            for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
                collect(each)
        collect(self.attachments)
        return "\n".join(found)

    @property
    def buttons(self):
        """{text: url} of all buttons that open something."""
        return {action.get("text"): action["url"] for attachment in self.attachments for action in attachment.get("actions", [])
                if action.get("type") == "button" and "url" in action}

    @property
    def links(self):
        """Every address in it; of one that opens the call window, the address that this leads to."""
        found = re.findall(r"https?://[^\s<>()\[\]\"|]+", self.words)
        return [parse_qs(urlsplit(link).query).get("callUrl", [link])[0] for link in found]

    @property
    def mentions(self):
        return MENTION.findall(self.words)

    def as_json(self):
        value = {"_id": self.id, "rid": self.room.id, "msg": self.text, "ts": timestamp(self.created), "u": self.user.brief(),
                 "_updatedAt": timestamp(), "urls": [], "mentions": [], "channels": [], **self.more}
        if self.attachments:
            value["attachments"] = self.attachments
        if self.tmid:
            value["tmid"] = self.tmid
        if self.edited_by:
            value["editedAt"], value["editedBy"] = timestamp(), self.edited_by.brief()
        return value

    def __repr__(self):
        return f"<{self.user.username} in {self.room.name}: {self.text[:60]!r}>"


class Room:
    def __init__(self, name, kind, members, room_id=None, parent=None, shown=None, owner=None, encrypted=False):
        self.id = room_id or new_id()
        self.name, self.kind, self.parent, self.owner = name, kind, parent, owner
        self.shown = shown or name
        self.members = list(members)
        self.encrypted = encrypted
        self.muted = []
        self.messages = []

    def by(self, user, tmid=None):
        """What that user has written here, in the thread where one is named; what the server says itself (t) is nobody's."""
        return [message for message in list(self.messages)
                if message.user is user and "t" not in message.more and (tmid is None or message.tmid == tmid)]

    def as_meant(self):
        """As the meetings API wants to have it."""
        return {"id": self.id, "name": self.name, "type": self.kind}

    def as_json(self):
        value = {"_id": self.id, "t": self.kind, "msgs": len(self.messages), "usersCount": len(self.members), "ro": False,
                 "encrypted": self.encrypted, "_updatedAt": timestamp(), "ts": timestamp()}
        if self.kind == "d":
            value |= {"usernames": [each.username for each in self.members], "uids": [each.id for each in self.members]}
        else:
            value |= {"name": self.name, "fname": self.shown}
        if self.parent:
            value["prid"] = self.parent.id
        if self.muted:
            value["muted"] = self.muted
        if self.messages:
            value["lastMessage"] = self.messages[-1].as_json()
        if self.owner:
            value["u"] = self.owner.brief()
        return value

    def __repr__(self):
        return f"<{self.kind} {self.shown}>"


class Rooms:
    def __init__(self):
        self.users, self.rooms, self.messages = {}, {}, {}
        # None: may be edited for ever; a number: for so many seconds; False: not at all.
        self.editing = None
        self.discussions_enabled = True
        self.bot = self.add_user("pexip.bot", "Pexip", roles=("bot",))

    def add_user(self, username, name=None, **options):
        user = User(username, name or username.title(), **options)
        self.users[user.id] = user
        return user

    def user_named(self, username):
        return next((each for each in self.users.values() if each.username == username), None)

    def add_room(self, name, kind="c", members=(), **options):
        with self.lock:
            room = Room(name, kind, members, **options)
            self.rooms[room.id] = room
        return room

    def direct(self, *members):
        """The conversation of these people, made where there is none yet."""
        with self.lock:
            room_id = "".join(sorted(each.id for each in members))
            return self.rooms.get(room_id) or self.add_room(None, "d", members, room_id=room_id)

    def add_discussion(self, parent, shown, members, owner=None, encrypted=False):
        room = self.add_room(new_id(), "c" if parent.kind == "c" else "p", members, parent=parent, shown=shown,
                             owner=owner, encrypted=encrypted)
        return room

    def discussions(self, parent=None):
        return [room for room in list(self.rooms.values()) if room.parent and parent in (None, room.parent)]

    def may_read(self, user, room):
        return room.kind == "c" or user in room.members

    def store(self, room, user, text, message_id=None, attachments=None, tmid=None, **more):
        """The message; None where the id is known already: nothing is ever stored twice."""
        with self.lock:
            if message_id and message_id in self.messages:
                return None
            message = Message(message_id, room, user, text, attachments, tmid, **more)
            self.messages[message.id] = message
            room.messages.append(message)
            if room.kind == "c" and user not in room.members:
                room.members.append(user)
        return message
