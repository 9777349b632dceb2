"""
`python -m tests.foreign.by_aioapns`: what PyPI's aioapns says of pushes, in a NotificationResult or by what it raises.

A line of pushes in, to be sent at once; a line back of what became of each. `--no-alpn`: with TLS as aioapns sets it up.
"""

import asyncio
import json
import sys
from typing import Any

from aioapns.exceptions import MaxAttemptsExceeded

from bench.peers.by_aioapns import client_to, request_of, trusting
from bench.peers.work import Work

# It gives up a connection on which nothing was written for so long: 10 s, which no test needs to wait for.
_INACTIVITY_S = 3


async def main() -> None:
    """Send what there is to send, until there is no more."""
    work = Work.given()
    client = client_to(work, trusting(work.ca_file, [] if "--no-alpn" in sys.argv else ["h2"]))
    client.pool.protocol_class.INACTIVITY_TIME = _INACTIVITY_S

    async def send(push: dict[str, Any]) -> dict[str, object]:
        request = request_of(push["token"], {"aps": push["aps"]}, topic=push["topic"])
        try:
            result = await client.send_notification(request)
        except MaxAttemptsExceeded as error:
            return {"error": type(error).__name__}
        return {"status": int(result.status), "reason": result.description, "timestamp": result.timestamp}

    while line := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(await asyncio.gather(*map(send, json.loads(line)))), flush=True)


asyncio.run(main())
