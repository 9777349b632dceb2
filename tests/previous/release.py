"""The previous release's functions, on its own package, which has a name of its own here: one process runs both releases."""

import importlib.util
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path

from onebox import ROOT
from onebox.aws import REGION
from onebox.lambda_runtime import Function, Handler
from onebox.stack import Stack
from onebox.template import FunctionSpec, Template

ARCHIVE = Path(__file__).with_name("release.tar.xz")

# What is archived of a release.
PARTS = ("functions", "layers/shared", "template.yaml")

# What its package is called here.
PACKAGE = "lockstep_previous"

_IMPORT = re.compile(r"^(\s*(?:from|import) )lockstep\b", re.MULTILINE)


class Release(StrEnum):
    """The one that is deployed, and the one that takes its place."""

    PREVIOUS = "previous"
    THIS = "this"


def archived(commit: str) -> bytes:
    """Return what is to be archived of a commit, or a tag, as git makes a tar of it: the same each time."""
    command = ["git", "archive", "--format=tar", commit, *PARTS]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout


def commit_of_archive() -> str:
    """Say of which commit it is: git writes that into it."""
    with tarfile.open(ARCHIVE) as tar:
        return tar.pax_headers["comment"]


def page_of(release: Release, phones: int) -> dict[str, str]:
    """Name the variables by which a push function takes so many phones for a page."""
    # The previous release counts rows, of which a phone has two. Once it counts phones too, they are named alike.
    return {"PAGE_PHONES": str(phones)} if release is Release.THIS else {"PAGE_ROWS": str(2 * phones)}


class Releases:
    """
    Both releases of a stack's functions.

    Args:
        folder: Where the previous release is unpacked; it must stay for as long as its functions run.
    """

    def __init__(self, stack: Stack, folder: Path) -> None:
        self._specs = {
            Release.PREVIOUS: {spec.logical_id: spec for spec in _unpacked(folder).functions},
            Release.THIS: {name: function.spec for name, function in stack.functions.items()},
        }
        self._environments = {name: dict(function.environment) for name, function in stack.functions.items()}

    def deploy(
        self,
        function: Function,
        release: Release,
        variables: Mapping[str, str],
        make_handler: Callable[[FunctionSpec], Handler] | None = None,
    ) -> None:
        """Let a container be one of a release, with variables changed; one that is so already stays."""
        name = function.spec.logical_id
        spec = self._specs[release][name]
        environment = {**self._environment(name, release), **variables}
        if function.spec is not spec or function.environment != environment:
            function.deploy(spec, environment, make_handler)

    def _environment(self, name: str, release: Release) -> dict[str, str | None]:
        """
        Return the variables of a release's function.

        One that both releases have names the same thing; one that only the previous has must be plain, for what it names
        is not there any more.
        """
        today = self._environments[name]
        if release is Release.THIS:
            return dict(today)
        declared = self._specs[release][name].environment
        plain = {variable: value for variable, value in declared.items() if variable not in today}
        if referring := [variable for variable, value in plain.items() if isinstance(value, dict)]:
            raise ValueError(f"{name} of the previous release needs what {referring} refer to")
        ours = today.keys() - self._specs[Release.THIS][name].environment.keys()
        return {variable: today[variable] for variable in today if variable in declared or variable in ours} | {
            variable: str(value) for variable, value in plain.items()
        }


def _unpacked(folder: Path) -> Template:
    """Unpack the release, its package under its own name here, and let it be imported."""
    with tarfile.open(ARCHIVE) as tar:
        tar.extractall(folder, filter="data")
    package = (folder / "layers/shared/lockstep").rename(folder / PACKAGE)
    for source in [*package.rglob("*.py"), *(folder / "functions").rglob("*.py")]:
        source.write_text(_IMPORT.sub(rf"\1{PACKAGE}", source.read_text()))
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        # Of an earlier folder, which may be gone.
        del sys.modules[name]
    found = importlib.util.spec_from_file_location(
        PACKAGE, package / "__init__.py", submodule_search_locations=[str(package)]
    )
    assert found is not None
    sys.modules[PACKAGE] = importlib.util.module_from_spec(found)
    return Template.load(folder / "template.yaml", region=REGION)
