"""Stand-in Conferencing Nodes: they ask for policy and post events as real ones do, one after the other, waiting for each answer.

    node = Node("10.10.1.11", server)
    node.started()
    node.conference_started(meeting["id"])
    anna = two_legs(node, meeting["id"], "Anna", role="chair")
    anna.leave()
    node.conference_ended(meeting["id"])

Every verb returns the event that it has sent. With send=False it only builds it, taking its place in the node's order:

    late = anna.media.updated(is_muted=True, send=False)
    anna.media.updated(is_muted=False)
    node.send(late)         # late
    node.send(late)         # and again: a duplicate
    with node.holding() as events:      # whole scenes can be held back as well
        boris = sip(node, meeting["id"], "Boris")
    node.bulk(events + [late])

The field lists follow protocol version 2; Node(version=1) leaves out and moves what version 1 does.
"""

import json
import time
import uuid as uuids
from contextlib import contextmanager
from urllib.parse import quote, urlencode

from workspace import NODES, PREFIX

BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"
ROOM_SYSTEM = "TANDBERG/529 (RoomOS 11.9.3.1 d1b0f3a5a1e)"
TAG = "rocket.chat"
QUALITY = {"unknown": "0_unknown", "good": "1_good", "ok": "2_ok", "bad": "3_bad", "terrible": "4_terrible"}


def now():
    return round(time.time(), 6)


class Refused(AssertionError):
    """The server did not take an event."""


class Node:
    def __init__(self, address, server, credentials=NODES, prefix=PREFIX, location="Oslo", version=2, headers=None, **options):
        """server: an Httpd, or a function with the signature of its request(). options: port=, tls= of request()."""
        self.address = address
        self.request = getattr(server, "request", server)
        self.credentials = credentials
        self.prefix = prefix
        self.location = location
        self.version = version
        self.headers = dict(headers or {})
        self.options = options
        self.seq = 0
        self.conferences = {}
        self._held = None

    # Policy

    def policy_parameters(self, alias=None, **parameters):
        """What a browser's join makes a node ask. A parameter given as None is left out, a list is repeated."""
        display_name = parameters.get("remote_display_name", "Anna Example")
        full = {
            "call_direction": "dial_in", "protocol": "api", "bandwidth": "0", "vendor": BROWSER, "encryption": "On",
            "registered": "False", "trigger": "web", "remote_display_name": display_name, "remote_alias": display_name,
            "remote_address": "198.51.100.24", "remote_port": "51544", "call_tag": "", "idp_uuid": "",
            "has_authenticated_display_name": "False", "supports_direct_media": "False", "teams_tenant_id": "",
            "proxy_node_address": "", "proxy_node_location": "", "location": self.location, "node_ip": self.address,
            "version_id": "37", "pseudo_version_id": "80123.0.0", "local_alias": alias, **parameters}
        return {name: value for name, value in full.items() if value is not None}

    def policy(self, alias=None, what="service/configuration", method="GET", **parameters):
        """Asks for policy and returns the answer as it came."""
        query = urlencode(self.policy_parameters(alias, **parameters), doseq=True)
        return self.policy_raw(f"{what}?{query}", method)

    def policy_raw(self, path_and_query, method="GET"):
        return self.request(method, f"{self.prefix}/policy/v1/{path_and_query}", auth=self.credentials,
                            headers=self.headers, **self.options)

    def dial_out(self, service_name, remote_alias="sip:guest@partner.example", **parameters):
        """Adding a participant from inside: the key is service_name."""
        return self.policy(service_name, call_direction="dial_out", protocol="sip", trigger="unspecified",
                           remote_alias=remote_alias, remote_display_name="", service_name=service_name,
                           unique_service_name=service_name, service_tag=TAG, **parameters)

    def probe(self, alias):
        """A SIP OPTIONS: asks about the alias, nobody is calling."""
        return self.policy(alias, call_direction="non_dial", protocol="sip", trigger="options")

    # Delivery

    def post(self, body):
        """Posts a body as it is (text, bytes or an object) and returns the answer."""
        if not isinstance(body, (str, bytes)):
            body = json.dumps(body, ensure_ascii=False)
        if isinstance(body, str):
            body = body.encode()
        return self.request("POST", f"{self.prefix}/events", body=body, auth=self.credentials,
                            headers={"Content-Type": "application/json", **self.headers}, **self.options)

    def send(self, event):
        """Posts an event that must be taken."""
        if self._held is not None:
            self._held.append(event)
            return event
        answer = self.post(event)
        if answer.status != 200:
            raise Refused(f"{event.get('event')} seq {event.get('seq')}: {answer.status} {answer.text[:300]}")
        return event

    def event(self, name, data, **envelope):
        """Builds an event: the next seq, the time now, both replaceable. An envelope field given as None is left out."""
        self.seq += 1
        event = {"node": self.address, "seq": self.seq, "version": self.version, "time": now(),
                 "event": name, "data": data, **envelope}
        return {key: value for key, value in event.items() if value is not None}

    def _say(self, name, data, send, **envelope):
        event = self.event(name, data, **envelope)
        return self.send(event) if send else event

    @contextmanager
    def holding(self):
        """Inside, what would be sent is only collected, in its order."""
        self._held = held = []
        try:
            yield held
        finally:
            self._held = None

    def bulk(self, events, send=True):
        """The wrapper around complete events. It is no member of the series: seq 0 and the loopback address."""
        wrapper = {"event": "eventsink_bulk", "node": "127.0.0.1", "seq": 0, "version": self.version,
                   "time": now(), "data": list(events)}
        return self.send(wrapper) if send else wrapper

    # The event sink itself

    def started(self, send=True):
        """A new run of the publisher: counting begins at 1."""
        self.seq = 0
        return self._say("eventsink_started", {}, send)

    def updated(self, send=True):
        return self._say("eventsink_updated", {}, send)

    def stopped(self, send=True):
        return self._say("eventsink_stopped" if self.version == 1 else "eventsink_ended", {}, send)

    # Conferences

    def conference_started(self, name, send=True, tag=TAG, **changes):
        self.conferences[name] = {"name": name, "service_type": "conference", "tag": tag, "start_time": now(),
                                  "is_started": False, "is_locked": True, "guests_muted": False, **changes}
        return self._say("conference_started", dict(self.conferences[name]), send)

    def _conference(self, name):
        # A node that was never told to start it may still speak of it: then the start was lost.
        return self.conferences.setdefault(name, {
            "name": name, "service_type": "conference", "tag": TAG, "start_time": now(),
            "is_started": True, "is_locked": True, "guests_muted": False})

    def conference_updated(self, name, send=True, **changes):
        conference = self._conference(name)
        conference.update(changes)
        return self._say("conference_updated", dict(conference), send)

    def conference_ended(self, name, send=True, **changes):
        return self._say("conference_ended", {**self._conference(name), "end_time": now(), **changes}, send)


class Leg:
    """One call leg, one uuid. Its verbs send the full object, as nodes are documented to do."""

    def __init__(self, node, conference, display_name, **fields):
        self.node = node
        leg_id = fields.get("uuid") or str(uuids.uuid4())
        self.data = {
            "uuid": leg_id, "call_id": leg_id, "conversation_id": leg_id, "related_uuids": [], "conference": conference,
            "service_type": "conference", "service_tag": TAG, "call_tag": "", "display_name": display_name,
            "role": "guest", "connect_time": now(), "call_direction": "in", "protocol": "WebRTC",
            "source_alias": display_name, "destination_alias": conference, "remote_address": "198.51.100.24",
            "vendor": BROWSER, "has_media": True, "is_muted": False, "is_client_muted": False, "is_presenting": False,
            "is_streaming": False, "is_idp_authenticated": False, "encryption": "On", "rx_bandwidth": 1722,
            "tx_bandwidth": 868, "media_node": node.address, "signalling_node": node.address, "proxy_node": "",
            "system_location": node.location, **fields}

    @property
    def uuid(self):
        return self.data["uuid"]

    def connected(self, send=True, **changes):
        self.data.update(changes)
        return self.node._say("participant_connected", dict(self.data), send)

    def updated(self, send=True, partial=False, **changes):
        """partial=True sends only the identity and what has changed, as one field report has it."""
        self.data.update(changes)
        data = dict(self.data)
        if partial:
            data = {"uuid": self.uuid, "conference": self.data["conference"], **changes}
        return self.node._say("participant_updated", data, send)

    def disconnected(self, reason="Call disconnected", send=True, **changes):
        end = now()
        data = {**self.data, "disconnect_reason": reason, **changes}
        if self.node.version == 1:
            data["media_streams"] = self._streams(end) if self.data["has_media"] else []
        else:
            data.setdefault("end_time", end)
            data.setdefault("duration", round(end - (self.data["connect_time"] or end), 6))
        return self.node._say("participant_disconnected", data, send)

    def stream_window(self, quality, was="good", send=True):
        """The perceived quality moved to another class: good, ok, bad, terrible or unknown."""
        time_now = now()
        level = int(QUALITY[quality][0])
        history = [{"stream_id": stream, "stream_type": kind, "time": round(time_now - 20, 6), "time_delta": -20.0,
                    "tx_packets_sent": 1227, "tx_packets_lost": 0, "rx_packets_received": 1120, "rx_packets_lost": 58 * level}
                   for stream, kind in (("0", "audio"), ("1.0", "video"))]
        samples = [{"time": round(time_now - 20, 6), "time_delta": -20.0, "quality": int(QUALITY[was][0]), "audio": 1,
                    "video": 1, "presentation": None, "applicationsharing": None},
                   {"time": time_now, "time_delta": 0, "quality": level, "audio": level, "video": level,
                    "presentation": None, "applicationsharing": None}]
        return self.node._say("participant_media_stream_window", {
            "uuid": self.uuid, "call_quality_was": QUALITY[was], "call_quality_now": QUALITY[quality],
            "packet_loss_history": history, "recent_quality": samples}, send)

    def streams_destroyed(self, send=True):
        return self.node._say("participant_media_streams_destroyed",
                              {"uuid": self.uuid, "media_streams": self._streams(now())}, send)

    def _streams(self, end):
        first_version = self.node.version == 1
        streams = []
        for number, kind, codec, bitrate, size, fps in ((0, "audio", "opus", 60, "", 0.0), (1, "video", "VP9", 1405, "1280x720", 30.0)):
            stream = {"stream_id": number if first_version else str(number), "stream_type": kind, "node": self.node.address,
                      "start_time": self.data["connect_time"] or end, "end_time": end}
            for side, packets in (("rx", "rx_packets_received"), ("tx", "tx_packets_sent")):
                stream |= {f"{side}_bitrate": bitrate, f"{side}_codec": codec, f"{side}_resolution": size,
                           packets: 45000, f"{side}_packets_lost": 3, f"{side}_packet_loss": 0.01}
                if not first_version:
                    stream[f"{side}_fps"] = fps
            streams.append(stream)
        return streams


class Person:
    """Somebody in a conference: one leg or several. `media` is the leg that is seen and heard."""

    def __init__(self, *legs):
        self.legs = legs
        self.media = legs[-1]

    def admit(self):
        """From the waiting room, or from the PIN, into the conference."""
        changes = {"service_type": "conference", "has_media": True, "encryption": "On"}
        if self.media.data["role"] == "unknown":
            changes["role"] = "guest"
        return self.media.updated(**changes)

    def leave(self, reason="Call disconnected"):
        """In the order that nodes use: statistics, then the media leg, then its API leg."""
        if self.media.node.version != 1 and self.media.data["has_media"]:
            self.media.streams_destroyed()
        for leg in reversed(self.legs):
            leg.disconnected(reason)


API_LEG = {"protocol": "API", "has_media": False, "encryption": "Off", "rx_bandwidth": 0, "tx_bandwidth": 0}
BEFORE_PIN = {"service_type": "connecting", "role": "unknown", "connect_time": None}


def two_legs(node, conference, display_name, role="guest", **fields):
    """A browser whose control connection and media have a uuid each."""
    api = Leg(node, conference, display_name, **API_LEG, **BEFORE_PIN, **fields)
    api.connected()
    api.updated(service_type="conference", role=role, connect_time=now())
    media = Leg(node, conference, display_name, role=role, conversation_id=api.uuid, related_uuids=[api.uuid], **fields)
    media.connected()
    api.data["related_uuids"] = [media.uuid]
    return Person(api, media)


def one_leg(node, conference, display_name, role="guest", waiting=False, **fields):
    """A browser whose single uuid turns from API to WebRTC; waiting=True leaves it in the waiting room until admit()."""
    leg = Leg(node, conference, display_name, **API_LEG, **BEFORE_PIN, **fields)
    leg.connected()
    leg.updated(protocol="WebRTC", role=role, connect_time=now(), service_type="waiting_room", rx_bandwidth=1722, tx_bandwidth=868)
    person = Person(leg)
    if not waiting:
        person.admit()
    return person


def sip(node, conference, display_name, role="guest", **fields):
    """A room system: one uuid, through the PIN prompt into the conference."""
    alias = f"sip:{conference}@meet.example.com"
    leg = Leg(node, conference, display_name, **{"protocol": "SIP", "vendor": ROOM_SYSTEM, "destination_alias": alias,
              "source_alias": "sip:boardroom@corp.example", "remote_address": "10.20.30.41", **BEFORE_PIN, **fields})
    leg.connected()
    leg.updated(service_type="ivr", connect_time=now())
    leg.updated(service_type="conference", role=role)
    return Person(leg)


def streaming(node, conference, display_name="Recorder", **fields):
    """A streaming or recording endpoint: in the conference, but nobody."""
    leg = Leg(node, conference, display_name, **{"protocol": "RTMP", "is_streaming": True, "call_direction": "out",
              "vendor": "Recorder/1.0", "destination_alias": "rtmp://recorder.example/live", **fields})
    leg.connected()
    return Person(leg)


def encode_refused(query):
    """Percent-encodes only what an HTTP client refuses to send; recorded query strings stay otherwise as they were."""
    return quote(query, safe="".join(map(chr, range(0x21, 0x7f))))
