"""The stand-in Rocket.Chat itself: it refuses and fails as the reference says, else tests against it would prove nothing."""

import http.client
import json
import socket
import ssl
import sys
import threading
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from httpd import Answer, make_certificate, request  # noqa: E402
from rocketchat import VERSIONS, RocketChat, Workspace, is_upstream  # noqa: E402


@pytest.fixture(params=VERSIONS)
def chat(request):
    with Workspace(request.param) as workspace:
        workspace.nina = workspace.add_user("nina", "Nina")
        workspace.general = workspace.add_room("general", room_id="GENERAL")
        workspace.secret = workspace.add_room("secret", "p", [workspace.nina])
        yield workspace


def ask(chat, method, route, body=None, user=None, headers=None, timeout=5):
    user = user or chat.bot
    path = route if route.startswith("/") else f"/api/v1/{route}"
    return request(chat.port, method, path, body=body, timeout=timeout,
                   headers={"X-User-Id": user.id, "X-Auth-Token": user.token, **(headers or {})})


def send(chat, text="Hello", room="GENERAL", message_id=None, **options):
    message = {"rid": room, "msg": text, **({"_id": message_id} if message_id else {})}
    return ask(chat, "POST", "chat.sendMessage", {"message": message, "previewUrls": []}, **options)


def test_a_message_is_stored_once_however_often_it_is_sent(chat):
    first, second = (send(chat, message_id="mine") for _ in range(2))
    assert first.status == 200 and first.json()["message"]["_id"] == "mine"
    assert second.status == 400 and second.json()["success"] is False
    assert [message.text for message in chat.general.messages] == ["Hello"]
    assert ask(chat, "GET", "chat.getMessage?msgId=mine").json()["message"]["msg"] == "Hello"
    assert ask(chat, "GET", "chat.getMessage?msgId=other").json() == {"success": False}


def test_edits_are_kept_one_by_one_and_refused_where_they_are_off(chat):
    send(chat, message_id="mine")
    body = {"roomId": "GENERAL", "msgId": "mine", "text": "Changed"}
    assert ask(chat, "POST", "chat.update", body).json()["message"]["msg"] == "Changed"
    assert ask(chat, "POST", "chat.update", body, user=chat.nina).json()["errorType"] == "error-action-not-allowed"
    for chat.editing in (False, 0.0):
        assert ask(chat, "POST", "chat.update", {**body, "text": "Again"}).status == 400
    assert chat.messages["mine"].texts == ["Hello", "Changed"]


def test_who_is_not_logged_in_is_told_as_his_version_does(chat):
    answer = send(chat, headers={"X-Auth-Token": "wrong"})
    assert answer.status == 401 and ("message" in answer.json()) == (chat.major < 8)
    assert request(chat.port, "GET", "/api/info").json()["version"] == chat.version
    assert ask(chat, "GET", "me", user=chat.nina).json()["_id"] == chat.nina.id


def test_private_rooms_are_closed_to_others(chat):
    assert send(chat, room=chat.secret.id).status == 400
    assert ask(chat, "GET", f"rooms.info?roomId={chat.secret.id}").status == 400
    assert send(chat, room=chat.secret.id, user=chat.nina).status == 200


def test_a_discussion_is_made_and_entered(chat):
    made = ask(chat, "POST", "rooms.createDiscussion", {"prid": "GENERAL", "t_name": "Talk", "users": []}).json()["discussion"]
    assert (made["fname"], made["t"]) == ("Talk", "c") and made["name"] != "Talk"
    assert ask(chat, "POST", "channels.invite", {"roomId": made["rid"], "userId": chat.nina.id}).status == 200
    assert chat.nina in chat.rooms[made["rid"]].members
    listed = ask(chat, "GET", "rooms.getDiscussions?roomId=GENERAL").json()["discussions"]
    assert [each["_id"] for each in listed] == [made["rid"]]
    room = ask(chat, "POST", "im.create", {"username": "nina"}).json()["room"]
    assert send(chat, room=room["rid"]).status == 200


def test_what_not_every_version_takes_is_refused_and_noted(chat):
    assert ask(chat, "POST", "chat.update", {"roomId": "GENERAL", "msgId": "x", "text": "y", "blocks": []}).json()["errorType"] == "invalid-params"
    assert ask(chat, "POST", "rooms.invite", {"roomId": "GENERAL"}).status == 404
    # Where the validators have been built, they find the first one as well.
    assert len(chat.problems) >= 2


def test_limits_are_counted_by_address_and_route(chat):
    chat.limiter.limit = 2
    statuses = [ask(chat, "GET", "me", headers={"X-Real-IP": "192.0.2.1"}).status for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert ask(chat, "GET", "me", headers={"X-Real-IP": "192.0.2.2"}).status == 200
    refused = ask(chat, "GET", "me", headers={"X-Real-IP": "192.0.2.1"})
    assert "[error-too-many-requests]" in refused.json()["error"]
    assert 0 < int(refused.headers["X-RateLimit-Reset"]) / 1000 - time.time() <= 60
    chat.bot.bypass = True
    assert ask(chat, "GET", "me", headers={"X-Real-IP": "192.0.2.1"}).status == 200


BROKEN = (OSError, http.client.HTTPException)


@pytest.mark.parametrize("kind, stored", [("lost", 1), ("reset", 0), ("hang", 0), ("slow", 1)])
def test_faults_that_give_no_answer(chat, kind, stored):
    fault = chat.fault("chat.sendMessage", kind)
    with pytest.raises(BROKEN):
        answer = send(chat, message_id="mine", timeout=0.5)
        json.loads(answer.body)
    assert len(chat.general.messages) == stored and fault.hits
    fault.stop()
    assert send(chat, message_id="mine").status == (400 if stored else 200)


@pytest.mark.parametrize("kind, status", [("429", 429), ("500", 500), ("502", 502), ("failure", 200), ("401", 401), ("garbage", 200), ("redirect", 302)])
def test_faults_that_answer(chat, kind, status):
    chat.fault("chat.sendMessage", kind, times=1)
    assert send(chat).status == status and chat.general.messages == []
    assert send(chat).status == 200 and ask(chat, "GET", "me").status == 200


def test_it_goes_down_and_comes_up_at_the_same_port(chat):
    chat.down()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", chat.port), timeout=1)
    chat.up()
    assert send(chat).status == 200


class Hook:
    """A webhook's receiver with prepared answers."""

    def __init__(self, *answers):
        self.answers, self.bodies, self.lock = list(answers), [], threading.Lock()

    def request(self, method, path, body=None, **_):
        with self.lock:
            self.bodies.append(body)
            status, value = self.answers.pop(0) if self.answers else (200, {})
        headers = http.client.HTTPMessage()
        headers["Content-Type"] = "application/json"
        return Answer(status, headers, json.dumps(value).encode() if value is not None else b"")


def test_webhooks_are_called_and_obeyed(chat):
    hook = Hook((503, {"detail": "later"}), (200, {"text": "!pexip help", "tmid": "t"}))
    chat.add_integration(hook, "/pexip/webhook", token="secret")
    assert chat.say(chat.nina, chat.general, "hello !pexip").posts == []
    said = chat.say(chat.nina, chat.general, "!pexip Weekly", tmid="t")
    assert [post[0] for post in said.posts] == [503, 200]
    assert said.posted == chat.general.by(chat.bot, tmid="t")
    chat.finish_echoes()
    assert hook.bodies[0]["user_name"] == "nina" and hook.bodies[0]["text"] == "!pexip Weekly" and hook.bodies[0]["tmid"] == "t"
    assert hook.bodies[-1]["bot"] is True and chat.problems == []


@pytest.mark.parametrize("status", [410, 500])
def test_answers_that_harm_are_noted(chat, status):
    integration = chat.add_integration(Hook((status, {"error": "x"})), "/pexip/webhook", token="secret")
    assert chat.say(chat.nina, chat.general, "!pexip").status == status
    assert len(chat.problems) == 1 and integration.enabled == (status == 500)


def test_it_speaks_tls(tmp_path):
    certificate, key = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Workspace(tls=context) as chat:
        headers = {"X-User-Id": chat.bot.id, "X-Auth-Token": chat.bot.token}
        assert request(chat.port, "GET", "/api/v1/me", headers=headers, tls=True).json()["_id"] == chat.bot.id


def test_the_simple_one_answers_everything():
    with RocketChat() as upstream:
        assert is_upstream(request(upstream.port, "POST", "/api/v1/login", body=b"x"))
        assert upstream.requests == [("POST", "/api/v1/login")]
