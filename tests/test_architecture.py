"""What `make build` makes is for the processor that was asked for."""

import subprocess
from pathlib import Path

import pytest
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parent.parent

# ELF's e_machine (https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html).
MACHINES = {62: "x86_64", 183: "arm64"}


def build(architecture: str, directory: Path) -> subprocess.CompletedProcess[str]:
    words = ["make", "build", f"ARCHITECTURE={architecture}", f"BUILD_DIR={directory}"]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True)


def machine_of(path: Path) -> str | None:
    """Return what processor a file is for; None if it is no binary."""
    with path.open("rb") as file:
        head = file.read(20)
    return MACHINES.get(int.from_bytes(head[18:20], "little"), "another") if head[:4] == b"\x7fELF" else None


@pytest.fixture(scope="module", params=["x86_64", "arm64"])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    directory = tmp_path_factory.mktemp(request.param)
    run = build(request.param, directory)
    assert not run.returncode, run.stderr
    return request.param, directory


def test_the_layers_hold_binaries_of_the_processor_that_was_asked_for(built: tuple[str, Path]) -> None:
    architecture, directory = built

    machines = {path.name: machine_of(path) for path in directory.rglob("*") if path.is_file()}

    assert {machine for machine in machines.values() if machine} == {architecture}
    for package in ("_pycurl.", "_rust.", "_pydantic_core.", "_cffi_backend.", "jsonschema_rs."):
        assert any(name.startswith(package) and machine for name, machine in machines.items()), package


def test_the_functions_take_no_other_processor_than_the_layers(built: tuple[str, Path]) -> None:
    architecture, directory = built

    template = yaml_parse((directory / "template.yaml").read_text())

    parameter = template["Parameters"]["Architecture"]
    layers = [one for one in template["Resources"].values() if one["Type"] == "AWS::Serverless::LayerVersion"]
    assert (parameter["Default"], parameter["AllowedValues"]) == (architecture, [architecture])
    built_for = {layer["Metadata"].get("BuildArchitecture") for layer in layers}
    assert built_for == {architecture, None}, "schemas are for any"


def test_the_layer_of_schemas_holds_the_folder(built: tuple[str, Path]) -> None:
    _, directory = built
    here = {path.name for path in (ROOT / "layers" / "schemas").iterdir()} - {"Makefile"}

    assert {path.name for path in (directory / "SchemasLayer" / "schemas").iterdir()} == here


def test_another_processor_is_refused(tmp_path: Path) -> None:
    run = build("riscv64", tmp_path)

    assert run.returncode
    assert "ARCHITECTURE is x86_64 or arm64, not riscv64" in run.stderr
