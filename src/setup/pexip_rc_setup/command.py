"""From arguments to an exit status."""

from . import arguments, parts, scheduler, webapp
from .client import Client
from .plan import Job
from .probe import probe
from .report import Report, SetupError, Unreachable

UNCHANGED, DIFFERENT, WRONG = 0, 1, 2

PLANNERS = {"ca": parts.authorities, "policy": parts.policy, "events": parts.events, "locations": parts.locations,
            "theme": parts.theme, "branding": webapp.branding, "csp": parts.security, "scheduler": scheduler.scheduler}


def _run(job):
    settings, report = job.settings, job.report
    for part in settings.parts:
        try:
            PLANNERS[part](job)
        except Unreachable as problem:
            job.fail(str(problem))
            break
        except SetupError as problem:
            job.fail(f"{part}: {problem}")
    if job.failures:
        report.say("nothing was changed, because not all of it can be done")
        return WRONG
    if not job.changes:
        report.say("nothing has to be changed")
    elif not settings.apply:
        report.say(f"{len(job.changes)} changes are needed; --apply makes them")
        return DIFFERENT
    job.apply()
    if not job.failures and settings.probe:
        job.failures += probe(settings, report)
    return WRONG if job.failures else UNCHANGED


def main(given):
    given = arguments.parse(given)
    report = Report(given.json)
    job = None
    try:
        settings = arguments.Settings(given, report)
        client = Client(settings.host, settings.port, settings.user, settings.password, settings.context, settings.seconds)
        job = Job(client, settings, report)
        status = _run(job)
    except SetupError as problem:
        report.error(str(problem))
        status = WRONG
    except KeyboardInterrupt:
        report.error("interrupted; it can be run again at any time")
        status = WRONG
    report.finish(status, job.changes if job else [])
    return status
