#!/usr/bin/python3
"""Rules about the source that no compiler checks. Prints one line for each broken one."""

import re
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]

# A file includes only from its own folder and from folders to the left; headers in include/ belong
# to the folder whose functions they declare.
ROOMS = {
    "src/core": [],
    "src/json": ["src/core"],
    "src/store": ["src/core"],
    "src/db": ["src/core"],
    "src/rocketchat": ["src/core", "src/json"],
    "src/httpd": ["src/core", "src/json", "src/store", "src/db", "src/rocketchat"],
}
# json reads and writes the store's own types, which are plain data of its headers.
TYPES_OF_OTHERS = {("src/json", "pxr_store.h"), ("src/json", "pxr_outside.h")}

LIBRARIES = {
    # header pattern: the only places that may include it
    r"jansson\.h": ["src/json"],
    r"apr_dbd\.h": ["src/db"],
    r"curl/.*": ["src/rocketchat"],
    r"(httpd|http_\w+|ap_\w+|mod_\w+|unixd|util_\w+|scoreboard|mpm_common)\.h": ["src/httpd", "."],
    r"apr\w*\.h": ["src/httpd", "src/db"],
    r"pthread\.h": ["src/store", "src/db", "src/rocketchat", "src/httpd"],
}

MAX_LINES = 600
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)


def sources():
    for folder in ("include", *ROOMS):
        if (TOP / folder).is_dir():
            yield from sorted((TOP / folder).glob("*.[ch]"))
    yield TOP / "mod_pexip_rc.c"


def folder_of(path):
    return str(path.parent.relative_to(TOP))


def home_of_headers():
    """Which folder defines the functions that a header in include/ declares."""
    defined = {}
    for path in sources():
        if path.suffix == ".c":
            for name in re.findall(r"^[\w \*]+?\b(pxr_\w+)\(", path.read_text(), re.M):
                defined.setdefault(name, folder_of(path))
    homes = {}
    for header in sorted((TOP / "include").glob("*.h")):
        names = re.findall(r"\b(pxr_\w+)\(", header.read_text())
        homes[header.name] = {defined[name] for name in names if name in defined}
    return homes


def check_include_direction():
    homes = home_of_headers()
    for path in sources():
        folder = folder_of(path)
        for kind, name in INCLUDE.findall(path.read_text()):
            if kind != '"' or folder not in ROOMS:
                continue
            if (path.parent / name).exists():
                continue
            for home in homes.get(name, {"nowhere"} if not (TOP / "include" / name).exists() else set()):
                allowed = home == folder or home in ROOMS[folder] or (folder, name) in TYPES_OF_OTHERS
                if not allowed:
                    yield f"{path.relative_to(TOP)} includes {name} of {home}"


def check_only_places():
    for path in sources():
        folder = folder_of(path)
        for _, name in INCLUDE.findall(path.read_text()):
            for pattern, places in LIBRARIES.items():
                if re.fullmatch(pattern, name) and folder not in places:
                    yield f"{path.relative_to(TOP)} includes {name}, which only {', '.join(places)} may"


def check_one_exported_symbol():
    module = TOP / "build" / "mod_pexip_rc.so"
    out = subprocess.run(["nm", "-D", "--defined-only", str(module)], capture_output=True, text=True,
                         check=True).stdout
    names = [line.split()[-1] for line in out.splitlines()]
    if names != ["pexip_rc_module"]:
        yield f"the module exports {', '.join(names) or 'nothing'}"


def check_symbol_names():
    for path in sorted((TOP / "build" / "plain").rglob("*.o")):
        out = subprocess.run(["nm", "--defined-only", "--extern-only", str(path)],
                             capture_output=True, text=True, check=True).stdout
        for line in out.splitlines():
            name = line.split()[-1]
            if not name.startswith("pxr_") and name != "pexip_rc_module":
                yield f"{path.relative_to(TOP / 'build' / 'plain')} defines {name}"


def check_file_length():
    for path in sources():
        lines = path.read_text().count("\n")
        if lines > MAX_LINES:
            yield f"{path.relative_to(TOP)} has {lines} lines, more than {MAX_LINES}"


def check_log_formats():
    """httpd's formatter prints %zu and %p literally and then takes the wrong arguments."""
    for path in sources():
        for call in re.findall(r"ap_log_\w+\((?:[^;]|\n)*?\);", path.read_text()):
            if re.search(r"%(zu|zd|p[^ApITFtmM])", call):
                yield f"{path.relative_to(TOP)} logs with %zu or %p"


LOG_CALL = re.compile(r"""ap_log_\w*error\(\s*APLOG_MARK,\s*([^,]+),[^,]+,[^,]+,((?:\s*(?:"(?:[^"\\]|\\.)*"|[A-Z_0-9]+))+)""")
LEVELS = {"ERR": "error", "WARNING": "warning"}
QUIET = {"INFO", "DEBUG", *(f"TRACE{depth}" for depth in range(1, 9))}


def line_of(path, text, at):
    return f"{path.relative_to(TOP)}:{text.count(chr(10), 0, at) + 1}"


def logged():
    """Each call that logs: where it stands, its levels, and its text with directives by name and % for other macros."""
    words = dict(re.findall(r'#define (PXR_D_\w+) "(\w+)"', (TOP / "src/httpd/pxr_httpd.h").read_text()))
    for path in sources():
        text = path.read_text()
        calls = {call.start(): call for call in LOG_CALL.finditer(text)}
        for call in re.finditer(r"\bap_log_\w+\(", text):
            known = calls.get(call.start())
            levels = set(re.findall(r"APLOG_(\w+)", known[1])) - {"STARTUP"} if known else set()
            pieces = re.findall(r'"((?:[^"\\]|\\.)*)"|([A-Z_0-9]+)', known[2]) if known else []
            yield line_of(path, text, call.start()), levels, "".join(said or words.get(macro, "%") for said, macro in pieces)


def table_of_messages():
    """By number: the levels, and what stands between that which differs."""
    rows = re.findall(r"^\| PXR(\d+) \| ([a-z ]+) \| (.+?) \| .+ \| .+ \|$", (TOP / "conf/messages.md").read_text(), re.M)
    return [(int(number), set(levels.split(" or ")), [part.strip() for part in text.split("...") if part.strip()])
            for number, levels, text in rows]


def is_said(parts, text):
    at = 0
    for part in parts:
        if (found := text.find(part, at)) < 0:
            return False
        at = found + len(part)
    return True


def check_messages_have_numbers():
    """Each line at notice or above has a number of its own, and the table tells its level and its text."""
    rows = table_of_messages()
    table = {number: (levels, parts) for number, levels, parts in rows}
    places = {}
    if [number for number, _, _ in rows] != sorted(table):
        yield "conf/messages.md is not in the order of its numbers, or has one twice"
    for place, levels, text in logged():
        if levels and levels <= QUIET:
            continue
        number = re.match(r"PXR(\d{4}): ", text)
        number = int(number[1]) if number else None
        if number is None or number in places:
            yield f"{place} logs without a number of its own; the next one is PXR{max(table) + 1}"
            continue
        places[number] = place
        said, parts = table.get(number, (set(), []))
        if levels and said != {LEVELS.get(level, level.lower()) for level in levels} or not is_said(parts, text):
            yield f"conf/messages.md does not tell level and text of PXR{number} as {place} does"
    for number in table.keys() - places.keys():
        if table[number][0] != {"gone"}:
            yield f"conf/messages.md has PXR{number}, which nothing logs: its level is 'gone' then"


def check_formatting():
    """Only where the formatter is installed, in the version that the style file is written for."""
    version = subprocess.run(["sh", "-c", "clang-format --version"], capture_output=True, text=True)
    if " 14." not in version.stdout:
        return
    tests = [path for folder in ("unit", "fuzz") for path in sorted((TOP / "test" / folder).glob("*.[ch]"))]
    for path in [*sources(), *tests]:
        done = subprocess.run(["clang-format", "--dry-run", "-Werror", str(path)], capture_output=True)
        if done.returncode != 0:
            yield f"{path.relative_to(TOP)} differs from what make format writes"


def directives():
    text = (TOP / "src/httpd/pxr_httpd.h").read_text()
    return sorted(set(re.findall(r'#define PXR_D_\w+ "(\w+)"', text)))


def check_directives_are_documented():
    conf = (TOP / "conf/pexip_rc.conf").read_text()
    readme = (TOP / "README.md").read_text()
    for name in directives():
        if not re.search(rf"^\s*#?\s*{name}\b", conf, re.M):
            yield f"conf/pexip_rc.conf does not show {name}"
        if name not in readme:
            yield f"README.md does not name {name}"
    for name in set(re.findall(r"\bPexipRC\w+", conf + readme)) - set(directives()):
        yield f"{name} is documented but does not exist"


def check_tests_have_their_reason():
    readme = (TOP / "test/README.md").read_text()
    for folder in sorted(p.name for p in (TOP / "test").iterdir() if p.is_dir()):
        if folder != "__pycache__" and f"`{folder}/`" not in readme:
            yield f"test/README.md does not say why there is {folder}/"


CHECKS = [value for name, value in sorted(globals().items()) if name.startswith("check_")]


def main():
    failed = 0
    for check in CHECKS:
        problems = sorted(set(check()))
        failed += bool(problems)
        print(f"{'FAIL' if problems else 'ok  '} {check.__name__[6:].replace('_', ' ')}")
        for problem in problems:
            print(f"     {problem}")
    print(f"lint: {len(CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
