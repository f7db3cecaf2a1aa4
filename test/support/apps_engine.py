"""The companion app in Rocket.Chat's real Apps-Engine, which runs in a node process with a Rocket.Chat in memory.

    with Engine() as engine:
        engine.do("set", settings={"module_address": "http://127.0.0.1:8080/pexip", ...})
        engine.do("customizeUrl", call={...}, user={...}, options={"mic": False})

`make contract` prepares what it needs. Every answer brings the app's log, which is kept in `logs`.
"""

import json
from pathlib import Path

from node_program import NodeProgram

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = REPOSITORY / "build" / "npm" / "app"
ENGINE = REPOSITORY / "test" / "contract" / "app" / "engine.mjs"
APP_ID = json.loads((REPOSITORY / "src" / "rocketchat-app" / "app.json").read_text())["id"]


class EngineError(Exception):
    """What the app, or the engine, has thrown."""


def package():
    [zip_file] = (REPOSITORY / "build" / "rocketchat-app").glob("*.zip")
    return zip_file


class Engine(NodeProgram):
    """`own_process`: the app is called by the rules of later engines, which give it a process of its own.

    May be used by several threads.
    """

    name = "the engine"

    def __init__(self, own_process=False):
        self.own_process = own_process
        self.logs = []
        self.begin(ENGINE, PACKAGES, package())
        self.installed = self.do("install")
        if own_process:
            self.installed_in_own_process = self.do("installInOwnProcess")

    def do(self, action, **members):
        answer = self.order({"do": action, "own_process": self.own_process, **members})
        self.logs += answer["logs"]
        if "error" in answer:
            raise EngineError(answer["error"])
        return answer.get("value")

    def together(self, *orders):
        """Carries out all at the same time; each gets its value or error, and how many seconds it took."""
        return self.do("together", orders=[{"own_process": self.own_process, **order} for order in orders])

    def messages(self, severity):
        """What has been logged as "warning" or "error", as texts."""
        return [" ".join(map(str, entry["args"])) for entry in self.logs if entry["severity"] == severity]
