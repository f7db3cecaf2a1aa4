"""Fixtures of the fault tests; ../support/fixtures.py has the servers."""

import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from fixtures import audited, make_httpd, mpm  # noqa: E402, F401
from waiting import wait_until  # noqa: E402
from workspace import workspace  # noqa: E402

from databases import Pgsql, Sqlite, empty  # noqa: E402
from machine import machines_alive, wait_for_database  # noqa: E402

# Prefork has few processes at first and makes one a second: waiting creations must not be what others wait for.
ROOM_FOR_WAITING = {"prefork": "StartServers 16\nMinSpareServers 12\n"}


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than about ten seconds")
    config.addinivalue_line("markers", "mpm: processes begin and end as the MPM wants it, so it runs under each")


@pytest.fixture(scope="session")
def postgresql_server():
    from postgresql import PostgreSQL
    directory = Path(tempfile.mkdtemp(prefix="pxr-pg-", dir="/tmp"))
    directory.chmod(0o755)      # it runs as somebody else
    try:
        with PostgreSQL(directory / "server") as server:
            yield server
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def postgresql(postgresql_server):
    """A running PostgreSQL with an empty database, whatever the test before has done to it."""
    postgresql_server.thaw()
    if not postgresql_server.running():
        postgresql_server.start()
    empty(postgresql_server.conninfo)
    return postgresql_server


@pytest.fixture(params=["sqlite3", "pgsql"])
def database(request):
    """Each kind of database, for what must hold with both."""
    return Sqlite() if request.param == "sqlite3" else Pgsql(request.getfixturevalue("postgresql"))


class Trouble:
    """What befalls a database: `with trouble(httpd): ...` has it for that long."""

    def __init__(self, database, how, states):
        self.database, self.how, self.states = database, how, states

    def __call__(self, httpd):
        return self.database.trouble(self.how, httpd)


# Each trouble with what the status may say of it.
TROUBLES = {
    "sqlite3 locked": ("hanging", "unreachable"),
    "pgsql stopped": ("unreachable",),
    "pgsql frozen": ("hanging", "unreachable"),
}


@pytest.fixture(params=TROUBLES)
def trouble(request):
    driver, how = request.param.split()
    database = Sqlite() if driver == "sqlite3" else Pgsql(request.getfixturevalue("postgresql"))
    return Trouble(database, how, TROUBLES[request.param])


@pytest.fixture
def make_server(make_httpd, mpm):
    """make_server(database, body): a server on that database, ready, with processes enough for requests that wait."""
    def make(database, body=None, server="", **options):
        httpd = make_httpd(body, server=f"{ROOM_FOR_WAITING.get(mpm, '')}{database.directive}\n{server}", **options)
        if options.get("start", True):
            wait_for_database(httpd)
        return httpd
    return make


@pytest.fixture
def two_machines(make_httpd, postgresql):
    """two_machines(body): two servers that know nothing of each other but the database."""
    def make(body=None, server="", count=2):
        directive = Pgsql(postgresql).directive
        machines = [make_httpd(body or workspace(grace="60s 60s"), server=f"{directive}\n{server}") for _ in range(count)]
        for httpd in machines:
            wait_for_database(httpd)
            wait_until(lambda: machines_alive(httpd) == count, 10, "both machines to see each other")
        return machines
    return make
