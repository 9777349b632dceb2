"""Pushes of both APNs environments, through one engine each, with the key they need."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from lockstep.apns import Environment, Outcome, Push
from lockstep.engine import Engine
from lockstep.key_source import KeySource
from lockstep.provider_token import ProviderToken, SigningKey
from lockstep.reasons import Remedy


class Sender:
    """Keeps a connection per environment, opened at the first push that wants it."""

    def __init__(
        self,
        urls: Mapping[Environment, str],
        *,
        bundle_id: str,
        ca_file: str,
        keys: KeySource,
        now: Callable[[], float],
    ) -> None:
        self._urls = urls
        # Live Activities have a topic of their own; starts, updates and ends share it.
        self._topic = f"{bundle_id}.push-type.liveactivity"
        self._ca_file = ca_file
        self._keys = keys
        self._now = now
        self._key: SigningKey | None = None
        self._engines: dict[Environment, Engine] = {}

    def prepare(self) -> None:
        """
        Have the key at hand; a changed one means new connections.

        Raises:
            Misconfigured: There is no usable key.
        """
        key = self._keys.get()
        if key != self._key:
            self.close()
            self._key = key
            token = ProviderToken(key, self._now)
            self._engines = {
                environment: Engine(url, self._topic, token, ca_file=self._ca_file, now=self._now)
                for environment, url in self._urls.items()
            }

    def send(self, pushes: Iterable[tuple[Environment, Push]], *, deadline_s: float) -> Iterator[tuple[Push, Outcome]]:
        """
        Yield one outcome for every push, in the order answers come; never raise for a push.

        Pushes are read as streams come free. Those of the second environment met wait for the first one's end: a
        stack's audience is nearly all of one.
        """
        waiting: dict[Environment, list[Push]] = {}
        source = iter(pushes)
        head = next(source, None)
        if head is None:
            return
        first = head[0]

        def of_first() -> Iterator[Push]:
            yield head[1]
            for environment, push in source:
                if environment is first:
                    yield push
                else:
                    waiting.setdefault(environment, []).append(push)

        yield from self._send(first, of_first(), deadline_s)
        for environment, later in waiting.items():
            yield from self._send(environment, later, deadline_s)

    def _send(
        self, environment: Environment, pushes: Iterable[Push], deadline_s: float
    ) -> Iterator[tuple[Push, Outcome]]:
        for push, outcome in self._engines[environment].send(pushes, deadline_s=deadline_s):
            if outcome.remedy is Remedy.STOP_AND_ALARM:
                self._keys.doubt()
            yield push, outcome

    def close(self) -> None:
        """Close the connections; the next `prepare` makes new ones."""
        for engine in self._engines.values():
            engine.close()
        self._engines = {}
        self._key = None
