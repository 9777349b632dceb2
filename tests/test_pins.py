"""Requirements files: exact versions, the same wherever they are installed, and no addresses."""

import re

import pytest

from onebox import ROOT

LAYER = "layers/dependencies/requirements.txt"
DEV = "requirements/dev.txt"
SAM = "requirements/sam.txt"
CHECKOV = "requirements/checkov.txt"
PEERS = "requirements/peers.txt"
FUZZ = "requirements/fuzz.txt"
CLIENTS = "requirements/clients.txt"


def pins(path: str) -> dict[str, str]:
    """Return what a requirements file pins; fails for a line that pins nothing."""
    found = {}
    for line in (ROOT / path).read_text().splitlines():
        if requirement := line.partition("#")[0].strip():
            pinned = re.fullmatch(r"([a-z0-9-]+)==(\S+)", requirement)
            assert pinned, line
            found[pinned[1]] = pinned[2]
    return found


def test_the_layer_holds_exact_versions_of_all_that_was_asked_for_and_no_boto3() -> None:
    asked = re.findall(r"^[a-z0-9-]+", (ROOT / "requirements/layer.in").read_text(), re.MULTILINE)
    held = pins(LAYER)

    assert set(asked) <= set(held)
    assert not {"boto3", "botocore"} & set(held)


def test_tests_run_with_the_versions_that_are_deployed() -> None:
    held = pins(LAYER)

    assert held.items() <= pins(DEV).items()


@pytest.mark.parametrize("path", [LAYER, DEV, SAM, CHECKOV, PEERS, FUZZ, CLIENTS])
def test_pins_say_no_address(path: str) -> None:
    assert pins(path)
    assert "://" not in (ROOT / path).read_text()


def test_the_layer_gets_its_pins_and_nothing_beside_them() -> None:
    """`sam build` packs whatever lies there."""
    assert [path.name for path in (ROOT / LAYER).parent.iterdir()] == ["requirements.txt"]
