"""Single requests to APNs, by httpx: what a stack says on channels and about them. Pushes go through `engine`."""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockstep.apns import Rejected, Unanswered
from lockstep.json_values import parse
from lockstep.key_source import KeySource
from lockstep.provider_token import ProviderToken, SigningKey
from lockstep.reasons import Remedy

if TYPE_CHECKING:
    import httpx

_TIMEOUT_S = 5.0

# A connection that was idle for longer, by the wall clock, is not used again: a container may have been frozen meanwhile.
_IDLE_S = 60


@dataclass(slots=True)
class _Client:
    """A connection of ours to a host, and what it presents there."""

    http: "httpx.Client"
    token: ProviderToken
    bearer: str
    used_at_s: float

    def __del__(self) -> None:
        """Leave no socket behind: httpx itself does."""
        self.http.close()


class SingleRequests:
    """
    Keeps a connection per host, opened at the first request to it; not for use by two threads.

    Args:
        ca_file: PEM file of the roots that are trusted.
    """

    def __init__(self, *, ca_file: str, keys: KeySource, now: Callable[[], float]) -> None:
        self._ca_file = ca_file
        self._keys = keys
        self._now = now
        self._key: SigningKey | None = None
        self._clients: dict[str, _Client] = {}

    def close(self) -> None:
        """Close the connections; the next request opens others."""
        for client in self._clients.values():
            client.http.close()
        self._clients.clear()

    def ask(
        self, url: str, method: str, headers: Mapping[str, str], body: bytes
    ) -> "httpx.Response | Rejected | Unanswered":
        """
        Ask once, or twice where Apple calls a good provider token stale.

        Returns:
            A response of a status from 200 up, or else what came of it; never raises for a request.
        """
        outcome = self._once(url, method, headers, body)
        if isinstance(outcome, Rejected):
            if outcome.remedy is Remedy.NEW_PROVIDER_TOKEN:
                self._client(url).token.expired()
                self._drop(url)
                outcome = self._once(url, method, headers, body)
            elif outcome.reconnects:
                self._drop(url)
            if isinstance(outcome, Rejected) and outcome.remedy is Remedy.STOP_AND_ALARM:
                self._keys.doubt()
        return outcome

    def _once(
        self, url: str, method: str, headers: Mapping[str, str], body: bytes
    ) -> "httpx.Response | Rejected | Unanswered":
        import httpx

        client = self._client(url)
        try:
            answer = client.http.request(
                method, url, headers={**headers, "authorization": f"bearer {client.bearer}"}, content=body or None
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            self._drop(url)
            return Unanswered(maybe_taken=False, why=f"could not connect: {type(error).__name__}")
        except httpx.HTTPError as error:
            self._drop(url)
            return Unanswered(maybe_taken=True, why=type(error).__name__)
        client.used_at_s = self._now()
        return answer if answer.is_success else Rejected(answer.status_code, _reason(answer.text))

    def _client(self, url: str) -> _Client:
        """Return the connection to a URL's host, if it is good for one more request, or a new one."""
        key = self._keys.get()
        if key != self._key:
            self.close()
            self._key = key
        host = _host(url)
        client = self._clients.get(host)
        # Apple counts a second provider token on one connection as an update too soon.
        if client is not None and (client.bearer != client.token.current() or self._now() - client.used_at_s > _IDLE_S):
            client.http.close()
            client = self._clients[host] = self._connected(client.token)
        if client is None:
            client = self._clients[host] = self._connected(ProviderToken(key, self._now))
        return client

    def _connected(self, token: ProviderToken) -> _Client:
        # Only a stack that has channels pays for it.
        import httpx

        http = httpx.Client(
            http1=False,
            http2=True,
            verify=ssl.create_default_context(cafile=self._ca_file),
            timeout=_TIMEOUT_S,
            limits=httpx.Limits(keepalive_expiry=_IDLE_S),
            trust_env=False,
        )
        return _Client(http, token, token.current(), self._now())

    def _drop(self, url: str) -> None:
        """Leave a connection, and keep what is known of the clock."""
        client = self._clients.get(_host(url))
        if client is not None:
            client.http.close()
            self._clients[_host(url)] = self._connected(client.token)


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]


def _reason(text: str) -> str:
    try:
        answer = parse(text)
    except ValueError:
        return ""
    reason = answer.get("reason") if isinstance(answer, dict) else None
    return reason if isinstance(reason, str) else ""
