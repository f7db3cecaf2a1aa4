"""What can be said on the command line. All of it is checked before anything is asked of anybody."""

import argparse
import getpass
import re
import sys
from urllib.parse import urlsplit

from .packages import certificates
from .parts import LOOKUPS
from .report import SetupError, shown
from .wire import trust

PARTS = ("ca", "policy", "events", "locations", "theme", "branding", "csp", "scheduler")

DESCRIPTION = """\
Sets up Pexip Infinity for mod_pexip_rc by the management node's API: policy profile, event sink, system
locations, theme, plugin and web app path, Content-Security-Policy, joining instructions.

Nothing is changed without --apply: what would change is shown. What is right already is left alone, so it
can be run again at any time, after a failure too. Nobody else's objects are replaced or deleted unless an
option says so.
"""

EPILOG = """\
parts, in this order:
  ca          authorities that the nodes are to trust (--trust)
  policy      the policy profile; lookups that are on already stay on
  events      the event sink: version 2, certificate verified, in bulk where the version can do it
  locations   policy profile and event sink of the system locations (--location, --sink-location)
  theme       a theme of the name that PexipRCTheme gives; without --theme the smallest one, which changes nothing
  branding    the plugin's package and its web app path (--branding, --path). A new package is uploaded, then shown
              at the path, then the old one is deleted if this program has made it
  csp         the workspace's origin in frame-src and frame-ancestors of the global settings
  scheduler   the link to Rocket.Chat in the joining instructions of Secure Scheduler for Exchange (--scheduler)

secrets:
  Passwords are read from files or asked for, never taken from arguments or the environment, and never printed.
  Infinity does not show the nodes' secret again. It is sent with a new object, with another user, or with --set-secret.

exit status:
  0   nothing has to be changed, or all of it was
  1   something would be changed (without --apply)
  2   something is wrong: with arguments, with a refusal or a conflict, on the way. What is printed says what was
      done and what was not. As long as something is wrong when all is planned, nothing is changed

example:
  pexip-rc-setup --node manager.example.com --site https://chat.example.com \\
      --credentials /etc/apache2/pexip-rc.secret --location Oslo --branding rc-chat.zip --path rc
"""


def _parser():
    parser = argparse.ArgumentParser(prog="pexip-rc-setup", description=DESCRIPTION, epilog=EPILOG, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--node", required=True, metavar="HOST[:PORT]", help="the management node")
    add("--user", default="admin", help="a user of the management node (%(default)s)")
    add("--password-file", metavar="FILE", help="his password, in one line; it is asked for otherwise")
    add("--ca", metavar="FILE", help="authorities, in PEM, that are trusted besides the system's")
    add("--site", required=True, metavar="URL", help="the workspace, as PexipRCSiteURL has it")
    add("--credentials", metavar="FILE", help="the file of PexipRCAPICredentialsFile: user and secret of the nodes")
    add("--policy-url", metavar="URL", help="what stands before /policy/v1/ (site and /pexip)")
    add("--events-url", metavar="URL", help="where the events handler is (site and /pexip/events)")
    add("--location", action="append", default=[], metavar="NAME", help="a system location that takes calls; repeatable")
    add("--sink-location", action="append", default=[], metavar="NAME",
        help="one that gets the event sink only, because calls overflow to it; repeatable")
    add("--lookup", action="append", choices=LOOKUPS, metavar="KIND",
        help=f"what the nodes ask, one of {', '.join(LOOKUPS)}; repeatable (service)")
    add("--trust", metavar="FILE", help="authorities, in PEM, that the nodes are to trust")
    add("--theme", metavar="FILE", help="a theme's ZIP")
    add("--branding", metavar="FILE", help="the ZIP of `make plugin`")
    add("--path", metavar="NAME", help="the web app path, as PexipRCBrandingPath has it")
    add("--scheduler", action="append", default=[], metavar="NAME", help="a Secure Scheduler for Exchange; repeatable")
    add("--scheduler-template", metavar="FILE", help="what api/v1/scheduling/template gave; it is fetched otherwise")
    add("--scheduler-link", default="go", choices=("go", "web", "short"), help="which link is fetched (%(default)s)")
    add("--api-url", metavar="URL", help="what stands before /api/v1/ (site and /pexip)")
    add("--api-credentials", metavar="FILE", help="user and password for the API, in two lines")
    add("--policy-name", default="rocket.chat", metavar="NAME", help="the policy profile (%(default)s)")
    add("--sink-name", default="rocket.chat", metavar="NAME", help="the event sink (%(default)s)")
    add("--theme-name", default="rocket.chat", metavar="NAME", help="the theme (%(default)s)")
    add("--branding-name", default="rocket.chat", metavar="NAME", help="what the package's name begins with (%(default)s)")
    add("--take-over", action="store_true", help="also where a policy profile or event sink of that name leads elsewhere")
    add("--replace-policy", action="store_true", help="also where a location has another policy profile")
    add("--replace-theme", action="store_true", help="upload the theme although there is one of that name")
    add("--replace-branding", action="store_true", help="also where the path shows somebody else's package")
    add("--set-secret", action="store_true", help="send the nodes' secret although their user is right")
    add("--only", action="append", default=[], metavar="PART,...", help="only these parts")
    add("--skip", action="append", default=[], metavar="PART,...", help="all but these parts")
    add("--apply", action="store_true", help="change what has to be changed")
    add("--json", action="store_true", help="print one JSON object instead of lines")
    add("--probe", metavar="URL", help="wait until this Conferencing Node or proxy serves what was set up")
    add("--probe-seconds", type=int, default=120, metavar="N", help="for so long at most (%(default)s)")
    add("--timeout", type=int, default=30, metavar="N", help="seconds for one request; an upload gets ten times that (%(default)s)")
    return parser


def _read(path, option, limit=1 << 20):
    try:
        with open(path, "rb") as file:
            content = file.read(limit + 1)
        if len(content) > limit:
            raise SetupError(f"{option} {shown(path)} is longer than {limit} bytes")
        return content.decode()
    except OSError as problem:
        raise SetupError(f"{option} {shown(path)} cannot be read: {shown(problem.strerror or str(problem))}") from None
    except ValueError:
        raise SetupError(f"{option} {shown(path)} is no text in UTF-8") from None


def _lines(path, option, count):
    """The lines of a file that has exactly so many, none of them empty."""
    lines = [line.rstrip("\r") for line in _read(path, option, 4096).rstrip("\r\n").split("\n")]
    if len(lines) != count or not all(lines) or any(ord(c) < 0x20 or ord(c) == 0x7F for line in lines for c in line):
        raise SetupError(f"{option} {shown(path)} must have {'one line' if count == 1 else 'two lines'}, not empty")
    return lines


def _https(text, option, path=True):
    """Host and port of an https URL; what a browser or a node would understand in another way is refused."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = None, None
    if not parts or parts.scheme != "https" or not parts.hostname or parts.username is not None or "?" in text or "#" in text \
            or not re.fullmatch(r"https://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?(/[A-Za-z0-9._~!$&'()*+,=:@%/-]*)?", text):
        raise SetupError(f"{option} {shown(text)[:300]} must be https://host, with a port if need be")
    if not path and parts.path:
        raise SetupError(f"{option} {shown(text)[:300]} must not have a path")
    if len(text) > 255:
        raise SetupError(f"{option} is longer than the 255 characters that Infinity takes")
    return parts.hostname, port or 443


def _names(values, option):
    chosen = [name for value in values for name in value.split(",")]
    for name in chosen:
        if name not in PARTS:
            raise SetupError(f"{option} {shown(name)}: parts are {', '.join(PARTS)}")
    return chosen


def _text(value, option, limit=250):
    """A name that can be sent: not empty, not too long, and no bytes that were no text."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise SetupError(f"{option} is no text in UTF-8") from None
    if not value or len(value) > limit:
        raise SetupError(f"{option} must have 1 to {limit} characters")
    return value


class Settings:
    """The arguments, checked, with what follows from them. Whoever reads passwords adds them to the report's secrets."""

    def __init__(self, given, report):
        self.apply, self.probe, self.probe_seconds, self.seconds = given.apply, given.probe, given.probe_seconds, given.timeout
        if not 1 <= self.seconds <= 600 or not 1 <= self.probe_seconds <= 3600:
            raise SetupError("--timeout takes 1 to 600 seconds, --probe-seconds 1 to 3600")
        only, skip = _names(given.only, "--only"), _names(given.skip, "--skip")
        self.parts = [part for part in PARTS if part not in skip and (not only or part in only)]

        self._addresses(given)
        self._chosen(given)
        self.take_over, self.replace_policy, self.replace_theme = given.take_over, given.replace_policy, given.replace_theme
        self.replace_branding, self.set_secret = given.replace_branding, given.set_secret
        self.context = trust(given.ca)
        self.manifest = None        # of the branding package, once it has been read
        self._files(given, report)

    def _addresses(self, given):
        self.host, self.port = _https(f"https://{given.node}", "--node", path=False)
        self.origin = given.site.rstrip("/")
        _https(self.origin, "--site", path=False)
        if len(self.origin) > 200:
            raise SetupError("--site is longer than 200 characters")
        self.policy_url = (given.policy_url or f"{self.origin}/pexip").rstrip("/")
        self.events_url = (given.events_url or f"{self.origin}/pexip/events").rstrip("/")
        self.api_url = (given.api_url or f"{self.origin}/pexip").rstrip("/")
        for url, option in ((self.policy_url, "--policy-url"), (self.events_url, "--events-url"), (self.api_url, "--api-url")):
            _https(url, option)
        if "/policy/v1" in self.policy_url:
            raise SetupError("--policy-url: the nodes add /policy/v1/ themselves")
        if self.probe:
            self.probe = self.probe.rstrip("/")
            _https(self.probe, "--probe", path=False)

    def _chosen(self, given):
        self.user = _text(given.user, "--user", 100)
        if ":" in self.user:
            raise SetupError("--user must not have a colon")
        self.policy_name, self.sink_name = _text(given.policy_name, "--policy-name"), _text(given.sink_name, "--sink-name")
        self.theme_name, self.branding_name = _text(given.theme_name, "--theme-name"), _text(given.branding_name, "--branding-name")
        self.locations = list(dict.fromkeys(_text(each, "--location") for each in given.location))
        self.sink_locations = list(dict.fromkeys(_text(each, "--sink-location") for each in given.sink_location))
        self.connectors = list(dict.fromkeys(_text(each, "--scheduler") for each in given.scheduler))
        self.lookups = given.lookup or ["service"]
        self.scheduler_link = given.scheduler_link
        self.slug = given.path
        if self.slug is not None and not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", self.slug):
            raise SetupError("--path takes letters, digits, _ and -, 100 at most")
        if given.branding and not self.slug and "branding" in self.parts:
            raise SetupError("--branding needs --path, where the package is to be shown")
        self.theme_file, self.branding_file = given.theme, given.branding
        # What objects of ours are known by.
        self.mark = f"Made by pexip-rc-setup for {self.origin}"

    def _files(self, given, report):
        self.node_user = self.node_secret = self.api_credentials = self.scheduler_template = None
        if given.credentials:
            self.node_user, self.node_secret = _lines(given.credentials, "--credentials", 2)
            report.secrets.append(self.node_secret)
            for text, what in ((self.node_user, "the user"), (self.node_secret, "the secret")):
                _text(text, f"--credentials: {what}", 100)
        elif {"policy", "events"} & set(self.parts):
            raise SetupError("--credentials is needed for the parts policy and events")
        self.trusted = []
        if given.trust:
            found = certificates(_read(given.trust, "--trust"))
            if not found:
                raise SetupError(f"--trust {shown(given.trust)} has no certificate in PEM")
            self.trusted = [(der, text, f"{given.trust}, certificate {number}") for number, (der, text) in enumerate(found, 1)]
        if self.connectors and "scheduler" in self.parts:
            if given.scheduler_template:
                self.scheduler_template = _read(given.scheduler_template, "--scheduler-template")
            elif given.api_credentials:
                self.api_credentials = _lines(given.api_credentials, "--api-credentials", 2)
                report.secrets.append(self.api_credentials[1])
            else:
                raise SetupError("--scheduler needs --api-credentials, to fetch the link, or --scheduler-template")
        self.password = self._password(given)
        report.secrets.append(self.password)

    def _password(self, given):
        if given.password_file:
            return _lines(given.password_file, "--password-file", 1)[0]
        if not sys.stdin.isatty():
            raise SetupError("--password-file is needed where nobody can be asked for the password")
        password = getpass.getpass(f"Password of {shown(self.user)} at {self.host}: ")
        if not password:
            raise SetupError("there is no password")
        return password


def parse(arguments):
    return _parser().parse_args(arguments)
