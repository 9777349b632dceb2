"""The functions of a stack, in containers of the SAM CLI."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from onebox.function_log import FunctionLog
from onebox.http_api import Integration
from onebox.lambda_runtime import Invocable
from onebox.sam.cli import SamCli
from onebox.sam.functions import Environments, SamApi, SamFunction

# Nobody calls a function that queues feed.
_NOBODY = ""


@contextmanager
def containers(
    sam: SamCli, functions: Sequence[str], environments: Environments
) -> Iterator[tuple[dict[str, Invocable], Integration]]:
    """Run the functions for a while; yields what event sources invoke, and what answers the API's requests."""
    with ExitStack() as stack:
        url = stack.enter_context(sam.serving("start-lambda", "start-lambda", environments(_NOBODY)))
        api = SamApi(sam, environments)
        stack.callback(api.stop)
        logs = {name: FunctionLog(name, sam.logs) for name in functions}
        for log in logs.values():
            stack.callback(log.close)
        yield {name: SamFunction(name, url, log) for name, log in logs.items()}, api.answer
