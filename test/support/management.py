"""A stand-in for Infinity's management node: its configuration API with the schema, the checks and the traps of the real one.

    with Management(directory) as node:
        node.add("system_location", name="Oslo")
        ... pexip-rc-setup --node localhost:{node.port} --ca {node.ca} ...
        node.named("policy_server", "rocket.chat")
        node.writes()       # what was sent to change something
        node.problems       # what the real one would have taken badly, or taken and destroyed
"""

import base64
import email.parser
import email.policy
import io
import json
import re
import socket
import ssl
import subprocess
import threading
import time
import uuid
import zipfile
from copy import deepcopy
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from httpd import free_ports
from standin import Server, StandIn

BASE = "/api/admin/configuration/v1"
USER = ("admin", "stand-in-password-of-the-manager")
PAGE = 20

CSP = ("upgrade-insecure-requests; default-src 'self'; frame-ancestors 'self'; frame-src 'self' https://*.microsoft.com; "
       "style-src 'self' 'unsafe-inline'; object-src 'self'; connect-src 'self' https://example.com;")
JOINING = ('<br>\r\n<div style="font-size:11.0pt">\r\n<b>Ways in:</b><br>\r\n<br>\r\nBrowser:<br>\r\n'
           '<a href="https://{{addin_server_domain}}/webapp/#/?conference={{alias}}">here</a><br>\r\n<br>\r\n'
           "Telephone:<br>\r\n{{numeric_alias}} #<br>\r\n<br>\r\n{{alias_uuid}}<br>\r\n</div>")
PERSONAL = JOINING.replace("{{alias_uuid}}<br>\r\n", "").replace("{{numeric_alias}}", "{{numeric_aliases[0]}}")


class Field(NamedTuple):
    kind: type              # str, bool, int, list of URIs, or "file"
    limit: int = 0          # characters
    default: object = None
    to: str = ""            # the resource that a foreign key leads to
    unique: bool = False
    secret: bool = False    # written, never read
    nested: bool = False    # read as an object
    readonly: bool = False
    create_only: bool = False


def text(limit, default="", **more):
    return Field(str, limit, default, **more)


def flag(default=False):
    return Field(bool, 0, default)


def key(resource, **more):
    return Field(str, 0, None, to=resource, **more)


SCHEMA = {
    "policy_server": {
        "name": text(250, unique=True), "description": text(250), "url": text(255), "username": text(100),
        "password": text(100, secret=True),
        **{f"enable_{each}_lookup": flag() for each in
           ("service", "participant", "registration", "directory", "avatar", "media_location")},
        **{f"enable_internal_{each}_policy": flag() for each in ("service", "participant", "media_location")},
        "prefer_local_avatar_configuration": flag(),
        **{f"internal_{each}_policy_template": text(49152) for each in ("service", "participant", "media_location")},
    },
    "event_sink": {
        "name": text(250, unique=True), "description": text(250), "url": text(255), "username": text(100),
        "password": text(100, secret=True), "bulk_support": flag(), "verify_tls_certificate": flag(),
        "version": Field(int, 0, 1), "filter_events": flag(), "updated_at": text(40, readonly=True),
    },
    "system_location": {
        "name": text(250, unique=True), "description": text(250), "policy_server": key("policy_server"),
        "event_sinks": Field(list, 0, [], to="event_sink", nested=True),
    },
    "ivr_theme": {
        "name": text(250, unique=True), "package": Field("file"), "uuid": text(36, readonly=True), "custom_layouts": text(1000),
        "last_updated": text(40, readonly=True),
    },
    "global": {
        "content_security_policy_header": text(4096, CSP), "content_security_policy_state": flag(True),
        "default_theme": key("ivr_theme"), "default_webapp_alias": key("webapp_alias"), "enable_application_api": flag(True),
    },
    "webapp_branding": {
        "name": text(100), "description": text(250), "webapp_type": text(10, create_only=True),
        "branding_file": Field("file", create_only=True), "uuid": text(36, readonly=True), "is_default": Field(bool, 0, False, readonly=True),
    },
    "webapp_alias": {
        "slug": text(100, unique=True), "description": text(250), "webapp_type": text(10), "is_enabled": flag(True),
        "is_default": Field(bool, 0, False, readonly=True), "branding": key("webapp_branding", nested=True),
        "bundle": key("software_bundle_revision"),
    },
    "ms_exchange_connector": {
        "name": text(250, unique=True), "meeting_instructions_template": text(12288, JOINING),
        "personal_vmr_instructions_template": text(12288, PERSONAL), "addin_server_domain": text(192),
    },
    "ca_certificate": {"certificate": text(49152), "trusted_intermediate": flag(), "subject_name": text(250, readonly=True)},
}
FILTERS = ("name",)
# What a POST must bring.
REQUIRED = {"policy_server": ("name",), "event_sink": ("name", "url"), "system_location": ("name",), "ivr_theme": ("name", "package"),
            "webapp_branding": ("name", "webapp_type", "branding_file"), "webapp_alias": ("slug", "webapp_type"),
            "ms_exchange_connector": ("name",), "ca_certificate": ("certificate",)}
BY_UUID = ("webapp_branding",)


class Refused(Exception):
    def __init__(self, status, value):
        super().__init__(value)
        self.status, self.value = status, value


class Request(NamedTuple):
    method: str
    path: str
    headers: object
    body: bytes

    def json(self):
        return json.loads(self.body)


def make_authority(directory, name="localhost"):
    """An authority and a certificate that it has signed: paths of the authority's, the certificate and its key."""
    directory = Path(directory)
    ca, ca_key, request, leaf, leaf_key = (directory / each for each in ("ca.crt", "ca.key", "node.csr", "node.crt", "node.key"))
    (directory / "leaf.cnf").write_text(f"subjectAltName=DNS:{name},IP:127.0.0.1\nbasicConstraints=critical,CA:FALSE\n"
                                        "authorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    for arguments in (
            ["req", "-x509", *curve, "-days", "30", "-subj", "/CN=stand-in authority", "-keyout", ca_key, "-out", ca,
             "-addext", "keyUsage=critical,keyCertSign"],
            ["req", *curve, "-subj", f"/CN={name}", "-keyout", leaf_key, "-out", request],
            ["x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", "30",
             "-extfile", directory / "leaf.cnf", "-out", leaf]):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)
    return ca, leaf, leaf_key


class Handler(BaseHTTPRequestHandler):
    server_version = "stand-in"

    def do_GET(self):
        self.server.owner.handle(self)

    do_POST = do_PATCH = do_PUT = do_DELETE = do_GET

    def reply(self, status, value=None, headers=(), kind="application/json"):
        body = value if isinstance(value, bytes) else b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, each in dict(headers).items():
            self.send_header(name, each)
        self.end_headers()
        self.wfile.write(body)

    def cut_off(self):
        self.close_connection = True
        try:
            socket.socket.shutdown(self.connection, socket.SHUT_RDWR)
        except OSError:
            pass

    def log_message(self, *_):
        pass


class TlsServer(Server):
    def finish_request(self, request, client_address):
        # Here, in the connection's own thread: a client that never says hello holds nobody else up.
        request.settimeout(60)
        with self.owner.context.wrap_socket(request, server_side=True) as connection:
            super().finish_request(connection, client_address)


class Management(StandIn):
    handler, server_type = Handler, TlsServer

    def __init__(self, directory, without=None, limit=1000):
        """without: fields that this version does not have, resource -> names; None as names: not even the resource."""
        super().__init__()
        self.ca, leaf, leaf_key = make_authority(directory)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(leaf, leaf_key)
        self.port, = free_ports(1)
        self._lock = threading.RLock()
        self.reset(without, limit)

    def reset(self, without=None, limit=1000):
        """As it is after the installation."""
        self.schema = deepcopy(SCHEMA)
        for resource, names in (without or {}).items():
            if names is None:
                del self.schema[resource]
            else:
                for name in names:
                    del self.schema[resource][name]
        self.limit = limit
        self.objects = {resource: {} for resource in self.schema}
        self.files = {}                 # URI -> the bytes that were uploaded
        self.requests, self.problems = [], []
        self.fault = None               # (number of the request, kind), counted from zero
        self.loose_filters = False
        self._next = 1
        self._times = []
        if "global" in self.schema:
            self.objects["global"]["1"] = self._filled("global", {})

    # State

    def _filled(self, resource, values):
        return {**{name: deepcopy(field.default) for name, field in self.schema[resource].items() if field.kind != "file"}, **values}

    def add(self, resource, **values):
        """Puts an object there by hand; returns its URI."""
        with self._lock:
            number = self._next
            self._next += 1
            identity = str(uuid.UUID(int=number)) if resource in BY_UUID else str(number)
            if "uuid" in self.schema[resource]:
                values["uuid"] = str(uuid.UUID(int=number))
            self.objects[resource][identity] = self._filled(resource, values)
            return self.uri(resource, identity)

    @staticmethod
    def uri(resource, identity):
        return f"{BASE}/{resource}/{identity}/"

    def at(self, uri):
        resource, identity = uri.removeprefix(BASE).strip("/").split("/")
        return self.objects[resource][identity]

    def uri_named(self, resource, name, field="name"):
        found = [self.uri(resource, identity) for identity, each in self.objects[resource].items() if each[field] == name]
        assert len(found) == 1, f"{len(found)} objects of {resource} are named {name!r}"
        return found[0]

    def named(self, resource, name, field="name"):
        return self.at(self.uri_named(resource, name, field))

    def state(self):
        """All that can be compared."""
        return deepcopy((self.objects, self.files))

    def writes(self):
        return [each for each in self.requests if each.method != "GET"]

    # Answering

    def handle(self, handler):
        length = int(handler.headers.get("Content-Length") or 0)
        request = Request(handler.command, handler.path, handler.headers, handler.rfile.read(length))
        with self._lock:
            number = len(self.requests)
            self.requests.append(request)
            kind = self.fault[1] if self.fault and self.fault[0] == number else None
        if kind:
            getattr(self, f"_fault_{kind}")(handler, request)
        else:
            handler.reply(*self._act(request))

    def _act(self, request):
        with self._lock:
            try:
                return self._answer(request)
            except Refused as no:
                return no.status, no.value

    def _answer(self, request):
        wanted = "Basic " + base64.b64encode(":".join(USER).encode()).decode()
        if request.headers.get("Authorization") != wanted:
            return 401, b"", {"WWW-Authenticate": 'Basic realm="Pexip"'}, "text/html"
        now = time.monotonic()
        self._times = [each for each in self._times if now - each < 60] + [now]
        if len(self._times) > self.limit:
            self._times.pop()
            return 429, b"", {"Retry-After": "1"}, "text/plain"
        parts = urlsplit(request.path)
        if not parts.path.endswith("/"):
            self.problems.append(f"{request.method} {request.path}: no slash at the end")
            return 301, b"", {"Location": parts.path + "/"}, "text/html"
        names = parts.path.removeprefix(BASE).strip("/").split("/")
        resource = names[0]
        if not parts.path.startswith(BASE) or resource not in self.schema or len(names) > 2:
            raise Refused(404, b"")
        if len(names) == 1:
            return self._list(request, resource, dict(parse_qsl(parts.query, keep_blank_values=True)))
        if names[1] == "schema":
            return 200, {"fields": {name: self._described(field) for name, field in self.schema[resource].items()}}
        if names[1] not in self.objects[resource]:
            raise Refused(404, b"")
        return self._object(request, resource, names[1])

    @staticmethod
    def _described(field):
        kinds = {str: "string", bool: "boolean", int: "integer", list: "related", "file": "file"}
        return {"type": "related" if field.to else kinds[field.kind], "readonly": field.readonly, "unique": field.unique}

    def _list(self, request, resource, query):
        if request.method == "DELETE":
            self.problems.append(f"DELETE of the whole list of {resource}")
            self.objects[resource].clear()
            return 204, None
        if resource == "global" and request.method == "POST":
            raise Refused(405, b"")
        if request.method == "POST":
            values = self._checked(resource, *self._body(request), None)
            uri = self.add(resource, **values)
            self._keep_files(uri)
            return 201, b"", {"Location": f"https://localhost:{self.port}{uri}"}
        if request.method != "GET":
            raise Refused(405, b"")
        return 200, self._page(resource, query)

    def _page(self, resource, query):
        found = list(self.objects[resource].items())
        for name, value in query.items():
            if name in ("limit", "offset", "format"):
                continue
            if name not in FILTERS or name not in self.schema[resource]:
                raise Refused(400, {"error": f"The '{name}' field does not allow filtering."})
            found = [each for each in found if each[1][name] == value
                     or self.loose_filters and each[1][name].casefold() == value.casefold()]
        limit, offset = int(query.get("limit", PAGE)), int(query.get("offset", 0))
        following = None
        if offset + limit < len(found):
            rest = "".join(f"&{name}={value}" for name, value in query.items() if name not in ("limit", "offset"))
            following = f"{BASE}/{resource}/?limit={limit}&offset={offset + limit}{rest}"
        return {"meta": {"limit": limit, "offset": offset, "total_count": len(found), "next": following, "previous": None},
                "objects": [self._read(resource, identity) for identity, _ in found[offset:offset + limit]]}

    def _read(self, resource, identity, nested=True):
        """An object as GET shows it."""
        value = {"resource_uri": self.uri(resource, identity)}
        if resource not in BY_UUID:
            value["id"] = int(identity)
        for name, field in self.schema[resource].items():
            each = self.objects[resource][identity].get(name)
            if field.secret:
                each = None
            elif field.nested and nested and each:
                each = [self._leads_to(uri) for uri in each] if field.kind is list else self._leads_to(each)
            value[name] = each
        return value

    def _leads_to(self, uri):
        resource, identity = uri.removeprefix(BASE).strip("/").split("/")
        return self._read(resource, identity, nested=False)

    def _object(self, request, resource, identity):
        if request.method == "GET":
            return 200, self._read(resource, identity)
        uri = self.uri(resource, identity)
        if request.method == "PUT":
            self.problems.append(f"PUT of {uri}, which replaces what it does not name")
            raise Refused(405, b"")
        if request.method == "PATCH":
            values = self._checked(resource, *self._body(request), identity)
            self.objects[resource][identity].update(values)
            self._keep_files(uri)
            return 202, b""
        if resource == "global":
            raise Refused(405, b"")
        for other, objects in self.objects.items():
            for each in objects.values():
                if any(uri == value or isinstance(value, list) and uri in value for value in each.values()):
                    raise Refused(400, {resource: {"__all__": [f"It is in use by a {other}."]}})
        del self.objects[resource][identity]
        self.files.pop(uri, None)
        return 204, None

    # What is sent

    def _body(self, request):
        kind = request.headers.get("Content-Type", "")
        if kind == "application/json":
            try:
                values = json.loads(request.body)
            except ValueError:
                values = None
            if not isinstance(values, dict):
                raise Refused(400, {"error": "no JSON object"})
            return values, {}
        if not kind.startswith("multipart/form-data; boundary="):
            raise Refused(415, b"")
        message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
            f"Content-Type: {kind}\r\n\r\n".encode() + request.body)
        values, files = {}, {}
        for part in message.iter_parts():
            name = part.get_param("name", header="content-disposition")
            content = part.get_payload(decode=True)
            if part.get_filename():
                files[name] = content
            else:
                value = content.decode()
                values[name] = {"True": True, "False": False}.get(value, value)
        return values, files

    def _checked(self, resource, values, files, identity):
        errors = {}
        for name, value in {**values, **files}.items():
            problem = self._wrong(resource, name, value, identity)
            if problem:
                errors[name] = [problem]
        if identity is None:
            errors |= {name: ["This field is required."] for name in REQUIRED[resource] if not {**values, **files}.get(name)}
        if errors:
            raise Refused(400, {resource: errors})
        self._uploaded = next(iter(files.values()), None)
        return deepcopy(values)

    def _keep_files(self, uri):
        if self._uploaded is not None:
            self.files[uri] = self._uploaded

    def _wrong(self, resource, name, value, identity):
        field = self.schema[resource].get(name)
        if field is None or field.readonly:
            self.problems.append(f"{resource}: {name} cannot be written")
            return "There is no such field." if field is None else "This field cannot be written."
        if field.create_only and identity is not None:
            return "This field cannot be changed."
        if field.kind == "file":
            return self._wrong_file(resource, value)
        if field.to:
            return self._wrong_key(field, value)
        if type(value) is not field.kind:
            self.problems.append(f"{resource}: {name} is a {type(value).__name__}")
            return f"'{value}' value must be a {field.kind.__name__}."
        if field.kind is str and field.limit and len(value) > field.limit:
            return f"Ensure this value has at most {field.limit} characters (it has {len(value)})."
        if name == "version" and value not in (1, 2):
            return "Select a valid choice."
        if field.unique and any(each[name] == value and key != identity for key, each in self.objects[resource].items()):
            return f"An object with this {name} already exists."
        return None

    def _wrong_key(self, field, value):
        for each in value if field.kind is list and isinstance(value, list) else [value]:
            if each is None and field.kind is not list:
                continue
            found = re.fullmatch(rf"{BASE}/{field.to}/([^/]+)/", each) if isinstance(each, str) else None
            if not found or found.group(1) not in self.objects.get(field.to, {}):
                self.problems.append(f"{each!r} does not lead to a {field.to}")
                return f"Could not find the provided {field.to} object."
        return None

    @staticmethod
    def _wrong_file(resource, content):
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as package:
                broken, names = package.testzip(), package.namelist()
        except (zipfile.BadZipFile, TypeError):
            return "This is no ZIP file."
        if broken:
            return "This ZIP file is damaged."
        if resource == "webapp_branding" and "webapp3/branding/manifest.json" not in names:
            return "No branding files found"
        return None

    # What can go wrong with one request

    def _fault_500(self, handler, request):
        handler.reply(500, b"<h1>Server Error (500)</h1>", kind="text/html")

    def _fault_late_500(self, handler, request):
        self._act(request)
        handler.reply(500, b"<h1>Server Error (500)</h1>", kind="text/html")

    def _fault_cut(self, handler, request):
        handler.cut_off()

    def _fault_lost(self, handler, request):
        """Acted on, but the answer never arrives."""
        self._act(request)
        handler.cut_off()

    def _fault_hang(self, handler, request):
        self.released.wait(60)
        handler.cut_off()

    def _fault_dribble(self, handler, request):
        handler.send_response(200)
        while not self.released.wait(0.05):
            handler.send_header("X-More", "x")
            handler.flush_headers()

    def _fault_garbage(self, handler, request):
        handler.reply(200, b'{"meta": {\xff\x00')

    def _fault_deep(self, handler, request):
        handler.reply(200, b"[" * 200000)

    def _fault_list(self, handler, request):
        handler.reply(200, [1, 2])

    def _fault_short(self, handler, request):
        """Less than was promised."""
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b'{"meta": {}, "objects": []}')
        handler.cut_off()

    def _fault_huge(self, handler, request):
        handler.send_response(200)
        handler.end_headers()
        for _ in range(1000):
            handler.wfile.write(b" " * 65536)

    def _fault_redirect(self, handler, request):
        handler.reply(302, b"", {"Location": f"https://localhost:{self.port}/elsewhere/"})

    def _fault_403(self, handler, request):
        handler.reply(403, b"")

    def _fault_404(self, handler, request):
        handler.reply(404, b"")

    def _fault_429(self, handler, request):
        handler.reply(429, b"", {"Retry-After": "1"})

    def _fault_429_for_long(self, handler, request):
        handler.reply(429, b"", {"Retry-After": "3600"})

    def _fault_loop(self, handler, request):
        """A list whose next page is itself."""
        handler.reply(200, {"meta": {"next": request.path}, "objects": []})

    def _fault_foreign_page(self, handler, request):
        handler.reply(200, {"meta": {"next": "https://elsewhere.example.com/api/"}, "objects": []})
