#!/usr/bin/python3
"""A private real httpd: own directory, own ports on the loopback address, own error log that is audited.

    server = Httpd("/tmp/pxr-1", mpm="worker")
    server.configure(workspace())
    server.start()
    server.request("GET", "/pexip/status?json", auth=ADMIN).json()
    server.close()

Run by root the children become www-data; run_as="nobody" runs all of it, parent included, as that ordinary user.
"""

import base64
import http.client
import json
import os
import pwd
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from waiting import wait_until
from workspace import ADMIN, NODES, PASSWORD_FILE, SECRET_FILE, password_line, secret_lines

APACHE = "/usr/sbin/apache2"
MODULES = Path("/usr/lib/apache2/modules")
REPOSITORY = Path(__file__).resolve().parents[2]
MODULE = Path(os.environ.get("PXR_MODULE") or REPOSITORY / "build" / "mod_pexip_rc.so")

LOADED = ("authn_core", "authz_core", "authz_host", "authz_user", "authn_file", "auth_basic",
          "headers", "rewrite", "proxy", "proxy_http")
LOADED_FOR_TLS = ("socache_shmcb", "ssl")

# Small, but always several processes. The limits leave room for the old generations of graceful restarts, and
# spare settings keep idle children from being culled, so that a test sees the processes it has counted.
MPMS = {
    "event": "StartServers 2\nServerLimit 12\nThreadsPerChild 16\nMaxRequestWorkers 64\n"
             "MinSpareThreads 16\nMaxSpareThreads 64",
    "worker": "StartServers 2\nServerLimit 12\nThreadsPerChild 16\nMaxRequestWorkers 64\n"
              "MinSpareThreads 16\nMaxSpareThreads 64",
    "prefork": "StartServers 4\nServerLimit 64\nMaxRequestWorkers 48\nMinSpareServers 4\nMaxSpareServers 48",
}

# Everything slower under a sanitizer is slower by this factor at most.
PATIENCE = 20 if os.environ.get("PXR_WRAPPER") else 5 if os.environ.get("PXR_PRELOAD") else 1

# A program that runs httpd, such as valgrind with its options; children keep it in their command line.
WRAPPER = os.environ.get("PXR_WRAPPER", "").split()

LEVEL = re.compile(r"^\[[^\]]*\] \[[^\]:]*:(\w+)\]")
BAD_LEVELS = {"emerg", "alert", "crit", "error", "warn"}
# mod_ssl's complaint about the distribution's own packages: nothing a test could have caused.
HARMLESS = re.compile(r"AH01882: Init: this version of mod_ssl was compiled against")
BAD_WORDS = re.compile(r"exit signal|AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:")


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.body)


# Held until this process ends, each on another loopback address than the servers use.
_reservations = []


def free_ports(count):
    """Ports of 127.0.0.1 that belong to this process until it ends: while its server is stopped, nobody else is given
    its port. They are below those that the system gives to outgoing connections."""
    ports = []
    while len(ports) < count:
        port = random.randrange(12000, 32000)
        reservation = socket.socket()
        try:
            reservation.bind(("127.0.0.2", port))
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            reservation.close()
            continue
        _reservations.append(reservation)
        ports.append(port)
    return ports


def request(port, method, path, *, headers=None, body=None, auth=None, tls=False, timeout=10):
    """One request on a connection of its own. A dict or list as body is sent as JSON; redirects are not followed."""
    headers = dict(headers or {})
    if auth:
        headers["Authorization"] = "Basic " + base64.b64encode(":".join(auth).encode()).decode()
    if isinstance(body, (dict, list)):
        body = json.dumps(body).encode()
        headers.setdefault("Content-Type", "application/json")
    elif isinstance(body, str):
        body = body.encode()
    timeout *= PATIENCE
    if tls:
        # The certificate is one that we made ourselves a moment ago.
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=timeout,
                                                 context=ssl._create_unverified_context())
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def make_certificate(directory, names=("localhost",)):
    """A self-signed certificate of a server (no CA, else httpd warns). Returns the paths of certificate and key."""
    directory = Path(directory)
    certificate, key = directory / "tls.crt", directory / "tls.key"
    others = ",".join(f"DNS:{name}" for name in names) + ",IP:127.0.0.1"
    (directory / "openssl.cnf").write_text(
        f"[req]\ndistinguished_name=dn\nx509_extensions=ext\nprompt=no\n[dn]\nCN={names[0]}\n"
        f"[ext]\nsubjectAltName={others}\nbasicConstraints=critical,CA:FALSE\n")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "30", "-config", directory / "openssl.cnf", "-out", certificate, "-keyout", key],
                   check=True, capture_output=True)
    return certificate, key


def command(root, *arguments):
    return [APACHE, "-d", str(root), "-f", "conf/httpd.conf", *arguments]


def processes_of(root):
    """All processes of the server in that directory: they carry it in their command line, and no other does."""
    wanted = command(root, "-DFOREGROUND")
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                line = Path("/proc", entry, "cmdline").read_bytes()
            except OSError:
                continue
            if line.rstrip(b"\0").decode(errors="replace").split("\0")[-len(wanted):] == wanted:
                found.append(int(entry))
    return sorted(found)


def is_gone(pid):
    """A process that ends loses its command line first, and its sockets with its last thread."""
    try:
        state = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0]
        return state in "ZX" and len(os.listdir(f"/proc/{pid}/task")) <= 1
    except OSError:
        return True


class Httpd:
    start_seconds = 15

    def __init__(self, root_dir, mpm="event", module=MODULE, run_as=None, env=None, ports=1, tls=False, modules=()):
        """module=None runs httpd without it. ports: how many free ones, or a list of given ones.
        tls loads mod_ssl and makes request() speak TLS unless told otherwise."""
        self.root = Path(root_dir).resolve()
        self.mpm = mpm
        self.tls = tls
        self.module = None
        self.run_as = run_as
        self.env = dict(env or {})
        self.extra_modules = tuple(modules)
        self.ports = free_ports(ports) if isinstance(ports, int) else list(ports)
        self.port = self.ports[0]
        self.expected = []
        self.problems = []
        self._parent = None
        self._audited = 0
        self._segments = set()

        if run_as and os.geteuid() != 0:
            raise RuntimeError("run_as needs root")
        self._owner = pwd.getpwnam(run_as) if run_as else None
        self.root.mkdir(parents=True, exist_ok=True)
        self._own(self.root, 0o755)
        for name in ("conf", "logs", "run", "htdocs", "modules"):
            (self.root / name).mkdir(exist_ok=True)
            self._own(self.root / name, 0o755)
        if module is not None:
            # A copy: a rebuild while tests run must not reach into a running server, and the
            # ordinary user need not be able to read the source tree.
            self.module = self.root / "modules" / "mod_pexip_rc.so"
            self.replace_module(module)
        self.write(SECRET_FILE, secret_lines(*NODES), 0o600)
        self.write(PASSWORD_FILE, password_line(*ADMIN))
        self.configure("")

    # Files

    def _own(self, path, mode):
        path.chmod(mode)
        if self._owner:
            os.chown(path, self._owner.pw_uid, self._owner.pw_gid)

    def write(self, name, text, mode=0o644):
        """Writes a file below the root, readable by the server as far as mode says."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        self._own(path, mode)
        return path

    def replace_module(self, module):
        self.module.unlink(missing_ok=True)     # a new inode: the old one may be mapped by a running server
        shutil.copyfile(module, self.module)
        self._own(self.module, 0o644)

    def configure(self, body, server=""):
        """Writes conf/httpd.conf: the frame, then body. `server` stands before the body and outside what workspace()
        gives, for global directives such as PexipRCMaxMeetings."""
        user = "User www-data\nGroup www-data\n" if os.geteuid() == 0 and not self._owner else ""
        listen = "\n".join(f"Listen 127.0.0.1:{port}" for port in self.ports)
        wanted = ("mpm_" + self.mpm,) + LOADED + (LOADED_FOR_TLS if self.tls else ()) + self.extra_modules
        load = "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in wanted)
        level, settings = "", ""
        if self.module:
            load += f"\nLoadModule pexip_rc_module {self.module}"
            level, settings = " pexip_rc:debug", f"PexipRCStateDirectory {self.root}/state\n"
        if self.tls:
            level += " ssl:warn"
            settings += "SSLSessionCache shmcb:run/ssl_cache(512000)\n"
        self.write("conf/httpd.conf", f"""ServerRoot {self.root}
DefaultRuntimeDir run
PidFile run/httpd.pid
ErrorLog logs/error.log
ServerName localhost
DocumentRoot {self.root}/htdocs
{listen}
{load}
{user}{MPMS[self.mpm]}
LogLevel info{level}
# No query strings: they hold names, aliases and keys.
LogFormat "%h %u \\"%m %U\\" %>s %b" plain
CustomLog logs/access.log plain
{settings}{server}
{body}
""")

    def make_certificate(self, names=("localhost",)):
        """conf/tls.crt and conf/tls.key, to be named in a configuration."""
        for path in make_certificate(self.root / "conf", names):
            self._own(path, 0o600)

    # Control

    def _environment(self):
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C"}
        env.update((key, value) for key, value in os.environ.items()
                   if key.startswith(("ASAN_", "UBSAN_", "LSAN_", "TSAN_", "GCOV_")))
        if os.environ.get("PXR_PRELOAD"):
            env["LD_PRELOAD"] = os.environ["PXR_PRELOAD"]
        env.update(self.env)
        return env

    def _run(self, arguments, out):
        as_user = {}
        if self._owner:
            as_user = {"user": self._owner.pw_uid, "group": self._owner.pw_gid, "extra_groups": []}
        return subprocess.Popen(WRAPPER + command(self.root, *arguments), stdin=subprocess.DEVNULL, stdout=out,
                                stderr=subprocess.STDOUT, cwd="/", env=self._environment(), start_new_session=True, **as_user)

    def control(self, *arguments):
        """Runs apache2 about this server; returns (returncode, output)."""
        process = self._run(arguments, subprocess.PIPE)
        output, _ = process.communicate(timeout=60 * PATIENCE)
        return process.returncode, output.decode(errors="replace")

    def configtest(self):
        return self.control("-t")

    def start(self):
        """Starts it as a child of ours, which tells how it ended and needs nobody else to bury it."""
        if self._parent:
            self._parent.poll()     # a killed one must be gone, else httpd takes it for a running server
        output = self.root / "logs" / "start.log"
        with open(output, "wb") as out:
            self._parent = self._run(["-DFOREGROUND"], out)
        wait_until(lambda: self._parent.poll() is not None or self.answers() and self.children(),
                   self.start_seconds * PATIENCE, "httpd's first child")
        if self._parent.returncode is not None:
            raise AssertionError(f"httpd did not start: {output.read_text(errors='replace')}{self.log_tail()}")
        self._note_segments()

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def graceful(self):
        """A graceful restart, which has happened when this returns: new children serve, old ones may still be finishing."""
        before, old = self.error_log().count("resuming normal operations"), set(self.children())
        code, output = self.control("-k", "graceful")
        if code != 0:
            raise AssertionError(f"graceful restart refused: {output}")
        wait_until(lambda: self.error_log().count("resuming normal operations") > before or not self.processes(),
                   15 * PATIENCE, "the graceful restart")
        if not self.processes():
            raise AssertionError(f"httpd died at the graceful restart:{self.log_tail()}")
        wait_until(lambda: set(self.children()) - old, 10 * PATIENCE, "a child of the new generation")
        self._note_segments()

    def stop(self, how="stop"):
        """A clean stop: no process of this server may be left afterwards. Its shared memory stays for the next start.
        Under load it must be a graceful-stop, as Debian's service does it: where httpd closes connections under its
        threads, event and worker sometimes reach for a socket that is gone, and die of it."""
        if self.pid() not in self.processes():
            self.kill9_all()    # children without their parent, or nothing at all: no stop can be clean here
            return
        self._note_segments()
        code, output = self.control("-k", how)
        if code != 0:
            self.problems.append(f"{how} failed: {output}")
        try:
            wait_until(lambda: not self.processes(), 15 * PATIENCE, "the end of all processes")
        except AssertionError as late:
            self.problems.append(f"{late}; still there: {self.processes()}; killed")
            self.kill9_all()
            return
        code = self._parent.wait(10) if self._parent else 0
        if code != 0:
            self.problems.append(f"httpd's parent process ended with {code} instead of 0")

    def kill9_all(self):
        """The power-cut of processes: all at once, parent first, so that nobody is replaced."""
        self._note_segments()
        parent = self.pid()
        deadline = time.monotonic() + 10
        killed = set()
        while pids := self.processes():
            killed.update(pids)
            for pid in sorted(pids, key=lambda each: each != parent):
                self.kill(pid, signal.SIGKILL)
            if time.monotonic() > deadline:
                raise AssertionError(f"cannot kill {pids}")
            time.sleep(0.01)
        wait_until(lambda: all(map(is_gone, killed)), 10 * PATIENCE, "the end of what was killed")
        if self._parent:
            self._parent.wait(10)

    @staticmethod
    def kill(pid, signal_number):
        try:
            os.kill(pid, signal_number)
        except ProcessLookupError:
            pass

    def close(self):
        """Stops, and takes away the shared memory. The root directory stays: it holds the logs."""
        self.stop()
        self._remove_segments()

    def segments(self):
        """The shared memory objects that this server has had so far and that are still there."""
        self._note_segments()
        return self._remaining_segments()

    # Processes

    def processes(self):
        return processes_of(self.root)

    def pid(self):
        """Of the parent, as the pid file says; None without one."""
        try:
            return int((self.root / "run" / "httpd.pid").read_text())
        except (OSError, ValueError):
            return None

    def children(self):
        parent = self.pid()
        if parent is None:
            return []

        def parent_of(pid):
            try:
                # The name in the second field is in parentheses and may hold blanks.
                return int(Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError, IndexError):
                return None
        return [pid for pid in self.processes() if pid != parent and parent_of(pid) == parent]

    # Shared memory objects with a name: known by what the processes have mapped, so that other servers do not matter.

    def _note_segments(self):
        for pid in self.processes():
            try:
                maps = Path("/proc", str(pid), "maps").read_text()
            except OSError:
                continue
            self._segments.update(re.findall(r"/dev/shm/\S+", maps))

    def _remaining_segments(self):
        return sorted(name for name in self._segments if os.path.exists(name))

    def _remove_segments(self):
        for name in self._remaining_segments():
            os.unlink(name)

    # Requests

    def request(self, method, path, *, headers=None, body=None, auth=None, port=None, tls=None, timeout=10):
        return request(port or self.port, method, path, headers=headers, body=body, auth=auth,
                       tls=self.tls if tls is None else tls, timeout=timeout)

    def raw(self, data, port=None, timeout=10):
        """Sends bytes as they are and returns all that comes back until the server closes."""
        with socket.create_connection(("127.0.0.1", port or self.port), timeout=timeout * PATIENCE) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            parts = []
            while part := connection.recv(65536):
                parts.append(part)
        return b"".join(parts)

    # Logs

    def error_log(self):
        try:
            return (self.root / "logs" / "error.log").read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def access_log(self):
        return (self.root / "logs" / "access.log").read_text(errors="replace")

    def log_tail(self, lines=25):
        return "\n" + "\n".join(self.error_log().splitlines()[-lines:])

    def expect(self, *patterns):
        """Declares log lines (regular expressions) that the running test causes on purpose. They hold until the next audit."""
        self.expected += [re.compile(pattern) for pattern in patterns]

    def unexpected(self):
        """The lines since the last audit that nobody has declared."""
        # Cut at the last complete line: the server may be writing.
        log = self.error_log()
        end = log.rfind("\n") + 1
        lines = log[self._audited:end].splitlines()
        self._audited = end
        found = []
        for line in lines:
            level = LEVEL.match(line)
            # A line that is not httpd's was written to stderr: a sanitizer, the allocator, a failed assertion.
            bad = level is None or level.group(1) in BAD_LEVELS or BAD_WORDS.search(line)
            if bad and line.strip() and not HARMLESS.search(line) and not any(pattern.search(line) for pattern in self.expected):
                found.append(line)
        return found

    def audit(self):
        """AssertionError when the error log holds something unexpected or a stop was not clean."""
        found = self.unexpected() + self.problems
        self.expected, self.problems = [], []
        if found:
            raise AssertionError("the server's log holds what no test has declared:\n" + "\n".join(found[:40]))
