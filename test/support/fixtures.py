"""Fixtures for tests against a real httpd, shared by `integration` and `fault`: their conftest.py imports them by name.

PXR_MPM chooses the MPM (event), PXR_MODULE the module, PXR_KEEP=1 leaves the servers' directories with their logs in /tmp.
"""

import os
import shutil
import tempfile

import pytest

from httpd import Httpd
from meetings import Api
from pexip import Node
from workspace import workspace

# Every server that a test may have used and that is to be audited after it.
LIVE = []


class Servers:
    """Makes servers below /tmp (short, and open to www-data, which pytest's own directories are not) and ends them."""

    def __init__(self, mpm):
        self.mpm = mpm
        self.made = []

    def __call__(self, body=None, start=True, server="", **options):
        root = tempfile.mkdtemp(prefix="pxr-", dir="/tmp")
        httpd = Httpd(root, **{"mpm": self.mpm, **options})
        self.made.append(httpd)
        LIVE.append(httpd)
        httpd.configure(workspace() if body is None else body, server=server)
        if start:
            httpd.start()
        return httpd

    def close(self):
        for httpd in reversed(self.made):
            httpd.close()
        return self.made


def bury(servers):
    """Ends servers; what their last lines say is still audited."""
    complaints = []
    for httpd in servers.close():
        LIVE.remove(httpd)
        try:
            httpd.audit()
        except AssertionError as complaint:
            complaints.append(str(complaint))
        if not os.environ.get("PXR_KEEP"):
            shutil.rmtree(httpd.root, ignore_errors=True)
    assert not complaints, "\n".join(complaints)


@pytest.fixture(scope="session")
def mpm():
    return os.environ.get("PXR_MPM", "event")


@pytest.fixture(autouse=True)
def audited():
    """Each test answers for the log lines written while it ran."""
    yield
    for httpd in LIVE:
        httpd.audit()


@pytest.fixture(scope="module")
def server(mpm):
    """A running httpd with one workspace, shared by the tests of a file."""
    servers = Servers(mpm)
    try:
        yield servers()
    finally:
        bury(servers)


@pytest.fixture
def make_httpd(mpm, audited):
    """make_httpd(body=workspace(), start=True, server="", **options of Httpd): servers of one test's own."""
    servers = Servers(mpm)
    try:
        yield servers
    finally:
        bury(servers)


@pytest.fixture
def api(server):
    return Api(server)


@pytest.fixture
def meeting(api):
    return api.create()


def addresses():
    for number in range(256, 65536):
        yield f"10.10.{number >> 8}.{number & 255}"


ADDRESSES = addresses()


@pytest.fixture
def node(server):
    """A node whose event sink has just started. Addresses differ from test to test: a node's past is part of its state."""
    node = Node(next(ADDRESSES), server)
    node.started()
    return node


@pytest.fixture
def other_node(server):
    node = Node(next(ADDRESSES), server, location="Berlin")
    node.started()
    return node
