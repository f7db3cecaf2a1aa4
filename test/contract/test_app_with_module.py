"""The companion app and the module itself, with the access that the app's README gives the app."""

import re
import textwrap
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from fixtures import Servers, bury
from meetings import Api
from workspace import ADMIN, PASSWORD_FILE, PREFIX, password_line, workspace

README = Path(__file__).resolve().parents[2] / "src" / "rocketchat-app" / "README.md"
APP = ("rocketchat-app", "stand-in-secret-of-the-app")
CALL_ID = "697887e3c8b0533020781a4a"
NINA = {"_id": "uid-nina", "username": "nina", "name": "Nina"}
OTTO = {"_id": "uid-otto", "username": "otto", "name": "Otto"}
ROOM = {"id": "GENERAL", "slugifiedName": "general", "type": "c"}
CHAT = {"id": "rid-of-chat", "slugifiedName": "kXb7Qw2mNzL5pRt9A", "type": "p"}
CALL = {"_id": CALL_ID, "type": "videoconference", "rid": "GENERAL", "createdBy": NINA, "title": "Weekly", "status": 1,
        "providerName": "pexip"}


def lines_of_the_readme():
    """The section that the README tells an administrator to add."""
    [block] = re.findall(r"```apache\n(\s*<Location.*?)```", README.read_text(), re.S)
    return textwrap.dedent(block)


@pytest.fixture(scope="module")
def server(mpm):
    servers = Servers(mpm)
    try:
        httpd = servers(workspace() + lines_of_the_readme(), start=False)
        passwords = Path(httpd.root) / PASSWORD_FILE
        passwords.write_text(passwords.read_text() + password_line(*APP))
        httpd.start()
        yield httpd
    finally:
        bury(servers)


@pytest.fixture
def app(running_engine, server):
    running_engine.do("put", rooms=[ROOM, CHAT])
    running_engine.do("set", settings={"module_address": f"http://127.0.0.1:{server.port}{PREFIX}", "module_user": APP[0],
                                       "module_password": APP[1], "callback_secret": ""})
    return running_engine


def query(url):
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def test_a_call_from_its_start_to_a_join(app, server):
    call_id = f"{CALL_ID}{'a' if app.own_process else 'b'}"
    call = {**CALL, "_id": call_id}
    assert app.do("isFullyConfigured") is True
    app.do("onNewVideoConference", call=call)
    url = app.do("generateUrl", call={**call, "discussionRid": CHAT["id"]})

    meeting = Api(server).read(call_id)
    assert meeting["join_url"] == url
    assert (meeting["title"], meeting["room"], meeting["creator"]["id"]) == (
        "Weekly", {"id": "GENERAL", "name": "general", "type": "c"}, "uid-nina")
    assert meeting["discussion"] == {"id": CHAT["id"], "name": CHAT["slugifiedName"], "type": "p"}

    host = query(app.do("customizeUrl", call={**call, "url": url}, user=NINA, options={"mic": False}))
    guest = query(app.do("customizeUrl", call={**call, "url": url}, user=OTTO, options={"cam": False}))
    nobody = query(app.do("customizeUrl", call={**call, "url": url}, user=None, options={}))
    assert host["pin"] == meeting["pins"]["host"] and host["name"] == "Nina" and host["muteMicrophone"] == "true"
    assert guest["pin"] == meeting["pins"]["guest"] and guest["name"] == "Otto" and guest["muteCamera"] == "true"
    assert nobody["pin"] == meeting["pins"]["guest"]
    assert "muteCamera" not in host and "muteMicrophone" not in guest


def test_who_joins_what_has_ended_is_sent_to_the_page_that_says_so(app, server):
    call_id = f"{CALL_ID}{'c' if app.own_process else 'd'}"
    url = app.do("generateUrl", call={**CALL, "_id": call_id})
    Api(server).delete(call_id)
    assert app.do("customizeUrl", call={**CALL, "_id": call_id, "url": url}, user=OTTO, options={}) == url
    assert server.request("GET", urlsplit(url).path).status == 410


MEETINGS = f"{PREFIX}/api/v1/meetings"


@pytest.mark.parametrize("method, path, allowed", [
    ("POST", MEETINGS, True), ("GET", MEETINGS, True), ("POST", f"{MEETINGS}/{CALL_ID}/links", True),
    ("DELETE", f"{MEETINGS}/{CALL_ID}", False), ("PUT", f"{MEETINGS}/{CALL_ID}", False), ("OPTIONS", MEETINGS, False),
    ("DELETE", f"{PREFIX}/api//v1//meetings/{CALL_ID}", False), ("GET", f"{PREFIX}/api/v1/history", False),
    ("GET", f"{MEETINGS}/../history", False), ("GET", f"{MEETINGS}/%2e%2e/history", False), ("GET", f"{PREFIX}/status?json", False),
])
def test_the_readmes_lines_let_the_app_do_what_it_must_and_no_more(server, method, path, allowed):
    server.expect(r"AH01617: user rocketchat-app: authentication failure")
    if not allowed:
        server.expect(r"AH01631: user rocketchat-app: authorization failure")
    body = {"id": CALL_ID, "room": {"id": "GENERAL"}, "creator": {"id": "uid-nina"}} if method == "POST" else None
    assert (server.request(method, path, auth=APP, body=body).status == 401) is not allowed
    assert server.request(method, path, auth=ADMIN, body=body).status != 401
    assert server.request(method, path, auth=(APP[0], "wrong"), body=body).status == 401
    assert server.request(method, path, body=body).status == 401
