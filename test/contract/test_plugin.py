"""The plugin for Pexip's web app beside the stand-in of both generations: which rooms it shows, when, and what it says."""

import json
import subprocess
from urllib.parse import urlencode

import pytest
from plugin_host import ENDPOINT, ORIGIN, REPOSITORY, SOURCE, Host

API_VERSIONS = REPOSITORY / "build" / "npm" / "plugin-api"
TSC = REPOSITORY / "build" / "npm" / "plugin" / "node_modules" / ".bin" / "tsc"
ROOM = f"{ORIGIN}/group/weekly"
SHOWN = f"{ROOM}?layout=embedded"
OTHER = f"{ORIGIN}/channel/other"
PATIENCE = 3000     # of the plugin, with a web app that does not know widgets; milliseconds


def found(url=ROOM, **members):
    return {"body": json.dumps({"url": url}), **members}


BUSY = {"status": 503, "headers": {"Retry-After": "4"}}
NONE = {"status": 404, "body": "{}"}


@pytest.fixture(scope="module")
def host():
    with Host() as running:
        yield running


@pytest.fixture
def start(host):
    started = []

    def begin(*given, **options):
        started.append(host.start(*given, **options))
        return started[-1]

    yield begin
    for plugin in started:
        assert plugin.state.complaints == [] or plugin.expects_complaints


# What the vendor's library says of it

@pytest.mark.parametrize("version", [21, 22])
def test_types_are_those_of_the_library(version, tmp_path):
    (tmp_path / "tsconfig.json").write_text(json.dumps({
        "extends": str(REPOSITORY / "test/contract/plugin/tsconfig.json"),
        "compilerOptions": {"paths": {"@pexip/plugin-api": [str(API_VERSIONS / f"node_modules/plugin-api-{version}")]}},
        "include": [str(SOURCE / "*.ts")],
    }))
    done = subprocess.run([TSC, "-p", tmp_path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def json_query(value):
    return urlencode({"want": json.dumps(value)})


def messages_of(plugin):
    """Who opens and closes the panel: every message but for what only one side could know."""
    plugin.advance(PATIENCE)
    plugin.click()
    plugin.advance(0)
    plugin.click()
    plugin.advance(0)
    return [(message["rpc"], {**(message["payload"] or {}), "icon": None}) for message in plugin.state.messages]


@pytest.mark.parametrize("version", [21, 22])
def test_messages_are_those_of_the_library(version, host):
    ours = host.start(ROOM)
    said = messages_of(ours)
    button = ours.state.messages[2]["payload"]
    want = {"url": SHOWN, "title": "Rocket.Chat", "button": {name: button[name] for name in ("position", "icon", "tooltip")}}
    theirs = messages_of(host.start(script=API_VERSIONS / f"vendor-{version}.js", search="?" + json_query(want)))
    assert said == theirs
    assert [name for name, _ in said] == ["syn", "ui:widget:add", "ui:button:add",
                                          "ui:widget:toggle", "ui:button:update", "ui:widget:toggle", "ui:button:update"]


def test_messages_to_an_old_web_app_are_those_of_the_old_library(host):
    ours = host.start(ROOM, generation=35, silent=["ui:widget:add"])
    said = [message for message in messages_of(ours) if message[0] not in ("ui:widget:add", "ui:button:update")]
    button = ours.state.messages[2]["payload"]
    want = {"url": SHOWN, "button": {name: button[name] for name in ("position", "icon", "tooltip")}}
    theirs = host.start(script=API_VERSIONS / "vendor-19.js", generation=35, search="?" + json_query(want))
    assert said == messages_of(theirs)
    assert [name for name, _ in said] == ["syn", "ui:button:add", "ui:plugin:toggle", "ui:plugin:toggle"]


# The panel

def test_panel_of_the_link_opens_and_closes(start):
    plugin = start(ROOM)
    assert plugin.state.widgets == [{"src": SHOWN, "title": "Rocket.Chat", "isVisible": False}]
    assert plugin.active is False
    plugin.click()
    assert plugin.state.widgets[0]["isVisible"] is True and plugin.active is True
    plugin.click()
    assert plugin.state.widgets[0]["isVisible"] is False and plugin.active is False
    assert plugin.said("warn") == plugin.said("error") == []
    assert plugin.state.asked == []


def test_button_follows_when_another_panel_takes_the_place(start):
    plugin = start(ROOM)
    plugin.click()
    plugin.open_other_panel()
    assert plugin.active is False


@pytest.mark.parametrize("how", [{"silent": ["ui:widget:add"]}, {"refused": {}}], ids=["silent", "refuses"])
def test_web_app_without_widgets_gets_a_frame(start, how):
    plugin = start(ROOM, generation=35, **how)
    plugin.expects_complaints = "silent" not in how
    assert len(plugin.state.buttons) == 1
    plugin.click()
    plugin.advance(PATIENCE)
    assert plugin.state.frame == {"src": SHOWN, "title": "Rocket.Chat"} and plugin.active is True
    plugin.open_other_panel()
    assert plugin.state.frame is None and plugin.active is False
    plugin.click()
    assert plugin.state.frame and plugin.active is True
    plugin.click()
    assert plugin.state.frame is None and plugin.active is False
    assert plugin.state.toasts == []


def test_another_window_cannot_take_over_the_channel(start):
    plugin = start(ROOM, generation=35, silent=["ui:widget:add"], held=["syn"])
    plugin.post({"rpc": "syn", "chanId": "rc-chat-of-somebody-else", "payload": {"ack": True}}, stranger=True)
    plugin.release()
    plugin.advance(PATIENCE)
    plugin.click()
    assert plugin.state.frame["src"] == SHOWN


def test_a_web_app_that_answers_late_gets_no_frame(start):
    plugin = start(ROOM, held=["ui:widget:add"])
    plugin.click()
    plugin.advance(PATIENCE - 1)
    plugin.release()
    plugin.advance(0)
    assert plugin.state.widgets[0]["isVisible"] is True
    assert "ui:plugin:toggle" not in plugin.calls


def test_one_that_shows_nothing_at_all_tells_the_person(start):
    plugin = start(ROOM, refused={"ui:widget:add": "the id is not in the manifest"})
    plugin.expects_complaints = True    # an up-to-date web app does not know the old call
    plugin.click()
    assert plugin.state.toasts == [{"message": "The chat cannot be opened here.", "isDanger": True}]
    assert "the id is not in the manifest" in plugin.said("warn")[0]


@pytest.mark.parametrize("options", [
    {"refused": {"ui:widget:toggle": "not now"}}, {"silent": ["ui:widget:toggle"]},
    {"generation": 35, "silent": ["ui:widget:add"], "refused": {"ui:plugin:toggle": "not now"}},
    {"generation": 35, "silent": ["ui:widget:add", "ui:plugin:toggle"]},
], ids=["widget refused", "widget silent", "frame refused", "frame silent"])
def test_a_panel_that_does_not_open_tells_the_person(start, options):
    plugin = start(ROOM, **options)
    plugin.click()
    plugin.advance(10000)
    assert [toast["message"] for toast in plugin.state.toasts] == ["The chat cannot be opened here."]
    assert plugin.active is False


@pytest.mark.parametrize("call", ["ui:button:add", "ui:button:update", "ui:toast:show", "ui:widget:add", "ui:widget:toggle"])
@pytest.mark.parametrize("how", ["refused", "silent"])
def test_no_call_that_fails_throws(start, call, how):
    plugin = start(ROOM, **({"refused": {call: "no"}} if how == "refused" else {"silent": [call]}))
    plugin.expects_complaints = True
    plugin.click()
    plugin.advance(20000)
    plugin.click()
    plugin.advance(20000)
    plugin.leave()
    plugin.join("other")
    plugin.advance(60000)
    assert plugin.state.timers == 0


def test_a_web_app_that_does_not_take_the_plugin(start):
    plugin = start(ROOM, id="another-id")
    assert plugin.calls == ["syn"]
    assert "not a plugin of the manifest" in plugin.said("error")[0]


def test_strange_messages_are_ignored(start):
    plugin = start(ROOM)
    for message in (7, "text", {}, {"chanId": None}, {"event": "ui:button:click"}, {"rpc": "syn", "chanId": "x", "payload": {"ack": False}}):
        plugin.post(message)
    plugin.emit("event:conference:authenticated")
    plugin.emit("event:conference:authenticated", {"conferenceAlias": {"no": "text"}})
    plugin.emit("event:unknown", {"x": 1})
    plugin.emit("ui:button:click", {"buttonId": "button-99", "input": {}})
    plugin.click()
    assert plugin.active is True and plugin.state.asked == []


# Which rooms are taken from the link

GOOD_ROOMS = {
    ROOM: SHOWN,
    f"{ORIGIN}/channel/general?layout=embedded": f"{ORIGIN}/channel/general?layout=embedded",
    f"{ORIGIN}/direct/rid1rid2": f"{ORIGIN}/direct/rid1rid2?layout=embedded",
    f"{ORIGIN}/group/a?layout=full&x=1#frag": f"{ORIGIN}/group/a?layout=embedded",
    f"{ORIGIN}:443/group/weekly": SHOWN,
    "HTTPS://CHAT.example.com/group/weekly": SHOWN,
    f"{ORIGIN}/group/100%": f"{ORIGIN}/group/100%?layout=embedded",
    f"{ORIGIN}/group/m%C3%B6te": f"{ORIGIN}/group/m%C3%B6te?layout=embedded",
    f"{ORIGIN}/group/möte": f"{ORIGIN}/group/m%C3%B6te?layout=embedded",
    f"{ORIGIN}/channel/../group/weekly": SHOWN,
    f"{ORIGIN}/group/\"><script>alert(1)<\u2215script>": f"{ORIGIN}/group/%22%3E%3Cscript%3Ealert(1)%3C%E2%88%95script%3E?layout=embedded",
}


@pytest.mark.parametrize("rid", GOOD_ROOMS)
def test_rooms_of_the_workspace_are_shown(start, rid):
    assert start(rid).urls == [GOOD_ROOMS[rid]]


BAD_ROOMS = {
    "nothing": "", "a word": "weekly", "a path": "/group/weekly", "no scheme": "//chat.example.com/group/weekly",
    "script": "javascript:alert(1)", "script in capitals": "JAVASCRIPT:alert(1)//chat.example.com/group/weekly",
    "script with a line": "java\nscript:alert(1)", "script that looks like the origin": f"javascript:/*{ORIGIN}/group/x*/alert(1)",
    "data": "data:text/html,<script>alert(1)</script>", "blob": f"blob:{ORIGIN}/group/weekly", "file": "file:///group/weekly",
    "view-source": f"view-source:{ROOM}", "plain http": "http://chat.example.com/group/weekly", "web socket": "wss://chat.example.com/group/weekly",
    "another host": "https://evil.example/group/weekly", "a host that begins the same": f"{ORIGIN}.evil.example/group/weekly",
    "a host that ends the same": "https://evilchat.example.com/group/weekly", "subdomain": "https://x.chat.example.com/group/weekly",
    "trailing dot": "https://chat.example.com./group/weekly", "user": "https://chat.example.com@evil.example/group/weekly",
    "user of ours": "https://somebody@chat.example.com/group/weekly", "password": "https://a:b@chat.example.com/group/weekly",
    "empty user": "https://:@evil.example/group/weekly", "another port": f"{ORIGIN}:8443/group/weekly", "no port": f"{ORIGIN}:99999/group/weekly",
    "backslashes": "https:\\\\chat.example.com\\group\\weekly", "backslash and user": "https://evil.example\\@chat.example.com/group/weekly",
    "tab": "https://chat.example.com/gr\toup/weekly", "space in front": f" {ROOM}", "NUL": f"{ROOM}\0", "encoded NUL": f"{ROOM}%00",
    "encoded once more": "https%3A%2F%2Fchat.example.com%2Fgroup%2Fweekly", "home": f"{ORIGIN}/", "no room": f"{ORIGIN}/group/",
    "other page": f"{ORIGIN}/admin/users", "api": f"{ORIGIN}/api/v1/logout", "deeper": f"{ORIGIN}/group/weekly/thread/x",
    "doubled slash": f"{ORIGIN}//group/weekly", "traversal": f"{ORIGIN}/group/../admin", "encoded traversal": f"{ORIGIN}/group/%2e%2e/admin",
    "encoded slash": f"{ORIGIN}/group/..%2fadmin", "encoded backslash": f"{ORIGIN}/group/..%5Cadmin", "dots": f"{ORIGIN}/group/..",
    "encoded line": f"{ORIGIN}/group/a%0d%0aSet-Cookie:x", "capitals": f"{ORIGIN}/GROUP/weekly", "conference": f"{ORIGIN}/conference/x?callUrl=y",
    "100 KB": f"{ORIGIN}/group/{'a' * 100_000}", "100 KB of percent": f"{ORIGIN}/group/{'%' * 100_000}",
}


@pytest.mark.parametrize("name", BAD_ROOMS)
def test_other_addresses_are_not_shown_and_the_endpoint_is_asked(start, name):
    plugin = start(BAD_ROOMS[name])
    assert plugin.state.widgets == plugin.state.buttons == plugin.state.toasts == []
    assert f"none of {ORIGIN}" in plugin.said("warn")[0]
    plugin.join("alias")
    assert len(plugin.state.asked) == 1


@pytest.mark.parametrize("search", [
    "?conference=x&rid=%E0%A4%A", "?rid=%", "?rid=%zz%ff%fe", "?rid", "?rid=&rid=https://evil.example/", "?&&&=&rid=" + "%41" * 30000])
def test_rubbish_in_the_link_costs_nothing(start, search):
    plugin = start(search=search)
    plugin.join("alias")
    assert plugin.urls == [] and len(plugin.state.asked) == 1


def test_name_behind_the_room_that_nobody_encoded(start):
    """Rocket.Chat appends the name of the person to the link as it is."""
    plugin = start(search="?conference=x&rid=https%3A%2F%2Fchat.example.com%2Fgroup%2Fweekly&name=Nina & Otto #1 100%")
    assert plugin.urls == [SHOWN]


def test_the_room_is_in_the_fragment_of_old_links(start):
    assert start(hash="#/?conference=x&rid=https%3A%2F%2Fchat.example.com%2Fgroup%2Fweekly").urls == [SHOWN]


def test_without_allow_same_origin_the_log_says_what_is_missing(start):
    plugin = start(ROOM, opaque=True)
    assert "allow-same-origin" in plugin.said("error")[0]


# The endpoint

def asked_at(plugin):
    return [question["at"] for question in plugin.state.asked]


def test_chat_of_a_meeting_without_room_in_the_link(start):
    plugin = start(answers=[found()])
    assert plugin.state.buttons == []
    plugin.join("meet.möte@example.com &x=1/../?#")
    assert plugin.urls == [SHOWN]
    [question] = plugin.state.asked
    assert question["address"] == f"{ENDPOINT}?alias=meet.m%C3%B6te%40example.com%20%26x%3D1%2F..%2F%3F%23"
    assert question["options"] == {"headers": {"Accept": "application/json"}, "credentials": "same-origin",
                                   "cache": "no-store", "redirect": "error"}
    plugin.click()
    assert plugin.active is True


def test_endpoint_by_a_path_is_on_the_host_of_the_web_app(start):
    plugin = start(config={"rcOrigin": ORIGIN, "endpoint": "/pexip/chat"}, answers=[found()])
    plugin.join("alias")
    assert plugin.state.asked[0]["address"] == "https://meet.example.com/pexip/chat?alias=alias"


def test_without_an_endpoint_nobody_is_asked(start):
    plugin = start(config={"rcOrigin": ORIGIN})
    plugin.join("alias")
    assert plugin.state.asked == [] and plugin.state.buttons == []


@pytest.mark.parametrize("answer", [NONE, {"status": 204}, {"status": 500}, {"status": 502}, {"error": "Failed to fetch"}], ids=str)
def test_what_may_pass_is_asked_for_again_within_the_first_half_minute(start, answer):
    plugin = start(answers=[answer, answer, answer, found()])
    plugin.join("alias")
    plugin.advance(30000)
    assert asked_at(plugin) == [0, 3000, 9000, 21000]
    assert plugin.urls == [SHOWN] and plugin.state.toasts == []


@pytest.mark.parametrize("answer", [NONE, {"status": 204}, {"status": 500}, {"error": "Failed to fetch"}], ids=str)
def test_and_then_no_more(start, answer):
    plugin = start(answers=[answer])
    plugin.join("alias")
    plugin.advance(3600000)
    assert len(plugin.state.asked) == 4 and plugin.state.timers == 0
    assert plugin.state.buttons == plugin.state.toasts == [] and "no chat" in plugin.said("warn")[-1]


def test_endpoint_that_needs_time_says_how_much(start):
    plugin = start(answers=[BUSY, {"status": 503}, {"status": 429}, NONE, found()])
    plugin.join("alias")
    plugin.advance(60000)
    assert asked_at(plugin) == [0, 4000, 6000, 8000, 11000] and plugin.urls == [SHOWN]


@pytest.mark.parametrize("value, pause", [("0", 500), ("1e9", 15000), ("-1", 2000), ("soon", 2000), ("", 500),
                                          ("Wed, 25 Nov 2026 18:00:00 GMT", 2000)])
def test_endpoint_that_needs_time_for_ever(start, value, pause):
    plugin = start(answers=[{"status": 503, "headers": {"Retry-After": value}}])
    plugin.join("alias")
    plugin.advance(3600000)
    assert asked_at(plugin) == [pause * number for number in range(10)] and plugin.state.buttons == []


def test_endpoint_that_hangs_is_given_up(start):
    plugin = start(answers=[found(delay=7999)])
    plugin.join("alias")
    plugin.advance(8000)
    assert plugin.urls == [SHOWN]
    plugin = start(answers=[found(delay=10**9)])
    plugin.join("alias")
    plugin.advance(3600000)
    assert asked_at(plugin) == [0, 11000, 25000, 45000] and plugin.urls == []


@pytest.mark.parametrize("answer", [{"status": 400}, {"status": 401}, {"status": 403}, {"status": 405}, {"status": 414}], ids=str)
def test_refusals_are_final(start, answer):
    plugin = start(answers=[answer])
    plugin.join("alias")
    plugin.advance(3600000)
    assert len(plugin.state.asked) == 1 and plugin.state.buttons == plugin.state.toasts == []


RUBBISH = {
    "nothing": "", "HTML": "<!DOCTYPE html><title>Rocket.Chat</title>", "no JSON": '{"url": "https', "null": "null", "a list": "[]",
    "a number": "7", "no url": "{}", "url of another kind": '{"url": ["https://chat.example.com/group/weekly"]}', "deep": "[" * 15000,
    "script": json.dumps({"url": "javascript:alert(1)"}), "another origin": json.dumps({"url": "https://evil.example/group/weekly"}),
    "other page": json.dumps({"url": f"{ORIGIN}/admin"}),
}


@pytest.mark.parametrize("name", RUBBISH)
def test_answers_that_are_no_room(start, name):
    plugin = start(answers=[{"body": RUBBISH[name]}])
    plugin.join("alias")
    plugin.advance(3600000)
    assert len(plugin.state.asked) == 1 and plugin.state.buttons == plugin.state.toasts == []
    assert f"no room of {ORIGIN}" in plugin.said("error")[0] and len(plugin.said("error")[0]) < 400


def test_enormous_answers_are_not_read(start):
    plugin = start(answers=[{"body": json.dumps({"url": ROOM}) + " " * 1000, "repeat": 20000}])
    plugin.join("alias")
    plugin.advance(3600000)
    assert plugin.urls == [] and "longer than" in plugin.said("warn")[0]


def test_a_name_that_cannot_be_sent(start):
    plugin = start()
    plugin.join("\ud800")
    assert plugin.state.asked == [] and "no text" in plugin.said("error")[0]


# Which meeting

def test_transfer_and_breakout_keep_the_chat(start):
    plugin = start(ROOM)
    plugin.join("first")
    for event, payload in (("transfer", {"alias": "second"}), ("breakoutBegin", {"breakout_uuid": "b", "participant_uuid": "p"})):
        plugin.emit(f"event:{event}", payload)
        plugin.join("second")
    assert plugin.urls == [SHOWN] and plugin.state.asked == [] and plugin.calls.count("ui:button:add") == 1


@pytest.mark.parametrize("event", ["event:userInitiatedDisconnect", "event:disconnected"])
def test_who_comes_back_finds_his_chat(start, event):
    plugin = start(ROOM)
    plugin.join("first")
    plugin.click()
    plugin.emit(event, {"error": "x", "errorCode": "#pex117"} if event == "event:disconnected" else None)
    plugin.join("first")
    assert plugin.urls == [SHOWN] and plugin.active is True and plugin.calls.count("ui:widget:add") == 1


@pytest.mark.parametrize("generation", [35, 37])
def test_who_joins_another_meeting_does_not_see_the_chat_of_the_last(start, generation):
    plugin = start(ROOM, generation=generation, silent=["ui:widget:add"] if generation == 35 else [], answers=[found(OTHER)])
    plugin.join("first")
    plugin.advance(PATIENCE)
    plugin.click()
    plugin.leave()
    plugin.join("second")
    plugin.advance(PATIENCE)
    plugin.click()
    shown = plugin.state.frame["src"] if generation == 35 else plugin.urls[0]
    assert shown == f"{OTHER}?layout=embedded" and len(plugin.urls) == (generation == 37)
    assert len(plugin.state.buttons) == 1 and plugin.active is True
    assert "stays as it is" not in str(plugin.said("warn"))


def test_another_meeting_without_a_chat(start):
    plugin = start(ROOM)
    plugin.join("first")
    plugin.leave()
    plugin.join("second")
    assert plugin.urls == plugin.state.buttons == []


def test_a_widget_that_comes_after_its_meeting_is_removed(start):
    plugin = start(ROOM, held=["ui:widget:add", "ui:button:add"])
    plugin.join("first")
    plugin.leave()
    plugin.join("second")
    plugin.release()
    plugin.advance(60000)
    assert plugin.state.widgets == plugin.state.buttons == []


@pytest.mark.parametrize("answer", [BUSY, found(delay=5000)], ids=["busy", "slow"])
def test_who_leaves_is_not_waited_for(start, answer):
    plugin = start(answers=[answer])
    plugin.join("first")
    plugin.leave()
    assert plugin.state.timers == 0
    plugin.advance(3600000)
    assert len(plugin.state.asked) == 1
    plugin.join("first")
    assert len(plugin.state.asked) == 2


def test_only_the_last_meeting_is_asked_about(start):
    plugin = start(answers=[found(delay=2000), found(OTHER, delay=2000)])
    for alias, asked in (("first", 1), ("first", 1), ("second", 2), ("second", 2)):
        plugin.join(alias)
        assert len(plugin.state.asked) == asked
    plugin.advance(60000)
    assert plugin.urls == [f"{OTHER}?layout=embedded"] and len(plugin.state.asked) == 2


def test_meetings_that_begin_before_the_configuration_is_there(start):
    plugin = start(config={"answer": {"delay": 5000, "body": json.dumps({"rcOrigin": ORIGIN, "endpoint": ENDPOINT})}}, answers=[found()])
    plugin.join("alias")
    assert plugin.state.asked == []
    plugin.advance(5000)
    assert plugin.urls == [SHOWN]


# Configuration and language

CONFIGS = {
    "placeholder": {"rcOrigin": "https://chat.invalid", "endpoint": "https://chat.invalid/pexip/chat"}, "empty": {}, "no JSON": "rcOrigin=",
    "null": "null", "a list": [], "plain http": {"rcOrigin": "http://chat.example.com"}, "script": {"rcOrigin": "javascript:alert(1)"},
    "path": {"rcOrigin": f"{ORIGIN}/x"}, "query": {"rcOrigin": f"{ORIGIN}/?x"}, "user": {"rcOrigin": "https://a@chat.example.com"},
    "a star": {"rcOrigin": "*"}, "number": {"rcOrigin": 7}, "endpoint by http": {"rcOrigin": ORIGIN, "endpoint": "http://chat.example.com/x"},
    "endpoint with query": {"rcOrigin": ORIGIN, "endpoint": f"{ENDPOINT}?x=1"}, "endpoint of another kind": {"rcOrigin": ORIGIN, "endpoint": {}},
    "no file": {"answer": {"status": 404}}, "no server": {"answer": {"error": "Failed to fetch"}},
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_plugin_that_is_not_set_up_says_so_loudly(start, name):
    plugin = start(ROOM, config=CONFIGS[name], languages=["de-AT", "en"])
    plugin.join("alias")
    plugin.advance(60000)
    assert plugin.state.buttons == plugin.state.asked == []
    [toast] = plugin.state.toasts
    assert toast["isDanger"] and "nicht eingerichtet" in toast["message"]
    assert "the plugin is not set up" in plugin.said("error")[0]


@pytest.mark.parametrize("languages, tooltip", [
    (["de"], "Rocket.Chat: der Chat dieser Besprechung"), (["fr", "DE-ch", "en"], "Rocket.Chat: der Chat dieser Besprechung"),
    (["en-US", "de"], "Rocket.Chat: the chat of this meeting"), (["fr"], "Rocket.Chat: the chat of this meeting"),
    ([], "Rocket.Chat: the chat of this meeting")])
def test_language_of_the_browser(start, languages, tooltip):
    assert start(ROOM, languages=languages).state.buttons[0]["tooltip"] == tooltip


def test_a_policy_that_blocks_the_panel_is_named(start):
    plugin = start(ROOM)
    plugin.violation(blockedURI="https://evil.example", effectiveDirective="frame-src")
    plugin.violation(blockedURI=f"{ORIGIN}.evil.example/", effectiveDirective="frame-src")
    plugin.violation(blockedURI=ORIGIN, effectiveDirective="img-src")
    assert plugin.state.toasts == []
    for _ in range(2):
        plugin.violation(blockedURI=ORIGIN, effectiveDirective="frame-src")
    assert len(plugin.state.toasts) == 1 and f"needs {ORIGIN} in frame-src" in plugin.said("error")[0]
