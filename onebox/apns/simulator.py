"""Apple's push service on this machine: real TLS, real HTTP/2, its checks in its order, and faults on demand."""

import asyncio
import ssl
import threading
import time
import weakref
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from lockstep.apns import Environment
from onebox.apns.certificates import server_context
from onebox.apns.channels import Channels
from onebox.apns.connection import Connection
from onebox.apns.device_tokens import DeviceTokens, Receive, TokenKind
from onebox.apns.faults import Fault, Faults
from onebox.apns.gateway import Gateway, StreamLimits
from onebox.apns.management import Management, ManagementRequest
from onebox.apns.provider_tokens import ProviderKeys
from onebox.apns.received import ReceivedPush, RequestLog

__all__ = ["ApnsSimulator", "Fault", "Faults", "ReceivedPush", "StreamLimits"]

_START_STOP_S = 10.0


class ApnsSimulator:
    """
    Both environments of APNs, each on ports of its own for pushes and for channels, in a thread of its own.

    What phones do with a push is not its affair: it calls the token's `receive` in its thread, and records the verdict.

    Args:
        keys: The public keys that APNs knows for the team, by key id: PEM, SubjectPublicKeyInfo.
        now: Seconds since 1970; for provider tokens and records. TLS uses the real clock.
        directory: Where its certificates go.
        ports: Of each environment; one that is missing is chosen by the system, and kept for the next start.
        also_on: Addresses beside the loopback on which it listens, on the same ports.
        log: Keeps the requests; default: all of them, in memory.
    """

    def __init__(
        self,
        *,
        bundle_id: str,
        team_id: str,
        keys: Mapping[str, str],
        directory: Path,
        now: Callable[[], float] = time.time,
        ports: Mapping[Environment, int] | None = None,
        also_on: Sequence[str] = (),
        stream_limits: StreamLimits | None = None,
        log: RequestLog[ReceivedPush] | None = None,
    ) -> None:
        self.faults = Faults()
        self.keys = ProviderKeys(team_id, keys)
        self.stream_limits = stream_limits or StreamLimits()
        self.ca_file = directory / "apns-ca.pem"
        self._directory = directory
        self._hosts = ("127.0.0.1", *also_on)
        self._now = now
        self._tokens = DeviceTokens()
        self.channels = Channels(now)
        self._log = RequestLog[ReceivedPush](now) if log is None else log
        self._management_log = RequestLog[ManagementRequest](now)
        self._context: ssl.SSLContext | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._servers: list[asyncio.Server] = []
        self._connections: weakref.WeakSet[Connection] = weakref.WeakSet()
        self._made = 0
        self._gateways = {
            environment: Gateway(
                environment,
                bundle_id,
                self.keys,
                self._tokens,
                self.channels,
                self.faults,
                self._log,
                self.stream_limits,
                now,
            )
            for environment in Environment
        }
        self._managements = {
            environment: Management(
                environment, bundle_id, self.keys, self.channels, self.faults, self._management_log, now
            )
            for environment in Environment
        }
        self._ports = {id(self._gateways[environment]): port for environment, port in (ports or {}).items()}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen. After a stop: again on the same ports, with the same certificates."""
        if self._context is None:
            self._context = server_context(self._directory, self.ca_file)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="apns-simulator", daemon=True)
        self._thread.start()
        self._run(self._listen(self._context))

    def stop(self) -> None:
        """Close every connection and listen no more."""
        if self._loop is None or self._thread is None:
            return
        self._run(self._shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_START_STOP_S)
        self._loop.close()
        self._loop = self._thread = None

    @property
    def production_url(self) -> str:
        """Where production listens."""
        return self._url(self._gateways[Environment.PRODUCTION])

    @property
    def sandbox_url(self) -> str:
        """Where the sandbox listens."""
        return self._url(self._gateways[Environment.SANDBOX])

    def channels_url(self, environment: Environment) -> str:
        """Where the channels of an environment are managed."""
        return self._url(self._managements[environment])

    @property
    def connections_made(self) -> int:
        """How many connections completed their TLS handshake, in both environments."""
        return self._made

    def issue_token(
        self,
        environment: Environment,
        *,
        receive: Receive | None = None,
        hex_chars: int = 160,
        kind: TokenKind = "liveactivity",
        token: str | None = None,
    ) -> str:
        """
        Make a live token.

        Args:
            receive: Gets each push that is taken for it, and returns the phone's verdict.
            token: The one to be made, where it stands in data of another day.
        """
        return self._tokens.issue(environment, kind, receive, hex_chars, token)

    def kill_token(
        self,
        token: str,
        *,
        at_ms: int | None = None,
        reason: Literal["Unregistered", "ExpiredToken"] = "Unregistered",
    ) -> None:
        """Answer 410 for it from now on, with this timestamp (default: now)."""
        self._tokens.kill(token, int(self._now() * 1000) if at_ms is None else at_ms, reason)

    def revive_token(self, token: str) -> None:
        """Let a dead token live again."""
        self._tokens.revive(token)

    def go_away(self, reason: str | None = None) -> None:
        """Send GOAWAY on every connection now, as APNs does with "IdleTimeout" to one that was idle."""
        self._for_each_connection(lambda connection: connection.go_away(reason))

    def reset_connections(self) -> None:
        """Reset every TCP connection now."""
        self._for_each_connection(Connection.reset)

    def catch_up(self) -> None:
        """Look at all that has come to this machine so far, also from clients that are gone by now."""
        # The loop reads once of every connection in each turn, and a stream's window lets nobody have sent more than that.
        self._run(asyncio.sleep(0))

    @property
    def pushes(self) -> list[ReceivedPush]:
        """All requests since the start or the last clear; the list is a copy."""
        return self._log.received()

    def received(self) -> list[ReceivedPush]:
        """All requests since the start or the last clear; the list is a copy."""
        return self._log.received()

    @property
    def managed(self) -> list[ManagementRequest]:
        """All requests about channels since the start or the last clear; the list is a copy."""
        return self._management_log.received()

    def clear(self) -> None:
        """Forget the requests so far. Tokens and channels stay."""
        self._log.clear()
        self._management_log.clear()

    def wait_for(self, predicate: Callable[[list[ReceivedPush]], bool], timeout_s: float = 5) -> list[ReceivedPush]:
        """
        Wait until the predicate is true of the requests so far, and return them.

        Raises:
            TimeoutError: It was not true in time.
        """
        return self._log.wait_for(predicate, timeout_s)

    def _url(self, gateway: Gateway | Management) -> str:
        return f"https://localhost:{self._ports[id(gateway)]}"

    async def _listen(self, context: ssl.SSLContext) -> None:
        loop = asyncio.get_running_loop()
        gateways: list[Gateway | Management] = [*self._gateways.values(), *self._managements.values()]
        for gateway in gateways:
            for host in self._hosts:
                server = await loop.create_server(
                    partial(Connection, gateway, self._connected),
                    host,
                    self._ports.get(id(gateway), 0),
                    ssl=context,
                    backlog=1024,
                    ssl_shutdown_timeout=1,
                )
                self._ports[id(gateway)] = server.sockets[0].getsockname()[1]
                self._servers.append(server)

    async def _shut(self) -> None:
        for server in self._servers:
            server.close()
            server.abort_clients()
        for server in self._servers:
            await server.wait_closed()
        self._servers.clear()

    def _connected(self, connection: Connection) -> int:
        self._connections.add(connection)
        self._made += 1
        return self._made

    def _for_each_connection(self, act: Callable[[Connection], None]) -> None:
        async def act_on_each() -> None:
            for connection in list(self._connections):
                act(connection)

        self._run(act_on_each())

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_START_STOP_S)
