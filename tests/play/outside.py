"""What goes wrong between the functions and the world: calls that fail, that are answered late, or never return."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pycurl
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from onebox import function_log
from onebox.function_log import FunctionLog


class Crash(BaseException):
    """The function is dead; nothing of ours catches that."""


class Outside:
    """
    Stands between the functions and their libraries. The product carries no marks for it.

    Attributes:
        met: How often each kind of fault struck.
        crashes: How often a function died at each point, such as `before dynamodb UpdateItem`.
    """

    def __init__(self) -> None:
        self.met: Counter[str] = Counter()
        self.crashes: Counter[str] = Counter()
        self._two_at_once = False
        self.calm()

    def calm(self) -> None:
        """Let everything go well from now on."""
        self._dead: set[FunctionLog | None] = set()
        self._crash: tuple[str, int] | None = None
        self._crash_point: str | None = None
        self._throttle = -1
        self._meanwhile: tuple[int, Callable[[], None]] | None = None
        self._stale = 0
        self._calls = 0

    def crash_at(self, moment: str, call: int) -> None:
        """Let the function that makes the n-th call from now die `before` or `after` it took effect."""
        self._crash, self._calls = (moment, call), 0

    def crash_on(self, point: str) -> None:
        """Let the next function die that comes to a point, such as `before dynamodb UpdateItem`."""
        self._crash_point = point

    def throttle_at(self, call: int) -> None:
        """Let DynamoDB throttle the n-th call from now."""
        self._throttle, self._calls = call, 0

    def meanwhile_at(self, call: int, act: Callable[[], None]) -> None:
        """Let something else happen just before the n-th call from now."""
        self._meanwhile, self._calls = (call, act), 0

    def stale(self, queries: int) -> None:
        """Let so many queries of an index not see the newest row."""
        self._stale = queries

    def bury(self, log: FunctionLog) -> None:
        """The function that died has come to its end, and another may take its place; its log says which."""
        self._dead.discard(log)

    def before(self, service: str, operation: str) -> None:
        """A function is about to call; a dead one calls nobody, whatever it would still like to clear up."""
        if function_log._current.get() in self._dead:
            raise Crash
        self._calls += 1
        if self._meanwhile is not None and self._calls >= self._meanwhile[0] and not self._two_at_once:
            (_, act), self._meanwhile = self._meanwhile, None
            self.met["two functions at once"] += 1
            # An app's request may bring the next while this one is under way; a third there is not.
            self._two_at_once = True
            try:
                act()
            finally:
                self._two_at_once = False
        if service == "dynamodb" and 0 <= self._throttle <= self._calls:
            self._throttle = -1
            self.met["throttling"] += 1
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, operation)
        self._die("before", service, operation)

    def after(self, service: str, operation: str, request: Any, answer: Any) -> Any:
        """A function is about to be answered."""
        self._die("after", service, operation)
        if self._stale and isinstance(request, dict) and "IndexName" in request and answer["Items"]:
            self._stale -= 1
            self.met["a stale index"] += 1
            return {**answer, "Items": answer["Items"][:-1]}
        return answer

    def _die(self, moment: str, service: str, operation: str) -> None:
        point = f"{moment} {service} {operation}"
        at_call = self._crash is not None and self._crash[0] == moment and self._calls >= self._crash[1]
        if at_call or self._crash_point == point:
            self._crash = self._crash_point = None
            self._dead.add(function_log._current.get())
            self.crashes[point] += 1
            raise Crash


@contextmanager
def stand_between(outside: Outside) -> Iterator[None]:
    """Let all calls that functions make to AWS and APNs pass through."""
    # botocore's one way out; its types don't tell of it.
    client: Any = BaseClient
    call, multi = client._make_api_call, pycurl.CurlMulti

    def make_api_call(self: Any, operation: str, request: Any) -> Any:
        if function_log._current.get() is None:
            return call(self, operation, request)
        service = self.meta.service_model.service_name
        outside.before(service, operation)
        return outside.after(service, operation, request, call(self, operation, request))

    class Multi(multi):  # type: ignore[misc, valid-type]  # pycurl has no types
        def add_handle(self, handle: Any) -> Any:
            outside.before("apns", "push")
            return super().add_handle(handle)

        def info_read(self) -> Any:
            answered = super().info_read()
            if answered[1]:
                outside.after("apns", "push", None, None)
            return answered

    def request(self: Any, *said: Any, **more: Any) -> Any:
        outside.before("apns", "request")
        return outside.after("apns", "request", None, single(self, *said, **more))

    single, httpx.Client.request = httpx.Client.request, request  # type: ignore[method-assign]
    client._make_api_call = make_api_call
    pycurl.CurlMulti = Multi
    try:
        yield
    finally:
        client._make_api_call = call
        pycurl.CurlMulti = multi
        httpx.Client.request = single  # type: ignore[method-assign]
