"""
moto behind HTTP, one request at a time.

moto's server handles requests in threads that share its memory without locks, so two of them can do what AWS never
does: a conditional write that passes beside another, a message lost because it was sent while another was deleted.
Here each request has moto to itself. A long poll, which would keep it to itself for seconds, becomes many short ones.
"""

import io
import json
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

# moto must be imported before any boto3 client is made.
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.sqs.models import sqs_backends
from werkzeug.serving import BaseWSGIServer, make_server

from onebox.bridge import CONTAINER_HOST

type Environ = dict[str, Any]
type StartResponse = Callable[..., Any]
type Wsgi = Callable[[Environ, StartResponse], Iterable[bytes]]

# How soon a long poll sees a message whose delay or visibility timeout has passed; one just sent it sees at once.
_LOOK_AGAIN_S = 0.25

_READS = ("ReceiveMessage", "GetQueueAttributes", "GetQueueUrl", "ListQueues")


class OneAtATime:
    """
    WSGI middleware that gives every request the application to itself, and no other site's page any.

    Args:
        names: What this machine is called by whoever may ask; any page in a browser can find the port.
    """

    def __init__(self, app: Wsgi, names: Collection[str]) -> None:
        self._app = app
        self._names = names
        self._free = threading.Lock()
        self._changed = threading.Condition()
        self._changes = 0
        self._closed = False

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if _is_a_pages(environ) or _host(environ) not in self._names:
            start_response("403 Forbidden", [("content-type", "text/plain")])
            return [b"moto answers clients of AWS on this machine\n"]
        service, _, action = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")
        if service == "AmazonSQS" and action == "ReceiveMessage":
            return self._receive(environ, start_response)
        answer = self._alone(environ, start_response)
        if service == "AmazonSQS" and action not in _READS:
            self._wake()
        return answer

    def close(self) -> None:
        """Let long polls end."""
        self._closed = True
        self._wake()

    def _alone(self, environ: Environ, start_response: StartResponse) -> list[bytes]:
        with self._free:
            answer = self._app(environ, start_response)
            try:
                return list(answer)
            finally:
                if hasattr(answer, "close"):
                    answer.close()

    def hasten_messages(self) -> None:
        """Let every delay and visibility timeout be over now, in all queues."""
        with self._free:
            for backend in (backend for regions in sqs_backends.values() for backend in regions.values()):
                for queue in backend.queues.values():
                    for message in queue._messages:
                        message.delayed_until = message.visible_at = 0
        self._wake()

    def drop_messages(self) -> None:
        """Empty all queues; SQS' own purge may be asked for once a minute only."""
        with self._free:
            for backend in (backend for regions in sqs_backends.values() for backend in regions.values()):
                for queue in backend.queues.values():
                    queue._messages.clear()
                    queue.pending_messages.clear()

    def _wake(self) -> None:
        with self._changed:
            self._changes += 1
            self._changed.notify_all()

    def _receive(self, environ: Environ, start_response: StartResponse) -> list[bytes]:
        request = json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
        until = time.monotonic() + int(request.get("WaitTimeSeconds") or 0)
        # An explicit 0, or moto would take the queue's own wait.
        body = json.dumps({**request, "WaitTimeSeconds": 0}).encode()
        while True:
            heads: list[tuple[Any, ...]] = []
            again = {**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
            answer = self._alone(again, lambda *head, kept=heads: kept.append(head))
            left_s = until - time.monotonic()
            if left_s <= 0 or self._closed or not _is_empty(answer):
                start_response(*heads[0])
                return answer
            self._wait(until, str(request.get("QueueUrl")))

    def _wait(self, until: float, queue_url: str) -> None:
        """Wait until there is something to receive, or no time left: to ask moto in vain costs it milliseconds each time."""
        while True:
            seen = self._changes
            left_s = until - time.monotonic()
            if self._closed or left_s <= 0 or self._has_some(queue_url):
                return
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._changes != seen, min(left_s, _LOOK_AGAIN_S))  # noqa: B023 called before seen changes

    def _has_some(self, queue_url: str) -> bool:
        """Say whether a queue has a message that is neither delayed nor taken; True of a queue that is not there."""
        name = queue_url.rpartition("/")[2]
        with self._free:
            named = [
                backend.queues[name]
                for regions in sqs_backends.values()
                for backend in regions.values()
                if name in backend.queues
            ]
            return not named or any(queue.messages for queue in named)


def _is_a_pages(environ: Environ) -> bool:
    """Say whether another site's page has a browser ask: moto would answer any, and no client of AWS says these."""
    return "HTTP_ORIGIN" in environ or environ.get("HTTP_SEC_FETCH_SITE") in ("cross-site", "same-site")


def _host(environ: Environ) -> str:
    """Return what a request calls this machine: a name of somebody else's may lead a browser here (DNS rebinding)."""
    return str(environ.get("HTTP_HOST", "")).partition(":")[0]


def _is_empty(answer: list[bytes]) -> bool:
    response = json.loads(b"".join(answer) or b"{}")
    return not response.get("Messages") and "__type" not in response


class MotoServer:
    """
    All of moto on a port of this machine.

    Args:
        also_on: Addresses beside the loopback on which it listens, on the same port.
    """

    def __init__(self, port: int = 0, also_on: Sequence[str] = ()) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        hosts = ("127.0.0.1", *also_on)
        names = {*hosts, "localhost", CONTAINER_HOST}
        self._app = OneAtATime(DomainDispatcherApplication(create_backend_app), names)
        self._servers: list[BaseWSGIServer] = []
        for host in hosts:
            server = make_server(host, port, self._app, threaded=True, request_handler=MotoRequestHandler)
            port = server.server_port
            self._servers.append(server)
        self._threads = [
            threading.Thread(target=server.serve_forever, args=(0.05,), name="moto", daemon=True)
            for server in self._servers
        ]
        self.url = f"http://127.0.0.1:{port}"

    def start(self) -> None:
        """Start to answer."""
        for thread in self._threads:
            thread.start()

    def drop_messages(self) -> None:
        """Empty all queues."""
        self._app.drop_messages()

    def hasten_messages(self) -> None:
        """Let every delay and visibility timeout be over now, in all queues."""
        self._app.hasten_messages()

    def stop(self) -> None:
        """Stop, and free the port."""
        self._app.close()
        for server, thread in zip(self._servers, self._threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()
