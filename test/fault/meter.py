#!/usr/bin/python3
"""How long policy answers take, seen by a process of its own: what else the tests are doing must not count.

    with Meter(httpd, meeting["id"]) as meter:
        quiet = meter.part(2)           # seconds
        ...
        busy = meter.part(5)
    assert busy.median < 3 * quiet.median
"""

import json
import subprocess
import sys
import time

PAUSE = 0.004


class Part:
    def __init__(self, times):
        self.times = sorted(times)
        assert len(self.times) > 20, f"only {len(self.times)} answers"
        self.median = self.times[len(self.times) // 2]
        self.p95 = self.times[len(self.times) * 95 // 100]

    def __repr__(self):
        return f"{len(self.times)} answers, median {1000 * self.median:.2f} ms, 95% within {1000 * self.p95:.2f} ms"


class Meter:
    def __init__(self, httpd, meeting_id):
        self.arguments = [str(httpd.port), meeting_id]

    def __enter__(self):
        self._process = subprocess.Popen([sys.executable, __file__, *self.arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert json.loads(self._process.stdout.readline()) == [], "the meter does not begin"
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait(10)

    def begin(self):
        """What was measured until now does not count."""
        self._ask()

    def end(self):
        return Part(self._ask())

    def part(self, seconds):
        self.begin()
        time.sleep(seconds)
        return self.end()

    def _ask(self):
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        times, wrong = json.loads(self._process.stdout.readline())
        assert not wrong, wrong[:3]
        return times


def measure(port, meeting_id):
    """Asks until standard input is closed, and prints what it has measured for each line that it is sent."""
    import threading
    from pathlib import Path
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
    from httpd import request
    from pexip import Node
    node = Node("10.250.0.1", lambda method, path, **options: request(port, method, path, **options))
    times, wrong, over = [], [], threading.Event()

    def ask():
        while not over.wait(PAUSE):
            began = time.monotonic()
            try:
                answer = node.policy(meeting_id)
                if answer.status != 200 or answer.json()["action"] != "continue":
                    wrong.append(f"{answer.status} {answer.text[:100]}")
            except OSError as error:
                wrong.append(repr(error))
            times.append(time.monotonic() - began)
    asking = threading.Thread(target=ask)
    print("[]", flush=True)
    asking.start()
    for _ in sys.stdin:
        found, times[:] = list(times), []
        print(json.dumps([found, wrong]), flush=True)
    over.set()
    asking.join()


if __name__ == "__main__":
    measure(int(sys.argv[1]), sys.argv[2])
