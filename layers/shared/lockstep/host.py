"""An APNs host: pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from lockstep.apns import Push


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

    def headers(self, push: Push, bearer: str) -> list[str]:
        """Write a push's headers as libcurl takes them; "Sending notification requests to APNs"."""
        return [
            f"authorization: bearer {bearer}",
            f"apns-topic: {self.topic}",
            "apns-push-type: liveactivity",
            f"apns-priority: {push.priority}",
            f"apns-expiration: {push.expiration_s}",
            "content-type: application/json",
            # libcurl's own, which Apple doesn't ask for.
            "accept:",
            *([f"apns-collapse-id: {push.collapse_id}"] if push.collapse_id else []),
        ]
