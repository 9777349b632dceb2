"""One environment variable at a time: there and well formed, or Misconfigured."""

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from lockstep.apns import Environment
from lockstep.errors import Misconfigured
from lockstep.ids import is_user

_BUNDLE_ID = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_URL = re.compile(r"https?://[^\s/]+(/\S*)?")
_ONLY_BY_SUFFIX = ".push-type.liveactivity"
_PEM = "-----BEGIN CERTIFICATE-----"


class Variables:
    """Environment variables that must be there and well formed; raises Misconfigured with the variable's name."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, name: str) -> str:
        """Read a text that must be there."""
        value = self._environ.get(name, "").strip()
        if not value:
            raise Misconfigured(f"{name} is missing")
        return value

    def url(self, name: str) -> str:
        """Read a URL."""
        value = self.text(name)
        if not _URL.fullmatch(value):
            raise Misconfigured(f"{name} is not a URL")
        return value

    def environment(self, name: str) -> Environment:
        """Read an APNs environment."""
        try:
            return Environment(self.text(name))
        except ValueError:
            raise Misconfigured(f"{name} must be production or sandbox") from None

    def bundle_id(self, name: str) -> str:
        """Read a bundle id, as Apple's portal has it."""
        value = self.text(name)
        if not _BUNDLE_ID.fullmatch(value) or value.endswith(_ONLY_BY_SUFFIX):
            raise Misconfigured(f"{name} is not a bare bundle id such as com.example.app")
        return value

    def integer(self, name: str, least: int, most: int) -> int:
        """Read a whole number between two others."""
        value = self.text(name)
        if not (value.isascii() and value.isdigit() and least <= int(value) <= most):
            raise Misconfigured(f"{name} is not a whole number from {least} to {most}")
        return int(value)

    def text_or_none(self, name: str) -> str | None:
        """Read a text that may be left empty."""
        return self._environ.get(name, "").strip() or None

    def flag(self, name: str) -> bool:
        """Read what is true or false."""
        value = self.text(name)
        if value not in ("true", "false"):
            raise Misconfigured(f"{name} must be true or false")
        return value == "true"

    def ca_file(self, name: str) -> str | None:
        """A CA of one's own; in a deployed stack it would be a way to listen in."""
        value = self._local(name)
        return _kept(value) if value and value.startswith(_PEM) else value

    def local_user(self, name: str) -> str | None:
        """Who calls where nobody checks JWTs; in a deployed stack it would be a way around the check."""
        value = self._local(name)
        if value is not None and not is_user(value):
            raise Misconfigured(f"{name} is not a user id")
        return value

    def _local(self, name: str) -> str | None:
        """A variable that counts on one machine only: where the SAM CLI, or what stands in for it, says so."""
        local = self._environ.get("AWS_SAM_LOCAL") == "true"
        return (self._environ.get(name) or None) if local else None


def _kept(pem: str) -> str:
    """Keep a CA in a file: `sam local` shows a container no folder in which one could be put beside the code."""
    path = Path(tempfile.gettempdir()) / "lockstep-apns-ca.pem"
    path.write_text(pem)
    return str(path)
