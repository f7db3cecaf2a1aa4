"""What is not ours: other policy servers are asked, nothing changes on the way, and nobody has to wait for them too long."""

import base64
import json
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from itertools import count

import pytest
from httpd import free_ports
from meetings import Api
from pexip import Node
from policy_server import SERVICE, PolicyServer
from waiting import wait_until
from workspace import ADMIN, NODES, PREFIX, guarded, secret_lines, workspace

CONFIGURATION = "service/configuration"
OURS = {"status": "fail", "action": "continue", "result": {}}
# Said once a minute about each server: which test meets it first does not matter.
COMPLAINT = r"PexipRCPolicyFallback: http://127\.0\.0\.1:\d+\S*: it has no answer that can be used: "

numbers = count(1)


def alias():
    """One that nobody has asked for yet, because answers are remembered for a moment."""
    return f"somebody.{next(numbers)}"


def is_miss(answer):
    assert answer.status == 404 and answer.json() == OURS
    return True


def resting(httpd):
    """What the status says of the first fallback."""
    return httpd.request("GET", f"{PREFIX}/status?json", auth=ADMIN).json()["outside"]["fallbacks"][0]


@pytest.fixture
def others():
    """Two policy servers; the second one has a path in front and wants credentials."""
    with PolicyServer() as first, PolicyServer("/vendor/app") as second:
        yield first, second


@pytest.fixture
def asking(make_httpd):
    """asking(other, ..., extra="") -> httpd whose fallbacks are these servers, in this order; the second has credentials."""
    def make(*servers, extra="", server="", **options):
        httpd = make_httpd("", start=False, **options)
        httpd.write("conf/other.secret", secret_lines("asker", "a-secret-for-the-other"), 0o600)
        lines = "\n".join(f"PexipRCPolicyFallback {other.url}" + (" conf/other.secret" if place == 1 else "")
                          for place, other in enumerate(servers))
        httpd.configure(workspace(extra=lines + "\n" + extra), server=server)
        httpd.expect(COMPLAINT)
        httpd.start()
        return httpd
    return make


def ask(httpd, path, headers=None, **options):
    return httpd.request("GET", f"{PREFIX}/policy/v1/{path}", auth=NODES, headers=headers or {}, **options)


def ask_for(httpd, name, **options):
    return ask(httpd, f"{CONFIGURATION}?local_alias={name}&call_direction=dial_in", **options)


# What is asked, and what is passed on

PATHS = [
    "service/configuration?call_direction=dial_in&protocol=sip&local_alias=sip%3Anina%40corp.example%3Btransport=tls&remote_display_name=A+B%20C%2B",
    "service/configuration/?local_alias=nobody",
    "service/configuration",
    "service/configuration?local_alias=%zz&x=%00&y=%ff",
    "participant/properties?participant_uuid=1&service_name=Their%20room&local_alias=their.room",
    "participant/location?local_alias=%2B4712345&service_name=x",
    "participant/avatar/sip%3Anina%40corp.example?height=120&width=120&location=Frankfurt",
    "participant/avatar/nina%20berg;x=1+2?height=1",
    "registrations?q=pla&registration_alias=nina%40corp.example&limit=10",
    "registrations/nina%40corp.example?registration_alias=x",
    "something/new/%7Etilde?a=b&&=&c",
    "?q",
]


def test_every_kind_of_request_is_passed_on_byte_by_byte(asking, others):
    first, second = others
    first.know_nothing()
    httpd = asking(first, second)
    for path in PATHS:
        answer = ask(httpd, path)
        assert answer.status == 200 and answer.json() == SERVICE, path
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers.get_all("Cache-Control") == ["no-store"]
    assert first.paths() == [f"/policy/v1/{path}" for path in PATHS]
    assert second.paths() == [f"/vendor/app/policy/v1/{path}" for path in PATHS]
    # A prefix in which we are reached is nobody else's business, nor are the nodes' credentials.
    for arrived in first.requests:
        assert "Authorization" not in arrived.headers and "Cookie" not in arrived.headers
        assert arrived.headers["X-Pexip-RC-Fallback"] == "1"
    wanted = "Basic " + base64.b64encode(b"asker:a-secret-for-the-other").decode()
    assert {arrived.headers["Authorization"] for arrived in second.requests} == {wanted}
    assert "a-secret-for" not in httpd.error_log() and wanted.split()[1] not in httpd.error_log()


def test_an_answer_arrives_byte_by_byte_with_its_status_and_type(asking, others):
    first, _ = others
    httpd = asking(first)
    body = ' {"status" : "success",\n"action":"reject", "e": "\u00e9\U0001f389", "n":1.50, "a": []}\n'.encode()
    for status in (200, 201, 203):
        first.say(status, "application/vnd.other+json", body)
        answer = ask_for(httpd, alias())
        assert (answer.status, answer.headers["Content-Type"], answer.body) == (status, "application/vnd.other+json", body)
    picture = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 100
    first.say(200, "image/jpeg", picture)
    answer = ask(httpd, "participant/avatar/nina?width=100")
    assert (answer.headers["Content-Type"], answer.body) == ("image/jpeg", picture)
    assert is_miss(ask_for(httpd, alias()))     # a picture configures no service


def test_head_is_asked_for_with_get_and_answered_without_a_body(asking, others):
    first, _ = others
    httpd = asking(first)
    answer = httpd.request("HEAD", f"{PREFIX}/policy/v1/{CONFIGURATION}?local_alias={alias()}", auth=NODES)
    assert (answer.status, answer.body) == (200, b"") and len(first.requests) == 1


def test_what_is_ours_is_asked_of_nobody(asking, others):
    first, _ = others
    httpd = asking(first, extra="PexipRCNumericAlias 77 6\nPexipRCUnknownAlias reject ^[0-9]+$")
    api = Api(httpd)
    node = Node("10.11.1.1", httpd)
    meeting, over = api.create(), api.create()
    api.delete(over["id"])
    early = api.create(not_before=(datetime.now(timezone.utc) + timedelta(days=365)).isoformat())
    names = [each[key] for each in (meeting, over, early) for key in ("id", "numeric_alias")]
    for name in names:
        for form in (name, f"sip%3A{name}%40meet.example.com"):
            assert "The other's" not in ask_for(httpd, form).text
            for query in (f"local_alias={form}", f"local_alias=nina&service_name={name}", f"service_name={name}_breakout_1234-5678"):
                assert is_miss(ask(httpd, f"participant/location?{query}"))
                assert is_miss(ask(httpd, f"participant/avatar/nina?{query}"))
                answer = ask(httpd, f"participant/properties?{query}")
                assert answer.json()["action"] == ("reject" if name in (over["id"], over["numeric_alias"]) else "continue")
    assert is_miss(node.policy(meeting["id"], breakout_uuid="1234-5678", service_name=f"{meeting['id']}_breakout_1234-5678"))
    rejected = ask_for(httpd, "99887766")
    assert rejected.status == 200 and rejected.json()["action"] == "reject"
    assert first.requests == []
    assert ask_for(httpd, alias()).json() == SERVICE
    assert httpd.request("GET", f"{PREFIX}/status?json", auth=ADMIN).json()["counters"]["policy_fallback"] == 1


@pytest.mark.parametrize("path", ["../../admin", "service/../../../admin", "./x", "%2e%2e/%2E./x", "a/%2e/b", "service/.%2e/../../x"])
def test_nothing_leads_out_of_the_policy_api(asking, others, path):
    first, _ = others
    httpd = asking(first)
    answer = ask(httpd, path)
    assert answer.status in (400, 403, 404)
    assert first.requests == []


def test_only_who_is_authenticated_makes_us_ask(asking, others):
    first, _ = others
    httpd = asking(first)
    httpd.expect("AH0161[78]")
    path = f"{PREFIX}/policy/v1/{CONFIGURATION}?local_alias={alias()}"
    assert httpd.request("GET", path).status == 401
    assert httpd.request("GET", path, auth=("pexip", "wrong")).status == 401
    assert httpd.request("POST", path, auth=NODES).status == 405
    assert first.requests == []


# Order, failures, time

def unusable(other):
    """Everything that is no answer, by name."""
    other.released.clear()
    return {
        "404": other.know_nothing,
        "500": lambda: other.serve(status=500),
        "401": lambda: other.say(401, "application/json", OURS, {"WWW-Authenticate": "Basic realm=x"}),
        "redirect": lambda: other.say(302, "application/json", SERVICE, {"Location": other.url + "/elsewhere"}),
        "HTML": lambda: other.say(200, "text/html", "<!DOCTYPE html><title>Maintenance</title>"),
        "a list": lambda: other.say(200, "application/json", [SERVICE]),
        "half": lambda: other.say(200, "application/json", json.dumps(SERVICE)[:-1]),
        "nothing": lambda: other.say(200, "application/json", ""),
        "huge": lambda: other.serve({**SERVICE, "x": "x" * 70000}),
        "hang up": other.hang_up,
        "hang": other.hang,
        "dribble": other.dribble,
        "slow": lambda: other.be_slow(2.5),
    }


@pytest.mark.parametrize("how", list(unusable(PolicyServer())))
def test_the_next_one_is_asked_where_one_has_no_answer(asking, others, how):
    first, second = others
    second.serve({**SERVICE, "from": "second"})
    unusable(first)[how]()
    httpd = asking(first, second)
    began = time.monotonic()
    answer = ask_for(httpd, alias())
    took = time.monotonic() - began
    assert answer.json() == {**SERVICE, "from": "second"} and took < 2
    assert len(first.requests) == 1 and len(second.requests) == 1     # a redirect was not followed either
    first.serve()
    assert ask_for(httpd, alias()).json() == SERVICE                 # the first one comes first again
    assert len(second.requests) == 1
    assert "<" not in httpd.error_log().split("has no answer that can be used")[-1].split("\n")[0]


@pytest.mark.parametrize("how", list(unusable(PolicyServer())))
def test_where_nobody_has_an_answer_it_is_ours_within_two_seconds(asking, others, how):
    for other in others:
        unusable(other)[how]()
    httpd = asking(*others)
    began = time.monotonic()
    assert is_miss(ask_for(httpd, alias()))
    took = time.monotonic() - began
    assert took < 2.3, took
    assert all(len(other.requests) == 1 for other in others)
    failed = resting(httpd)["failed"]
    assert failed == (0 if how == "404" else 1)


def test_a_server_that_is_not_there(asking, others):
    first, second = others
    first.close()
    httpd = asking(first, second)
    began = time.monotonic()
    assert ask_for(httpd, alias()).json() == SERVICE
    assert time.monotonic() - began < 0.5
    assert resting(httpd)["error"]


def test_four_that_hang_take_two_seconds_altogether(asking):
    servers = [PolicyServer().start() for _ in range(4)]
    try:
        for other in servers:
            other.hang()
        httpd = asking(*servers)
        began = time.monotonic()
        assert is_miss(ask_for(httpd, alias()))
        assert 1.8 < time.monotonic() - began < 2.3
        assert [len(other.requests) for other in servers] == [1, 1, 1, 1]
    finally:
        for other in servers:
            other.close()


# The breaker

@pytest.mark.once
def test_after_three_failures_a_server_rests_for_five_seconds(asking, others):
    first, _ = others
    first.serve(status=500)
    httpd = asking(first)
    for _ in range(3):
        assert is_miss(ask_for(httpd, alias()))
    rested = time.monotonic()
    for _ in range(20):
        assert is_miss(ask_for(httpd, alias()))
    assert len(first.requests) == 3
    state = resting(httpd)
    assert (state["state"], state["asked"], state["failed"], state["spared"]) == ("resting", 3, 3, 20)
    assert "500" in state["error"] and state["failed_at"]

    # Then one tries, in whichever process; while it is still bad the others do not.
    time.sleep(5.2 - (time.monotonic() - rested))
    with ThreadPoolExecutor(8) as pool:
        assert all(is_miss(answer) for answer in pool.map(lambda _: ask_for(httpd, alias()), range(16)))
    assert len(first.requests) == 4
    first.serve()
    time.sleep(5.2)
    assert ask_for(httpd, alias()).json() == SERVICE
    for _ in range(5):
        assert ask_for(httpd, alias()).status == 200
    assert resting(httpd)["state"] == "ok"
    assert httpd.error_log().count("has no answer that can be used") == 1


@pytest.mark.parametrize("status", [400, 414, 422])
def test_a_question_that_it_does_not_take_lets_no_server_rest(asking, others, status):
    """Anybody may dial something that a server cannot read."""
    first, _ = others
    httpd = asking(first)
    first.say(status, "application/json", {"error": "what?"})
    for _ in range(5):
        assert is_miss(ask_for(httpd, alias()))
    first.serve()
    assert ask_for(httpd, alias()).json() == SERVICE
    assert len(first.requests) == 6 and resting(httpd)["failed"] == 0


def test_a_reload_does_not_forget_who_rests(asking, others):
    first, second = others
    first.serve(status=500)
    httpd = asking(first, second)
    for _ in range(3):
        assert ask_for(httpd, alias()).status == 200
    httpd.graceful()
    httpd.expect(COMPLAINT)
    assert ask_for(httpd, alias()).status == 200
    assert len(first.requests) == 3 and len(second.requests) == 4


# Loops

def test_two_that_point_to_each_other_answer_at_once(make_httpd):
    ports = free_ports(2)
    servers = []
    for own, other in (ports, ports[::-1]):
        httpd = make_httpd("", start=False, ports=[own])
        httpd.configure(workspace(site=f"https://{own}.example.com", extra=f"PexipRCPolicyFallback http://127.0.0.1:{other}{PREFIX} conf/nodes.secret"))
        httpd.start()
        servers.append(httpd)
    began = time.monotonic()
    assert is_miss(ask_for(servers[0], alias()))
    assert time.monotonic() - began < 0.5
    # And that is how a meeting of the other one is found.
    meeting = Api(servers[1]).create()
    assert ask_for(servers[0], meeting["id"]).body == ask_for(servers[1], meeting["id"]).body
    assert is_miss(ask_for(servers[1], meeting["id"] + "x", headers={"X-Pexip-RC-Fallback": "1"}))
    for httpd in servers:
        counters = httpd.request("GET", f"{PREFIX}/status?json", auth=ADMIN).json()["counters"]
        assert counters["policy_unknown"] <= 2


# What is remembered

@contextmanager
def at_most_once(httpd, other):
    """Each process asks once in two seconds, however long it takes to ask it."""
    processes, before, began = set(httpd.children()), len(other.requests), time.monotonic()
    yield
    took = time.monotonic() - began
    processes |= set(httpd.children())  # some have only just been started
    assert 1 <= len(other.requests) - before <= len(processes) * (1 + took // 2)


def test_the_same_question_within_two_seconds_is_asked_once_in_each_process(asking, others, mpm):
    first, _ = others
    httpd = asking(first)
    name = alias()
    with at_most_once(httpd, first):
        assert {ask_for(httpd, name).body for _ in range(30)} == {json.dumps(SERVICE).encode()}
    ask_for(httpd, name + "&x=1")
    assert first.paths()[-1].endswith("x=1&call_direction=dial_in")
    before = len(first.requests)
    first.serve({**SERVICE, "new": True})
    time.sleep(2.1)
    assert ask_for(httpd, name).json()["new"] and len(first.requests) == before + 1


def test_that_nobody_knows_it_is_remembered_too_but_not_that_somebody_failed(asking, others):
    first, _ = others
    httpd = asking(first)
    name, other = alias(), alias()
    first.know_nothing()
    with at_most_once(httpd, first):
        for _ in range(30):
            assert is_miss(ask_for(httpd, name))
    first.serve(status=503)
    assert is_miss(ask_for(httpd, other))
    first.serve()
    assert ask_for(httpd, other).json() == SERVICE


def test_more_answers_than_are_remembered_stay_apart(asking, others):
    first, _ = others
    httpd = asking(first)
    first.behave = lambda handler: handler.reply(200, "application/json", json.dumps({"asked": handler.path}).encode())
    names = [alias() for _ in range(100)]
    with ThreadPoolExecutor(8) as pool:
        for name, answer in zip(names * 2, pool.map(lambda name: ask_for(httpd, name), names * 2)):
            assert f"local_alias={name}&" in answer.json()["asked"]


# Nobody else waits

def percentile(times):
    return statistics.quantiles(times, n=20)[18]


def timed(action):
    began = time.monotonic()
    answer = action()
    return time.monotonic() - began, answer


def test_a_server_that_hangs_takes_no_more_than_its_share_of_the_workers(asking, others, mpm):
    first, second = others
    # How fast httpd makes new processes is not what is measured here.
    httpd = asking(first, second, server="StartServers 32\nMinSpareServers 32\n" if mpm == "prefork" else "")
    meeting = Api(httpd).create()
    share = httpd.request("GET", f"{PREFIX}/status?json", auth=ADMIN).json()["outside"]["workers"]
    assert share == {"prefork": 48, "event": 64, "worker": 64}[mpm] // 8

    def ours(_):
        return timed(lambda: ask_for(httpd, meeting["id"]))

    with ThreadPoolExecutor(share * 3 + 4) as pool:
        quiet = [ours(None) for _ in range(100)]
        first.hang()
        second.hang()
        # Three times as many as may wait, and our own beside them.
        waiting = [pool.submit(timed, lambda: ask_for(httpd, alias())) for _ in range(share * 3)]
        wait_until(lambda: len(first.requests) >= min(share, 3), 5, "the ones that wait")
        busy = [ours(None) for _ in range(100)]
        taken = [each.result() for each in waiting]
    assert {answer.body for _, answer in quiet + busy} == {quiet[0][1].body}
    assert all(is_miss(answer) and took < 3 for took, answer in taken)
    # Who found no place was answered at once.
    assert len(first.requests) <= share and sorted(took for took, _ in taken)[share] < 1
    crowded = httpd.request("GET", f"{PREFIX}/status?json", auth=ADMIN).json()["counters"]["outside_crowded"]
    assert crowded >= share
    slow, fast = percentile([took for took, _ in busy]), percentile([took for took, _ in quiet])
    assert slow < max(0.1, 5 * fast), f"{slow * 1000:.1f} ms beside {fast * 1000:.1f} ms"


def test_processes_that_are_killed_while_they_wait_give_their_places_back(asking, others, mpm):
    first, _ = others
    first.hang()
    httpd = asking(first)
    httpd.expect("exit signal Killed", "a process died while it changed the working set")
    share = httpd.request("GET", f"{PREFIX}/status?json", auth=ADMIN).json()["outside"]["workers"]
    for _ in range(2):
        with ThreadPoolExecutor(share) as pool:
            asked = [pool.submit(lambda: ask_for(httpd, alias())) for _ in range(share)]
            wait_until(lambda: len(first.requests) > 0, 5, "somebody who waits")
            for pid in httpd.children():
                httpd.kill(pid, 9)
            for each in asked:
                each.exception()
        wait_until(lambda: httpd.children() and httpd.answers(), 10, "new children")
        # Connections that nobody had taken yet were served by the new ones, and failed.
        time.sleep(5.2)
        first.requests.clear()
    first.serve()
    assert ask_for(httpd, alias()).status == 200
    with ThreadPoolExecutor(share) as pool:
        first.be_slow(0.3)
        answers = list(pool.map(lambda _: ask_for(httpd, alias()), range(share)))
    assert all(answer.status == 200 for answer in answers)


# Configuration

def test_workspaces_have_their_own_servers(make_httpd, others):
    first, second = others
    second.serve({**SERVICE, "from": "second"})
    httpd = make_httpd("", start=False, ports=2)
    httpd.configure("".join(
        f"<VirtualHost 127.0.0.1:{port}>\n{workspace(site=f'https://{port}.example.com', extra=f'PexipRCPolicyFallback {other.url}')}\n</VirtualHost>\n"
        for port, other in zip(httpd.ports, others)))
    httpd.start()
    name = alias()
    assert ask_for(httpd, name, port=httpd.ports[0]).json() == SERVICE
    assert ask_for(httpd, name, port=httpd.ports[1]).json()["from"] == "second"


def test_without_a_fallback_nobody_is_asked(make_httpd):
    httpd = make_httpd()
    assert is_miss(ask_for(httpd, alias()))
    outside = httpd.request("GET", f"{PREFIX}/status?json", auth=ADMIN).json()["outside"]
    assert outside["fallbacks"] == [] and outside["sessions"]["asked"] == 0


def test_it_works_below_the_vendors_path(make_httpd, others):
    first, _ = others
    prefix = "/api/apps/public/7fc612f5-b585-4e46-8c4e-6d2c13e2f451"
    httpd = make_httpd("", start=False)
    httpd.configure(workspace(extra=f"PexipRCPolicyFallback {first.url}")
                    + guarded(f"{prefix}/policy", "pexip-rc-policy", "AuthBasicProvider pexip-rc", "valid-user"))
    httpd.start()
    name = alias()
    for doubled in ("", "/"):
        answer = httpd.request("GET", f"{prefix}{doubled}/policy/v1/{CONFIGURATION}?local_alias={name}{doubled}", auth=NODES)
        assert answer.json() == SERVICE
    assert first.paths() == [f"/policy/v1/{CONFIGURATION}?local_alias={name}", f"/policy/v1/{CONFIGURATION}?local_alias={name}/"]
