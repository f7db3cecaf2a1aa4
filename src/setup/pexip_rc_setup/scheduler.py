"""The link to Rocket.Chat in the joining instructions of Secure Scheduler for Exchange."""

import html
import re
from html.parser import HTMLParser
from urllib.parse import urlencode, urlsplit

from .client import uri_of
from .report import SetupError, quoted, shown
from .wire import basic, exchange

TEMPLATE_MAX = 12288        # characters that Infinity takes
SINGLE, PERSONAL = "meeting_instructions_template", "personal_vmr_instructions_template"

# Comments of the template language: they mark what is ours, and no mail shows them.
BEGIN, END = "{# pexip-rc-setup: begin #}", "{# pexip-rc-setup: end #}"
OURS = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.S)

BREAK = r"<br\s*/?>"


class _Anchors(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        if tag == "a":
            self.found += [value for name, value in attributes if name == "href" and value]


def link_in(template, site):
    """The address of Rocket.Chat in joining instructions that the module has written: the only anchor that leads to the
    landing page, to the workspace, or to our own redirection."""
    anchors = _Anchors()
    anchors.feed(template)
    anchors.close()
    found = {each for each in anchors.found
             if "numeric_alias" in each and "/m/{{numeric_alias}}" not in each
             and (each.startswith(("https://go.rocket.chat/", f"{site}/")) or "/go/" in each)}
    if len(found) != 1:
        raise SetupError(f"the module's template has {len(found)} links to Rocket.Chat instead of one")
    return found.pop()


def fetch_link(job):
    settings = job.settings
    parts = urlsplit(settings.api_url)
    query = urlencode({"kind": "single-use", "link": settings.scheduler_link})
    path = f"{parts.path}/api/v1/scheduling/template?{query}"
    status, _, content = exchange("GET", parts.hostname, parts.port or 443, path, settings.context, limit=1 << 20,
                                  headers={"Authorization": basic(*settings.api_credentials)}, seconds=settings.seconds)
    if status != 200:
        raise SetupError(f"the module's API at {shown(settings.api_url)} answers {status} when it is asked for the template")
    return link_in(content.decode("utf-8", "replace"), settings.origin)


def _anchor(link):
    return f'<a href="{html.escape(link)}">Join in Rocket.Chat</a>'


def _lines(link):
    """For instructions that are lines, as the ones that come with Infinity are."""
    return f'From Rocket.Chat:<br>\n{_anchor(link)}<br>\n<br>\n'


def _row(link):
    return f"<tr><td>Rocket.Chat</td><td>{_anchor(link)}</td></tr>\n"


def _marked(content, personal):
    """Personal meeting rooms come with a list of numbers, which may be empty."""
    if personal:
        content = "{% if numeric_aliases %}{% set numeric_alias = numeric_aliases[0] %}\n" + content + "{% endif %}"
    return f"{BEGIN}{content}{END}"


def _place(template):
    """Where to put something, and whether table rows stand there: behind the row or the line of the first link, else
    before the line of the scheduler's own mark, else at the end of the outermost element."""
    anchor = re.search(r"<a\s.*?</a\s*>", template, re.S | re.I)
    if anchor:
        before = template[:anchor.start()].lower()
        end = re.compile(r"</tr\s*>[ \t]*(\r?\n)?", re.I).search(template, anchor.end())
        if before.rfind("<tr") > before.rfind("</tr") and end:
            return end.end(), True
        end = re.compile(rf"\s*{BREAK}(\s*{BREAK})?[ \t]*(\r?\n)?", re.I).match(template, anchor.end())
        return (end.end() if end else anchor.end()), False
    for pattern in (r"^.*\balias_uuid\b", r"</(div|body)\s*>\s*(</html\s*>)?\s*\Z"):
        found = re.search(pattern, template, re.M | re.I)
        if found:
            return found.start(), False
    return len(template), False


def with_link(template, link, personal):
    """The template with the link in it, once; what is ours already is replaced where it stands."""
    ours = OURS.search(template)
    if ours:
        rows = "<tr" in ours.group()
        place, end = ours.span()
    else:
        place, rows = _place(template)
        end = place
    block = _marked((_row if rows else _lines)(link), personal)
    if "\r\n" in template:
        block = block.replace("\n", "\r\n")
    return template[:place] + block + template[end:]


def scheduler(job):
    settings = job.settings
    if not settings.connectors:
        job.by_hand("where meetings are scheduled in Outlook: put the link to Rocket.Chat into the joining instructions (--scheduler)")
        return
    link = link_in(settings.scheduler_template, settings.origin) if settings.scheduler_template is not None else fetch_link(job)
    for name in settings.connectors:
        title = f"scheduler {quoted(name)}"
        found = job.client.find("ms_exchange_connector", "name", name)
        if found is None:
            raise SetupError(f"there is no {title}: it is made in Infinity's own pages, because it needs Exchange's credentials")
        fields, lines = {}, []
        for field in (SINGLE, PERSONAL):
            old = found.get(field)
            if not isinstance(old, str) or not old.strip():
                job.note(f"{title}: {field} is empty and stays so")
                continue
            new = with_link(old, link, field == PERSONAL)
            if len(new) > TEMPLATE_MAX:
                raise SetupError(f"{title}: {field} would be {len(new)} characters long, {TEMPLATE_MAX} are possible")
            if new != old:
                fields[field] = new
                lines.append((field, f"{len(old)} characters", f"{len(new)} characters, with the link {shown(link)}"))
        job.known("ms_exchange_connector", title, fields, needed=tuple(fields))
        if fields:
            job.change("scheduler", "ms_exchange_connector", uri_of(found.get("resource_uri")), title, fields, lines)
