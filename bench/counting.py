"""
What a piece of work comes to where nothing is timed: Python function calls, calls to AWS, bytes of request bodies.

Counted at the edges that every way out passes: botocore's calls and its HTTP session, libcurl's handles, the interpreter.
To be entered before the code under measurement is imported.
"""

import gc
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType
from typing import Any

import pycurl
from botocore.client import BaseClient
from botocore.httpsession import URLLib3Session

_TOOL = sys.monitoring.PROFILER_ID


@dataclass(slots=True)
class Counts:
    """
    Counted so far.

    Attributes:
        aws_calls: A call is one that boto3 was asked for, however often it was tried.
        encoded_bytes: Of the bodies of requests, to AWS and to APNs.
        python_calls: Functions of Python that were entered; a generator that goes on is not entered anew.
    """

    aws_calls: int = 0
    encoded_bytes: int = 0
    python_calls: int = 0


class Counter:
    """Counts while entered; calls of Python's functions only within `watched`."""

    def __init__(self) -> None:
        self.counts = Counts()

    def watched(self, work: Callable[[], object]) -> Counts:
        """Do some work; returns what it came to, here and in threads that it begins."""
        self.counts = counts = Counts()
        entered = sys.monitoring.events.PY_START
        # What others do meanwhile, or left to be finalized, is none of this work.
        # (threading.enumerate() knows none that was begun past it, as pytest-xdist's are.)
        others = set(sys._current_frames()) - {threading.get_ident()}
        gc.collect()

        def count(code: CodeType, _offset: int) -> object:
            if code.co_filename == __file__:
                return sys.monitoring.DISABLE
            if threading.get_ident() not in others:
                counts.python_calls += 1
            return None

        sys.monitoring.use_tool_id(_TOOL, "lockstep bench")
        try:
            sys.monitoring.register_callback(_TOOL, entered, count)
            sys.monitoring.set_events(_TOOL, entered)
            work()
        finally:
            sys.monitoring.set_events(_TOOL, 0)
            sys.monitoring.free_tool_id(_TOOL)
        return counts


@contextmanager
def counting() -> Iterator[Counter]:
    """Stand at the ways out."""
    counter = Counter()
    # Foreign methods, not made to be changed.
    client: Any = BaseClient
    session: Any = URLLib3Session
    call, send, handle = client._make_api_call, session.send, pycurl.Curl

    def counted_call(self: Any, *asked: Any, **how: Any) -> Any:
        counter.counts.aws_calls += 1
        return call(self, *asked, **how)

    def counted_send(self: Any, request: Any) -> Any:
        counter.counts.encoded_bytes += len(request.body or b"")
        return send(self, request)

    class Curl(handle):  # type: ignore[misc, valid-type]  # pycurl has no types
        def setopt(self, option: int, value: Any) -> None:
            if option in (pycurl.POSTFIELDS, pycurl.COPYPOSTFIELDS):
                counter.counts.encoded_bytes += len(value)
            super().setopt(option, value)

    client._make_api_call, session.send, pycurl.Curl = counted_call, counted_send, Curl
    try:
        yield counter
    finally:
        client._make_api_call, session.send, pycurl.Curl = call, send, handle
