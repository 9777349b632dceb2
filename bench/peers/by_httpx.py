"""`python -m bench.peers.by_httpx`: httpx over HTTP/2, as many requests at once as there may be streams."""

import asyncio
import ssl

import httpx

from bench.peers.work import Work, body


async def main() -> None:
    """Send what there is to send; print how much was answered 200."""
    work = Work.given()
    headers = dict(header.split(": ", 1) for header in work.headers)
    pushes, good = work.pushes(), 0

    async def send(client: httpx.AsyncClient) -> None:
        nonlocal good
        for number, token in pushes:
            answer = await client.post(f"/3/device/{token}", content=body(number))
            good += answer.status_code == 200

    limits = httpx.Limits(max_connections=1)
    async with httpx.AsyncClient(
        base_url=work.url,
        http1=False,
        http2=True,
        headers=headers,
        verify=ssl.create_default_context(cafile=work.ca_file),
        limits=limits,
        timeout=60,
    ) as client:
        await asyncio.gather(*(send(client) for _ in range(work.in_flight)))
    print(good)


asyncio.run(main())
