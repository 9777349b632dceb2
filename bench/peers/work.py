"""What every client of the bench is to send, as its environment says; what each of them prints is how much was answered 200."""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

# Of every push (apns-expiration), Unix seconds.
EXPIRATION_S = 1_900_000_000


@dataclass(frozen=True, slots=True)
class Work:
    """
    Pushes to send over one connection.

    Attributes:
        url: Of the server, without a path.
        ca_file: PEM file of its root.
        jwt: The provider token, for those who don't make their own.
        key_file: The signing key as PEM, for those who do.
        tokens: To be gone through again and again.
        count: How many pushes.
        in_flight: How many streams at once.
    """

    url: str
    ca_file: str
    jwt: str
    key_file: str
    key_id: str
    team_id: str
    topic: str
    tokens: tuple[str, ...]
    count: int
    in_flight: int

    @staticmethod
    def given() -> "Work":
        """Read it."""
        said = os.environ
        return Work(
            said["BENCH_URL"],
            said["BENCH_CA_FILE"],
            said["BENCH_JWT"],
            said["BENCH_KEY_FILE"],
            said["BENCH_KEY_ID"],
            said["BENCH_TEAM_ID"],
            said["BENCH_TOPIC"],
            tuple(Path(said["BENCH_TOKENS_FILE"]).read_text().split()),
            int(said["BENCH_COUNT"]),
            int(said["BENCH_IN_FLIGHT"]),
        )

    @property
    def headers(self) -> list[str]:
        """Return the headers of every push, as libcurl takes them."""
        return [
            f"authorization: bearer {self.jwt}",
            f"apns-topic: {self.topic}",
            "apns-push-type: liveactivity",
            "apns-priority: 10",
            f"apns-expiration: {EXPIRATION_S}",
            "content-type: application/json",
        ]

    def pushes(self) -> Iterator[tuple[int, str]]:
        """Number the pushes; each with its token."""
        return enumerate(islice(cycle(self.tokens), self.count))


def content_state(number: int) -> dict[str, object]:
    """What a push tells the phone: with what is around it some 300 bytes, different for each."""
    return {
        "driver": "Ana",
        "minutes": number,
        "stage": "on its way",
        "stops": ["Gran Vía 1", "Alcalá 45", "Serrano 7"],
        "note": "The driver has your order and two more, and is at the second of three stops now.",
    }


def payload(number: int) -> dict[str, object]:
    """Return a push's body."""
    now_s = int(time.time())
    return {
        "aps": {
            "timestamp": now_s,
            "event": "update",
            "content-state": content_state(number),
            "stale-date": now_s + 3600,
            "relevance-score": 75,
        }
    }


def body(number: int) -> bytes:
    """Return the same as JSON."""
    return json.dumps(payload(number), separators=(",", ":")).encode()
