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
    server = urlsplit(work.url)
    client = APNs(
        key=Path(work.key_file).read_text(),
        key_id=work.key_id,
        team_id=work.team_id,
        topic=work.topic,
        max_connections=1,
        ssl_context=_trusting(work.ca_file),
    )
    # It has no argument for another host than Apple's.
    client.pool.protocol_class.APNS_SERVER = server.hostname
    client.pool.protocol_class.APNS_PORT = server.port
    pushes, good = work.pushes(), 0

    async def send() -> None:
        nonlocal good
        for number, token in pushes:
            request = NotificationRequest(
                token, payload(number), time_to_live=3600, priority=10, push_type=PushType.LIVEACTIVITY
            )
            answer = await client.send_notification(request)
            good += answer.is_successful

    await asyncio.gather(*(send() for _ in range(work.in_flight)))
    print(good)


def _trusting(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file)
    context.set_alpn_protocols(["h2"])
    return context


asyncio.run(main())
