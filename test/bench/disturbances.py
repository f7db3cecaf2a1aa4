"""What goes on beside while policy answers are measured, and how much longer they take: next to the bare handler, which is
asked at the same time from the same place."""

import ctypes
import itertools
import sqlite3
import statistics
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from contestants import Load, event_template
from meetings import Api
from pexip import Node
from workspace import PREFIX

SECONDS = 2


@contextmanager
def repeating(work, pause=0.0):
    """Does it over and over in a thread; what goes wrong in it is raised at the end."""
    over = threading.Event()
    failed = []

    def run():
        try:
            while not over.is_set():
                work()
                over.wait(pause)
        except Exception as exception:
            failed.append(exception)
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(30)
    if failed:
        raise failed[0]


@contextmanager
def nothing(*_):
    yield


@contextmanager
def event_flood(site, ids, directory):
    node = Node("10.20.0.9", site)
    live = ids[:20]
    for each in live:
        node.conference_started(each)
    known = directory / "flooded"
    known.write_text("".join(f"{each}\n" for each in live))
    template = directory / "event.json"
    event_template(template)
    flood = Load(site, "events", f"{PREFIX}/events", known, template, 10).start(600, connections=2, threads=1)
    try:
        yield
    finally:
        flood.terminate()
        flood.wait()


@contextmanager
def flush(site, *_):
    """Every creation is a commit."""
    api = Api(site)
    with repeating(lambda: api.delete(api.create(title="Written")["id"])):
        yield


@contextmanager
def graceful_restarts(site, *_):
    with repeating(site.graceful, pause=0.7):
        yield


@contextmanager
def hanging_database(site, *_):
    """Somebody else keeps the file locked."""
    other = sqlite3.connect(site.root / "state" / "pexip-rc.sqlite3", isolation_level=None, timeout=30)
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@contextmanager
def hanging_rocketchat(site, ids, _):
    """Visitors with sessions, about which Rocket.Chat is asked and does not answer."""
    key = Api(site).create(title="Joined")["join_url"].rpartition("/")[2]
    numbers = itertools.count()

    def visit():
        site.request("GET", f"{PREFIX}/join/{key}", headers={"Cookie": f"rc_uid=nina; rc_token=token{next(numbers)}"})
    site.rocketchat.hang()
    try:
        with repeating(visit), repeating(visit), repeating(visit), repeating(visit):
            yield
    finally:
        site.rocketchat.released.set()


DISTURBANCES = {
    "quiet": nothing, "event flood": event_flood, "flushes": flush, "hanging database": hanging_database,
    "hanging Rocket.Chat": hanging_rocketchat, "graceful restarts": graceful_restarts,
}


def measure(report, site, ids, directory, options):
    known = directory / "asked"
    # Not those in which the flood is: who wants to join one that has just emptied waits until it is certain that it goes on.
    known.write_text("".join(f"{each}\n" for each in ids[1000:2000]))
    loads = {"policy": Load(site, "policy", f"{PREFIX}/policy/v1", known), "bare": Load(site, "policy", "/bare/hit", known, auth=False)}
    for name, disturbance in DISTURBANCES.items():
        ratios, figures, errors = [], {"policy": [], "bare": []}, {"policy": 0, "bare": 0}
        for number in range(options.rounds):
            # Who comes first is served by another process than who comes second, and only one of them keeps the database.
            order = list(loads) if number % 2 == 0 else list(reversed(loads))
            with disturbance(site, ids, directory):
                time.sleep(0.3)
                running = {who: loads[who].start(SECONDS, connections=1, threads=1) for who in order}
                results = {who: Load.result(process) for who, process in running.items()}
            for who, result in results.items():
                figures[who].append(result["p99_us"])
                errors[who] += result["broken"] + result["refused"]
            ratios.append(results["policy"]["p99_us"] / results["bare"]["p99_us"])
        report.line(f"{name}: 99th percentile", {who: statistics.median(values) for who, values in figures.items()},
                    "  ".join(f"{who} {statistics.median(values) / 1000:6.2f} ms" for who, values in figures.items()))
        report.ratio(f"{name}: 99th percentile, policy / bare handler", ratios, 2.0, above=False)
        met = errors["policy"] <= 2 * errors["bare"] + 2
        report.line(f"{name}: connection errors", {**errors, "met": met}, f"policy {errors['policy']}  bare {errors['bare']}{'' if met else '  MISSED'}")


def segment_bytes(build, meetings, participants):
    """What the module asks of the shared memory, by the function that it uses itself."""
    library = ctypes.CDLL(str(Path(build) / "bench_sizes.so"))
    library.pxr_bench_segment_bytes.restype = ctypes.c_uint64
    return library.pxr_bench_segment_bytes(ctypes.c_uint32(meetings), ctypes.c_uint32(participants))
