"""Fixtures for what people see, in a real browser; `make browser` prepares it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from chat import blameless  # noqa: E402, F401
from fixtures import audited, make_httpd, mpm  # noqa: E402, F401
