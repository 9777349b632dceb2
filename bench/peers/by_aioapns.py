"""`python -m bench.peers.by_aioapns`: PyPI's aioapns, one connection."""

import asyncio
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from aioapns import APNs, NotificationRequest, PushType

from bench.peers.work import Work, payload


async def main() -> None:
    """Send what there is to send; print how much was answered 200."""
    work = Work.given()
    client = client_to(work, trusting(work.ca_file, ["h2"]))
    pushes, good = work.pushes(), 0

    async def send() -> None:
        nonlocal good
        for number, token in pushes:
            answer = await client.send_notification(request_of(token, payload(number)))
            good += answer.is_successful

    await asyncio.gather(*(send() for _ in range(work.in_flight)))
    print(good)


def client_to(work: Work, context: ssl.SSLContext) -> APNs:
    """Make the client; it has no argument for another host than Apple's."""
    client = APNs(
        key=Path(work.key_file).read_text(),
        key_id=work.key_id,
        team_id=work.team_id,
        topic=work.topic,
        max_connections=1,
        ssl_context=context,
    )
    server = urlsplit(work.url)
    client.pool.protocol_class.APNS_SERVER = server.hostname
    client.pool.protocol_class.APNS_PORT = server.port
    return client


def request_of(token: str, message: dict[str, object], *, topic: str | None = None) -> NotificationRequest:
    """Make a push."""
    return NotificationRequest(
        token, message, time_to_live=3600, priority=10, push_type=PushType.LIVEACTIVITY, apns_topic=topic
    )


def trusting(ca_file: str, protocols: list[str]) -> ssl.SSLContext:
    """Trust this authority; speak one of these protocols, or say nothing of any (ALPN)."""
    context = ssl.create_default_context(cafile=ca_file)
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


if __name__ == "__main__":
    asyncio.run(main())
