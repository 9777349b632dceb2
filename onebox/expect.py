"""What a story that plays on the stack expects of it."""

import time
from collections.abc import Callable

_LOOK_AGAIN_S = 0.02


class Failed(Exception):
    """Something did not happen, or happened though it must not."""


def expect(holds: bool, what: str) -> None:
    """
    See that something holds.

    Raises:
        Failed: It doesn't.
    """
    if not holds:
        raise Failed(f"it does not hold that {what}")


def wait(what: str, condition: Callable[[], bool], *, within_s: float) -> None:
    """
    Wait for something to happen.

    Raises:
        Failed: It didn't, in time.
    """
    until_s = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > until_s:
            raise Failed(f"not within {within_s:g} s: {what}")
        time.sleep(_LOOK_AGAIN_S)
