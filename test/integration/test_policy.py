"""Service configuration as nodes ask for it: which aliases lead to a meeting, what the answer says, and when it is another one."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from urllib.parse import quote

import pytest
from conftest import Servers, bury
from meetings import NINA, ROOM
from pexip import one_leg
from waiting import wait_until
from workspace import ADMIN, NODES, PREFIX, workspace

MISS = {"status": "fail", "action": "continue", "result": {}}
CONFIGURATION = "service/configuration"


@pytest.fixture(scope="module")
def server(mpm):
    servers = Servers(mpm)
    try:
        yield servers(workspace(extra="PexipRCNumericAlias 77 6\nPexipRCSIPDomain meet.example.com video.example.com"))
    finally:
        bury(servers)


@pytest.fixture(scope="module")
def known(server):
    """A meeting that nobody changes: its id has letters of both cases and digits."""
    answer = server.request("POST", f"{PREFIX}/api/v1/meetings", auth=ADMIN,
                            body={"id": "Zk7pQ2mXw9Rt4LbCa", "title": "Planning", "room": ROOM, "creator": NINA})
    assert answer.status == 201, answer.text
    return answer.json()


def ask(server, query):
    """query is sent as it stands."""
    return server.request("GET", f"{PREFIX}/policy/v1/{CONFIGURATION}?{query}", auth=NODES)


def is_miss(answer):
    assert answer.status == 404, f"{answer.status} {answer.text[:300]}"
    assert answer.json() == MISS
    assert answer.headers["Content-Type"].startswith("application/json")
    return True


def is_reject(answer):
    assert answer.status == 200, f"{answer.status} {answer.text[:300]}"
    body = answer.json()
    assert (body["status"], body["action"]) == ("success", "reject")
    assert "result" not in body
    assert isinstance(body["reason"], str) and body["reason"]
    return True


def is_service(answer, meeting_id):
    assert answer.status == 200, f"{answer.status} {answer.text[:300]}"
    body = answer.json()
    assert (body["status"], body["action"], body["result"]["name"]) == ("success", "continue", meeting_id)
    return True


def stamp(seconds_from_now):
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds_from_now)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# The answer

def test_answer_has_every_documented_member_and_no_other(node, known):
    answer = node.policy(known["id"])
    assert answer.headers["Content-Type"].startswith("application/json")
    assert int(answer.headers["Content-Length"]) == len(answer.body)
    assert answer.json() == {"status": "success", "action": "continue", "result": {
        "service_type": "conference", "name": known["id"], "service_tag": "rocket.chat", "description": "Planning",
        "local_display_name": "Planning", "pin": known["pins"]["host"], "allow_guests": True,
        "guest_pin": known["pins"]["guest"], "locked": True, "ivr_theme_name": "rocket.chat", "call_type": "video",
        "view": "one_main_seven_pips", "enable_overlay_text": True}}


def test_head_says_the_same_without_the_body(node, known):
    got, head = node.policy(known["id"]), node.policy(known["id"], method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Type"] == got.headers["Content-Type"]
    assert head.headers["Content-Length"] in (None, str(len(got.body)))


@pytest.mark.parametrize("wanted", ["bytes=0-9", "bytes=-5", "bytes=100000-", "bytes=0-0,5-9"])
def test_an_answer_is_whole_whatever_part_is_asked_for(server, node, known, wanted):
    path = f"{PREFIX}/policy/v1/{CONFIGURATION}?local_alias={known['id']}"
    answer = server.request("GET", path, auth=NODES, headers={"Range": wanted})
    assert (answer.status, answer.body) == (200, node.policy(known["id"]).body)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_refused_with_allow(node, known, method):
    answer = node.policy(known["id"], method=method)
    assert answer.status == 405
    assert {each.strip() for each in answer.headers["Allow"].split(",")} >= {"GET", "HEAD"}
    assert method not in answer.headers["Allow"]


@pytest.mark.parametrize("what", [
    "participant/location", "participant/avatar/nina", "participant/propertie", "participant/properties/more", "registrations", "registrations/nina",
    "service/configuration/more", "service", "service/", "", "SERVICE/CONFIGURATION", "service/configurations", "nothing"])
def test_other_request_types_are_left_to_infinity(node, known, what):
    assert node.policy(known["id"], what=what).status == 404


@pytest.mark.parametrize("path", ["/policy", "/policy/", "/policy/v2/service/configuration", "/policy/v1"])
def test_other_paths_are_left_to_infinity(server, known, path):
    assert server.request("GET", f"{PREFIX}{path}?local_alias={known['id']}", auth=NODES).status == 404


# Aliases

# {a} stands for the alias; the text is the raw query value.
FORMS = [
    "{a}", "{a}@meet.example.com", "{a}@MEET.Example.Com", "{a}@meet.example.com:5061", "{a}%40meet.example.com%3A5061",
    "{a}@10.20.30.40", "{a}@10.20.30.40:5060", "{a}@[2001:db8::1]", "{a}@%5B2001%3Adb8%3A%3A1%5D%3A5060",
    "sip:{a}", "sips:{a}", "h323:{a}", "SIP:{a}", "Sips:{a}", "H323:{a}",
    "sip:{a}@meet.example.com", "sips:{a}@meet.example.com", "h323:{a}@meet.example.com", "SIP:{a}@meet.example.com:5061",
    "sip%3A{a}%40meet.example.com", "%73%69%70%3a{a}%40%6deet.example.com",
    "{a};transport=tls", "sip:{a}@meet.example.com;transport=tls", "sip:{a}@10.20.30.40:5060;transport=tcp;user=phone",
    "sip%3A{a}%40meet.example.com%3Btransport%3Dtls", "sip:{a};transport=tls@meet.example.com",
    "sip:{a}@meet.example.com?subject=x", "{a}?subject=x", "sip%3A{a}%40meet.example.com%3Fsubject%3Dx%26y%3Dz",
]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_id_gets_the_identical_answer(server, known, form):
    plain = ask(server, f"local_alias={known['id']}")
    answer = ask(server, f"call_direction=dial_in&protocol=sip&local_alias={form.format(a=known['id'])}&trigger=invite")
    assert is_service(answer, known["id"])
    assert answer.body == plain.body


@pytest.mark.parametrize("form", FORMS + ["%2B{a}", "%2B{a}@meet.example.com", "sip:%2B{a}@10.20.30.40",
                                          "{a}@video.example.com", "sip:{a}@VIDEO.example.com:5061"])
def test_every_form_of_the_number_gets_the_identical_answer(server, known, form):
    plain = ask(server, f"local_alias={known['id']}")
    assert ask(server, "local_alias=" + form.format(a=known["numeric_alias"])).body == plain.body


@pytest.mark.parametrize("form", ["{a}@elsewhere.example.com", "sip:{a}@elsewhere.example.com", "{a}@sub.meet.example.com",
                                  "{a}@example.com", "{a}@meet.example.com.evil.example", "{a}@elsewhere.example.com:5061"])
def test_a_number_at_a_foreign_domain_is_not_ours(server, known, form):
    assert is_miss(ask(server, "local_alias=" + form.format(a=known["numeric_alias"])))


@pytest.mark.parametrize("form", ["{a}@elsewhere.example.com", "sip:{a}@elsewhere.example.com;transport=tls"])
def test_an_id_answers_at_any_domain(server, known, form):
    assert is_service(ask(server, "local_alias=" + form.format(a=known["id"])), known["id"])


def test_percent_encoded_id_is_decoded_once_and_only_once(server, known):
    once = "".join(f"%{ord(each):02x}" for each in known["id"])
    assert is_service(ask(server, "local_alias=" + once), known["id"])
    assert is_miss(ask(server, "local_alias=" + once.replace("%", "%25")))


@pytest.mark.parametrize("change", [str.upper, str.lower, str.swapcase])
def test_changed_case_finds_the_meeting_where_it_is_unambiguous(server, known, change):
    assert is_service(ask(server, "local_alias=" + change(known["id"])), known["id"])


def test_exact_case_comes_first_and_ambiguous_case_is_unknown(server, api):
    ids = ["CaseTest1aB", "CaseTest1Ab"]
    for each in ids:
        api.create(id=each)
    for each in ids:
        assert is_service(ask(server, f"local_alias=sip:{each}@meet.example.com"), each)
    for other in ("casetest1ab", "CASETEST1AB"):
        assert is_miss(ask(server, "local_alias=" + other))


def test_an_id_of_digits_only_is_found(server, api):
    api.create(id="4711471147")
    for form in ("4711471147", "sip:4711471147@10.20.30.40"):
        assert is_service(ask(server, "local_alias=" + form), "4711471147")


@pytest.mark.parametrize("mangle", ["{h}", "{t}", "{a}x", "x{a}", "mailto:{a}", "{a}@a@b", "sip:sip:{a}", "{a}%20x",
                                    "{a}/x", "{a}%00", "%00{a}", "{a}%00x", "{a}%0a", "{a}%0d%0aX: y", "{a}%7f", "{a}%ff",
                                    "{a}%", "{a}%4", "{a}%zz", "%zz{a}", "{a}%u0041"])
def test_what_is_only_similar_to_an_id_is_unknown(server, known, mangle):
    name = known["id"]
    assert is_miss(ask(server, "local_alias=" + quote(mangle, safe="%{}:@/").format(a=name, h=name[:-1], t=name[1:])))


@pytest.mark.parametrize("query", [
    "", "local_alias=", "local_alias", "local_alias=&call_direction=dial_in", "call_direction=dial_in", "&&&&", "=", "=x",
    "local_alias=nobody.knows", "local_alias=100@203.0.113.9", "local_alias=" + "9" * 8000, "local_alias=" + "sip:" * 2000,
    "local_alias=%00", "local_alias=%ff%fe", "local_alias=%C3%28", "local_alias=%01%02", "local_alias=%e2%82", "local_alias=%",
    "local_alias=%zz", "local_alias=+", "local_alias=%20", "local_alias=@", "local_alias=sip:", "local_alias=sip:@meet.example.com",
    "local_alias=@meet.example.com", "local_alias=;", "local_alias=%3Bx", "local_alias=?", "local_alias=%3F", "local_alias=:",
    "local_alias=[]", "local_alias=%22%5C%3Cb%3E", "local_alias=..%2F..%2Fetc%2Fpasswd", "&" * 4000,
    "&".join(f"p{number}=1" for number in range(900)),
], ids=lambda query: query[:40] or "nothing")
def test_whatever_is_not_an_alias_of_ours_is_left_to_infinity(server, known, query):
    assert is_miss(ask(server, query))


def test_no_query_string_at_all_is_left_to_infinity(server, known):
    assert is_miss(server.request("GET", f"{PREFIX}/policy/v1/{CONFIGURATION}", auth=NODES))


def test_an_alias_given_twice_never_leads_to_anything_but_its_meeting(server, known, meeting):
    first, second = (ask(server, f"local_alias={each['id']}").body for each in (known, meeting))
    assert ask(server, f"local_alias={known['id']}&local_alias={known['id']}").body == first
    answer = ask(server, f"local_alias={known['id']}&local_alias={meeting['id']}")
    assert answer.body in (first, second) or is_miss(answer)


@pytest.mark.parametrize("other", [
    "remote_display_name=A+B", "remote_display_name=A%20B%2BC", "remote_display_name=%zz", "remote_display_name=%00",
    "remote_display_name=%ff%fe", "remote_display_name=%", "vendor=a&vendor=b", "valueless", "=x", "unknown=1&unknown=2",
    "registered=TRUE&registered=false", "vendor=" + "v" * 7000, "bandwidth=999999999999999999999999", "remote_port=-1",
    "call_direction=", "call_direction=DIAL_IN", "trigger=%0d%0a", "idp_attribute_x=%E2%82%AC"], ids=lambda other: other[:40])
def test_other_parameters_do_not_change_the_answer(server, known, other):
    plain = ask(server, f"local_alias={known['id']}")
    for query in (f"{other}&local_alias={known['id']}", f"local_alias={known['id']}&{other}"):
        assert ask(server, query).body == plain.body


def test_fifty_identical_requests_at_once_get_one_answer(api, node):
    meeting = api.create(title="All at once")
    with ThreadPoolExecutor(25) as pool:
        answers = list(pool.map(lambda _: node.policy(meeting["id"]), range(50)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert answers[0].json()["result"]["pin"] == meeting["pins"]["host"]


# Directions and probes

def test_dial_out_is_found_by_the_service_name(node, known):
    plain = node.policy(known["id"])
    assert node.dial_out(known["id"]).body == plain.body
    assert node.policy("sip:somebody@partner.example", call_direction="dial_out", service_name=known["id"]).body == plain.body


def test_dial_out_of_another_service_is_not_ours(node, known):
    assert is_miss(node.dial_out("A.VMR.of.the.platform"))
    assert is_miss(node.policy(known["id"], call_direction="dial_out", service_name="A.VMR.of.the.platform"))
    assert is_miss(node.policy(known["id"], call_direction="dial_out", service_name="A gateway's rule " * 14))


PROBES = [("non_dial", "options"), ("non_dial", "subscribe"), ("non_dial", "lrq"), ("non_dial", "arq"),
          ("dial_in", "web_avatar_fetch")]


@pytest.mark.parametrize("direction, trigger", PROBES)
def test_a_probe_gets_the_same_answer_and_changes_nothing(node, api, meeting, direction, trigger):
    before = api.read(meeting["id"])
    answer = node.policy(meeting["id"], call_direction=direction, trigger=trigger)
    assert answer.body == node.policy(meeting["id"]).body
    assert api.read(meeting["id"]) == before


def test_requests_alone_do_not_make_a_meeting_live(node, api, meeting):
    before = api.read(meeting["id"])
    for _ in range(3):
        node.policy(meeting["id"])
    assert api.read(meeting["id"]) == before


# Titles

TITLES = {
    "quotes": 'He said "no" and \'yes\'', "backslash": "C:\\temp\\new \\u0041", "markup": "<script>alert(1)</script> & &amp;",
    "emoji": "Retro 🎉👩‍👩‍👧‍👦🏳️‍🌈", "right to left": "اجتماع الأسبوع", "percent": "100% %41 +", "slash": "a/b //c </x>",
    "250 bytes": "x" * 250, "251 bytes": "x" * 251, "5000 letters": "y" * 5000, "5000 umlauts": "ä" * 5000,
    "umlauts out of step": "x" + "ä" * 4999, "5000 emoji": "😀" * 5000, "emoji out of step": "xyz" + "😀" * 100,
    "euro signs": "€" * 300, "cut before a quote": "z" * 249 + '""', "quotes only": '"' * 5000, "backslashes only": "\\" * 5000,
}


@pytest.mark.parametrize("title", TITLES.values(), ids=TITLES)
def test_titles_arrive_whole_or_cut_at_a_code_point(api, node, title):
    meeting = api.create(title=title)
    assert meeting["title"] == title
    result = json.loads(node.policy(meeting["id"]).body.decode("utf-8"))["result"]
    wanted = title.encode()[:250].decode("utf-8", "ignore")
    assert (result["description"], result["local_display_name"]) == (wanted, wanted)


@pytest.mark.parametrize("title", ["first\nsecond", "a\r\nb\tc", "bell\x07 escape\x1b[31m", "next\u0085line \u2028 sep", "a\x7fb"])
def test_control_characters_of_a_title_do_not_reach_the_node(api, node, title):
    meeting = api.create(title=title)
    description = json.loads(node.policy(meeting["id"]).body.decode("utf-8"))["result"]["description"]
    assert not any(ord(each) < 32 or ord(each) == 127 for each in description)
    assert description.startswith(title[0]) and description.endswith(title[-1])


@pytest.mark.parametrize("title", [None, ""])
def test_without_a_title_the_description_is_rocket_chat(api, node, title):
    result = node.policy(api.create(title=title)["id"]).json()["result"]
    assert (result["description"], result["local_display_name"]) == ("Rocket.Chat", "Rocket.Chat")


# Life

def test_before_its_window_rejected_then_answered_then_rejected_for_good(api, node):
    meeting = api.create(not_before=stamp(1.0), not_after=stamp(2.0))
    assert is_reject(node.policy(meeting["id"]))
    answer = wait_until(lambda: (got := node.policy(meeting["id"])).json()["action"] == "continue" and got, 3, "the window to open")
    assert is_service(answer, meeting["id"])
    wait_until(lambda: api.read(meeting["id"])["state"] == "ended", 4, "the window to close")
    assert is_reject(node.policy(meeting["id"]))


def test_a_meeting_that_is_live_at_the_end_of_its_window_is_answered_until_it_is_empty(api, node):
    meeting = api.create(not_after=stamp(1.0))
    before = node.policy(meeting["id"]).body
    node.conference_started(meeting["id"])
    anna = one_leg(node, meeting["id"], "Anna")
    limit = datetime.now(timezone.utc) + timedelta(seconds=1.5)
    wait_until(lambda: datetime.now(timezone.utc) > limit, 5)
    assert api.read(meeting["id"])["state"] == "live"
    assert node.policy(meeting["id"]).body == before
    anna.leave()
    node.conference_ended(meeting["id"])
    wait_until(lambda: api.read(meeting["id"])["state"] == "ended", 5, "the end")
    assert is_reject(node.policy(meeting["id"]))


def test_a_live_meeting_is_answered_as_an_open_one(api, node, meeting):
    before = node.policy(meeting["id"]).body
    node.conference_started(meeting["id"])
    one_leg(node, meeting["id"], "Anna")
    assert api.read(meeting["id"])["state"] == "live"
    assert node.policy(meeting["id"]).body == before


def test_a_closed_meeting_is_rejected_while_people_are_still_in_it(api, node, meeting):
    node.conference_started(meeting["id"])
    one_leg(node, meeting["id"], "Anna")
    api.delete(meeting["id"])
    now = api.read(meeting["id"])
    assert (now["state"], now["closed"]) == ("live", True)
    assert is_reject(node.policy(meeting["id"]))


@pytest.mark.parametrize("form", ["{id}", "sip:{id}@meet.example.com", "{number}", "sip:{number}@10.20.30.40"])
def test_an_ended_meeting_is_rejected_by_every_alias(api, server, meeting, form):
    api.delete(meeting["id"])
    assert is_reject(ask(server, "local_alias=" + form.format(id=meeting["id"], number=meeting["numeric_alias"])))


def test_a_title_filled_in_later_leaves_the_frozen_answer_alone(api, node):
    meeting = api.create(id="FilledLater1", title=None)
    before = node.policy(meeting["id"]).body
    assert api.create(id="FilledLater1", title="Now it has one")["title"] == "Now it has one"
    assert node.policy(meeting["id"]).body == before
