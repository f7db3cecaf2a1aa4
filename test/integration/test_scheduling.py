"""Scheduled meetings: their links, the joining instructions, the short link, and what somebody sees who comes too early."""

import json
import os
import random
import re
import shutil
import subprocess
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser
from urllib.parse import parse_qs, quote, unquote, urlsplit

import jinja2
import pytest
from conftest import Servers, bury
from httpd import PATIENCE, free_ports
from meetings import Api
from waiting import wait_until
from workspace import workspace

pytestmark = pytest.mark.any_mpm

GO = "https://go.rocket.chat/conference?host="
WEB = "https://px.pexample.com"

# The vectors of the web app reference 1.5: the workspace's host, the web app's, slug, alias, and what the link ends with.
VECTORS = [
    ("rc.pexample.com", "px.pexample.com", "mybrandingpath", "7071234567",
     "rc.pexample.com&path=conference%2F7071234567%3FcallUrl%3Dhttps%253A%252F%252Fpx.pexample.com%252Fmybrandingpath%252Fconference"
     "%253Fconference%253D7071234567%26callProvider%3DPexip"),
    ("rc.pexample.com", "px.pexample.com", "", "7071234567",
     "rc.pexample.com&path=conference%2F7071234567%3FcallUrl%3Dhttps%253A%252F%252Fpx.pexample.com%252Fconference"
     "%253Fconference%253D7071234567%26callProvider%3DPexip"),
    ("chat.example.org", "meet.example.net", "rocket-chat_1", "555001",
     "chat.example.org&path=conference%2F555001%3FcallUrl%3Dhttps%253A%252F%252Fmeet.example.net%252Frocket-chat_1%252Fconference"
     "%253Fconference%253D555001%26callProvider%3DPexip"),
    ("rc.pexample.com", "px.pexample.com", "rc", "meet.alice@pexample.com",
     "rc.pexample.com&path=conference%2Fmeet.alice%2540pexample.com%3FcallUrl%3Dhttps%253A%252F%252Fpx.pexample.com%252Frc%252Fconference"
     "%253Fconference%253Dmeet.alice%252540pexample.com%26callProvider%3DPexip"),
    ("rc.pexample.com", "px.pexample.com", "rc", "Sales Team+1",
     "rc.pexample.com&path=conference%2FSales%2520Team%252B1%3FcallUrl%3Dhttps%253A%252F%252Fpx.pexample.com%252Frc%252Fconference"
     "%253Fconference%253DSales%252520Team%25252B1%26callProvider%3DPexip"),
    ("rc.pexample.com", "px.pexample.com", "rc", "a/b?c=d&e#f%20g",
     "rc.pexample.com&path=conference%2Fa%252Fb%253Fc%253Dd%2526e%2523f%252520g%3FcallUrl%3Dhttps%253A%252F%252Fpx.pexample.com%252Frc"
     "%252Fconference%253Fconference%253Da%25252Fb%25253Fc%25253Dd%252526e%252523f%25252520g%26callProvider%3DPexip"),
    ("rc.pexample.com:8443", "px.pexample.com:8443", "", "möte.åsa",
     "rc.pexample.com%3A8443&path=conference%2Fm%25C3%25B6te.%25C3%25A5sa%3FcallUrl%3Dhttps%253A%252F%252Fpx.pexample.com%253A8443"
     "%252Fconference%253Fconference%253Dm%2525C3%2525B6te.%2525C3%2525A5sa%26callProvider%3DPexip"),
    ("rc.pexample.com", "px.pexample.com", "rc", "~keep-_.",
     "rc.pexample.com&path=conference%2F~keep-_.%3FcallUrl%3Dhttps%253A%252F%252Fpx.pexample.com%252Frc%252Fconference"
     "%253Fconference%253D~keep-_.%26callProvider%3DPexip"),
]

DICE = random.Random(4711)


def random_host():
    name = ".".join("".join(DICE.choices("abcxyz019", k=DICE.randint(1, 20))) for _ in range(DICE.randint(1, 5))) + ".example"
    address = ":".join(f"{DICE.randint(1, 65535):x}" for _ in range(8))
    return DICE.choice([name, name, f"[{address}]"]) + DICE.choice(["", "", f":{DICE.randint(1, 442)}", ":65535"])


# One site is one workspace with one branding, so the other places of the vectors need servers of their own.
PLACES = {"plain": ("rc.pexample.com", "px.pexample.com", ""), "port": ("rc.pexample.com:8443", "px.pexample.com:8443", ""),
          "other": ("chat.example.org", "meet.example.net", "rocket-chat_1")}
PLACES.update((f"w{number}", (random_host(), random_host(), "".join(DICE.choices("aZ9-_", k=DICE.choice([0, 1, 100]))))) for number in range(38))


def section(path):
    return f'<Location "{path}">\nSetHandler pexip-rc-go\nRequire all granted\n</Location>\n'


def sections(place, more=""):
    site, base, slug = place
    branding = f"PexipRCBrandingPath {slug}\n" if slug else ""
    return workspace(site=f"https://{site}", base=f"https://{base}", extra=branding + more) + section("/pexip/go") + section("/conference")


@pytest.fixture(scope="module")
def server(mpm):
    """A virtual host for each place; `slashes` and `kept` differ from the first in what httpd makes of an encoded slash."""
    hosts = {**{name: sections(place) for name, place in PLACES.items()},
             "slashes": sections(("slashes.example.com", "px.pexample.com", "rc"), more="AllowEncodedSlashes On\n"),
             "kept": sections(("kept.example.com", "px.pexample.com", "rc"), more="AllowEncodedSlashes NoDecode\n")}
    servers = Servers(mpm)
    port, = free_ports(1)
    try:
        yield servers("".join(f"<VirtualHost 127.0.0.1:{port}>\nServerName {name}.test\n{text}</VirtualHost>\n" for name, text in hosts.items()),
                      ports=[port])
    finally:
        bury(servers)


@pytest.fixture
def api(server):
    return api_of(server, "plain")


def api_of(server, name):
    return Api(server, headers={"Host": f"{name}.test"})


def links(api, alias):
    answer = api.call("GET", "/scheduling/links?alias=" + quote(alias, safe=""))
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json"), answer.text[:300]
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.json()


def refused(answer, word, status=400):
    assert answer.status == status and answer.headers["Content-Type"] == "application/problem+json"
    assert word in answer.json()["detail"]
    return True


# Links

def agrees(found, site, base, slug, alias):
    """Each link is what the reference makes of these parts."""
    once = quote(alias, safe="-._~")
    call_url = f"https://{base}{'/' + slug if slug else ''}/conference?conference={once}"
    path = f"conference/{once}?callUrl={quote(call_url, safe='-._~')}&callProvider=Pexip"
    query = f"conference?host={quote(site, safe='-._~')}&path={quote(path, safe='-._~')}"
    return found == {"go": "https://go.rocket.chat/" + query, "web": f"https://{site}/{path}", "desktop": "rocketchat://" + query,
                     "webapp": f"https://{base}/{slug or 'webapp'}/m/{once}", "short": f"https://{site}/pexip/go/{once}"}


@pytest.mark.once
@pytest.mark.parametrize("place", sorted({vector[:3] for vector in VECTORS}), ids=lambda place: " ".join(place))
def test_the_vectors_are_met_byte_by_byte(server, make_httpd, place):
    name = next((name for name, known in PLACES.items() if known == place), None)
    api = api_of(server, name) if name else Api(make_httpd(sections(place)))
    for *_, alias, link in (vector for vector in VECTORS if vector[:3] == place):
        found = links(api, alias)
        assert found["go"] == GO + link
        assert agrees(found, *place, alias)


ALIASES = ["7071234567", "x" * 250, "ä" * 125, "meet.alice@pexample.com", "Sales Team+1", "a/b?c=d&e#f%20g", "%2525", "...", "//", "{{x}}", "<&\"'>",
           "a%", "&callUrl=https://evil.example/", "/../../x", "\\", " ", "😀 \u202e", "?", "#", "=&="]

# How the clients read a link, one after the other: the desktop client, the web client, the web app.
READERS = """
const failures = [];
for (const {found, site, alias} of JSON.parse(require('fs').readFileSync(0, 'utf8'))) {
  try {
    const chain = [];
    for (const name of ['go', 'desktop']) {
      const link = new URL(found[name]);
      if (link.searchParams.get('host') !== site) chain.push('host');
      const path = link.searchParams.get('path');
      if (!/^conference\\//.test(path)) chain.push('path');
      const page = new URL(path, `https://${site}/`);
      if (page.href !== new URL(found.web).href) chain.push('page');
      if (decodeURIComponent(page.pathname) !== '/conference/' + alias) chain.push('route');
      if (page.searchParams.get('callProvider') !== 'Pexip') chain.push('provider');
      const call = new URL(page.searchParams.get('callUrl') + '&name=Nina Example');
      if (call.searchParams.get('conference') !== alias || call.searchParams.get('name') !== 'Nina Example') chain.push('call');
      if (call.origin !== new URL(found.webapp).origin) chain.push('origin');
    }
    for (const name of ['webapp', 'short']) {
      const last = new URL(found[name]).pathname.split('/').pop();
      if (decodeURIComponent(last) !== alias) chain.push(name);
    }
    if (chain.length) failures.push([alias, chain]);
  } catch (error) { failures.push([alias, String(error)]); }
}
console.log(JSON.stringify(failures));
"""


@pytest.mark.once
def test_what_the_clients_decode_is_what_was_meant(server):
    cases = []
    for name, (site, base, slug) in PLACES.items():
        for alias in DICE.sample(ALIASES, 8):
            found = links(api_of(server, name), alias)
            assert agrees(found, site, base, slug, alias)
            host, path = (parse_qs(urlsplit(found["go"]).query, strict_parsing=True)[key][0] for key in ("host", "path"))
            assert host == site and re.match("conference/", path)
            call_url = parse_qs(urlsplit(path).query, strict_parsing=True)["callUrl"][0]
            assert urlsplit(call_url).netloc == base and urlsplit(call_url).path == f"{'/' + slug if slug else ''}/conference"
            assert parse_qs(urlsplit(call_url).query, strict_parsing=True) == {"conference": [alias]}
            cases.append({"found": found, "site": site, "alias": alias})
    assert len(cases) > 300
    if shutil.which("node"):
        assert json.loads(node_says(READERS, json.dumps(cases))) == []


def node_says(script, text="", **env):
    return subprocess.run(["node", "-e", script], input=text, env={**os.environ, **env}, capture_output=True, text=True, check=True,
                          timeout=30 * PATIENCE).stdout


@pytest.mark.parametrize("query", ["", "?", "?alias", "?alias=", "?Alias=1", "?alias=.", "?alias=..", "?alias=%2e%2E", "?alias=%00", "?alias=a%00b", "?alias=a%0d%0ab",
                                   "?alias=%7f", "?alias=%ff", "?alias=%c0%af", "?alias=%ed%a0%80", "?alias=%zz", "?alias=%", "?alias=" + "x" * 251,
                                   "?alias=" + "%C3%A4" * 126, "?alias=" + "x" * 7000, "?alias=.&alias=1"], ids=lambda query: query[:20])
def test_an_alias_that_no_link_can_carry_is_refused(api, query):
    assert refused(api.call("GET", "/scheduling/links" + query), "alias")


def test_other_parameters_and_repetitions_change_nothing(api):
    assert api.call("GET", "/scheduling/links?x=%ff&alias=1&alias=2&host=evil.example").json() == links(api, "1")


@pytest.mark.parametrize("path", ["links?alias=1", "template?kind=personal&link=go"])
def test_only_reading_is_possible_and_only_for_those_who_may(server, api, path):
    assert api.call("HEAD", "/scheduling/" + path).body == b""
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        answer = api.call(method, "/scheduling/" + path)
        assert refused(answer, "GET", 405) and answer.headers["Allow"] == "GET, HEAD"
    assert Api(server, auth=None, headers={"Host": "plain.test"}).call("GET", "/scheduling/" + path).status == 401


@pytest.mark.parametrize("path", ["", "/", "/link", "/links/", "/links/x", "/templates", "/Template", "x/links"])
def test_there_is_nothing_else(api, path):
    assert refused(api.call("GET", f"/scheduling{path}?alias=1"), "nothing", 404)


# Joining instructions

class Fragment(HTMLParser):
    """HTML whose elements are closed in the order in which they were opened. Keeps rows and addresses."""

    def __init__(self, text):
        super().__init__()
        self.open, self.rows, self.hrefs, self.words = [], [], [], ""
        self.feed(text)
        self.close()
        assert self.open == [] and not self.rawdata
        assert "{" not in text and "}" not in text

    def handle_starttag(self, tag, attributes):
        inside = {"tr": "table", "td": "tr", "a": "td"}.get(tag)
        assert inside is None or self.open[-1] == inside
        assert {name for name, _ in attributes} == {"a": {"href"}, "table": {"cellpadding"}}.get(tag, set())
        self.open.append(tag)
        self.hrefs += [value for name, value in attributes if name == "href"]
        if tag == "tr":
            self.rows.append([])
        elif tag == "td":
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        assert "table" not in self.open or "td" in self.open or not data.strip()
        self.words += data
        if "td" in self.open:
            self.rows[-1][-1] += data

    @property
    def cells(self):
        return dict(self.rows)


def template(api, kind, link):
    answer = api.call("GET", f"/scheduling/template?kind={kind}&link={link}")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert 0 < len(answer.body) <= 12288 and not re.search("&(?!amp;)", answer.text)
    return answer.text


def rendered(text, **variables):
    """As strictly as can be: what is not supplied must not be used."""
    return jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(text).render(variables)


SINGLE = {"alias": "meet.7071234567@pexample.com", "numeric_alias": "7071234567", "alias_uuid": "1a0c8e0e-3f0a-4a6e-9d0c-0c2a1f4b7e55",
          "addin_server_domain": "px.pexample.com"}
PERSONAL = {"domain_aliases": ["nina@pexample.com", "n@pexample.com"], "other_aliases": ["nina"], "numeric_aliases": ["707123", "1"], "pin": "1234",
            "guest_pin": "5678", "allow_guests": True, "addin_server_domain": "px.pexample.com"}


@pytest.mark.parametrize("link", ["go", "web", "short"])
def test_single_use_instructions_lead_where_the_links_do(server, link):
    for name in ("plain", "port", "w1", "w2", "w3"):
        api = api_of(server, name)
        text = template(api, "single-use", link)
        page = Fragment(rendered(text, **SINGLE))
        assert page.hrefs == [links(api, "7071234567")[each] for each in (link, "webapp")]
        assert list(page.cells) == ["Rocket.Chat", "Browser", "Room system", "Number"]
        assert (page.cells["Room system"], page.cells["Number"]) == (SINGLE["alias"], SINGLE["numeric_alias"])
        assert page.words.rstrip().endswith("\n" + SINGLE["alias_uuid"])


def test_the_link_is_the_documented_one_with_its_variables(api):
    documented = (GO + "rc.pexample.com&path=conference%2F{{numeric_alias}}%3FcallUrl%3Dhttps%253A%252F%252F{{addin_server_domain}}%252Fconference"
                  "%253Fconference%253D{{numeric_alias}}%26callProvider%3DPexip")
    assert Fragment(rendered(template(api, "single-use", "go"), **SINGLE)).hrefs[0] == rendered(documented, **SINGLE)


@pytest.mark.parametrize("link", ["go", "web", "short"])
def test_personal_instructions_take_the_first_number(api, link):
    page = Fragment(rendered(template(api, "personal", link), **PERSONAL))
    assert page.hrefs == [links(api, "707123")[each] for each in (link, "webapp")]
    assert page.cells["Number"] == "707123" and "alias_uuid" not in template(api, "personal", link)


@pytest.mark.parametrize("lists, alias, number", [
    ({}, "nina@pexample.com", "707123"), ({"domain_aliases": []}, "nina", "707123"), ({"domain_aliases": [], "other_aliases": []}, "707123", "707123"),
    ({"numeric_aliases": []}, "nina@pexample.com", None), ({"domain_aliases": [], "numeric_aliases": []}, "nina", None),
    ({"domain_aliases": [], "other_aliases": [], "numeric_aliases": []}, None, None)])
def test_personal_instructions_say_what_there_is(api, lists, alias, number):
    page = Fragment(rendered(template(api, "personal", "go"), **{**PERSONAL, **lists}))
    assert page.cells.get("Room system") == alias and page.cells.get("Number") == number
    assert len(page.hrefs) == (2 if number else 1 if alias else 0)
    assert ("Rocket.Chat" in page.cells) is bool(number)
    if alias and not number:
        assert page.hrefs == [f"{WEB}/webapp/#/?conference={alias}"]


@pytest.mark.parametrize("allow_guests, pin, guest_pin, shown", [
    (False, "1234", "", "1234"), (False, "1234", "5678", "1234"), (True, "1234", "5678", "5678"), (True, "1234", "", None), (False, "", "", None),
    (False, None, None, None), (True, None, "5678", "5678")])
def test_personal_instructions_never_give_guests_the_hosts_pin(api, allow_guests, pin, guest_pin, shown):
    page = Fragment(rendered(template(api, "personal", "go"), **{**PERSONAL, "allow_guests": allow_guests, "pin": pin, "guest_pin": guest_pin}))
    assert page.cells.get("PIN") == shown


@pytest.mark.parametrize("query, word", [
    ("", "kind"), ("kind=", "kind"), ("kind=Personal&link=go", "kind"), ("kind=single-use%00&link=go", "kind"), ("kind=singleuse&link=go", "kind"),
    ("link=go", "kind"), ("kind=%ff&link=go", "kind"), ("kind=" + "x" * 5000, "kind"), ("kind=personal", "link"), ("kind=personal&link=", "link"),
    ("kind=personal&link=GO", "link"), ("kind=personal&link=webapp", "link"), ("kind=personal&link=desktop", "link"),
    ("kind=personal&link=" + "x" * 5000, "link"), ("kind=single-use&link=go,web", "link")], ids=lambda text: text[:30])
def test_another_template_there_is_not(api, query, word):
    assert refused(api.call("GET", "/scheduling/template?" + query), word)


# The short link

DESKTOP = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
PHONES = [{"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148"}, {"User-Agent": "Mozilla/5.0 (iPad; CPU OS 16_0 like Mac OS X)"},
          {"User-Agent": "Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile"}, {**DESKTOP, "Sec-CH-UA-Mobile": "?1"}]


def go(server, path, name="plain", method="GET", headers=DESKTOP):
    answer = server.request(method, path, headers={"Host": f"{name}.test", **headers})
    if answer.status == 302:
        assert answer.headers.get_all("Referrer-Policy") == ["no-referrer"] and answer.headers.get_all("Cache-Control") == ["no-store"]
        assert len(answer.headers.get_all("Location")) == 1 and answer.body == b""
    return answer


def lands(answer, location):
    assert (answer.status, answer.headers["Location"]) == (302, location)
    return True


def is_page(answer, status=404):
    assert answer.status == status and "Location" not in answer.headers
    assert answer.headers["Content-Type"].split(";")[0] == "text/html"
    return True


def varies(answer):
    return {each.strip() for each in answer.headers.get("Vary", "").split(",")} >= {"User-Agent", "Sec-CH-UA-Mobile"}


@pytest.mark.parametrize("headers", [DESKTOP, {}, {"User-Agent": ""}, {**DESKTOP, "Sec-CH-UA-Mobile": "?0"}], ids=str)
def test_a_desktop_is_led_to_the_client(server, api, headers):
    for alias in ("7071234567", "meet.alice@pexample.com", "Sales Team+1", "möte.åsa", "a?c=d&e#f%20g", "%2F", "x" * 250, "\\", "'\"<>"):
        answer = go(server, "/pexip/go/" + quote(alias, safe=""), headers=headers)
        assert lands(answer, links(api, alias)["go"]) and varies(answer)


@pytest.mark.parametrize("headers", PHONES, ids=str)
def test_a_phone_is_led_to_the_web_app(server, headers):
    answer = go(server, "/pexip/go/Sales%20Team%2B1", headers=headers)
    assert lands(answer, f"{WEB}/webapp/m/Sales%20Team%2B1") and varies(answer)


@pytest.mark.parametrize("headers", [DESKTOP, PHONES[0]], ids=["desktop", "phone"])
def test_either_can_be_asked_for(server, api, headers):
    for query in ("web", "web=1", "x=y&web"):
        assert lands(go(server, "/pexip/go/7?" + query, headers=headers), f"{WEB}/webapp/m/7")
    assert lands(go(server, "/pexip/go/7?app", headers=headers), links(api, "7")["go"])


def test_the_short_link_is_what_the_api_says(server):
    for name in ("plain", "w4", "w5"):
        found = links(api_of(server, name), "Ä 1")
        assert lands(go(server, urlsplit(found["short"]).path, name), found["go"])


def test_head_says_the_same_and_other_methods_are_refused(server):
    assert lands(go(server, "/pexip/go/7", method="HEAD", headers=PHONES[0]), f"{WEB}/webapp/m/7")
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        answer = go(server, "/pexip/go/7", method=method)
        assert answer.status == 405 and answer.headers["Allow"] == "GET, HEAD" and "Location" not in answer.headers


@pytest.mark.parametrize("path", ["/pexip/go//7", "//pexip//go///7", "/pexip/x/../go/7", "/pexip/go/%37"])
def test_slashes_may_be_doubled(server, api, path):
    assert lands(go(server, path), links(api, "7")["go"])


def test_an_absolute_address_is_read_alike(server, api):
    answer = server.raw(b"GET http://plain.test/pexip/go/7 HTTP/1.1\r\nHost: plain.test\r\nConnection: close\r\n\r\n")
    assert f"\r\nLocation: {links(api, '7')['go']}\r\n".encode() in answer


@pytest.mark.parametrize("name", ["slashes", "kept"])
def test_slashes_of_an_alias_arrive_where_httpd_lets_them(server, name):
    api = api_of(server, name)
    for alias in ("a/b", "/", "//x//", "a%2Fb", "a/../b", "https://evil.example/"):
        assert lands(go(server, "/pexip/go/" + quote(alias, safe=""), name), links(api, alias)["go"]), alias


HOSTILE = ["", "/", "/.", "/..", "/%2e", "/%2e%2e", "/a/b", "/a/", "/%00", "/a%00b", "/a%0d%0aSet-Cookie:%20x=y", "/%0a", "/%1b", "/%7f", "/%ff", "/%C3",
           "/%c0%af", "/%ed%a0%80", "/%zz", "/%", "/" + "x" * 251, "/" + "%C3%A4" * 126, "/" + "x" * 7900, "/a%2Fb", "/%2F%2Fevil.example", "?alias=7",
           "?conference=7", "/?conference=7", "//", "/%2e%2e/%2e%2e/join"]


@pytest.mark.parametrize("path", HOSTILE, ids=lambda path: path[:16])
@pytest.mark.parametrize("name", ["plain", "kept", "slashes"])
def test_nothing_else_leads_anywhere(server, path, name):
    if name != "plain" and "%2F" in path:
        return      # is an alias there
    server.expect("AH10244: invalid URI path")
    answer = go(server, "/pexip/go" + path, name)
    assert 400 <= answer.status < 500 and "Location" not in answer.headers and "Set-Cookie" not in answer.headers
    assert answer.headers["Content-Type"].split(";")[0] == "text/html"


def test_a_line_that_is_too_long_is_refused(server):
    assert go(server, "/pexip/go/" + "x" * 9000).status == 414


def test_what_leads_nowhere_says_so(server):
    answer = go(server, "/pexip/go/%3Cscript%3E%7f")
    assert is_page(answer) and "<script" not in answer.text
    assert answer.headers["Referrer-Policy"] == "no-referrer" and answer.headers["Cache-Control"] == "no-store"


# The address without branding path

@pytest.mark.parametrize("query, location", [
    ("conference=7", "/m/7"), ("conference=7&name=Nina%20Example", "/m/7?name=Nina%20Example"), ("x=1&conference=7&y&&z=%ff", "/m/7?x=1&y&z=%ff"),
    ("conference=Sales+Team%2B1", "/m/Sales%20Team%2B1"), ("conference=a%2Fb&name=a\"<b>", "/m/a%2Fb?name=a\"<b>"),
    ("conference=7&conference=8&pin=1", "/m/7?pin=1"), ("conference=%2F%2Fevil.example", "/m/%2F%2Fevil.example"),
    ("conference=7&" + "&".join(["a"] * 3000), "/m/7?" + "&".join(["a"] * 3000))], ids=lambda text: text[:24])
@pytest.mark.parametrize("name", ["plain", "w6"])
def test_the_root_conference_address_leads_to_the_meeting(server, name, query, location):
    _, base, slug = PLACES[name]
    assert lands(go(server, "/conference?" + query, name), f"https://{base}/{slug or 'webapp'}{location}")


@pytest.mark.parametrize("path", ["", "?", "?conference", "?conference=", "?conference=.", "?conference=%00", "?conference=%ff", "?conference=a%0d%0ab",
                                  "?conference=" + "x" * 251, "?conference=" + "x" * 7000, "?x=7", "/7", "/7?conference=7", "/conferences?conference=7"])
def test_a_root_conference_address_without_a_meeting_leads_nowhere(server, path):
    assert is_page(go(server, "/conference" + path))


# Windows

def early(api, seconds):
    begin = datetime.now(timezone.utc) + timedelta(seconds=seconds)
    return api.create(not_before=begin.isoformat(), not_after=(begin + timedelta(hours=1)).isoformat())


def opened(server, meeting, accept="text/html"):
    return server.request("GET", urlsplit(meeting["join_url"]).path, headers={"Host": "plain.test", "Accept": accept})


@pytest.mark.parametrize("seconds, most", [(3600, 300), (7 * 86400, 300), (120, 121)])
def test_who_is_too_early_sees_when_it_begins_and_waits(server, api, seconds, most):
    meeting = early(api, seconds)
    answer = opened(server, meeting)
    assert is_page(answer, 403)
    shown, = re.findall(r'<time datetime="([^"]*)">(\d{4}-\d\d-\d\d), (\d\d:\d\d) UTC</time>', answer.text)
    begin = datetime.fromisoformat(meeting["not_before"].replace("Z", "+00:00"))
    assert datetime.fromisoformat(shown[0].replace("Z", "+00:00")) == begin.replace(microsecond=begin.microsecond // 1000 * 1000)
    assert shown[1:] == (begin.strftime("%Y-%m-%d"), begin.strftime("%H:%M"))
    wait, = re.findall(r'<meta http-equiv="refresh" content="(\d+)">', answer.text)
    assert most - 60 * PATIENCE <= int(wait) <= most
    nonce, = set(re.findall(r"'nonce-([^']+)'", answer.headers["Content-Security-Policy"]))
    assert answer.headers["Content-Security-Policy"] == (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'")
    assert f'<script nonce="{nonce}">' in answer.text and answer.text.count("<script") == 1
    detail = opened(server, meeting, "application/json").json()["detail"]
    assert shown[0] in detail


# What a browser does with the page's script, as far as it needs a browser.
ELEMENT = "const element = {dateTime: '%s', textContent: 'UTC'}; globalThis.document = {querySelector: () => element};\n"


@pytest.mark.once
def test_the_moment_is_said_in_the_visitors_zone(server, api):
    answer = opened(server, early(api, 3600))
    script, = re.findall(r"<script nonce=[^>]*>(.*?)</script>", answer.text, re.S)
    assert "<" not in script and "eval" not in script
    if not shutil.which("node"):
        return
    frame = ELEMENT % "2026-12-31T22:30:00.000Z" + script + "\nconsole.log(element.textContent)"
    assert re.search(r"Friday, January 1, 2027.*7:30.AM.*GMT\+9", node_says(frame, TZ="Asia/Tokyo", LC_ALL="en_US.UTF-8"))
    assert re.search(r"Thursday, December 31, 2026.*5:30.PM", node_says(frame, TZ="America/New_York", LC_ALL="en_US.UTF-8"))
    assert node_says(ELEMENT % "rubbish" + script + "\nconsole.log(element.textContent)").strip() in ("UTC", "Invalid Date")


@pytest.mark.once
def test_the_page_that_was_loaded_anew_leads_in_once_the_window_is_open(server, api):
    meeting = early(api, 2 * PATIENCE)
    answer = opened(server, meeting)
    assert is_page(answer, 403)
    wait, = re.findall(r'<meta http-equiv="refresh" content="(\d+)">', answer.text)
    assert 1 <= int(wait) <= 2 * PATIENCE + 1
    landed = wait_until(lambda: (got := opened(server, meeting)).status == 303 and got, 10 * PATIENCE, "the window to open")
    assert unquote(landed.headers["Location"]).startswith(f"{WEB}/webapp/conference?conference={meeting['id']}&")
    begin = datetime.fromisoformat(meeting["not_before"].replace("Z", "+00:00"))
    assert datetime.now(timezone.utc) >= begin


@pytest.mark.once
def test_after_the_window_it_is_over(server, api):
    end = datetime.now(timezone.utc) + timedelta(seconds=1)
    meeting = api.create(not_after=end.isoformat())
    answer = wait_until(lambda: (got := opened(server, meeting)).status == 410 and got, 10 * PATIENCE, "the window to close")
    assert is_page(answer, 410) and "<script" not in answer.text and "refresh" not in answer.text
    assert opened(server, meeting, "application/json").status == 410
