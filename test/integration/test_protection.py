"""Closed by default: which requests reach the handlers that are not public, and what happens to the others."""

import base64
import http.client
import re
import ssl
import subprocess

import pytest
from conftest import Servers, bury
from httpd import free_ports
from meetings import NINA, ROOM, Api
from pexip import Node
from workspace import ADMIN, NODES, PASSWORD_FILE, password_line, secret_lines, workspace

# What is asked of each handler, and what an admitted caller gets.
HANDLERS = {
    "policy": ("GET", "/policy/v1/service/configuration?local_alias=nobody", None, 404),
    "events": ("POST", "/events", b'{"event": "eventsink_started", "node": "10.9.9.9", "seq": 1, "data": {}}', 200),
    "api": ("GET", "/api/v1/meetings", None, 200),
    "status": ("GET", "/status?json", None, 200),
    "metrics": ("GET", "/metrics", None, 200),
}
PROVIDER = "AuthBasicProvider pexip-rc"
FILE = f"AuthBasicProvider file\n    AuthUserFile {PASSWORD_FILE}"
ERROR = re.compile(r"\[pexip_rc:error\]")


def sections(prefix, inside="", handlers=HANDLERS):
    return "".join(f'<Location "{prefix}/{name}">\n    SetHandler pexip-rc-{name}\n    {inside}\n</Location>\n' for name in handlers)


def basic(inside):
    return f'AuthType Basic\n    AuthName "pexip"\n    {inside}\n    Require valid-user'


BODY = workspace() + "\n".join([
    sections("/bare"),
    '<Location "/granted">\n    Require all granted\n</Location>', sections("/granted"),
    sections("/all-granted", "Require all granted"),
    sections("/off", "Require all granted\n    PexipRCAllowAnonymous Off"),
    '<Location "/outer">\n    PexipRCAllowAnonymous On\n    Require ip 127.0.0.1\n</Location>', sections("/outer"),
    sections("/outer/inner", "PexipRCAllowAnonymous Off"),
    sections("/here", "Require ip 127.0.0.1\n    PexipRCAllowAnonymous On"),
    sections("/elsewhere", "Require ip 192.0.2.1\n    PexipRCAllowAnonymous On"),
    sections("/only-ip", "Require ip 127.0.0.1"),
    sections("/provider", basic(PROVIDER)), sections("/file", basic(FILE)),
    sections("/two", basic(f"AuthBasicProvider pexip-rc file\n    AuthUserFile {PASSWORD_FILE}")),
    '<Location "/public/join">\n    SetHandler pexip-rc-join\n</Location>'])


@pytest.fixture(scope="module")
def server(mpm):
    servers = Servers(mpm)
    try:
        yield servers(BODY)
    finally:
        bury(servers)


def call(server, handler, prefix, **options):
    method, path, body, _ = HANDLERS[handler]
    return server.request(method, prefix + path, body=body, **options)


def errors(server):
    return [line for line in server.error_log().splitlines() if ERROR.search(line)]


def is_closed(server, handler, prefix, **options):
    """500, and one line that tells the administrator what to do."""
    before = len(errors(server))
    answer = call(server, handler, prefix, **options)
    assert answer.status == 500, f"{answer.status} {answer.text[:200]}"
    new = errors(server)[before:]
    assert len(new) == 1, new
    assert re.search(r"Require|AuthType", new[0]) and "PexipRCAllowAnonymous" in new[0]
    server.expect("pexip_rc:error.*PexipRCAllowAnonymous")
    return True


def is_unauthorized(answer):
    assert answer.status == 401, f"{answer.status} {answer.text[:200]}"
    assert re.match(r'Basic realm="[^"]+"', answer.headers["WWW-Authenticate"])
    return True


each_handler = pytest.mark.parametrize("handler", HANDLERS)


@each_handler
@pytest.mark.parametrize("prefix", ["/bare", "/granted", "/all-granted", "/off", "/only-ip", "/outer/inner"])
def test_without_proof_or_permission_it_is_closed(server, handler, prefix):
    assert is_closed(server, handler, prefix)


@each_handler
def test_credentials_that_nobody_checks_prove_nothing(server, handler):
    assert is_closed(server, handler, "/all-granted", auth=ADMIN)
    assert is_closed(server, handler, "/bare", auth=NODES)


@pytest.mark.parametrize("headers", [{"X-Forwarded-User": "admin"}, {"X-Remote-User": "admin"}, {"REMOTE_USER": "admin"}, {"SSL-Client-Verify": "SUCCESS"}], ids=str)
def test_headers_prove_nothing(server, headers):
    assert is_closed(server, "api", "/all-granted", headers=headers)


@each_handler
@pytest.mark.parametrize("prefix", ["/here", "/outer"])
def test_anonymous_callers_are_admitted_where_the_section_allows_them(server, handler, prefix):
    assert call(server, handler, prefix).status == HANDLERS[handler][3]


@each_handler
def test_allowing_anonymous_callers_does_not_override_require(server, handler):
    server.expect("AH01630")
    assert call(server, handler, "/elsewhere").status == 403


@each_handler
@pytest.mark.parametrize("prefix, account", [("/provider", NODES), ("/file", ADMIN), ("/two", NODES), ("/two", ADMIN)])
def test_the_right_credentials_are_admitted(server, handler, prefix, account):
    assert call(server, handler, prefix, auth=account).status == HANDLERS[handler][3]


def authorization(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


USER, SECRET = NODES
WRONG = {
    "none": None, "wrong secret": authorization(USER, "wrong"), "wrong user": authorization("nobody", SECRET),
    "empty secret": authorization(USER, ""), "empty user": authorization("", SECRET), "both empty": authorization("", ""),
    "beginning": authorization(USER, SECRET[:-1]), "longer": authorization(USER, SECRET + "x"), "other case": authorization(USER, SECRET.upper()),
    "user in other case": authorization(USER.upper(), SECRET), "exchanged": authorization(SECRET, USER),
    "enormous": authorization(USER, "x" * 5000), "no colon": "Basic " + base64.b64encode(USER.encode()).decode(), "not base64": "Basic !!!",
    "other scheme": "Bearer " + SECRET, "nothing behind": "Basic", "with newline": authorization(USER, SECRET + "\n"),
}


@each_handler
@pytest.mark.parametrize("prefix", ["/provider", "/file"])
@pytest.mark.parametrize("what", WRONG)
def test_wrong_credentials_are_asked_for_again(server, handler, prefix, what):
    server.expect("AH01617", "AH01618", "AH01614", "AH01616")
    headers = {"Authorization": WRONG[what]} if WRONG[what] else {}
    answer = call(server, handler, prefix, headers=headers)
    assert is_unauthorized(answer)
    assert SECRET not in answer.text


def test_a_refusal_does_not_tell_which_aliases_exist(server, meeting):
    server.expect("AH01617")
    query = "/pexip/policy/v1/service/configuration?local_alias="
    known, unknown = (server.request("GET", query + alias, auth=(USER, "wrong")) for alias in (meeting["id"], "nobody"))
    assert is_unauthorized(known) and is_unauthorized(unknown)
    assert known.body == unknown.body


def test_join_is_public_without_any_section_around_it(server, meeting):
    key = meeting["join_url"].rpartition("/")[2]
    assert server.request("GET", f"/public/join/{key}").status == 303


def test_the_provider_without_a_credentials_file_fails_closed_and_says_why(make_httpd):
    server = make_httpd(workspace(credentials=None) + sections("/provider", basic(PROVIDER)))
    before = len(server.error_log().splitlines())
    answer = call(server, "policy", "/provider", auth=NODES)
    assert answer.status == 500
    new = [line for line in server.error_log().splitlines()[before:] if ":error]" in line]
    assert any("PexipRCAPICredentialsFile" in line for line in new), new
    assert len([line for line in new if ERROR.search(line)]) == 1, new
    server.expect("PexipRCAPICredentialsFile", "AH01617", "AH01618")


@pytest.mark.parametrize("user, secret", [("pexip", "with:colons:in:the:secret"), ("pexip", "  blanks around the secret"), ("nödés", "geheim-ö-geheim-ö"),
                                          ("a user", "percent%20and\"quotes'\\"), ("u" * 100, "s" * 100)], ids=lambda text: text[:12])
def test_unusual_credentials_work(make_httpd, user, secret):
    server = make_httpd(start=False)
    server.write("conf/nodes.secret", secret_lines(user, secret), 0o600)
    server.start()
    node = Node("10.9.9.8", server, credentials=(user, secret))
    assert node.policy("nobody").status == 404
    server.expect("AH01617", "AH01618")
    node.credentials = (user, secret.strip() + "x")
    assert is_unauthorized(node.policy("nobody"))


def test_new_credentials_hold_after_a_reload(make_httpd):
    server = make_httpd()
    node = Node("10.9.9.7", server)
    assert node.policy("nobody").status == 404
    server.write("conf/nodes.secret", secret_lines("pexip", "another-secret-of-the-nodes"), 0o600)
    server.graceful()
    server.expect("AH01617")
    assert is_unauthorized(node.policy("nobody"))
    node.credentials = ("pexip", "another-secret-of-the-nodes")
    assert node.policy("nobody").status == 404


# Two workspaces

@pytest.fixture(scope="module")
def pair(mpm):
    """Two workspaces whose accounts have the same names and different secrets. Yields the server and its ports."""
    ports = free_ports(2)
    servers = Servers(mpm)
    body = "".join(f"<VirtualHost 127.0.0.1:{port}>\n"
                   f"{workspace(site=f'https://{name}.example.com', credentials=f'conf/{name}.secret', passwords=f'conf/{name}.htpasswd')}\n"
                   "</VirtualHost>\n" for port, name in zip(ports, "ab"))
    try:
        server = servers(body, start=False, ports=ports)
        for name in "ab":
            server.write(f"conf/{name}.secret", secret_lines("pexip", f"secret-of-workspace-{name}"), 0o600)
            server.write(f"conf/{name}.htpasswd", password_line("admin", f"password-of-workspace-{name}"))
        server.start()
        yield server, dict(zip("ab", ports))
    finally:
        bury(servers)


@pytest.mark.parametrize("mine, other", ["ab", "ba"])
def test_credentials_of_two_workspaces_are_not_interchangeable(pair, mine, other):
    server, ports = pair
    server.expect("AH01617")
    for handler in ("policy", "events"):
        assert call(server, handler, "/pexip", port=ports[mine], auth=("pexip", f"secret-of-workspace-{mine}")).status == HANDLERS[handler][3]
        assert is_unauthorized(call(server, handler, "/pexip", port=ports[other], auth=("pexip", f"secret-of-workspace-{mine}")))
    for handler in ("api", "status"):
        assert is_unauthorized(call(server, handler, "/pexip", port=ports[other], auth=("admin", f"password-of-workspace-{mine}")))


# Client certificates

def openssl(directory, *arguments):
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


def make_client(directory, name, authority):
    """name.crt and name.key below the CA authority.crt; authority=None makes a CA."""
    (directory / f"{name}.cnf").write_text(
        f"[req]\ndistinguished_name=dn\nprompt=no\n[dn]\nCN={name}\n[ext]\nbasicConstraints=critical,CA:{'FALSE' if authority else 'TRUE'}\n")
    openssl(directory, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-config", f"{name}.cnf",
            "-keyout", f"{name}.key", "-out", f"{name}.csr")
    signer = ["-CA", f"{authority}.crt", "-CAkey", f"{authority}.key", "-CAcreateserial"] if authority else ["-signkey", f"{name}.key"]
    openssl(directory, "x509", "-req", "-days", "30", "-in", f"{name}.csr", *signer, "-extfile", f"{name}.cnf", "-extensions", "ext", "-out", f"{name}.crt")


def tls_host(port, name, verify):
    return f"""<VirtualHost 127.0.0.1:{port}>
ServerName localhost
SSLEngine on
SSLCertificateFile conf/tls.crt
SSLCertificateKeyFile conf/tls.key
SSLCACertificateFile conf/ca.crt
SSLVerifyClient {verify}
{workspace(site=f"https://{name}.example.com")}
{sections("/tls")}
{sections("/cn", 'Require expr %{SSL_CLIENT_S_DN_CN} == "node"')}
</VirtualHost>
"""


@pytest.fixture(scope="module")
def secure(mpm):
    """A server that looks at client certificates. Yields it and its ports by what it asks of them."""
    kinds = {"optional": "optional", "require": "require", "generous": "optional_no_ca"}
    ports = dict(zip(kinds, free_ports(len(kinds))))
    servers = Servers(mpm)
    try:
        server = servers("".join(tls_host(ports[name], name, verify) for name, verify in kinds.items()), start=False, tls=True, ports=list(ports.values()))
        server.make_certificate()
        conf = server.root / "conf"
        for name, authority in (("ca", None), ("node", "ca"), ("stranger", "ca"), ("otherca", None), ("forged", "otherca")):
            make_client(conf, name, authority)
        server.start()
        yield server, ports
    finally:
        bury(servers)


def call_tls(server, port, handler, prefix, certificate):
    method, path, body, _ = HANDLERS[handler]
    context = ssl._create_unverified_context()
    if certificate:
        context.load_cert_chain(server.root / "conf" / f"{certificate}.crt", server.root / "conf" / f"{certificate}.key")
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
    try:
        connection.request(method, prefix + path, body=body)
        return connection.getresponse().status
    finally:
        connection.close()


@each_handler
@pytest.mark.parametrize("kind", ["optional", "require", "generous"])
def test_a_verified_client_certificate_is_admitted(secure, handler, kind):
    server, ports = secure
    assert call_tls(server, ports[kind], handler, "/tls", "node") == HANDLERS[handler][3]


@pytest.mark.parametrize("kind, certificate", [("optional", None), ("generous", None), ("generous", "forged")])
def test_no_certificate_or_an_unverified_one_is_not(secure, kind, certificate):
    server, ports = secure
    before = len(errors(server))
    assert call_tls(server, ports[kind], "api", "/tls", certificate) == 500
    assert len(errors(server)) == before + 1
    server.expect("PexipRCAllowAnonymous", r"ssl:(warn|error)")


@pytest.mark.parametrize("certificate", [None, "forged"])
def test_a_required_certificate_is_checked_before_anything_else(secure, certificate):
    server, ports = secure
    server.expect(r"ssl:(warn|error)")
    with pytest.raises((ssl.SSLError, OSError, http.client.HTTPException)):
        call_tls(server, ports["require"], "api", "/tls", certificate)


def test_require_chooses_among_verified_certificates(secure):
    server, ports = secure
    server.expect("AH01630")
    assert call_tls(server, ports["optional"], "api", "/cn", "node") == 200
    assert call_tls(server, ports["optional"], "api", "/cn", "stranger") == 403


def test_a_meeting_made_over_tls_by_certificate_is_a_meeting(secure):
    server, ports = secure
    api = Api(server, port=ports["optional"])
    made = api.call("POST", "/meetings", {"room": ROOM, "creator": NINA})
    assert made.status == 201 and api.read(made.json()["id"])["state"] == "open"
