"""The outgoing webhook: what people write in a room, and what comes of it."""

import json
import re
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from chat import DATABASE_TROUBLE, SOON, blameless, make_sites, sites  # noqa: F401
from httpd import PATIENCE
from pexip import one_leg
from waiting import stays, wait_until
from workspace import PREFIX

PATH = f"{PREFIX}/webhook"
REFUSED = r"is refused by Rocket\.Chat"
# Two seconds, and what a busy machine adds.
AT_MOST = 2 + 1.5 * PATIENCE


@pytest.fixture(scope="module")
def all_sites(mpm):
    with sites(mpm, {"posting": {}, "answering": {"rest": False}, "old": {"version": "6.13"}, "tokenless": {"webhook": False}}) as made:
        yield made


@pytest.fixture
def posting(all_sites):
    return all_sites["posting"]


@pytest.fixture
def answering(all_sites):
    return all_sites["answering"]


@pytest.fixture(params=["posting", "answering", "old"])
def site(request, all_sites):
    return all_sites[request.param]


def told(said):
    """The person was told something, in one message."""
    assert said.status == 200 and len(said.posted) == 1, said
    return said.text


def unheard(said):
    """Nothing came of it."""
    assert said.status == 200 and said.answer == {} and not said.posted, said
    return True


def request_body(site, text="!pexip Weekly", room=None, **changes):
    message = site.chat.store(room or site.room(), site.nina, text)
    body = {**site.chat.request_body(message, site.hook, "!pexip"), **changes}
    return {name: value for name, value in body.items() if value is not ...}


def post(site, body, **headers):
    return site.request("POST", PATH, body=body, headers={"Content-Type": "application/json", **headers})


def refused(answer, *statuses):
    assert answer.status in statuses, f"{answer.status} {answer.text[:300]}"
    assert answer.headers["Content-Type"].split(";")[0] == "application/problem+json"
    assert answer.json().get("status", answer.status) == answer.status
    return True


# Who may ask

WRONG_TOKENS = {
    "missing": lambda right: ..., "empty": lambda right: "", "wrong": lambda right: "wrong", "shorter": lambda right: right[:-1],
    "longer": lambda right: right + "x", "capitals": lambda right: right.upper(), "with newline": lambda right: right + "\n",
    "with NUL": lambda right: right + "\0", "reversed": lambda right: right[::-1], "null": lambda right: None, "number": lambda right: 7,
    "true": lambda right: True, "array": lambda right: [right], "object": lambda right: {"token": right}, "enormous": lambda right: right * 900}


@pytest.mark.parametrize("which", WRONG_TOKENS)
def test_without_the_token_nothing_happens(posting, which):
    room, token = posting.room(), WRONG_TOKENS[which](posting.token)
    answer = post(posting, request_body(posting, room=room, token=token))
    strange = not isinstance(token, str) and token is not ... or which == "with NUL"
    assert refused(answer, 401, 403, *([400] if strange else []))
    assert posting.token not in answer.text and not posting.meetings(room)


def test_the_token_of_another_workspace_counts_nothing(all_sites):
    one, other = all_sites["posting"], all_sites["answering"]
    assert refused(post(one, request_body(one, token=other.token)), 401, 403)


def test_where_no_token_is_configured_the_cure_is_named(all_sites):
    site = all_sites["tokenless"]
    site.httpd.expect("PexipRCWebhookTokenFile")
    before = site.httpd.error_log().count("PexipRCWebhookTokenFile")
    assert refused(post(site, request_body(site)), 500)
    assert site.httpd.error_log().count("PexipRCWebhookTokenFile") == before + 1
    assert not site.api.list()["meetings"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
def test_other_methods_are_refused(posting, method):
    answer = posting.request(method, PATH)
    assert answer.status == 405 and answer.headers["Allow"].split(",")[0].strip() == "POST"


# Starting

@pytest.mark.parametrize("kind", "cpd")
@pytest.mark.parametrize("tmid", [None, "parentOfThread"])
def test_a_meeting_is_started_and_told_of_where_it_was_asked_for(site, kind, tmid):
    room = site.room(kind)
    said = site.say("!pexip Weekly meeting", room, tmid=tmid)
    assert said.status == 200 and said.seconds < AT_MOST, said
    meeting = site.meeting(room)
    assert (meeting["title"], meeting["state"]) == ("Weekly meeting", "open")
    assert (meeting["room"]["id"], meeting["creator"]["id"], meeting["creator"]["username"]) == (room.id, site.nina.id, "nina")
    if site.rest:
        assert said.answer == {}
    message = site.message_of(meeting)
    assert message.tmid == tmid and "Weekly meeting" in message.words
    assert meeting["join_url"] in message.buttons.values()
    assert site.conference_link(meeting) in message.text
    assert site.messages_about(meeting) == [message]
    assert not any(pin in message.words for pin in meeting["pins"].values())


def test_posting_it_loads_no_preview_and_names_our_own_id(posting):
    meeting = posting.start()
    message = posting.message_of(meeting)
    call, = posting.chat.calls_of("chat.sendMessage", message.room.id)
    assert call.json["previewUrls"] == [] and call.json["message"]["_id"] == message.id
    assert call.headers["Content-Type"].split(";")[0] == "application/json"


def test_without_credentials_nothing_is_asked_of_the_api(answering):
    answering.start()
    assert answering.chat.calls == []


@pytest.mark.parametrize("text, title", [
    ("!pexip", ""), ("!pexip ", ""), ("!pexip Weekly", "Weekly"), ("!pexip   Weekly  ", "Weekly"), ("!pexip\tWeekly", "Weekly"), ("!pexip\nWeekly", "Weekly"),
    ("!pexip endgame", "endgame"), ("!pexip statusquo", "statusquo"), ("!pexip helpdesk", "helpdesk"), ("!pexip Übung 😀", "Übung 😀"),
    ("!pexip !pexip", "!pexip"), ("!pexip " + "w" * 4900, "w" * 4900)], ids=lambda text: repr(text)[:20])
def test_what_follows_the_word_is_the_title(answering, text, title):
    room = answering.room()
    told(answering.say(text, room))
    assert (answering.meeting(room)["title"] or "") == title


@pytest.mark.parametrize("text", ["!pexipWeekly", "!pexips", "!pexip2", "!pexipé"])
def test_another_word_that_begins_so_is_not_ours(posting, text):
    room = posting.room()
    assert unheard(posting.say(text, room))
    assert not posting.meetings(room)


@pytest.mark.parametrize("word", ["/pexip", "!meet", "Pexip:", "конференция", "!call me"])
def test_any_word_that_the_administrator_chose_will_do(answering, word):
    room = answering.room()
    answer = post(answering, request_body(answering, f"{word} Weekly", room, trigger_word=word))
    assert answer.status == 200 and answer.json().get("text")
    assert answering.meeting(room)["title"] == "Weekly"


def test_the_creator_gets_a_link_of_his_own_and_nobody_else(posting):
    meeting = posting.start("Personal", user=posting.carla)
    link = posting.personal_link(meeting, posting.carla)
    message = posting.message_of(meeting)
    assert link.startswith(meeting["join_url"] + "?") and link not in message.words and not re.search(r"[?&]k=", message.words)
    direct = posting.chat.direct(posting.carla, posting.chat.bot)
    for room in list(posting.chat.rooms.values()):
        for each in room.by(posting.chat.bot):
            assert room is direct or link not in each.words
    assert len(set(posting.personal_links(meeting, posting.carla))) == 1
    assert posting.visitor().open(link).role(meeting) == "host"


# Other words

def test_help_explains_itself_and_calls_nobody(site):
    room = site.room()
    text = told(site.say("!pexip help", room, tmid="thread"))
    for word in ("!pexip", "end", "status", "help"):
        assert word in text
    site.chat.finish_echoes()
    assert len(room.by(site.chat.bot)) == 1 and room.by(site.chat.bot)[0].tmid == "thread" and not site.meetings(room)


def test_status_lists_the_meetings_of_this_room_only(site):
    here, there = site.room(), site.room()
    site.start("Visible here", here)
    site.start("Visible there", there)
    text = told(site.say("!pexip status", here, site.boris))
    assert "Visible here" in text and "Visible there" not in text
    assert "Visible" not in told(site.say("!pexip status", site.room()))


def test_end_ends_the_callers_newest_meeting_in_this_room(site):
    here, there = site.room(), site.room()
    older, newer = site.start("Older", here), site.start("Newer", here)
    other, elsewhere = site.start("Of Boris", here, site.boris), site.start("Elsewhere", there)
    said = site.say("!pexip end", here)
    assert said.status == 200
    site.becomes(newer, "ended")
    states = {each["title"]: site.api.read(each["id"])["state"] for each in (older, newer, other, elsewhere)}
    assert states == {"Older": "open", "Newer": "ended", "Of Boris": "open", "Elsewhere": "open"}
    site.say("!pexip end", here)
    site.becomes(older, "ended")
    assert told(site.say("!pexip end", here)) and site.api.read(other["id"])["state"] == "open"
    assert told(site.say("!pexip end", there, site.carla)) and site.api.read(elsewhere["id"])["state"] == "open"


def test_end_closes_a_meeting_with_people_in_it(answering):
    meeting = answering.start("Occupied")
    room = answering.chat.rooms[meeting["room"]["id"]]
    node = answering.node()
    node.conference_started(meeting["id"])
    one_leg(node, meeting["id"], "Anna")
    assert answering.say("!pexip end", room).status == 200
    now = answering.api.read(meeting["id"])
    assert (now["state"], now["closed"]) == ("live", True)


# What is not heard

def test_bots_and_our_own_user_are_not_heard(posting):
    room = posting.room()
    assert unheard(posting.say("!pexip Loop", room, bot=True))
    assert unheard(posting.say("!pexip Loop", room, posting.chat.bot))
    assert not posting.meetings(room)


def test_the_same_message_again_is_the_same_meeting(site):
    room = site.room()
    said = site.say("!pexip Once", room)
    meeting = site.meeting(room)
    site.message_of(meeting)
    again = [site.chat.send_out(said.message) for _ in range(3)]
    assert all(unheard(each) for each in again)
    assert [each["id"] for each in site.meetings(room)] == [meeting["id"]]
    assert len(site.messages_about(meeting)) == 1


def test_the_same_message_many_times_at_once_is_one_meeting(posting):
    room = posting.room()
    body = request_body(posting, room=room)
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: post(posting, body), range(24)))
    assert {answer.status for answer in answers} == {200}
    assert len(posting.meetings(room)) == 1
    meeting = posting.meeting(room)
    posting.message_of(meeting)
    stays(lambda: len(posting.messages_about(meeting)) == 1, 0.5)


def test_a_word_that_was_mended_starts_a_meeting(answering):
    room = answering.room()
    mistyped = answering.say("pexip Weekly", room)
    assert not mistyped.posts
    assert told(answering.say("!pexip Weekly", room, message_id=mistyped.message.id, edited=True))
    assert len(answering.meetings(room)) == 1
    assert unheard(answering.say("!pexip Weekly!", room, message_id=mistyped.message.id, edited=True))
    assert len(answering.meetings(room)) == 1


def test_an_old_message_that_is_edited_starts_nothing(answering):
    room = answering.room()
    old = answering.say("pexip Weekly", room, at=time.time() - 310)
    assert unheard(answering.say("!pexip Weekly", room, message_id=old.message.id, edited=True, at=time.time() - 310))
    assert not answering.meetings(room)


# Many

def test_a_hundred_rooms_at_once(posting):
    rooms = [posting.room() for _ in range(100)]
    with ThreadPoolExecutor(20) as pool:
        said = list(pool.map(lambda room: posting.say(f"!pexip Call in {room.name}", room), rooms))
    assert {each.status for each in said} == {200}
    for room in rooms:
        meeting, = posting.meetings(room)
        posting.message_of(posting.api.read(meeting["id"]), 30 * PATIENCE)
    wait_until(lambda: all(len(room.by(posting.chat.bot)) == 1 for room in rooms), SOON, "one message in each room")


# What comes from outside

HOSTILE = ["@all", "@all @here come", "a @boris b", "(@all)", "**@all**", "*bold* _it_ ~~gone~~", "`code`", "```\nblock\n```", "[click](https://evil.example/)",
           "![x](https://evil.example/x.png)", "<https://evil.example|Bank>", "# heading", "> quote", "line\r\nbreak\n\n@all", "\u202egnp.exe\u202c", "\u2066x\u2069", "||spoiler||",
           ":smile:", "#general", "<script>alert(1)</script>", "\\*", "\u0000nul", "\u200b@all", "a\u2028@all", "😀" * 1200, "x" * 5200, "\\[x](https://evil.example)"]


@pytest.mark.parametrize("title", HOSTILE, ids=lambda title: ascii(title)[:24])
def test_titles_neither_mention_nor_format(all_sites, title):
    for site in (all_sites["posting"], all_sites["answering"]):
        room, plain = site.room(), site.room()
        said = site.say(f"!pexip {title}", room)
        if said.status == 400 and "\0" in title:
            continue
        assert said.status == 200, said
        if not site.meetings(room):
            assert told(said) and len(title) > 5000     # refused, and why was told
            continue
        message = site.message_of(site.meeting(room))
        expected = site.message_of(site.start("Harmless", plain))
        assert not message.mentions, message.words
        assert message.words.count("\n") == expected.words.count("\n"), message.words
        for bad in ("](https://evil", "<https://evil", "```", "\u202e", "\u2066", "\0", "\r", "\u2028", "||spoiler||"):
            assert bad not in message.words or re.search(re.escape("\\" + bad), message.words), f"{bad!r} in {message.words!r}"
        for bad in ("*bold*", "_it_", "~~gone~~", "`code`"):
            assert bad not in message.words, message.words


@pytest.mark.parametrize("body", [b"", b"x", b"{", b"[]", b"null", b"7", b'"x"', b"{}", b"\xff\xfe", b'{"token":"x"', b"[" * 20000,
                                  b'{"a":' * 20000, b" " * 60000, b"\0" * 10], ids=lambda body: repr(body[:16]))
def test_what_is_no_object_is_refused(posting, body):
    assert refused(post(posting, body), 400, 401, 403, *([413] if len(body) > 65536 else []))


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_a_form_is_refused(posting):
    assert refused(posting.request("POST", PATH, body=f"token={posting.token}&text=!pexip", headers=FORM), 400, 401, 403, 415)


MEMBERS = ("bot", "trigger_word", "channel_id", "channel_name", "message_id", "timestamp", "user_id", "user_name", "text", "siteUrl", "tmid", "isEdited")
ODD = [..., None, True, 7, 1e300, [], {}, "", " ", "x" * 20000, "a\0b", "\ud800", "é" * 300, "../../x", "'; DROP TABLE meetings; --"]


@pytest.mark.parametrize("member", MEMBERS)
def test_odd_members_never_cause_a_fault(answering, member):
    for value in ODD:
        answer = post(answering, json.dumps(request_body(answering, **{member: value})).encode())
        assert answer.status == 200 or 400 <= answer.status < 500 and answer.status != 410, f"{member}={value!r:.40}: {answer.status} {answer.text[:200]}"
        assert isinstance(answer.json(), dict)
    answering.start("Still well")


@pytest.mark.parametrize("size", [70_000, 1 << 20, 20 << 20])
def test_enormous_bodies_are_refused(posting, size):
    answer = post(posting, json.dumps(request_body(posting, "!pexip " + "x" * size)).encode())
    assert answer.status in (400, 413) or answer.status == 200 and answer.json().get("text")


def test_unknown_members_do_not_matter(answering):
    room = answering.room()
    answer = post(answering, request_body(answering, room=room, alias="Nina", new_member={"x": [1, 2]}))
    assert answer.status == 200 and answering.meetings(room)


# Rooms that are closed to us

def test_where_we_are_no_member_the_answer_is_the_message(posting):
    posting.httpd.expect(REFUSED)
    room = posting.chat.add_room("closed", "p", [posting.nina])
    said = posting.say("!pexip Weekly", room, tmid="thread")
    meeting = posting.meeting(room)
    message, = said.posted
    assert said.seconds < AT_MOST and message.tmid == "thread"
    assert meeting["join_url"] in message.buttons.values() and posting.conference_link(meeting) in message.text
    assert len(posting.chat.calls_of("chat.sendMessage", room.id)) == 1
    # Remembered: the next one is not even tried.
    said = posting.say("!pexip Again", room)
    assert posting.meeting(room)["join_url"] in said.posted[0].buttons.values()
    assert len(posting.chat.calls_of("chat.sendMessage", room.id)) == 1
    assert len(room.by(posting.chat.bot)) == 2


def test_who_deletes_our_message_does_not_close_the_room(posting):
    room = posting.room()
    first = posting.start("Deleted", room)
    message = posting.message_of(first)
    room.messages.remove(message)
    del posting.chat.messages[message.id]
    posting.api.delete(first["id"])
    wait_until(lambda: posting.chat.calls_of("chat.update", room.id), SOON, "the edit that fails")
    stays(lambda: first["id"] not in str(posting.deliveries()), 0.5, "the list of what failed")
    said = posting.say("!pexip Again", room)
    assert not said.posted and posting.message_of(posting.meeting(room))


# What is missing

def test_without_its_database_nothing_is_half_made(make_sites):
    site = make_sites({"alone": {}})["alone"]
    site.httpd.expect(DATABASE_TROUBLE)
    site.hook.retries = ()
    room = site.room()
    with sqlite3.connect(site.httpd.root / "state" / "pexip-rc.sqlite3", isolation_level=None, timeout=10) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        said = site.say("!pexip Weekly", room)
        assert said.seconds < AT_MOST + 1
        assert said.status == 503 or told(said), said
        lock.execute("ROLLBACK")
    lock.close()
    wait_until(lambda: site.api.call("POST", "/meetings", {"room": site.general.as_meant(), "creator": site.nina.creator()}).status == 201, 20 * PATIENCE, "the database")
    site.chat.send_out(said.message)
    assert len(site.meetings(room)) <= 1 and (site.meetings(room) or said.status == 200)


def test_nothing_is_posted_where_there_is_no_database(make_sites):
    site = make_sites({"forgetful": {}}, server="PexipRCDatabase none")["forgetful"]
    room = site.room()
    said = site.say("!pexip Weekly", room)
    meeting = site.meeting(room)
    assert told(said) and meeting["join_url"] in said.posted[0].buttons.values()
    assert not [call for call in site.chat.calls if call.method == "POST"]
