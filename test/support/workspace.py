"""Configuration text of one workspace, and the accounts that the tests know.

The text fits the server level as well as the inside of a <VirtualHost>.
"""

import base64
import hashlib

# The nodes' account (PexipRCAPICredentialsFile) and the administrator's (a password file).
NODES = ("pexip", "stand-in-secret-of-the-nodes")
ADMIN = ("admin", "stand-in-secret-of-the-admin")

SITE = "https://chat.example.com"
BASE = "https://meet.example.com"
PREFIX = "/pexip"

SECRET_FILE = "conf/nodes.secret"
PASSWORD_FILE = "conf/admins.htpasswd"


def secret_lines(user, secret):
    return f"{user}\n{secret}\n"


def password_line(user, password):
    # {SHA} needs no htpasswd tool and costs next to nothing per request.
    digest = base64.b64encode(hashlib.sha1(password.encode()).digest()).decode()
    return f"{user}:{{SHA}}{digest}\n"


def guarded(path, handler, provider, require, realm="pexip"):
    return f"""
<Location "{path}">
    SetHandler {handler}
    AuthType Basic
    AuthName "{realm}"
    {provider}
    Require {require}
</Location>
"""


def workspace(site=SITE, base=BASE, prefix=PREFIX, extra="", grace="1s 3s",
              credentials=SECRET_FILE, passwords=PASSWORD_FILE, admin=ADMIN[0]):
    """The usual set of directives and locations. grace=None leaves the default; extra is put between the directives."""
    lines = [f"PexipRCBaseURL {base}", f"PexipRCSiteURL {site}"]
    if credentials:
        lines.append(f"PexipRCAPICredentialsFile {credentials}")
    if grace:
        lines.append(f"PexipRCEndGrace {grace}")
    text = "\n".join(lines) + "\n" + extra + "\n"

    nodes = "AuthBasicProvider pexip-rc" if credentials else f"AuthBasicProvider file\n    AuthUserFile {passwords}"
    people = f"AuthBasicProvider file\n    AuthUserFile {passwords}"
    text += guarded(f"{prefix}/policy", "pexip-rc-policy", nodes, "valid-user")
    text += guarded(f"{prefix}/events", "pexip-rc-events", nodes, "valid-user")
    text += guarded(f"{prefix}/api", "pexip-rc-api", people, f"user {admin}", "meetings")
    text += guarded(f"{prefix}/status", "pexip-rc-status", people, f"user {admin}", "meetings")
    text += f"""
<Location "{prefix}/join">
    SetHandler pexip-rc-join
    Require all granted
</Location>
"""
    return text
