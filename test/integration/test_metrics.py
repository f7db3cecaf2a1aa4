"""What monitoring is told: Prometheus' format to the letter, figures that follow what happens, and nobody's names."""

import re
import sqlite3
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Event

import pytest
from conftest import ADDRESSES, Servers, bury
from exposition import read
from httpd import PATIENCE
from meetings import Api
from pexip import Node, two_legs
from policy_server import PolicyServer
from waiting import wait_until
from workspace import ADMIN, NODES, PASSWORD_FILE, PREFIX, guarded, workspace

METRICS = f"{PREFIX}/metrics"
KEEPER = f"AuthBasicProvider file\n    AuthUserFile {PASSWORD_FILE}"
ROOM_FOR = 30
HOSTILE = ["<script>alert(1)</script>", 'a"b\\c\nd', "x" * 64, "\u202egnp.exe", "node} 1\npexip_rc_nodes 7", "10.0.0.1;"]
GLOBAL = f"""PexipRCMaxMeetings {ROOM_FOR}
LogFormat "%m %U %>s %{{pxr-result}}n %{{pxr-meeting}}n" notes
CustomLog logs/notes.log notes
"""


def section():
    return guarded(METRICS, "pexip-rc-metrics", KEEPER, "user admin")


class Site:
    def __init__(self, httpd, name, port):
        self.httpd, self.url, self.port = httpd, f"https://{name}.example.com", port
        self.api = Api(httpd, port=port)

    def request(self, method, path, **options):
        return self.httpd.request(method, path, port=self.port, **options)

    def node(self):
        return Node(next(ADDRESSES), self.httpd, port=self.port)

    def get(self, path=METRICS, method="GET", **options):
        return self.request(method, path, auth=ADMIN, **options)

    def metrics(self):
        answer = self.get()
        assert answer.status == 200, answer.text
        return read(answer.text)

    def value(self, name, suffix="", **labels):
        return self.metrics()[f"pexip_rc_{name}"].value(suffix, **labels)


class Change:
    """How much a figure has grown since this was made."""

    def __init__(self, site, name, suffix="", **labels):
        self.now = lambda: site.value(name, suffix, **labels)
        self.before = self.now()

    def __call__(self):
        return self.now() - self.before


@pytest.fixture(scope="module")
def sites(mpm):
    servers = Servers(mpm)
    with PolicyServer() as other:
        try:
            httpd = servers("", start=False, ports=3, modules=("status",))
            made = {name: Site(httpd, name, port) for name, port in zip(("one", "two", "slow"), httpd.ports)}
            extras = {"one": "<Location /server-status>\nSetHandler server-status\n</Location>", "two": "",
                      "slow": f"PexipRCPolicyFallback {other.url}"}
            httpd.configure("".join(
                f"<VirtualHost 127.0.0.1:{site.port}>\n{workspace(site=site.url, extra=extras[name])}{section()}</VirtualHost>\n"
                for name, site in made.items()), server=GLOBAL)
            httpd.start()
            made["slow"].other = other
            yield made
        finally:
            bury(servers)


@pytest.fixture
def one(sites):
    return sites["one"]


@pytest.fixture
def two(sites):
    return sites["two"]


@pytest.fixture
def slow(sites):
    return sites["slow"]


# The format

def test_it_is_prometheus_text_format(one):
    answer = one.get()
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    metrics = read(answer.text)
    assert metrics["pexip_rc_build_info"].value() == 1
    assert len(metrics) > 40


def test_head_is_the_same_without_the_body(one):
    answer = one.get(method="HEAD")
    assert answer.status == 200 and not answer.body
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert int(answer.headers["Content-Length"]) > 5000


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_it_can_only_be_read(one, method):
    answer = one.get(method=method)
    assert answer.status == 405 and answer.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("rest, status", [("/", 200), ("//", 200), ("/x", 404), ("/metrics/x", 404), ("x", 404), ("/%2e%2e/x", 404),
                                          ("?name[]=up&x=" + "y" * 4000, 200), ("?%00%ff", 200)], ids=lambda value: str(value)[:12])
def test_paths_and_queries(one, rest, status):
    assert one.get(METRICS + rest).status == status


@pytest.mark.parametrize("host", ["evil.example.com", "one.example.com:1", "\"}", "a" * 200])
def test_who_asks_is_not_repeated(one, host):
    answer = one.get(headers={"Host": host, "User-Agent": "<script>"}, path=METRICS + "?<script>")
    assert host not in answer.text and "<script>" not in answer.text
    assert answer.status in (200, 400)


def test_only_the_administrator_may(one):
    one.httpd.expect("AH0161[78]")
    assert one.request("GET", METRICS).status == 401
    assert one.request("GET", METRICS, auth=NODES).status == 401
    assert one.request("GET", METRICS, auth=(ADMIN[0], "wrong")).status == 401


# The figures

def test_policy_answers_by_their_result(one):
    meeting, node = one.api.create(), one.node()
    over = one.api.create()
    one.api.delete(over["id"])
    wait_until(lambda: one.api.read(over["id"])["state"] == "ended", 10 * PATIENCE, "the end")
    grown = {result: Change(one, "policy_answers_total", result=result) for result in ("continue", "reject", "unknown", "fallback")}
    timed = Change(one, "policy_duration_seconds", "_count")
    took = Change(one, "policy_duration_seconds", "_sum")
    for alias in [meeting["id"]] * 3 + [over["id"]] * 2 + ["nobody"]:
        node.policy(alias)
    assert {result: change() for result, change in grown.items()} == {"continue": 3, "reject": 2, "unknown": 1, "fallback": 0}
    assert timed() == 6 and took() > 0


def test_requests_of_other_methods_are_no_answers(one):
    timed = Change(one, "policy_duration_seconds", "_count")
    one.request("POST", f"{PREFIX}/policy/v1/service/configuration", auth=NODES, body=b"x")
    assert timed() == 0


def test_events_by_kind_and_what_became_of_them(one):
    meeting, node = one.api.create(), one.node()
    kinds = {kind: Change(one, "events_total", kind=kind) for kind in ("eventsink_started", "conference_started", "unknown")}
    lost = {reason: Change(one, "events_not_taken_total", reason=reason) for reason in ("foreign", "unusable", "dropped")}
    node.started()
    node.conference_started(meeting["id"])
    node.conference_started("somebody else's")
    node.post(b'{"event": "nonsense_of_tomorrow", "node": "10.1.1.1", "seq": 3, "data": {}}')
    node.post(b"{{{")
    assert {kind: change() for kind, change in kinds.items()} == {"eventsink_started": 1, "conference_started": 2, "unknown": 1}
    assert lost["foreign"]() == 2 and lost["unusable"]() >= 1 and lost["dropped"]() == 0


def test_meetings_people_and_joins(slow):
    meeting, node = slow.api.create(), slow.node()
    slow.api.create()
    node.started()
    node.conference_started(meeting["id"])
    two_legs(node, meeting["id"], "Anna")
    slow.request("GET", meeting["join_url"].split(".com", 1)[1])
    metrics = slow.metrics()
    assert [metrics[f"pexip_rc_{name}"].value() for name in ("meetings_created_total", "joins_total", "participants")] == [2, 1, 1]
    assert [metrics["pexip_rc_meetings"].value(state=state) for state in ("open", "live", "ended")] == [1, 1, 0]
    assert metrics["pexip_rc_table_used"].value(table="call_legs") >= 2


def test_what_was_seen_and_when(one):
    def seen(part):
        return one.value("last_seen_timestamp_seconds", part=part)
    assert seen("chat") == 0
    meeting, node = one.api.create(), one.node()
    node.policy(meeting["id"])
    node.started()
    server = one.value("start_time_seconds")
    assert server > 1_700_000_000
    assert all(seen(part) >= int(server) for part in ("policy", "admitted", "events", "creation"))
    assert one.value("events_overdue") == 0


def test_nodes_by_their_address(one):
    node = one.node()
    node.started()
    node.seq += 5
    node.conference_started("anything")
    metrics = one.metrics()
    assert metrics["pexip_rc_node_events_missing"].value(node=node.address) == 5
    assert metrics["pexip_rc_node_last_event_timestamp_seconds"].value(node=node.address) > 1_700_000_000
    assert metrics["pexip_rc_nodes_silent"].value() == 0


def test_hostile_nodes_are_counted_at_most(two):
    for name in HOSTILE:
        two.node().post({"node": name, "seq": 1, "version": 2, "time": 1.0, "event": "eventsink_started", "data": {}})
    text = two.get().text
    assert not any(name in text for name in HOSTILE) and "script" not in text
    assert all(re.fullmatch(r"[0-9a-fA-F:.]+", dict(labels)["node"])
               for labels in read(text)["pexip_rc_node_events_missing"].all())


def test_so_many_nodes_have_figures_of_their_own(two):
    body = [{"node": f"10.77.{n}.1", "seq": 1, "version": 2, "time": 1.0, "event": "eventsink_started", "data": {}} for n in range(100)]
    node = two.node()
    for event in body:
        assert node.post(event).status == 200
    last = "10.77.99.1"
    metrics = two.metrics()
    nodes = metrics["pexip_rc_node_last_event_timestamp_seconds"]
    assert len(nodes.all()) == 64 and nodes.value(node=last)
    assert metrics["pexip_rc_nodes"].value() >= 100


def test_workspaces_know_nothing_of_each_other(one, two):
    made = Change(two, "meetings_created_total")
    one.api.create(title="Of one only")
    assert made() == 0
    for mine, other in ((one, two), (two, one)):
        text = mine.get().text
        assert other.url not in text
        labels = set(re.findall(r'workspace="([^"]*)"', text))
        assert labels == {mine.url}


def test_no_name_of_anybody_is_told(one):
    meeting, node = one.api.create(title="Salaries", creator={"id": "u-nina", "username": "nina", "name": "Nina Secret"}), one.node()
    node.started()
    node.conference_started(meeting["id"])
    two_legs(node, meeting["id"], "Anna Secret")
    for text in (one.get().text, one.request("GET", "/server-status").text.split("<h2>mod_pexip_rc</h2>")[1],
                 "\n".join(re.findall("^PexipRC.*", one.request("GET", "/server-status?auto").text, re.M))):
        assert not any(word in text for word in (meeting["id"], "Salaries", "Secret", "nina", meeting["pins"]["host"] + '"'))


def test_workers_that_wait_for_others(slow):
    slow.httpd.expect("pexip_rc:warn.*PexipRCPolicyFallback")
    slow.other.hang()
    crowded, asked = Change(slow, "outside_crowded_total"), Change(slow, "outside_requests_total", server="fallback_1")
    limit = slow.value("waiting_workers_limit", **{"for": "outside"})
    assert limit >= 1
    seen, node, names = Event(), slow.node(), count()

    def ask():
        """Two seconds are all that anybody waits, so that one question may not be enough to be seen."""
        while not seen.is_set():
            node.policy(f"theirs-{next(names)}")

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        wait_until(lambda: slow.value("waiting_workers", **{"for": "outside"}) == 1, 30 * PATIENCE, "somebody who waits")
        seen.set()
        slow.other.released.set()
        asking.result()
    assert slow.value("waiting_workers", **{"for": "outside"}) == 0
    assert asked() >= 1 and crowded() == 0
    slow.other.serve()
    answers = Change(slow, "policy_answers_total", result="fallback")
    wait_until(lambda: node.policy(f"theirs-{next(names)}").status == 200, 20 * PATIENCE, "an answer of the other")
    assert answers() == 1


@pytest.mark.once
def test_changes_that_cannot_be_written(one):
    one.httpd.expect("the database")
    node = one.node()
    with sqlite3.connect(one.httpd.root / "state" / "pexip-rc.sqlite3", isolation_level=None, timeout=10 * PATIENCE) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        refused = Change(one, "meetings_refused_total", reason="database")
        with pytest.raises(AssertionError, match="503"):
            one.api.create()
        node.started()
        wait_until(lambda: one.value("database_lag_seconds") > 1, 20 * PATIENCE, "a lag")
        assert refused() == 1 and one.value("database_unwritten_records") > 0
        wait_until(lambda: one.value("database_ok") == 0, 30 * PATIENCE, "the loss of the database")
        lock.execute("ROLLBACK")
    lock.close()
    wait_until(lambda: one.value("database_ok") == 1 and one.value("database_unwritten_records") == 0, 30 * PATIENCE, "the database")
    assert one.value("database_lag_seconds") == 0 and one.value("database_last_commit_timestamp_seconds") > 0


# mod_status

def rows(site):
    text = site.request("GET", "/server-status?auto").text
    return {name: int(value) for name, value in re.findall(r"^PexipRC(\w+): (.*)$", text, re.M)}


def test_mod_status_shows_numbers_of_all_workspaces(one, two):
    before = rows(one)
    one.api.create()
    two.api.create()
    two.node().policy("nobody")
    after = rows(one)
    assert after["MeetingsCreated"] - before["MeetingsCreated"] == 2
    assert after["PolicyOther"] - before["PolicyOther"] == 1
    assert after["MeetingsSize"] == ROOM_FOR
    page = one.request("GET", "/server-status").text
    shown = re.search(r"<h2>mod_pexip_rc</h2>\n<table[^>]*>\n(.*?)</table>", page, re.S).group(1)
    assert len(re.findall(r"<tr><td>[^<]+</td><td align=\"right\">\d+</td></tr>\n", shown)) == len(after) == shown.count("\n")


def test_it_works_without_mod_status(make_httpd):
    httpd = make_httpd(workspace() + section())
    assert read(httpd.request("GET", METRICS, auth=ADMIN).text)


# The access log

def noted(site):
    lines = [line.split(" ") for line in (site.httpd.root / "logs" / "notes.log").read_text().splitlines()]
    return Counter((path.split("/")[2], status, result, about) for _, path, status, result, about in lines if path.count("/") > 1)


def test_the_access_log_may_tell_what_came_of_a_request(one):
    meeting, node = one.api.create(), one.node()
    before = noted(one)
    join = meeting["join_url"].split(".com", 1)[1]
    node.policy(meeting["id"])
    node.policy("nobody-that-we-know")
    node.started()
    node.conference_started("somebody-elses")
    node.post(b"{{{")
    one.request("GET", join)
    one.request("GET", join[:-3] + "xxx")
    one.api.delete(meeting["id"])
    one.request("GET", join)
    wanted = Counter([
        ("policy", "200", "policy_continue", meeting["id"]), ("policy", "404", "policy_unknown", "-"),
        ("events", "200", "events_taken", "-"), ("events", "200", "events_foreign", "-"), ("events", "200", "events_unusable", "-"),
        ("join", "303", "join_guest", meeting["id"]), ("join", "404", "join_unknown", "-"),
        ("api", "204", "-", "-"), ("join", "410", "join_refused", meeting["id"])])
    # A line is written after the answer, and not by one process only.
    wait_until(lambda: not wanted - (noted(one) - before), 5 * PATIENCE, "the access log")
    assert not any("nobody-that" in word or "elses" in word for line in noted(one) for word in line)


# For long

def counters(metrics):
    return {(name, *key): value for name, family in metrics.items() if family.kind != "gauge" for key, value in family.samples.items()}


def test_counters_outlive_restarts_and_stops(one):
    meeting = one.api.create()
    one.node().policy(meeting["id"])
    for restart in (one.httpd.graceful, lambda: (one.httpd.stop("graceful-stop"), one.httpd.start())):
        before = counters(one.metrics())
        restart()
        after = counters(one.metrics())
        assert after.keys() == before.keys() and all(after[key] >= before[key] for key in before)
    assert one.value("policy_answers_total", result="continue") >= 1


def test_a_table_that_is_full(two):
    """The last one: there is no room for meetings afterwards."""
    refused = Change(two, "meetings_refused_total", reason="full")
    two.httpd.expect("pexip_rc:(warn|error)")
    wait_until(lambda: two.api.call("POST", "/meetings", {"room": {"id": "r"}, "creator": {"id": "c"}}).status == 503 and refused() == 1,
               30 * PATIENCE, "the last place")
    assert two.value("table_used", table="meetings") == two.value("table_size", table="meetings") == ROOM_FOR
