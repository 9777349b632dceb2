"""The clients against each other: the same work for each, in turns, so that the machine's moods hit all alike."""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.clients import COLD, Client, Sizes
from bench.echo import Echo
from bench.figures import Figure
from bench.nghttpd import Missing, Nghttpd
from bench.peers.work import body
from bench.spent import Spent
from bench.worker import MeasurementFailed
from lockstep.provider_token import ProviderToken, SigningKey
from onebox.signing_key import LocalSigningKey

TOPIC = "com.example.app.push-type.liveactivity"

# Streams that the server allows, as many as Apple does: how many there are at once is the client's doing.
STREAMS = 1000

# More would only be more files of the server's.
_TOKENS = 1000


@dataclass(frozen=True, slots=True)
class Track:
    """
    Servers, and what clients are to send to them.

    Attributes:
        environment: What a client is told, but for how much.
        echoing: What differs for one that needs the `apns-id` back; None where there is no such server.
    """

    environment: Mapping[str, str]
    echoing: Mapping[str, str] | None

    def of(self, client: Client) -> dict[str, str]:
        """Say to a client where the server is, and what to send."""
        if not client.echoed:
            return dict(self.environment)
        if self.echoing is None:
            raise MeasurementFailed("there is no server for it")
        return {**self.environment, **self.echoing}


@contextmanager
def track(*, echo: bool) -> Iterator[Track]:
    """Run nghttpd, and where it is wanted the other server."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="lockstep-bench-")))
        key = LocalSigningKey.fresh()
        tokens = [f"{number:0160x}" for number in range(_TOKENS)]
        apns = stack.enter_context(Nghttpd(tokens, streams=STREAMS))
        files = {
            "KEY": key.private_pem,
            "TOKENS": "\n".join(tokens),
            "URLS": "\n".join(f"{apns.url}/3/device/{token}" for token in tokens),
            "BODY": body(0).decode(),
        }
        for name, text in files.items():
            (folder / name).write_text(text)
        environment = {
            "BENCH_URL": apns.url,
            "BENCH_CA_FILE": str(apns.ca_file),
            "BENCH_JWT": ProviderToken(SigningKey.from_json(key.secret()), time.time).current(),
            "BENCH_KEY_ID": key.key_id,
            "BENCH_TEAM_ID": key.team_id,
            "BENCH_TOPIC": TOPIC,
            "SIGNING_KEY": key.secret(),
            **{f"BENCH_{name}_FILE": str(folder / name) for name in files},
        }
        echoing = {"BENCH_URL": stack.enter_context(Echo(apns.pem)).url} if echo else None
        yield Track(environment, echoing)


@dataclass(slots=True)
class Race:
    """
    What each client took, round by round.

    Attributes:
        in_flight: The numbers of streams at once to be measured.
        scale: By which all sizes are multiplied.
        runs: A small and a large run by client and streams, one of each a round.
        dropped: Why a client has no figure, by its name and streams.
    """

    clients: Sequence[Client]
    in_flight: Sequence[int]
    scale: float = 1
    runs: dict[tuple[str, int], list[tuple[Spent, Spent]]] = field(default_factory=lambda: defaultdict(list))
    dropped: dict[tuple[str, int], str] = field(default_factory=dict)

    def prepare(self) -> None:
        """Install the peers; who can't be installed is dropped."""
        for client in self.clients:
            try:
                client.install()
            except Missing as missing:
                self.dropped |= {(client.name, streams): str(missing) for streams in self.in_flight}

    def round(self, track: Track) -> None:
        """
        Let each run once in each size; a peer that can't, twice in a row, is dropped.

        Raises:
            MeasurementFailed: It was none of the peers.
        """
        for streams in self.in_flight:
            for client in self.clients:
                if (client.name, streams) not in self.dropped:
                    self._run(client, streams, track)

    def warm(self, client: Client, streams: int) -> Figure | None:
        """CPU µs a push, without what a process costs; None where it has no figure."""
        runs = self.runs.get((client.name, streams))
        return Figure(tuple((many - few).cpu_us_per_push for few, many in runs)) if runs else None

    def cold(self, client: Client) -> Figure | None:
        """CPU µs a push of a process that sends COLD, all that it takes from its start to its end."""
        runs = self.runs.get((client.name, self.in_flight[0]))
        if not runs:
            return None
        return Figure(tuple((few if client.sizes.few == COLD else many).cpu_us_per_push for few, many in runs))

    def _run(self, client: Client, streams: int, track: Track) -> None:
        for last in (False, True):
            try:
                self.runs[client.name, streams].append(self._both(client, streams, track))
                return
            except MeasurementFailed as failed:
                if not client.is_peer:
                    raise MeasurementFailed(f"{client.name}, {streams} in flight: {failed}") from failed
                # One push that is lost in a busy moment is no reason to have no figure at all; twice in a row is.
                if last:
                    self.runs.pop((client.name, streams), None)
                    self.dropped[client.name, streams] = str(failed)

    def _both(self, client: Client, streams: int, track: Track) -> tuple[Spent, Spent]:
        environment, sizes = track.of(client), self.scaled(client.sizes)
        few, many = (client.run(environment, count, streams) for count in (sizes.few, sizes.many))
        if many.cpu_s <= few.cpu_s:
            raise MeasurementFailed(f"{many.pushes:,} pushes took no more CPU than {few.pushes:,}: measure more")
        return few, many

    def scaled(self, sizes: Sizes) -> Sizes:
        """Return sizes of a smaller bench."""
        few = max(1, int(sizes.few * self.scale))
        return Sizes(few, max(few + 1, int(sizes.many * self.scale)))
