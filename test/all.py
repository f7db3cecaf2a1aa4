#!/usr/bin/python3
"""Runs every test and closes with one line `N passed, N failed`, and `, N skipped` where something could not be run.

Arguments name the parts to run (lint, unit, fuzz, play, event, worker, prefork, deb, sanitized, contract, browser,
machines, fault, fault-worker, fault-prefork, alerts); without any, all of these run. The parts that use the processor
little run three at a time. Further parts are those of `make check`: fuzzing, sanitized-worker, sanitized-prefork, tsan,
valgrind, coverage.
"""

import os
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as xml
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

TOP = Path(__file__).resolve().parents[1]
BUILD = TOP / "build"
PYTHON = sys.executable
sys.path.insert(0, str(TOP / "test" / "support"))
TIME_LIMIT = 1500  # seconds for one part; far more than any needs
# Tests that failed beside other parts, {part: runs them again}. More than a few are no accident, and what is no
# failed assertion but an error, such as a line in an error log that nobody expected, is none either.
LATE = {}
LATE_AT_MOST = 5
PREPARING = Lock()  # npm packages are shared by parts that run at the same time


def run(command, limit=TIME_LIMIT, **environment):
    """Returns exit status and everything that was printed."""
    done = subprocess.run(command, cwd=TOP, env={**os.environ, **environment}, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=limit,
                          errors="replace")
    return done.returncode, done.stdout


def count(pattern, text):
    return sum(int(number) for number in re.findall(pattern, text, re.M))


def lint():
    status, text = run([PYTHON, "test/lint/lint.py"])
    passed, failed = re.findall(r"^lint: (\d+) passed, (\d+) failed$", text, re.M)[0]
    return int(passed), int(failed) or int(status != 0), text


@contextmanager
def database():
    """The tests of the database run on a PostgreSQL as well, which they are told by a variable."""
    from postgresql import PostgreSQL
    with TemporaryDirectory(prefix="pxr-pg-", dir="/tmp") as directory:
        os.chmod(directory, 0o755)      # it runs as somebody else
        with PostgreSQL(Path(directory) / "server") as server:
            yield {"PXR_TEST_PGSQL": server.conninfo}


def unit_programs(programs, **environment):
    passed = failed = 0
    texts = []
    for program in programs:
        status, text = run([str(program)], ASAN_OPTIONS="detect_leaks=1", **environment)
        good = count(r"^\[  PASSED  \] (\d+) test", text)
        bad = count(r"^\[  FAILED  \] (\d+) test", text)
        passed += good
        failed += bad or int(status != 0)
        if status != 0:
            texts.append(f"{program.name}:\n{text}")
    return passed, failed, texts


def unit():
    programs = sorted(path for path in (BUILD / "unit").glob("test_*") if path.suffix == "")
    if not programs:
        return 0, 1, "no unit test was built"
    passed, failed, texts = unit_programs(path for path in programs if not path.name.startswith("test_db"))
    with database() as environment:
        of_database = unit_programs((path for path in programs if path.name.startswith("test_db")), **environment)
    return passed + of_database[0], failed + of_database[1], "\n".join(texts + of_database[2])


def play():
    from httpd import free_ports
    status, text = run([PYTHON, "test/run/play.py", "--once", "--port", str(free_ports(1)[0])])
    return int(status == 0), int(status != 0), text


def integration(name, mpm, arguments=(), paths=("test/integration",), **environment):
    report = BUILD / f"pytest-{name}.xml"
    cache = BUILD / f"pytest-{name}"

    def pytest(*options):
        report.unlink(missing_ok=True)
        status, text = run([PYTHON, "-m", "pytest", "-o", f"cache_dir={cache}", "-q", "--tb=short",
                            f"--junitxml={report}", *paths, *arguments, *options],
                           PXR_MPM=mpm, PYTHONDONTWRITEBYTECODE="1", **environment)
        try:
            suite = xml.parse(report).getroot().find("testsuite")
        except (OSError, xml.ParseError) as error:
            return status, 0, 0, 1, f"{text}\n{report}: {error}"
        errors, failed = int(suite.get("errors")), int(suite.get("failures"))
        passed = int(suite.get("tests")) - int(suite.get("skipped")) - failed - errors
        return status, max(0, passed), failed, errors, text

    shutil.rmtree(cache, ignore_errors=True)
    status, passed, failed, errors, text = pytest()
    if 0 < failed <= LATE_AT_MOST and errors == 0:
        LATE[name] = lambda: pytest("--last-failed", "--last-failed-no-failures=none")
    return passed, failed + errors or int(status != 0), text


def fuzz():
    """The inputs that are kept for each fuzz target, found ones among them."""
    passed = failed = 0
    texts = []
    for corpus in sorted(path for path in (TOP / "test" / "fuzz" / "corpus").iterdir()):
        status, text = run([str(BUILD / "replay" / corpus.name), str(corpus)])
        passed += status == 0
        failed += status != 0
        if status != 0:
            texts.append(f"{corpus.name}:\n{text}")
    return passed, failed, "\n".join(texts)


def checked(command, label, limit=TIME_LIMIT):
    """A script that closes with how many of its own passed and failed. What it measured is always shown."""
    status, text = run(command, limit)
    if status == 0:
        print(text, end="", flush=True)
    counts = re.findall(rf"^{label}: (\d+) passed, (\d+) failed$", text, re.M)
    passed, failed = map(int, counts[-1]) if counts else (0, 0)
    return passed, failed or int(status != 0), text


def fuzzing():
    seconds = int(os.environ.get("PXR_FUZZ_TIME", "60"))
    targets = len(list((TOP / "test" / "fuzz" / "corpus").iterdir()))
    return checked([PYTHON, "test/fuzz/fuzz.py", "--time", str(seconds)], "fuzz", TIME_LIMIT + targets * seconds)


def coverage():
    return checked([PYTHON, "test/support/coverage.py"], "coverage")


def library(name):
    return subprocess.run([os.environ.get("CC", "cc"), f"-print-file-name={name}"],
                          capture_output=True, text=True, check=True).stdout.strip()


def tsan():
    """The unit programs in which threads meet, and what keeps the background threads busy. Processes that share
    memory are no threads: of them this sees nothing, test_store_processes and the faults are about those."""
    options = f"suppressions={TOP / 'test' / 'support' / 'tsan.supp'}:history_size=4:ignore_noninstrumented_modules=1"
    passed = failed = 0
    texts = []
    for program in sorted(path for path in (BUILD / "tsan" / "unit").glob("test_*") if path.suffix == ""):
        status, text = run([str(program)], TSAN_OPTIONS=options)
        passed += status == 0
        failed += status != 0
        if status != 0:
            texts.append(f"{program.name}:\n{text}")
    good, bad, text = integration("tsan", "event", ("-m", "not slow and not once"),
                                  [f"test/integration/test_{name}.py" for name in THREADS],
                                  PXR_MODULE=str(BUILD / "tsan" / "mod_pexip_rc.so"),
                                  PXR_PRELOAD=library("libtsan.so"), TSAN_OPTIONS=options)
    return passed + good, failed + bad, "\n".join([*texts, text])


def valgrind():
    """A whole meeting: what reads memory that was never written, which no sanitizer above sees."""
    from httpd import free_ports
    place = BUILD / "valgrind"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    wrapper = (f"/usr/bin/valgrind --quiet --leak-check=full --show-leak-kinds=definite "
               f"--log-file={place}/%p.log")
    status, text = run([PYTHON, "test/run/play.py", "--once", "--port", str(free_ports(1)[0])], PXR_WRAPPER=wrapper)
    reports = [path.read_text() for path in sorted(place.glob("*.log"))]
    failed = int(status != 0) + sum(bool(report) for report in reports) + int(not reports)
    return int(failed == 0), failed, "\n".join([text, *reports])


def sanitized(name="sanitized", mpm="event", cases="not slow and not once"):
    """The integration tests with the instrumented module. Leaks are the business of httpd's pools;
    the unit tests look for ours."""
    return integration(name, mpm, ("-m", cases),
                       PXR_MODULE=str(BUILD / "sanitized" / "mod_pexip_rc.so"),
                       PXR_PRELOAD=library("libasan.so"),
                       ASAN_OPTIONS="detect_leaks=0:abort_on_error=1:handle_abort=0",
                       UBSAN_OPTIONS="print_stacktrace=1")


def with_packages(name, obtainable=lambda: True):
    """Tests that need npm packages, and perhaps more. Where those cannot be had, and only then, the part is skipped."""
    with PREPARING:
        status, text = run(["make", "--no-print-directory", name])
    if status == 0:
        return integration(name, "event", paths=[f"test/{name}"])
    if obtainable() and registry_answers():
        return 0, 1, text
    return 0, 0, f"{text}\n{name.upper()} TESTS ARE SKIPPED: what they need from npm or Debian cannot be had", 1


def alerts():
    """The rules of Prometheus, by its own tool. Where that cannot be had, and only then, the part is skipped."""
    with PREPARING:
        status, text = run(["make", "--no-print-directory", "alerts"])
    if status == 0:
        return integration("alerts", "event", paths=["test/alerts"])
    return (0, 1, text) if archive_answers() else (0, 0, f"{text}\nALERT TESTS ARE SKIPPED: Debian's archive does not answer", 1)


def registry_answers():
    if not shutil.which("npm"):
        return False
    status, _ = run(["npm", "ping", "--fetch-retries=0", "--fetch-timeout=20000", "--no-update-notifier"],
                    npm_config_cache=str(BUILD / "npm" / "cache"))
    return status == 0


# Tests in which the keeper, the messenger and the readers of the history are at work.
THREADS = ("delivery", "fallback", "history", "roster", "webhook")
def browser():
    from browser import chromium
    return with_packages("browser", chromium)


def deb():
    """The package, and its life on a machine that is made for it."""
    from rootfs import why_not
    with PREPARING:
        status, text = run(["make", "--no-print-directory", "deb-test"])
    if status != 0:
        return (0, 1, text) if archive_answers() else (0, 0, f"{text}\nDEB TESTS ARE SKIPPED: Debian's archive does not answer", 1)
    with TemporaryDirectory(prefix="pxr-", dir="/tmp") as directory:
        reason = why_not(f"{directory}/probe")
    if reason:
        return 1, 0, f"THE PACKAGE IS BUILT, THE TESTS THAT INSTALL IT ARE SKIPPED: {reason}", 1
    passed, failed, text = integration("deb", "event", paths=["test/deb"])
    return passed + 1, failed, text


def archive_answers():
    """apt calls it a success, else, where it could fetch nothing."""
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    return run([*as_root, "apt-get", "update", "-q", "-o", "APT::Update::Error-Mode=any"])[0] == 0


# Half of the fault tests, by the time that they take.
FAULTS = ["test/fault"]
MACHINES = [f"test/fault/test_{name}.py" for name in ("kills", "two_machines", "messages")]

PARTS = {
    "lint": lint,
    "unit": unit,
    "fuzz": fuzz,
    "play": play,
    # The longest first: three parts run at a time.
    "machines": lambda: integration("machines", "event", paths=MACHINES),
    "fault": lambda: integration("fault", "event", [f"--ignore={path}" for path in MACHINES], FAULTS),
    "event": lambda: integration("event", "event"),
    "contract": lambda: with_packages("contract"),
    "browser": browser,
    "worker": lambda: integration("worker", "worker", ("-m", "not once and not any_mpm")),
    "prefork": lambda: integration("prefork", "prefork", ("-m", "not once and not any_mpm")),
    "deb": deb,
    "sanitized": sanitized,
    "alerts": alerts,
    "fault-worker": lambda: integration("fault-worker", "worker", ("-m", "mpm"), FAULTS),
    "fault-prefork": lambda: integration("fault-prefork", "prefork", ("-m", "mpm"), FAULTS),
}

# What `make check` adds.
FURTHER = {
    "fuzzing": fuzzing,
    "sanitized-worker": lambda: sanitized("sanitized-worker", "worker", "not slow and not once and not any_mpm"),
    "sanitized-prefork": lambda: sanitized("sanitized-prefork", "prefork", "not slow and not once and not any_mpm"),
    "tsan": tsan,
    "valgrind": valgrind,
    "coverage": coverage,
}


def one_part(name):
    began = time.monotonic()
    try:
        passed, failed, text, *rest = {**PARTS, **FURTHER}[name]()
    except subprocess.TimeoutExpired as late:
        passed, failed, text, *rest = 0, 1, f"{late.stdout or ''}\ntook longer than {late.timeout:.0f} s"
    skipped = sum(rest)
    line = f"{name:<10} {summary(passed, failed, skipped)} in {time.monotonic() - began:.0f} s"
    return passed, failed, skipped, line, text


def once_more(name):
    """Time limits are missed where a processor is taken away; so what failed beside other parts is tried once by
    itself, and named. Returns how many passed now."""
    status, passed, failed, errors, text = LATE[name]()
    if status != 0:
        print(text)
    print(f"-- {name}: OF THOSE THAT FAILED, {passed} PASSED AT A SECOND TRY WITH NOTHING ELSE RUNNING, "
          f"{failed + errors} FAILED AGAIN", flush=True)
    return passed


def summary(passed, failed, skipped):
    return f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else "")


def main():
    names = sys.argv[1:] or list(PARTS)
    unknown = [name for name in names if name not in PARTS and name not in FURTHER]
    if unknown:
        sys.exit(f"there is no part {', '.join(unknown)}; parts are {', '.join([*PARTS, *FURTHER])}")
    passed = failed = skipped = 0
    with ThreadPoolExecutor(max_workers=3) as pool:
        for good, bad, left, line, text in pool.map(one_part, names):
            if bad or left:
                print(text)
            print(f"-- {line}", flush=True)
            passed += good
            failed += bad
            skipped += left
    for name in sorted(LATE):
        good = once_more(name)
        passed += good
        failed -= good
    print(summary(passed, failed, skipped))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
