"""Server-sent events: what a browser must know, first all of it, then what has changed."""

import json
import threading
import time
from collections.abc import Callable, Generator, Mapping

# How soon a change is seen.
_LOOK_S = 0.1

# A browser that went without a word is noticed when something is said to it.
_SAY_SOMETHING_S = 10

# How soon a browser tries again when the connection is lost.
AGAIN_MS = 1000


class Events:
    """
    Tells browsers what there is to see.

    Args:
        now: Returns all there is: JSON by name.
    """

    def __init__(self, now: Callable[[], Mapping[str, str]], *, again_ms: int = AGAIN_MS) -> None:
        self._now = now
        self._again_ms = again_ms
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Let every stream end."""
        self._stopping.set()

    def stream(self) -> Generator[bytes]:
        """Yield events until it is stopped: `all` once, then `changes`, each when there are some."""
        told = dict(self._now())
        yield f"retry: {self._again_ms}\n".encode() + _event("all", told, gone=())
        said_s = time.monotonic()
        while not self._stopping.wait(_LOOK_S):
            now = dict(self._now())
            changed = {name: value for name, value in now.items() if told.get(name) != value}
            gone = told.keys() - now.keys()
            told = now
            if changed or gone:
                yield _event("changes", changed, gone=sorted(gone))
            elif time.monotonic() - said_s >= _SAY_SOMETHING_S:
                yield b": still here\n\n"
            else:
                continue
            said_s = time.monotonic()


def _event(kind: str, values: Mapping[str, str], *, gone: tuple[str, ...] | list[str]) -> bytes:
    """Each value is JSON already, and JSON has no line breaks of its own."""
    put = ",".join(f"{json.dumps(name)}:{value}" for name, value in values.items())
    return f'event: {kind}\ndata: {{"put":{{{put}}},"gone":{json.dumps(gone)}}}\n\n'.encode()
