"""The branding package with the plugin: what Infinity takes, what a proxy can host, and what `make plugin` refuses."""

import json
import re
import subprocess
import zipfile

import pytest
from plugin_host import ENDPOINT, ORIGIN, REPOSITORY, SCRIPT, make_package

ROOT = "webapp3/branding"
PLUGIN = f"{ROOT}/plugins/rc-chat"


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return zipfile.ZipFile(make_package(tmp_path_factory.mktemp("package"), RC=ORIGIN))


def read_json(package, path):
    return json.loads(package.read(path))


def config_of(folder, **variables):
    return read_json(zipfile.ZipFile(make_package(folder, **variables)), f"{PLUGIN}/config.json")


def test_layout(package):
    [script] = (name for name in package.namelist() if name.endswith(".js"))
    assert re.fullmatch(f"{PLUGIN}/assets/index-[0-9a-f]{{12}}\\.js", script)
    assert sorted(package.namelist()) == sorted([
        f"{ROOT}/manifest.json", f"{PLUGIN}/index.html", f"{PLUGIN}/config.json", f"{PLUGIN}/LICENSES.txt", script])
    assert package.testzip() is None
    assert package.read(script) == SCRIPT.read_bytes()


def test_the_page_has_one_script_of_its_own_and_nothing_else(package):
    page = package.read(f"{PLUGIN}/index.html").decode()
    [source] = re.findall(r'<script src="([^"]*)" defer></script>', page)
    assert f"{PLUGIN}/{source}" in package.namelist()
    assert page.count("<script") == 1 and "://" not in page and "style" not in page


def test_manifest(package):
    manifest = read_json(package, f"{ROOT}/manifest.json")
    assert manifest["version"] == 0
    assert set(manifest["meta"]) == {"name", "brandVersion", "baseColor"}
    assert manifest["applicationConfig"] == {"hiddenFunctionality": ["button-chat"]}
    assert (manifest["brandName"], manifest["images"], manifest["translations"], manifest["defaultUserConfig"]) == ("", {}, {}, {})
    assert len(manifest["colorPalette"]) == 11
    assert all(re.fullmatch("#[0-9A-F]{6}", colour) for colour in manifest["colorPalette"])
    [plugin] = manifest["plugins"]
    assert plugin == {"id": "rc-chat", "src": "./plugins/rc-chat/index.html", "sandboxValues": ["allow-same-origin"]}
    assert f"{ROOT}/{plugin['src'][2:]}" in package.namelist()


def test_licences_of_what_the_script_contains(package):
    text = package.read(f"{PLUGIN}/LICENSES.txt").decode()
    for words in ("@pexip/plugin-api", "@pexip/signal", "Apache License", "uuid", "MIT License"):
        assert words in text


def test_the_same_input_gives_the_same_bytes(package, tmp_path):
    assert make_package(tmp_path, RC=ORIGIN).read_bytes() == open(package.filename, "rb").read()
    assert {entry.date_time for entry in package.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in package.infolist()} == {0o100644}


def test_the_unpacked_package_is_the_same(package, tmp_path):
    (tmp_path / PLUGIN / "assets").mkdir(parents=True)
    (tmp_path / PLUGIN / "assets" / "index-old.js").write_text("")
    make_package(tmp_path, RC=ORIGIN)
    files = {str(path.relative_to(tmp_path)): path.read_bytes() for path in (tmp_path / "webapp3").rglob("*") if path.is_file()}
    assert files == {name: package.read(name) for name in package.namelist()}


@pytest.mark.parametrize("variables, config", [
    ({"RC": ORIGIN}, {"rcOrigin": ORIGIN, "endpoint": ENDPOINT}),
    ({"RC": f"{ORIGIN}/"}, {"rcOrigin": ORIGIN, "endpoint": ENDPOINT}),
    ({"RC": f"{ORIGIN}:8443", "ENDPOINT": "/pexip/chat"}, {"rcOrigin": f"{ORIGIN}:8443", "endpoint": "/pexip/chat"}),
    ({"RC": ORIGIN, "ENDPOINT": "https://meet.example.com/rc/chat"}, {"rcOrigin": ORIGIN, "endpoint": "https://meet.example.com/rc/chat"}),
    ({"RC": ORIGIN, "ENDPOINT": "none"}, {"rcOrigin": ORIGIN}),
    ({}, {"rcOrigin": "https://chat.invalid", "endpoint": "https://chat.invalid/pexip/chat"}),
], ids=str)
def test_configuration(tmp_path, variables, config):
    assert config_of(tmp_path, **variables) == config


def test_the_pexip_chat_can_be_kept(tmp_path):
    package = zipfile.ZipFile(make_package(tmp_path, RC=ORIGIN, PEXIP_CHAT="keep"))
    assert read_json(package, f"{ROOT}/manifest.json")["applicationConfig"] == {}


WRONG_ORIGINS = (
    "chat.example.com", "http://chat.example.com", "https://", "https:///x", "javascript:alert(1)", f"{ORIGIN}/path", f"{ORIGIN}/?x", f"{ORIGIN}/#x",
    "https://a@chat.example.com", "https://a:b@chat.example.com", f"{ORIGIN}:99999", f"{ORIGIN}:x", f"{ORIGIN}:0", f"{ORIGIN}\nx", "https://chat\\example.com",
    "https://möte.example.com", 'https://"chat.example.com', "https://*.example.com", "https://[::1", f"https://{'a' * 100_000}/x", " ")
WRONG_ENDPOINTS = (
    "pexip/chat", "//evil.example/chat", "/\\evil.example/chat", "http://chat.example.com/pexip/chat", f"{ENDPOINT}?alias=x", f"{ENDPOINT}#x", "/pexip/chat?x",
    "/pexip chat")


@pytest.mark.parametrize("variables", [
    *({"RC": value} for value in WRONG_ORIGINS), *({"RC": ORIGIN, "ENDPOINT": value} for value in WRONG_ENDPOINTS),
    {"ENDPOINT": ENDPOINT}, {"RC": ORIGIN, "PEXIP_CHAT": "maybe"}], ids=lambda variables: str(variables)[:60])
def test_what_is_wrong_is_refused_and_makes_no_package(tmp_path, variables):
    with pytest.raises(subprocess.CalledProcessError) as refusal:
        make_package(tmp_path, **variables)
    assert any(value.strip() in refusal.value.stderr for value in variables.values())
    assert "Traceback" not in refusal.value.stderr
    assert list(tmp_path.iterdir()) == []


def test_make_hands_the_variables_on_as_they_are():
    hostile = f"{ORIGIN}/`id`\";' # x"
    done = subprocess.run(["make", "--no-print-directory", "plugin", f"RC={hostile}"], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode != 0 and f"RC={hostile}:" in done.stderr
