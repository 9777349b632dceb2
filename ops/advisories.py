"""
`make check`: ask whether there are advisories against what the layer pins.

pip-audit asks, PyPI first and OSV where that gives no answer. An advisory makes the exit status 1. Where no source can be
reached, that is said, and is no failure: a machine without the internet can check everything else.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PINS = Path(__file__).parent.parent / "layers" / "dependencies" / "requirements.txt"

# To connect, and between two packets of an answer.
_TIMEOUT_S = 5

# For all pins at one source; a source that takes longer counts as one that can't be reached.
_PATIENCE_S = 60


# How pip-audit, and what it asks with, say that there was no answer or none that can be used.
_NO_ANSWER = re.compile(r"requests\.exceptions\.|ConnectionError|Could not connect|Timeout|ServiceError")


class Unreachable(Exception):
    """The source did not answer; says why."""


def advisories(pins: Path, *source: str) -> list[str]:
    """
    Return a line for each advisory against these pins.

    Args:
        source: How pip-audit is told where to ask.

    Raises:
        Unreachable: The source can't be.
        ValueError: pip-audit failed for another reason.
    """
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(pins), "--no-deps", "--disable-pip"]
    options = ["--format", "json", "--desc", "off", "--progress-spinner", "off", "--timeout", str(_TIMEOUT_S)]
    try:
        ran = subprocess.run([*command, *options, *source], capture_output=True, text=True, timeout=_PATIENCE_S)  # noqa: S603  # our own command
    except subprocess.TimeoutExpired as error:
        raise Unreachable(f"no answer within {_PATIENCE_S} s") from error
    if ran.stdout:
        return told(ran.stdout)
    if _NO_ANSWER.search(ran.stderr):
        raise Unreachable(ran.stderr.strip().rpartition("\n")[2][:200])
    raise ValueError(ran.stderr)


def told(answer: str) -> list[str]:
    """
    Read what pip-audit wrote: a line for each advisory, and for each pin that the source does not know.

    Raises:
        Unreachable: It knows none of them: not PyPI, but a mirror of it that has no advisories.
    """
    pins = json.loads(answer)["dependencies"]
    if all("skip_reason" in pin for pin in pins):
        raise Unreachable("it knows none of the pins")
    return [
        f"{pin['name']} {pin['version']}: {one['id']} ({', '.join(one['aliases'])}), "
        f"fixed in {', '.join(one['fix_versions']) or 'no version yet'}"
        for pin in pins
        for one in pin.get("vulns", [])
    ] + [f"{pin['name']}: {pin['skip_reason']}" for pin in pins if "skip_reason" in pin]


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m ops.advisories", description=__doc__)
    parser.add_argument("--pins", type=Path, default=PINS)
    parser.add_argument("--osv-url", help="the only source to ask; default: PyPI, then OSV")
    given = parser.parse_args(arguments)
    osv = ["--vulnerability-service", "osv"]
    sources = {"PyPI": [], "OSV": osv} if given.osv_url is None else {"OSV": [*osv, "--osv-url", given.osv_url]}
    for name, source in sources.items():
        try:
            found = advisories(given.pins, *source)
        except Unreachable as error:
            print(f"advisories: {name} can't be asked ({error})")
            continue
        print("\n".join(found) or f"advisories: {name} knows of none against {given.pins.name}")
        return 1 if found else 0
    print("advisories: NOT CHECKED, no source can be reached from here")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
