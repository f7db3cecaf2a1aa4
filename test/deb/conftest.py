"""The machine that the package is installed on; ../support/machine.py."""

import re
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from httpd import make_certificate  # noqa: E402
from rootfs import Machine, why_not  # noqa: E402
from workspace import ADMIN, NODES, password_line, secret_lines  # noqa: E402

TOP = Path(__file__).resolve().parents[2]
EXAMPLE = TOP / "conf" / "examples" / "rocketchat.conf"
README = (TOP / "README.md").read_text()

# Debian starts and restarts services by the run level, which a machine has from its start.
RUNLEVEL = "#!/bin/sh\necho N 3\n"


@pytest.fixture(scope="module")
def machine():
    """With httpd, running, and everything that the README's set-up makes but the module itself."""
    with tempfile.TemporaryDirectory(prefix="pxr-", dir="/tmp") as directory:
        reason = why_not(f"{directory}/probe")
        if reason:
            pytest.skip(reason)
        with Machine(f"{directory}/machine") as machine:
            prepare(machine, Path(directory))
            yield machine


def prepare(machine, directory):
    # What this machine has of httpd's configuration is not for the other one.
    machine.run("sh", "-euc", "dpkg --purge --force-depends apache2; rm -rf /etc/apache2 /usr/sbin/policy-rc.d")
    machine.put("/sbin/runlevel", RUNLEVEL, 0o755)
    for package in sorted((TOP / "build" / "deb-test").glob("*.deb")):
        machine.put(f"/root/httpd/{package.name}", package.read_bytes())
    machine.run("sh", "-euc", "dpkg -i --force-confmiss /root/httpd/*.deb")
    certificate, key = make_certificate(directory, ["chat.example.com"])
    machine.put("/etc/ssl/certs/chat.example.com.pem", certificate.read_bytes())
    machine.put("/etc/ssl/private/chat.example.com.key", key.read_bytes(), 0o600)
    machine.put("/etc/apache2/pexip-rc.secret", secret_lines(*NODES), 0o600)
    machine.put("/etc/apache2/pexip-rc.passwords", password_line(*ADMIN), 0o644)
    machine.put("/etc/apache2/sites-available/chat.conf", EXAMPLE.read_text())
    machine.run("a2enmod", *[name for name in modules_of_the_readme() if name != "pexip_rc"])
    machine.run("service", "apache2", "restart")
    machine.wait_for_port(80)


def modules_of_the_readme():
    return re.search(r"`a2enmod (pexip_rc [\w ]+)`", README)[1].split()
