"""How long work gets on: a line that is drawn anew on a terminal, lines of their own where nobody watches."""

import os
import shutil
from collections.abc import Mapping
from itertools import cycle
from typing import TextIO


def is_watched(out: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether a person sees it on a terminal that can draw a line anew; a CI's terminal has none before it."""
    return out.isatty() and not environ.get("CI") and environ.get("TERM", "dumb") != "dumb"


class Progress:
    """What is being done, indented below what was announced."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._watched = is_watched(out)
        self._turning = cycle("|/-\\")
        self._text = ""

    def says(self, text: str) -> None:
        """Say what begins now."""
        self.now(text)
        if not self._watched:
            print(f"  {text}", file=self._out, flush=True)

    def now(self, text: str) -> None:
        """Say how far it is, to whoever watches."""
        self._text = text
        self.turn()

    def turn(self) -> None:
        """Show that it goes on."""
        if self._watched:
            room = shutil.get_terminal_size().columns - 5
            print(f"\r\033[K  {next(self._turning)} {self._text[:room]}", end="", file=self._out, flush=True)

    def done(self, text: str) -> None:
        """Say how it ended."""
        self.clear()
        print(f"  {text}", file=self._out, flush=True)

    def clear(self) -> None:
        """Take the line that was drawn away."""
        if self._watched:
            print("\r\033[K", end="", file=self._out, flush=True)
