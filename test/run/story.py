"""Tells what happened: one sentence a step, a tick or a cross in front, the reason below a cross."""

import http.client
import os
import sys
from contextlib import contextmanager

# What a wrong step may raise: our own judgement, a refused connection, an answer of another shape.
# Anything else is a mistake of the player itself and may end it.
MISHAPS = (AssertionError, OSError, http.client.HTTPException, KeyError, IndexError, TypeError, ValueError)


class GiveUp(Exception):
    """A step went wrong without which the rest makes no sense."""


class Step:
    def __init__(self):
        self.notes = []

    def note(self, text):
        """Something worth telling behind the sentence."""
        self.notes.append(text)


class Story:
    def __init__(self):
        self.right = self.wrong = 0
        self.colour = sys.stdout.isatty()

    def tell(self, text=""):
        try:
            print(text, flush=True)
        except BrokenPipeError:
            # Nobody is listening any more (make run | head): the play still goes on to its clean end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def chapter(self, title):
        self.tell(f"\n{title}\n")

    def _mark(self, good):
        mark, code = ("✓", 32) if good else ("✗", 31)
        return f"\033[{code}m{mark}\033[0m" if self.colour else mark

    @contextmanager
    def step(self, sentence, needed=False):
        step = Step()
        reason = None
        try:
            yield step
        except MISHAPS as mishap:
            reason = str(mishap) if isinstance(mishap, AssertionError) else f"{type(mishap).__name__}: {mishap}"
        note = f" ({'; '.join(step.notes)})" if step.notes else ""
        self.tell(f"  {self._mark(reason is None)} {sentence}{note}")
        if reason is None:
            self.right += 1
            return
        self.wrong += 1
        for line in reason.splitlines():
            self.tell(f"      {line}")
        if needed:
            raise GiveUp


def check(condition, reason):
    if not condition:
        raise AssertionError(reason)


def same(what, got, wanted):
    check(got == wanted, f"{what} is {got!r}, should be {wanted!r}")
