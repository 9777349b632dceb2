"""`python -m onebox up`, `demo`, `token USER`, `sam-local` and `schema Attributes.swift`."""

import argparse
import json
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from lockstep.errors import Misconfigured
from onebox import ROOT
from onebox.aws import EVENT_BUS, REGION
from onebox.bridge import addresses
from onebox.demo import demo
from onebox.identity import Identity
from onebox.ports import Ports
from onebox.sam.check import check
from onebox.sam.cli import BUILT, SamCli, SamFailed
from onebox.sam.image import NoImage, fetch, image_of
from onebox.stack import LOCAL, Stack
from onebox.swift.command import add_options, schema
from onebox.template import Template

_ENDPOINTS = "endpoints.json"
_ENVIRONMENTS = "env.json"

# What is deployed is what runs here.
SCHEMAS = ROOT / "layers" / "schemas"

# How soon a signal to stop is heard.
_LOOK_S = 0.5


def up(ports: Ports, local: Path, sam: SamCli | None) -> None:
    """Start the stack, say where it is, and stay until interrupted."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
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
        _write(files[_ENVIRONMENTS], stack.environments())
        _write(files[_ENDPOINTS], endpoints)
        try:
            for name, url in endpoints.items():
                if url is not None:
                    print(f"{name:18} {url}")
            print(f"{'logs':18} {local / 'logs'}")
            print("Ctrl-C stops it.", flush=True)
            # The system may hand the signal to any thread, and only this one runs Python's handler: it must wake up to do so.
            while not stop.wait(_LOOK_S):
                pass
        finally:
            _remove(files)


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
    parser = argparse.ArgumentParser(prog="python -m onebox", description="Lockstep's stack on one machine.")
    parser.add_argument("--local", type=Path, default=LOCAL, help="folder for keys, addresses and logs")
    parser.add_argument("--sam", type=Path, default=Path("sam"), help="the SAM CLI")
    commands = parser.add_subparsers(dest="command", required=True)
    up_parser = commands.add_parser("up", help="start everything and stay")
    for port in fields(Ports):
        option = f"--{port.name.replace('_', '-')}-port"
        up_parser.add_argument(option, dest=port.name, type=int, default=0, metavar="PORT")
    demo_parser = commands.add_parser("demo", help="play one story, and check it")
    for command in (up_parser, demo_parser):
        command.add_argument("--functions", choices=["process", "sam"], default="process", help="where functions run")
    commands.add_parser("token", help="print a JWT that the API accepts").add_argument("user")
    commands.add_parser("sam-local", help="run every event and route in containers, and check what they did")
    add_options(
        commands.add_parser("schema", help="make the JSON Schema of ActivityAttributes in Swift, or check a change")
    )
    said = parser.parse_args(arguments)
    sam = SamCli(said.sam, said.local / "sam", said.local / "logs")
    try:
        return _run(said, sam)
    except (Misconfigured, NoImage, SamFailed) as failure:
        print(failure, file=sys.stderr)
        return 1


def _run(said: argparse.Namespace, sam: SamCli) -> int:
    in_containers = said.command == "sam-local" or getattr(said, "functions", None) == "sam"
    if in_containers:
        print(fetch(image_of(Template.load(BUILT, region=REGION))))
    match said.command:
        case "up":
            ports = Ports(**{port.name: getattr(said, port.name) for port in fields(Ports)})
            up(ports, said.local, sam if in_containers else None)
        case "demo":
            return demo(said.local, sam if in_containers else None)
        case "sam-local":
            return check(said.local, sam)
        case "schema":
            return schema(said.sources, said.output, said.check)
        case "token":
            print(Identity(said.local).token(said.user))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
