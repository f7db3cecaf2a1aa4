"""That Rocket.Chat's validators are really asked: good bodies pass in all versions, bad ones do not."""

import pytest
from validators import BUNDLES, ROUTES, VERSIONS, Validators

ROOM, USER, MESSAGE = "GENERAL", "rocketchat.internal.admin.test", "9qRkTLz5NbEJjXDa2"

GOOD = [
    ("chat.sendMessage", {"message": {"rid": ROOM, "msg": "Weekly"}}),
    ("chat.sendMessage", {"message": {"_id": MESSAGE, "rid": ROOM, "msg": "Weekly", "tmid": MESSAGE}}),
    ("chat.sendMessage", {"message": {"_id": MESSAGE, "rid": ROOM, "msg": "Weekly", "attachments": [
        {"button_alignment": "horizontal",
         "actions": [{"type": "button", "text": "Join", "url": "https://chat.example.com/pexip/join/x"}]}]}}),
    ("chat.postMessage", {"roomId": ROOM, "text": "Weekly"}),
    ("chat.postMessage", {"channel": "@nina", "text": "Weekly"}),
    ("chat.update", {"roomId": ROOM, "msgId": MESSAGE, "text": "ended"}),
    ("chat.getMessage", {"msgId": MESSAGE}),
    ("chat.delete", {"roomId": ROOM, "msgId": MESSAGE}),
    ("rooms.info", {"roomId": ROOM}),
    ("rooms.info", {"roomName": "general"}),
    ("rooms.createDiscussion", {"prid": ROOM, "t_name": "Conference Call Chat History", "users": ["nina"]}),
    ("groups.invite", {"roomId": ROOM, "userId": USER}),
    ("dm.create", {"username": "nina"}),
    ("im.create", {"usernames": "nina,otto"}),
    ("users.info", {"userId": USER}),
    ("users.info", {"username": "nina"}),
]

BAD = [
    # None of them asks for `rid`, and numbers pass for texts: a stand-in must look at those itself.
    ("chat.sendMessage", {"rid": ROOM, "msg": "Weekly"}),
    ("chat.sendMessage", {"message": {"rid": ROOM, "msg": {"text": "Weekly"}}}),
    ("chat.sendMessage", {"message": {"rid": ROOM, "msg": "Weekly", "attachments": ["Join"]}}),
    ("chat.sendMessage", {"message": {"rid": ROOM, "msg": "Weekly"}, "roomId": ROOM}),
    ("chat.postMessage", {"roomId": ROOM, "text": "Weekly", "blocks": []}),
    ("chat.postMessage", {"text": "Weekly"}),
    ("chat.update", {"roomId": ROOM, "msgId": MESSAGE}),
    ("chat.update", {"roomId": ROOM, "msgId": MESSAGE, "text": "ended", "blocks": []}),
    ("chat.getMessage", {}),
    ("chat.getMessage", {"msgId": MESSAGE, "roomId": ROOM}),
    ("chat.delete", {"roomId": ROOM}),
    ("rooms.info", {}),
    ("rooms.createDiscussion", {"t_name": "without a parent"}),
    ("rooms.createDiscussion", {"prid": ROOM, "t_name": "x", "members": ["nina"]}),
    ("groups.invite", {"userId": USER}),
    ("dm.create", {"username": "nina", "usernames": "nina,otto"}),
    ("im.create", {}),
    ("users.info", {}),
]

# Properties that not all versions know: a body for one of them is none for all.
DIVIDED = [
    ("chat.postMessage", {"roomId": ROOM, "text": "x", "tmid": MESSAGE}, {"6.13.1"}),
    ("rooms.createDiscussion", {"prid": ROOM, "t_name": "x", "topic": "y"}, {"6.13.1", "7.13.9"}),
    ("groups.invite", {"roomId": ROOM, "username": "nina"}, {"6.13.1", "7.13.9"}),
    ("groups.invite", {"roomId": ROOM, "usernames": ["nina"]}, {"6.13.1", "7.13.9"}),
    ("users.info", {"email": "nina@example.com"}, {"6.13.1", "7.13.9"}),
]


@pytest.mark.parametrize("route, request_", GOOD)
def test_what_is_right_passes_in_all_versions(validators, route, request_):
    assert validators.check(route, request_) == []


@pytest.mark.parametrize("route, request_", BAD)
def test_what_is_wrong_is_refused_by_all_versions(validators, route, request_):
    errors = validators.check(route, request_)
    assert [error.split()[0] for error in errors] == list(VERSIONS)


@pytest.mark.parametrize("route, request_, refusing", DIVIDED)
def test_what_only_newer_versions_take_is_told_apart(validators, route, request_, refusing):
    assert {error.split()[0] for error in validators.check(route, request_)} == refusing


def test_every_route_of_the_table_is_judged_here():
    for cases in (GOOD, BAD):
        assert {route for route, *_ in cases} == set(ROUTES)


def test_every_name_of_the_table_exists_in_all_versions(validators):
    for name in set(ROUTES.values()):
        assert None not in validators.verdicts(name, {}).values(), name


def test_a_name_that_no_version_has_is_a_mistake_and_not_a_pass(validators, monkeypatch):
    monkeypatch.setitem(ROUTES, "chat.sendMessage", "isChatSendMesageProps")
    with pytest.raises(AssertionError, match="no version has isChatSendMesageProps"):
        validators.check("chat.sendMessage", {})


def test_routes_without_a_validator_are_not_judged(validators):
    assert validators.check("channels.invite", {"anything": 1}) == []


def test_a_validator_that_converts_changes_nothing_for_the_others(validators):
    """The one of 8.8.1 turns 1 into true; the older ones must still see the 1."""
    verdicts = validators.verdicts("isVideoConfJoinProps", {"callId": MESSAGE, "state": {"mic": 1}})
    assert verdicts["8.8.1"] is True
    assert verdicts["6.13.1"] is not True and verdicts["7.13.9"] is not True


@pytest.mark.parametrize("request_", [None, 7, "text", [], [{}], {"message": None}, {"message": {"rid": {}, "msg": []}}])
def test_rubbish_is_refused_and_the_validators_live_on(validators, request_):
    assert validators.check("chat.sendMessage", request_)
    assert validators.check("chat.getMessage", {"msgId": MESSAGE}) == []


def test_text_of_any_language_arrives_as_it_was(validators):
    assert validators.check("chat.sendMessage", {"message": {"rid": ROOM, "msg": "Wöchentlich \u2028 \U0001f4de \\ \""}}) == []


def test_what_is_bundled_is_what_is_said_to_be():
    assert Validators.available()
    assert {path.stem for path in BUNDLES.glob("*.cjs")} == set(VERSIONS)
