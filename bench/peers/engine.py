"""`python -m bench.peers.engine [--one-body]`: Lockstep's engine, with a body for each push or with one for all."""

import os
import sys
import time

from bench.peers.work import EXPIRATION_S, Work, body
from lockstep.apns import Accepted, Push
from lockstep.engine import Engine
from lockstep.provider_token import ProviderToken, SigningKey

_DEADLINE_S = 600


def main(arguments: list[str]) -> None:
    """Send what there is to send; print how much was answered 200."""
    work = Work.given()
    key = SigningKey.from_json(os.environ["SIGNING_KEY"])
    engine = Engine(work.url, work.topic, ProviderToken(key, time.time), ca_file=work.ca_file, in_flight=work.in_flight)
    if "--one-body" in arguments:
        ready = body(0)
        pushes = (Push(token, ready, 10, EXPIRATION_S) for _, token in work.pushes())
    else:
        pushes = (Push(token, body(number), 10, EXPIRATION_S) for number, token in work.pushes())
    sent = engine.send(pushes, deadline_s=time.time() + _DEADLINE_S)
    print(sum(isinstance(outcome, Accepted) for _, outcome in sent))
    engine.close()


if __name__ == "__main__":
    main(sys.argv[1:])
