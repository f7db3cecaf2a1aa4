#!/usr/bin/python3
"""What `make bench` starts. The machine is noisy: what counts are ratios of neighbours in time, of processor time for each
request, over alternating short rounds. A table for people, build/bench.json for machines.

    bench.py [--rounds 7] [--seconds 1] [--meetings 10,100000,1000000] [--only policy,events,disturbed,memory]
"""

import sys

sys.dont_write_bytecode = True

import argparse  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import random  # noqa: E402
import shutil  # noqa: E402
import signal  # noqa: E402
import statistics  # noqa: E402
import tempfile  # noqa: E402
from pathlib import Path  # noqa: E402

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

import disturbances  # noqa: E402
from contestants import Express, Load, Site, event_template, resident_bytes  # noqa: E402
from httpd import REPOSITORY  # noqa: E402
from pexip import Node  # noqa: E402
from policy_server import PolicyServer  # noqa: E402
from workspace import PREFIX  # noqa: E402

BUILD = REPOSITORY / "build"
POLICY = f"{PREFIX}/policy/v1"
EVENTS = f"{PREFIX}/events"
BYTES_A_MEETING = 3400      # more than it takes, to know whether there is room for a run
ASKED_MOST = 100_000        # of more meetings so many are asked for: far more than any cache holds, and wrk reads the list in each round


class Report:
    """Collects what is measured, and prints it as it comes."""

    def __init__(self):
        self.values = {}

    def section(self, title):
        print(f"\n{title}", flush=True)

    def line(self, name, value, text):
        self.values[name] = value
        print(f"  {name:<58} {text}", flush=True)

    def ratio(self, name, ratios, target=None, above=True):
        """Median and spread of the ratios of neighbouring rounds."""
        ratios = sorted(ratios)
        middle = statistics.median(ratios)
        good = target is None or (middle >= target if above else middle <= target)
        wanted = "" if target is None else f"  target {'>=' if above else '<='} {target:.2f}{'' if good else '  MISSED'}"
        value = {"median": round(middle, 3), "lowest": round(ratios[0], 3), "highest": round(ratios[-1], 3), "rounds": len(ratios)}
        if target is not None:
            value.update(target=target, met=good)
        self.line(name, value, f"{middle:6.2f}  ({ratios[0]:.2f} to {ratios[-1]:.2f}){wanted}")


def alternate(loads, rounds, seconds):
    """{name: [result of each round]}; in each round every load has its turn."""
    for load in loads.values():
        load.run(1)     # warm
    results = {name: [] for name in loads}
    for number in range(rounds):
        order = list(loads)
        for name in order if number % 2 == 0 else reversed(order):
            result = loads[name].run(seconds)
            if result["broken"]:
                raise RuntimeError(f"{name}: {result}")
            results[name].append(result)
    return results


def quotients(results, above, below, figure="cpu_us"):
    return [a[figure] / b[figure] for a, b in zip(results[above], results[below])]


def figures(report, results, prefix):
    for name, rounds in results.items():
        cpu = statistics.median(each["cpu_us"] for each in rounds)
        rate = statistics.median(each["rate"] for each in rounds)
        report.line(f"{prefix}: {name}", {"cpu_us": round(cpu, 2), "rate": round(rate)}, f"{cpu:7.1f} us of processor  {rate:8.0f}/s")


def write_ids(directory, name, ids):
    path = directory / name
    path.write_text("".join(f"{each}\n" for each in ids))
    return path


def policy(report, site, ids, directory, options, count):
    known = write_ids(directory, "known", random.sample(ids, min(len(ids), ASKED_MOST)))
    unknown = write_ids(directory, "unknown", [f"nobodyknows{number:08x}" for number in range(1000)])
    loads = {
        "policy, hit": Load(site, "policy", POLICY, known),
        "bare handler": Load(site, "policy", "/bare/hit", known, auth=False),
        "policy, miss": Load(site, "policy", POLICY, unknown),
        "bare handler, 404": Load(site, "policy", "/bare/miss", unknown, auth=False),
    }
    # What authentication costs does not depend on the meetings.
    with_same = count <= ASKED_MOST
    if with_same:
        loads["bare handler, same authentication"] = Load(site, "policy", "/same/hit", known)
        loads["bare handler, 404, same authentication"] = Load(site, "policy", "/same/miss", unknown)
    results = alternate(loads, options.rounds, options.seconds)
    title = f"{count} meetings"
    figures(report, results, title)
    report.ratio(f"{title}: hit, bare handler without authentication / policy", quotients(results, "bare handler", "policy, hit"), 1.2)
    report.ratio(f"{title}: miss, bare handler without authentication / policy", quotients(results, "bare handler, 404", "policy, miss"), 1.2)
    if with_same:
        report.ratio(f"{title}: hit, bare handler, same authentication / policy",
                     quotients(results, "bare handler, same authentication", "policy, hit"))
        report.ratio(f"{title}: miss, bare handler, same authentication / policy",
                     quotients(results, "bare handler, 404, same authentication", "policy, miss"))


def express(report, site, ids, directory, options):
    """Next to the way that is shown in examples."""
    if not Express.available():
        report.line("Express policy server", None, "left out: npm's registry could not be reached")
        return
    known = write_ids(directory, "known", ids)
    other = Express(site.root / "conf" / "hit.json")
    try:
        results = alternate({"policy": Load(site, "policy", POLICY, known), "Express": Load(other, "policy", "/policy/v1", known, auth=False)},
                            options.rounds, options.seconds)
    finally:
        other.close()
    figures(report, results, "beside Express")
    report.ratio("Express without authentication / policy with it", quotients(results, "Express", "policy"))


def memory_over_time(report, site, ids, directory):
    """A million requests, a twentieth of them events, and what the processes have taken after each tenth."""
    known = write_ids(directory, "known", ids)
    template = directory / "event.json"
    event_template(template)
    asked = Load(site, "policy", POLICY, known)
    told = Load(site, "events", EVENTS, known, template, 1)
    requests, sizes = 0, []
    while requests < 1_000_000:
        tenth = requests + 100_000
        while requests < tenth:
            requests += asked.run(3)["requests"]
        requests += told.run(1)["requests"]
        sizes.append(resident_bytes(site.children()))
    # The first tenths fill what is kept for reuse.
    later = sizes[3:]
    growth = (later[-1] - later[0]) / (len(later) - 1) / 100_000
    met = growth < 1
    report.line("memory: bytes that the processes grow by with each request", {"growth": round(growth, 3), "sizes": sizes, "met": met},
                f"{growth:6.2f}  after {requests} requests{'' if met else '  MISSED'}")


def events(report, site, ids, directory, options):
    live = ids[:20]
    node = Node("10.20.0.1", site)
    for each in live:
        node.conference_started(each)
    known = write_ids(directory, "live", live)
    template = directory / "event.json"
    event_template(template)
    for bulk in (1, 10, 100, 1000):
        loads = {
            f"events, {bulk}": Load(site, "events", EVENTS, known, template, bulk),
            f"jansson alone, {bulk}": Load(site, "events", "/jansson", known, template, bulk),
            f"read and discarded, {bulk}": Load(site, "events", "/discard", known, template, bulk),
        }
        # Few of the large ones fit into a second.
        results = alternate(loads, options.rounds, options.seconds * (3 if bulk == 1000 else 1))
        what = "single" if bulk == 1 else f"bulk of {bulk}"
        figures(report, results, what)
        report.ratio(f"{what}: events / jansson on the same bytes", quotients(results, f"events, {bulk}", f"jansson alone, {bulk}"), 1.3, above=False)
        report.ratio(f"{what}: events / read and discarded", quotients(results, f"events, {bulk}", f"read and discarded, {bulk}"))


def memory(report):
    small, more_meetings, more_legs = (disturbances.segment_bytes(BUILD, *sizes) for sizes in ((10000, 50000), (20000, 50000), (10000, 100000)))
    for name, value, target in (("bytes for each meeting", (more_meetings - small) / 10000, 3072), ("bytes for each call leg", (more_legs - small) / 50000, 512)):
        met = value <= target
        report.line(f"memory: {name}", {"bytes": round(value), "target": target, "met": met}, f"{value:6.0f}  target <= {target}{'' if met else '  MISSED'}")


def room_for(meetings):
    free = os.statvfs("/dev/shm")
    return meetings * BYTES_A_MEETING * 1.3 < free.f_bavail * free.f_frsize


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=1)
    parser.add_argument("--meetings", default="10,100000,1000000")
    parser.add_argument("--only", default="policy,events,disturbed,memory")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))     # servers and their memory are taken away
    parts = options.only.split(",")
    report = Report()
    root = Path(tempfile.mkdtemp(prefix="pxr-bench-", dir="/tmp"))
    root.chmod(0o755)
    try:
        for count in map(int, options.meetings.split(",")):
            report.section(f"With {count} meetings")
            if not room_for(count):
                report.line(f"{count} meetings", None, "left out: /dev/shm has no room for so many")
                continue
            rocketchat = PolicyServer()     # any server that can hang
            site = Site(root / str(count), BUILD / "mod_bench.so", count, rocketchat)
            try:
                ids, took = site.fill()
                report.line(f"{count} meetings: seconds to start with all of them", round(took, 2), f"{took:6.2f}")
                if "policy" in parts:
                    policy(report, site, ids, root, options, count)
                if count == 10 and "policy" in parts:
                    express(report, site, ids, root, options)
                if count == 10 and "events" in parts:
                    events(report, site, ids, root, options)
                if count == 10 and "memory" in parts:
                    memory_over_time(report, site, ids, root)
                if count == 100000 and "disturbed" in parts:
                    disturbances.measure(report, site, ids, root, options)
            finally:
                site.close()
                rocketchat.close()
                shutil.rmtree(site.root / "state", ignore_errors=True)
        if "memory" in parts:
            report.section("Memory")
            memory(report)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    (BUILD / "bench.json").write_text(json.dumps(report.values, indent=2) + "\n")
    missed = [name for name, value in report.values.items() if isinstance(value, dict) and value.get("met") is False]
    print(f"\n{len(missed)} targets missed" + "".join(f"\n  {name}" for name in missed) + f"\nbuild/bench.json has all of it")


if __name__ == "__main__":
    main()
