"""Functions behind the SAM CLI: push behind `sam local start-lambda`, register behind `sam local start-api`."""

import json
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import quote, urlsplit

from onebox.function_log import FunctionLog
from onebox.http_event import Request, Response
from onebox.lambda_runtime import FunctionError
from onebox.sam.cli import SamCli
from onebox.template import Route

type Environments = Callable[[str], Mapping[str, Mapping[str, str | None]]]

# Longer than any function may take, and its container to start.
_ANSWER_S = 120

# Between API Gateway and us; not the request's own.
_HOP_BY_HOP = ("connection", "content-length", "host", "transfer-encoding")


class SamFunction:
    """A function behind `sam local start-lambda`: one container, one event at a time."""

    def __init__(self, logical_id: str, url: str, log: FunctionLog) -> None:
        self.log = log
        self._host = urlsplit(url).netloc
        self._path = f"/2015-03-31/functions/{quote(logical_id)}/invocations"
        self._logical_id = logical_id
        self._turn = threading.Lock()

    def invoke(self, event: Any) -> Any:
        """
        Handle an event, after those that came before.

        Raises:
            FunctionError: The handler raised; its traceback is in the SAM CLI's log.
        """
        body = json.dumps(event).encode()
        with self._turn:
            status, _, text = _send(self._host, "POST", self._path, {"content-type": "application/json"}, body)
        answer = _read(text)
        # Lambda marks what a handler raised by the header X-Amz-Function-Error; the SAM CLI answers it like any answer.
        # A handler may answer nothing, which is null in JSON.
        done = text.strip() == b"null" or (isinstance(answer, dict) and "errorMessage" not in answer)
        if status != 200 or not done:
            raise FunctionError(f"{self._logical_id} failed: HTTP {status} {text.decode(errors='replace')}")
        return answer


class SamApi:
    """
    Routes behind `sam local start-api`, one for each user, since it checks no JWT and its functions know one `LOCAL_USER`.

    Args:
        environments: Returns the functions' variables where this user calls.
    """

    def __init__(self, sam: SamCli, environments: Environments) -> None:
        self._sam = sam
        self._environments = environments
        self._stopping = ExitStack()
        self._lock = threading.Lock()
        self._turns: dict[str, threading.Lock] = {}
        self._hosts: dict[str, str] = {}

    def stop(self) -> None:
        """Stop all of them."""
        self._stopping.close()

    def answer(
        self, request: Request, _route: Route, _parameters: Mapping[str, str], caller: Mapping[str, Any] | None
    ) -> Response:
        """
        Pass a request on as it came.

        Raises:
            FunctionError: There was no answer.
        """
        user = _name_of(caller or {})
        with self._lock:
            turn = self._turns.setdefault(user, threading.Lock())
        with turn:
            headers = {name: value for name, value in request.headers if name.lower() not in _HOP_BY_HOP}
            status, answered, body = _send(self._host(user), request.method, request.target, headers, request.body)
        return Response(status, list(answered.items()), body)

    def _host(self, user: str) -> str:
        if user not in self._hosts:
            name = f"start-api-{len(self._hosts) + 1}"
            serving = self._sam.serving("start-api", name, self._environments(user))
            with self._lock:
                self._hosts[user] = urlsplit(self._stopping.enter_context(serving)).netloc
        return self._hosts[user]


def _name_of(caller: Mapping[str, Any]) -> str:
    match caller:
        case {"jwt": {"claims": {"sub": str(user)}}} | {"iam": {"userArn": str(user)}}:
            return user
    return ""


def _send(
    host: str, method: str, target: str, headers: Mapping[str, str], body: bytes
) -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection(host, timeout=_ANSWER_S)
    try:
        connection.request(method, target, body or None, dict(headers))
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    except (OSError, HTTPException) as error:
        raise FunctionError(f"{host}: {error}") from error
    finally:
        connection.close()


def _read(answer: bytes) -> Any:
    try:
        return json.loads(answer)
    except ValueError:
        return None
