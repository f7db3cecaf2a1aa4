"""Fixtures for tests against a real httpd; ../support/fixtures.py has those that other folders use too."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from fixtures import (  # noqa: E402, F401
    ADDRESSES, LIVE, Servers, api, audited, bury, make_httpd, meeting, mpm, node, other_node, server)
from rocketchat import RocketChat  # noqa: E402

SAMPLES = Path(__file__).resolve().parents[1] / "contract" / "samples"


@pytest.fixture
def upstream():
    with RocketChat() as rocketchat:
        yield rocketchat


@pytest.fixture(scope="session")
def samples():
    return SAMPLES
