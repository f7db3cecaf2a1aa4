"""Fixtures for the contracts; everything here needs what `make contract` prepares."""

import base64
import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from apps_engine import Engine  # noqa: E402
from fixtures import audited, mpm  # noqa: E402, F401
from module_api import PASSWORD, USER, ModuleApi  # noqa: E402
from validators import Validators  # noqa: E402


@pytest.fixture(scope="session")
def validators():
    with Validators() as running:
        yield running


@pytest.fixture(scope="session", params=[False, True], ids=["inside the server", "own process"])
def running_engine(request):
    with Engine(own_process=request.param) as engine:
        yield engine


@pytest.fixture(scope="session")
def running_module():
    with ModuleApi() as api:
        yield api


@pytest.fixture
def module(running_module):
    running_module.reset()
    yield running_module
    assert running_module.complaints == []


SECRET = "callback-secret-77ab51"
SECRETS = (SECRET, PASSWORD, base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode())


@pytest.fixture
def engine(running_engine, module):
    """The app, set up to use the stand-in of the module. Whatever a test does with it, it must log no secret."""
    running_engine.do("put")
    running_engine.do("world")
    running_engine.do("set", settings={"module_address": module.address, "module_user": USER,
                                       "module_password": PASSWORD, "callback_secret": SECRET})
    running_engine.logs.clear()
    yield running_engine
    logged = json.dumps([entry for entry in running_engine.logs if not is_by_the_engine(entry)], ensure_ascii=False)
    assert [secret for secret in SECRETS if secret in logged] == []


def is_by_the_engine(entry):
    """The engine notes every request to an app before the app sees it, with headers; no app can prevent that."""
    return entry["severity"] == "debug" and str(entry["args"][0]).endswith("is being executed...")
