"""The package's life on a machine of its own: installed, used, upgraded under a meeting, removed, purged. In this order."""

import re
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from conftest import EXAMPLE, TOP, modules_of_the_readme
from examples import EXAMPLES
from meetings import Api
from pexip import Node, two_legs
from waiting import wait_until
from workspace import ADMIN, NODES, secret_lines

NAME = "libapache2-mod-pexip-rc"
STATE = "/var/lib/pexip-rc"
MODULE = "usr/lib/apache2/modules/mod_pexip_rc.so"
# What packages and services change besides what they install, and where a2dismod keeps its notes.
ACCOUNTS = re.compile(r"/((var/(log|cache|lib/(dpkg|systemd|apache2/site)|tmp)|root|tmp)(/|$)"
                      r"|var/lib/apache2/module/disabled_by_\w+$)")
# What the administrator, and that are these tests, has written.
OWN = {"/etc/apache2/envvars", "/etc/apache2/sites-available/chat.conf", "/etc/apache2/pexip-rc.secret"}


def here():
    """What a package that went astray would change on this machine itself."""
    places = [Path("/etc/apache2"), Path("/usr/lib/apache2"), Path("/usr/lib/pexip-rc"), Path("/var/lib/pexip-rc")]
    return {path: path.lstat().st_mtime_ns for place in places if place.exists() for path in [place, *place.rglob("*")]}


HERE = here()


class Memo:
    """What one step leaves to the next."""


@pytest.fixture(scope="module")
def memo(machine):
    memo = Memo()
    memo.before = remains(machine)
    return memo


@pytest.fixture(scope="module")
def package():
    found = list((TOP / "build" / "deb").glob(f"{NAME}_*.deb"))
    assert len(found) == 1
    return found[0]


@pytest.fixture(scope="module")
def newer(package, tmp_path_factory):
    """The next revision, whose module calls itself by another name as well: only so it shows which one answers."""
    tree = tmp_path_factory.mktemp("newer") / "tree"
    subprocess.run(["dpkg-deb", "-R", package, tree], check=True)
    control = tree / "DEBIAN" / "control"
    upstream = re.search(r"^Version: (.+)-1$", control.read_text(), re.M)[1]
    control.write_text(control.read_text().replace(f"Version: {upstream}-1\n", f"Version: {upstream}-2\n"))
    module = (tree / MODULE).read_bytes()
    assert upstream.encode() in module
    (tree / MODULE).write_bytes(module.replace(upstream.encode(), upstream[:-1].encode() + b"n"))
    target = tree.parent / f"{NAME}_newer.deb"
    subprocess.run(["dpkg-deb", "-b", "-Znone", "--root-owner-group", tree, target], check=True, capture_output=True)
    return target


def remains(machine):
    """All that is on the machine besides Debian's own accounts and the administrator's files."""
    files = {path: kind for path, kind in machine.changed_files().items() if not ACCOUNTS.match(path) and path not in OWN}
    return files | dict.fromkeys(memory(machine), "shared memory")


def memory(machine):
    return machine.run("find", "/dev/shm", "-name", "pexip-rc*").split()


def install(machine, package):
    machine.put(f"/root/{package.name}", package.read_bytes())
    return machine.run("dpkg", "-i", f"/root/{package.name}")


def enable(machine):
    machine.run("a2enmod", "pexip_rc")
    machine.run("a2ensite", "chat")
    machine.run("apache2ctl", "configtest")
    machine.run("service", "apache2", "restart")
    machine.wait_for_port(443)


def parent(machine):
    return machine.run("cat", "/run/apache2/apache2.pid").strip()


def status(machine):
    answer = machine.request("GET", "/pexip/status?json", auth=ADMIN)
    assert answer.status == 200, answer.text
    return answer.json()


def policy(memo):
    answer = memo.node.policy(memo.meeting["id"])
    assert answer.status == 200
    return answer.body


def is_live(machine, memo):
    now = Api(machine).read(memo.meeting["id"])
    return now["state"] == "live" and [person["name"] for person in now["participants"]] == ["Anna"]


def test_installing_enables_nothing(machine, memo, package):
    before = parent(machine)
    install(machine, package)
    assert machine.run("a2query", "-m", "pexip_rc", check=False)[0] != 0
    assert not machine.has("/etc/apache2/mods-enabled/pexip_rc.load")
    assert parent(machine) == before and not memory(machine)


def test_the_state_directory_belongs_to_httpd_alone(machine):
    assert machine.run("stat", "-c", "%U:%G %a", STATE).strip() == "www-data:www-data 700"


def test_enabled_without_a_virtual_host_it_answers_nothing(machine):
    machine.run("a2enmod", "pexip_rc")
    machine.run("apache2ctl", "configtest")
    machine.run("service", "apache2", "restart")
    machine.wait_for_port(80)
    assert machine.request("GET", "/pexip/status", port=80).status == 404
    assert not memory(machine)
    assert not machine.run("ls", "-A", STATE)


def test_the_readme_enables_what_the_example_needs(machine):
    enabled = machine.run("sh", "-c", "ls /etc/apache2/mods-enabled/*.load")
    assert all(f"/{name}.load" in enabled for name in modules_of_the_readme())


def test_set_up_by_the_example_it_serves_a_meeting(machine, memo):
    enable(machine)
    memo.meeting = Api(machine).create()
    memo.node = Node("10.10.1.11", machine)
    memo.node.started()
    memo.node.conference_started(memo.meeting["id"])
    two_legs(memo.node, memo.meeting["id"], "Anna")
    assert is_live(machine, memo)
    memo.answer = policy(memo)
    assert len(memory(machine)) == 1
    assert machine.run("stat", "-c", "%U %a", STATE).strip() == "www-data 700"


def test_the_set_up_program_and_its_manual_page_are_there(machine):
    assert "--node" in machine.run("pexip-rc-setup", "--help")
    assert "pexip-rc-setup" in machine.run("zcat", "/usr/share/man/man8/pexip-rc-setup.8.gz")


CREDENTIALS = (EXAMPLES / "systemd-credentials.conf").read_text()
LOADED = re.findall(r"^#?LoadCredential=(\S+):(/etc/credstore/\S+)$", CREDENTIALS, re.M)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd here")
def test_systemd_understands_the_example_of_credentials(machine):
    everything = re.sub(r"^#(LoadCredential)", r"\1", CREDENTIALS, flags=re.M)
    machine.put("/etc/systemd/system/apache2.service.d/pexip-rc.conf", everything)
    assert "pexip-rc.conf" not in machine.run("systemd-analyze", "verify", "apache2.service")
    machine.run("rm", "-r", "/etc/systemd/system/apache2.service.d")


def test_secrets_may_be_credentials_of_systemd(machine, memo):
    """Nobody starts services here, so the files are put where systemd would; the rest is as the example says."""
    assert len(LOADED) == 3
    for name, _ in LOADED:
        lines = "0123456789abcdef0123456789abcdef\n" if name.endswith(".webhook") else secret_lines(*NODES)
        machine.put(f"/run/credentials/apache2.service/{name}", lines, 0o400)
    line = re.search(r"^#   (export CREDENTIALS_DIRECTORY=.+)$", CREDENTIALS, re.M)[1]
    machine.run("sh", "-euc", 'mv /etc/apache2/pexip-rc.secret /root/; echo "$1" >>/etc/apache2/envvars', "sh", line)
    site = EXAMPLE.read_text()
    for directive, path in re.findall(r"^#   (PexipRC\w+) (\S+)$", CREDENTIALS, re.M):
        site = re.sub(rf"^    #?{directive} .+$", f"    {directive} {path}", site, flags=re.M)
    assert site.count("${CREDENTIALS_DIRECTORY}/") == 3
    machine.put("/etc/apache2/sites-available/chat.conf", site)
    machine.run("apache2ctl", "configtest")
    machine.run("service", "apache2", "restart")
    machine.wait_for_port(443)
    assert policy(memo) == memo.answer


class Asking(threading.Thread):
    """Asks for the meeting's policy without a pause until it is told to stop."""

    def __init__(self, memo):
        super().__init__(daemon=True)
        self.memo = memo
        self.answers, self.enough = [], threading.Event()

    def run(self):
        while not self.enough.is_set():
            try:
                self.answers.append(policy(self.memo))
            except (OSError, AssertionError) as problem:
                self.answers.append(repr(problem))


def test_an_upgrade_keeps_running_meetings(machine, memo, newer):
    before, old = parent(machine), status(machine)["version"]
    asking = Asking(memo)
    asking.start()
    install(machine, newer)
    wait_until(lambda: status(machine)["version"] != old, 60, "the new module")
    asking.enough.set()
    asking.join()
    assert set(asking.answers) == {memo.answer}
    assert parent(machine) == before, "the upgrade has restarted httpd instead of reloading it"
    assert is_live(machine, memo)


def test_events_go_on_after_the_upgrade(machine, memo):
    boris = two_legs(memo.node, memo.meeting["id"], "Boris")
    assert Api(machine).read(memo.meeting["id"])["participant_count"] == 2
    boris.leave()
    assert is_live(machine, memo)


def test_a_restart_keeps_running_meetings(machine, memo):
    machine.run("service", "apache2", "restart")
    machine.wait_for_port(443)
    assert policy(memo) == memo.answer and is_live(machine, memo)


def test_an_upgrade_with_a_broken_configuration_leaves_httpd_as_it_is(machine, memo, package):
    site = "/etc/apache2/sites-enabled/broken.conf"
    machine.put(site, "ThereIsNoSuchDirective\n")
    said = machine.run("dpkg", "-i", "--force-downgrade", f"/root/{package.name}")
    assert "broken" in said and policy(memo) == memo.answer
    machine.run("rm", site)


def test_removing_keeps_the_state(machine, memo):
    machine.run("a2dissite", "chat")
    machine.run("dpkg", "-r", NAME)
    machine.wait_for_port(80)
    assert not machine.has("/etc/apache2/mods-enabled/pexip_rc.load")
    assert not machine.has("/" + MODULE)
    machine.run("apache2ctl", "configtest")
    assert machine.has(f"{STATE}/pexip-rc.sqlite3") and len(memory(machine)) == 1


def test_installed_again_it_goes_on_with_its_meetings(machine, memo, newer):
    install(machine, newer)
    enable(machine)
    assert policy(memo) == memo.answer and is_live(machine, memo)


def test_a_purge_takes_nothing_from_a_running_httpd(machine, memo):
    said = machine.run("dpkg", "--purge", NAME)     # the site still has our directives, so httpd goes on
    assert "still runs with mod_pexip_rc" in said and memory(machine)[0] in said
    assert policy(memo) == memo.answer and is_live(machine, memo)
    assert machine.has(f"{STATE}/pexip-rc.sqlite3")


def test_a_purge_leaves_nothing_behind(machine, memo, package):
    machine.run("a2dissite", "chat")
    machine.run("service", "apache2", "restart")
    machine.wait_for_port(80)
    install(machine, package)
    machine.run("dpkg", "--purge", NAME)
    after = remains(machine)
    assert {path: (kind, memo.before.get(path)) for path, kind in after.items() if memo.before.get(path) != kind} == {}
    assert memo.before.keys() <= after.keys()
    assert machine.has("/etc/apache2/sites-available/chat.conf")


def test_this_machine_is_as_it_was():
    assert here() == HERE
