"""One machine seen from outside: what its status says about the database, who leads, and how to take its power away."""

import os
import re
import signal
import time

from meetings import Api
from texts import OVERWRITTEN, REPAIRED
from waiting import wait_until
from workspace import ADMIN, PREFIX

from httpd import PATIENCE

# Longer than anything behind the request takes: at most a second for writing, two for a creation.
WRITTEN_WITHIN = 5 * PATIENCE
BACK_WITHIN = 20 * PATIENCE


def status(httpd):
    answer = httpd.request("GET", f"{PREFIX}/status?json", auth=ADMIN)
    assert answer.status == 200, f"status answers {answer.status}: {answer.text[:300]}"
    return answer.json()


def database(httpd):
    """What the status says about the database."""
    return status(httpd)["database"]


def wait_for_database(httpd, *states, timeout=BACK_WITHIN):
    """Until the database is in one of these states; without any, until it is in order. The overall status must agree."""
    states = states or ("ok",)

    def reached():
        try:
            page = status(httpd)
        except ConnectionError:
            return None     # it was a child's that has just been killed
        good = page["database"]["state"] in ("ok", "none")
        # No meeting can be made without the database, so calls do not work as they should.
        assert good or page["status"] != "ok", page
        return page if page["database"]["state"] in states else None
    return wait_until(reached, timeout, f"a database that is {' or '.join(states)}")["database"]


def wait_until_written(httpd, timeout=WRITTEN_WITHIN):
    """Until the database knows all that this machine knows."""
    def all_written():
        now = database(httpd)
        return now["state"] == "ok" and now["unwritten"] == 0
    wait_until(all_written, timeout, "everything to be written")


def machines_alive(httpd):
    """How many machines share the database, by what this one has heard."""
    alive = database(httpd)["machines"]
    return alive if isinstance(alive, int) else len(alive)


def history(httpd, **query):
    """All ended meetings, page after page."""
    found, after = [], None
    while True:
        asked = {"limit": 500, **query, **({"after": after} if after else {})}
        suffix = "&".join(f"{name}={value}" for name, value in asked.items())
        page = Api(httpd)._ok(Api(httpd).call("GET", f"/history?{suffix}"), 200).json()
        found += page["meetings"]
        after = page.get("next")
        if not after or not page["meetings"]:
            return found


def listing(httpd):
    """All meetings of the list, page after page."""
    api, found, after = Api(httpd), [], None
    while True:
        page = api.list(limit=500, **({"after": after} if after else {}))
        found += page["meetings"]
        after = page.get("next")
        if not after:
            return found


def leader(httpd):
    """The process that does the background work, as its own line in the log says; None while nobody does."""
    pids = re.findall(r"\[pid (\d+)[^\]]*\].*this process leads", httpd.error_log())
    pid = int(pids[-1]) if pids else None
    return pid if pid in httpd.processes() else None


def power_cut(httpd, stop=False):
    """Nothing of this machine is left but its disk. stop=True shuts it down properly before."""
    if stop:
        httpd.stop()
    else:
        httpd.kill9_all()
        httpd.expect(OVERWRITTEN, REPAIRED)
    segments = httpd.segments()
    assert segments, "this server had no memory to be lost"
    for name in segments:
        os.unlink(name)


def start_from_database(httpd):
    """A start with no memory of its own: ready when everything is there again."""
    httpd.start()
    wait_for_database(httpd)


def freeze(httpd):
    """Every process of the machine stands still: its clock goes on, its sockets stay open."""
    for pid in httpd.processes():
        httpd.kill(pid, signal.SIGSTOP)


def thaw(httpd):
    for pid in httpd.processes():
        httpd.kill(pid, signal.SIGCONT)


class took:
    """with took() as time: ...; time.seconds"""

    def __enter__(self):
        self.began = time.monotonic()
        return self

    def __exit__(self, *_):
        self.seconds = time.monotonic() - self.began
