"""A real browser: Debian's Chromium, driven by a node process that lives as long as the browser does.

    with Browser({"chat.example.com": port}) as browser:
        page = browser.open("https://chat.example.com/", dark=True, width=360)
        page.click("text=Join as guest")
        assert page.seen().complaints == []

`make browser` prepares what it needs. Names that are not given lead nowhere: nothing leaves this machine.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from httpd import PATIENCE
from node_program import NodeProgram
from waiting import wait_until

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = REPOSITORY / "build" / "npm" / "browser"
DRIVER = REPOSITORY / "test" / "support" / "browser.mjs"
SCREENSHOTS = REPOSITORY / "build" / "screenshots"
TIMEOUT = 60 * PATIENCE     # seconds for whatever a page is waited for


def chromium():
    """The path of the browser; None where there is none."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class BrowserError(Exception):
    """What an order came to: a timeout, an error in the page, an element that is not there."""


class Seen(NamedTuple):
    """What has happened on a page since it was opened: each request has method, url, type, headers, body, and when it began (at, ms)."""

    requests: list
    console: list
    errors: list
    dialogs: list

    @property
    def complaints(self):
        """What a page should never cause: errors in the console (violations of its policy are there, too), exceptions, dialogs."""
        return [each["text"] for each in self.console if each["type"] in ("error", "warning")] + self.errors + self.dialogs

    def hosts(self):
        return {each["url"].split("/")[2] for each in self.requests if each["url"].startswith("http")}


class Page:
    """One tab with cookies and storage of its own. `frame` is part of the address of a frame in it, where something is in one."""

    def __init__(self, browser, options):
        self._browser = browser
        self._visit = browser.say("open", options=options)

    def _order(self, what, **members):
        return self._browser.say(what, visit=self._visit, **members)

    def call(self, method, *args, **where):
        """Any method of playwright's page, or of the element `selector`; `frame` as above; context=True: of the page's context."""
        return self._order("call", method=method, args=args, **where)

    def goto(self, url, **options):
        """Status, url and headers of the last answer, redirects followed."""
        return self.call("goto", url, options)

    def click(self, selector, **where):
        self.call("click", selector=selector, **where)

    def fill(self, selector, text, **where):
        self.call("fill", text, selector=selector, **where)

    def press(self, key):
        """On whatever has the focus."""
        self.call("keyboard.press", key)

    def text(self, selector, **where):
        return self.call("textContent", selector=selector, **where)

    def evaluate(self, function, *args, **where):
        """Calls a function of JavaScript in the page; its value must be fit for JSON."""
        return self.call("evaluate", f"({function})(...{json.dumps(args)})", **where)

    def wait_for(self, function, *args, **where):
        """Until the function returns something true. Asked from here: a page's policy forbids to do so inside of it."""
        return wait_until(lambda: self._now(function, *args, **where), TIMEOUT, function)

    def _now(self, function, *args, **where):
        try:
            return self.evaluate(function, *args, **where)
        except BrowserError as error:
            # By a navigation; or a frame is not there yet. The next look may show more.
            if "Execution context was destroyed" in str(error) or "no frame shows" in str(error):
                return None
            raise

    def wait_for_url(self, pattern):
        """A glob: * stops at a slash, ** does not."""
        self.call("waitForURL", pattern, {"waitUntil": "domcontentloaded"})

    def accessibility(self, selector="body"):
        """What assistive technology is told, as an indented list of roles and names."""
        return self.call("ariaSnapshot", selector=selector)

    def screenshot(self, name):
        """Into build/screenshots, for people."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.call("screenshot", {"path": str(SCREENSHOTS / f"{name}.png"), "fullPage": True})

    def set_cookies(self, url, cookies):
        self.call("addCookies", [{"name": name, "value": value, "url": url} for name, value in cookies.items()], context=True)

    @property
    def url(self):
        return self._order("url")

    @property
    def frames(self):
        """The addresses that its frames show; a frame that was refused shows an error page of the browser."""
        return self._order("frames")

    def seen(self):
        return Seen(**self._order("seen"))

    def close(self):
        self._order("close")


class Browser(NodeProgram):
    """hosts: which port of this machine stands for the port 443 of a name. Pages may be opened by one thread at a time."""

    name = "the browser's driver"

    def __init__(self, hosts):
        # The last rule keeps the browser's own business, and whatever a page should not load, at home.
        rules = [f"MAP {name}:443 127.0.0.1:{port}" for name, port in hosts.items()]
        rules.append("MAP * ~NOTFOUND , EXCLUDE 127.0.0.1")
        settings = {"executable": chromium(), "resolver": " , ".join(rules), "timeout": 1000 * TIMEOUT}
        self._home = tempfile.mkdtemp(prefix="pxr-browser-")
        environment = {**{name: value for name, value in os.environ.items() if not name.startswith("XDG_")},
                       "HOME": self._home, "TMPDIR": self._home}
        self.begin(DRIVER, PACKAGES, json.dumps(settings), env=environment)
        try:
            self.version = self.say("version")
        except (RuntimeError, OSError):     # it could not be started, and has said why
            self._node.kill()
            shutil.rmtree(self._home)
            raise

    def say(self, what, **members):
        answer = self.order({"do": what, **members})
        if "error" in answer:
            raise BrowserError(answer["error"])
        return answer["value"]

    def open(self, url=None, *, dark=False, width=1280, height=800, script=True, zone="UTC", locale="en-GB", auth=None, **options):
        """A new page; auth is a user with password, options are further ones of playwright's contexts."""
        if auth:
            options["httpCredentials"] = dict(zip(("username", "password"), auth))
        page = Page(self, {"colorScheme": "dark" if dark else "light", "viewport": {"width": width, "height": height},
                           "javaScriptEnabled": script, "timezoneId": zone, "locale": locale, **options})
        if url:
            page.goto(url)
        return page

    def close(self):
        """The browser ends with its driver, the profile goes with it."""
        try:
            super().close()
        finally:
            shutil.rmtree(self._home, ignore_errors=True)
