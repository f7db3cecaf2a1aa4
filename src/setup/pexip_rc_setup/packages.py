"""What is uploaded: ZIP files and what is wrong with them, certificates, multipart bodies."""

import base64
import binascii
import hashlib
import io
import json
import re
import secrets
import zipfile
from pathlib import Path, PurePosixPath

from .report import SetupError, quoted, shown

PACKAGE_MAX = 100 << 20     # bytes
TEXT_MAX = 1 << 20          # bytes of a manifest or configuration inside
ROOT = "webapp3/branding"


def smallest_theme():
    """A theme that changes nothing; the same bytes each time."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as package:
        package.writestr(zipfile.ZipInfo("themeconfig.json"), json.dumps({"theme_version": 2}) + "\n")
    return out.getvalue()


def digest(content):
    return hashlib.sha256(content).hexdigest()[:12]


def read_package(path, option):
    """The bytes of a ZIP file and its names."""
    try:
        if Path(path).stat().st_size > PACKAGE_MAX:
            raise SetupError(f"{option} {shown(path)} is larger than {PACKAGE_MAX >> 20} MiB")
        content = Path(path).read_bytes()
        with zipfile.ZipFile(io.BytesIO(content)) as package:
            names = package.namelist()
    except (OSError, ValueError) as problem:
        raise SetupError(f"{option} {shown(path)} cannot be read: {shown(str(problem))}") from None
    except zipfile.BadZipFile:
        raise SetupError(f"{option} {shown(path)} is no ZIP file") from None
    if not names:
        raise SetupError(f"{option} {shown(path)} is empty")
    return content, names


def _read_json(package, name, what):
    try:
        info = package.getinfo(name)
        if info.file_size > TEXT_MAX:
            raise SetupError(f"{what} is too large")
        with package.open(info) as entry:
            value = json.loads(entry.read(TEXT_MAX + 1))
    except KeyError:
        raise SetupError(f"{what} is missing") from None
    except (ValueError, RecursionError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zipfile.zlib.error):
        raise SetupError(f"{what} is no JSON text") from None
    if not isinstance(value, dict):
        raise SetupError(f"{what} is no JSON object")
    return value


def check_theme(path, option):
    """The bytes, and a remark or None."""
    content, names = read_package(path, option)
    if "themeconfig.json" not in names:
        return content, f"{option} has no themeconfig.json: Infinity takes it for a theme of the old style"
    return content, None


def check_branding(path, option, origin):
    """The bytes, the manifest, and a remark or None. What Infinity would refuse, or take and never show, is refused here."""
    content, names = read_package(path, option)
    title = f"{option} {shown(path)}"
    for name in names:
        inside = name.startswith(f"{ROOT}/") and "\\" not in name and ".." not in PurePosixPath(name).parts
        if not inside and name != "webapp3/":
            raise SetupError(f"{title}: {quoted(name)} is not below {ROOT}/")
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        manifest = _read_json(package, f"{ROOT}/manifest.json", f"{title}: {ROOT}/manifest.json")
        plugins = manifest.get("plugins", [])
        if not isinstance(plugins, list) or not all(isinstance(each, dict) and isinstance(each.get("src"), str) for each in plugins):
            raise SetupError(f"{title}: plugins of the manifest is no list of plugins")
        for plugin in plugins:
            source = plugin["src"]
            if not re.match(r"https?:", source) and str(PurePosixPath(ROOT, source)) not in names:
                raise SetupError(f"{title}: the plugin's page {quoted(source)} is not in it")
        for name in names:
            if re.fullmatch(rf"{ROOT}/plugins/[^/]+/config\.json", name):
                made_for = _read_json(package, name, f"{title}: {name}").get("rcOrigin", origin)
                if made_for != origin:
                    raise SetupError(f"{title}: {shown(name)} is for {shown(made_for)}, not for {origin}; make plugin RC={origin}")
    return content, manifest, None if plugins else f"{option}: the manifest names no plugin"


def certificates(text):
    """The certificates of a PEM text: (their bytes, the text of each one)."""
    found = []
    for block in re.findall(r"-----BEGIN CERTIFICATE-----\s.*?-----END CERTIFICATE-----", text, re.S):
        try:
            der = base64.b64decode("".join(block.split("\n")[1:-1]), validate=False)
        except (binascii.Error, ValueError):
            continue
        found.append((der, block))
    return found


def fingerprint(pem):
    return "SHA-256 " + hashlib.sha256(certificates(pem)[0][0]).hexdigest()


def _value(value):
    return str(value) if isinstance(value, bool) else "" if value is None else str(value)


def multipart(fields, files):
    """Type and body of a form with files; files: field -> (file name, bytes). File names are our own."""
    boundary = f"pexip-rc-{secrets.token_hex(16)}"
    parts = []
    for name, value in fields.items():
        parts.append(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{_value(value)}\r\n'.encode())
    for name, (file_name, content) in files.items():
        parts.append(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{file_name}"\r\n'
                     f"Content-Type: application/zip\r\n\r\n".encode() + content + b"\r\n")
    return f"multipart/form-data; boundary={boundary}", b"".join(parts) + f"--{boundary}--\r\n".encode()
