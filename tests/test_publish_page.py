"""What docs/publish-helper.md shows is what happens."""

import sys
from pathlib import Path

from onebox import ROOT
from onebox.stack import Stack
from tests.producer_side import run_the_page


def test_the_page_does_what_it_says(stack: Stack, tmp_path: Path) -> None:
    run_the_page(stack, tmp_path, sys.executable, PYTHONPATH=str(ROOT / "layers" / "shared"))
