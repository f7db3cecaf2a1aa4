"""The pages for administrators: what they say in each state, that nothing on them can do harm, and who can change anything by them."""

import re
from urllib.parse import urlencode

import pytest
from chat import AFTER_RETRY, SOON, blameless, sites  # noqa: F401
from companion import App
from conftest import ADDRESSES, Servers, bury
from html_check import Page
from httpd import PATIENCE, free_ports
from meetings import Api
from pexip import Node, one_leg
from policy_server import PolicyServer
from waiting import wait_until
from workspace import ADMIN, NODES, PREFIX, guarded, workspace

pytestmark = pytest.mark.any_mpm

STATUS, SETUP = f"{PREFIX}/status", f"{PREFIX}/status/setup"
SAME = {"Sec-Fetch-Site": "same-origin", "Origin": "null"}
TROUBLE = r"Rocket\.Chat|pexip_rc:(notice|warn)|the database"
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;\u202egnp.exe\u2066\u200b\x9b"
PATTERN = '<LocationMatch "^/pattern/[0-9]+/events">\nSetHandler pexip-rc-events\n</LocationMatch>\n'
CHAT = f"<Location {PREFIX}/chat>\nSetHandler pexip-rc-chat\nRequire all granted\n</Location>\n"
PLACES = (guarded("/api/apps/public/7fc612f5/", "pexip-rc-policy", "AuthBasicProvider pexip-rc", "valid-user") + PATTERN +
          guarded("/inner/policy/v1", "pexip-rc-policy", "AuthBasicProvider pexip-rc", "valid-user"))


@pytest.fixture(scope="module")
def all_sites(mpm):
    with App() as app, PolicyServer() as other, sites(mpm, {
            "fresh": {}, "good": {"extra": f"PexipRCPersistentChat On\nPexipRCBrandingPath sales\nPexipRCPolicyFallback {other.url}\n"
                                           f"PexipRCAppCallback {app.url} conf/app.secret\n" + CHAT},
            "ill": {"extra": "PexipRCTheme none\nPexipRCMediaLocation Oslo"}, "shut": {},
            "mute": {"rest": False, "webhook": False, "extra": "PexipRCJoinURL https://calls.example.com/elsewhere\n" + PLACES}},
            files={"conf/app.secret": "stand-in-secret-of-the-app\n"}) as made:
        other.know_nothing()
        made["good"].other = other
        yield made


@pytest.fixture
def site(all_sites):
    return all_sites["good"]


@pytest.fixture
def ill(all_sites):
    yield all_sites["ill"]
    all_sites["ill"].chat.faults.stop_all()


def get(site, path=STATUS, **options):
    return site.request("GET", path, auth=ADMIN, **options)


def page_of(site, path=STATUS):
    answer = get(site, path)
    assert answer.status == 200, answer.text[:300]
    return Page(answer.text)


def part(page, name):
    """What one part of the status page says: its level and its words."""
    element = page.ids[f"part-{name}"]
    return element.attributes["class"].split()[1], element.text


def verdict(page):
    return page.all("h1")[0].attributes["class"], page.text_of("verdict")


def shows(site, name, level, *words, timeout=SOON):
    def look():
        seen, text = part(page_of(site), name)
        return seen == level and all(word in text for word in words)
    return wait_until(look, timeout, f"{name}: {level}, {words}")


# Answers

@pytest.mark.parametrize("path", [STATUS, SETUP])
def test_headers_keep_others_out(site, path):
    answer, again = get(site, path), get(site, path)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers.get_all("Cache-Control") == ["no-store"]
    assert answer.headers.get_all("Referrer-Policy") == ["no-referrer"]
    assert answer.headers.get_all("X-Content-Type-Options") == ["nosniff"]
    policy, = answer.headers.get_all("Content-Security-Policy")
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    nonce = re.fullmatch(r"'nonce-([A-Za-z0-9]{22,})'", rules["style-src"])[1]
    assert rules == {"default-src": "'none'", "style-src": f"'nonce-{nonce}'", "script-src": f"'nonce-{nonce}'", "connect-src": "'self'",
                     "base-uri": "'none'", "form-action": "'self'", "frame-ancestors": "'none'"}
    assert {each.attributes["nonce"] for each in Page(answer.text).elements if each.tag in ("style", "script")} == {nonce}
    assert nonce not in again.text and nonce not in again.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", [STATUS, SETUP])
def test_head_is_get_without_the_page(site, path):
    answer = site.request("HEAD", path, auth=ADMIN)
    assert answer.status == 200 and not answer.body
    assert int(answer.headers["Content-Length"]) > 1000 and "frame-ancestors" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "text/html"])
def test_without_json_in_the_query_it_is_always_the_page(site, accept):
    answer = get(site, headers={"Accept": accept} if accept else {})
    assert answer.headers["Content-Type"].startswith("text/html") and "<main>" in answer.text


@pytest.mark.parametrize("query", ["json", "json=", "json=1", "a=b&json", "json&json"])
@pytest.mark.parametrize("path", [STATUS, STATUS + "/"])
def test_the_data_are_as_they_were(site, path, query):
    answer = get(site, f"{path}?{query}")
    assert answer.headers["Content-Type"] == "application/json" and answer.json()["site_url"] == site.url


@pytest.mark.parametrize("query", ["", "jso", "xjson", "JSON", "a=json", "did=json", "did=" + "x" * 5000, "did=%00", "%zz", "&&=&"])
def test_other_queries_mean_nothing(site, query):
    page = Page(get(site, f"{STATUS}?{query}").text)
    assert page.text_of("outcome") == ""


@pytest.mark.parametrize("path, status", [(STATUS + "/", 200), (STATUS + "//setup", 200), (SETUP + "/", 404), (SETUP + "/x", 404), (STATUS + "/x", 404),
                                          (STATUS + "/setupx", 404), (STATUS + "x", 404), (STATUS + "/%2e%2e/api", 404), (STATUS + "/status", 200)])
def test_paths(site, path, status):
    assert get(site, path).status == status


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_refused(site, method):
    for path, allowed in ((STATUS, "GET, HEAD, POST"), (SETUP, "GET, HEAD")):
        answer = site.request(method, path, auth=ADMIN, body=b"")
        assert (answer.status, answer.headers["Allow"]) == (405, allowed)
    assert site.request("POST", SETUP, auth=ADMIN, headers=SAME, body=b"").status == 405


@pytest.mark.parametrize("method, path", [("GET", STATUS), ("GET", SETUP), ("POST", STATUS)])
def test_administrators_only(site, method, path):
    site.httpd.expect("AH01617", "AH01618")
    for auth in (None, (ADMIN[0], "wrong"), NODES):
        answer = site.request(method, path, auth=auth, headers=SAME, body=b"action=drop" if method == "POST" else None)
        assert answer.status == 401 and "Parts" not in answer.text


def test_links_lead_to_where_the_page_was_found(site):
    for path in (STATUS, STATUS + "/", SETUP):
        page = page_of(site, path)
        assert [each.attributes["href"] for each in page.all("nav")[0].all("a")] == [STATUS, SETUP]
    for path in ("//evil.example" + STATUS, "/" + STATUS):
        answer = site.request("GET", path, auth=ADMIN)
        assert answer.status in (200, 401, 404, 502) and 'href="//' not in answer.text and "url=//" not in answer.text


# States

def test_before_anybody_has_asked_nothing_is_claimed(all_sites):
    page = page_of(all_sites["fresh"])
    level, words = verdict(page)
    assert level == "off" and "No Conferencing Node has asked yet" in words
    assert SETUP in [each.attributes["href"] for each in page.ids["verdict"].all("a")]
    assert {name: part(page, name)[0] for name in ("policy", "events", "leader", "database", "memory", "messages", "sessions", "event-log")} == {
        "policy": "off", "events": "off", "leader": "good", "database": "good", "memory": "good", "messages": "off", "sessions": "off", "event-log": "off"}
    assert page.text_of("nodes").endswith("None has been heard of yet.")
    assert page.text_of("deliveries").endswith("Nothing.")


def use(site):
    """Somebody calls, a node asks and tells, somebody follows the link."""
    meeting = site.start("A good meeting")
    node = site.node()
    assert node.policy(meeting["id"]).status == 200
    assert node.policy("nobody").status == 404
    node.conference_started(meeting["id"])
    one_leg(node, meeting["id"], "Anna Sensitive")
    site.visitor(site.nina).open(meeting["join_url"])
    site.message_of(meeting)
    return meeting, node


@pytest.mark.once
def test_what_works_is_said_to_work(site):
    _, node = use(site)
    wait_until(lambda: verdict(page_of(site)) == ("good", "Calls work"), SOON, "calls that work")
    page = page_of(site)
    for name in ("policy", "events", "leader", "database", "memory", "messages", "sessions"):
        assert part(page, name)[0] == "good", part(page, name)
    assert re.search(r"[1-9]\d* let in", part(page, "policy")[1])
    row, = [each.text for each in page.ids["nodes"].all("tr") if node.address in each.text]
    moment = r" 20\d\d-\d\d-\d\d [0-9:]{8} UTC( \(\d+ (s|min) ago\))?"
    assert re.fullmatch(re.escape(node.address) + moment * 2 + r" [1-9]\d* 0 2", row), row
    assert page.text_of("meetings").startswith("Meetings live 1 people in them 1")


@pytest.mark.once
def test_a_node_that_asks_and_is_silent_is_told_from_one_that_is_not(all_sites):
    site = all_sites["mute"]
    quiet = Node(next(ADDRESSES), site.httpd, port=site.port)
    wait_until(lambda: quiet.policy("nobody").status == 404 and quiet.address in page_of(site).text_of("nodes"), SOON, "the node in the list")
    row, = [each for each in page_of(site).ids["nodes"].all("tr") if quiet.address in each.text]
    assert [each.text for each in row.all("td")][1:] == ["not yet", "0", "0", ""]
    old = Node(next(ADDRESSES), site.httpd, port=site.port, version=1)
    old.started()
    assert part(page_of(site), "events") [0] == "care" and "version of the event sink to 2" in part(page_of(site), "events")[1]
    old.version = 2
    old.updated()
    assert part(page_of(site), "events")[0] == "good"


@pytest.mark.parametrize("claim, shown", [("192.0.2.7", "192.0.2.7"), ("2001:db8::7", "2001:db8::7"), ("<b>", "127.0.0.1"), ("x" * 500, "127.0.0.1"),
                                          ("", "127.0.0.1"), ("%00", "127.0.0.1"), ("10.0.0.1%0d%0a", "127.0.0.1")])
@pytest.mark.once
def test_a_node_is_known_by_what_it_can_be_known_by(all_sites, claim, shown):
    site = all_sites["mute"]

    def asked():
        site.request("GET", f"{PREFIX}/policy/v1/service/configuration?local_alias=x&node_ip={claim}", auth=NODES)
        return shown in page_of(site).text_of("nodes")
    wait_until(asked, SOON, "the node in the list")


def test_messages_that_are_not_set_up_are_no_fault(all_sites):
    level, words = part(page_of(all_sites["mute"]), "messages")
    assert level == "off" and "not set up" in words


@pytest.mark.once
@pytest.mark.parametrize("kind", ["503", "garbage"])
def test_a_rocketchat_that_does_not_take_messages(ill, kind):
    ill.httpd.expect(TROUBLE)
    ill.chat.fault("*", kind)
    ill.start("Unheard")
    shows(ill, "messages", "care", "fails", "PexipRCRestURL", "It says:", "Since 20")
    assert verdict(page_of(ill))[0] == ("care" if part(page_of(ill), "policy")[0] == "good" else "off")
    ill.chat.faults.stop_all()
    shows(ill, "messages", "good", "works", timeout=AFTER_RETRY)


@pytest.mark.once
def test_a_rocketchat_that_refuses_our_credentials(all_sites):
    site = all_sites["shut"]
    site.httpd.expect(TROUBLE)
    site.chat.fault("*", "401")
    site.start("Unheard")
    shows(site, "messages", "care", "refused", "PexipRCRestCredentialsFile", "It says:", "Since 20")
    assert step(page_of(site, SETUP), "The user that posts") == "not complete"


@pytest.mark.once
def test_a_rocketchat_that_does_not_tell_who_somebody_is(ill):
    ill.httpd.expect(TROUBLE)
    meeting = ill.start("Strangers")
    ill.chat.fault("me", "503")
    for number in range(3):
        ill.visitor(ill.carla, headers={"User-Agent": str(number)}).open(meeting["join_url"])
    shows(ill, "sessions", "care", "people join as guests", "PexipRCRestURL", "rests")


@pytest.mark.once
def test_another_policy_server_that_fails(site):
    site.httpd.expect("PexipRCPolicyFallback")
    site.other.serve({}, status=500)
    assert site.node().policy("nobody-else").status == 404
    shows(site, "fallback-1", "care", site.other.url, "left to Infinity meanwhile")
    site.other.know_nothing()
    site.node().policy("nobody-else-again")
    shows(site, "fallback-1", "good", "Answered last")


@pytest.fixture(scope="module")
def scarce(mpm):
    """Room for one meeting, no database, and an event log that takes nothing."""
    servers = Servers(mpm)
    try:
        yield servers(workspace(), server="PexipRCDatabase none\nPexipRCMaxMeetings 1\nPexipRCEventLog /dev/full\n")
    finally:
        bury(servers)


@pytest.mark.once
def test_memory_that_is_full_and_an_event_log_that_cannot_be_written(scarce):
    scarce.expect("cannot be written|no room|PexipRCMaxMeetings|event log|EventLog")
    assert part(page_of(scarce), "database") == ("off", part(page_of(scarce), "database")[1])
    meeting = Api(scarce).create()
    level, words = part(page_of(scarce), "memory")
    assert level == "bad" and "full" in words and "1 of 1 open meetings" in words and "PexipRCMaxMeetings" in words
    assert verdict(page_of(scarce))[0] == "bad" and "New calls cannot be started" in page_of(scarce).text_of("verdict")
    node = Node(next(ADDRESSES), scarce)
    node.started()
    node.conference_started(meeting["id"])
    assert part(page_of(scarce), "event-log")[0] == "care"
    Api(scarce).delete(meeting["id"])
    node.conference_ended(meeting["id"])
    wait_until(lambda: part(page_of(scarce), "memory")[0] == "good", 10 * PATIENCE, "room again")


@pytest.mark.once
def test_a_database_that_cannot_be_used(make_httpd):
    port, = free_ports(1)
    secret = "stand-in-password-of-the-database"
    server = make_httpd(server=f'PexipRCDatabase pgsql "host=127.0.0.1 port={port} dbname=x user=y password={secret}"')
    server.expect("database")
    wait_until(lambda: part(page_of(server), "database")[0] == "bad", SOON, "a database that cannot be used")
    page = page_of(server)
    assert "cannot be used" in part(page, "database")[1] and "Since 20" in part(page, "database")[1] and "It says:" in part(page, "database")[1]
    assert page.ids["verdict"].all("a")[0].attributes["href"] == "#part-database"
    assert verdict(page)[0] == "bad" and "New calls cannot be started, and no call ends. Running calls go on." in verdict(page)[1]
    assert secret not in get(server).text
    # The worst stands first.
    assert page.ids["parts"].all("li")[0] is page.ids["part-database"]


# What could not be told

def make_untold(ill, title="Untold"):
    """A meeting in a room that is closed to the module; each needs another one, because closed rooms are remembered."""
    ill.httpd.expect(TROUBLE)
    room = ill.chat.add_room(f"closed{len(ill.chat.rooms)}", "p", [ill.nina, ill.boris])
    ill.say(f"!pexip {title}", room)
    meeting = ill.meeting(room)
    wait_until(lambda: meeting["id"] in page_of(ill).text_of("deliveries"), SOON, "the meeting in the list")
    return meeting


@pytest.fixture(scope="module")
def untold(all_sites):
    """One that nobody succeeds to change."""
    return make_untold(all_sites["ill"])


def post(site, action, meeting, headers=None, body=None, path=STATUS, **options):
    sent = {"Content-Type": "application/x-www-form-urlencoded", **SAME, **(headers or {})}
    body = urlencode({"action": action, "meeting": meeting}).encode() if body is None else body
    return site.request("POST", path, auth=ADMIN, body=body, headers={name: value for name, value in sent.items() if value is not None}, **options)


def state_of(site, meeting):
    lines = site.api.call("GET", "/deliveries?state=waiting,failed,dropped").json()["deliveries"]
    return {line["state"] for line in lines if line["meeting"] == meeting["id"]}


def test_what_could_not_be_told_is_listed_with_its_reason(ill, untold):
    page = page_of(ill)
    text = page.text_of("deliveries")
    assert "Untold" in text and "not a member of the room" in text and "HTTP status 400" in text
    assert part(page, "messages")[0] == "care"
    form, = [each for each in page.all("form") if untold["id"] in [field.attributes.get("value") for field in each.all("input")]]
    assert form.attributes["action"] == STATUS
    assert [(each.attributes["name"], each.attributes["value"], each.text) for each in form.all("button")] == [
        ("action", "retry", "Try again"), ("action", "drop", "Give up")]


def test_it_can_be_tried_again_and_given_up(ill):
    untold = make_untold(ill)
    tries = len(ill.chat.calls_of("chat.sendMessage"))
    answer = post(ill, "retry", untold["id"])
    assert (answer.status, answer.headers["Location"], answer.body) == (303, f"{STATUS}?did=retry", b"")
    assert "tried again" in Page(get(ill, answer.headers["Location"]).text).text_of("outcome")
    wait_until(lambda: len(ill.chat.calls_of("chat.sendMessage")) > tries, SOON, "another try")
    wait_until(lambda: state_of(ill, untold) == {"failed"}, SOON, "its failure")
    assert post(ill, "drop", untold["id"]).headers["Location"] == f"{STATUS}?did=drop"
    assert state_of(ill, untold) == {"dropped"}
    assert untold["id"] not in page_of(ill).text
    assert post(ill, "drop", untold["id"]).headers["Location"] == f"{STATUS}?did=nothing"
    assert post(ill, "retry", "A" * 20).headers["Location"] == f"{STATUS}?did=nothing"


OWN = "https://ill.example.com"


@pytest.mark.parametrize("headers", [
    {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "none"}, {"Sec-Fetch-Site": ""}, {"Sec-Fetch-Site": "same-origin, cross-site"},
    {"Sec-Fetch-Site": None}, {"Sec-Fetch-Site": None, "Origin": None}, {"Origin": None, "Sec-Fetch-Site": None, "Referer": OWN + STATUS},
    {"Origin": "https://evil.example"}, {"Origin": "https://evil.example", "Sec-Fetch-Site": None}, {"Origin": OWN + ".evil.example", "Sec-Fetch-Site": None},
    {"Origin": OWN + ":8443", "Sec-Fetch-Site": None}, {"Origin": OWN + "/", "Sec-Fetch-Site": None}, {"Origin": "http://ill.example.com", "Sec-Fetch-Site": None},
    {"Origin": "ill.example.com", "Sec-Fetch-Site": None}, {"Origin": "", "Sec-Fetch-Site": None}, {"Origin": OWN, "Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://", "Sec-Fetch-Site": None}, {"Origin": "x" * 5000, "Sec-Fetch-Site": None}], ids=str)
def test_another_site_changes_nothing(ill, untold, headers):
    answer = post(ill, "drop", untold["id"], headers=headers)
    assert answer.status == 403 and "Location" not in answer.headers, answer.text
    assert state_of(ill, untold) == {"failed"}
    Page(answer.text)


@pytest.mark.parametrize("headers", [
    {"Origin": None}, {"Origin": OWN}, {"Origin": OWN, "Sec-Fetch-Site": None}, {"Origin": "http://admin.example:8080", "Host": "admin.example:8080", "Sec-Fetch-Site": None},
    {"Origin": "https://admin.example", "Host": "admin.example", "Sec-Fetch-Site": None}], ids=str)
def test_the_page_itself_does(ill, headers):
    assert post(ill, "drop", "A" * 20, headers=headers).status == 303


@pytest.mark.parametrize("body, status", [
    (b"", 400), (b"action=drop", 400), (b"meeting=" + b"A" * 20, 400), (b"action=delete&meeting=" + b"A" * 20, 400), (b"action=DROP&meeting=" + b"A" * 20, 400),
    (b"action=drop&meeting=" + b"A" * 65, 400), (b"action=drop&meeting=..%2f..%2fstatus", 400), (b"action=drop&meeting=%00", 400), (b"action=drop&meeting=%ff%fe", 400),
    (b"action=drop&meeting=<script>", 400), (b"action=drop&action=retry&meeting=x", 400), (b'{"action": "drop"}', 400), (b"\0" * 100, 400),
    (b"action=drop&meeting=" + b"A" * 2000, 413), (b"x" * 1_000_000, 413)], ids=lambda value: str(value)[:40])
def test_a_form_that_is_none_of_ours_is_refused(ill, body, status):
    answer = post(ill, None, None, body=body)
    assert answer.status == status and "<script>" not in answer.text


def test_a_foreign_meeting_cannot_be_named(all_sites, untold):
    assert post(all_sites["good"], "drop", untold["id"]).headers["Location"] == f"{STATUS}?did=nothing"
    assert state_of(all_sites["ill"], untold) == {"failed"}


# What others wrote

def test_what_others_wrote_stays_text(ill):
    meeting = make_untold(ill, HOSTILE)
    Node(f"<b>{HOSTILE[:40]}", ill.httpd, port=ill.port).started()
    answer = get(ill)
    page = Page(answer.text)
    assert "alert(1)" in page.text_of("deliveries") and "<b><script>alert(1)" in page.text_of("nodes")
    assert len(page.all("script")) == 1 and not page.all("b") and not page.all("img")
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\x00-\x08\x0b-\x1f\x7f-\x9f]", answer.text)
    post(ill, "drop", meeting["id"])


@pytest.mark.parametrize("error", ["</q></bdi></main>" + HOSTILE + "\ud800", "x" * 100_000], ids=["markup", "enormous"])
def test_what_rocketchat_says_stays_text(ill, error):
    ill.httpd.expect(TROUBLE)
    ill.chat.fault("chat.sendMessage", "400", error=error)
    meeting = ill.start("Refused")
    wait_until(lambda: meeting["id"] in page_of(ill).text_of("deliveries") or "It says" in page_of(ill).text_of("parts"), AFTER_RETRY, "what it says")
    for path in (STATUS, SETUP):
        answer = get(ill, path)
        page = Page(answer.text)
        assert len(page.all("script")) == 1 and len(answer.text) < 100_000
        assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\x00-\x08\x0b-\x1f\x7f-\x9f]", answer.text)
    post(ill, "drop", meeting["id"])


def test_a_title_that_is_enormous_is_cut(ill):
    meeting = make_untold(ill, "\u00e4" * 5000)
    assert "\u00e4" * 119 + "\u2026" in page_of(ill).text and "\u00e4" * 120 not in page_of(ill).text
    post(ill, "drop", meeting["id"])


@pytest.mark.once
@pytest.mark.parametrize("path", [STATUS, SETUP])
def test_no_secret_and_nobodys_name_is_shown(site, untold, all_sites, path):
    meeting, _ = use(site)
    for each, one in ((site, meeting), (all_sites["ill"], untold)):
        text = get(each, path).text
        for secret in ("stand-in-secret-of-the-app", each.chat.bot.token, each.token, NODES[1], ADMIN[1], *one["pins"].values(), one["join_url"].rpartition("/")[2]):
            assert secret not in text
        for name in ("Anna", "Sensitive", "Nina", "nina", "Boris"):
            assert name not in text


# Set-up

def values(page):
    """What is to be pasted, by what it is called."""
    names = {each.attributes["id"].rpartition("-")[2]: each.text for each in page.all("dt") if "id" in each.attributes}
    return [(names[each.attributes["id"].rpartition("-")[2]], each.text) for each in page.all("code") if "id" in each.attributes]


def steps(page):
    """The word of each step, by its title."""
    return {each.text.removesuffix(each.all("span")[0].text).strip(): each.all("span")[0].text.split(" ", 1)[1]
            for each in page.all("h3")}


def step(page, title):
    return next(word for name, word in steps(page).items() if name.startswith(title))


def test_setup_tells_what_to_paste(site):
    page = page_of(site, SETUP)
    pasted = values(page)
    for pair in (("URL", f"{site.url}{PREFIX}"), ("URL", f"{site.url}{PREFIX}/events"), ("URL", f"{site.url}{PREFIX}/webhook"), ("User name", NODES[0]),
                 ("Name", "rocket.chat"), ("Path", "sales"), ("PexipRCJoinURL", f"{site.url}{PREFIX}"), ("Address of the module", f"{site.url}{PREFIX}"),
                 ("User id, first line of the file", site.chat.bot.id), ("Trigger words, or any other that you like", "!pexip")):
        assert pair in pasted, pasted
    assert any(f"frame-ancestors 'self' {'https://meet.example.com'}" in value for _, value in pasted)
    assert ("Address that the plugin asks", f"{site.url}{PREFIX}/chat") in pasted
    assert any(value.startswith(f"make plugin RC={site.url} ENDPOINT={site.url}{PREFIX}/chat") for _, value in pasted)
    assert any(value.startswith("pexip-rc-setup ") and f"--site {site.url} --credentials /" in value for _, value in pasted)
    assert any("scheduling/template?kind=single-use" in value for _, value in pasted)
    assert "nodes.secret" in page.text and "good.rest" in page.text and "good.webhook" in page.text
    assert "on: service configuration, and what your other policy servers answer" in page.text
    # Each can be copied, and is in the page for those without script.
    buttons = [each for each in page.all("button") if "data-copy" in each.attributes]
    assert len(buttons) == len(pasted) and all("hidden" in each.attributes for each in buttons)


@pytest.mark.once
def test_setup_ticks_off_what_was_seen_working(all_sites, site):
    fresh = page_of(all_sites["fresh"], SETUP)
    assert "seen working" not in steps(fresh).values()
    for title in ("Policy profile", "Event sink", "The user that posts", "Outgoing webhook", "Join links"):
        assert step(fresh, title) == "not seen working yet", title
    meeting, _ = use(site)
    assert step(page_of(site, SETUP), "Chat beside the call") == "not seen working yet"
    wait_until(lambda: site.request("GET", f"{PREFIX}/chat?alias={meeting['id']}").status == 200, AFTER_RETRY, "the chat")
    assert step(page_of(site, SETUP), "Chat beside the call") == "seen working"
    called = site.api.call("POST", "/meetings", {"id": "CalledByTheApp", "room": site.general.as_meant(), "creator": site.nina.creator(), "call": True})
    site.api.delete(called.json()["id"])
    wait_until(lambda: step(page_of(site, SETUP), "Companion app") == "seen working", AFTER_RETRY, "the end that the app took")
    page = page_of(site, SETUP)
    for title in ("Policy profile", "Event sink", "The user that posts", "Outgoing webhook", "Join links"):
        assert step(page, title) == "seen working", title
    for title in ("Locations", "Theme", "Outlook"):
        assert step(page, title) == "cannot be seen from here", title
    assert re.search(r"Node [0-9.]+ asked 20", page.text) and re.search(r"sent an event of version 2 20", page.text)


def test_setup_of_a_part_that_is_not_used(all_sites):
    page = page_of(all_sites["mute"], SETUP)
    for title in ("The user that posts", "Outgoing webhook", "Companion app", "Chat beside the call"):
        assert step(page, title) == "not set up, and not required", title
    ill = page_of(all_sites["ill"], SETUP)
    assert step(ill, "Theme") == "not set up, and not required"
    assert "on: service configuration, media location; everything else off" in ill.text


def test_setup_finds_handlers_wherever_they_are_set(all_sites):
    site = all_sites["mute"]
    page = page_of(site, SETUP)
    policies = [value for name, value in values(page) if name.startswith("URL")]
    for prefix in ("/api/apps/public/7fc612f5", "/inner", PREFIX):
        assert site.url + prefix in policies
    assert not any("pattern" in value for value in policies)


def test_setup_says_where_join_links_lead_to_nothing(all_sites):
    text = page_of(all_sites["mute"], SETUP).text
    assert "nobody is recognised" in text and "No section of this workspace with SetHandler pexip-rc-join is at this address" in text
    assert step(page_of(all_sites["mute"], SETUP), "Join links") == "not complete"
    assert "nobody is recognised" not in page_of(all_sites["good"], SETUP).text


@pytest.mark.once
def test_setup_knows_sections_of_other_virtual_hosts_and_misses_those_that_are_not_there(make_httpd):
    outer, inner = free_ports(2)
    status = guarded("/admin/status", "pexip-rc-status", "AuthBasicProvider file\n    AuthUserFile conf/admins.htpasswd", "valid-user")
    common = "PexipRCBaseURL https://meet.example.com\nPexipRCSiteURL https://chat.example.com\n"
    secret = "s" * 101
    policy = guarded("/" + "p" * 240, "pexip-rc-policy", "AuthBasicProvider pexip-rc", "valid-user")
    server = make_httpd(f"<VirtualHost 127.0.0.1:{outer}>\n{common}{status}</VirtualHost>\n<VirtualHost 127.0.0.1:{inner}>\n{common}"
                        f"PexipRCAPICredentialsFile conf/long\n{policy}</VirtualHost>\n", start=False, ports=[outer, inner])
    server.write("conf/long", f"nodes\n{secret}\n", 0o600)
    server.start()
    answer = server.request("GET", "/admin/status/setup", auth=ADMIN)
    page = Page(answer.text)
    assert ("URL", "https://chat.example.com/" + "p" * 240) in values(page)
    assert "It stands in another virtual host" in page.text and "httpd.conf:" in page.text
    assert "URLs of at most 255 characters" in page.text and "passwords of at most 100 characters" in page.text
    assert secret not in answer.text
    assert step(page, "Event sink") == "not complete" and "SetHandler pexip-rc-events" in page.text
    assert step(page, "Requests that never end") == "not complete"
