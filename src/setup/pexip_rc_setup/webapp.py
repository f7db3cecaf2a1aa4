"""Branding packages and web app paths."""

from .client import uri_of
from .packages import check_branding, digest
from .plan import Change
from .report import SetupError, quoted

NAME_MAX = 100              # characters of a branding's name


def branding_name(settings, content):
    """The content is part of the name, which is how a package that was uploaded already is known again."""
    mark = digest(content)
    return f"{settings.branding_name[:NAME_MAX - len(mark) - 1]} {mark}"


def branding(job):
    settings = job.settings
    if not settings.branding_file:
        if settings.slug:
            path(job, None)
        else:
            job.by_hand("for the chat beside the call: upload the plugin and give it a web app path (--branding, --path)")
        return
    content, settings.manifest, remark = check_branding(settings.branding_file, "--branding", settings.origin)
    if remark:
        job.note(remark)
    name = branding_name(settings, content)
    found = job.client.find("webapp_branding", "name", name)
    fields = {"name": name, "description": settings.mark, "webapp_type": "webapp3"}
    if found is None:
        package = job.ensure("branding", "webapp_branding", name, f"branding {quoted(name)}", None, fields,
                             files={"branding_file": ("branding.zip", content)}, needed=("name", "webapp_type"))
    elif found.get("webapp_type") != "webapp3":
        raise SetupError(f"branding {quoted(name)} is not for webapp3")
    else:
        package = uri_of(found.get("resource_uri"))
    path(job, package)
    _sweep(job, package)


def path(job, package):
    """The web app path. Without a package it keeps the one that it has."""
    settings = job.settings
    title = f"web app path {quoted(settings.slug)}"
    found = job.client.find("webapp_alias", "slug", settings.slug)
    wanted = {"slug": settings.slug, "is_enabled": True}
    if found is not None:
        if found.get("webapp_type") != "webapp3":
            raise SetupError(f"{title} is for {quoted(found.get('webapp_type'))}, not for webapp3: choose another one")
        if package is not None and uri_of(found.get("branding")) != package:
            _refuse_foreign(job, title, found)
            wanted["branding"] = package
    elif package is not None:
        wanted["branding"] = package
    job.ensure("branding", "webapp_alias", settings.slug, title, found, wanted,
               on_creation={"description": settings.mark, "webapp_type": "webapp3"}, needed=("slug", "is_enabled", "branding"))
    job.by_hand(f"PexipRCBrandingPath {settings.slug} in the virtual host, so that links lead to this path")


def is_ours(job, package):
    return package.get("description") == job.settings.mark


def _refuse_foreign(job, title, found):
    current = uri_of(found.get("branding"))
    if current is None or job.settings.replace_branding:
        return
    package = found["branding"] if isinstance(found["branding"], dict) else job.client.get(current)
    if not is_ours(job, package):
        raise SetupError(f"{title} shows the branding {quoted(package.get('name'))}, which was not made by this program: "
                         "--replace-branding replaces it")


def _sweep(job, package):
    """Deletes packages that this program has uploaded for this workspace and that no path shows afterwards. One in use
    cannot be deleted, so this stands behind the change of the path."""
    used = {uri_of(each.get("branding")) for each in job.client.all("webapp_alias") if each.get("slug") != job.settings.slug}
    for each in job.client.all("webapp_branding"):
        uri = uri_of(each.get("resource_uri"))
        if is_ours(job, each) and not each.get("is_default") and uri != package and uri not in used:
            job.plan(Change("branding", "is deleted", "webapp_branding", f"branding {quoted(each.get('name'))}", uri,
                            lines=[("why", None, "made by this program for this workspace, and used by no path any more")]))
