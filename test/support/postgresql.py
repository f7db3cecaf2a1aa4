#!/usr/bin/python3
"""A private real PostgreSQL: own directory, own port on the loopback address, no authentication.

    server = PostgreSQL("/tmp/pxr-pg")
    server.start()
    server.execute("SELECT 1")
    server.close()

Run by root the server becomes the user postgres, because it refuses to run as root. By hand:

    postgresql.py /tmp/pxr-pg        runs one until it is interrupted and prints its connection string
"""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from httpd import free_ports
from waiting import wait_until

USER = "pxr"


def programs():
    """The directory of the newest installed version's programs; None without any."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(found, key=lambda path: int(path.parent.name.split(".")[0]), default=None)


class PostgreSQL:
    def __init__(self, directory, encoding="UTF8", settings=None):
        """`settings`: further lines of postgresql.conf as a dict."""
        self.root = Path(directory).resolve()
        self.data = self.root / "data"
        self.port = free_ports(1)[0]
        self.encoding = encoding
        self.settings = dict(settings or {})
        self._server = None
        self._bin = programs()
        if self._bin is None:
            raise RuntimeError("PostgreSQL is not installed")
        self._owner = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        self.root.mkdir(parents=True)
        if self._owner:
            os.chown(self.root, self._owner.pw_uid, self._owner.pw_gid)
        self._initialise()

    def _as_user(self):
        if not self._owner:
            return {}
        return {"user": self._owner.pw_uid, "group": self._owner.pw_gid, "extra_groups": []}

    def _run(self, program, *arguments, input=None):
        """Runs a client or an administrator's program to its end and returns what it printed."""
        done = subprocess.run([self._bin / program, *arguments], input=input, capture_output=True, text=True,
                              cwd="/", env=self._environment(), timeout=120, **self._as_user())
        if done.returncode != 0:
            raise AssertionError(f"{program} failed: {done.stdout}{done.stderr}")
        return done.stdout

    @staticmethod
    def _environment():
        return {"PATH": "/usr/bin:/bin", "LANG": "C", "LC_ALL": "C"}

    def _initialise(self):
        locale = ["--no-locale"] if self.encoding in ("UTF8", "SQL_ASCII") else ["--locale=C"]
        self._run("initdb", "-D", self.data, "-U", USER, "--auth=trust", "-E", self.encoding, "--no-sync", *locale)
        settings = {"listen_addresses": "'127.0.0.1'", "port": self.port, "unix_socket_directories": f"'{self.root}'",
                    # In files of its own directory: a killed one would leave segments behind.
                    "dynamic_shared_memory_type": "mmap", "max_connections": 50, **self.settings}
        lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as out:
            out.write(lines)

    # Control

    @property
    def conninfo(self):
        return f"host=127.0.0.1 port={self.port} user={USER} dbname={USER}"

    def start(self):
        """Starts it as a child of ours and makes the database at the first time."""
        with open(self.root / "server.log", "ab") as log:
            self._server = subprocess.Popen([self._bin / "postgres", "-D", self.data], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, cwd="/", env=self._environment(),
                                            start_new_session=True, **self._as_user())
        wait_until(lambda: self._server.poll() is not None or self.answers(), 30, "PostgreSQL")
        if self._server.returncode is not None:
            raise AssertionError(f"PostgreSQL did not start:\n{self.log()[-2000:]}")
        if USER not in self.execute("SELECT datname FROM pg_database", "postgres").split():
            self.create_database(USER)

    def answers(self):
        done = subprocess.run([self._bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)],
                              env=self._environment(), **self._as_user())
        return done.returncode == 0

    def stop(self, mode="fast"):
        """`smart` waits for clients, `fast` ends their sessions, `immediate` is a crash with a farewell."""
        if not self.running():
            return
        self._server.send_signal({"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}[mode])
        self._server.wait(60)

    def restart(self):
        self.stop()
        self.start()

    def kill9(self):
        """The power-cut of processes: postmaster first, so that it restarts nothing."""
        if self.running():
            pids = self.processes()
            for pid in pids:
                self._signal(pid, signal.SIGKILL)
            self._server.wait(30)
            wait_until(lambda: not any(Path("/proc", str(pid)).exists() for pid in pids), 10, "the end of all processes")
        # It would be taken for a running server's while another process has the same id.
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def freeze(self):
        """Stops all its processes: connections stay, nobody answers."""
        stopped = set()
        # One may be born while the others are stopped.
        while new := set(self.processes()) - stopped:
            for pid in new:
                self._signal(pid, signal.SIGSTOP)
            stopped |= new

    def thaw(self):
        for pid in reversed(self.processes()):
            self._signal(pid, signal.SIGCONT)

    def close(self):
        """Ends it and removes everything."""
        self.kill9()
        shutil.rmtree(self.root, ignore_errors=True)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.close()

    # Processes

    def running(self):
        return self._server is not None and self._server.poll() is None

    def processes(self):
        """Postmaster first, then its children: only what this object has started."""
        if not self.running():
            return []
        pids = [self._server.pid]
        for entry in os.listdir("/proc"):
            if entry.isdigit() and self._parent_of(entry) == self._server.pid:
                pids.append(int(entry))
        return pids

    @staticmethod
    def _parent_of(pid):
        try:
            # The name in the second field is in parentheses and may hold blanks.
            return int(Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            return None

    @staticmethod
    def _signal(pid, number):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass

    # Data

    def _client(self, database=USER):
        return "-h", "127.0.0.1", "-p", str(self.port), "-U", USER, "-d", database

    def execute(self, sql, database=USER):
        """Runs SQL and returns its rows as text, one a line, columns divided by tabs."""
        return self._run("psql", *self._client(database), "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1",
                         input=sql)

    def create_database(self, name, encoding=None):
        more = f" ENCODING '{encoding}' LOCALE 'C'" if encoding else ""
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE template0{more}', "postgres")

    def dump(self):
        """All data as SQL, to be given to restore()."""
        return self._run("pg_dump", *self._client(), "--clean", "--if-exists", "--no-owner")

    def restore(self, dump):
        """What an administrator does with a backup while the module is connected."""
        self.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                     f" WHERE datname = '{USER}' AND pid <> pg_backend_pid()", "postgres")
        self._run("psql", *self._client(), "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", input=dump)

    def log(self):
        return (self.root / "server.log").read_text(errors="replace")


def main():
    with PostgreSQL(sys.argv[1]) as server:
        print(server.conninfo, flush=True)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            while server.running():
                time.sleep(1)
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
