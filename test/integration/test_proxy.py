"""In front of Rocket.Chat: the module's URLs stay here in every documented way of proxying, all others go on; workspaces stay apart."""

from urllib.parse import urlsplit

import pytest
from conftest import ADDRESSES, Servers, bury
from httpd import free_ports
from meetings import Api
from pexip import Node, one_leg, sip
from rocketchat import RocketChat, is_upstream
from test_policy import is_miss, is_service
from waiting import wait_until
from workspace import ADMIN, NODES, PASSWORD_FILE, guarded, workspace

VENDOR = "/api/apps/public/7fc612f5-b585-4e46-8c4e-6d2c13e2f451"
PROVIDER = "AuthBasicProvider pexip-rc"

# Each: what the administrator wrote for Rocket.Chat; {url} is its address.
STYLES = {
    "rewrite": """
RewriteEngine On
RewriteCond %{{HTTP:Upgrade}} !=websocket [NC]
RewriteRule /(.*) {url}/$1 [P,L]
ProxyPassReverse / {url}/
""",
    "proxypass": """
ProxyPreserveHost On
ProxyPass "/" "{url}/"
ProxyPassReverse "/" "{url}/"
""",
    "location": """
<Location "/">
    ProxyPass "{url}/"
    ProxyPassReverse "{url}/"
</Location>
""",
    "match": """
ProxyPassMatch "^/(.*)$" "{url}/$1"
""",
}

VENDOR_PATHS = guarded(f"{VENDOR}/policy", "pexip-rc-policy", PROVIDER, "valid-user") + guarded(f"{VENDOR}/events", "pexip-rc-events", PROVIDER, "valid-user")

# The same by regular expression, as Rocket.Chat's administrators find it in examples.
BY_PATTERN = "".join(f"""
<LocationMatch "^{VENDOR}/{path}">
    SetHandler pexip-rc-{name}
    AuthType Basic
    AuthName "pexip"
    {PROVIDER}
    Require valid-user
</LocationMatch>
""" for name, path in (("policy", "policy/"), ("events", "events$")))


def host(port, body, name="*", address="127.0.0.1"):
    return f"<VirtualHost {address}:{port}>\nServerName {name if name != '*' else 'localhost'}\n{body}\n</VirtualHost>\n"


class Site:
    """One way of proxying: its API, a node at our own prefix and one at the vendor's."""

    def __init__(self, server, port, rocketchat):
        self.server, self.port, self.rocketchat = server, port, rocketchat
        self.api = Api(server, port=port)
        self.node = Node(next(ADDRESSES), server, port=port)
        self.vendor_node = Node(next(ADDRESSES), server, prefix=VENDOR, port=port)

    def request(self, method, path, **options):
        return self.server.request(method, path, port=self.port, **options)


@pytest.fixture(scope="module")
def sites(mpm):
    ports = dict(zip([*STYLES, "pattern"], free_ports(len(STYLES) + 1)))
    servers = Servers(mpm)
    with RocketChat() as rocketchat:
        body = "".join(host(ports[name], style.format(url=rocketchat.url) + workspace(site=f"https://{name}.example.com") + VENDOR_PATHS)
                       for name, style in STYLES.items())
        body += host(ports["pattern"], STYLES["rewrite"].format(url=rocketchat.url) + workspace(site="https://pattern.example.com") + BY_PATTERN)
        try:
            server = servers(body, ports=list(ports.values()))
            yield {name: Site(server, port, rocketchat) for name, port in ports.items()}
        finally:
            bury(servers)


@pytest.fixture(params=[*STYLES, "pattern"])
def site(request, sites):
    """Each way of proxying; what goes through it to Rocket.Chat is counted from here."""
    sites[request.param].rocketchat.requests.clear()
    return sites[request.param]


# Ours

def test_everything_of_a_meeting_stays_here(site):
    meeting = site.api.create()
    site.node.started()
    answer = site.node.policy(meeting["id"])
    assert is_service(answer, meeting["id"])
    site.node.conference_started(meeting["id"])
    person = one_leg(site.node, meeting["id"], "Anna")
    assert site.api.read(meeting["id"])["participant_count"] == 1
    join = site.request("GET", urlsplit(meeting["join_url"]).path + "?name=Boris")
    assert join.status == 303
    assert site.api.link(meeting["id"])["role"] == "host"
    assert meeting["id"] in [each["id"] for each in site.api.list()["meetings"]]
    assert site.request("GET", "/pexip/status?json", auth=ADMIN).json()
    person.leave()
    site.api.delete(meeting["id"])
    assert site.rocketchat.requests == []


def test_the_path_of_the_vendors_app_is_ours(site):
    meeting = site.api.create()
    site.vendor_node.started()
    assert site.vendor_node.policy(meeting["id"]).body == site.node.policy(meeting["id"]).body
    site.vendor_node.conference_started(meeting["id"])
    sip(site.vendor_node, meeting["id"], "Boardroom")
    assert site.api.read(meeting["id"])["participant_count"] == 1
    assert site.request("GET", f"{VENDOR}/events", auth=NODES).json() == {"success": True}
    assert site.rocketchat.requests == []


@pytest.mark.parametrize("path", [
    "/pexip//policy/v1/service/configuration", "//pexip/policy/v1/service/configuration", "/pexip/policy//v1/service/configuration",
    VENDOR + "//policy/v1/service/configuration", "/" + VENDOR + "/policy/v1/service/configuration", "/pexip/%70olicy/v1/service/configuration",
    "/channel/../pexip/policy/v1/service/configuration", "/pexip/./policy/v1/service/configuration"])
def test_doubled_slashes_and_other_spellings_lead_to_the_same_answer(site, path):
    meeting = site.api.create()
    answer = site.request("GET", f"{path}?local_alias={meeting['id']}", auth=NODES)
    assert is_service(answer, meeting["id"])
    assert site.rocketchat.requests == []


@pytest.mark.parametrize("path", ["/pexip//events", "//pexip/events", VENDOR + "//events", "/" + VENDOR + "/events"])
def test_events_are_taken_at_doubled_slashes(site, path):
    assert site.request("POST", path, auth=NODES, body={"event": "eventsink_started", "node": "10.8.8.8", "seq": 1, "data": {}}).json() == {"success": True}
    assert site.rocketchat.requests == []


@pytest.mark.parametrize("method, path, status", [
    ("GET", "/pexip/policy/v1/service/configuration", 401), ("POST", "/pexip/events", 401), ("GET", "/pexip/api/v1/meetings", 401),
    ("GET", "/pexip/status", 401), ("GET", VENDOR + "/policy/v1/service/configuration", 401), ("POST", VENDOR + "/events", 401),
    ("GET", "/pexip/join/unknown", 404), ("DELETE", "/pexip/join/unknown", 405)])
def test_refusals_are_ours_too(site, method, path, status):
    answer = site.request(method, path)
    assert answer.status == status
    assert site.rocketchat.requests == []


def test_unknown_paths_below_a_handler_are_ours_too(site):
    assert site.request("GET", "/pexip/api/v1/nothing", auth=ADMIN).status == 404
    assert site.node.policy("x", what="participant/avatar/x").status == 404
    assert site.vendor_node.policy("x", what="registrations/nina@example.com").status == 404
    assert site.rocketchat.requests == []


# Theirs

@pytest.mark.parametrize("method, path", [
    ("GET", "/"), ("GET", "/channel/general"), ("GET", "/conference/abc?x=1"), ("GET", "/api/v1/info"), ("POST", "/api/v1/login"), ("GET", "/api/pexip/"),
    ("GET", "/api/pexip/policy/v1/service/configuration?local_alias=x"), ("POST", "/api/pexip/events"), ("GET", "/pexip"), ("GET", "/pexip/"),
    ("GET", "/pexip/other"), ("GET", "/pexip/policyx/v1/service/configuration"), ("GET", "/policy/v1/service/configuration"), ("POST", "/events"),
    ("GET", "/join/x"), ("GET", VENDOR), ("GET", VENDOR + "/other"), ("GET", VENDOR + "/eventsx"),
    ("GET", "/api/apps/public/00000000-0000-0000-0000-000000000000/policy/v1/service/configuration"), ("PUT", "/file-upload/x"), ("DELETE", "/api/v1/x"),
    ("GET", "/Pexip/join/x"), ("GET", "/avatar/nina?format=png")])
def test_all_other_urls_reach_rocketchat(site, method, path):
    answer = site.request(method, path, body=b"x" if method in ("POST", "PUT") else None)
    assert answer.status == 200 and is_upstream(answer)
    assert site.rocketchat.requests == [(method, path)]


# Several workspaces, several virtual hosts

@pytest.fixture(scope="module")
def hosts(mpm):
    """On one port, by name: workspace a with an outer and an inner host, workspace b. On another one a host more of a."""
    public, inner = free_ports(2)
    servers = Servers(mpm)
    with RocketChat() as rocketchat:
        proxy = STYLES["rewrite"].format(url=rocketchat.url)
        a, b = (proxy + workspace(site=f"https://{name}.example.com", extra="PexipRCNumericAlias 77 6") for name in "ab")
        body = host(public, a, "a.example.com") + host(public, b, "b.example.com") + host(public, a, "nodes.a.example.com") + host(inner, a, "a.internal")
        try:
            yield servers(body, ports=[public, inner])
        finally:
            bury(servers)


class Named:
    """What callers of one virtual host see. Equal node addresses on purpose: a node may serve both workspaces."""

    def __init__(self, server, name, port=None, address="10.77.0.1"):
        self.server, self.headers, self.port = server, {"Host": name}, port
        self.api = Api(server, headers=self.headers, port=port)
        self.node = Node(address, server, headers=self.headers, port=port)

    def get(self, path, **options):
        return self.server.request("GET", path, headers=self.headers, port=self.port, **options)


@pytest.fixture
def two(hosts):
    return Named(hosts, "a.example.com"), Named(hosts, "b.example.com")


def test_policy_never_answers_for_another_workspace(two):
    a, b = two
    meeting = a.api.create()
    for alias in (meeting["id"], meeting["id"].lower(), f"sip:{meeting['id']}@meet.example.com", meeting["numeric_alias"]):
        assert is_service(a.node.policy(alias), meeting["id"])
        assert is_miss(b.node.policy(alias))
    assert is_miss(b.node.dial_out(meeting["id"]))
    a.api.delete(meeting["id"])
    assert is_miss(b.node.policy(meeting["id"]))


def test_the_api_never_shows_or_touches_another_workspaces_meetings(two):
    a, b = two
    meeting = a.api.create(room={"id": "apart"})
    assert b.api.list(room="apart") == {"meetings": [], "next": None}
    assert meeting["id"] not in [each["id"] for each in b.api.list(limit=1000)["meetings"]]
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/links")):
        answer = b.api.call(method, f"/meetings/{meeting['id']}{path}", {"user": {"id": "u"}} if method == "POST" else None)
        assert answer.status == 404
    assert a.api.read(meeting["id"]) == meeting


def test_paging_counts_the_own_meetings_only(two):
    a, b = two
    mine = []
    for _ in range(6):
        mine.append(a.api.create(room={"id": "mixed"})["id"])
        b.api.create(room={"id": "mixed"})
    found, page = [], a.api.list(room="mixed", limit=3)
    found += page["meetings"]
    while page["next"]:
        page = a.api.list(room="mixed", limit=3, after=page["next"])
        found += page["meetings"]
    assert [each["id"] for each in found] == mine[::-1]


def test_a_join_link_works_in_its_own_workspace_only(two):
    a, b = two
    path = urlsplit(a.api.create()["join_url"]).path
    assert a.get(path).status == 303
    assert b.get(path).status == 404


def test_one_id_in_two_workspaces_is_two_meetings(two):
    a, b = two
    first = a.api.create(id="SameIdTwice1", title="In a")
    answer = b.api.call("POST", "/meetings", {"id": "SameIdTwice1", "title": "In b", "room": {"id": "r"}, "creator": {"id": "c"}})
    assert answer.status == 201
    second = answer.json()
    assert (first["title"], second["title"]) == ("In a", "In b")
    assert first["join_url"].rpartition("/")[2] != second["join_url"].rpartition("/")[2]
    results = [each.node.policy("SameIdTwice1").json()["result"] for each in two]
    assert [result["pin"] for result in results] == [first["pins"]["host"], second["pins"]["host"]]
    b.api.delete("SameIdTwice1")
    assert a.api.read("SameIdTwice1") == first


def test_events_at_one_workspace_do_not_move_the_other(two):
    a, b = two
    meeting = a.api.create(id="EventsApart1")
    other = b.api.create(id="EventsApart1")
    b.node.started()
    b.node.conference_started("EventsApart1")
    one_leg(b.node, "EventsApart1", "Boris")
    assert b.api.read(other["id"])["participant_count"] == 1
    assert a.api.read(meeting["id"]) == meeting
    # The same node has counted on in b; its numbers there say nothing about a.
    a.node.started()
    a.node.conference_started("EventsApart1")
    anna = one_leg(a.node, "EventsApart1", "Anna")
    assert [person["name"] for person in a.api.read(meeting["id"])["participants"]] == ["Anna"]
    anna.leave()
    a.node.conference_ended("EventsApart1")
    wait_until(lambda: a.api.read(meeting["id"])["state"] == "ended", 5, "the end in a")
    assert b.api.read(other["id"])["state"] == "live"


def test_a_restarted_publisher_in_one_workspace_is_none_in_the_other(two):
    a, b = two
    meeting = a.api.create()
    a.node.started()
    a.node.conference_started(meeting["id"])
    one_leg(a.node, meeting["id"], "Anna")
    before = a.api.read(meeting["id"])
    b.node.started()
    b.node.conference_ended(meeting["id"])
    assert a.api.read(meeting["id"]) == before


def test_the_status_counts_and_names_the_own_workspace_only(two):
    a, b = two

    def status(each):
        answer = each.get("/pexip/status?json", auth=ADMIN)
        assert answer.status == 200
        return answer.json(), answer.text

    before = status(b)[0]["meetings"]
    meeting = a.api.create(title="Unmistakable title", room={"id": "Unmistakable", "name": "Unmistakable"})
    only_a = Node("10.77.123.123", a.server, headers=a.headers)
    only_a.started()
    only_a.conference_started(meeting["id"])
    one_leg(only_a, meeting["id"], "Unmistakable Person")
    data, text = status(b)
    assert data["meetings"] == before
    assert not any(each in text for each in ("Unmistakable", meeting["id"], "10.77.123.123", "https://a.example.com"))
    assert "Unmistakable" not in b.get("/pexip/status", auth=ADMIN).text
    assert "10.77.123.123" in status(a)[1]


def test_virtual_hosts_of_one_workspace_share_its_meetings(hosts):
    outer = Named(hosts, "a.example.com")
    nodes = Named(hosts, "nodes.a.example.com", address="10.77.9.1")
    inner = Named(hosts, "a.internal", port=hosts.ports[1], address="10.77.9.2")
    meeting = outer.api.create()
    assert len({each.node.policy(meeting["id"]).body for each in (outer, nodes, inner)}) == 1
    nodes.node.started()
    nodes.node.conference_started(meeting["id"])
    one_leg(nodes.node, meeting["id"], "Anna")
    for each in (outer, nodes, inner):
        assert each.api.read(meeting["id"])["participant_count"] == 1
        assert each.get(urlsplit(meeting["join_url"]).path).status == 303
        assert meeting["id"] in [listed["id"] for listed in each.api.list(state="live")["meetings"]]
    inner.api.delete(meeting["id"])
    assert outer.get(urlsplit(meeting["join_url"]).path).status == 410
    assert nodes.node.policy(meeting["id"]).json()["action"] == "reject"


def test_handlers_where_no_workspace_is_configured_serve_nobody(make_httpd):
    port, bare = free_ports(2)
    server = make_httpd(host(port, workspace()) + host(bare, guarded(
        "/pexip/api", "pexip-rc-api", f"AuthBasicProvider file\n    AuthUserFile {PASSWORD_FILE}", "valid-user")), ports=[port, bare])
    Api(server).create()
    server.expect("pexip_rc:error")
    answer = Api(server, port=bare).call("GET", "/meetings")
    assert answer.status >= 400 and "Weekly" not in answer.text
