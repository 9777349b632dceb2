"""What `python -m onebox` can tell of its command line before it has loaded what takes a moment."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from onebox import ROOT

LOCAL = ROOT / ".local"

# These take a moment to start.
_STARTING = ("demo", "up")


def for_all() -> argparse.ArgumentParser:
    """Return the options that every command has, for a parser to have, too."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--local", type=Path, default=LOCAL, help="folder for keys, addresses and logs")
    parser.add_argument("--sam", type=Path, default=Path("sam"), help="the SAM CLI")
    return parser


def will_start(arguments: Sequence[str]) -> bool:
    """Say whether the stack is to be started, and not only asked how."""
    parser = argparse.ArgumentParser(parents=[for_all()], add_help=False, exit_on_error=False)
    parser.add_argument("command", nargs="?")
    parser.add_argument("-h", "--help", action="store_true")
    try:
        said, _ = parser.parse_known_args(arguments)
    except argparse.ArgumentError:
        return False
    return said.command in _STARTING and not said.help
