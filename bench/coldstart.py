"""`python -m bench.coldstart`: what a cold start costs each function, as a multiple of `import boto3` and one client."""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.cold_environment import cold_environment
from bench.cold_process import ColdProcess, Imported, without_the_layers, write_bytecode
from bench.machine import machine
from bench.table import NONE, spread
from bench.worker import MeasurementFailed
from onebox import ROOT
from onebox.template import Template

BASE = "import boto3; boto3.client('dynamodb')"

# Those of the demo: two attributes types.
TWO_SCHEMAS = str(ROOT / "onebox" / "schemas")

# Events that need nobody's answer: a batch of nothing, a report that is refused. The sweep asks AWS and Apple at once.
EVENTS = {
    "push": {"Records": []},
    "register": json.loads((ROOT / "events" / "register-report.json").read_text()) | {"body": "{}"},
}

# With what handlers ask of a context.
_INVOKE = """
from types import SimpleNamespace
context = SimpleNamespace(function_name="f", memory_limit_in_mb=512, function_version="1", aws_request_id="1",
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:f", get_remaining_time_in_millis=lambda: 60000)
{function}.handler({event!r}, context)
"""

# Modules of our layer and of Lambda's runtime that are worth a line of their own.
_TOP = 12


@dataclass(frozen=True, slots=True)
class Cold:
    """A program's fresh processes: CPU of each, instructions of one (None without valgrind), how many modules."""

    name: str
    cpu_s: Sequence[float]
    instructions: int | None
    modules: int


def programs(template: Template) -> dict[str, tuple[str, dict[str, str]]]:
    """Return what is measured, by name: a program and its environment."""
    found: dict[str, tuple[str, dict[str, str]]] = {}
    for spec in sorted(template.functions, key=lambda spec: spec.handler):
        function, environment = spec.handler.partition(".")[0], cold_environment(template, spec)
        found.setdefault("boto3 and a client", (BASE, environment))
        found[f"{function}: init"] = (f"import {function}", environment)
        if "SCHEMAS_FOLDER" in environment:
            found[f"{function}: init, two schemas"] = (
                f"import {function}",
                environment | {"SCHEMAS_FOLDER": TWO_SCHEMAS},
            )
        if function in EVENTS:
            invoke = _INVOKE.format(function=function, event=EVENTS[function])
            found[f"{function}: init, first event"] = (f"import {function}{invoke}", environment)
    return found


def measured(processes: Mapping[str, ColdProcess], runs: int) -> list[Cold]:
    """Run each program so often, in turns, so that the machine's moods hit all alike."""
    rounds = [{name: process.cpu_s() for name, process in processes.items()} for _ in range(runs)]
    return [
        Cold(name, [each[name] for each in rounds], process.instructions(), len(process.imports()))
        for name, process in processes.items()
    ]


def table(rows: Sequence[Cold]) -> str:
    """Write rows in Markdown; CPU and instructions are also told as multiples of the first row's."""
    heads = ("process", "CPU, ms", "× boto3", "instructions, millions", "× boto3", "modules")
    lines = [heads, ("---", *["---:"] * (len(heads) - 1)), *(_cells(row, rows[0]) for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cells(row: Cold, first: Cold) -> tuple[str, ...]:
    counted = row.instructions is not None and first.instructions is not None
    return (
        row.name,
        spread(cpu_s * 1e3 for cpu_s in row.cpu_s),
        f"{median(row.cpu_s) / median(first.cpu_s):.2f}",
        f"{row.instructions / 1e6:,.0f}" if row.instructions is not None else NONE,
        f"{row.instructions / first.instructions:.2f}" if counted and row.instructions and first.instructions else NONE,
        f"{row.modules:,}",
    )


def contributors(imports: Sequence[Imported], base: Sequence[Imported]) -> Iterator[tuple[str, float]]:
    """Yield packages that the base does not import, with the milliseconds that they took, the greatest first."""
    known = {one.name for one in base}
    took: dict[str, int] = {}
    for one in imports:
        if one.name not in known:
            package = ".".join(one.name.split(".")[: 1 if not one.name.startswith("lockstep.") else 2])
            took[package] = took.get(package, 0) + one.own_us
    yield from sorted(((name, us / 1e3) for name, us in took.items()), key=lambda each: -each[1])


def quickest(process: ColdProcess, runs: int) -> list[Imported]:
    """Return a program's imports, each as quick as in the best of so many processes: what is timed here is the clock."""
    imports = [process.imports() for _ in range(runs)]
    own_us = {same[0].name: min(one.own_us for one in same) for same in zip(*imports, strict=True)}
    return [replace(one, own_us=own_us[one.name]) for one in imports[0]]


def main(arguments: Sequence[str]) -> int:
    """Measure as the command line says; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.coldstart", description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args(arguments).runs
    found = programs(Template.load(ROOT / "template.yaml", region="us-east-1"))
    print(f"{machine()}. Medians of {runs} processes (least to greatest); instructions of one more.")
    try:
        with TemporaryDirectory() as folder:
            whole, as_packed = Path(folder, "whole"), Path(folder, "packed")
            write_bytecode(dict(found.values()), whole)
            without_the_layers(whole, as_packed, ours=ROOT)
            for title, bytecode in (
                ("Layers with bytecode (`make build`)", whole),
                ("Without (`sam build`)", as_packed),
            ):
                processes = {
                    name: ColdProcess(program, environment, bytecode) for name, (program, environment) in found.items()
                }
                print(f"\n{title}:\n\n{table(measured(processes, runs))}")
                base = processes["boto3 and a client"].imports()
                for name in (name for name in found if name.endswith(": init")):
                    first = list(contributors(quickest(processes[name], runs), base))[:_TOP]
                    print(f"\n{name}, ms of own time: {', '.join(f'{each} {ms:.0f}' for each, ms in first)}")
    except MeasurementFailed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
