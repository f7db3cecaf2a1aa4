"""The plugin for Pexip's web app beside a web app of the stand-in's kind, without a browser.

    with Host() as host:
        plugin = host.start(rid="https://chat.example.com/group/weekly")
        plugin.click()
        plugin.widget["isVisible"]

`make contract` prepares what it needs. Time stands still but for advance().
"""

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlencode

from node_program import NodeProgram

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCE = REPOSITORY / "src" / "webapp3-plugin"
BUILD = REPOSITORY / "build" / "webapp3-plugin"
PACKAGES = REPOSITORY / "build" / "npm" / "plugin" / "node_modules"
SCRIPT = BUILD / "script" / "index.js"
DRIVER = REPOSITORY / "test" / "contract" / "plugin" / "drive.mjs"
VARIABLES = ("RC", "ENDPOINT", "PEXIP_CHAT")

ORIGIN = "https://chat.example.com"
ENDPOINT = f"{ORIGIN}/pexip/chat"


def make_package(folder, **variables):
    """What `make plugin` does after bundling, into the folder; returns the ZIP, or raises CalledProcessError with stderr."""
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    target = Path(folder) / "plugin.zip"
    subprocess.run(["/usr/bin/python3", SOURCE / "package.py", SCRIPT, PACKAGES, folder, target],
                   env={**environment, **variables}, check=True, capture_output=True, text=True)
    return target


class Plugin:
    """A plugin that runs. What it has done stands in the attributes, see state() of drive.mjs."""

    expects_complaints = False      # of the web app, about calls that it does not know

    def __init__(self, order):
        self._order = order
        self.state = SimpleNamespace()

    def _do(self, what, **members):
        answer = self._order({"do": what, **members})
        self.state = SimpleNamespace(**answer["state"])
        assert answer.get("error") is None, answer["error"]
        assert answer["failures"] == []

    def advance(self, milliseconds):
        self._do("advance", milliseconds=milliseconds)

    def emit(self, event, payload=None):
        self._do("emit", event=event, payload=payload)

    def join(self, alias, **more):
        self.emit("event:conference:authenticated", {"conferenceAlias": alias, **more})
        self.advance(0)

    def leave(self):
        self.emit("event:userInitiatedDisconnect")

    def click(self):
        self._do("click")

    def release(self):
        self._do("release")

    def open_other_panel(self):
        self._do("other")

    def post(self, message, stranger=False):
        """Anything, not only what a web app would send; as a stranger from another window."""
        self._do("post", message=message, stranger=stranger)

    def violation(self, **members):
        self._do("violation", members=members)

    @property
    def urls(self):
        """What is offered as panels at the moment."""
        return [widget["src"] for widget in self.state.widgets]

    @property
    def calls(self):
        return [message["rpc"] for message in self.state.messages]

    @property
    def active(self):
        [button] = self.state.buttons
        return button["isActive"]

    def said(self, level):
        return [line["text"] for line in self.state.lines if line["level"] == level]


class Host(NodeProgram):
    name = "the driver"

    def __init__(self):
        self.begin(DRIVER)

    def start(self, rid=None, script=SCRIPT, generation=37, config=None, **options):
        """A new plugin, in place of the last one; options are those of Run in drive.mjs and of WebApp in webapp3.mjs."""
        if rid is not None:
            options.setdefault("search", "?" + urlencode({"conference": "2fb1cd", "rid": rid, "pin": "1234"}))
        plugin = Plugin(self.order)
        plugin._do("start", script=str(script), options={
            "generation": generation, "config": {"rcOrigin": ORIGIN, "endpoint": ENDPOINT} if config is None else config, **options})
        plugin.advance(0)
        return plugin
