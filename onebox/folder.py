"""The folder of a stack's keys, addresses and logs: one stack at a time has it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Unusable(Exception):
    """The folder can't be had; the text says why, and what to do."""


@contextmanager
def held(folder: Path, command: str) -> Iterator[None]:
    """
    Have a folder to oneself for a while; a process that is killed lets go of it.

    Args:
        command: What others are told that it is held for.

    Raises:
        Unusable: Another process has it, or it can't be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        opened = (folder / "held-by").open("a+")
    except OSError as error:
        raise Unusable(f"{folder} can't be written to ({error.strerror}): remove it, or make it yours.") from error
    with opened as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise Unusable(
                f"{folder} is in use by {file.read().strip() or 'another process'}, whose certificates this would replace.\n"
                "Stop it (Ctrl-C there), or name another folder: .venv/bin/python -m onebox --local /tmp/another …"
            ) from None
        file.truncate(0)
        file.write(f"`{command}`, process {os.getpid()}\n")
        file.flush()
        yield
