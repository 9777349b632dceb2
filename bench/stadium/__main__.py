"""`python -m bench.stadium`: 30,156 followers, a start, ten updates at random moments, and everything that can go wrong."""

import argparse
import os
import random
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.cloud import deployed
from bench.machine import machine
from bench.processes import cpu_s
from bench.quick_moto import quick_moto
from bench.stadium import report
from bench.stadium.apple import Apple
from bench.stadium.broadcasts import Saying, unsaid
from bench.stadium.crowd import Crowd
from bench.stadium.functions import Functions
from bench.stadium.judge import Judge, unanswered
from bench.stadium.match import Match, Sizes, StillBusy
from lockstep.channels import Storage
from lockstep.phones import ROWS_OF_PHONE
from onebox.queues import Queues
from onebox.stack import BUNDLE_ID

# From so many phones on all is as in the template; fewer make a smaller world: pages, timeouts and gaps shrink.
_FULL = 30_000
_MEAN_GAP_S = 25.0
_LEAST_TIMEOUT_S = 3.0

_DEAD_LETTERS = ("PublishDeadLetterQueue", "DeliveryDeadLetterQueue", "SliceDeadLetterQueue")


def main(arguments: Sequence[str]) -> int:
    """Play; the exit status is 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="make stadium", description=__doc__)
    parser.add_argument("--phones", type=int, default=30_156)
    parser.add_argument("--functions", type=int, default=2, help="for slices, side by side")
    parser.add_argument("--crashes", type=int, default=2, help="functions that die in each state")
    parser.add_argument("--channel", choices=list(Storage), help="also by broadcasts, to phones with iOS 18 and later")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000)
    parser.add_argument("--keep", type=Path, help="an empty folder for what Apple was sent and the functions' logs")
    said = parser.parse_args(arguments)
    with ExitStack() as stack:
        folder = said.keep or Path(stack.enter_context(TemporaryDirectory(prefix="lockstep-stadium-")))
        try:
            held = play(said.phones, said.functions, said.crashes, said.seed, said.channel, folder, stack)
        except StillBusy as error:
            print(f"no end: {error}", file=sys.stderr)
            return 1
    return 0 if held else 1


def play(
    phones: int, functions_count: int, crashes: int, seed: int, channel: str | None, folder: Path, stack: ExitStack
) -> bool:
    """Set the stadium up, play the match, print what came of it; say whether all promises held."""
    dice, share = random.Random(seed), min(1.0, phones / _FULL)  # noqa: S311 luck, not a secret
    stack.enter_context(quick_moto())
    cloud = stack.enter_context(deployed())
    timeout_s = max(_LEAST_TIMEOUT_S, cloud.push.timeout_s * share)
    page = max(5, int(int(cloud.variables["PAGE_PHONES"]) * share))
    sizes = Sizes(phones, _MEAN_GAP_S * share, crashes, timeout_s, page, channel)
    for queue in cloud.sources:
        visibility_s = str(int(sizes.timeout_s * 1.25))
        cloud.aws.sqs.set_queue_attributes(
            QueueUrl=cloud.aws.queues[queue], Attributes={"VisibilityTimeout": visibility_s}
        )
    apple = stack.enter_context(Apple(folder, cloud.key, BUNDLE_ID, seed=seed))
    crowd = Crowd(cloud.aws, apple, phones, dice, strangers=max(2, phones // 100), late=phones // 50)
    crowd.enter()
    environment = cloud.environment(
        apns_url=apple.production_url,
        sandbox_url=apple.sandbox_url,
        channels_urls=apple.channels_urls,
        ca_file=apple.ca_file,
    )
    functions = Functions(
        cloud,
        environment,
        folder,
        queues=[("PublishQueue", "DeliveryQueue"), *[("SliceQueue",)] * functions_count],
        timeout_s=sizes.timeout_s,
        page=sizes.page,
        died=apple.flush,
    )
    match = Match(cloud, apple, crowd, functions, sizes, dice)
    began_s, began_cpu_s, apple_began_s = time.monotonic(), cpu_s(os.getpid()), cpu_s(apple.pid)
    with functions.running():
        match.kick_off()
        started_s = time.monotonic() - began_s
        match.play()
    wall_s = time.monotonic() - began_s
    moto_cpu_s, apple_cpu_s = cpu_s(os.getpid()) - began_cpu_s, cpu_s(apple.pid) - apple_began_s
    judge = Judge(
        match.entries,
        crowd,
        [at_ms for at_ms, _ in functions.toll.crashed_ms],
        last_state=len(match.published_ms) - 1,
        page=ROWS_OF_PHONE * sizes.page,
        unanswered=unanswered(functions.logs),
        channels=apple.channels(),
        saying=Saying(channel == Storage.FREQUENT, unsaid(functions.logs), int(sizes.timeout_s * 1000)),
    )
    queues = Queues(cloud.aws.sqs, cloud.aws.queues)
    verdicts = judge.verdicts({name: queues.look(name) for name in _DEAD_LETTERS}, functions.logs)
    print(
        f"{machine()}. {phones:,} phones, {functions_count} functions for slices and one for publishes and deliveries;"
        f"{f" a channel ('{channel}');" if channel else ''} pages of {sizes.page} phones, timeouts of {sizes.timeout_s:.0f} s;"
        f" seed {seed}."
        f"\n\nFrom the first publish to rest: {wall_s:,.0f} s, of it {started_s:,.0f} s until every phone was started or"
        f" had started itself.\n"
    )
    tables = (
        report.states(match, judge.heard),
        report.pushes(match.entries, judge.repeats),
        report.toll(functions.toll, moto_cpu_s, apple_cpu_s, wall_s),
        report.verdicts(verdicts),
    )
    print("\n\n".join(tables))
    return all(verdict.held for verdict in verdicts)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
