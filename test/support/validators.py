"""Rocket.Chat's own published request validators, of three major versions, asked in a node process.

    if Validators.available():
        with Validators() as validators:
            validators.check("chat.sendMessage", {"message": {...}})    # [] or one text for each version that refuses

`make contract` bundles them below build/; stand-ins that check their requests work without, and check less.
"""

import shutil
import subprocess
from pathlib import Path

from node_program import NodeProgram

REPOSITORY = Path(__file__).resolve().parents[2]
BUNDLES = REPOSITORY / "build" / "npm" / "validators"
SERVER = REPOSITORY / "test" / "contract" / "validators" / "serve.mjs"
VERSIONS = ("6.13.1", "7.13.9", "8.8.1")

# What each version checks the body, or for GET the query, of a route with. Routes that are not named here have no
# published validator: channels.invite and rooms.getDiscussions among them.
ROUTES = {
    "chat.sendMessage": "isChatSendMessageProps",
    "chat.postMessage": "isChatPostMessageProps",
    "chat.update": "isChatUpdateProps",
    "chat.getMessage": "isChatGetMessageProps",
    "chat.delete": "isChatDeleteProps",
    "rooms.info": "isRoomsInfoProps",
    "rooms.createDiscussion": "isRoomsCreateDiscussionProps",
    "groups.invite": "isGroupsInviteProps",
    "dm.create": "isDmCreateProps",
    "im.create": "isDmCreateProps",
    "users.info": "isUsersInfoParamsGetProps",
}


class Validators(NodeProgram):
    """May be asked by several threads."""

    name = "the validators"

    @staticmethod
    def available():
        return shutil.which("node") is not None and all((BUNDLES / f"{v}.cjs").exists() for v in VERSIONS)

    def __init__(self):
        self.begin(SERVER, BUNDLES, stderr=subprocess.DEVNULL)

    def check(self, route, request):
        """One text for each version that would refuse this body, or for GET this query."""
        name = ROUTES.get(route)
        if name is None:
            return []
        verdicts = self.verdicts(name, request)
        assert any(verdict is not None for verdict in verdicts.values()), f"no version has {name}"
        return [f"{version} refuses this {route}: {verdict}" for version, verdict in verdicts.items()
                if verdict not in (True, None)]

    def verdicts(self, name, request):
        """For each version True, the reasons of its refusal, or None where it has no validator of this name."""
        verdicts = self.order({"name": name, "body": request})
        assert set(verdicts) == set(VERSIONS), f"bundled are {', '.join(verdicts)}"
        return verdicts
