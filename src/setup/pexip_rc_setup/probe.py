"""Looks whether what was set up has arrived: at a Conferencing Node, and at the module."""

import time
from urllib.parse import urlsplit

from . import csp
from .report import SetupError, quoted, shown
from .wire import basic, exchange, json_object

INTERVAL = 5                # seconds
ANSWER_MAX = 1 << 20        # bytes


class Probe:
    def __init__(self, settings):
        self.settings = settings

    def _get(self, url, auth=None):
        parts = urlsplit(url)
        headers = {"Authorization": basic(*auth)} if auth else {}
        return exchange("GET", parts.hostname, parts.port or 443, f"{parts.path}?{parts.query}" if parts.query else parts.path,
                        self.settings.context, headers=headers, seconds=min(self.settings.seconds, 30), limit=ANSWER_MAX)

    def _answer(self, url, expected, auth=None):
        status, headers, content = self._get(url, auth)
        if status not in expected:
            raise SetupError(f"{shown(url)} answers {status}")
        return headers, content

    def _object(self, url, expected=(200,), auth=None):
        _, content = self._answer(url, expected, auth)
        value = json_object(content)
        if value is None:
            raise SetupError(f"{shown(url)} answers no JSON object")
        return value

    # What is looked at: each returns when it is right, and says what is wrong otherwise.

    def policy(self):
        settings = self.settings
        self._object(f"{settings.policy_url}/policy/v1/service/configuration", (200, 404),
                     (settings.node_user, settings.node_secret))

    def events(self):
        settings = self.settings
        if self._object(settings.events_url, auth=(settings.node_user, settings.node_secret)).get("success") is not True:
            raise SetupError(f"{shown(settings.events_url)} does not answer like the events handler")

    def node(self):
        self._answer(f"{self.settings.probe}/api/client/v2/status", (200,))

    def manifest(self):
        url = f"{self.settings.probe}/{self.settings.slug}/branding/manifest.json"
        if self.settings.manifest is not None and self._object(url) != self.settings.manifest:
            raise SetupError(f"{shown(url)} is not yet that of the package")

    def security(self):
        url = f"{self.settings.probe}/{self.settings.slug or 'webapp3'}/"
        headers, _ = self._answer(url, range(200, 400))
        for text in headers.get_all("Content-Security-Policy", []):
            for name in ("frame-src", "frame-ancestors"):
                if not csp.admits(text, self.settings.origin, name):
                    raise SetupError(f"{name} of {shown(url)} does not yet name {self.settings.origin}")


def probe(settings, report):
    """Tries each until it is right or the time is over. Returns how many were not."""
    looks = Probe(settings)
    wanted = [("the node answers", looks.node)]
    if settings.node_user:
        wanted += [("the module takes policy requests", looks.policy), ("the module takes events", looks.events)]
    if "branding" in settings.parts and settings.manifest is not None:
        wanted.append((f"the web app path {quoted(settings.slug)} shows the package", looks.manifest))
    if "csp" in settings.parts:
        wanted.append(("the Content-Security-Policy names the workspace", looks.security))
    report.say(f"waiting up to {settings.probe_seconds} s until the nodes have it (60 to 90 s are usual)")
    end = time.monotonic() + settings.probe_seconds
    while True:
        wrong = []
        for title, look in wanted:
            try:
                look()
                report.say(f"right: {title}")
            except SetupError as problem:
                wrong.append((title, look, problem))
        wanted = [(title, look) for title, look, _ in wrong]
        if not wrong or time.monotonic() >= end:
            break
        time.sleep(min(INTERVAL, max(0.1, end - time.monotonic())))
    for title, _, problem in wrong:
        report.error(f"not so: {title}: {problem}")
    return len(wrong)
