"""Infinity's management API, as far as it is needed: read, make, change and delete single objects."""

import json
import re
import time
from urllib.parse import quote, urlsplit

from .packages import multipart
from .report import SetupError, Unclear, Unreachable, quoted, shown
from .wire import basic, exchange, json_object

BASE = "/api/admin/configuration/v1"
OBJECT = re.compile(rf"{BASE}/([a-z_]+)/(\d+|[0-9a-fA-F]{{8}}(?:-[0-9a-fA-F]{{4}}){{3}}-[0-9a-fA-F]{{12}})/")
GLOBAL = f"{BASE}/global/1/"

PAGES_MAX = 500
PATIENCE = 120              # seconds that are waited altogether where requests are counted
UPLOAD_FACTOR = 10          # an upload may take this many times longer than a question


def uri_of(value):
    """The URI of what a foreign key holds, which is the URI itself or the object it leads to; None for nothing."""
    if isinstance(value, dict):
        value = value.get("resource_uri")
    if value in (None, ""):
        return None
    parts = urlsplit(value) if isinstance(value, str) else None
    if parts is None or parts.query or not OBJECT.fullmatch(parts.path):
        raise SetupError(f"the management node names an object in a way that is not understood: {shown(value)[:200]}")
    return parts.path


def _messages(value, where=""):
    """What a refusal says, flattened: (field, sentence)."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _messages(each, name)
    elif isinstance(value, list):
        for each in value:
            yield from _messages(each, where)
    else:
        yield where, str(value)


def _refusal(content):
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        return shown(content.decode("utf-8", "replace"))[:300]
    try:
        found = list(_messages(said))[:20]
    except RecursionError:
        return ""
    return "; ".join((f"{shown(name)}: " if name else "") + shown(text)[:300] for name, text in found)


MEANINGS = {
    401: "user or password is wrong",
    403: "this user may not do that; he needs the right to administer the platform by the API",
    404: "there is no such thing at this node: is it the management node, and does its version have this resource?",
}


class Client:
    def __init__(self, host, port, user, password, context, seconds=30):
        self.host, self.port, self.context, self.seconds = host, port, context, seconds
        self._authorization = basic(user, password)
        self._schemas = {}

    # Reading

    def schema(self, resource):
        """The names of the fields that this version of Infinity has."""
        if resource not in self._schemas:
            answer = self._json("GET", f"{BASE}/{resource}/schema/?format=json")
            fields = answer.get("fields")
            if not isinstance(fields, dict) or not fields:
                raise SetupError(f"the schema of {resource} has no fields")
            self._schemas[resource] = set(fields)
        return self._schemas[resource]

    def get(self, uri):
        return self._json("GET", self._object(uri))

    def all(self, resource, query=""):
        """Every object of the list, page by page."""
        collection = f"{BASE}/{resource}/"
        path, found, seen = collection + query, [], set()
        while path is not None:
            seen.add(path)
            page = self._json("GET", path)
            objects, meta = page.get("objects"), page.get("meta")
            if not isinstance(objects, list) or not all(isinstance(each, dict) for each in objects) or not isinstance(meta, dict):
                raise SetupError(f"the list of {resource} is no list of objects")
            found += objects
            path = self._next(meta.get("next"), collection)
            if path in seen or len(seen) > PAGES_MAX:
                raise SetupError(f"the list of {resource} has no end")
        return found

    @staticmethod
    def _next(value, collection):
        if value is None:
            return None
        parts = urlsplit(value) if isinstance(value, str) else None
        if not parts or parts.path != collection or not parts.query.isascii() or not parts.query.isprintable() or " " in parts.query:
            raise SetupError(f"the next page of {collection} is said to be {shown(value)[:200]}")
        return f"{parts.path}?{parts.query}"

    def find(self, resource, field, value):
        """The only object that has exactly this value; None if there is none. Only names can be asked for everywhere."""
        query = f"?name={quote(value, safe='')}" if field == "name" else ""
        found = [each for each in self.all(resource, query) if each.get(field) == value]
        if len(found) > 1:
            raise SetupError(f"there are {len(found)} objects of {resource} whose {field} is {quoted(value)}: "
                             "rename or remove all but one")
        return found[0] if found else None

    # Writing

    def create(self, resource, fields, files=None):
        """Returns the URI of the new object."""
        headers, _ = self._write("POST", f"{BASE}/{resource}/", fields, files)
        try:
            uri = uri_of(headers.get("Location"))
        except SetupError:
            uri = None
        if not uri or OBJECT.fullmatch(uri).group(1) != resource:
            raise Unclear(f"a new {resource} was made, but the answer does not say where it is")
        return uri

    def change(self, uri, fields, files=None):
        self._write("PATCH", self._object(uri), fields, files)

    def delete(self, uri):
        self._ask("DELETE", self._object(uri))

    @staticmethod
    def _object(uri):
        """Only single objects are changed or deleted: a DELETE of a list would delete everything in it."""
        if not isinstance(uri, str) or not OBJECT.fullmatch(uri):
            raise SetupError(f"{shown(uri)} is no single object")
        return uri

    def _write(self, method, path, fields, files):
        if files:
            kind, body = multipart(fields, files)
        else:
            kind, body = "application/json", json.dumps(fields).encode()
        return self._ask(method, path, body, kind, self.seconds * (UPLOAD_FACTOR if files else 1))

    # Asking

    def _json(self, method, path):
        _, content = self._ask(method, path)
        answer = json_object(content)
        if answer is None:
            raise SetupError(f"{method} {shown(path)}: the answer is no JSON object: is {shown(self.host)} the management node?")
        return answer

    def _ask(self, method, path, body=None, kind=None, seconds=None):
        if method == "DELETE":
            self._object(path)
        headers = {"Authorization": self._authorization, "Accept": "application/json"}
        if kind:
            headers["Content-Type"] = kind
        waited = 0
        while True:
            status, answered, content = exchange(method, self.host, self.port, path, self.context,
                                                 headers=headers, body=body, seconds=seconds or self.seconds)
            if status != 429:
                break
            pause = answered.get("Retry-After", "")
            pause = max(1, int(pause)) if re.fullmatch(r"\d{1,6}", pause) else 10
            if waited + pause > PATIENCE:
                raise SetupError(f"{method} {shown(path)}: the node takes no more requests for {pause} seconds (429)")
            time.sleep(pause)
            waited += pause
        if 200 <= status < 300:
            return answered, content
        raise self._complaint(method, path, status, answered, content)

    def _complaint(self, method, path, status, answered, content):
        where = f"{method} {shown(path)}"
        if 300 <= status < 400:
            return SetupError(f"{where}: the answer leads to {shown(answered.get('Location', 'nowhere'))[:200]}, which is not "
                              "followed with a password; give the node's own address")
        said = MEANINGS.get(status) or _refusal(content)
        text = f"{where}: {status}" + (f", {said}" if said else "")
        if status == 401:
            return Unreachable(text)
        return Unclear(text) if status >= 500 and method != "GET" else SetupError(text)
