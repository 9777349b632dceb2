"""`python -m onebox up`, `demo`, `token USER`, `sam-local`, `docker` and `schema Attributes.swift`."""

import argparse
import json
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

from onebox import proxies
from onebox.command_line import for_all, will_start

if __name__ == "__main__":
    # What follows takes a moment to load, a long one the first time, and what stops it in order is not there before.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.version_info < (3, 13) or find_spec("moto") is None:
        sys.exit(f"{sys.executable} lacks what onebox needs: .venv/bin/python -m onebox … (`make demo` sets .venv up)")
    # Before there are threads, in which libcurl reads variables.
    proxies.lead_past(os.environ)
    if will_start(sys.argv[1:]):
        print("Starting AWS (moto), Apple (an APNs simulator), the API and the functions …", flush=True)

from lockstep.errors import Misconfigured
from onebox import ROOT
from onebox.aws import EVENT_BUS, REGION
from onebox.bridge import addresses
from onebox.demo import demo
from onebox.folder import Unusable, held
from onebox.identity import Identity
from onebox.phone import ATTRIBUTES_TYPE
from onebox.ports import HIGHEST, Ports, PortTaken
from onebox.sam.check import check
from onebox.sam.cli import BUILT, SamCli, SamFailed
from onebox.sam.image import NoImage, fetch, image_of, see_docker
from onebox.stack import Stack
from onebox.swift.command import add_options, schema
from onebox.template import Template

_ENDPOINTS = "endpoints.json"
_ENVIRONMENTS = "env.json"

# What is deployed is what runs here.
SCHEMAS = ROOT / "layers" / "schemas"

# How soon a signal to stop is heard.
_LOOK_S = 0.5

# Ctrl-C, whoever manages processes, and a terminal that is closed.
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# What a shell gives the exit status of a program that was stopped by Ctrl-C.
_INTERRUPTED = 130


def up(ports: Ports, local: Path, sam: SamCli | None) -> None:
    """Start the stack, say where it is, and stay until interrupted."""
    stop = threading.Event()
    _on_stops(lambda *_: stop.set())
    ports.see_that_they_are_free()
    files = {name: local / name for name in (_ENDPOINTS, _ENVIRONMENTS)}
    # Of a run that was killed: whoever waits for these files must not find the old ones.
    _remove(files)
    # Who tries it out will want to see what an account of theirs would be told.
    telling = {"EventBusName": EVENT_BUS}
    with Stack(
        local,
        ports=ports,
        log_folder=local / "logs",
        also_on=addresses(),
        sam=sam,
        parameters=telling,
        schemas=SCHEMAS,
    ) as stack:
        endpoints = stack.endpoints()
        print("All of it runs on this machine:")
        _write(files[_ENVIRONMENTS], stack.environments())
        _write(files[_ENDPOINTS], endpoints)
        try:
            for name, url in endpoints.items():
                if url is not None:
                    print(f"{name:25} {url}")
            print(f"{'logs':25} {local / 'logs'}")
            print(f"\nTo try: an iPhone for ana, an order on it, and what it shows\n{'\n'.join(to_try(endpoints))}\n")
            if proxies.are_set(os.environ):
                print(f"There is a proxy: say `export NO_PROXY={','.join(proxies.HERE)}` before them.\n")
            print("Ctrl-C stops it.", flush=True)
            # The system may hand the signal to any thread, and only this one runs Python's handler: it must wake up to do so.
            while not stop.wait(_LOOK_S):
                pass
        finally:
            _remove(files)


def to_try(endpoints: Mapping[str, str | None]) -> list[str]:
    """Return commands for a shell that make a phone, publish to it and look at it."""
    message = {
        "activity": "order-42",
        "to": {"users": ["ana"]},
        "aps": {
            "event": "start",
            "attributes-type": ATTRIBUTES_TYPE,
            # As in the guides, whose schema may be in layers/schemas.
            "attributes": {"shop": "Pizzeria Uno"},
            "content-state": {"driver": "Dora", "minutes": 40},
            "alert": {"title": "Order taken"},
        },
    }
    phones = shlex.quote(f"{endpoints['control']}/phones")
    account = "AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local"
    where = f"--region {REGION} --endpoint-url {endpoints['aws']} --queue-url {endpoints['publish_queue_url']}"
    return [
        f"""  curl -d '{{"user": "ana"}}' {phones}""",
        f"  {account} aws sqs send-message {where} --message-body {shlex.quote(json.dumps(message))}",
        f"  curl {phones}",
    ]


def _write(path: Path, content: Mapping[str, object]) -> None:
    """Write a file whole or not at all: somebody may be waiting for it."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(content, indent=2) + "\n")
    fresh.replace(path)


def _remove(files: Mapping[str, Path]) -> None:
    for path in files.values():
        path.unlink(missing_ok=True)


def main(arguments: list[str]) -> int:
    """Do what the command line says; returns the exit status."""
    about = "Lockstep's stack on one machine."
    parser = argparse.ArgumentParser(prog="python -m onebox", description=about, parents=[for_all()])
    commands = parser.add_subparsers(dest="command", required=True)
    up_parser = commands.add_parser("up", help="start everything and stay")
    for port in fields(Ports):
        option = f"--{port.name.replace('_', '-')}-port"
        up_parser.add_argument(option, dest=port.name, type=_port, default=0, metavar="PORT")
    demo_parser = commands.add_parser("demo", help="play two stories, and check them")
    for command in (up_parser, demo_parser):
        command.add_argument("--functions", choices=["process", "sam"], default="process", help="where functions run")
    example = "%(prog)s USER, for example: %(prog)s ana"
    token = commands.add_parser("token", help="print a JWT that the API accepts", usage=example)
    token.add_argument("user", help="who calls: the JWT's sub", metavar="USER")
    commands.add_parser("docker", help="see whether functions can run in containers here")
    commands.add_parser("sam-local", help="run every event and route in containers, and check what they did")
    add_options(
        commands.add_parser("schema", help="make the JSON Schema of ActivityAttributes in Swift, or check a change")
    )
    said = parser.parse_args(arguments)
    # `make demo` must not disturb a `make up` whose addresses and certificates are in the folder.
    local = said.local / said.command if said.command in ("demo", "sam-local") else said.local
    sam = SamCli(said.sam, local / "sam", local / "logs")
    try:
        unheld = said.command in ("token", "docker", "schema")
        with nullcontext() if unheld else held(local, f"make {said.command}"):
            status = _run(said, local, sam)
        sys.stdout.flush()
        return status
    except (Unusable, Misconfigured, NoImage, PortTaken, SamFailed) as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped, and nothing of it is left running.", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read what is printed has gone, and Python would complain of it once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _port(said: str) -> int:
    if not said.isdecimal() or int(said) > HIGHEST:
        raise argparse.ArgumentTypeError(f"{said} is no port: 0 to {HIGHEST}, and 0 lets the system choose")
    return int(said)


def _run(said: argparse.Namespace, local: Path, sam: SamCli) -> int:
    in_containers = said.command == "sam-local" or getattr(said, "functions", None) == "sam"
    if in_containers:
        sam.see_that_it_is_there()
        print(fetch(image_of(Template.load(BUILT, region=REGION))))
    match said.command:
        case "up":
            ports = Ports(**{port.name: getattr(said, port.name) for port in fields(Ports)})
            up(ports, local, sam if in_containers else None)
        case "demo":
            return demo(local, sam if in_containers else None)
        case "sam-local":
            return check(local, sam)
        case "schema":
            return schema(said.sources, said.output, said.check)
        case "docker":
            see_docker()
        case "token":
            print(Identity(local).token(said.user))
    return 0


def _on_stops(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for number in _STOPS:
        # `nohup` says that the end of the terminal shall not be ours.
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _stop_once(*_: object) -> None:
    """Stop what is under way; a person who is impatient must not keep it from clearing up."""
    _on_stops(signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    _on_stops(_stop_once)
    sys.exit(main(sys.argv[1:]))
