"""What the bench needs of this machine, and how it gets the clients that it measures against."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from bench.nghttpd import Missing

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / "bench" / "peers"
_PINS = ROOT / "requirements" / "peers.txt"

# An address, or a path from the root.
_WHERE = re.compile(r"\w://|(?<![\w.])/\w")

# A minute is enough where there is an index at all.
_INSTALL_S = 300

NODE = "Debian's package nodejs, or nodejs.org"
NPM = "Debian's package npm, or nodejs.org"
H2LOAD = "apt-get install nghttp2-client"


def needs(program: str, how: str) -> None:
    """Raise Missing where a program is not on the path."""
    if shutil.which(program) is None:
        raise Missing(f"{program} is not installed: {how}")


def npm(folder: Path = PEERS) -> None:
    """Install what a folder's lock file says of npm, unless it is there; raises Missing."""
    needs("node", NODE)
    needs("npm", NPM)
    _once(folder / "package-lock.json", folder / "node_modules", "npm", "--prefix", str(folder), "ci")


def pypi() -> None:
    """Install the clients of PyPI, unless they are there; raises Missing."""
    needs("node", f"{NODE} (for a server that sends apns-id, which aioapns wants)")
    environment("peers")


def peers_python() -> Path:
    """Where the Python is that has the clients of PyPI."""
    return _python_of("peers")


def environment(name: str) -> Path:
    """Install what requirements/<name>.txt pins into an environment of its own, unless it is there; raises Missing."""
    python, pins = _python_of(name), ROOT / "requirements" / f"{name}.txt"
    if not python.exists():
        run(sys.executable, "-m", "venv", str(python.parent.parent))
    pip = (str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    _once(pins, python.parent.parent, *pip, "-r", str(pins))
    return python


def _python_of(name: str) -> Path:
    return ROOT / ".venv" / name / "bin" / "python"


def of_npm(name: str) -> str:
    """Say which version of an npm package is asked for."""
    return str(json.loads((PEERS / "package.json").read_text())["dependencies"][name])


def of_pypi(name: str) -> str:
    """Say which version of a PyPI package is asked for, of what only the bench needs."""
    pins = dict(line.partition("#")[0].strip().split("==") for line in _PINS.read_text().splitlines())
    return pins[name]


def of_ours(name: str) -> str:
    """Say which version of a package is in our own environment."""
    return version(name)


def _once(pins: Path, folder: Path, *command: str) -> None:
    """Install unless what is there was made from these very pins."""
    done = folder / ".pins"
    if done.exists() and done.read_text() == pins.read_text():
        return
    run(*command)
    done.write_text(pins.read_text())


def run(*command: str) -> None:
    """Carry out an installer's command; raises Missing."""
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_INSTALL_S, env=os.environ)  # noqa: S603 our own commands
    except subprocess.CalledProcessError as error:
        raise Missing(f"can't be installed: {reason(error.stderr)}") from error
    except subprocess.TimeoutExpired as error:
        raise Missing(f"can't be installed: no end after {_INSTALL_S} s") from error


def reason(words: str) -> str:
    """Pick of what a program said the line that tells most; none with an address or a path, for results are published."""
    lines = [line.strip()[:200] for line in words.splitlines() if line.strip() and not _WHERE.search(line)]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["no reason given"])[-1]
