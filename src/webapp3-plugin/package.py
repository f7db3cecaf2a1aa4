#!/usr/bin/python3
"""Makes the branding package from the bundled script: package.py SCRIPT PACKAGES FOLDER ZIP

PACKAGES is the folder of the npm packages that the script contains; FOLDER gets the unpacked package. The variables
RC, ENDPOINT and PEXIP_CHAT of the environment say what it is for, see README.md. The same input gives the same bytes.
"""

import hashlib
import json
import os
import re
import shutil
import sys
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
ROOT = "webapp3/branding"
PLUGIN = f"{ROOT}/plugins/rc-chat"
# Parts of the script; the library's own types are left out by the compiler.
LICENSED = ("@pexip/plugin-api", "@pexip/signal", "uuid")
# Nothing of the kind exists: whoever forgets to edit them is told so by the plugin.
PLACEHOLDERS = {"rcOrigin": "https://chat.invalid", "endpoint": "https://chat.invalid/pexip/chat"}
NO_ENDPOINT = "none"
EXAMPLE = "https://chat.example.com"
ADDRESS = re.compile(r"https://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(?P<port>:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?")
# On the host of the web app; a second slash would make it another host.
PATH = re.compile(r"/([A-Za-z0-9._~-][A-Za-z0-9._~/-]*)?")
# The first moment that a ZIP can express.
TIME = (1980, 1, 1, 0, 0, 0)
FILE_MODE = 0o100644


def check_address(name, text):
    """Only what every browser and server reads in the same way."""
    found = ADDRESS.fullmatch(text)
    if not found or not 0 < int((found["port"] or ":443")[1:]) <= 65535:
        sys.exit(f"{name}={text}: it must be like {EXAMPLE}, in ASCII, without user, query and fragment")


def configuration(environment):
    origin, endpoint = environment.get("RC", ""), environment.get("ENDPOINT", "")
    if not origin:
        if endpoint:
            sys.exit(f"ENDPOINT={endpoint} is of no use without RC, the address of Rocket.Chat")
        return PLACEHOLDERS
    check_address("RC", origin)
    if urlsplit(origin).path not in ("", "/"):
        sys.exit(f"RC={origin}: it must be the address of Rocket.Chat without a path")
    origin = origin.rstrip("/")
    if endpoint == NO_ENDPOINT:
        return {"rcOrigin": origin}
    endpoint = endpoint or f"{origin}/pexip/chat"
    if not PATH.fullmatch(endpoint):
        check_address("ENDPOINT", endpoint)
    return {"rcOrigin": origin, "endpoint": endpoint}


def manifest(environment):
    members = json.loads((HERE / "manifest.json").read_text())
    wanted = environment.get("PEXIP_CHAT") or "hide"
    if wanted not in ("hide", "keep"):
        sys.exit(f"PEXIP_CHAT={wanted}: it must be hide or keep")
    if wanted == "keep":
        members["applicationConfig"] = {}
    return members


def licences(packages):
    for name in LICENSED:
        [path] = (packages / name).glob("LICENSE*")
        yield f"{name}\n\n{path.read_text()}"


def files(script, packages, environment):
    """What is in the package: path and content."""
    def as_json(value):
        return json.dumps(value, indent=4) + "\n"

    # Named by its content, so that browsers may keep it for ever.
    name = f"assets/index-{hashlib.sha256(script).hexdigest()[:12]}.js"
    page = (HERE / "index.html").read_text().replace("assets/index.js", name)
    return {
        f"{ROOT}/manifest.json": as_json(manifest(environment)),
        f"{PLUGIN}/index.html": page,
        f"{PLUGIN}/config.json": as_json(configuration(environment)),
        f"{PLUGIN}/{name}": script.decode(),
        f"{PLUGIN}/LICENSES.txt": "\n".join(licences(packages)),
    }


def unpack(contents, folder):
    shutil.rmtree(folder / "webapp3", ignore_errors=True)
    for path, text in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def pack(contents, target):
    part = target.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in sorted(contents.items()):
            entry = zipfile.ZipInfo(path, TIME)
            entry.external_attr = FILE_MODE << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, text)
    part.replace(target)


def main(script, packages, folder, target):
    contents = files(Path(script).read_bytes(), Path(packages), os.environ)
    unpack(contents, Path(folder))
    pack(contents, Path(target))
    print(target)
    if not os.environ.get("RC"):
        print("RC is not set: edit plugins/rc-chat/config.json before use, see src/webapp3-plugin/README.md",
              file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
