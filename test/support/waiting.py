"""Waiting without fixed sleeps: look, look again, give up with a sentence."""

import time


def wait_until(predicate, timeout=5.0, what="the expected state", every=0.02):
    """Returns the first truthy value of predicate(); AssertionError when none came in time."""
    deadline = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout} s in vain for {what}; last seen: {value!r}")
        time.sleep(every)


def stays(predicate, seconds, what="the state", every=0.05):
    """The opposite: AssertionError as soon as predicate() is falsy within that time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not predicate():
            raise AssertionError(f"{what} did not last {seconds} s")
        time.sleep(every)
