"""Fixtures for the contracts; everything here needs what `make contract` prepares."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from validators import Validators  # noqa: E402


@pytest.fixture(scope="session")
def validators():
    with Validators() as running:
        yield running
