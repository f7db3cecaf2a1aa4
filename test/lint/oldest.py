#!/usr/bin/python3
"""Writes a header by which this httpd looks like the oldest one that src/httpd/pxr_httpd.h takes: what httpd's
own list of changes says came later is poison to the compiler. OLDEST may be defined as something else."""

import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]


def promised():
    text = (TOP / "src/httpd/pxr_httpd.h").read_text()
    return map(int, re.search(r"AP_MODULE_MAGIC_AT_LEAST\((\d+), (\d+)\)", text).groups())


def included(folder):
    """The headers of httpd that are used somewhere: they must be read before anything is poison."""
    sources = [*(TOP / "src/httpd").glob("*.[ch]"), TOP / "mod_pexip_rc.c"]
    names = {name for path in sources for name in re.findall(r"#include <([^>]+)>", path.read_text())}
    return sorted(name for name in names if (folder / name).exists())


def added_since(folder, major, minor):
    """Names of functions and macros; where the list has a star, what the headers have for it."""
    changes = re.split(r"^ \* (\d{8})\.(\d+) .*?\)", (folder / "ap_mmn.h").read_text(), flags=re.M)
    headers = "\n".join(path.read_text(errors="replace") for path in folder.glob("*.h") if path.name != "ap_mmn.h")
    known = set(re.findall(r"\b(?:ap|AP)_\w+", headers))
    for i in range(1, len(changes), 3):
        if (int(changes[i]), int(changes[i + 1])) > (major, minor):
            for name in re.findall(r"\b(?:ap|AP)_[\w*]+(?![\w*]|\.h)", changes[i + 2].partition("*/")[0]):
                pattern = name.replace("*", r"\w+")
                yield from (one for one in known if re.fullmatch(pattern, one))


def main():
    folder = Path(sys.argv[1])
    major, minor = promised()
    later = sorted(set(added_since(folder, major, minor)))
    if not later:
        sys.exit(f"{folder}/ap_mmn.h names nothing that came after {major}.{minor}")
    for name in included(folder):
        print(f"#include <{name}>")
    print(f"#ifndef OLDEST\n#define OLDEST {minor}\n#endif")
    print("#undef MODULE_MAGIC_NUMBER_MINOR\n#define MODULE_MAGIC_NUMBER_MINOR OLDEST")
    print(f"#pragma GCC poison {' '.join(later)}")


if __name__ == "__main__":
    main()
