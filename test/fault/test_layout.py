"""Upgrade and downgrade: a module whose memory has another layout takes over at a graceful restart, filled from the database."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from load import ADDRESSES, Load
from machine import PATIENCE, power_cut, start_from_database, wait_for_database, wait_until_written
from meetings import Api
from pexip import Node, sip, two_legs
from texts import REPLACED
from waiting import wait_until
from workspace import workspace

from httpd import MODULE, REPOSITORY

QUIET = workspace(grace="60s 60s")
# An old memory that has gone is like a machine that does not speak: for so long nothing ends without it.
SILENCE = 20.0
LAYOUT = re.compile(r"^(#define PXR_LAYOUT) (\d+)$", re.M)

pytestmark = pytest.mark.skipif(bool(os.environ.get("PXR_PRELOAD")), reason="the second module is built without sanitizers")


@pytest.fixture(scope="session")
def newer_module():
    """The same module, of a version with another layout."""
    copy = Path(tempfile.mkdtemp(prefix="pxr-layout-", dir="/tmp"))
    try:
        for name in ("Makefile", "mod_pexip_rc.c", "include", "src"):
            source = REPOSITORY / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, copy / name)
        header = copy / "src" / "store" / "layout.h"
        text, changed = LAYOUT.subn(lambda match: f"{match[1]} {int(match[2]) + 1}", header.read_text())
        assert changed == 1
        header.write_text(text)
        done = subprocess.run(["make", "-j2", "-C", copy, "BUILD=build", "OPTIMISE=-O1", "all"], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        yield copy / "build" / "mod_pexip_rc.so"
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def exchange(httpd, module):
    """A graceful restart with another module; the old children must go."""
    old = set(httpd.children())
    httpd.replace_module(module)
    httpd.graceful()
    wait_until(lambda: not old & set(httpd.processes()), 15 * PATIENCE, "the end of the old children")
    wait_for_database(httpd)


def scene(httpd):
    api, node = Api(httpd), Node(next(ADDRESSES), httpd)
    node.started()
    live, closed, untouched, ended = (api.create(title=title) for title in ("Live", "Closed", "Untouched", "Ended"))
    for meeting in (live, closed):
        node.conference_started(meeting["id"])
        two_legs(node, meeting["id"], "Anna", role="chair").media.stream_window("ok")
        sip(node, meeting["id"], "Boris")
    api.delete(closed["id"])
    api.delete(ended["id"])
    return node, [live, closed, untouched, ended]


def picture(httpd, node, meetings):
    reads = [Api(httpd).read(meeting["id"]) for meeting in meetings]
    for read in reads:
        # When a node was last heard is told in whole seconds by nobody.
        read["nodes"] = sorted((each["address"], each["ended"]) for each in read["nodes"])
    return reads, [node.policy(meeting["id"]).body for meeting in meetings]


@pytest.mark.mpm
def test_an_upgrade_and_a_downgrade_by_graceful_restarts_change_nothing_that_can_be_seen(make_server, database, newer_module):
    httpd = make_server(database, QUIET)
    httpd.expect(REPLACED)
    node, meetings = scene(httpd)
    before = picture(httpd, node, meetings)
    for number, module in enumerate((newer_module, MODULE)):
        exchange(httpd, module)
        assert picture(httpd, node, meetings) == before
        # It is a whole one: people come and go, meetings are made.
        sip(node, meetings[0]["id"], f"Guest {number}").leave()
        assert Api(httpd).create()["state"] == "open"
    assert picture(httpd, node, meetings) == before


def test_an_upgrade_under_load_loses_nothing(make_server, database, newer_module):
    httpd = make_server(database, QUIET)
    httpd.expect(REPLACED)
    with Load(httpd) as load:
        for module in (newer_module, MODULE):
            load.grows(10)
            exchange(httpd, module)
        load.grows(10)
    # The new memory is being filled for a moment.
    load.check(refused=("event", "creation", "policy"), ends_within=SILENCE + 10 * PATIENCE)
    wait_until_written(httpd)
    power_cut(httpd)
    start_from_database(httpd)
    load.check(refused=("event", "creation", "policy"))


def test_what_is_deleted_after_an_upgrade_is_closed_at_once_and_ends_when_the_old_memory_counts_as_gone(make_server, database, newer_module):
    httpd = make_server(database, QUIET)
    httpd.expect(REPLACED)
    api, node = Api(httpd), Node(next(ADDRESSES), httpd)
    doomed = api.create()
    exchange(httpd, newer_module)
    api.delete(doomed["id"])
    assert api.read(doomed["id"])["closed"]
    assert node.policy(doomed["id"]).json()["action"] == "reject"
    wait_until(lambda: api.read(doomed["id"])["state"] == "ended", SILENCE + 10 * PATIENCE, "the end")


def test_an_upgrade_between_stop_and_start_loses_nothing(make_server, database, newer_module):
    httpd = make_server(database, QUIET)
    httpd.expect(REPLACED)
    with Load(httpd) as load:
        load.grows(10)
    for module in (newer_module, MODULE):
        httpd.stop()
        httpd.replace_module(module)
        httpd.start()
        wait_for_database(httpd)
        load.check()


def test_the_upgrade_leaves_no_old_memory_behind(make_server, database, newer_module):
    httpd = make_server(database, QUIET)
    httpd.expect(REPLACED)
    Api(httpd).create()
    assert len(httpd.segments()) == 1
    exchange(httpd, newer_module)
    Api(httpd).create()
    assert len(httpd.segments()) == 1
