"""pexip-rc-setup against a stand-in management node: what it changes, what it leaves alone, and what it makes of trouble."""

import io
import json
import re
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import redirect_stderr, redirect_stdout
from typing import NamedTuple

import pytest
from httpd import PATIENCE, REPOSITORY, free_ports
from management import BASE, CSP, USER, Handler, Management, TlsServer
from workspace import ADMIN, NODES, PREFIX, SITE, secret_lines, workspace

sys.path.insert(0, str(REPOSITORY / "src" / "setup"))
sys.dont_write_bytecode = True

from pexip_rc_setup import csp, scheduler  # noqa: E402
from pexip_rc_setup.client import Client  # noqa: E402
from pexip_rc_setup.command import main  # noqa: E402
from pexip_rc_setup.report import SetupError, shown  # noqa: E402
from pexip_rc_setup.wire import basic, trust  # noqa: E402

pytestmark = pytest.mark.once

MARK = f"Made by pexip-rc-setup for {SITE}"
LINK = ("https://go.rocket.chat/conference?host=chat.example.com&path=conference%2F{{numeric_alias}}%3FcallUrl%3Dhttps%253A%252F%252F"
        "{{addin_server_domain}}%252Frc%252Fconference%253Fconference%253D{{numeric_alias}}%26callProvider%3DPexip")
TEMPLATE = f'<table><tr><td>Web</td><td><a href="https://x/rc/m/{{{{numeric_alias}}}}">x</a></td></tr>' \
           f'<tr><td><a href="{LINK.replace("&", "&amp;")}">y</a></td></tr></table>'
# Names that somebody may have given to things: markup, line ends, what turns a terminal or the reading direction, long ones.
NAMES = ["<script>alert(1)</script>&amp;\"'", "two\r\nlines\x1b[31m\x00?", "Ωμέγα/会議室?name=x&limit=0#", "\u202ecba\u2066 x\u2069",
         "e\u0301 " * 83, "x" * 250, "../1/", "--apply", "%00%0a"]


class Done(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def text(self):
        return self.out + self.err


def branding_zip(path, title="one", origin=SITE, source="./plugins/rc-chat/index.html", more=()):
    with zipfile.ZipFile(path, "w") as package:
        for name, content in [
                ("webapp3/branding/manifest.json", json.dumps({"brandName": title, "plugins": [{"id": "rc-chat", "src": source}]})),
                ("webapp3/branding/plugins/rc-chat/index.html", "<!DOCTYPE html>"),
                ("webapp3/branding/plugins/rc-chat/config.json", json.dumps({"rcOrigin": origin})), *more]:
            package.writestr(zipfile.ZipInfo(name), content)
    return path


@pytest.fixture(scope="module")
def management(tmp_path_factory):
    with Management(tmp_path_factory.mktemp("management")) as node:
        yield node


@pytest.fixture
def node(management):
    """As it is after the installation, with two locations, one of which has a policy and a sink already."""
    management.reset()
    furnish(management)
    yield management
    assert not management.problems


def furnish(management):
    management.other_sink = management.add("event_sink", name="recorder", url="https://recorder.example.com/", version=1)
    management.other_policy = management.add("policy_server", name="other", url="https://policy.example.com")
    management.add("system_location", name="Oslo", event_sinks=[management.other_sink])
    management.add("system_location", name="Overflow", policy_server=management.other_policy, event_sinks=[management.other_sink])
    management.add("ms_exchange_connector", name="Outlook", addin_server_domain="meet.example.com")


@pytest.fixture
def files(tmp_path, management):
    """Directory with the files that the arguments name."""
    (tmp_path / "password").write_text(USER[1] + "\n")
    (tmp_path / "secret").write_text(secret_lines(*NODES))
    (tmp_path / "template").write_text(TEMPLATE)
    branding_zip(tmp_path / "plugin.zip")
    return tmp_path


@pytest.fixture
def setup(management, files):
    """setup("--apply", ...) -> what became of it. full=True names everything that can be set up."""
    def run(*arguments, full=False, ca=management.ca, node=None, standard=True):
        given = ["--node", node or f"localhost:{management.port}", "--site", SITE, "--password-file", files / "password"]
        if standard:
            given += ["--credentials", files / "secret"]
        if ca:
            given += ["--ca", ca]
        if full:
            given += ["--location", "Oslo", "--sink-location", "Overflow", "--branding", files / "plugin.zip", "--path", "rc",
                      "--scheduler", "Outlook", "--scheduler-template", files / "template", "--trust", management.ca]
        return call(*given, *arguments)
    return run


def call(*arguments):
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            status = main([str(each) for each in arguments])
        except SystemExit as end:       # argparse's
            status = end.code
    done = Done(status, out.getvalue(), err.getvalue())
    assert USER[1] not in done.text and NODES[1] not in done.text
    return done


# What is set up

def test_without_apply_nothing_is_changed_but_everything_is_told(node, setup):
    before = node.state()
    done = setup(full=True)
    assert done.status == 1 and node.state() == before and not node.writes()
    for line in ('policy profile "rocket.chat": is made', "https://chat.example.com/pexip\n", "(secret)",
                 'event sink "rocket.chat": is made', "https://chat.example.com/pexip/events", 'system location "Oslo": is changed',
                 'nothing -> the new policy profile "rocket.chat"', '1 kept, added: the new event sink "rocket.chat"',
                 'theme "rocket.chat": is made', 'web app path "rc": is made', "added: https://chat.example.com",
                 'scheduler "Outlook": is changed', "trusted authority", "changes are needed; --apply makes them"):
        assert line in done.out, line


def test_everything_is_set_up_at_once(node, setup, files):
    done = setup("--apply", full=True)
    assert done.status == 0, done.text
    policy, sink = node.named("policy_server", "rocket.chat"), node.named("event_sink", "rocket.chat")
    assert policy["url"] == f"{SITE}/pexip" and (policy["username"], policy["password"]) == NODES
    assert [name for name, value in policy.items() if value is True] == ["enable_service_lookup"]
    assert sink["url"] == f"{SITE}/pexip/events" and (sink["username"], sink["password"]) == NODES
    assert sink["version"] == 2 and sink["verify_tls_certificate"] is True and sink["bulk_support"] is True

    sink_uri = node.uri_named("event_sink", "rocket.chat")
    oslo, overflow = node.named("system_location", "Oslo"), node.named("system_location", "Overflow")
    assert oslo["policy_server"] == node.uri_named("policy_server", "rocket.chat")
    assert oslo["event_sinks"] == [node.other_sink, sink_uri] == overflow["event_sinks"]
    assert overflow["policy_server"] == node.other_policy

    theme = zipfile.ZipFile(io.BytesIO(node.files[node.uri_named("ivr_theme", "rocket.chat")]))
    assert theme.namelist() == ["themeconfig.json"] and json.loads(theme.read("themeconfig.json")) == {"theme_version": 2}
    path = node.named("webapp_alias", "rc", "slug")
    assert path["webapp_type"] == "webapp3" and path["is_enabled"] is True
    assert node.files[path["branding"]] == (files / "plugin.zip").read_bytes()

    policy = node.objects["global"]["1"]["content_security_policy_header"]
    assert policy == CSP.replace("frame-ancestors 'self'", f"frame-ancestors 'self' {SITE}").replace(
        "https://*.microsoft.com; style", f"https://*.microsoft.com {SITE}; style")
    assert len(node.objects["ca_certificate"]) == 1
    connector = node.named("ms_exchange_connector", "Outlook")
    for field in (scheduler.SINGLE, scheduler.PERSONAL):
        assert connector[field].count(LINK.replace("&", "&amp;")) == 1 and "\n" not in connector[field].replace("\r\n", "")
    assert "Left to be done by hand" in done.out


def test_a_second_run_sends_nothing(node, setup):
    assert setup("--apply", full=True).status == 0
    state, sent = node.state(), len(node.writes())
    assert sent
    for arguments in ((), ("--apply",), ("--apply", "--json")):
        done = setup(*arguments, full=True)
        assert done.status == 0 and len(node.writes()) == sent and node.state() == state, done.text
    assert "nothing has to be changed" in setup(full=True).out


def test_what_somebody_has_changed_is_put_right_and_nothing_else(node, setup):
    assert setup("--apply", full=True).status == 0
    node.named("event_sink", "rocket.chat").update(version=1, description="mine")
    node.named("policy_server", "rocket.chat").update(enable_avatar_lookup=True, description="mine")
    node.named("webapp_alias", "rc", "slug")["is_enabled"] = False
    sent = len(node.writes())
    done = setup("--apply", full=True)
    assert done.status == 0 and "1 -> 2" in done.out
    assert [request.json() for request in node.writes()[sent:]] == [{"version": 2}, {"is_enabled": True}]
    assert node.named("event_sink", "rocket.chat")["description"] == "mine"


def test_the_secret_is_sent_again_with_another_user_or_when_told(node, setup, files):
    assert setup("--apply").status == 0
    sent = len(node.writes())
    (files / "secret").write_text(secret_lines(NODES[0], NODES[1][::-1]))
    assert setup("--apply").status == 0 and len(node.writes()) == sent
    assert setup("--apply", "--set-secret").status == 0
    assert {node.named(each, "rocket.chat")["password"] for each in ("policy_server", "event_sink")} == {NODES[1][::-1]}
    (files / "secret").write_text(secret_lines("others", NODES[1]))
    done = setup("--apply")
    assert done.status == 0 and "pexip -> others" in done.out
    for each in ("policy_server", "event_sink"):
        assert (node.named(each, "rocket.chat")["username"], node.named(each, "rocket.chat")["password"]) == ("others", NODES[1])


def test_parts_can_be_chosen(node, setup):
    assert setup("--apply", "--only", "events").status == 0
    assert [request.path for request in node.writes()] == [f"{BASE}/event_sink/"]
    assert setup("--apply", "--skip", "policy,csp", "--skip", "theme", "--location", "Oslo").status == 0
    assert [request.method for request in node.writes()] == ["POST", "PATCH"]
    oslo = node.named("system_location", "Oslo")
    assert oslo["policy_server"] is None and len(oslo["event_sinks"]) == 2
    assert setup("--only", "everything").status == 2


def test_more_lookups_can_be_switched_on(node, setup):
    assert setup("--apply", "--only", "policy", "--lookup", "service", "--lookup", "media-location").status == 0
    policy = node.named("policy_server", "rocket.chat")
    assert [name for name, value in policy.items() if value is True] == ["enable_service_lookup", "enable_media_location_lookup"]
    assert setup("--apply", "--only", "policy", "--lookup", "participant").status == 0
    assert policy["enable_participant_lookup"] and policy["enable_service_lookup"]


def test_json_tells_the_same(node, setup):
    told = json.loads(setup("--json", full=True).out)
    assert told["status"] == 1 and {each["state"] for each in told["changes"]} == {"planned"}
    assert [each["part"] for each in told["changes"]] == ["ca", "policy", "events", "locations", "locations", "theme", "branding",
                                                          "branding", "csp", "scheduler"]
    assert {"name": "password", "old": None, "new": "(secret)"} in told["changes"][1]["fields"]
    told = json.loads(setup("--json", "--apply", full=True).out)
    assert told["status"] == 0 and {each["state"] for each in told["changes"]} == {"done"} and told["by_hand"]
    node.fault = len(node.requests), "403"
    told = json.loads(setup("--json", full=True).out)
    assert told["status"] == 2 and "403" in told["errors"][0]


# What belongs to others

def test_another_policy_profile_is_replaced_only_when_told(node, setup):
    before = node.state()
    done = setup("--apply", "--location", "Overflow")
    assert done.status == 2 and 'another policy profile, "other"' in done.err and "PexipRCPolicyFallback" in done.err
    assert node.state() == before
    assert setup("--apply", "--location", "Overflow", "--replace-policy").status == 0
    assert node.named("system_location", "Overflow")["policy_server"] == node.uri_named("policy_server", "rocket.chat")


@pytest.mark.parametrize("part, resource, path", [("policy", "policy_server", "/pexip"), ("events", "event_sink", "/pexip/events")])
def test_what_leads_elsewhere_under_our_name_is_taken_over_only_when_told(node, setup, part, resource, path):
    vendor = node.at(node.add(resource, name="rocket.chat", url="https://chat.example.com/api/apps/public/7fc612f5"))
    done = setup("--apply", "--only", part)
    assert done.status == 2 and "api/apps/public" in done.err and "--take-over" in done.err and not node.writes()
    assert setup("--apply", "--only", part, "--take-over").status == 0 and vendor["url"] == SITE + path
    vendor["url"] += "/"
    assert setup("--apply", "--only", part).status == 0 and vendor["url"] == SITE + path
    vendor.update(url=f"{SITE}/old", description=MARK)
    done = setup("--apply", "--only", part)
    assert done.status == 0 and f"{SITE}/old -> {SITE}{path}" in done.out and vendor["url"] == SITE + path


def test_a_theme_that_is_there_is_replaced_only_when_told(node, setup, files):
    theme = node.add("ivr_theme", name="rocket.chat")
    assert setup("--apply", "--only", "theme").status == 0 and not node.writes()
    with zipfile.ZipFile(files / "theme.zip", "w") as package:
        package.writestr("conf.txt", bytes(range(256)) * 300)
    done = setup("--apply", "--only", "theme", "--replace-theme", "--theme", files / "theme.zip")
    assert done.status == 0 and "old style" in done.out
    assert node.files[theme] == (files / "theme.zip").read_bytes() and node.writes()[-1].method == "PATCH"


def test_a_new_package_is_shown_before_the_old_one_is_deleted(node, setup, files):
    foreign = node.add("webapp_branding", name="rocket.chat by hand", description="mine", webapp_type="webapp3")
    elsewhere = node.add("webapp_branding", name="rocket.chat 0", description=MARK, webapp_type="webapp3")
    node.add("webapp_alias", slug="second", webapp_type="webapp3", branding=elsewhere)
    default = node.add("webapp_branding", name="Pexip", description=MARK, webapp_type="webapp3", is_default=True)
    assert setup("--apply", full=True).status == 0
    first = node.named("webapp_alias", "rc", "slug")["branding"]
    branding_zip(files / "plugin.zip", "two")
    sent = len(node.writes())
    done = setup("--apply", full=True)
    assert done.status == 0, done.text
    second = node.named("webapp_alias", "rc", "slug")["branding"]
    assert [(each.method, each.path) for each in node.writes()[sent:]] == [
        ("POST", f"{BASE}/webapp_branding/"), ("PATCH", node.uri_named("webapp_alias", "rc", "slug")), ("DELETE", first)]
    assert second != first and {node.uri("webapp_branding", each) for each in node.objects["webapp_branding"]} == {
        foreign, elsewhere, default, second}


def test_a_path_that_shows_somebody_elses_package_is_left_alone(node, setup):
    foreign = node.add("webapp_branding", name="House style", description="", webapp_type="webapp3")
    node.add("webapp_alias", slug="rc", webapp_type="webapp3", branding=foreign)
    done = setup("--apply", full=True)
    assert done.status == 2 and '"House style"' in done.err and not node.writes()
    assert setup("--apply", "--replace-branding", full=True).status == 0
    assert foreign in {node.uri("webapp_branding", each) for each in node.objects["webapp_branding"]}


def test_a_path_for_the_older_web_app_is_a_conflict(node, setup):
    node.add("webapp_alias", slug="rc", webapp_type="webapp2")
    done = setup("--apply", full=True)
    assert done.status == 2 and "webapp2" in done.err and not node.writes()


def test_a_path_without_a_package_keeps_the_one_that_it_has(node, setup):
    foreign = node.add("webapp_branding", name="House style", description="", webapp_type="webapp3")
    node.add("webapp_alias", slug="rc", webapp_type="webapp3", branding=foreign, is_enabled=False)
    assert setup("--apply", "--only", "branding", "--path", "rc").status == 0
    assert node.writes()[-1].json() == {"is_enabled": True}
    assert setup("--apply", "--only", "branding", "--path", "new").status == 0
    assert node.named("webapp_alias", "new", "slug")["branding"] is None


def test_two_objects_of_one_name_are_a_conflict(node, setup):
    for _ in range(2):
        node.add("policy_server", name="rocket.chat")
    done = setup("--apply")
    assert done.status == 2 and "there are 2 objects of policy_server" in done.err and not node.writes()


def test_names_are_compared_exactly(node, setup):
    """Some databases find what differs in capitals only."""
    node.loose_filters = True
    node.add("policy_server", name="Rocket.Chat", url="https://other.example.com")
    assert setup("--apply").status == 0
    assert node.named("policy_server", "Rocket.Chat")["url"] == "https://other.example.com"
    assert node.named("policy_server", "rocket.chat")["url"] == f"{SITE}/pexip"


def test_a_sink_of_another_name_that_sends_here_is_a_conflict(node, setup):
    node.add("event_sink", name="by hand", url=f"{SITE}/pexip/events")
    done = setup("--apply")
    assert done.status == 2 and '"by hand"' in done.err and "--sink-name" in done.err and not node.writes()
    assert setup("--apply", "--sink-name", "by hand").status == 0


def test_a_location_that_is_not_there_is_told_with_those_that_are(node, setup):
    for number in range(50):
        node.add("system_location", name=f"Branch {number:02}")
    done = setup("--apply", "--location", "Bergen", "--location", "Branch 49")
    assert done.status == 2 and not node.writes()
    assert 'there is no system location "Bergen"' in done.err and "Branch 49, Oslo, Overflow" in done.err
    assert setup("--apply", "--location", "Branch 49").status == 0


def test_the_policy_of_pages_is_left_off_where_it_is_off(node, setup):
    node.objects["global"]["1"].update(content_security_policy_state=False, enable_application_api=False)
    done = setup("--apply", "--only", "csp")
    assert done.status == 0 and "switched off and stays so" in done.out and "Pexip apps" in done.out
    assert list(node.writes()[-1].json()) == ["content_security_policy_header"]
    node.objects["global"]["1"]["content_security_policy_header"] = "frame-src " + "https://a.example.com " * 186
    done = setup("--apply", "--only", "csp")
    assert done.status == 2 and "4096 are possible" in done.err
    node.objects["global"]["1"]["content_security_policy_header"] = ""
    assert setup("--apply", "--only", "csp").status == 0


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_any_name_can_be_used_and_none_reaches_the_terminal_as_it_is(node, setup, files, name):
    if "\0" in name:
        name = name.replace("\0", "")       # no argument can hold it
    node.add("system_location", name=name)
    node.add("ms_exchange_connector", name=name)
    for field in ("policy", "sink", "theme"):
        node.add({"policy": "policy_server", "sink": "event_sink", "theme": "ivr_theme"}[field], name=name + "x")
    arguments = [f"--location={name}", f"--policy-name={name}", f"--sink-name={name}", f"--theme-name={name}",
                 f"--branding-name={name}", f"--scheduler={name}", "--scheduler-template", files / "template",
                 "--branding", files / "plugin.zip", "--path", "rc"]
    done = setup("--apply", *arguments)
    assert done.status == 0, done.text
    assert shown(name) in done.out and all(c.isprintable() for c in done.text.replace("\n", ""))
    location = node.named("system_location", name)
    assert location["policy_server"] == node.uri_named("policy_server", name)
    assert location["event_sinks"] == [node.uri_named("event_sink", name)]
    assert node.uri_named("ivr_theme", name) in node.files
    sent = len(node.writes())
    assert setup("--apply", *arguments).status == 0 and len(node.writes()) == sent


# Other versions

def test_what_a_version_does_not_know_is_left_out_and_told(management, setup):
    management.reset(without={"event_sink": ["bulk_support", "filter_events"], "policy_server": ["enable_participant_lookup"]})
    furnish(management)
    done = setup("--apply", full=True)
    assert done.status == 0 and "has no bulk_support, filter_events; left out" in done.out
    assert not management.problems and "bulk_support" not in management.named("event_sink", "rocket.chat")
    sent = len(management.writes())
    assert setup("--apply", full=True).status == 0 and len(management.writes()) == sent


@pytest.mark.parametrize("without, said", [
    ({"event_sink": ["version"]}, "has no version in event_sink"),
    ({"webapp_alias": None, "webapp_branding": None}, "does its version have this resource"),
    ({"global": ["content_security_policy_header"]}, "has no content_security_policy_header"),
])
def test_what_cannot_be_left_out_stops_everything_before_it_begins(management, setup, without, said):
    management.reset(without=without)
    furnish(management)
    done = setup("--apply", full=True)
    assert done.status == 2 and said in done.err and not management.writes() and not management.problems


# Trouble

def final_state(management, setup):
    management.reset()
    furnish(management)
    assert setup("--apply", full=True).status == 0
    return management.state(), [each.method for each in management.requests]


def test_whatever_fails_on_the_way_a_second_run_gets_to_the_same_end(management, setup):
    """Each request in turn is refused, cut off before it was acted on, or loses its answer."""
    final, methods = final_state(management, setup)
    for number, method in enumerate(methods):
        for kind in ("cut", "lost", ("500", "late_500")[number % 2]) if method != "GET" else (("500", "cut")[number % 2],):
            management.reset()
            furnish(management)
            before = management.state()
            management.fault = number, kind
            done = setup("--apply", full=True)
            assert done.status == 2 and done.err, (number, kind)
            if method == "GET":
                assert management.state() == before and not management.writes(), (number, kind)
                continue
            assert "run it again" in done.err and (done.out.count("not done: ") or number == len(methods) - 1), (number, kind)
            management.fault = None
            again = setup("--apply", full=True)
            assert again.status == 0 and management.state() == final, (number, kind, again.text)
            assert not management.problems


def test_a_failure_says_what_was_done_and_what_was_not(node, setup):
    setup()
    reads = len(node.requests)
    node.fault = 2 * reads + 1, "cut"       # the second of what is written
    done = setup("--apply")
    assert done.status == 2 and len(node.writes()) == 2
    assert 'done: policy profile "rocket.chat" is made\n' in done.out
    assert 'event sink "rocket.chat": ' in done.err and "not known whether this was done" in done.err
    assert re.findall("^not done: (.*)", done.out, re.M) == ['theme "rocket.chat" is made', "Content-Security-Policy of the global settings is changed"]


@pytest.mark.parametrize("kind, said", [
    ("403", "may not do that"), ("404", "is it the management node"), ("redirect", "not followed"), ("garbage", "no JSON object"),
    ("deep", "no JSON object"), ("list", "no JSON object"), ("short", "connection broke"), ("huge", "longer than"),
    ("hang", "no answer within 1 seconds"), ("dribble", "no answer within 1 seconds"), ("loop", "has no end"),
    ("foreign_page", "next page"), ("429_for_long", "429"),
])
def test_an_answer_that_is_none_is_told_and_changes_nothing(node, setup, kind, said):
    arguments = ("--apply", "--only", "policy", "--timeout", "1" if kind in ("hang", "dribble") else "60")
    node.fault = 0, kind
    began = time.monotonic()
    done = setup(*arguments)
    assert done.status == 2 and said in done.err, done.text
    assert time.monotonic() - began < 30 * PATIENCE
    assert not node.writes() and "elsewhere" not in [each.path for each in node.requests]


def test_who_asks_too_often_waits_as_long_as_he_is_told(node, setup):
    for number in (0, 2):       # a question, and what makes an object
        node.reset()
        node.fault = number, "429"
        began = time.monotonic()
        assert setup("--apply", "--only", "policy").status == 0
        assert time.monotonic() - began >= 1 and node.requests[number][:2] == node.requests[number + 1][:2]
        assert node.named("policy_server", "rocket.chat")


def test_a_refusal_is_told_field_by_field(node, setup):
    node.schema["event_sink"]["url"] = node.schema["event_sink"]["url"]._replace(limit=10)
    done = setup("--apply", "--only", "events")
    assert done.status == 2 and "400, url: Ensure this value has at most 10 characters" in done.err
    assert "not known" not in done.err


LISTS = [f"{BASE}/event_sink/", f"{BASE}/event_sink", f"{BASE}/event_sink/set/1;2/", f"{BASE}/event_sink/schema/", f"{BASE}/event_sink/1/../",
         f"{BASE}/event_sink/1/?x=", "", None, 1, f"{BASE}//1/", "/admin/1/"]


@pytest.mark.parametrize("uri", LISTS)
def test_only_single_objects_are_changed_or_deleted(node, uri):
    client = Client("localhost", node.port, *USER, trust(node.ca))
    before = node.state()
    for write in (client.delete, lambda target: client.change(target, {})):
        with pytest.raises(SetupError):
            write(uri)
    with pytest.raises(SetupError):
        client._ask("DELETE", uri)
    assert not node.requests and node.state() == before


@pytest.mark.parametrize("uri", [each for each in LISTS if each] + [{"resource_uri": f"{BASE}/event_sink/"}, [], True])
def test_a_management_node_cannot_name_a_list_as_an_object(node, setup, uri):
    node.add("webapp_branding", name="old", description=MARK, webapp_type="webapp3")
    node._leads_to = node.uri = lambda *_: uri
    try:
        done = setup("--apply", full=True)
    finally:
        del node.uri, node._leads_to
    assert done.status == 2 and {each.method for each in node.requests} == {"GET"}


def test_a_wrong_password_is_told_once(node, setup, files):
    (files / "password").write_text("some-other-word\n")
    done = setup("--apply")
    assert done.status == 2 and done.err.count("user or password is wrong") == 1 and len(node.requests) == 1


def test_who_cannot_be_trusted_or_reached_gets_no_password(node, setup):
    done = setup("--apply", ca=None)
    assert done.status == 2 and "certificate" in done.err and "--ca" in done.err
    done = setup("--apply", node=f"127.0.0.2:{node.port}")
    assert done.status == 2 and not node.requests


@pytest.mark.parametrize("arguments, said", [
    (["--policy-url", "http://chat.example.com/pexip"], "must be https"),
    (["--policy-url", f"{SITE}/pexip/policy/v1"], "add /policy/v1/ themselves"),
    (["--events-url", "https://user:word@chat.example.com/"], "must be https"),
    (["--events-url", f"{SITE}/" + "x" * 250], "255 characters"),
    (["--events-url", f"{SITE}/a b"], "must be https"),
    (["--site", f"{SITE}/path"], "must not have a path"), (["--site", "https://chat.example.com;x"], "must be https"),
    (["--site", "https://чат.example.com"], "must be https"), (["--site", ""], "must be https"),
    (["--node", "manager.example.com/x"], "must not have a path"), (["--node", "manager.example.com:99999"], "must be https"),
    (["--path", "a/b"], "letters, digits"), (["--path", ""], "letters, digits"), (["--location", ""], "1 to 250"),
    (["--location", "x" * 251], "1 to 250"), (["--location", "\udcff"], "UTF-8"), (["--branding", "x.zip"], "--path"),
    (["--credentials", "/nonexistent"], "cannot be read"), (["--ca", "/dev/null"], "no certificates"),
    (["--trust", "/dev/null"], "no certificate"), (["--timeout", "0"], "1 to 600"), (["--user", "a:b"], "colon"),
    (["--scheduler", "Outlook"], "--api-credentials"), (["--credentials", "/dev/zero"], "longer than"),
])
def test_arguments_are_checked_before_anybody_is_asked(node, setup, arguments, said):
    done = setup(*arguments)
    assert done.status == 2 and said in done.err and not node.requests, done.text


@pytest.mark.parametrize("text", [b"", b"nodes\n", b"nodes\n\n", b"nodes\nsecret\nmore\n", b"\xff\nsecret\n", b"a\x01\nsecret\n",
                                  b"nodes\n" + b"x" * 101 + b"\n", b"x" * 5000])
def test_a_file_of_secrets_must_be_right(node, setup, files, text):
    (files / "secret").write_bytes(text)
    assert setup().status == 2 and not node.requests


def test_a_password_is_taken_from_a_file_or_a_terminal_only(node, setup, monkeypatch):
    given = ("--node", f"localhost:{node.port}", "--ca", node.ca, "--site", SITE, "--only", "theme")
    assert call(*given, "--password", "x").status == 2
    monkeypatch.setattr("sys.stdin", io.StringIO(USER[1]))
    assert "nobody can be asked" in call(*given).err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda prompt: USER[1])
    assert call(*given).status == 1
    monkeypatch.setattr("getpass.getpass", lambda prompt: "")
    assert call(*given).status == 2


def test_a_secret_that_somebody_sends_back_is_not_printed(node, setup):
    node.add("system_location", name=f"{NODES[1]} and {USER[1]}")
    for form in ((), ("--json",)):
        done = setup("--location", "nowhere", *form)      # lists those that are there
        assert done.status == 2 and "(secret) and (secret)" in done.text


# Packages

@pytest.mark.parametrize("spoil, said", [
    (lambda path: path.write_bytes(b"PK"), "is no ZIP file"), (lambda path: path.unlink(), "cannot be read"),
    (lambda path: branding_zip(path, more=[("webapp3/../x", "")]), "is not below"),
    (lambda path: branding_zip(path, more=[("manifest.json", "")]), "is not below"),
    (lambda path: branding_zip(path, more=[("webapp3/branding/a\\b", "")]), "is not below"),
    (lambda path: branding_zip(path, source="./plugins/other/index.html"), "is not in it"),
    (lambda path: zipfile.ZipFile(path, "w").close(), "is empty"),
    (lambda path: zip_of(path, "webapp3/branding/x", b""), "manifest.json is missing"),
    (lambda path: zip_of(path, "webapp3/branding/manifest.json", b"{\xff"), "is no JSON text"),
    (lambda path: zip_of(path, "webapp3/branding/manifest.json", b"[" * 100000), "is no JSON text"),
    (lambda path: zip_of(path, "webapp3/branding/manifest.json", b" " * (2 << 20)), "is too large"),
    (lambda path: zip_of(path, "webapp3/branding/manifest.json", b'{"plugins": {}}'), "no list of plugins"),
])
def test_a_package_that_infinity_would_not_show_is_refused(node, setup, files, spoil, said):
    spoil(files / "plugin.zip")
    done = setup("--apply", full=True)
    assert done.status == 2 and said in done.err and not node.writes(), done.text


def zip_of(path, name, content):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr(name, content)


def test_a_plugin_that_was_made_for_another_workspace_is_refused(node, setup, files):
    branding_zip(files / "plugin.zip", origin="https://other.example.com")
    done = setup(full=True)
    assert done.status == 2 and "is for https://other.example.com, not for https://chat.example.com" in done.err


# Joining instructions

def test_a_template_that_has_no_room_is_refused(node, setup):
    node.named("ms_exchange_connector", "Outlook")["meeting_instructions_template"] = "x" * 12000
    done = setup("--apply", full=True)
    assert done.status == 2 and "12288 are possible" in done.err and not node.writes()


@pytest.mark.parametrize("template", ["", "<a href='https://evil.example.com/{{numeric_alias}}'>x</a>", TEMPLATE + TEMPLATE.replace("Pexip", "X")])
def test_only_instructions_with_one_link_to_rocket_chat_are_taken(node, setup, files, template):
    (files / "template").write_text(template)
    done = setup("--apply", full=True)
    assert done.status == 2 and "links to Rocket.Chat instead of one" in done.err and not node.writes()


# Other servers that are asked

class Place:
    """A server whose answers are given: path -> (status, body, headers). Everything else is 404."""

    def __init__(self, management):
        self.context, self.answers, self.requests, self.behind = management.context, {}, [], 0
        self.port, = free_ports(1)
        self.server = TlsServer(("127.0.0.1", self.port), Handler)
        self.server.owner = self
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def handle(self, handler):
        self.requests.append((handler.path, handler.headers.get("Authorization")))
        handler.reply(*self.answers.get(handler.path, (404, {})) if len(self.requests) > self.behind else (404, {}))

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def place(management):
    made = Place(management)
    yield made
    made.close()


def test_the_link_is_fetched_from_the_module(node, setup, files, place):
    (files / "api").write_text(secret_lines("admin", "password-of-the-api"))
    place.answers["/pexip/api/v1/scheduling/template?kind=single-use&link=short"] = 200, TEMPLATE.encode()
    arguments = ("--apply", "--only", "scheduler", "--scheduler", "Outlook", "--scheduler-link", "short", "--api-credentials", files / "api",
                 "--api-url", f"https://localhost:{place.port}/pexip")
    assert setup(*arguments).status == 0
    assert place.requests[0][1] == basic("admin", "password-of-the-api")
    assert LINK.replace("&", "&amp;") in node.named("ms_exchange_connector", "Outlook")["meeting_instructions_template"]
    place.answers.clear()
    done = setup(*arguments)
    assert done.status == 2 and "answers 404 when it is asked for the template" in done.err
    assert "password-of-the-api" not in done.text


def serve_everything(place, files):
    with zipfile.ZipFile(files / "plugin.zip") as package:
        manifest = json.loads(package.read("webapp3/branding/manifest.json"))
    place.answers |= {
        "/pexip/policy/v1/service/configuration": (404, {"status": "fail"}), "/pexip/events": (200, {"success": True}),
        "/api/client/v2/status": (200, {}), "/rc/branding/manifest.json": (200, manifest),
        "/rc/": (200, b"", {"Content-Security-Policy": csp.allow(CSP, SITE, ("frame-src", "frame-ancestors"))})}


def probing(place, seconds):
    url = f"https://localhost:{place.port}"
    return ("--apply", "--probe", url, "--policy-url", f"{url}/pexip", "--events-url", f"{url}/pexip/events", "--probe-seconds", seconds)


def test_what_was_set_up_is_waited_for(node, setup, files, place, monkeypatch):
    monkeypatch.setattr("pexip_rc_setup.probe.INTERVAL", 0.1)
    serve_everything(place, files)
    place.behind = 1        # the first look is too early
    done = setup(*probing(place, 60 * PATIENCE), full=True)
    assert done.status == 0 and done.out.count("right: ") == 5, done.text
    asked = dict(place.requests)
    assert asked["/pexip/events"] == basic(*NODES) == asked["/pexip/policy/v1/service/configuration"]
    assert asked["/rc/"] is None and len(place.requests) == 6


def test_what_does_not_arrive_is_told(node, setup, files, place):
    serve_everything(place, files)
    wrong = {"/pexip/policy/v1/service/configuration": ((404, b"<html>"), "no JSON object"),
             "/pexip/events": ((200, {"success": False}), "not answer like the events handler"),
             "/api/client/v2/status": ((503, b""), "answers 503"),
             "/rc/branding/manifest.json": ((200, {"version": 0}), "not yet that of the package"),
             "/rc/": ((200, b"", {"Content-Security-Policy": CSP}), "frame-src")}
    place.answers |= {path: answer for path, (answer, _) in wrong.items()}
    done = setup(*probing(place, 1), full=True)
    assert done.status == 2 and done.err.count("not so: ") == len(wrong) and "right: " not in done.out and "done: " in done.out
    assert all(said in done.err for _, said in wrong.values()), done.err
    serve_everything(place, files)
    place.answers["/pexip/events"] = 401, b""
    done = setup(*probing(place, 1), full=True)
    assert done.status == 2 and "answers 401" in done.err and done.out.count("right: ") == 4


def test_the_module_itself_gives_the_link_and_is_found_to_answer(node, setup, files, place, make_httpd):
    httpd = make_httpd("", start=False, tls=True)
    httpd.make_certificate()
    httpd.configure(f"SSLEngine On\nSSLCertificateFile {httpd.root}/conf/tls.crt\nSSLCertificateKeyFile {httpd.root}/conf/tls.key\n"
                    + workspace())
    httpd.start()
    (files / "both.crt").write_text(node.ca.read_text() + (httpd.root / "conf" / "tls.crt").read_text())
    (files / "api").write_text(secret_lines(*ADMIN))
    place.answers["/api/client/v2/status"] = 200, {}
    url = f"https://localhost:{httpd.port}{PREFIX}"
    done = setup("--apply", "--skip", "csp", "--location", "Oslo", "--scheduler", "Outlook", "--api-url", url, "--api-credentials", files / "api",
                 "--policy-url", url, "--events-url", f"{url}/events", "--probe", f"https://localhost:{place.port}",
                 "--probe-seconds", 30 * PATIENCE, ca=files / "both.crt")
    assert done.status == 0 and done.out.count("right: ") == 3, done.text
    connector = node.named("ms_exchange_connector", "Outlook")
    for field in (scheduler.SINGLE, scheduler.PERSONAL):
        link, = re.findall(r"https://go\.rocket\.chat/[^\"]*", connector[field])
        assert link.startswith("https://go.rocket.chat/conference?host=chat.example.com&amp;path=conference%2F{{numeric_alias}}")


def test_who_interrupts_it_is_told_what_was_done(node, setup, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt
    monkeypatch.setattr(Client, "change", interrupt)
    done = setup("--apply", full=True)
    assert done.status == 2 and "interrupted" in done.err and "done: event sink" in done.out and "not done: theme" in done.out


# As it is installed

def test_it_runs_from_where_it_was_installed(node, files):
    root = files / "root"
    subprocess.run(["make", "-C", str(REPOSITORY), "install", f"DESTDIR={root}"], check=True, capture_output=True)
    program = root / "usr" / "sbin" / "pexip-rc-setup"
    before = sorted(root.rglob("*"))
    command = [program, "--node", f"localhost:{node.port}", "--ca", node.ca, "--site", SITE, "--credentials", files / "secret",
               "--password-file", files / "password"]
    environment = {"PATH": "/usr/bin:/bin", "LANG": "C", "PYTHONPATH": str(files), "https_proxy": "http://127.0.0.1:1/"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd="/", stdin=subprocess.DEVNULL)
    assert done.returncode == 1 and "4 changes are needed" in done.stdout, done.stdout + done.stderr
    done = subprocess.run(command[:-2], capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL)
    assert done.returncode == 2 and "--password-file is needed" in done.stderr
    shown_help = subprocess.run([program, "--help"], capture_output=True, text=True, env=environment, check=True).stdout
    assert "exit status:" in shown_help and "--replace-policy" in shown_help
    assert sorted(root.rglob("*")) == before
