"""
`ops.install FOLDER PINS`: make a virtual environment, or bring one up to its pins; says how it gets on.

It needs nothing but Python, for nothing else is there yet. What pip said is kept in the folder, in pip.log.
"""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TextIO

from onebox.progress import Progress

# Of pip's words: what to say in their place. The first that is found counts.
ADVICE = {
    r"No space left on device|Disk quota exceeded": "The disk is full; .venv needs some 600 MB (`df -h .`).",
    r"CERTIFICATE_VERIFY_FAILED|SSLError": (
        "Something between here and PyPI has a certificate that is not known here. "
        "Name its authority: PIP_CERT=/path/to/ca.pem"
    ),
    r"NewConnectionError|ConnectTimeout|ReadTimeout|ConnectionReset|ProxyError|name resolution|is unreachable": (
        "PyPI can't be reached. Behind a proxy say HTTPS_PROXY=http://…; with an index of your own, PIP_INDEX_URL=https://…"
    ),
    r"No matching distribution found": (
        "The index has no such version for this Python and machine. Name another index: PIP_INDEX_URL=https://…"
    ),
    r"Permission denied": "Something in the folder belongs to somebody else: remove it, and say the same again.",
    r"subprocess-exited-with-error|Failed (?:to build|building)": (
        "A package has no wheel for this machine, and could not be built."
    ),
}

_REDRAW_S = 0.1

# A pip that was told to stop puts away what it has half done.
_STOP_S = 10


class Failed(Exception):
    """It can't be set up; the text says what to do."""


def prepare(folder: Path, progress: Progress) -> Path:
    """
    Return the folder's Python, with pip: made, or mended where somebody was interrupted.

    Raises:
        Failed: It is another Python's, or can't be made.
    """
    python = folder / "bin" / "python"
    version = _ask(python, "-c", "import sys; print(*sys.version_info[:2], sep='.')") if python.exists() else None
    if version not in (None, "3.13"):
        raise Failed(f"{folder} is of Python {version}, and Lockstep needs 3.13. Remove it: make clean")
    if version is None:
        progress.says("making the virtual environment")
        _make(folder)
    if _ask(python, "-m", "pip", "--version") is None and _ask(python, "-m", "ensurepip") is None:
        raise Failed(f"{folder} has no pip, and none can be put there. Remove it: make clean")
    return python


def install(python: Path, pins: Path, progress: Progress, log: TextIO, *, stop_s: float = _STOP_S) -> None:
    """
    Install pins.

    Args:
        stop_s: How long pip may take to stop at Ctrl-C; then it is killed.

    Raises:
        Failed: pip failed.
    """
    count = len(re.findall(r"(?m)^[\w.-]+==", pins.read_text()))
    # Compiling all of it takes longer than all else; Python compiles what it loads, when it loads it.
    options = ["--no-compile", "--disable-pip-version-check", "--progress-bar", "off", "--no-color", "--no-input"]
    command = [str(python), "-m", "pip", "install", *options, "-r", str(pins)]
    said: list[str] = []
    seen = 0
    # What pip was putting in when it was stopped counts as installed for it, whole or not.
    half_done = python.parent.parent / "half-done"
    if half_done.exists():
        command.append("--ignore-installed")
    progress.says(f"finding {count} packages")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:  # noqa: S603  # our own command
        lines: SimpleQueue[str | None] = SimpleQueue()
        Thread(target=_read, args=(pip, lines), daemon=True).start()
        try:
            while (line := _next(lines, progress)) is not None:
                log.write(line)
                said.append(line)
                if found := re.match(r"(?:Collecting|Requirement already satisfied:) ([\w.-]+)", line):
                    seen = min(seen + 1, count)
                    progress.now(f"finding {count} packages: {seen}, {found[1]}")
                elif line.startswith("Installing collected packages"):
                    half_done.touch()
                    progress.says(f"installing {line.count(',') + 1} packages")
        except KeyboardInterrupt:
            pip.send_signal(signal.SIGINT)
            try:
                pip.wait(stop_s)
            except subprocess.TimeoutExpired:
                pip.kill()
            raise
    if pip.returncode:
        raise Failed(_told("".join(said)) + f"\nAll that pip said is in {log.name}.")
    half_done.unlink(missing_ok=True)


def _make(folder: Path) -> None:
    run = subprocess.run([sys.executable, "-m", "venv", str(folder)], capture_output=True, text=True)  # noqa: S603  # our own command
    if not run.returncode:
        return
    said = run.stdout + run.stderr
    if "ensurepip" in said or "No module named venv" in said:
        raise Failed(
            f"{sys.executable} can't make virtual environments: its venv module is not whole.\n"
            "On Debian and Ubuntu: sudo apt install python3.13-venv"
        )
    raise Failed(f"{sys.executable} -m venv {folder} failed: {_told(said)}")


def _told(said: str) -> str:
    """Say what went wrong in our words, after the last of its own."""
    advice = next((words for pattern, words in ADVICE.items() if re.search(pattern, said)), None)
    errors = re.findall(r"(?im)^(?:error|.*?\w+error): *(.*\S)", said) or said.split("\n")[-2:-1]
    return "\n".join(line for line in (*errors[-1:], advice) if line)


def _ask(python: Path, *arguments: str) -> str | None:
    try:
        return subprocess.run([python, *arguments], capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603  # our own command
    except (OSError, subprocess.CalledProcessError):
        return None


def _read(pip: subprocess.Popen[str], lines: "SimpleQueue[str | None]") -> None:
    assert pip.stdout is not None  # noqa: S101  # it was asked for
    for line in pip.stdout:
        lines.put(line)
    lines.put(None)


def _next(lines: "SimpleQueue[str | None]", progress: Progress) -> str | None:
    while True:
        try:
            return lines.get(timeout=_REDRAW_S)
        except Empty:
            progress.turn()


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    folder, pins = map(Path, arguments)
    began_s = time.monotonic()
    fresh = not (folder / "bin" / "python").exists()
    progress = Progress(sys.stdout)
    try:
        what = "Setting up" if fresh else "Bringing up to date"
        print(f"{what}: {folder}, from {pins}{', once: about a minute' if fresh else ''}", flush=True)
        python = prepare(folder, progress)
        with (folder / "pip.log").open("w") as log:
            install(python, pins, progress, log)
        progress.done(f"done in {time.monotonic() - began_s:.0f} s")
    except KeyboardInterrupt:
        progress.clear()
        print("\nStopped. Say the same again to go on from here.", file=sys.stderr)
        return 130
    except Failed as failure:
        progress.clear()
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
