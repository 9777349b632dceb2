"""
`python -m tests.previous COMMIT`: call a commit, or a tag, the previous release.

Archives its code, and records what it leaves behind in each scene: rows and messages, as JSON.
"""

import lzma
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from onebox.stack import Stack

# The stack brings moto, and puts the functions' package on the path.
from bench.quick_moto import quick_moto  # isort: skip
from tests.previous.recorded import RECORDED, keep, on_stage, record_all
from tests.previous.release import ARCHIVE, Release, archived, commit_of_archive


def main(commit: str) -> None:
    """Run the command."""
    ARCHIVE.write_bytes(lzma.compress(archived(commit), preset=9 | lzma.PRESET_EXTREME))
    with (
        TemporaryDirectory() as folder,
        quick_moto(),
        Stack(Path(folder), polling=False) as stack,
        on_stage(stack, Path(folder, "previous")) as stage,
    ):
        stage.deploy(Release.PREVIOUS)
        keep(commit_of_archive(), record_all(stage))
    print(f"{ARCHIVE.name} and {RECORDED.name} are those of {commit_of_archive()}")


if __name__ == "__main__":
    [said] = sys.argv[1:]
    main(said)
