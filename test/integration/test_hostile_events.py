"""Bodies that no node sends: each is answered 200 in time, none costs a neighbour anything or the log a line."""

import base64
import json
import socket
import time

import pytest

from conftest import Servers, bury
from httpd import PATIENCE
from pexip import Leg, now, two_legs
from workspace import ADMIN, NODES, PREFIX, workspace

pytestmark = pytest.mark.any_mpm

LIMIT = 8 * 1024 * 1024
QUICK = 5.0 * PATIENCE
PATH = f"{PREFIX}/events"


@pytest.fixture(scope="module")
def server(mpm):
    servers = Servers(mpm)
    try:
        # No meeting here shall end by itself.
        yield servers(workspace(grace="60s 60s"))
    finally:
        bury(servers)


@pytest.fixture
def hosted(other_node, meeting):
    """A meeting with Anna in it, told by a node that nobody mishandles."""
    other_node.conference_started(meeting["id"])
    two_legs(other_node, meeting["id"], "Anna", role="chair")
    return meeting


def names(api, meeting):
    return sorted(person["name"] for person in api.read(meeting["id"])["participants"])


def taken(node, body, status=200):
    began = time.monotonic()
    answer = node.post(body)
    took = time.monotonic() - began
    assert answer.status == status, answer.text[:300]
    if status == 200:
        assert answer.json() == {"success": True}
    assert took < QUICK, f"{took:.1f} s for {len(body)} bytes"
    return answer


def text(event):
    return json.dumps(event, ensure_ascii=False)


def bulk_around(node, meeting, inner):
    """A bulk of three: somebody comes, then `inner` as it is, then somebody else comes."""
    events = [text(node.event("participant_connected", Leg(node, meeting["id"], name).data)) for name in ("Boris", "Carla")]
    head, tail = text(node.bulk([], send=False)).rsplit("[]", 1)
    if isinstance(inner, str):
        inner = inner.encode()
    return head.encode() + b"[" + events[0].encode() + b"," + inner + b"," + events[1].encode() + b"]" + tail.encode()


# Broken JSON as the whole body

BROKEN = [b"", b" ", b"\0", b"{", b"}", b"[", b"]", b"{]", b"[}", b'"', b'"\\', b"nul", b"null", b"true", b"0", b"-", b"1e", b"1e999999", b"{}{}",
          b'{"event"}', b'{"event":}', b'{"event":"conference_ended",}', b"{'event':'x'}", b"{event:1}", b"// x\n{}", b"\xef\xbb\xbf{}",
          b"\xff\xfe{\0}\0", b"\x1f\x8b\x08\0\0\0\0\0\0\3", b"event=conference_ended&data=x", b"<event/>", b"[1,,2]", b"[1 2]", b"NaN", b"Infinity",
          b'{"event":"eventsink_bulk","data":[', b'{"event":"eventsink_bulk","data":[{]}', b'{"a":"\n"}', b'{"a":"\x01"}', b'{"a":"\\x41"}',
          b'{"a":"\\u12"}', b'{"a":01}', b'{"a":+1}', b'{"a":.5}', b'{"a":1.}', b"\xc0\x80", b'"\xed\xa0\x80"', b'{"event":"\xff"}',
          b"{" * 1000, b'{"a":' * 1000, b"]" * 1000, b'"' * 1001, b"\\" * 1000, b"\r\n" * 1000]


@pytest.mark.parametrize("body", BROKEN, ids=lambda body: repr(body[:24])[2:-1] + (f" ({len(body)})" if len(body) > 24 else ""))
def test_broken_json_is_answered_like_any_other(node, api, hosted, body):
    taken(node, body)
    assert names(api, hosted) == ["Anna"]


def test_broken_events_about_a_meeting_do_not_end_it(node, api, hosted):
    end = text(node.event("conference_ended", {"name": hosted["id"], "end_time": now()}))
    for body in (end[:-1], end[1:], end + end, end.replace('"', "'"), end.replace(":", ""), end + "x", "[" + end, end.replace("{", "[")):
        taken(node, body)
    read = api.read(hosted["id"])
    assert read["state"] == "live"
    assert names(api, hosted) == ["Anna"]


def test_a_bulk_cut_anywhere_costs_nothing_that_its_retry_does_not_bring(node, api, hosted):
    with node.holding() as events:
        node.conference_started(hosted["id"])
        boris = two_legs(node, hosted["id"], "Boris Ünïcode")
        two_legs(node, hosted["id"], "Carla")
        boris.leave()
    body = text(node.bulk(events, send=False)).encode()
    assert len(body) > 5000
    for end in range(0, len(body), 50):
        taken(node, body[:end])
    taken(node, body)
    assert names(api, hosted) == ["Anna", "Carla"]


# Rubbish in one event of a bulk

SOMEBODY = '{"event":"participant_connected","node":"10.3.3.3","seq":9,"version":2,"time":1764590401.5,"data":{%s}}'


def deep(depth, left="[", right="]"):
    return SOMEBODY % ('"a":' + left * depth + ("0" if left != "[" else "") + right * depth)


RUBBISH = {
    "invalid utf-8": SOMEBODY.encode() % b'"display_name":"\xff\xfe\x80"',
    "overlong utf-8": SOMEBODY.encode() % b'"display_name":"\xc0\xaf"',
    "surrogates in utf-8": SOMEBODY.encode() % b'"display_name":"\xed\xa0\x80"',
    "beyond unicode": SOMEBODY.encode() % b'"display_name":"\xf4\x90\x80\x80"',
    "cut utf-8": SOMEBODY.encode() % b'"display_name":"\xe2\x82"',
    "invalid utf-8 in a key": SOMEBODY.encode() % b'"\xff":1',
    "nul escape": SOMEBODY % r'"display_name":"a\u0000b"',
    "nul escape in a key": SOMEBODY % r'"\u0000":1',
    "raw nul": SOMEBODY % '"display_name":"a\0b"',
    "raw control characters": SOMEBODY % '"display_name":"a\x01\x1f\n"',
    "lone high surrogate": SOMEBODY % r'"display_name":"\ud800"',
    "lone low surrogate": SOMEBODY % r'"display_name":"\udc00x"',
    "swapped surrogates": SOMEBODY % r'"display_name":"\udc00\ud800"',
    "half an escape": SOMEBODY % r'"display_name":"\u12"',
    "unknown escape": SOMEBODY % r'"display_name":"\x41"',
    "over-long integer": SOMEBODY % ('"rx_bandwidth":' + "9" * 400),
    "over-long negative integer": SOMEBODY % ('"rx_bandwidth":-' + "9" * 30),
    "integer of 2^64": SOMEBODY % f'"rx_bandwidth":{2 ** 64}',
    "over-long seq": (SOMEBODY % "").replace('"seq":9', '"seq":' + "9" * 25),
    "real beyond range": SOMEBODY % '"connect_time":1e999',
    "real of nothing": SOMEBODY % '"connect_time":1e-999',
    "real of many digits": SOMEBODY % ('"connect_time":1.' + "3" * 5000),
    "no number": SOMEBODY % '"connect_time":NaN',
    "leading zero": SOMEBODY % '"connect_time":00017',
    "duplicate keys in data": SOMEBODY % '"uuid":"a","uuid":"b","uuid":"c"',
    "duplicate keys outside": (SOMEBODY % "").replace('"seq":9', '"seq":9,"seq":8'),
    "duplicate events": (SOMEBODY % "").replace('"node"', '"event":"conference_ended","node"', 1),
    "duplicate data": (SOMEBODY % "").replace('"node"', '"data":[],"node"', 1),
    "empty key": SOMEBODY % '"":""',
    "brackets in strings": SOMEBODY % r'"display_name":"]}]}\"]}{[","]}":"[[["',
    "escaped quotes": SOMEBODY % r'"display_name":"\\\\\\\"\\"',
    "missing comma": SOMEBODY % '"a":1 "b":2',
    "missing colon": SOMEBODY % '"a" 1',
    "missing value": SOMEBODY % '"a":',
    "trailing comma": SOMEBODY % '"a":1,',
    "bare word": SOMEBODY % '"a":undefined',
    "single quotes": SOMEBODY % "'a':'b'",
    "comment": SOMEBODY % '/* x */ "a":1',
    "deep 100": deep(100), "deep 2000": deep(2000), "deep 100000": deep(100000),
    "deep objects 100": deep(100, '{"a":', "}"), "deep objects 2000": deep(2000, '{"a":', "}"), "deep objects 100000": deep(100000, '{"a":', "}"),
    "a bulk": '{"event":"eventsink_bulk","node":"127.0.0.1","seq":0,"data":[{"event":3}]}',
    "a bare word": "rubbish", "a number of many digits": "7" * 5000, "a string": '"x"', "an array": "[[],{}]",
    "100 kB of blanks": " " * 100000 + "1",
}


@pytest.mark.parametrize("inner", RUBBISH.values(), ids=RUBBISH)
def test_rubbish_in_one_event_of_a_bulk_costs_no_other(node, api, hosted, inner):
    taken(node, bulk_around(node, hosted, inner))
    assert names(api, hosted) == ["Anna", "Boris", "Carla"]


@pytest.mark.parametrize("inner", RUBBISH.values(), ids=RUBBISH)
def test_the_same_rubbish_alone_is_taken(node, api, hosted, inner):
    taken(node, inner)
    assert names(api, hosted) == ["Anna"]


@pytest.mark.parametrize("inner", [SOMEBODY % '"a":[1,2', SOMEBODY % '"a":{"b":1', SOMEBODY % '"a":1}', SOMEBODY % '"a":[1}', SOMEBODY % '"a":{1]',
                                   (SOMEBODY % "")[:-1], (SOMEBODY % "")[1:], '{"event":[}', '{"event":{]}'])
def test_unbalanced_brackets_in_one_event_cost_nobody_who_came_before(node, api, hosted, inner):
    """Where such an event ends is anybody's guess, so what follows may be lost; what came before may not."""
    taken(node, bulk_around(node, hosted, inner))
    assert set(names(api, hosted)) >= {"Anna", "Boris"}
    assert set(names(api, hosted)) <= {"Anna", "Boris", "Carla"}
    # The node goes on as if nothing had been.
    Leg(node, hosted["id"], "Doris").connected()
    assert "Doris" in names(api, hosted)


def test_a_bulk_with_all_kinds_of_rubbish_at_once(node, api, hosted):
    whole = b",".join(inner if isinstance(inner, bytes) else inner.encode() for inner in RUBBISH.values())
    taken(node, bulk_around(node, hosted, whole))
    assert names(api, hosted) == ["Anna", "Boris", "Carla"]


# Depth and size of whole bodies

@pytest.mark.parametrize("depth", [100, 2000, 100000, 4000000])
@pytest.mark.parametrize("left, right", [("[", "]"), ('{"a":', "}"), ("[", ""), ('{"data":[', "]}"), ('{"event":"eventsink_bulk","data":[', "]}")])
def test_nesting_is_survived_at_any_depth(node, api, hosted, depth, left, right):
    depth = min(depth, LIMIT // len(left + right))
    taken(node, left * depth + right * depth)
    assert names(api, hosted) == ["Anna"]


def padded(head, filler, tail, size=LIMIT):
    room = size - len(head) - len(tail)
    return head + (filler * (room // len(filler) + 1))[:room] + tail


def big_bodies(node, meeting):
    connect = text(node.event("participant_connected", Leg(node, meeting["id"], "Boris").data)).encode()
    data = connect[:-2]     # open for more members of data
    wrapper = text(node.bulk([], send=False)).encode()[:-2]
    return {
        # Whether a single event of this size still counts is not promised.
        "one event and blanks": (padded(connect[:-1], b" ", b"}"), None),
        "one event with a long list": (padded(data + b',"related_uuids":[0', b",0", b"]}}")[:LIMIT], None),
        "one event with a long string": (padded(data + b',"vendor":"', b"v", b'"}}'), None),
        "a bulk of rubbish": (padded(wrapper + connect + b",", b"{},", b"0  ]}"), True),
        "a bulk of numbers": (padded(wrapper + connect + b",", b"1,", b"1   ]}"), True),
        "one string": (padded(b'"', b"x", b'"'), False),
        "one string of escapes": (padded(b'"', b"\\\\", b"\\\\ \""), False),
        "one string of unicode escapes": (padded(b'"', b"\\u00e9", b'"'), False),
        "an array of numbers": (padded(b"[", b"1,", b"1 ]"), False),
        "an array of reals": (padded(b"[", b"1.5e3,", b"1]"), False),
        "an array of strings": (padded(b"[", b'"",', b'""]'), False),
        "one number": (padded(b"", b"9", b""), False),
        "one object of the same key": (padded(b"{", b'"a":1,', b'"a":1}'), False),
        "quotes": (b'"' * LIMIT, False),
        "nothing but blanks": (b" " * LIMIT, False),
        "nothing but zeros": (b"\0" * LIMIT, False),
    }


@pytest.mark.parametrize("kind", ["one event and blanks", "one event with a long list", "one event with a long string", "a bulk of rubbish",
                                  "a bulk of numbers", "one string", "one string of escapes", "one string of unicode escapes",
                                  "an array of numbers", "an array of reals", "an array of strings", "one number", "one object of the same key",
                                  "quotes", "nothing but blanks", "nothing but zeros"])
def test_a_body_of_exactly_the_limit_is_taken_in_time(node, api, hosted, kind):
    body, counts = big_bodies(node, hosted)[kind]
    assert len(body) == LIMIT
    taken(node, body)
    expected = {True: [["Anna", "Boris"]], False: [["Anna"]], None: [["Anna"], ["Anna", "Boris"]]}[counts]
    assert names(api, hosted) in expected


def test_a_body_of_many_different_keys_is_taken_in_time(node, api, hosted):
    members = ",".join(f'"key{number}":{number}' for number in range(350000))
    connect = text(node.event("participant_connected", Leg(node, hosted["id"], "Boris").data))
    taken(node, connect[:-2] + "," + members + "}}")
    assert set(names(api, hosted)) >= {"Anna"}
    taken(node, "{" + members + "}")


def test_a_body_above_the_limit_is_refused_by_its_size(node, api, hosted):
    body, _ = big_bodies(node, hosted)["a bulk of rubbish"]
    taken(node, body + b" ", status=413)
    assert names(api, hosted) == ["Anna"]


def chunked(server, parts):
    """A chunked request; returns the status of the answer."""
    head = (f"POST {PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n"
            f"Authorization: Basic {base64.b64encode(':'.join(NODES).encode()).decode()}\r\n\r\n").encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=QUICK) as connection:
        try:
            connection.sendall(head)
            for part in parts:
                connection.sendall(b"%x\r\n%s\r\n" % (len(part), part))
            connection.sendall(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass    # refused early
        return int(connection.makefile("rb").read().split(b" ", 2)[1])


@pytest.mark.parametrize("size", [1, 7, 1000, 65536])
def test_a_chunked_body_is_read_like_any_other(server, node, api, hosted, size):
    body = bulk_around(node, hosted, "{}")
    assert chunked(server, [body[start:start + size] for start in range(0, len(body), size)]) == 200
    assert names(api, hosted) == ["Anna", "Boris", "Carla"]


@pytest.mark.parametrize("extra, status", [(0, 200), (1, 413)])
def test_the_limit_holds_for_chunked_bodies_too(server, node, api, hosted, extra, status):
    body = big_bodies(node, hosted)["a bulk of rubbish"][0] + b" " * extra
    began = time.monotonic()
    assert chunked(server, [body[start:start + 65536] for start in range(0, len(body), 65536)]) == status
    assert time.monotonic() - began < QUICK
    assert names(api, hosted) == (["Anna", "Boris"] if status == 200 else ["Anna"])


@pytest.mark.parametrize("sent", [b"", b'{"event":"conference_', b"5\r\nabc"])
def test_a_sender_who_breaks_off_disturbs_nobody(server, api, hosted, sent):
    head = (f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
            f"Authorization: Basic {base64.b64encode(':'.join(NODES).encode()).decode()}\r\n\r\n").encode()
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", server.port), timeout=QUICK) as connection:
            connection.sendall(head + sent)
    assert names(api, hosted) == ["Anna"]


# Bulks of ten thousand

def test_ten_thousand_updates_in_one_bulk(node, api, hosted):
    boris = Leg(node, hosted["id"], "Boris")
    with node.holding() as events:
        boris.connected()
        for number in range(9998):
            boris.updated(partial=True, display_name=f"Boris {number}", is_muted=bool(number % 2))
        Leg(node, hosted["id"], "Carla").connected()
    taken(node, text(node.bulk(events, send=False)))
    assert names(api, hosted) == ["Anna", "Boris 9997", "Carla"]


def test_five_thousand_arrivals_and_departures_in_one_bulk(node, api, hosted):
    with node.holding() as events:
        for number in range(5000):
            leg = Leg(node, hosted["id"], f"P{number}", related_uuids=[], vendor="x")
            leg.connected()
            if number < 4990:
                leg.data = {key: leg.data[key] for key in ("uuid", "conference", "connect_time", "has_media")}
                leg.disconnected()
    taken(node, text(node.bulk(events, send=False)))
    assert names(api, hosted) == ["Anna"] + [f"P{number}" for number in range(4990, 5000)]


def test_three_thousand_people_in_one_meeting(node, api, hosted):
    """Counting and grouping may not be quadratic in what it costs a node."""
    with node.holding() as events:
        legs = [Leg(node, hosted["id"], f"P{number}", vendor="x") for number in range(3000)]
        for leg in legs:
            leg.connected()
    taken(node, text(node.bulk(events, send=False)))
    assert api.read(hosted["id"])["participant_count"] == 3001
    with node.holding() as events:
        for leg in legs:
            leg.disconnected()
    taken(node, text(node.bulk(events, send=False)))
    assert names(api, hosted) == ["Anna"]


def test_a_person_of_thousands_of_related_legs(node, api, hosted):
    ids = [f"00000000-0000-4000-8000-{number:012}" for number in range(5000)]
    Leg(node, hosted["id"], "Boris", related_uuids=ids).connected()
    with node.holding() as events:
        for number in range(200):
            Leg(node, hosted["id"], "Boris", related_uuids=ids[number:number + 200], conversation_id=ids[number]).connected()
    taken(node, text(node.bulk(events, send=False)))
    assert "Anna" in names(api, hosted)


# Texts

@pytest.mark.parametrize("name", ["n" * 100000, "Ünïcode " * 10000, "日本語" * 11000, "🎉" * 25000], ids=["ascii", "latin", "three-bytes", "four-bytes"])
def test_a_very_long_name_is_shown_cut_between_characters(node, api, hosted, name):
    Leg(node, hosted["id"], name).connected()
    [shown] = [each for each in names(api, hosted) if each != "Anna"]
    assert shown.startswith(name[:20])
    assert "\ufffd" not in shown
    shown.encode()      # no half of a surrogate pair either


@pytest.mark.parametrize("field", ["uuid", "call_id", "conversation_id", "protocol", "role", "vendor", "service_tag", "media_node", "call_tag"])
def test_very_long_values_elsewhere_disturb_nobody(node, api, hosted, field):
    Leg(node, hosted["id"], "Boris", **{field: "x" * 100000}).connected()
    assert "Anna" in names(api, hosted)
    Leg(node, hosted["id"], "Carla").connected()
    assert "Carla" in names(api, hosted)


MARKUP = "<script>alert(1)</script>\"'&</title>"


@pytest.mark.parametrize("name", ["a\tb\nc\rd", "\x01\x02\x1f\x7f", MARKUP, "\u2028\u2029\u202e\ufeff", "%s%n%x", "{{7*7}}", "'; DROP TABLE x;--"])
def test_hostile_names_arrive_harmless(server, node, api, hosted, name):
    Leg(node, hosted["id"], name).connected()
    answer = api.call("GET", f"/meetings/{hosted['id']}")
    people = json.loads(answer.body)["participants"]     # strict: no raw control character inside
    assert len(people) == 2
    assert b"<script>" not in server.request("GET", f"{PREFIX}/status", auth=ADMIN).body
    assert answer.headers["Content-Type"].startswith("application/json")


def test_after_all_this_the_server_still_has_all_its_children(server, api):
    assert "exit signal" not in server.error_log()
    assert api.create()["state"] == "open"
