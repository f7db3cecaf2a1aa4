"""What an administrator with one afternoon gets wrong: each mistake is told with its cure, costs nothing, and a server that runs
with it keeps running."""

import os
import re
import signal

import pytest
from conftest import Servers, bury
from httpd import PATIENCE
from meetings import Api
from waiting import wait_until
from workspace import ADMIN, PASSWORD_FILE, PREFIX, SECRET_FILE, guarded, password_line, workspace

pytestmark = pytest.mark.any_mpm

FILES = {"token": "0123456789abcdef01\n", "rest": "u-bot\n0123456789abcdef0123\n", "same": "482913\n482913\n", "pins": "482913\n607254\n", "open": "482913\n607254\n",
         "marked": "\ufeffnodes\n0123456789abcdef0123\n", "blank": "nodes\n0123456789abcdef0123 \n", "unequal": "482913\n60725\n", "closed": password_line(*ADMIN)}
BASE, SITE = "PexipRCBaseURL https://meet.example.com\n", "PexipRCSiteURL https://chat.example.com\n"
PEOPLE = f"AuthBasicProvider file\nAuthUserFile {PASSWORD_FILE}"
OTHER_HOST = "<VirtualHost 127.0.0.1:9991>\nServerName x\n{}\n</VirtualHost>\n"


def without(handler, text=None):
    """The usual configuration without the section of this handler."""
    return re.sub(rf'<Location "[^"]*">\s*SetHandler {handler}\b.*?</Location>', "", text or workspace(), flags=re.S)


def open_section(handler):
    return f'<Location "/open">\nSetHandler {handler}\n</Location>'


def webhook(text=""):
    return workspace(extra="PexipRCWebhookTokenFile conf/token") + f'<Location "{PREFIX}/webhook">\nSetHandler pexip-rc-webhook\n</Location>' + text


NO_LIMITS = "no limits of time"

# What stands in the configuration, and words of the one line that tells what to do.
ERRORS = {
    "no base URL": (SITE, "PexipRCBaseURL", "required", "PexipRCSiteURL", ":\\d+"),
    "no site URL": (BASE, "PexipRCSiteURL", "required", "PexipRCBaseURL", ":\\d+"),
    "neither": ("PexipRCPins random", "PexipRCBaseURL", "required", "PexipRCPins", ":\\d+"),
    "base URL without https": (workspace(base="http://meet.example.com"), "PexipRCBaseURL", "http://meet", "https://"),
    "base URL without scheme": (workspace(base="meet.example.com"), "PexipRCBaseURL", "https://"),
    "meeting path without the alias": (workspace(extra="PexipRCMeetingPath /webapp/conference?conference="), "PexipRCMeetingPath", "{alias}"),
    "equal PINs": (workspace(extra="PexipRCPins file conf/same"), "PexipRCPins", "conf/same"),
    "PIN file that is missing": (workspace(extra="PexipRCPins file conf/missing"), "PexipRCPins", "conf/missing", "cannot be read"),
    "PIN of three digits": (workspace(extra="PexipRCPins random 3"), "PexipRCPins", "4 to 20"),
    "credentials that are missing": (workspace(credentials="conf/missing"), "PexipRCAPICredentialsFile", "conf/missing", "cannot be read"),
    "credentials of one line": (workspace(credentials="conf/token"), "PexipRCAPICredentialsFile", "two lines"),
    "token of two lines": (workspace(extra="PexipRCWebhookTokenFile conf/rest"), "PexipRCWebhookTokenFile", "one line"),
    "layout of another product": (workspace(extra="PexipRCLayout gallery"), "PexipRCLayout", "one_main_seven_pips"),
    "option that Pexip does not know": (workspace(extra="PexipRCServiceOption enable_chat maybe"), "PexipRCServiceOption", "yes"),
    "contradicting virtual hosts": (workspace() + OTHER_HOST.format(BASE + SITE + "PexipRCLocked Off\n") + OTHER_HOST.replace("9991", "9992").format(BASE + SITE + "PexipRCLocked On\n"),
                                    "PexipRCLocked", "contradicts", ":\\d+"),
    "name of a room that has several meetings": (workspace(extra="PexipRCRoomAlias On"), "PexipRCRoomAlias", "PexipRCConcurrentCalls Off"),
    "REST URL without https": (workspace(extra="PexipRCRestURL http://chat.example.com"), "PexipRCRestURL", "https://"),
    "variable without value": (workspace(extra="PexipRCTheme ${NOBODY}"), "PexipRCTheme", "undefined variable"),
    "global directive in a host": (workspace() + OTHER_HOST.format(BASE + SITE + "PexipRCMaxMeetings 5"), "PexipRCMaxMeetings"),
    "directive in a section": (workspace() + '<Location "/x">\nPexipRCLocked On\n</Location>', "PexipRCLocked", "not allowed"),
    "misspelt directive": (workspace() + "PexipRCLock On", "Invalid command", "PexipRCLock"),
    "history for an hour": (workspace(extra="PexipRCHistoryKeep 1h"), "PexipRCHistoryKeep", "1d"),
    "sizes beyond reason": ("PexipRCMaxMeetings 99999999\n" + workspace(), "PexipRCMaxMeetings", "4000000"),
    "event log into a folder that is missing": ("PexipRCEventLog /nowhere/at/all/events.json\n" + workspace(), "PexipRCEventLog", "/nowhere/at/all", ":\\d+"),
    "database without a driver": ("PexipRCDatabase nosuch x\n" + workspace(), "PexipRCDatabase", "nosuch", "driver", ":\\d+"),
    "credentials with a byte order mark": (workspace(credentials="conf/marked"), "PexipRCAPICredentialsFile", "conf/marked", "byte order mark", ":\\d+"),
    "quotation marks of a letter": (workspace(extra="PexipRCTheme \u201crocket.chat\u201d"), "PexipRCTheme", "quotation mark", ":\\d+"),
    "URL with a password": (workspace(base="https://nina:x@meet.example.com"), "PexipRCBaseURL", "nina", "user or a password"),
    "address that is none": (workspace(base="https://10.0.0.256"), "PexipRCBaseURL", "10.0.0.256", "address"),
    "PINs of two lengths": (workspace(extra="PexipRCPins file conf/unequal"), "PexipRCPins", "conf/unequal", "same length", ":\\d+"),
    "condition without quotation marks": (workspace(extra="PexipRCMediaLocation HQ expr=%{pxr:location} == 'x'"), "PexipRCMediaLocation", "quotation marks"),
    "pattern that is none": (workspace(extra="PexipRCUnknownAlias reject ^(77"), "PexipRCUnknownAlias", "^(77", "cannot be compiled"),
    "PostgreSQL's string with a typo": ('PexipRCDatabase pgsql "host=db.example.com dbnam=pexip_rc"\n' + workspace(), "PexipRCDatabase", "connection string", ":\\d+"),
    "database by another name": ("PexipRCDatabase postgresql host=x\n" + workspace(), "PexipRCDatabase", "postgresql", "pgsql", ":\\d+"),
    "state directory below nothing": ("PexipRCStateDirectory /nowhere/at/all\n" + workspace(), "PexipRCStateDirectory", "directory above"),
}

WARNINGS = {
    "policy handler is missing": (without("pexip-rc-policy"), "PexipRCSiteURL", "pexip-rc-policy", "no <Location>"),
    "events handler is missing": (without("pexip-rc-events"), "PexipRCSiteURL", "pexip-rc-events", "no <Location>"),
    "join handler is missing": (without("pexip-rc-join"), "PexipRCSiteURL", "pexip-rc-join", "no <Location>"),
    "nobody can start a meeting": (without("pexip-rc-api"), "PexipRCSiteURL", "pexip-rc-api or pexip-rc-webhook"),
    "misspelt handler": (workspace() + open_section("pexip-rc-polcy"), "SetHandler", "pexip-rc-polcy", "pexip-rc-policy, "),
    "handler with underscores": (workspace() + open_section("pexip_rc_join"), "SetHandler", "pexip_rc_join", "pexip-rc-join"),
    "handler outside of any workspace": (OTHER_HOST.format(BASE + SITE) + OTHER_HOST.replace("9991", "9992").format(guarded("/x", "pexip-rc-api", PEOPLE, "valid-user")),
                                         "SetHandler", "pexip-rc-api", "no workspace", "PexipRCSiteURL"),
    "join elsewhere than the links": (workspace(extra="PexipRCJoinURL https://chat.example.com/calls"), "PexipRCJoinURL", "/calls", "no section"),
    **{f"{name} without a password": (workspace() + open_section(f"pexip-rc-{name}"), "SetHandler", f"pexip-rc-{name}", "AuthType", "PexipRCAllowAnonymous")
       for name in ("policy", "events", "api", "status")},
    "provider without credentials": (workspace(credentials=None) + guarded("/x", "pexip-rc-events", "AuthBasicProvider pexip-rc", "valid-user"),
                                     "AuthBasicProvider", "PexipRCAPICredentialsFile"),
    "webhook without token": (workspace() + '<Location "/x">\nSetHandler pexip-rc-webhook\n</Location>', "SetHandler", "PexipRCWebhookTokenFile"),
    "token without webhook": (workspace(extra="PexipRCWebhookTokenFile conf/token"), "PexipRCWebhookTokenFile", "pexip-rc-webhook"),
    "chats that nobody sees": (workspace(extra="PexipRCPersistentChat On\nPexipRCRestCredentialsFile conf/rest"), "PexipRCPersistentChat", "pexip-rc-chat"),
    "chats that cannot be made": (workspace(extra="PexipRCPersistentChat On"), "PexipRCPersistentChat", "PexipRCRestCredentialsFile"),
    "room of chats without handler": (workspace(extra="PexipRCScheduledRoom GENERAL\nPexipRCRestCredentialsFile conf/rest"), "PexipRCScheduledRoom", "pexip-rc-chat"),
    "room of chats without credentials": (workspace(extra="PexipRCScheduledRoom GENERAL"), "PexipRCScheduledRoom", "PexipRCRestCredentialsFile"),
    "one file for two purposes": (workspace(extra=f"PexipRCRestCredentialsFile {SECRET_FILE}"), "PexipRCRestCredentialsFile", "PexipRCAPICredentialsFile", "a file for each"),
    "secret that others can read": (workspace(extra="PexipRCPins file conf/open"), "PexipRCPins", "conf/open", "chmod 600"),
    "times the wrong way round": (workspace(grace="60s 10s"), "PexipRCEndGrace", "10s 60s"),
    "numbers that run out": (workspace(extra="PexipRCNumericAlias 77 4"), "PexipRCNumericAlias", "PexipRCMaxMeetings", "more digits"),
    "nodes at the workspace's address": (workspace(base="https://chat.example.com"), "PexipRCBaseURL", "PexipRCSiteURL", "Conferencing Nodes"),
    "a locked meeting without a host": (without("pexip-rc-api", workspace(extra="PexipRCJoinURL https://calls.example.com/pexip")),
                                        "PexipRCLocked", "host", "PexipRCRestCredentialsFile", "PexipRCJoinURL"),
    "secret with a blank behind it": (workspace(credentials="conf/blank"), "PexipRCAPICredentialsFile", "conf/blank", "blank", "unless it is meant", ":\\d+"),
    "nobody is required": (workspace() + guarded("/x", "pexip-rc-status", PEOPLE, "x").replace("    Require x\n", ""), "SetHandler", "pexip-rc-status", "Require valid-user", ":\\d+"),
    "an address is required and nobody asked": (workspace() + guarded("/x", "pexip-rc-status", PEOPLE, "ip 10.0.0.0/8"), "SetHandler", "pexip-rc-status", "PexipRCAllowAnonymous"),
    "open to everybody": (workspace() + '<Location "/x">\nSetHandler pexip-rc-metrics\nPexipRCAllowAnonymous On\nRequire all granted\n</Location>',
                          "PexipRCAllowAnonymous", "pexip-rc-metrics", "Require ip", ":\\d+"),
    "passwords that are missing": (workspace(passwords="conf/missing"), "AuthUserFile", "conf/missing", "htpasswd", ":\\d+"),
    "handler in a section about files": (workspace() + '<Directory "/srv">\nSetHandler pexip-rc-join\n</Directory>', "SetHandler", "pexip-rc-join", "<Location>", ":\\d+"),
    "one address for two": (workspace() + guarded(f"{PREFIX}/policy/", "pexip-rc-events", PEOPLE, "valid-user"), "SetHandler", "pexip-rc-events", "pexip-rc-policy", ":\\d+"),
    "one name for two hosts": (OTHER_HOST.format(workspace()) + OTHER_HOST.format(workspace(site="https://two.example.com")), "<VirtualHost>", "never reached", "ServerName", ":\\d+"),
    "SQLite's file in no directory": ("PexipRCDatabase sqlite3 /nowhere/at/all/x.sqlite3\n" + workspace(), "PexipRCDatabase", "/nowhere/at/all", "make it", ":\\d+"),
    "SQLite's file beside the state": ("PexipRCStateDirectory /tmp/pxr-absent\nPexipRCDatabase sqlite3 /tmp/pxr-absent-too/x.sqlite3\n" + workspace(),
                                       "PexipRCDatabase", "/tmp/pxr-absent-too", "make it", ":\\d+"),
    NO_LIMITS: (workspace(), "mod_reqtimeout", "a2enmod reqtimeout", ":\\d+"),
    "state that a restart takes away": (workspace(), "PexipRCStateDirectory", "/tmp", "/var/lib/pexip-rc"),
    "the module twice": (workspace(), "already loaded"),
}
if os.geteuid() == 0:
    WARNINGS["passwords that only root can read"] = (workspace(passwords="conf/closed"), "AuthUserFile", "conf/closed", "cannot be read", "chmod 640", ":\\d+")


@pytest.fixture(scope="module")
def server(mpm):
    """One that runs, and whose configuration is overwritten with mistakes."""
    servers = Servers(mpm)
    httpd = servers(workspace(), start=False, modules=("reqtimeout",))
    for name, text in FILES.items():
        httpd.write(f"conf/{name}", text, 0o644 if name == "open" else 0o600)
    httpd.start()
    try:
        yield httpd
    finally:
        httpd.configure(workspace())    # a broken one refuses the stop as well
        bury(servers)


@pytest.fixture(scope="module")
def meeting(server):
    return Api(server).create()


def line_with(output, words):
    found = [line for line in output.splitlines() if all(re.search(word if "\\" in word else re.escape(word), line) for word in words)]
    assert found, f"no line with all of {words} in:\n{output}"
    return found[0]


def write(httpd, mistake, body):
    load = f"LoadModule pexip_rc_module {httpd.module}\n" if mistake == "the module twice" else ""
    httpd.configure(load + body)
    if mistake == NO_LIMITS:
        httpd.write("conf/httpd.conf", re.sub("LoadModule reqtimeout_module .*", "", (httpd.root / "conf" / "httpd.conf").read_text()))


def everything(httpd):
    below = {str(path): (path.lstat().st_mode, path.lstat().st_size, path.lstat().st_mtime_ns) for path in httpd.root.rglob("*")
             if not {"logs", "state", "run"} & set(path.relative_to(httpd.root).parts)}
    return below, sorted(path.name for path in (httpd.root / "state").iterdir() if not path.name.endswith(("-wal", "-shm")))


@pytest.mark.parametrize("mistake", ERRORS)
def test_an_error_is_told_with_its_cure_and_the_server_goes_on(server, meeting, mistake):
    body, *words = ERRORS[mistake]
    write(server, mistake, body)
    before = everything(server)
    code, output = server.configtest()
    assert code == 1, output
    line_with(output, words)
    assert "482913" not in output and "stand-in-secret" not in output
    # A reload by the usual way is refused, and the former configuration goes on.
    code, output = server.control("-k", "graceful")
    assert code != 0
    assert everything(server) == before
    assert Api(server).read(meeting["id"])["id"] == meeting["id"]


@pytest.mark.parametrize("mistake", WARNINGS)
def test_a_warning_is_told_with_its_cure_and_is_no_obstacle(server, mistake):
    body, *words = WARNINGS[mistake]
    write(server, mistake, body)
    before = everything(server)
    code, output = server.configtest()
    assert code == 0, output
    line_with(output, words)
    assert everything(server) == before
    if mistake != "the module twice":
        server.configure(workspace())
        assert not [line for line in server.configtest()[1].splitlines() if all(word in line for word in words)] or mistake.startswith("state")


def test_the_reference_set_up_has_nothing_to_complain_about(server):
    server.configure(webhook(), server="PexipRCStateDirectory /var/lib/apache2")
    code, output = server.configtest()
    left = [line for line in output.splitlines() if "does not belong to" not in line]
    assert (code, left) == (0, ["Syntax OK"])


def test_the_set_up_page_does_not_miss_what_is_loaded(server):
    assert "mod_reqtimeout" not in server.request("GET", f"{PREFIX}/status/setup", auth=ADMIN).text


def reload_raw(httpd):
    """As somebody does who sends the signal himself: nobody looks at the configuration before."""
    pid = int((httpd.root / "run" / "httpd.pid").read_text())
    before = len(re.findall("resuming normal operations", httpd.error_log()))
    os.kill(pid, signal.SIGUSR1)
    wait_until(lambda: len(re.findall("resuming normal operations", httpd.error_log())) > before, 30 * PATIENCE, "the reload")
    assert int((httpd.root / "run" / "httpd.pid").read_text()) == pid


# Those that httpd itself finds while it reads the file end it, whosever directive it is.
LATE = {name: ERRORS[name] for name in (
    "no base URL", "no site URL", "neither", "equal PINs", "PIN file that is missing", "credentials that are missing", "credentials of one line", "token of two lines",
    "credentials with a byte order mark", "quotation marks of a letter", "PINs of two lengths",
    "PostgreSQL's string with a typo", "contradicting virtual hosts", "name of a room that has several meetings", "event log into a folder that is missing", "database without a driver",
    "state directory below nothing")}


@pytest.mark.once
@pytest.mark.parametrize("mistake", ["no base URL", "base URL without https", "credentials with a byte order mark", "database without a driver"])
def test_a_first_start_is_refused_in_the_same_words(make_httpd, mistake):
    body, *words = ERRORS[mistake]
    server = make_httpd(start=False)
    server.write("conf/marked", FILES["marked"], 0o600)
    server.configure(body)
    server.expect("pexip_rc:error")
    with pytest.raises(AssertionError) as refused:
        server.start()
    line_with(f"{refused.value}\n{server.error_log()}", words)
    assert not server.processes() and not (server.root / "state").exists()


@pytest.mark.once
def test_a_reload_never_takes_the_server_down(make_httpd):
    """Each mistake in one workspace; the other one serves all the time."""
    good = "https://good.example.com"
    server = make_httpd(start=False, ports=2)

    def host(body, port):
        return f"<VirtualHost 127.0.0.1:{server.ports[port]}>\nServerName x\n{body}\n</VirtualHost>\n"

    def configure(body):
        server.configure(host(workspace(site=good), 1) + body)
    for name, text in FILES.items():
        server.write(f"conf/{name}", text, 0o600)
    configure(host(workspace(), 0))
    server.expect("pexip_rc:(error|warn)", "^PXR1001: PexipRC")
    server.start()
    api = Api(server, port=server.ports[1])
    meeting = api.create()
    try:
        for mistake, (body, *words) in LATE.items():
            first, _, rest = body.partition("\n")
            for_all = re.match("PexipRC(EventLog|Database|StateDirectory)", first) is not None
            configure((first + "\n" if for_all else "") + (body if "<VirtualHost" in body else host(rest if for_all else body, 0)))
            before = len(server.error_log())
            reload_raw(server)
            line_with(server.error_log()[before:], words)
            assert api.read(meeting["id"])["id"] == meeting["id"], mistake
            assert api.create()["state"] == "open", mistake
            broken = server.request("GET", f"{PREFIX}/status?json", auth=ADMIN, port=server.ports[0]).status
            assert broken in ((200,) if for_all else (500, 404)), mistake
    finally:
        configure(host(workspace(), 0))
    reload_raw(server)
    assert server.request("GET", f"{PREFIX}/status?json", auth=ADMIN, port=server.ports[0]).status == 200
    assert api.read(meeting["id"])["id"] == meeting["id"]


@pytest.mark.parametrize("user", [None, "nobody"])
def test_configtest_of_whoever_touches_nothing(make_httpd, user):
    if user and os.geteuid() != 0:
        pytest.skip("only root may become somebody else")
    server = make_httpd(start=False, **({"run_as": user} if user else {}))
    for body in (workspace(), workspace(extra="PexipRCLayout gallery"), without("pexip-rc-join")):
        server.configure(body, server="PexipRCEventLog logs/events.json")
        before = {path: path.lstat().st_mtime_ns for path in server.root.rglob("*")}
        shared = {name for name in os.listdir("/dev/shm")}
        server.configtest()
        assert {path: path.lstat().st_mtime_ns for path in server.root.rglob("*")} == before
        ours = [name for name in set(os.listdir("/dev/shm")) - shared if str(server.root) in name]
        assert not ours
    assert not (server.root / "state").exists() and not (server.root / "logs" / "events.json").exists()
