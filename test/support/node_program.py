"""A program of node's that takes orders: one JSON value in each line of its input, one answer in each line of its output."""

import json
import subprocess
import threading


class NodeProgram:
    """order() may be called by several threads; close() lets the program end."""

    name = "the program"    # in errors

    def begin(self, *arguments, **options):
        self._lock = threading.Lock()
        self._node = subprocess.Popen(["node", *map(str, arguments)], text=True, bufsize=1, stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, **options)

    def order(self, order):
        with self._lock:
            self._node.stdin.write(json.dumps(order) + "\n")
            line = self._node.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with {self._node.wait()}")
        return json.loads(line)

    def close(self):
        self._node.stdin.close()
        try:
            self._node.wait(20)
        finally:
            self._node.kill()
            self._node.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
