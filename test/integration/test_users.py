"""The same short life of a meeting under the users that a server may run as."""

import os
import pwd
import signal
import stat
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from meetings import Api
from pexip import Node, sip, two_legs
from httpd import PATIENCE
from waiting import wait_until
from workspace import PREFIX, workspace

if os.geteuid() == 0:
    USERS = [pytest.param({}, "www-data", id="root-then-www-data"), pytest.param({"run_as": "nobody"}, "nobody", id="wholly-ordinary")]
else:
    USERS = [pytest.param({}, pwd.getpwuid(os.geteuid()).pw_name, id="as-we-are")]


def uid_of(pid):
    for line in Path("/proc", str(pid), "status").read_text().splitlines():
        if line.startswith("Uid:"):
            return int(line.split()[2])
    raise AssertionError(f"no user of {pid}")


def whole_life(httpd):
    api, node, other = Api(httpd), Node("10.5.0.1", httpd), Node("10.5.0.2", httpd)
    meeting = api.create()
    key = urlsplit(meeting["join_url"]).path.rpartition("/")[2]
    node.started()
    other.started()
    assert node.policy(meeting["id"]).json()["action"] == "continue"
    assert httpd.request("GET", f"{PREFIX}/join/{key}").status == 303
    for each in (node, other):
        each.conference_started(meeting["id"])
    anna, boris = two_legs(node, meeting["id"], "Anna", role="chair"), sip(other, meeting["id"], "Boris")
    live = api.read(meeting["id"])
    assert (live["state"], live["participant_count"]) == ("live", 2)
    httpd.graceful()
    assert api.read(meeting["id"]) == live
    boris.leave()
    other.conference_ended(meeting["id"])
    anna.leave()
    node.conference_ended(meeting["id"])
    wait_until(lambda: api.read(meeting["id"])["state"] == "ended", 4, "the end")
    assert node.policy(meeting["id"]).json()["action"] == "reject"
    assert httpd.request("GET", f"{PREFIX}/join/{key}").status == 410


@pytest.mark.parametrize("options, user", USERS)
def test_a_whole_life_of_a_meeting(make_httpd, options, user):
    httpd = make_httpd(workspace(grace="300ms 900ms"), **options)
    wanted = pwd.getpwnam(user).pw_uid
    # One that has just been forked is still its parent's.
    wait_until(lambda: {uid_of(pid) for pid in httpd.children()} == {wanted}, 5 * PATIENCE, "children of the right user")
    whole_life(httpd)


@pytest.mark.parametrize("options, user", USERS)
def test_the_state_directory_is_the_run_users_alone(make_httpd, options, user):
    httpd = make_httpd(workspace(grace="300ms 900ms"), **options)
    Api(httpd).create()
    wanted = pwd.getpwnam(user).pw_uid
    state = httpd.root / "state"
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert state.stat().st_uid == wanted
    for path in state.rglob("*"):
        assert path.stat().st_uid == wanted, path
        assert not path.stat().st_mode & 0o077, path


@pytest.mark.parametrize("options, user", USERS)
def test_shared_memory_is_closed_to_others(make_httpd, options, user):
    httpd = make_httpd(workspace(grace="300ms 900ms"), **options)
    Api(httpd).create()
    owners = {pwd.getpwnam(user).pw_uid} | (set() if options else {os.geteuid()})
    names = {line.rpartition(" ")[2] for pid in httpd.processes() for line in Path("/proc", str(pid), "maps").read_text().splitlines()
             if " /dev/shm/" in line}
    assert names
    for name in names:
        assert not os.stat(name).st_mode & 0o077, name
        assert os.stat(name).st_uid in owners, name


@pytest.mark.parametrize("options, user", USERS)
def test_a_life_after_everything_was_killed(make_httpd, options, user):
    httpd = make_httpd(workspace(grace="300ms 900ms"), **options)
    httpd.kill9_all()
    httpd.expect(r"AH00098: pid file .* overwritten", r"exit signal Killed \(9\)", "a process died while it changed the working set")
    httpd.start()
    whole_life(httpd)
    killed = set(httpd.children())
    for pid in killed:
        httpd.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(set(httpd.children()) - killed) >= 2, 10, "new children")
    whole_life(httpd)
