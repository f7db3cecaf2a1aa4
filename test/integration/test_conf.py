"""The files of conf/ do what they say: as they are shipped, with every line put to use, and the example as a whole."""

import re
import subprocess
from pathlib import Path

import pytest

from conftest import Servers, bury
from examples import adapted
from meetings import Api
from pexip import Node, one_leg
from rocketchat import is_upstream
from waiting import wait_until
from workspace import ADMIN, NODES, SECRET_FILE, workspace

pytestmark = pytest.mark.any_mpm

CONF = Path(__file__).resolve().parents[2] / "conf"
REFERENCE = (CONF / "pexip_rc.conf").read_text()
REQUIRED = "PexipRCSiteURL https://chat.example.com\nPexipRCBaseURL https://meet.example.com\n"
GLOBAL = {"PexipRCMaxMeetings", "PexipRCMaxParticipants", "PexipRCStateDirectory", "PexipRCDatabase",
          "PexipRCEventLog"}

# Every line that an administrator may put to use by taking the # away.
LINES = re.findall(r"^#(PexipRC\w+ .+)$", REFERENCE, re.M)


def usable(line, httpd):
    """The line with the paths of a machine that is set up replaced by ones that exist here."""
    httpd.write("conf/one-line", "0123456789abcdef0123456789abcdef\n", 0o600)
    line = re.sub(r"/etc/apache2/pexip-rc\.(secret|rest|fallback)\b", SECRET_FILE, line)
    line = re.sub(r"/etc/apache2/pexip-rc\.(webhook|callback)\b", "conf/one-line", line)
    return line.replace("/var/lib/pexip-rc", str(httpd.root / "state"))


@pytest.fixture(scope="module")
def tester(mpm):
    """A server that is never started: it only looks at configurations."""
    servers = Servers(mpm)
    try:
        yield servers(start=False)
    finally:
        bury(servers)


def test_the_reference_changes_nothing_as_it_stands(tester):
    assert not [line for line in REFERENCE.splitlines() if line.strip() and not line.startswith("#")]
    tester.configure("", server=REFERENCE)
    assert tester.configtest()[0] == 0


def test_install_puts_files_into_place_and_keeps_an_edited_configuration(tmp_path):
    install = ["make", "-C", str(CONF.parent), "install", f"DESTDIR={tmp_path}"]
    subprocess.run(install, check=True, capture_output=True)
    available = tmp_path / "etc" / "apache2" / "mods-available"
    assert len(list(tmp_path.rglob("mod_pexip_rc.so"))) == 1
    assert (available / "pexip_rc.load").exists()
    (available / "pexip_rc.conf").write_text("# mine\n")
    said = subprocess.run(install, check=True, capture_output=True, text=True).stdout
    assert (available / "pexip_rc.conf").read_text() == "# mine\n" and "is kept" in said


@pytest.mark.parametrize("line", LINES)
def test_every_line_of_the_reference_can_be_put_to_use(tester, line):
    name = line.split()[0]
    line = usable(line, tester)
    if name in GLOBAL:
        tester.configure(REQUIRED, server=line)
    else:
        others = "".join(each + "\n" for each in REQUIRED.splitlines() if each.split()[0] != name)
        tester.configure(f"<VirtualHost 127.0.0.1:{tester.port}>\n{line}\n{others}</VirtualHost>")
    code, output = tester.configtest()
    assert code == 0, output


def test_all_lines_of_the_reference_go_together(tester):
    lines = [usable(line, tester) for line in LINES]
    server = "\n".join(line for line in lines if line.split()[0] in GLOBAL)
    own = "\n".join(line for line in lines if line.split()[0] not in GLOBAL)
    location = "<Location /pexip/status>\nPexipRCAllowAnonymous Off\n</Location>"
    tester.configure(f"<VirtualHost 127.0.0.1:{tester.port}>\n{own}\n{location}\n</VirtualHost>", server=server)
    code, output = tester.configtest()
    assert code == 0, output


# Settings whose default is shown as a value: putting the line to use must change nothing.
DEFAULTS = [line for line in LINES if line.split()[0] in {
    "PexipRCTheme", "PexipRCLayout", "PexipRCLocked", "PexipRCPins", "PexipRCNumericAlias", "PexipRCJoinURL",
    "PexipRCMeetingPath", "PexipRCEndGrace", "PexipRCMeetingLifetime", "PexipRCConcurrentCalls", "PexipRCRoomAlias",
    "PexipRCPersistentChat", "PexipRCDiscussionName"}]
DEFAULTS += ["PexipRCServiceOption enable_overlay_text true", "PexipRCServiceOption service_tag rocket.chat"]


def test_the_defaults_are_the_ones_that_the_reference_shows(make_httpd):
    """Two workspaces side by side, one of which says what is the default anyway."""
    server = make_httpd("", start=False, ports=2)
    ports = server.ports
    server.configure("".join(
        f"<VirtualHost 127.0.0.1:{port}>\n{workspace(site=site, grace=None, extra=extra)}\n</VirtualHost>\n"
        for port, site, extra in (
            (ports[0], "https://a.example.com", ""),
            (ports[1], "https://b.example.com",
             "\n".join(line for line in DEFAULTS if not line.startswith("PexipRCJoinURL"))))))
    server.start()
    seen = []
    for port in ports:
        meeting = Api(server, port=port).create()
        node = Node("10.9.1.1", server, port=port)
        answer = node.policy(meeting["id"]).json()["result"]
        lifetime = (meeting["expires_at"] > meeting["created_at"], meeting["numeric_alias"])
        link = Api(server, port=port).link(meeting["id"], {"id": "u"})["url"]
        hidden = {"name": "", "pin": len(answer["pin"]), "guest_pin": len(answer["guest_pin"])}
        seen.append(({**answer, **hidden}, lifetime, re.sub(r"conference=\w+|pin=\d+", "", link)))
    assert seen[0] == seen[1]


def test_the_example_carries_a_meeting_over_tls_beside_a_proxied_workspace(make_httpd, upstream):
    server = make_httpd("", start=False, tls=True)
    server.make_certificate(["chat.example.com"])
    server.configure(adapted((CONF / "examples" / "rocketchat.conf").read_text(), server, upstream.url.rstrip("/")))
    server.start()

    api, node = Api(server), Node("10.9.2.1", server)
    meeting = api.create(title="Weekly")
    node.started()
    assert node.policy(meeting["id"], remote_display_name="Nina Secretive").status == 200
    node.conference_started(meeting["id"])
    one_leg(node, meeting["id"], "Nina Secretive")
    assert api.read(meeting["id"])["participant_count"] == 1
    path = re.sub(r"^https://[^/]+", "", meeting["join_url"])
    joined = server.request("GET", path + "?name=Nina%20Secretive")
    assert joined.status == 303 and joined.headers["Location"].startswith("https://meet.example.com/webapp/")
    assert server.request("GET", "/pexip/status?json", auth=ADMIN).json()["status"] == "ok"
    assert server.request("GET", "/pexip/go/707").headers["Location"] == api.call("GET", "/scheduling/links?alias=707").json()["go"]
    assert is_upstream(server.request("GET", "/channel/general"))
    assert server.request("GET", "/pexip/policy/v1/service/configuration").status == 401
    server.expect("AH01618: user .* not found")
    assert server.request("GET", "/pexip/api/v1/meetings", auth=NODES).status == 401

    log = server.root / "logs" / "example.log"
    wait_until(lambda: "/pexip/join/" in log.read_text(), 5)
    assert "?" not in log.read_text() and "Secretive" not in log.read_text()
