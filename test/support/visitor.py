"""Somebody's browser at a join link. Where it is sent is only read: nobody goes to the Conferencing Nodes.

    visitor = Visitor(server, cookies=nina.cookies())
    landed = visitor.open(meeting["join_url"])
    landed.status, landed.pin, landed.name, landed.rid
"""

from urllib.parse import parse_qs, quote, urlsplit

NAVIGATION = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "Sec-Fetch-Mode": "navigate",
              "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none", "Sec-Fetch-User": "?1", "Upgrade-Insecure-Requests": "1"}


class Landed:
    def __init__(self, answer):
        self.answer = answer
        self.status, self.headers, self.text = answer.status, answer.headers, answer.text
        self.location = answer.headers.get("Location")
        query = parse_qs(urlsplit(self.location or "").query)
        self.conference, self.pin, self.name, self.rid = (query.get(name, [None])[0] for name in ("conference", "pin", "name", "rid"))

    def role(self, meeting):
        """Which of the meeting's PINs was given; the words of the page where none was."""
        roles = {pin: role for role, pin in meeting["pins"].items()}
        return roles.get(self.pin, f"{self.status}: {self.text[:200]}")


class Visitor:
    """Cookies are sent as the web client writes them, percent-encoded once. navigates=False is a program, or a page that fetches."""

    def __init__(self, server, cookies=None, navigates=False, headers=None, **options):
        self.request = getattr(server, "request", server)
        self.cookies = dict(cookies or {})
        self.headers = {**(NAVIGATION if navigates else {"Accept": "*/*"}), **(headers or {})}
        self.options = options

    def open(self, url, query="", method="GET", headers=None, body=None):
        """Any link, of which only path and query matter; an answer's redirect is not followed."""
        parts = urlsplit(url)
        query = "&".join(each for each in (parts.query, query) if each)
        path = parts.path + (f"?{query}" if query else "")
        sent = {**({"Host": parts.netloc} if parts.netloc else {}), **self.headers, **(headers or {})}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={quote(value, safe='')}" for name, value in self.cookies.items())
        return Landed(self.request(method, path, headers=sent, body=body, **self.options))
