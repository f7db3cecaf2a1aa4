"""What the meetings API does not take: bad members, bad JSON, too much, wrong methods, unknown paths. Nothing is half created."""

import base64
import json

import pytest
from meetings import NINA, ROOM
from test_api import MINIMAL, problem
from workspace import ADMIN, PREFIX

pytestmark = pytest.mark.any_mpm

LIMIT = 64 * 1024
WRONG = [7, 1.5, True, [], ["x"]]


def bad(member, *values):
    """(member, value) pairs; a dot leads into an object."""
    return [(member, value) for value in values]


CASES = (
    bad("room", None, {}, "general", *WRONG)
    + bad("room.id", None, "", "r" * 65, {}, *WRONG)
    + bad("room.name", "n" * 251, "ä" * 251, {}, *WRONG)
    + bad("room.type", "x", "C", "", "cp", {}, *WRONG)
    + bad("creator", None, {}, "nina", *WRONG)
    + bad("creator.id", None, "", "c" * 65, {}, *WRONG)
    + bad("creator.username", "n" * 251, {}, *WRONG)
    + bad("creator.name", "n" * 251, {}, *WRONG)
    + bad("discussion", {}, "talk", *WRONG)
    + bad("discussion.id", None, "", "d" * 65, {}, *WRONG)
    + bad("discussion.name", "n" * 251, {}, *WRONG)
    + bad("discussion.type", "d", "l", "x", {}, *WRONG)
    + bad("id", "", "short12", "i" * 65, "with-dash1", "with blank", "ümlaut123", "under_score", "slash/1234", {}, *WRONG)
    + bad("title", "t" * 5001, "ä" * 5001, {}, *WRONG)
    + [(member, value) for member in ("not_before", "not_after") for value in (
        "", "tomorrow", "2030-11-22", "10:00:00Z", "2030-11-22T10:00:00", "2030-11-22 10:00", "2030-13-01T10:00:00Z",
        "2030-02-30T10:00:00Z", "2030-11-22T25:00:00Z", "2030-11-22T10:61:00Z", "2030-11-22T10:00:00+25:00", "2030-11-22T10:00:00Zx",
        "-2030-11-22T10:00:00Z", "2030-1-2T10:00:00Z", {}, *WRONG)])


def with_member(member, value):
    body = {"id": "MustNotBeMade", "title": "T", "room": dict(ROOM), "creator": dict(NINA),
            "discussion": {"id": "d", "name": "n", "type": "c"}}
    *path, last = member.split(".")
    inner = body
    for name in path:
        inner = inner[name]
    if value is None:
        inner.pop(last)
    else:
        inner[last] = value
    return body


@pytest.mark.parametrize("member, value", CASES, ids=lambda value: (json.dumps(value) if not isinstance(value, str) else value)[:24])
def test_a_bad_member_is_refused_by_name_and_nothing_is_made(api, member, value):
    answer = api.call("POST", "/meetings", with_member(member, value))
    assert problem(answer, 400, *member.split("."))
    assert api.call("GET", "/meetings/MustNotBeMade").status == 404


def test_a_window_that_ends_before_it_begins_is_refused(api):
    body = {**MINIMAL, "not_before": "2030-11-22T10:00:00Z", "not_after": "2030-11-22T09:59:59Z"}
    answer = api.call("POST", "/meetings", body)
    assert problem(answer, 400) and "not_" in answer.json()["detail"]


BODIES = {
    "nothing": b"", "blank": b"  \n", "a list": b"[]", "a text": b'"x"', "a number": b"7", "null": b"null", "true": b"true",
    "an open brace": b"{", "not closed": b'{"room": {"id": "r"}, "creator": {"id": "c"}', "two objects": b'{"room":{"id":"r"},"creator":{"id":"c"}} {}',
    "rubbish behind": b'{"room":{"id":"r"},"creator":{"id":"c"}}x', "single quotes": b"{'room': 1}", "NaN": b'{"room":NaN}',
    "trailing comma": b'{"room":{"id":"r"},"creator":{"id":"c"},}', "a form": b"room=r&creator=c", "NUL bytes": b"\0" * 100,
    "a comment": b'{/* */"room":{"id":"r"},"creator":{"id":"c"}}', "UTF-16": json.dumps(MINIMAL).encode("utf-16"),
    "binary": bytes(range(256)), "NUL in the middle": b'{"room":{"id":"r"},"creator":{"id":"c"}}\0{',
    "deep lists": b"[" * 20000, "deep lists, closed": b"[" * 20000 + b"]" * 20000, "deep objects": b'{"a":' * 10000 + b"1" + b"}" * 10000,
    "deep title": b'{"room":{"id":"r"},"creator":{"id":"c"},"title":' + b"[" * 20000 + b"]" * 20000 + b"}",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_that_is_no_json_object_is_refused(api, body):
    assert problem(api.call("POST", "/meetings", body, {"Content-Type": "application/json"}), 400)


TEXTS = {
    "bad UTF-8": b"\xff\xfe", "a cut sequence": b"\xc3", "an overlong slash": b"\xc0\xaf", "a surrogate in UTF-8": b"\xed\xa0\x80",
    "beyond Unicode": b"\xf4\x90\x80\x80", "a lone surrogate": b"\\ud800", "surrogates in the wrong order": b"\\udc00\\ud800",
    "an escaped NUL": b"a\\u0000b", "a raw NUL": b"a\0b", "a raw newline": b"a\nb", "an unknown escape": b"\\x41",
}


@pytest.mark.parametrize("where", ["title", "room.id", "room.name", "creator.name"])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_text_that_is_no_text_is_refused(api, where, text):
    body = json.dumps(with_member(where, "@@")).encode().replace(b"@@", text)
    assert problem(api.call("POST", "/meetings", body, {"Content-Type": "application/json"}), 400)
    assert api.call("GET", "/meetings/MustNotBeMade").status == 404


@pytest.mark.parametrize("body", [
    b'{"id":"Duplicate1","id":"Duplicate2","room":{"id":"r"},"creator":{"id":"c"}}',
    b'{"title":"a","title":"b","room":{"id":"r"},"creator":{"id":"c"}}',
    b'{"room":{"id":"r","id":"s"},"creator":{"id":"c"}}'])
def test_a_member_given_twice_is_refused(api, body):
    assert problem(api.call("POST", "/meetings", body, {"Content-Type": "application/json"}), 400)


@pytest.mark.parametrize("members", [
    {"title": "t" * 5000}, {"title": "😀" * 5000}, {"room": {"id": "r" * 64, "name": "n" * 250}}, {"room": {"id": "r", "name": "😀" * 250}},
    {"creator": {"id": "c" * 64, "username": "u" * 250, "name": "ä" * 250}}, {"id": "i" * 64}, {"id": "eightlet"},
    {"discussion": {"id": "d" * 64, "name": "n" * 250, "type": "p"}}, {"title": "escaped \U0001f600"}], ids=lambda value: str(value)[:40])
def test_what_is_just_within_the_limits_is_taken_and_given_back(api, members):
    meeting = api.create(**members)
    for name, value in members.items():
        given = meeting[name]
        assert given == value if isinstance(value, str) else {key: given[key] for key in value} == value


def padded(size):
    body = json.dumps(MINIMAL).encode()
    return body + b" " * (size - len(body))


def test_a_body_of_64_kib_is_taken(api):
    assert api.call("POST", "/meetings", padded(LIMIT)).status == 201


@pytest.mark.parametrize("size", [LIMIT + 1, 2 * LIMIT, 8 << 20])
def test_a_larger_body_is_refused(api, size):
    assert problem(api.call("POST", "/meetings", padded(size)), 413)


def test_a_larger_body_in_chunks_is_refused(api):
    answer = api.call("POST", "/meetings", iter([padded(LIMIT // 2), b" " * LIMIT]))
    assert problem(answer, 413)


def test_a_larger_body_of_a_link_request_is_refused(api, meeting):
    assert problem(api.call("POST", f"/meetings/{meeting['id']}/links", padded(LIMIT + 1)), 413)


def test_a_body_that_breaks_off_makes_nothing(api, server):
    body = json.dumps({"id": "BrokenOff1", **MINIMAL}).encode()
    account = base64.b64encode(":".join(ADMIN).encode()).decode()
    head = (f"POST {PREFIX}/api/v1/meetings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
            f"Authorization: Basic {account}\r\nContent-Length: {len(body) + 10}\r\n\r\n")
    reply = server.raw(head.encode() + body)
    assert not reply or reply.startswith(b"HTTP/1.1 4")
    assert api.call("GET", "/meetings/BrokenOff1").status == 404


# Methods and paths

@pytest.mark.parametrize("method, path, allowed", [
    ("PUT", "/meetings", {"GET", "POST"}), ("PATCH", "/meetings", {"GET", "POST"}), ("DELETE", "/meetings", {"GET", "POST"}),
    ("POST", "/meetings/{id}", {"GET", "DELETE"}), ("PUT", "/meetings/{id}", {"GET", "DELETE"}), ("PATCH", "/meetings/{id}", {"GET", "DELETE"}),
    ("GET", "/meetings/{id}/links", {"POST"}), ("PUT", "/meetings/{id}/links", {"POST"}), ("DELETE", "/meetings/{id}/links", {"POST"})])
def test_other_methods_are_refused_with_allow(api, meeting, method, path, allowed):
    answer = api.call(method, path.format(id=meeting["id"]), b"{}" if method in ("PUT", "POST", "PATCH") else None)
    assert problem(answer, 405)
    assert {each.strip() for each in answer.headers["Allow"].split(",")} - {"HEAD"} == allowed
    assert api.read(meeting["id"]) == meeting


@pytest.mark.parametrize("path", ["", "/", "/nothing", "/meetings/{id}/nothing", "/meetings/{id}/links/x", "/MEETINGS", "/meeting",
                                  "/historyx", "/history/x", "/deliveriesx"])
def test_unknown_paths_are_not_found(api, meeting, path):
    assert problem(api.call("GET", path.format(id=meeting["id"])), 404)


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v2/meetings", "/api/v1x/meetings"])
def test_paths_outside_of_the_version_are_not_found(server, path):
    assert server.request("GET", PREFIX + path, auth=ADMIN).status == 404
