"""Fixtures for tests against a real httpd; ../support/fixtures.py has those that other folders use too."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from fixtures import (  # noqa: E402, F401
    ADDRESSES, LIVE, Servers, api, audited, bury, make_httpd, meeting, mpm, node, other_node, server)
from rocketchat import RocketChat  # noqa: E402

SAMPLES = Path(__file__).resolve().parents[1] / "contract" / "samples"


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than about ten seconds")
    config.addinivalue_line("markers", "once: takes long and does not depend on the MPM, so it runs under one of them")
    config.addinivalue_line("markers", "any_mpm: does not depend on the MPM, so it runs under event, also instrumented")


@pytest.fixture
def upstream():
    with RocketChat() as rocketchat:
        yield rocketchat


@pytest.fixture(scope="session")
def samples():
    return SAMPLES
