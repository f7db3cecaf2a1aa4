#!/usr/bin/python3
"""Fuzzes each target for some seconds: fuzz.py [--time SECONDS] [TARGET ...]

Begins with the inputs that are kept in test/fuzz/corpus and with what former runs have found. Everything is below
build/fuzz/<target>: `corpus`, `log`, and an input of each finding, which build/fuzzers/<target> plays again.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
KEPT = TOP / "test" / "fuzz" / "corpus"
FUZZERS = TOP / "build" / "fuzzers"
PLACE = TOP / "build" / "fuzz"

# Longer inputs say nothing new, and those of the store only take more time.
LONGEST = {"damage": 200, "merge": 1000, "orders": 200, "events": 8192}
SLOWEST = 30    # seconds for one input; with the sanitizers on a busy machine


def fuzz(target, seconds):
    """Returns exit status and a line about it."""
    place = PLACE / target
    corpus = place / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for path in (KEPT / target).iterdir():
        shutil.copyfile(path, corpus / path.name)
    command = [FUZZERS / target, f"-max_total_time={seconds}", f"-max_len={LONGEST.get(target, 4096)}",
               f"-timeout={SLOWEST}", f"-artifact_prefix={place}/", "-print_final_stats=1", corpus]
    with open(place / "log", "wb") as log:
        status = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, cwd=TOP,
                                env={**os.environ, "CMOCKA_TEST_ABORT": "1"}).returncode
    text = (place / "log").read_text(errors="replace")
    runs = re.findall(r"^stat::number_of_executed_units: +(\d+)$", text, re.M) or ["0"]
    edges = re.findall(r"\bcov: (\d+)", text) or ["0"]
    line = f"{target:<10} {int(runs[-1]):>9} inputs, {edges[-1]:>5} edges"
    if status != 0:
        finding = re.findall(r"^.*(?:broken: |ERROR: |runtime error: ).*$", text, re.M) or ["it ended early"]
        line += f": {finding[0]} (see {place.relative_to(TOP)}/)"
    return status, line


def main():
    targets = sorted(path.name for path in KEPT.iterdir())
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--time", type=int, default=60)
    parser.add_argument("targets", nargs="*", default=targets)
    options = parser.parse_args()
    failed = 0
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for status, line in pool.map(lambda target: fuzz(target, options.time), options.targets):
            print(f"{'ok  ' if status == 0 else 'FAIL'} {line}", flush=True)
            failed += status != 0
    print(f"fuzz: {len(options.targets) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
