"""An APNs host: pure."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Host:
    """
    An APNs host, and how we speak to it.

    Attributes:
        url: Without a path.
        topic: `apns-topic`: the bundle id with `.push-type.liveactivity`.
        ca_file: PEM file of the roots that are trusted.
        streams: Pushes under way at once, where the server allows as many.
        request_timeout_s: Of one push.
        alone_timeout_s: Of a push that goes alone, the connecting included.
        resolve: Addresses in place of those that DNS has: "host:port:address[,address]".
    """

    url: str
    topic: str
    ca_file: str
    streams: int
    request_timeout_s: float
    alone_timeout_s: float
    resolve: Sequence[str] = ()
