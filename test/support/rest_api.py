"""The REST API of a stand-in workspace: what it takes, answers and refuses.

Requests must be such that 6.13, 7.13 and 8.8 all take them; one that would not pass everywhere is refused and noted as a problem.
"""

import atexit
import functools
import time

from rooms import timestamp
from validators import Validators

# Route: method, whether it needs a login, members that every version knows, members that must be there ("a|b": one of them).
ROUTES = {
    "/api/info": ("GET", False, "", ""),
    "me": ("GET", True, "", ""),
    "settings.public": ("GET", False, "_id count offset", ""),
    "users.info": ("GET", True, "userId username", "userId|username"),
    "chat.sendMessage": ("POST", True, "message previewUrls", "message"),
    "chat.postMessage": ("POST", True, "roomId channel text alias emoji avatar attachments parseUrls customFields", "roomId|channel"),
    "chat.update": ("POST", True, "roomId msgId text previewUrls customFields", "roomId msgId text"),
    "chat.getMessage": ("GET", True, "msgId", "msgId"),
    "rooms.info": ("GET", True, "roomId roomName", "roomId|roomName"),
    "rooms.getDiscussions": ("GET", True, "roomId count offset sort", "roomId"),
    "rooms.createDiscussion": ("POST", True, "prid pmid t_name users encrypted reply", "prid t_name"),
    "groups.invite": ("POST", True, "roomId userId username", "roomId userId|username"),
    "channels.invite": ("POST", True, "roomId userId username", "roomId userId|username"),
    "im.create": ("POST", True, "username usernames", "username|usernames"),
}
MESSAGE = "_id rid msg tmid tshow alias emoji avatar attachments blocks customFields parseUrls groupable"
WRONG_TOKEN = "You must be logged in to do this."


@functools.cache
def validators():
    """One for the whole test run; None where they are not to be had."""
    if not Validators.available():
        return None
    made = Validators()
    atexit.register(made.close)
    made.check("chat.getMessage", {"msgId": "x"})      # loading them takes seconds, which no request may be made to wait
    return made


class Refused(Exception):
    def __init__(self, code, error=None, kind=None, **more):
        super().__init__(error)
        self.code = code
        self.value = {"success": False}
        if error is not None:
            self.value["error"] = f"{error} [{kind}]" if kind else error
        if kind:
            self.value["errorType"] = kind
        self.value |= more


class Limiter:
    """Calls of one address to one route in a window of time. `limit` None: off."""

    def __init__(self, limit=None, window=60):
        self.limit, self.window = limit, window
        self._counts = {}

    def count(self, key):
        """Counts one call: (headers, seconds to wait or None)."""
        if self.limit is None:
            return {}, None
        now = time.time()
        began, count = self._counts.get(key, (now, 0))
        if now - began >= self.window:
            began, count = now, 0
        count += 1
        self._counts[key] = began, count
        headers = {"X-RateLimit-Limit": str(self.limit), "X-RateLimit-Remaining": str(max(0, self.limit - count)),
                   "X-RateLimit-Reset": str(int((began + self.window) * 1000))}
        return headers, began + self.window - now if count > self.limit else None


class RestApi:
    """Mixed into Workspace, which has users, rooms and messages."""

    def answer(self, call):
        """(status, value, headers) of a call, with everything that it causes."""
        headers = {}
        self._validate(call)
        try:
            with self.lock:
                user, parameters = self._judge(call, headers)
                action = getattr(self, "_" + call.route.removeprefix("/api/").replace(".", "_"))
                return 200, {**action(user, parameters), "success": True}, headers
        except Refused as refused:
            return refused.code, refused.value, headers

    def _judge(self, call, headers):
        """In the order of the real one: authentication, rate limit, parameters."""
        method, needs_login, known, required = ROUTES.get(call.route, (None,) * 4)
        if method != call.method:
            self.note(f"{call.method} {call.route} is no route of every version")
            raise Refused(404, "Resource not found")
        user = self._authenticated(call)
        if needs_login and not user:
            raise Refused(401, WRONG_TOKEN, **({"status": "error", "message": WRONG_TOKEN} if self.major < 8 else {}))
        if not (user and user.bypass):
            limit_headers, wait = self.limiter.count((call.client, call.method, call.route))
            headers |= limit_headers
            if wait is not None:
                raise Refused(429, "Error, too many requests. Please slow down. You must wait "
                              f"{int(wait) + 1} seconds before trying this endpoint again.", "error-too-many-requests")
        parameters = call.query if method == "GET" else self._body_of(call)
        self._check(call.route, parameters, known.split(), required.split())
        return user, parameters

    def _authenticated(self, call):
        user = self.users.get(call.headers.get("X-User-Id"))
        good = user and user.active and user.token and user.token == call.headers.get("X-Auth-Token")
        return user if good else None

    def _body_of(self, call):
        if not (call.headers.get("Content-Type") or "").startswith("application/json") or not call.json:
            self.note(f"{call.route} without an object of JSON: {call.body[:100]!r}")
            raise Refused(400, "must be object", "invalid-params")
        return call.json

    def _check(self, route, given, known, required):
        bad = [f"must NOT have additional property '{name}'" for name in given if name not in known]
        for name in required:
            if sum(1 for each in name.split("|") if each in given) != 1:
                bad.append(f"must have required property '{name}'")
        bad += [f"'{name}' must be string" for name in ("text", "roomId", "msgId", "t_name", "prid", "username", "userId")
                if name in given and not isinstance(given[name], str)]
        if route == "chat.sendMessage" and not bad:
            message = given["message"]
            if not isinstance(message, dict) or not isinstance(message.get("rid"), str):
                bad.append("must have required property 'rid'")
            else:
                bad += [f"must NOT have additional property '{name}'" for name in message if name not in MESSAGE.split()]
        if bad:
            self.note(f"{route}: {'; '.join(bad)}")
            raise Refused(400, bad[0], "invalid-params")

    def _validate(self, call):
        """By Rocket.Chat's own validators, where they have been built."""
        if validators():
            for error in validators().check(call.route, call.query if call.method == "GET" else call.json):
                self.note(error)

    # Information

    def _info(self, user, _):
        return {"version": self.version, "minimumClientVersions": {"desktop": "3.9.6", "mobile": "4.39.0"}}

    def _me(self, user, _):
        return {**user.brief(), "roles": sorted(user.roles), "emails": [{"address": f"{user.username}@example.com", "verified": True}],
                "active": True, "status": "online", "statusConnection": "online", "utcOffset": 1, "settings": {"preferences": {}},
                "avatarUrl": f"{self.site}/avatar/{user.username}"}

    def _settings_public(self, user, asked):
        values = {"Site_Url": self.site, "VideoConf_Enable_Persistent_Chat": False, "Discussion_enabled": self.discussions_enabled}
        found = [{"_id": name, "value": value} for name, value in values.items() if asked.get("_id") in (None, name)]
        return {"settings": found, "count": len(found), "offset": 0, "total": len(found)}

    def _users_info(self, user, asked):
        found = self._person(asked)
        return {"user": {**found.brief(), "active": found.active, "status": "online", "type": "user"}}

    def _person(self, asked):
        found = self.users.get(asked["userId"]) if "userId" in asked else self.user_named(asked["username"])
        if not found:
            raise Refused(400, "User not found.")
        return found

    # Messages

    def _room_to_write_in(self, user, room_id):
        room = self.rooms.get(room_id)
        if not room or not self.may_read(user, room):
            if self.major >= 8:
                raise Refused(400, "Not allowed", "error-not-allowed" if room else "error-invalid-room")
            raise Refused(400, "error-not-allowed" if room else "error-invalid-room")
        return room

    def _chat_sendMessage(self, user, asked):
        given = asked["message"]
        room = self._room_to_write_in(user, given["rid"])
        if len(given.get("msg", "")) > 5000:
            raise Refused(400, "Message size exceeds Message_MaxAllowedSize", "error-message-size-exceeded")
        more = {name: given[name] for name in ("alias", "emoji", "avatar", "blocks", "customFields") if name in given}
        message = self.store(room, user, given.get("msg", ""), given.get("_id"), given.get("attachments"), given.get("tmid"), **more)
        if not message:
            # The server fails over the message that it did not store: no errorType to be had.
            raise Refused(400, "Cannot read properties of undefined (reading '_id')")
        message.preview_urls = asked.get("previewUrls")
        self.echo(message)
        return {"message": message.as_json()}

    def _chat_postMessage(self, user, asked):
        target = asked.get("roomId") or asked["channel"]
        if target.startswith("@"):
            person = self.user_named(target[1:])
            room = self.direct(user, person) if person else None
        else:
            room = next((each for each in self.rooms.values() if target in (each.id, f"#{each.name}")), None)
        if not room or not self.may_read(user, room):
            raise Refused(400, "The required param is not allowed" if room else "Invalid channel", "error-not-allowed" if room else "invalid-channel")
        message = self.store(room, user, asked.get("text", ""), None, asked.get("attachments"))
        message.preview_urls = None
        self.echo(message)
        return {"ts": int(message.created * 1000), "channel": room.id, "message": message.as_json()}

    def _chat_update(self, user, asked):
        message = self.messages.get(asked["msgId"])
        if not message:
            raise Refused(400, f'No message found with the id of "{asked["msgId"]}".')
        if message.room.id != asked["roomId"]:
            raise Refused(400, "The room id provided does not match where the message is from.")
        details = {"details": {"method": "updateMessage", "action": "Editing_message"}}
        if message.user is not user or self.editing is False:
            raise Refused(400, "Message editing not allowed", "error-action-not-allowed", **details)
        if self.editing is not None and time.time() - message.created > self.editing:
            raise Refused(400, "Message editing is blocked", "error-message-editing-blocked", **details)
        message.change(asked["text"], user)
        return {"message": message.as_json()}

    def _chat_getMessage(self, user, asked):
        message = self.messages.get(asked["msgId"])
        if not message or not self.may_read(user, message.room):
            raise Refused(400)
        return {"message": message.as_json()}

    # Rooms

    def _rooms_info(self, user, asked):
        room = self.rooms.get(asked.get("roomId")) or next(
            (each for each in self.rooms.values() if each.name and each.name == asked.get("roomName")), None)
        if not room or not self.may_read(user, room):
            raise Refused(400, 'The required "roomId" or "roomName" param provided does not match any channel', "error-room-not-found")
        return {"room": room.as_json()}

    def _rooms_getDiscussions(self, user, asked):
        room = self.rooms.get(asked["roomId"])
        if not room or not self.may_read(user, room):
            raise Refused(400, "Not allowed", "error-not-allowed")
        found = [each.as_json() for each in reversed(self.discussions(room))]
        offset, count = int(asked.get("offset", 0)), min(int(asked.get("count", 50)), 100)
        page = found[offset:offset + count]
        return {"discussions": page, "count": len(page), "offset": offset, "total": len(found)}

    def _rooms_createDiscussion(self, user, asked):
        if not self.discussions_enabled:
            raise Refused(400, "You are not allowed to start a discussion", "error-action-not-allowed")
        parent = self.rooms.get(asked["prid"])
        if not parent or not self.may_read(user, parent):
            raise Refused(400, "Invalid room", "error-invalid-room")
        if parent.parent:
            raise Refused(400, "Cannot create nested discussions", "error-nested-discussion")
        people = [user] + [each for each in map(self.user_named, asked.get("users") or []) if each and each is not user]
        room = self.add_discussion(parent, asked["t_name"], people, owner=user, encrypted=bool(asked.get("encrypted")))
        self.store(parent, user, asked["t_name"], t="discussion-created", drid=room.id)
        value = room.as_json()
        return {"discussion": {**value, "rid": room.id, "topic": "", "ts": timestamp()}}

    def _invite(self, user, asked, kind):
        room = self.rooms.get(asked["roomId"])
        if not room or room.kind != kind or not self.may_read(user, room):
            raise Refused(400, 'The required "roomId" or "roomName" param provided does not match any group', "error-room-not-found")
        person = self._person(asked)
        if person not in room.members:
            room.members.append(person)
        return {"group" if kind == "p" else "channel": room.as_json()}

    def _groups_invite(self, user, asked):
        return self._invite(user, asked, "p")

    def _channels_invite(self, user, asked):
        return self._invite(user, asked, "c")

    def _im_create(self, user, asked):
        names = [asked["username"]] if "username" in asked else [each.strip() for each in asked["usernames"].split(",")]
        people = [self.user_named(each) for each in names]
        if not all(people):
            raise Refused(400, "Invalid user", "error-invalid-user")
        room = self.direct(user, *people)
        return {"room": {"rid": room.id, "_id": room.id, "t": "d", "usernames": [each.username for each in room.members]}}
