"""A throw-away machine: this one's files below a layer of its own in memory, with its own processes, network and shared
memory. What happens in it happens nowhere else, and all of it is gone when it is closed.

    with Machine("/tmp/pxr-machine") as machine:
        machine.put("/etc/motd", "hello\n")
        machine.run("dpkg", "-i", "/root/some.deb")
        machine.request("GET", "/")     # of its own port 443
"""

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
from contextlib import contextmanager
from pathlib import Path

from httpd import request
from waiting import wait_until

# The first process does nothing but bury others; with it everything else ends.
BEGIN = """
mount -t tmpfs -o mode=755 tmpfs "$1"
mkdir "$1/changes" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/changes,workdir=$1/work" overlay "$1/root"
mount -t proc proc "$1/root/proc"
mount --rbind /dev "$1/root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$1/root/dev/shm"
mount -t tmpfs -o mode=755 tmpfs "$1/root/run"
mkdir -m 1777 "$1/root/run/lock"
exec chroot "$1/root" sh -c 'echo begun; sleep infinity & wait'
"""
ALONE = ("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child")
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C", "DEBIAN_FRONTEND": "noninteractive", "HOME": "/root"}

CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
LIBC = ctypes.CDLL(None, use_errno=True)


def why_not(directory):
    """What keeps this machine from making another one; None where nothing does."""
    if os.geteuid() != 0:
        return "only root can make a machine"
    try:
        with Machine(directory) as machine:
            machine.run("dpkg", "--version")
    except (OSError, AssertionError) as problem:
        return str(problem)
    return None


class Machine:
    def __init__(self, directory):
        """directory is made, and removed when it is closed."""
        self.directory = Path(directory)
        self.directory.mkdir()
        self._process = subprocess.Popen([*ALONE, "sh", "-euc", BEGIN, "sh", str(self.directory)], env=ENVIRONMENT,
                                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said = self._process.stdout.readline()
        if said != "begun\n":
            self.close()
            raise AssertionError(f"no machine can be made here: {said}{self._process.stdout.read()}")
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        self._first = int(children.split()[0])
        with self.network():
            switch_loopback_on()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._process.kill()
        self._process.wait(60)
        self.directory.rmdir()

    def _inside(self):
        return ["nsenter", "-t", str(self._first), "--mount", "--pid", "--net"]

    def run(self, *command, check=True, stdin=b""):
        """Runs a program in it as root; returns what it printed, or with check=False its exit status and that."""
        done = subprocess.run([*self._inside(), "chroot", str(self.directory / "root"), *command], env=ENVIRONMENT, input=stdin,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
        text = done.stdout.decode(errors="replace")
        if not check:
            return done.returncode, text
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(command)}: exit status {done.returncode}\n{text}")
        return text

    def put(self, path, content, mode=0o644):
        """Writes a new file in it, owned by root."""
        content = content.encode() if isinstance(content, str) else content
        self.run("sh", "-euc", 'mkdir -p "${1%/*}"; rm -f "$1"; cat >"$1"; chmod "$2" "$1"', "sh", path, f"{mode:o}", stdin=content)

    def has(self, path):
        return self.run("test", "-e", path, check=False)[0] == 0

    def changed_files(self):
        """All that differs from the machine below: path, and kind, mode, owner and content in one text."""
        changes = str(self.directory / "changes")
        found = subprocess.run(
            [*self._inside(), "sh", "-euc", r"""cd "$1"
            find . -mindepth 1 -type d -printf '%p\t%y %m %u:%g\n' -o -printf '%p\t%y %m %u:%g %l\n'
            echo
            find . -type f -exec sha256sum {} +""", "sh", changes], capture_output=True, text=True, check=True, timeout=300)
        kinds, _, sums = found.stdout.partition("\n\n")
        files = {path: kind for path, kind in (line.split("\t") for line in kinds.splitlines())}
        for line in sums.splitlines():
            digest, _, path = line.partition("  ")
            files[path] += digest
        return {path.removeprefix("."): kind for path, kind in files.items()}

    @contextmanager
    def network(self):
        """Sockets that the calling thread makes inside are the machine's."""
        with open("/proc/thread-self/ns/net", "rb") as own, open(f"/proc/{self._first}/ns/net", "rb") as other:
            enter_network(other)
            try:
                yield
            finally:
                enter_network(own)

    def request(self, method, path, port=443, **options):
        with self.network():
            return request(port, method, path, tls=port == 443, **options)

    def wait_for_port(self, port, timeout=60):
        def answers():
            try:
                with self.network():
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return True
            except OSError:
                return False
        wait_until(answers, timeout, f"port {port} of the machine")


def enter_network(file):
    if LIBC.setns(file.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def switch_loopback_on():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        wanted = struct.pack("16sh14x", b"lo", 0)
        name, flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, wanted))
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", name, flags | IFF_UP))
