"""The rules of Prometheus are tested by its own tool, on figures of a real httpd."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from fixtures import audited, make_httpd, mpm  # noqa: E402, F401

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def promtool():
    """promtool(*arguments, input=text) -> what it printed; fails where it does. `make alerts` brings it."""
    program = shutil.which("promtool") or REPOSITORY / "build" / "prometheus" / "usr" / "bin" / "promtool"

    def run(*arguments, **options):
        done = subprocess.run([program, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env={**os.environ, "GOMAXPROCS": "1"}, **options)
        assert done.returncode == 0, done.stdout
        return done.stdout
    return run
