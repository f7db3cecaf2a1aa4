"""The httpd of `make bench`: the module and handlers that do next to nothing, side by side in one configuration."""

import base64
import json
import os
import sqlite3
import subprocess
import time
import uuid
from pathlib import Path

from httpd import REPOSITORY, Httpd, free_ports
from meetings import Api
from pexip import Node, two_legs
from workspace import ADMIN, NODES, PREFIX, workspace

HERE = Path(__file__).resolve().parent
WRK = "wrk"

# So many idle threads that no child is made or culled while somebody measures.
MPM = ("StartServers 2\nServerLimit 8\nThreadsPerChild 32\nMaxRequestWorkers 64\nMinSpareThreads 1\n"
       "MaxSpareThreads 64\nMaxKeepAliveRequests 0\nKeepAliveTimeout 30\nMaxConnectionsPerChild 0")


def guarded(path, handler, answer=None):
    return f"""
<Location "{path}">
    SetHandler {handler}
    {f'BenchAnswer {answer}' if answer else ''}
    AuthType Basic
    AuthName "pexip"
    AuthBasicProvider pexip-rc
    Require valid-user
</Location>
"""


def bare(path, handler, answer):
    return f"""
<Location "{path}">
    SetHandler {handler}
    BenchAnswer {answer}
</Location>
"""


class Site(Httpd):
    """Everything that is compared, in one httpd."""

    def __init__(self, root, bench_module, meetings, rocketchat):
        super().__init__(root)
        self.bench_module = bench_module
        self.meetings = meetings
        self.start_seconds = 15 + meetings / 10_000
        self.rocketchat = rocketchat.start()
        for name in ("hit", "miss", "taken"):
            self.write(f"conf/{name}.json", "{}")
        self.arrange()

    def arrange(self):
        server = (f"LoadModule bench_module {self.bench_module}\n"
                  f"PexipRCMaxMeetings {max(1000, self.meetings + 1000)}\nPexipRCMaxParticipants 50000\n")
        self.configure(workspace(grace="10s 60s", extra=f"PexipRCRestURL {self.rocketchat.url}")
                       + bare("/bare/hit", "bench-answer", "conf/hit.json 200")
                       + bare("/bare/miss", "bench-answer", "conf/miss.json 404")
                       + guarded("/same/hit", "bench-answer", "conf/hit.json 200")
                       + guarded("/same/miss", "bench-answer", "conf/miss.json 404")
                       + guarded("/discard", "bench-discard", "conf/taken.json 200")
                       + guarded("/jansson", "bench-jansson", "conf/taken.json 200"), server)
        path = self.root / "conf" / "httpd.conf"
        text = path.read_text()
        # As an administrator would run it: no log line for each request in one and not in the other, nothing at debug.
        path.write_text(text.replace("CustomLog logs/access.log plain\n", "").replace("pexip_rc:debug", "pexip_rc:notice")
                        + f"\n<IfModule mpm_event_module>\n{MPM}\n</IfModule>\n")

    def fill(self):
        """As many meetings as wanted, written into the database and read from there at the start. Returns their ids, and
        how long the start took, in seconds."""
        self.start()
        first = Api(self).create(title="Weekly")
        self.close()
        ids = [first["id"]] + multiply(self.root / "state" / "pexip-rc.sqlite3", first, self.meetings - 1)
        began = time.monotonic()
        self.start()
        node = Node("10.10.1.11", self)
        while any(node.policy(each).status != 200 for each in (ids[0], ids[-1], ids[len(ids) // 2])):
            time.sleep(0.05)
        took = time.monotonic() - began
        hit, miss = node.policy(first["id"]), node.policy("nobodyknowsthis")
        assert hit.status == 200 and miss.status == 404
        for name, answer in (("hit", hit), ("miss", miss)):
            self.write(f"conf/{name}.json", answer.body)
        self.write("conf/taken.json", '{"success":true}')
        self.graceful()
        return ids, took


def multiply(path, meeting, more):
    """Copies of a meeting's rows under other names. Returns their ids."""
    # In the order of the indexes, which are then filled at their ends.
    ids = sorted(uuid.uuid4().hex for _ in range(more))
    if not ids:
        return ids
    database = sqlite3.connect(path)
    database.row_factory = sqlite3.Row
    # Only a measurement waits for it, and many rows shall be there soon.
    database.execute("PRAGMA synchronous = OFF")
    database.execute("PRAGMA cache_size = -200000")
    database.execute("CREATE TEMP TABLE copy (id TEXT, mark TEXT)")
    with database:
        database.executemany("INSERT INTO copy VALUES (?, ?)", ((new, f"{number:08x}") for number, new in enumerate(ids)))
        copy_rows(database, "meeting", "id", meeting["id"])
        copy_rows(database, "alias", "meeting", meeting["id"])
    database.close()
    return ids


def copy_rows(database, table, column, first):
    """One copy of each row about the first meeting for each row of `copy`; keys begin with another mark."""
    for row in database.execute(f"SELECT rowid, * FROM {table} WHERE {column} = ?", (first,)).fetchall():
        values = []
        for name in row.keys()[1:]:
            has_id = isinstance(row[name], str) and first in row[name]
            if row[name] and (name in ("join_key", "host_key") or name == "alias" and not has_id):
                values.append(f"copy.mark || substr(former.{name}, 9)")
            else:
                values.append(f"replace(former.{name}, '{first}', copy.id)" if has_id else f"former.{name}")
        database.execute(f"INSERT INTO {table} SELECT {', '.join(values)} FROM copy, {table} AS former WHERE former.rowid = ?",
                         (row["rowid"],))


def event_template(path):
    """One participant event, with marks for what changes."""
    node = Node("@NODE@", lambda *_, **__: None)
    with node.holding():
        leg = two_legs(node, "@MEETING@", "Anna Example").media
    event = leg.connected(send=False)
    event.update(event="@EVENT@", node="@NODE@")
    event["data"]["uuid"] = event["data"]["call_id"] = "@UUID@"
    text = json.dumps({**event, "seq": -1, "time": -2})
    path.write_text(text.replace('"seq": -1', '"seq": @SEQ@').replace('"time": -2', '"time": @TIME@'))


def authorization():
    return "Basic " + base64.b64encode(":".join(NODES).encode()).decode()


def resident_bytes(pids):
    """What these processes have in memory that is not shared."""
    total = 0
    for pid in pids:
        fields = dict(line.split(":", 1) for line in Path("/proc", str(pid), "status").read_text().splitlines())
        total += int(fields["RssAnon"].split()[0]) * 1024
    return total


def processor_time(pids):
    """Nanoseconds that all threads of these processes have worked."""
    total = 0
    for pid in pids:
        for task in Path("/proc", str(pid), "task").iterdir():
            try:
                total += int((task / "schedstat").read_text().split()[0])
            except OSError:
                pass    # a thread that has just ended
    return total


class Express:
    """An Express policy server in a process of its own; looks like a site to a load."""

    packages = REPOSITORY / "build" / "npm" / "express"

    @classmethod
    def available(cls):
        return (cls.packages / "installed").exists()

    def __init__(self, answer):
        self.port, = free_ports(1)
        self._node = subprocess.Popen(["node", str(HERE / "express.cjs"), str(self.packages), str(self.port), str(answer)],
                                      stdout=subprocess.PIPE, text=True, env={"PATH": os.environ["PATH"], "NODE_ENV": "production"})
        if self._node.stdout.readline() != "ready\n":
            raise RuntimeError(f"Express did not start: {self._node.wait()}")

    def children(self):
        return [self._node.pid]

    def close(self):
        self._node.terminate()
        self._node.wait(20)
        self._node.stdout.close()


class Load:
    """One kind of request."""

    def __init__(self, site, kind, path, ids, *more, auth=True):
        self.site = site
        self.arguments = [kind, path, str(ids), *map(str, more)]
        self.auth = authorization() if auth else ""

    def start(self, seconds, connections=8, threads=2):
        # A thousand events take a while where others work, too.
        timeout = "10s" if self.arguments[0] == "events" else "2s"
        return subprocess.Popen([WRK, "-t", str(threads), "-c", str(connections), "-d", f"{seconds}s", "--timeout", timeout, "-s", str(HERE / "load.lua"),
                                 f"http://127.0.0.1:{self.site.port}", "--", *self.arguments],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={"BENCH_AUTH": self.auth, "PATH": "/usr/bin"})

    @staticmethod
    def result(process):
        output, _ = process.communicate()
        for line in output.splitlines():
            if line.startswith("RESULT "):
                names = ("requests", "duration_us", "broken", "refused", "median_us", "p99_us", "max_us", "bytes")
                return dict(zip(names, map(int, line.split()[1:])))
        raise RuntimeError(f"no result: {output}")

    def run(self, seconds, **options):
        """What came of it, with the processor time of all children for each request in microseconds."""
        children = self.site.children()
        before = processor_time(children)
        result = self.result(self.start(seconds, **options))
        if self.site.children() != children:
            raise RuntimeError("a child came or went while it was measured")
        result["cpu_us"] = (processor_time(children) - before) / 1000 / max(1, result["requests"])
        result["rate"] = result["requests"] / (result["duration_us"] / 1e6)
        return result
