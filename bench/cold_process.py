"""Fresh processes that do one thing, and what each took: CPU, instructions, modules."""

import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.worker import MeasurementFailed, environment_of

# What Lambda's runtime brings, with its bytecode; all other packages come from our layer.
_OF_THE_RUNTIME = {"boto3", "botocore", "dateutil", "jmespath", "s3transfer", "snapshot_restore_py", "six", "urllib3"}

_COUNTED = re.compile(r"I +refs: +([\d,]+)")
_IMPORTED = re.compile(r"import time: +(\d+) \| +\d+ \| *(\S+)")


@dataclass(frozen=True, slots=True)
class Imported:
    """A module's import, without those that it imported in turn."""

    name: str
    own_us: int


class ColdProcess:
    """
    A program in a fresh process, as Lambda would start it.

    Args:
        bytecode: The folder where its bytecode is found; it writes none.
    """

    def __init__(self, program: str, environment: Mapping[str, str | None], bytecode: Path) -> None:
        self._program = program
        # What dictionaries' order depends on stays the same, so that instructions do.
        fixed = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": str(bytecode)}
        self._environment = environment_of({**environment, **fixed})

    def cpu_s(self) -> float:
        """Run it; return its CPU, user and system."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self._run()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def instructions(self) -> int | None:
        """Run it under cachegrind; return its instructions, or None where there is no valgrind."""
        if shutil.which("valgrind") is None:
            return None
        said = self._run(["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"])
        found = _COUNTED.search(said)
        if found is None:
            raise MeasurementFailed(f"valgrind counted nothing: {said}")
        return int(found[1].replace(",", ""))

    def imports(self) -> list[Imported]:
        """Run it; return the modules that it imported, in the order in which they were done."""
        said = self._run(options=["-X", "importtime"])
        return [Imported(name, int(own_us)) for own_us, name in _IMPORTED.findall(said)]

    def _run(self, under: Sequence[str] = (), options: Sequence[str] = ()) -> str:
        """Run it; return what it said on stderr."""
        command = [*under, sys.executable, *options, "-c", self._program]
        run = subprocess.run(command, env=self._environment, capture_output=True, text=True, errors="replace")  # noqa: S603  # our own program
        if run.returncode:
            raise MeasurementFailed(f"{self._program}: {run.stderr}")
        return run.stderr


def write_bytecode(programs: Mapping[str, Mapping[str, str | None]], folder: Path) -> None:
    """Run programs, each in its environment, so that the bytecode of all that they import is in a folder."""
    for program, environment in programs.items():
        writing = environment_of({**environment, "PYTHONDONTWRITEBYTECODE": None, "PYTHONPYCACHEPREFIX": str(folder)})
        subprocess.run([sys.executable, "-c", program], env=writing, check=True, stdout=subprocess.DEVNULL)  # noqa: S603  # our own program


def without_the_layers(bytecode: Path, folder: Path, *, ours: Path) -> None:
    """Copy bytecode, but for that of our own code and of the packages in our layer: `sam build` packs none."""

    def left_out(path: str, names: list[str]) -> set[str]:
        if Path(path).name == "site-packages":
            return {name for name in names if name.partition(".")[0] not in _OF_THE_RUNTIME}
        here = Path("/", Path(path).relative_to(bytecode))
        return {name for name in names if here / name in (ours / "functions", ours / "layers")}

    shutil.copytree(bytecode, folder, ignore=left_out)
