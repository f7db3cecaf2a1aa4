"""The two kinds of database, and what can befall them while a server uses them.

    database = Sqlite()                                 # or Pgsql(postgresql)
    httpd = make_httpd(server=database.directive)
    with database.trouble("locked", httpd):             # or stopped, frozen, gone of Pgsql
        ...
"""

import re
import shutil
import sqlite3
import subprocess
from contextlib import contextmanager
from pathlib import Path

# In which column of `revision` the version of the tables may be kept; see raise_schema().
VERSION_COLUMN = re.compile(r"schema|version|format|layout")
MUCH_NEWER = 999


class Sqlite:
    """The default: a file in the state directory."""
    driver = "sqlite3"
    directive = ""

    @staticmethod
    def file(httpd):
        return httpd.root / "state" / "pexip-rc.sqlite3"

    @classmethod
    def files(cls, httpd):
        """The file with its companions, as far as they are there."""
        return [path for path in (Path(f"{cls.file(httpd)}{end}") for end in ("", "-wal", "-shm")) if path.exists()]

    @contextmanager
    def connect(self, httpd):
        connection = sqlite3.connect(self.file(httpd), isolation_level=None, timeout=10)
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def trouble(self, how, httpd):
        assert how == "locked"
        with self.connect(httpd) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            try:
                yield
            finally:
                connection.execute("ROLLBACK")

    def copy(self, httpd):
        """A backup, made with the server running."""
        target = httpd.root / "backup.sqlite3"
        with self.connect(httpd) as source, sqlite3.connect(target) as into:
            source.backup(into)
        into.close()
        return target

    def put_back(self, httpd, copy):
        """The server must be stopped."""
        file = self.file(httpd)
        owner = file.stat()
        for path in self.files(httpd):
            path.unlink()
        shutil.copyfile(copy, file)
        file.chmod(owner.st_mode & 0o777)
        shutil.chown(file, owner.st_uid, owner.st_gid)

    def raise_schema(self, httpd):
        """As if a newer version of the module had been here; returns the way back. The server must be stopped."""
        with self.connect(httpd) as connection:
            columns = [row[1] for row in connection.execute("PRAGMA table_info(revision)")]
            column, = filter(VERSION_COLUMN.search, columns)
            before, = connection.execute(f"SELECT {column} FROM revision").fetchone()
        self._set_schema(httpd, column, MUCH_NEWER)
        return lambda: self._set_schema(httpd, column, before)

    def _set_schema(self, httpd, column, value):
        with self.connect(httpd) as connection:
            connection.execute(f"UPDATE revision SET {column} = {value!r}")


class Pgsql:
    """A PostgreSQL that the tests may stop and freeze."""
    driver = "pgsql"

    def __init__(self, postgresql):
        self.postgresql = postgresql

    @property
    def directive(self):
        return f'PexipRCDatabase pgsql "{self.postgresql.conninfo}"'

    def trouble(self, how, _):
        return {"stopped": self._stopped, "killed": self._killed, "frozen": self._frozen}[how]()

    @contextmanager
    def _stopped(self):
        self.postgresql.stop("fast")
        try:
            yield
        finally:
            self.postgresql.start()

    @contextmanager
    def _killed(self):
        self.postgresql.kill9()
        try:
            yield
        finally:
            self.postgresql.start()

    @contextmanager
    def _frozen(self):
        self.postgresql.freeze()
        try:
            yield
        finally:
            self.postgresql.thaw()

    def raise_schema(self, _):
        columns = sql(self.postgresql.conninfo, "SELECT column_name FROM information_schema.columns WHERE table_name = 'revision'")
        column, = filter(VERSION_COLUMN.search, columns.split())
        before = sql(self.postgresql.conninfo, f"SELECT {column} FROM revision").strip()
        self._set_schema(column, MUCH_NEWER)
        return lambda: self._set_schema(column, before)

    def _set_schema(self, column, value):
        sql(self.postgresql.conninfo, f"UPDATE revision SET {column} = '{value}'")


def sql(conninfo, *statements):
    """Runs statements one by one and returns what they print."""
    arguments = [word for statement in statements for word in ("-c", statement)]
    done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", conninfo, *arguments],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout


def empty(conninfo):
    """The same database, as if it had just been made. Connections that are still open are thrown out."""
    name, = re.findall(r"\bdbname='?([\w-]+)", conninfo)
    other = re.sub(r"\bdbname='?[\w-]+'?", "dbname=template1", conninfo)
    sql(other, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', f'CREATE DATABASE "{name}" TEMPLATE template0')
