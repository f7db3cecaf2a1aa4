"""The stand-in of Pexip's web app on a Web, with the package of `make plugin` as its branding: it gives plugins the sandbox,
and its pages the policy, that the web app's documents tell of.

    app = WebApp(web, folder)
    app.install(RC="https://chat.example.com")
    page = browser.open(app.address("alias", rid="https://chat.example.com/group/weekly"))
    join(page)
    open_panel(page)
"""

import json
from pathlib import Path
from urllib.parse import quote

from browser import REPOSITORY, TIMEOUT
from plugin_host import ORIGIN, make_package
from waiting import wait_until

MEET = "meet.example.com"
STAND_IN = Path(__file__).parent / "webapp3"
PROTOCOL = REPOSITORY / "test" / "contract" / "plugin" / "webapp3.mjs"
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".mjs": "text/javascript", ".json": "application/json",
         ".txt": "text/plain"}
BUTTON = "footer .plugin"
# What the browser says of the sandbox that Pexip's documents ask for.
SANDBOX = "An iframe which has both allow-scripts and allow-same-origin for its sandbox attribute can escape its sandboxing."


def policy(frame="'self'", connect="'self'"):
    """What nodes send, and what an administrator adds."""
    return ("upgrade-insecure-requests; default-src 'self'; frame-ancestors 'self'; "
            f"frame-src {frame}; style-src 'self' 'unsafe-inline'; object-src 'self'; font-src 'self'; img-src 'self' data: blob:; "
            f"script-src 'self' 'unsafe-inline' 'unsafe-eval'; media-src 'self' blob:; connect-src {connect}")


OPEN = policy(f"'self' {ORIGIN}", f"'self' {ORIGIN}")


class WebApp:
    def __init__(self, web, folder):
        self.web = web
        self.folder = folder

    def install(self, csp=OPEN, generation=37, manifest=None, **variables):
        """As if everything had been installed anew; variables are those of `make plugin`."""
        make_package(self.folder, **(variables or {"RC": ORIGIN}))
        self.csp = csp
        self.start_page = (STAND_IN / "index.html").read_text().replace("<html", f'<html data-generation="{generation}"', 1)
        for path in (STAND_IN / "page.mjs", PROTOCOL):
            self._serve(f"/webapp3/{path.name}", path.read_text(), path.suffix)
        for path in (self.folder / "webapp3").rglob("*.*"):
            text = path.read_text()
            if manifest and path.name == "manifest.json":
                text = json.dumps({**json.loads(text), **manifest})
            self._serve(f"/{path.relative_to(self.folder)}", text, path.suffix)
        self.web.requests.clear()

    def _serve(self, path, text, suffix):
        self.web.page(MEET, path, text, {"Content-Type": TYPES[suffix], "Content-Security-Policy": self.csp, "X-Content-Type-Options": "nosniff"})

    def serve_start_page(self, path):
        self._serve(path, self.start_page, ".html")

    def address(self, alias, rid=None):
        self.serve_start_page(f"/webapp3/m/{alias}")
        return f"https://{MEET}/webapp3/m/{alias}" + ("" if rid is None else f"?rid={quote(rid, safe='')}&pin=1234&name=Nina")

    def asked(self, host):
        return [request.path for request in self.web.requests_of(host)]


def wait_for_plugin(page):
    page.wait_for("() => window.app?.chanId")


def join(page):
    wait_for_plugin(page)
    page.click("#join")


def wait_for_button(page, active):
    page.wait_for("(selector, value) => document.querySelector(selector)?.ariaPressed === value", BUTTON, str(active).lower())


def open_panel(page):
    wait_for_button(page, False)
    page.click(BUTTON)
    wait_for_button(page, True)


def text_of_room(page, address, selector="h1"):
    wait_until(lambda: any(address in url for url in page.frames), TIMEOUT, f"{address} in a frame")
    return page.text(selector, frame=address)


def complaints(page):
    return [text for text in page.seen().complaints if text != SANDBOX] + page.evaluate("() => app.complaints")
