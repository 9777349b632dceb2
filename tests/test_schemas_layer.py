"""layers/schemas: what its README says is so, and a broken schema is found before it is deployed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lockstep.errors import InvalidInput
from lockstep.json_values import JsonObject
from lockstep.schemas import Schemas
from onebox import ROOT

FOLDER = ROOT / "layers" / "schemas"
README = (FOLDER / "README.md").read_text()


def read(folder: Path) -> subprocess.CompletedProcess[str]:
    """Read a folder by the README's command."""
    [command] = re.findall(r"^```sh\n(.*?)\n```", README, re.MULTILINE | re.DOTALL)
    said = command.replace(".venv/bin/python", sys.executable).replace("layers/schemas", str(folder))
    return subprocess.run(said, shell=True, cwd=ROOT, capture_output=True, text=True)  # noqa: S602  # as a person would


def example(folder: Path) -> Path:
    """Put the README's example where a team would."""
    [schema] = re.findall(r"^```json\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    (folder / "OrderAttributes.json").write_text(schema)
    return folder


def test_the_example_is_a_schema_and_does_what_the_readme_says(tmp_path: Path) -> None:
    schemas = Schemas.from_folder(example(tmp_path))
    attributes: JsonObject = {"shop": "Uno", "activity": "order-42", "run": 7, "unknown": None}

    schemas.check("OrderAttributes", attributes, {"minutes": 7, "note": None, "stop": {"name": "Duomo"}})

    with pytest.raises(InvalidInput, match=r"^aps\.content-state\.stop\.name: is missing$"):
        schemas.check("OrderAttributes", attributes, {"minutes": 7, "stop": {}})
    with pytest.raises(InvalidInput, match=r"^aps\.attributes\.shop: is missing$"):
        schemas.check("OrderAttributes", {"activity": "order-42"}, None)


def test_the_command_names_what_there_is_and_what_is_no_schema(tmp_path: Path) -> None:
    nothing, good = read(tmp_path), read(example(tmp_path))
    (tmp_path / "TripAttributes.json").write_text("<<<<<<< HEAD")
    bad, nowhere = read(tmp_path), read(tmp_path / "shemas")

    assert (nothing.returncode, nothing.stdout) == (0, f"{tmp_path}: no schemas, so nothing is checked\n")
    assert (good.returncode, good.stdout) == (0, f"{tmp_path}: OrderAttributes\n")
    assert (bad.returncode, bad.stdout) == (1, "")
    assert bad.stderr.startswith(f"{tmp_path}: TripAttributes.json is no schema: ")
    assert (nowhere.returncode, nowhere.stderr) == (1, f"{tmp_path / 'shemas'}: {tmp_path / 'shemas'} is no folder\n")


def test_make_check_and_make_build_read_the_folder_and_build_nothing_of_a_broken_one() -> None:
    command = "-m ops.schemas layers/schemas"
    plans = {
        target: subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True, text=True).stdout
        for target in ("check", "build")
    }

    assert command in plans["check"]
    assert plans["build"].index(command) < plans["build"].index(" build --template-file")


def test_what_is_in_the_repository_is_read() -> None:
    """A team's own schemas, too."""
    assert Schemas.from_folder(FOLDER).attributes_types == {path.stem for path in FOLDER.glob("*.json")}
