"""The stadium: a match with 3,000 phones keeps all promises."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def play(*more: str) -> str:
    command = [sys.executable, "-m", "bench.stadium", "--phones", "3000", *more]
    environment = {**os.environ, "PYTHONPATH": "layers/shared"}

    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count("| held |") == 6
    assert "| update 10 |" in ran.stdout
    assert re.search(r"functions that died \| [1-9]", ran.stdout)
    return ran.stdout


def test_three_thousand_phones_with_tokens_hear_each_state_once_though_functions_die() -> None:
    said = play("--seed", "7")

    assert "| calls: broadcast |" not in said


@pytest.mark.parametrize("channel", ["latest"])
def test_three_thousand_mixed_phones_hear_each_state_once_by_channel_or_token(channel: str) -> None:
    """Those with iOS 18 on a channel, those with iOS 17 by their tokens."""
    said = play("--seed", "7", "--channel", channel)

    [(pushes, hearings)] = re.findall(r"\| update 10 \| \d+ \| ([\d,]+) \| [1-9]\d* \| ([\d,]+) \|", said)
    assert int(pushes.replace(",", "")) > 0
    assert int(hearings.replace(",", "")) > 1000
