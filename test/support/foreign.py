"""Conferences that are none of our meetings, and their chats below one room: for sites (chat.py) whose `extra` is SCHEDULED.

    furnish(site)                       # the room
    conference = Conference(site)
    conference.enter()                  # somebody dials its alias
    answer = ask(site, conference.alias)
    discussion, = made_for(site, conference.alias)
"""

import time
from urllib.parse import quote

from fixtures import ADDRESSES
from pexip import Leg, Node
from workspace import PREFIX

ROOM = "Scheduled0Room1Id"
PLACE = f'<Location "{PREFIX}/chat">\nSetHandler pexip-rc-chat\nRequire all granted\n</Location>\n'
SCHEDULED = f"PexipRCScheduledRoom {ROOM}\n{PLACE}"


def furnish(site):
    site.scheduled = site.chat.add_room("scheduled", "p", [site.nina, site.chat.bot], room_id=ROOM)


def ask(site, alias, **headers):
    """As the plugin does. Underscores in names of headers stand for hyphens."""
    return site.request("GET", f"{PREFIX}/chat?alias={quote(alias, safe='')}",
                        headers={name.replace("_", "-"): value for name, value in headers.items()})


def url_of(site, discussion):
    return f"{site.url}/group/{discussion.name}?layout=embedded"


def made_for(site, alias):
    return [each for each in site.chat.discussions(site.scheduled) if alias in each.shown]


class Conference:
    """One that Outlook made: it lives in Infinity, and nobody asks us about it."""
    number = 0

    def __init__(self, site, alias=None):
        Conference.number += 1
        self.alias = alias or f"70{time.time_ns() % 10**9}{Conference.number:03}"
        self.name = f"Review {Conference.number} (Nina Example)"
        self.node = Node(next(ADDRESSES), site.httpd, port=site.port)
        self.node.started()

    def enter(self, alias=None, **fields):
        leg = Leg(self.node, self.name, "Anna", destination_alias=alias or self.alias, **{"service_tag": "", **fields})
        leg.connected()
        return leg

    def end(self):
        self.node.conference_ended(self.name, tag="")
