#!/usr/bin/python3
"""How much of src/core and src/store the unit tests run through, by gcov. Fails below the floor.

    coverage.py [FILE]      with the name of a source file it also shows the lines that no test reaches
"""

import json
import os
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = TOP / "build" / "coverage"

# Per cent of lines and branches, a little below what they are. Of what is missing in the store most needs a lock that
# cannot be had, or happens in processes that are killed before they have written down what they went through.
FLOOR = {"src/core": (99, 95), "src/store": (93, 80)}


def run_units():
    """What former runs have counted would be added. Returns the programs that failed."""
    for path in BUILD.rglob("*.gcda"):
        path.unlink()
    programs = sorted(path for path in (BUILD / "unit").glob("test_*") if path.suffix == "")
    return [program.name for program in programs
            if subprocess.run([program], cwd=TOP, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode != 0] or ([] if programs else ["none is built"])


def count(folder):
    """Lines and branches of each file of a folder: {file: (hits of each line, hits of each branch)}"""
    counted = {}
    for data in sorted((BUILD / folder).glob("*.gcda")):
        out = subprocess.run(["gcov", "--json-format", "--branch-probabilities", "--stdout", data],
                             cwd=TOP, capture_output=True, text=True, check=True).stdout
        for line in filter(None, out.splitlines()):
            for file in json.loads(line)["files"]:
                name = os.path.relpath(TOP / file["file"], TOP)
                if name.startswith(folder):
                    lines, branches = counted.setdefault(name, ({}, {}))
                    for at in file["lines"]:
                        number = at["line_number"]
                        lines[number] = lines.get(number, 0) + at["count"]
                        for i, branch in enumerate(at["branches"]):
                            branches[number, i] = branches.get((number, i), 0) + branch["count"]
    return counted


def rate(hits):
    return 100 * sum(hit > 0 for hit in hits) / max(1, len(hits))


def main():
    failed = run_units()
    for name in failed:
        print(f"FAIL {name}")
    for folder, floor in FLOOR.items():
        counted = count(folder)
        lines = [hit for file in counted.values() for hit in file[0].values()]
        branches = [hit for file in counted.values() for hit in file[1].values()]
        rates = rate(lines), rate(branches)
        low = not lines or rates[0] < floor[0] or rates[1] < floor[1]
        print(f"{'FAIL' if low else 'ok  '} {folder:<10} {rates[0]:.1f} % of {len(lines)} lines (floor {floor[0]}), "
              f"{rates[1]:.1f} % of {len(branches)} branches (floor {floor[1]})")
        failed += [folder] if low else []
        for name in sys.argv[1:]:
            if name in counted:
                print(f"{name}: {', '.join(str(n) for n, hit in sorted(counted[name][0].items()) if hit == 0)}")
    print(f"coverage: {len(FLOOR) if not failed else 0} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
