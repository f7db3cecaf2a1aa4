"""PexipRCMediaLocation: which entry counts, what conditions see of a request, and what hostile requests can do."""

from urllib.parse import quote

import pytest
from conftest import Servers, bury
from httpd import free_ports
from meetings import Api
from policy_server import SERVICE, PolicyServer
from workspace import NODES, PREFIX, workspace

pytestmark = pytest.mark.any_mpm

MISS = {"status": "fail", "action": "continue", "result": {}}
LOCATION = "participant/location"

ENTRIES = r"""
PexipRCMediaLocation "HQ Lab" "expr=%{pxr:remote_address} -ipmatch '10.9.0.0/16'"
PexipRCMediaLocation HQ "New \"York\"" Äland "expr=%{pxr:remote_address} -ipmatch '10.0.0.0/8' || %{pxr:remote_address} -ipmatch '2001:db8::/32'"
PexipRCMediaLocation Nordic "expr=%{pxr:location} =~ /^(Oslo|Åbo) \d+$/ && %{pxr:protocol} -in { 'webrtc', 'api' } && %{pxr:registered} == 'True'"
PexipRCMediaLocation Hidden "expr=%{pxr:vendor} == 'a\\\\b' || %{pxr:ms-subnet} =~ /10[.]47/"
PexipRCMediaLocation Empty "expr=%{pxr:call_tag} == 'absent' && %{pxr:remote_alias} == '' && %{pxr:remote_display_name} == '' && %{pxr:node_ip} == ''"
PexipRCMediaLocation Broken "expr=%{pxr:call_tag} == 'unreadable' && file('conf/not.there') == 'x'"
PexipRCMediaLocation Last "expr=%{pxr:call_tag} == 'unreadable'"
"""

# A section of the same server that is not ours, and what a condition in ours would hand on.
ELSEWHERE = f"""
<Location "/elsewhere">
    Require expr %{{pxr:remote_address}} == ''
    Header always set X-Seen "expr=[%{{pxr:remote_address}}%{{pxr:location}}]"
</Location>
<Location "{PREFIX}/policy">
    Header always set X-Alias "expr=[%{{pxr:remote_alias}}]"
</Location>
"""


class Site:
    def __init__(self, server, port):
        self.server = server
        self.port = port
        self.meeting = Api(server, port=port).create()

    def ask(self, query, what=LOCATION):
        """query is sent as it stands, behind what names the meeting."""
        return self.server.request("GET", f"{PREFIX}/policy/v1/{what}?service_name={self.meeting['id']}&{query}", auth=NODES, port=self.port)


@pytest.fixture(scope="module")
def sites(mpm):
    """The entries above; what two virtual hosts inherit, one of them with entries of its own; and none at all."""
    ports = free_ports(4)
    hosts = "".join(f"<VirtualHost 127.0.0.1:{port}>\n{workspace(site=f'https://{name}.example.com', extra=extra)}\n</VirtualHost>\n"
                    for port, (name, extra) in zip(ports, {"full": ENTRIES + ELSEWHERE, "heir": "", "own": "PexipRCMediaLocation Own",
                                                           "number": "PexipRCNumericAlias 77 6\nPexipRCSIPDomain meet.example.com"}.items()))
    servers = Servers(mpm)
    try:
        server = servers("PexipRCMediaLocation Everywhere 'Over there'\n" + hosts, ports=ports)
        (server.root / "htdocs" / "elsewhere").write_text("here")
        yield {name: Site(server, port) for name, port in zip(("full", "heir", "own", "number"), ports)}
    finally:
        bury(servers)


def location(answer):
    """The location and those that take over."""
    assert answer.status == 200, f"{answer.status} {answer.text[:300]}"
    assert answer.headers["Content-Type"].startswith("application/json")
    body = answer.json()
    assert body.keys() == {"status", "result"} and body["status"] == "success"
    assert body["result"].keys() <= {"location", "overflow_locations"}
    return [body["result"]["location"], *body["result"].get("overflow_locations", [])]


def is_miss(answer):
    assert (answer.status, answer.json()) == (404, MISS), answer.text[:300]
    return True


NORDIC = "location=%C3%85bo+7&registered=True"


@pytest.mark.parametrize("query, wanted", [
    ("remote_address=10.9.255.1", ["HQ Lab"]),
    ("remote_address=10.8.0.1", ["HQ", 'New "York"', "Äland"]),
    ("remote_address=2001:db8::7", ["HQ", 'New "York"', "Äland"]),
    ("remote_address=2001%3aDB8%3A0::7", ["HQ", 'New "York"', "Äland"]),
    ("remote_address=10.8.0.1&remote_address=10.9.0.1", ["HQ", 'New "York"', "Äland"]),
    (NORDIC + "&protocol=webrtc", ["Nordic"]),
    (NORDIC + "&protocol=api&remote_address=203.0.113.7", ["Nordic"]),
    (NORDIC + "&protocol=sip", None),
    ("location=Oslo%2012&registered=True&protocol=api", ["Nordic"]),
    ("location=Oslo%2012&registered=False&protocol=api", None),
    ("vendor=a%5Cb", ["Hidden"]),
    ("ms-subnet=%5B%2210.47.5.0%22%5D", ["Hidden"]),
    ("remote_address=203.0.113.7", None),
    ("", None),
    ("remote_address=", None),
    ("REMOTE_ADDRESS=10.9.0.1", None),
])
def test_the_first_entry_that_applies_counts(sites, query, wanted):
    answer = sites["full"].ask(query)
    assert is_miss(answer) if wanted is None else location(answer) == wanted


@pytest.mark.parametrize("value", ["10.9.0.1.", "10.9.0", "0x0a090001", "168361985", "10.9.0.1%00", "10.9.0.1%0a", "10.9.0.1%20", "%2010.9.0.1", "10.9.0.1%", "localhost",
                                   "10.9.0.1/8", "10.9.0.1:5060", "fe80::1%25eth0", "1" * 7000, "%ff", "[2001:db8::7]", "10.9.0.1,10.9.0.2"])
def test_what_is_no_address_is_in_no_network(sites, value):
    assert is_miss(sites["full"].ask(f"remote_address={value}"))


@pytest.mark.parametrize("value", ["%00", "a%00b", "%0d%0aX-Evil:%201", "%01", "%7f", "%1b[31m", "%ff", "%c3%28", "%ed%a0%80", "%", "%zz", ""])
def test_what_is_no_text_reads_as_empty(sites, value):
    answer = sites["full"].ask(f"call_tag=absent&remote_alias={value}&remote_display_name={value}&node_ip={value}")
    assert location(answer) == ["Empty"]
    assert answer.headers["X-Alias"] == "[]" and answer.headers["X-Evil"] is None


@pytest.mark.parametrize("text", ["Nina Østergård", "%{HTTP_HOST}", "' || true || '", '"; system("x")', "$0 $1", "a" * 6000, "Mustermann, Max"], ids=lambda text: text[:12])
def test_what_a_caller_writes_is_text_and_nothing_more(sites, text):
    answer = sites["full"].ask(f"remote_address=10.9.0.1&remote_alias={quote(text)}")
    assert location(answer) == ["HQ Lab"]
    assert answer.headers["X-Alias"].encode("latin-1").decode() == f"[{text}]"


def test_a_condition_that_fails_is_told_and_counts_as_false(sites):
    sites["full"].server.expect(r"Evaluation of expression from PexipRCMediaLocation.* failed: Cannot open file")
    assert location(sites["full"].ask("call_tag=unreadable")) == ["Last"]


def test_outside_of_policy_requests_the_variables_are_empty(sites):
    site = sites["full"]
    answer = site.server.request("GET", "/elsewhere?remote_address=10.9.0.1&location=Oslo", port=site.port)
    assert (answer.status, answer.text, answer.headers["X-Seen"]) == (200, "here", "[]")


def test_virtual_hosts_inherit_entries_and_forget_them_for_their_own(sites):
    assert location(sites["heir"].ask("")) == ["Everywhere", "Over there"]
    assert location(sites["own"].ask("")) == ["Own"]


def test_only_our_participants_are_placed(sites):
    site = sites["number"]
    one, number = site.meeting["id"], site.meeting["numeric_alias"]

    def ask(query):
        return site.server.request("GET", f"{PREFIX}/policy/v1/{LOCATION}?{query}", auth=NODES, port=site.port)
    for query in (f"service_name={one}", f"unique_service_name={one}", f"local_alias={one}", f"local_alias={number}", f"local_alias=sip:{number}@meet.example.com",
                  f"service_name={one}_breakout_1234-5678", f"call_direction=dial_out&local_alias=x&service_name={one}"):
        assert location(ask(query)) == ["Everywhere", "Over there"], query
    for query in ("", "service_name=Another+room", f"local_alias={number}@other.example.com", f"service_name=Another&local_alias={one}", "local_alias=%00"):
        assert is_miss(ask(query)), query


def test_a_slash_at_the_end_is_as_good_and_longer_paths_are_not(sites):
    assert location(sites["own"].ask("", what=LOCATION + "/")) == ["Own"]
    assert is_miss(sites["own"].ask("", what=LOCATION + "/more"))
    assert is_miss(sites["own"].ask("", what=LOCATION + "s"))


@pytest.mark.once
def test_others_place_their_own_participants_and_never_ours(make_httpd):
    with PolicyServer() as other:
        server = make_httpd(workspace(extra=f"PexipRCPolicyFallback {other.url}\nPexipRCMediaLocation Ours \"expr=%{{pxr:protocol}} == 'sip'\""))
        site = Site(server, server.port)
        assert location(site.ask("protocol=sip")) == ["Ours"]
        assert is_miss(site.ask("protocol=api"))
        assert other.requests == []
        theirs = server.request("GET", f"{PREFIX}/policy/v1/{LOCATION}?protocol=sip&service_name=Their%20room", auth=NODES)
        assert theirs.json() == SERVICE


@pytest.mark.once
def test_a_reload_places_running_meetings_anew(make_httpd):
    server = make_httpd(workspace(extra="PexipRCMediaLocation Before"))
    site = Site(server, server.port)
    assert location(site.ask("")) == ["Before"]
    server.configure(workspace(extra="PexipRCMediaLocation After \"expr=true\""))
    server.graceful()
    assert location(site.ask("")) == ["After"]
