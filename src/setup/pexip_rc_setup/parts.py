"""One function for each part of the set-up."""

from . import csp
from .client import GLOBAL, uri_of
from .packages import certificates, check_theme, smallest_theme
from .report import SetupError, quoted, shown

CSP_MAX = 4096              # characters that Infinity takes
LOOKUPS = ("service", "participant", "media-location", "registration", "directory", "avatar")


def _credentials(job, found):
    """User and secret of the nodes. The secret cannot be read back: it is sent with a new user, or when that is asked for."""
    settings = job.settings
    wanted = {"username": settings.node_user}
    if found is None or found.get("username") != settings.node_user or settings.set_secret:
        wanted["password"] = settings.node_secret
    return wanted


def _refuse_foreign(job, title, found, url, option):
    """One of that name may belong to another product, or to another workspace."""
    there = str(found.get("url") or "") if found else ""
    if there.rstrip("/") not in ("", url) and found.get("description") != job.settings.mark and not job.settings.take_over:
        raise SetupError(f"{title} leads to {shown(there)[:300]}: {option} gives ours another name, --take-over changes this one")


def _tell_of_secret(job, title, wanted):
    if "password" not in wanted:
        job.note(f"{title}: the secret cannot be read back and is taken to be right; --set-secret sends it again")


def authorities(job):
    """Certificates of authorities that the nodes are to trust."""
    there = None
    for der, pem, subject in job.settings.trusted:
        if there is None:
            job.client.schema("ca_certificate")
            there = [_der(each.get("certificate")) for each in job.client.all("ca_certificate")]
        if der not in there:
            job.ensure("ca", "ca_certificate", subject, f"trusted authority {quoted(subject)}", None, {"certificate": pem},
                       needed=("certificate",))
            there.append(der)


def _der(text):
    found = certificates(text) if isinstance(text, str) else []
    return found[0][0] if found else None


def policy(job):
    settings = job.settings
    name = settings.policy_name
    title = f"policy profile {quoted(name)}"
    found = job.client.find("policy_server", "name", name)
    _refuse_foreign(job, title, found, settings.policy_url, "--policy-name")
    switches = {f"enable_{each.replace('-', '_')}_lookup": each in settings.lookups for each in LOOKUPS}
    wanted = {"name": name, "url": settings.policy_url, **_credentials(job, found),
              **{switch: True for switch, on in switches.items() if on}}
    job.ensure("policy", "policy_server", name, title, found, wanted, on_creation={"description": settings.mark, **switches},
               needed=("name", "url", "username", "password", *(switch for switch, on in switches.items() if on)))
    _tell_of_secret(job, title, wanted)


def events(job):
    settings = job.settings
    name = settings.sink_name
    title = f"event sink {quoted(name)}"
    found = job.client.find("event_sink", "name", name)
    _refuse_foreign(job, title, found, settings.events_url, "--sink-name")
    if found is None:
        for other in job.client.all("event_sink"):
            if other.get("url") == settings.events_url:
                raise SetupError(f"{title}: the event sink {quoted(other.get('name'))} sends to this URL already: take it over "
                                 "by --sink-name, or remove it, else everything would arrive twice")
    wanted = {"name": name, "url": settings.events_url, **_credentials(job, found), "version": 2,
              "verify_tls_certificate": True, "bulk_support": True, "filter_events": False}
    job.ensure("events", "event_sink", name, title, found, wanted, on_creation={"description": settings.mark},
               needed=("name", "url", "username", "password", "version"))
    _tell_of_secret(job, title, wanted)


def locations(job):
    settings = job.settings
    names = [*settings.locations, *(each for each in settings.sink_locations if each not in settings.locations)]
    if not names:
        job.by_hand("give policy profile and event sink to the system locations (--location), the event sink also to those that "
                    "calls overflow to (--sink-location)")
        return
    sink = job.object_named("event_sink", settings.sink_name)
    profile = job.object_named("policy_server", settings.policy_name) if settings.locations else None
    for name in names:
        try:
            _location(job, name, sink, profile if name in settings.locations else None)
        except SetupError as problem:
            job.fail(str(problem))
    if sink is None:
        job.note(f"there is no event sink {quoted(settings.sink_name)}, so no location gets it")
    if profile is None and settings.locations:
        job.note(f"there is no policy profile {quoted(settings.policy_name)}, so no location gets it")
    job.by_hand("look whether every location that can handle media of these calls has the event sink, overflow locations included")


def _location(job, name, sink, profile):
    title = f"system location {quoted(name)}"
    found = job.client.find("system_location", "name", name)
    if found is None:
        there = sorted(shown(each.get("name")) for each in job.client.all("system_location"))
        raise SetupError(f"there is no {title}; there are: {', '.join(there) or 'none'}")
    fields, lines = {}, []
    if profile is not None:
        current = uri_of(found.get("policy_server"))
        if current != profile:
            if current is not None and not job.settings.replace_policy:
                raise SetupError(f"{title} has another policy profile, {_called(job, found['policy_server'])}: --replace-policy "
                                 "replaces it, and PexipRCPolicyFallback goes on asking its server")
            fields["policy_server"] = profile
            lines.append(("policy_server", _called(job, found.get("policy_server")), _planned(profile, job.settings.policy_name)))
    if sink is not None:
        there = found.get("event_sinks") or []
        if not isinstance(there, list):
            raise SetupError(f"{title}: its event sinks are no list")
        there = [uri_of(each) for each in there]
        if sink not in there:
            fields["event_sinks"] = [*there, sink]
            lines.append(("event_sinks", None, f"{len(there)} kept, added: {_planned(sink, job.settings.sink_name)}"))
    job.known("system_location", title, fields, needed=tuple(fields))
    if fields:
        job.change("locations", "system_location", uri_of(found.get("resource_uri")), title, fields, lines)


def _planned(target, name):
    return quoted(name) if isinstance(target, str) else target.title


def _called(job, value):
    """The name of the object that a foreign key leads to."""
    uri = uri_of(value)
    if uri is None:
        return "nothing"
    name = value.get("name") if isinstance(value, dict) else None
    return quoted(name if isinstance(name, str) else job.client.get(uri).get("name", uri))


def theme(job):
    settings = job.settings
    name = settings.theme_name
    title = f"theme {quoted(name)}"
    found = job.client.find("ivr_theme", "name", name)
    if found is not None and not settings.replace_theme:
        job.note(f"{title} is there and stays as it is; its content cannot be compared, --replace-theme uploads it again")
        return
    if settings.theme_file:
        content, remark = check_theme(settings.theme_file, "--theme")
        if remark:
            job.note(remark)
    else:
        content = smallest_theme()
    job.ensure("theme", "ivr_theme", name, title, found, {"name": name}, files={"package": ("theme.zip", content)},
               needed=("name",))


def security(job):
    """What the nodes' pages may frame, and who may frame them."""
    settings = job.settings
    found = job.client.get(GLOBAL)
    title = "Content-Security-Policy of the global settings"
    text = found.get("content_security_policy_header")
    names = ("frame-src", "frame-ancestors")
    job.known("global", title, {"content_security_policy_header": text}, needed=("content_security_policy_header",))
    if found.get("enable_application_api") is False:
        job.by_hand("switch on support for Pexip apps in the global settings: without it nobody can join by a browser")
    if not isinstance(text, str) or not text.strip():
        job.note(f"{title}: it is empty and forbids nothing")
        return
    edited = csp.allow(text, settings.origin, names)
    if found.get("content_security_policy_state") is False:
        job.note(f"{title}: it is switched off and stays so; its text is made right all the same")
    if len(edited) > CSP_MAX:
        raise SetupError(f"{title}: it would be {len(edited)} characters long, {CSP_MAX} are possible")
    if edited != text:
        lines = [(name, None, f"added: {settings.origin}") for name in names if not csp.admits(text, settings.origin, name)]
        job.change("csp", "global", GLOBAL, title, {"content_security_policy_header": edited}, lines)
