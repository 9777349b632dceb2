"""What the template tells the functions by environment variables: read once, at start, or not started at all."""

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from lockstep.apns import Environment
from lockstep.errors import Misconfigured
from lockstep.ids import is_user

_BUNDLE_ID = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_URL = re.compile(r"https?://[^\s/]+(/\S*)?")
_ONLY_BY_SUFFIX = ".push-type.liveactivity"
_PEM = "-----BEGIN CERTIFICATE-----"


class _Variables:
    """Environment variables that must be there and well formed; raises Misconfigured with the variable's name."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, name: str) -> str:
        value = self._environ.get(name, "").strip()
        if not value:
            raise Misconfigured(f"{name} is missing")
        return value

    def url(self, name: str) -> str:
        value = self.text(name)
        if not _URL.fullmatch(value):
            raise Misconfigured(f"{name} is not a URL")
        return value

    def environment(self, name: str) -> Environment:
        try:
            return Environment(self.text(name))
        except ValueError:
            raise Misconfigured(f"{name} must be production or sandbox") from None

    def bundle_id(self, name: str) -> str:
        value = self.text(name)
        if not _BUNDLE_ID.fullmatch(value) or value.endswith(_ONLY_BY_SUFFIX):
            raise Misconfigured(f"{name} is not a bare bundle id such as com.example.app")
        return value

    def integer(self, name: str, least: int, most: int) -> int:
        value = self.text(name)
        if not (value.isascii() and value.isdigit() and least <= int(value) <= most):
            raise Misconfigured(f"{name} is not a whole number from {least} to {most}")
        return int(value)

    def flag(self, name: str) -> bool:
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


@dataclass(frozen=True, slots=True)
class RegisterSettings:
    """Settings of register. `local_user` is None wherever API Gateway says who calls."""

    VARIABLES: ClassVar = (
        "ACTIVITIES_TABLE",
        "TOKENS_TABLE",
        "DELIVERY_QUEUE_URL",
        "REQUIRE_GUESTS",
        "APNS_ENVIRONMENT",
        "LOCAL_USER",
    )

    activities_table: str
    tokens_table: str
    delivery_queue_url: str
    guests_required: bool
    apns_environment: Environment
    local_user: str | None

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings; raises Misconfigured naming the variable that is missing or malformed."""
        variables = _Variables(environ)
        return cls(
            activities_table=variables.text("ACTIVITIES_TABLE"),
            tokens_table=variables.text("TOKENS_TABLE"),
            delivery_queue_url=variables.url("DELIVERY_QUEUE_URL"),
            guests_required=variables.flag("REQUIRE_GUESTS"),
            apns_environment=variables.environment("APNS_ENVIRONMENT"),
            local_user=variables.local_user("LOCAL_USER"),
        )


@dataclass(frozen=True, slots=True)
class PushSettings:
    """Settings of push. `apns_ca_file` is None where certifi's roots are to be trusted."""

    VARIABLES: ClassVar = (
        "ACTIVITIES_TABLE",
        "TOKENS_TABLE",
        "DELIVERY_QUEUE_URL",
        "REQUIRE_GUESTS",
        "PUBLISH_QUEUE_URL",
        "PUBLISH_DEAD_LETTER_QUEUE_URL",
        "DELIVERY_DEAD_LETTER_QUEUE_URL",
        "SLICE_QUEUE_URL",
        "SLICE_DEAD_LETTER_QUEUE_URL",
        "SIGNING_KEY_SECRET",
        "BUNDLE_ID",
        "MIN_UPDATE_INTERVAL_S",
        "PRIORITY_BUDGET",
        "PAGE_PHONES",
        "SLICE_PHONES",
        "APNS_ENVIRONMENT",
        "APNS_PRODUCTION_URL",
        "APNS_SANDBOX_URL",
        "APNS_PRODUCTION_CHANNELS_URL",
        "APNS_SANDBOX_CHANNELS_URL",
        "APNS_CA_FILE",
    )

    activities_table: str
    tokens_table: str
    publish_queue_url: str
    publish_dead_letter_queue_url: str
    delivery_queue_url: str
    delivery_dead_letter_queue_url: str
    slice_queue_url: str
    slice_dead_letter_queue_url: str
    signing_key_secret: str
    bundle_id: str
    guests_required: bool
    min_update_interval_s: int
    priority_budget: int
    page_phones: int
    slice_phones: int
    apns_environment: Environment
    apns_production_url: str
    apns_sandbox_url: str
    apns_production_channels_url: str
    apns_sandbox_channels_url: str
    apns_ca_file: str | None

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings; raises Misconfigured naming the variable that is missing or malformed."""
        variables = _Variables(environ)
        return cls(
            activities_table=variables.text("ACTIVITIES_TABLE"),
            tokens_table=variables.text("TOKENS_TABLE"),
            publish_queue_url=variables.url("PUBLISH_QUEUE_URL"),
            publish_dead_letter_queue_url=variables.url("PUBLISH_DEAD_LETTER_QUEUE_URL"),
            delivery_queue_url=variables.url("DELIVERY_QUEUE_URL"),
            delivery_dead_letter_queue_url=variables.url("DELIVERY_DEAD_LETTER_QUEUE_URL"),
            slice_queue_url=variables.url("SLICE_QUEUE_URL"),
            slice_dead_letter_queue_url=variables.url("SLICE_DEAD_LETTER_QUEUE_URL"),
            signing_key_secret=variables.text("SIGNING_KEY_SECRET"),
            bundle_id=variables.bundle_id("BUNDLE_ID"),
            guests_required=variables.flag("REQUIRE_GUESTS"),
            # The template asks for a second at least; tests of other things don't wait for it.
            min_update_interval_s=variables.integer("MIN_UPDATE_INTERVAL_S", 0, 60),
            priority_budget=variables.integer("PRIORITY_BUDGET", 0, 100_000),
            page_phones=variables.integer("PAGE_PHONES", 1, 10_000),
            slice_phones=variables.integer("SLICE_PHONES", 1, 1_000_000),
            apns_environment=variables.environment("APNS_ENVIRONMENT"),
            apns_production_url=variables.url("APNS_PRODUCTION_URL"),
            apns_sandbox_url=variables.url("APNS_SANDBOX_URL"),
            apns_production_channels_url=variables.url("APNS_PRODUCTION_CHANNELS_URL"),
            apns_sandbox_channels_url=variables.url("APNS_SANDBOX_CHANNELS_URL"),
            apns_ca_file=variables.ca_file("APNS_CA_FILE"),
        )


@dataclass(frozen=True, slots=True)
class SweepSettings:
    """Settings of sweep. `apns_ca_file` is None where certifi's roots are to be trusted."""

    VARIABLES: ClassVar = (
        "ACTIVITIES_TABLE",
        "PUBLISH_QUEUE_URL",
        "DELIVERY_QUEUE_URL",
        "SIGNING_KEY_SECRET",
        "BUNDLE_ID",
        "SOLE_CHANNEL_OWNER",
        "APNS_PRODUCTION_CHANNELS_URL",
        "APNS_SANDBOX_CHANNELS_URL",
        "APNS_CA_FILE",
    )

    activities_table: str
    publish_queue_url: str
    delivery_queue_url: str
    signing_key_secret: str
    bundle_id: str
    sole_channel_owner: bool
    apns_production_channels_url: str
    apns_sandbox_channels_url: str
    apns_ca_file: str | None

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings; raises Misconfigured naming the variable that is missing or malformed."""
        variables = _Variables(environ)
        return cls(
            activities_table=variables.text("ACTIVITIES_TABLE"),
            publish_queue_url=variables.url("PUBLISH_QUEUE_URL"),
            delivery_queue_url=variables.url("DELIVERY_QUEUE_URL"),
            signing_key_secret=variables.text("SIGNING_KEY_SECRET"),
            bundle_id=variables.bundle_id("BUNDLE_ID"),
            sole_channel_owner=variables.flag("SOLE_CHANNEL_OWNER"),
            apns_production_channels_url=variables.url("APNS_PRODUCTION_CHANNELS_URL"),
            apns_sandbox_channels_url=variables.url("APNS_SANDBOX_CHANNELS_URL"),
            apns_ca_file=variables.ca_file("APNS_CA_FILE"),
        )
