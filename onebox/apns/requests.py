"""A request as it came over the wire, and a refusal of one."""

from collections.abc import Sequence
from dataclasses import dataclass, field

DEVICE_PATH = "/3/device"


@dataclass(frozen=True, slots=True)
class Request:
    """A whole request. `headers` are without the pseudo-headers; of a repeated one the first counts."""

    connection: int
    stream: int
    method: str
    path: str = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    repeats_header: bool
    body: bytes = field(repr=False)

    @property
    def token(self) -> str:
        """The device token in its path; empty if there is none."""
        return self.path.removeprefix(DEVICE_PATH).removeprefix("/") if self.path.startswith(DEVICE_PATH) else ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer other than 200. Without a reason it has no body."""

    status: int
    reason: str | None
    timestamp_ms: int | None = None
    retry_after_s: int | None = None


def to_request(connection: int, stream: int, headers: Sequence[tuple[str, str]], body: bytes) -> Request:
    """Make a request of what HTTP/2 brought."""
    plain: dict[str, str] = {}
    pseudo: dict[str, str] = {}
    repeats = False
    for name, value in headers:
        if name.startswith(":"):
            pseudo[name] = value
        elif name in plain:
            repeats = True
        else:
            plain[name] = value
    return Request(connection, stream, pseudo.get(":method", ""), pseudo.get(":path", ""), plain, repeats, body)
