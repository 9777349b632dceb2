"""
`python -m bench.engine_alone`: the engine without the function around it, in a process of its own.

A request is `{"tokens": [...], "body", "priority", "expiration_s"}`; the environment is push's, and `SIGNING_KEY`.
"""

import os
import sys
import time
from dataclasses import replace
from typing import Any

from bench.spent import Spent
from bench.stopwatch import Stopwatch
from bench.worker import serve
from lockstep.apns import Accepted, Outcome, Push
from lockstep.engine import Engine
from lockstep.provider_token import ProviderToken, SigningKey

_DEADLINE_S = 60


def main() -> None:
    """Serve until stdin ends."""
    engine = Engine(
        os.environ["APNS_PRODUCTION_URL"],
        f"{os.environ['BUNDLE_ID']}.push-type.liveactivity",
        ProviderToken(SigningKey.from_json(os.environ["SIGNING_KEY"]), time.time),
        ca_file=os.environ["APNS_CA_FILE"],
    )
    stopwatch = Stopwatch()

    def send(request: dict[str, Any]) -> Spent:
        body, priority, expiration_s = request["body"].encode(), request["priority"], request["expiration_s"]
        pushes = [Push(token, body, priority, expiration_s) for token in request["tokens"]]
        outcomes: list[Outcome] = []
        sent = engine.send(pushes, deadline_s=time.time() + _DEADLINE_S)
        spent = stopwatch.spent(lambda: outcomes.extend(outcome for _, outcome in sent))
        return replace(spent, pushes=sum(isinstance(outcome, Accepted) for outcome in outcomes))

    serve(sys.stdin, sys.stdout, send)
    engine.close()


if __name__ == "__main__":
    main()
