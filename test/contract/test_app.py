"""The companion app in the real Apps-Engine: what it asks the module, and what Rocket.Chat gets from it."""

import json
import subprocess

import pytest
from apps_engine import APP_ID, PACKAGES, REPOSITORY, EngineError
from conftest import SECRET
from module_api import GUEST_PIN, HOST_PIN, PASSWORD, Fault

CALL_ID = "697887e3c8b0533020781a4a"
NINA = {"_id": "uid-nina", "username": "nina", "name": "Nina Å. \"Quote\""}
OTTO = {"_id": "uid-otto", "username": "otto", "name": "Otto"}
ROOM = {"id": "GENERAL", "displayName": "General talk", "slugifiedName": "general", "type": "c"}
CHAT = {"id": "rid-of-chat", "displayName": "2026-01-27 Video Call Chat", "slugifiedName": "kXb7Qw2mNzL5pRt9A", "type": "p"}
API = "/pexip/api/v1/meetings"


def call(**members):
    return {"_id": CALL_ID, "type": "videoconference", "rid": ROOM["id"], "createdBy": NINA, "title": "Weekly",
            "status": 1, "providerName": "pexip", "users": [], "messages": {}, **members}


def stored(module, **members):
    return call(url=module.join_url(CALL_ID), **members)


@pytest.fixture
def created(engine, module):
    """A call that the module knows."""
    engine.do("put", rooms=[ROOM, CHAT])
    engine.do("generateUrl", call=call())
    module.requests.clear()
    return stored(module)


FAULTS = {
    "401": Fault(401, "text/html", "<h1>Unauthorized</h1>"),
    "403": Fault(403, "text/html", "<h1>Forbidden</h1>"),
    "400 with a reason": Fault(400),
    "404": Fault(404, body='{"detail": "no such meeting"}'),
    "503": Fault(503, body='{"detail": "the database is down"}'),
    "500 without a body": Fault(500, body=""),
    "HTML": Fault(200, "text/html", "<!DOCTYPE html><title>Rocket.Chat</title>"),
    "no JSON": Fault(200, "application/json", '{"join_url": "https://x'),
    "a list": Fault(200, "application/json", '["https://chat.example.com/"]'),
    "null": Fault(200, "application/json", "null"),
    "no address": Fault(200, "application/json", '{"id": "x"}'),
    "an address that is none": Fault(200, "application/json", '{"join_url": "javascript:alert(1)", "url": "javascript:alert(1)"}'),
    "an address with more": Fault(200, "application/json", '{"join_url": "https://x/ <b>", "url": "https://x/\\n"}'),
    "an echo of what was sent": Fault(400, echo=True),
}


@pytest.fixture(params=FAULTS)
def faulty(request, engine, module):
    module.fault = FAULTS[request.param]
    return module


@pytest.fixture
def down(engine, module):
    """Nobody listens at the address, which is the discard port."""
    engine.do("set", settings={"module_address": "http://127.0.0.1:9/pexip"})


# --- what Rocket.Chat is offered


def test_the_app_is_enabled_and_offers_provider_command_and_endpoint(running_engine):
    installed = running_engine.installed
    assert installed["status"] == "auto_enabled"
    assert installed["compiler"] == []
    assert installed["providers"] == [
        {"name": "Pexip", "capabilities": {"title": True, "mic": True, "cam": True, "persistentChat": True}}]
    assert [(c["command"], c["permission"]) for c in installed["commands"]] == [("pexip", "call-management")]
    assert installed["apis"] == [f"/api/apps/public/{APP_ID}/ended"]


def test_a_later_engine_can_bundle_and_start_it(running_engine):
    if not running_engine.own_process:
        return
    assert running_engine.installed_in_own_process == {
        "settings": ["module_address", "module_user", "module_password", "callback_secret"],
        "providers": ["Pexip"], "commands": ["pexip"], "endpoints": ["ended"]}


def test_it_fits_the_definitions_of_the_newest_engine():
    project = REPOSITORY / "test" / "contract" / "app" / "tsconfig.json"
    done = subprocess.run([PACKAGES / "node_modules" / ".bin" / "tsc", "-p", project], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_id_is_not_the_vendors(running_engine):
    assert running_engine.installed["id"] == APP_ID != "7fc612f5-b585-4e46-8c4e-6d2c13e2f451"


def test_every_permission_is_needed_and_no_more_are_asked_for(running_engine):
    assert {p["name"] for p in running_engine.installed["info"]["permissions"]} == {
        "api", "networking", "room.read", "slashcommand", "video-conference-provider", "video-conference.read",
        "video-conference.write"}


def test_secrets_are_settings_of_type_password_and_none_is_public(running_engine):
    settings = running_engine.installed["settings"]
    assert {name: s["type"] for name, s in settings.items()} == {
        "module_address": "string", "module_user": "string", "module_password": "password", "callback_secret": "password"}
    assert not any(s["public"] or s["required"] for s in settings.values())


def test_every_text_for_people_exists_in_every_language(running_engine):
    installed = running_engine.installed
    [command] = installed["commands"]
    wanted = {command["i18nParamsExample"], command["i18nDescription"]}
    for setting in installed["settings"].values():
        wanted |= {setting["i18nLabel"], setting["i18nDescription"]}
    assert set(installed["languages"]) == {"en", "de"}
    for language, texts in installed["languages"].items():
        assert set(texts) == wanted, language
        assert all(text.strip() for text in texts.values())


def test_it_has_an_icon(running_engine):
    assert running_engine.installed["info"]["iconFileContent"].startswith("data:image/png;base64,iVBORw0KGgo")


# --- isFullyConfigured


def test_it_is_configured_with_address_user_and_password(engine):
    assert engine.do("isFullyConfigured") is True


@pytest.mark.parametrize("settings", [
    {"module_address": ""}, {"module_address": "   "}, {"module_user": ""}, {"module_password": ""},
    {"module_address": "chat.example.com/pexip"}, {"module_address": "ftp://chat.example.com/pexip"},
    {"module_address": "http://chat.example.com/pexip"}, {"module_address": "http://127.0.0.1.example.com/pexip"},
    {"module_address": "https://user:word@chat.example.com/pexip"}, {"module_address": "https://chat.example.com/pexip?x=1"},
    {"module_address": "https://chat.example.com/pexip#x"}, {"module_user": "with:colon"}, {"module_address": 7},
    {"module_password": None},
])
def test_it_is_not_configured_with_less_or_where_the_password_could_be_read(engine, module, settings):
    engine.do("set", settings=settings)
    assert engine.do("isFullyConfigured") is False
    assert module.requests == []


@pytest.mark.parametrize("address", [
    "https://chat.example.com/pexip", " https://chat.example.com/pexip/ ", "http://localhost:8080/pexip",
    "http://127.0.0.1/pexip", "http://[::1]:8080/pexip", "https://chat.example.com",
])
def test_addresses_that_can_be_used(engine, address):
    engine.do("set", settings={"module_address": address})
    assert engine.do("isFullyConfigured") is True


# --- onNewVideoConference and generateUrl


def test_a_new_call_creates_the_meeting(engine, module):
    engine.do("put", rooms=[ROOM])
    assert engine.do("onNewVideoConference", call=call()) is None
    assert module.requests == [("POST", API, {
        "id": CALL_ID, "call": True, "title": "Weekly", "room": {"id": "GENERAL", "name": "general", "type": "c"},
        "creator": {"id": "uid-nina", "username": "nina", "name": NINA["name"]}})]


def test_the_url_of_a_call_is_the_modules(engine, module):
    engine.do("put", rooms=[ROOM])
    engine.do("onNewVideoConference", call=call())
    assert engine.do("generateUrl", call=call()) == module.join_url(CALL_ID)
    first, second = module.requests
    assert first == second


def test_an_address_with_a_slash_at_its_end_is_the_same(engine, module):
    engine.do("set", settings={"module_address": module.address + "//"})
    assert engine.do("generateUrl", call=call()) == module.join_url(CALL_ID)


@pytest.mark.parametrize("kind", ["c", "p"])
def test_the_discussion_is_handed_over_by_the_name_in_its_address(engine, module, kind):
    engine.do("put", rooms=[ROOM, {**CHAT, "type": kind}])
    engine.do("onNewVideoConference", call=call())
    assert engine.do("generateUrl", call=call(discussionRid=CHAT["id"])) == module.join_url(CALL_ID)
    assert module.meetings[CALL_ID]["discussion"] == {"id": CHAT["id"], "name": CHAT["slugifiedName"], "type": kind}


@pytest.mark.parametrize("rooms, broken", [
    ([ROOM], []), ([ROOM, {**CHAT, "type": "d"}], []), ([ROOM, {**CHAT, "slugifiedName": None}], []), ([ROOM, CHAT], ["rooms"]),
])
def test_a_discussion_that_leads_nowhere_costs_the_call_nothing(engine, module, rooms, broken):
    engine.do("put", rooms=rooms, broken=broken)
    assert engine.do("generateUrl", call=call(discussionRid=CHAT["id"])) == module.join_url(CALL_ID)
    assert "discussion" not in module.meetings[CALL_ID]
    assert any(CHAT["id"] in message for message in engine.messages("warning"))


def test_a_room_that_cannot_be_read_is_told_by_its_id(engine, module):
    engine.do("put", broken=["rooms"])
    assert engine.do("generateUrl", call=call()) == module.join_url(CALL_ID)
    assert module.meetings[CALL_ID]["room"] == {"id": "GENERAL"}


@pytest.mark.parametrize("kind", ["d", "l"])
def test_rooms_without_a_name(engine, module, kind):
    engine.do("put", rooms=[{"id": "GENERAL", "type": kind}])
    assert engine.do("generateUrl", call=call(title="")) == module.join_url(CALL_ID)
    assert module.meetings[CALL_ID]["room"] == {"id": "GENERAL", "type": kind}
    assert "title" not in module.meetings[CALL_ID]


def test_what_is_longer_than_the_module_takes_is_cut_between_characters(engine, module):
    engine.do("put", rooms=[ROOM])
    long_call = call(title="\U0001f4de" * 6000, createdBy={**NINA, "name": "\U0001f4de" * 300})
    assert engine.do("generateUrl", call=long_call) == module.join_url(CALL_ID)
    assert module.meetings[CALL_ID]["title"] == "\U0001f4de" * 5000
    assert module.meetings[CALL_ID]["creator"]["name"] == "\U0001f4de" * 250


def url_or_error(engine, a_call):
    """Engines inside the server log what a provider throws and hand over nothing; others hand it over."""
    try:
        return engine.do("generateUrl", call=a_call), " ".join(engine.messages("error"))
    except EngineError as error:
        return None, str(error)


def test_a_call_without_an_address_fails_with_a_reason(engine, faulty):
    url, reason = url_or_error(engine, call())
    assert url is None
    assert "Pexip module" in reason
    if '"detail"' in faulty.fault.body and faulty.fault.status >= 400 and not faulty.fault.echo:
        assert json.loads(faulty.fault.body)["detail"] in reason
    assert any(CALL_ID in message for message in engine.messages("error"))


def test_an_echo_of_the_credentials_is_taken_out_of_the_reason(engine, module):
    module.fault = FAULTS["an echo of what was sent"]
    _, reason = url_or_error(engine, call())
    assert "Authorization" in reason and "***" in reason


def test_a_call_without_a_module_fails_with_a_reason(engine, down):
    url, reason = url_or_error(engine, call())
    assert url is None
    assert "The Pexip module cannot be reached" in reason


def test_a_call_without_settings_fails_with_a_reason(engine, module):
    engine.do("set", settings={"module_password": ""})
    url, reason = url_or_error(engine, call())
    assert url is None
    assert "not set up" in reason
    assert module.requests == []


def test_a_wrong_password_is_said_to_be_one(engine, module):
    engine.do("set", settings={"module_password": "another"})
    _, reason = url_or_error(engine, call())
    assert "user and password" in reason and "another" not in reason


def test_a_meeting_that_cannot_be_created_early_is_only_logged(engine, faulty):
    assert engine.do("onNewVideoConference", call=call()) is None
    assert any(CALL_ID in message for message in engine.messages("warning"))
    assert engine.messages("error") == []


def test_a_module_that_is_down_does_not_keep_a_call_from_being_made(engine, down):
    assert engine.do("onNewVideoConference", call=call()) is None
    assert any("cannot be reached" in message for message in engine.messages("warning"))


# --- customizeUrl


@pytest.mark.parametrize("user, name", [(NINA, "nina"), (OTTO, "otto")])
def test_everybody_gets_an_address_of_his_own(engine, module, created, user, name):
    url = engine.do("customizeUrl", call=created, user=user, options={})
    assert f"name={name}" in url and "mute" not in url
    assert module.requests == [("POST", f"{API}/{CALL_ID}/links", {
        "user": {"id": user["_id"], "username": user["username"], "name": user["name"]}, "microphone": True, "camera": True})]


@pytest.mark.parametrize("options, microphone, camera", [
    (None, True, True), ({}, True, True), ({"mic": True, "cam": True}, True, True), ({"mic": False, "cam": True}, False, True),
    ({"mic": True, "cam": False}, True, False), ({"mic": False, "cam": False}, False, False), ({"cam": False}, True, False),
])
@pytest.mark.parametrize("user", [NINA, None], ids=["known", "anonymous"])
def test_who_switches_something_off_joins_without_it(engine, module, created, user, options, microphone, camera):
    url = engine.do("customizeUrl", call=created, user=user, options=options)
    assert ("muteMicrophone" in url, "muteCamera" in url) == (not microphone, not camera)
    [(_, _, body)] = module.requests
    assert (body["microphone"], body["camera"]) == (microphone, camera)
    assert body.get("user", {}).get("id") == (user or {}).get("_id")


def test_nobody_is_locked_out_by_a_faulty_module(engine, faulty):
    assert engine.do("customizeUrl", call=stored(faulty), user=OTTO, options={}) == faulty.join_url(CALL_ID)
    assert any(CALL_ID in message for message in engine.messages("warning"))


def test_nobody_is_locked_out_by_a_module_that_is_down(engine, module, down):
    assert engine.do("customizeUrl", call=stored(module), user=OTTO, options={}) == module.join_url(CALL_ID)


def test_nobody_is_locked_out_by_settings_that_were_taken_away(engine, module):
    engine.do("set", settings={"module_address": ""})
    assert engine.do("customizeUrl", call=stored(module), user=OTTO, options={}) == module.join_url(CALL_ID)


def test_the_id_of_a_call_is_only_an_id(engine, module):
    strange = {**stored(module), "_id": "../meetings/x?y#z"}
    assert engine.do("customizeUrl", call=strange, user=OTTO, options={}) == module.join_url(CALL_ID)
    [(_, path, _)] = module.requests
    assert path == f"{API}/..%2Fmeetings%2Fx%3Fy%23z/links"
    module.complaints.clear()


# --- getVideoConferenceInfo


def texts(blocks):
    assert all(block["type"] == "section" and block["text"]["type"] == "plain_text" for block in blocks)
    assert len({block["blockId"] for block in blocks}) == len(blocks)
    return [block["text"]["text"] for block in blocks]


def test_the_creator_is_told_both_pins(engine, module, created):
    assert texts(engine.do("getVideoConferenceInfo", call=created, user=NINA)) == [
        "Title: Weekly", f"Join by browser: {module.join_url(CALL_ID)}", "Address: join.example.com", f"Alias: {CALL_ID}",
        "Number: 7712345", f"Guest PIN: {GUEST_PIN}", f"Host PIN: {HOST_PIN}"]
    assert module.requests == [("POST", f"{API}/{CALL_ID}/info", {"user": {"id": "uid-nina"}})]


def test_a_member_is_told_the_guest_pin_only(engine, created):
    told = texts(engine.do("getVideoConferenceInfo", call=created, user=OTTO))
    assert f"Guest PIN: {GUEST_PIN}" in told
    assert HOST_PIN not in " ".join(told)


def test_somebody_unknown_is_told_nothing_and_the_module_not_asked(engine, module, created):
    assert engine.do("getVideoConferenceInfo", call=created, user=None) == []
    assert module.requests == []


def test_only_what_is_known_is_shown(engine, module, created):
    module.fault = Fault(200, "application/json", json.dumps(
        {"title": "*bold* @all", "address": "", "alias": None, "guest_pin": 123456, "constructor": "x", "other": "y"}))
    assert texts(engine.do("getVideoConferenceInfo", call=created, user=OTTO)) == ["Title: *bold* @all"]


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if not fault.startswith(("no address", "an address"))])
def test_details_that_cannot_be_had_are_left_to_rocketchat(engine, module, fault):
    module.fault = FAULTS[fault]
    assert engine.do("getVideoConferenceInfo", call=stored(module), user=NINA) == []
    assert any(CALL_ID in message for message in engine.messages("warning"))


def test_details_of_a_module_that_is_down_are_left_to_rocketchat(engine, module, down):
    assert engine.do("getVideoConferenceInfo", call=stored(module), user=NINA) == []


# --- a module that does not answer


@pytest.mark.parametrize("running_engine", [True], indirect=True, ids=["both"])
def test_nobody_waits_longer_than_five_seconds_for_a_module_that_hangs(engine, module):
    """An engine that can start the app in its own process has it inside the server, too: all at the same time."""
    module.fault = Fault(silent=True)
    orders = [{"do": "onNewVideoConference", "call": call()}, {"do": "generateUrl", "call": call()},
              {"do": "customizeUrl", "call": stored(module), "user": OTTO, "options": {}},
              {"do": "getVideoConferenceInfo", "call": stored(module), "user": NINA}]
    answers = engine.together(*({**order, "own_process": own_process} for own_process in (False, True) for order in orders))
    for early, url, link, info in (answers[:4], answers[4:]):
        assert early.get("value") is None and "error" not in early
        assert url.get("value") is None
        assert link["value"] == module.join_url(CALL_ID)
        assert info["value"] == []
        assert early["seconds"] < 4
        assert max(answer["seconds"] for answer in (url, link, info)) < 6


# --- the command


def command(engine, *words, thread=None):
    engine.do("command", user={"id": "uid-nina", "username": "nina"}, room=ROOM, words=list(words), thread=thread)
    return engine.do("world")


def test_the_command_starts_a_call_in_its_room(engine):
    world = command(engine)
    assert world["calls"]["created"] == {
        "_id": "created", "status": 1, "rid": "GENERAL", "createdBy": "uid-nina", "providerName": "pexip"}
    assert world["notices"] == []


def test_what_follows_the_command_is_the_title(engine):
    assert command(engine, "Weekly", "@all", "*now*")["calls"]["created"]["title"] == "Weekly @all *now*"


@pytest.mark.parametrize("word", ["help", "HELP"])
def test_help_goes_to_who_asked_and_starts_nothing(engine, word):
    world = command(engine, word)
    assert world["calls"] == {}
    [notice] = world["notices"]
    assert notice["user"] == "uid-nina" and notice["room"] == "GENERAL" and notice["sender"] == "app-user"
    assert "/pexip" in notice["text"]


def test_a_title_may_begin_with_help(engine):
    assert command(engine, "help", "desk")["calls"]["created"]["title"] == "help desk"


def test_a_call_that_fails_is_told_to_who_wanted_it(engine):
    engine.do("put", broken=["create"])
    world = command(engine, "Weekly")
    [notice] = world["notices"]
    assert "could not be started" in notice["text"] and "broken" not in notice["text"]
    assert any("create is broken" in message for message in engine.messages("error"))


def test_a_missing_setting_is_told_to_who_wanted_a_call(engine):
    engine.do("set", settings={"module_address": ""})
    world = command(engine, "Weekly")
    assert world["calls"] == {}
    assert "not set up" in world["notices"][0]["text"]


def test_what_is_said_in_a_thread_stays_there(engine):
    assert command(engine, "help", thread="thread-1")["notices"][0]["thread"] == "thread-1"


# --- the endpoint that ends calls


def ended(engine, content={"callId": CALL_ID}, secret=SECRET, method="post", **headers):  # noqa: B006
    headers = {"host": "chat.example.com", "content-type": "application/json", **headers}
    if secret is not None:
        headers["x-pexip-rc-secret"] = secret
    answer = engine.do("request", path="ended", method=method, headers=headers, content=content)
    assert SECRET not in json.dumps(answer)
    return answer


def statuses(engine):
    return [update["status"] for update in engine.do("world")["updates"]]


@pytest.mark.parametrize("status", [0, 1])
def test_a_call_ends(engine, status):
    engine.do("put", calls=[call(status=status)])
    answer = ended(engine)
    assert (answer["status"], answer["content"]) == (200, {"success": True})
    assert "application/json" in answer["headers"].values()
    assert statuses(engine) == [3]
    assert ended(engine)["status"] == 200
    assert statuses(engine) == []


@pytest.mark.parametrize("status", [2, 3, 4])
def test_what_is_over_stays_as_it_is(engine, status):
    engine.do("put", calls=[call(status=status, endedAt="2026-01-27T07:45:14.533Z")])
    assert ended(engine)["status"] == 200
    assert statuses(engine) == []


@pytest.mark.parametrize("calls", [[], [call(providerName="jitsi")], [call(_id="another")]])
def test_a_call_that_is_none_of_ours_is_not_found(engine, calls):
    engine.do("put", calls=calls)
    answer = ended(engine)
    assert answer["status"] == 404 and answer["content"]["success"] is False
    assert statuses(engine) == []


WRONG_SECRETS = {
    "none": None, "empty": "", "another": "wrong", "more": SECRET + "x", "less": SECRET[:-1], "upper case": SECRET.upper(),
    "padded": f" {SECRET}", "number": 7, "list": [SECRET], "object": {"toString": SECRET}, "the password": PASSWORD,
    "NUL": "\u0000", "very long": "\U0001f4de" * 10000,
}


@pytest.mark.parametrize("secret", WRONG_SECRETS.values(), ids=WRONG_SECRETS)
def test_without_the_secret_nothing_ends(engine, secret):
    engine.do("put", calls=[call()])
    answer = ended(engine, secret=secret)
    assert answer["status"] == 403 and answer["content"]["success"] is False
    assert statuses(engine) == []
    assert len(engine.messages("warning")) == 1


@pytest.mark.parametrize("secret", [None, "", SECRET, "undefined", "null"])
def test_no_secret_in_the_settings_lets_nobody_in(engine, secret):
    engine.do("set", settings={"callback_secret": ""})
    engine.do("put", calls=[call()])
    assert ended(engine, secret=secret)["status"] == 403
    assert statuses(engine) == []
    assert any("no callback secret is set" in message for message in engine.messages("error"))


HOSTILE = [
    None, "", "text", json.dumps({"callId": CALL_ID}), 7, True, [], [CALL_ID], {}, {"callid": CALL_ID}, {"callId": None},
    {"callId": 7}, {"callId": ""}, {"callId": [CALL_ID]}, {"callId": {"$ne": None}}, {"callId": {"$gt": ""}},
    {"callId": "a" * 65}, {"callId": "../x"}, {"callId": f"{CALL_ID}\n"}, {"callId": f"{CALL_ID}\u0000"},
    {"callId": "__proto__.x"}, {"__proto__": {"callId": CALL_ID}}, {"callId": "ä" * 24},
]


@pytest.mark.parametrize("content", HOSTILE, ids=range(len(HOSTILE)))
def test_a_body_that_names_no_call_is_refused(engine, content):
    engine.do("put", calls=[call()])
    answer = ended(engine, content)
    assert answer["status"] == 400 and answer["content"]["success"] is False
    assert statuses(engine) == []


@pytest.mark.parametrize("content", HOSTILE, ids=range(len(HOSTILE)))
def test_no_body_matters_without_the_secret(engine, content):
    assert ended(engine, content, secret="wrong")["status"] == 403


@pytest.mark.parametrize("call_id", ["__proto__", "constructor", "toString"])
def test_names_that_every_object_has_are_no_calls(engine, call_id):
    assert ended(engine, {"callId": call_id})["status"] in (400, 404)


@pytest.mark.parametrize("broken", ["calls", "update"])
def test_a_call_that_cannot_be_ended_now_may_be_told_again(engine, broken):
    engine.do("put", calls=[call()], broken=[broken])
    answer = ended(engine)
    assert answer["status"] == 500 and answer["content"]["success"] is False
    assert "broken" not in json.dumps(answer)
    assert any(CALL_ID in message for message in engine.messages("error"))
    engine.do("put", calls=[call()])
    assert ended(engine)["status"] == 200


def test_the_endpoint_needs_no_module(engine, module, down):
    engine.do("put", calls=[call()])
    assert ended(engine)["status"] == 200
    assert module.requests == []
