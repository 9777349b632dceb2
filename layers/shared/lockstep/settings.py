"""What the template tells the functions by environment variables: read once, at start, or not started at all."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from lockstep.apns import Environment
from lockstep.variables import Variables


@dataclass(frozen=True, slots=True)
class RegisterSettings:
    """
    Settings of register.

    Attributes:
        event_bus_name: None where nobody is told of outcomes.
        local_user: None wherever API Gateway says who calls.
    """

    VARIABLES: ClassVar = (
        "ACTIVITIES_TABLE",
        "TOKENS_TABLE",
        "DELIVERY_QUEUE_URL",
        "REQUIRE_GUESTS",
        "EVENT_BUS_NAME",
        "STACK_ARN",
        "APNS_ENVIRONMENT",
        "LOCAL_USER",
    )

    activities_table: str
    tokens_table: str
    delivery_queue_url: str
    guests_required: bool
    event_bus_name: str | None
    stack_arn: str
    apns_environment: Environment
    local_user: str | None

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings; raises Misconfigured naming the variable that is missing or malformed."""
        variables = Variables(environ)
        return cls(
            activities_table=variables.text("ACTIVITIES_TABLE"),
            tokens_table=variables.text("TOKENS_TABLE"),
            delivery_queue_url=variables.url("DELIVERY_QUEUE_URL"),
            guests_required=variables.flag("REQUIRE_GUESTS"),
            event_bus_name=variables.text_or_none("EVENT_BUS_NAME"),
            stack_arn=variables.text("STACK_ARN"),
            apns_environment=variables.environment("APNS_ENVIRONMENT"),
            local_user=variables.local_user("LOCAL_USER"),
        )


@dataclass(frozen=True, slots=True)
class PushSettings:
    """
    Settings of push.

    Attributes:
        event_bus_name: None where nobody is told of outcomes.
        apns_ca_file: None where certifi's roots are to be trusted.
    """

    VARIABLES: ClassVar = (
        "ACTIVITIES_TABLE",
        "TOKENS_TABLE",
        "DELIVERY_QUEUE_URL",
        "REQUIRE_GUESTS",
        "EVENT_BUS_NAME",
        "STACK_ARN",
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
        "SCHEMAS_FOLDER",
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
    event_bus_name: str | None
    stack_arn: str
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
    schemas_folder: Path

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings; raises Misconfigured naming the variable that is missing or malformed."""
        variables = Variables(environ)
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
            event_bus_name=variables.text_or_none("EVENT_BUS_NAME"),
            stack_arn=variables.text("STACK_ARN"),
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
            schemas_folder=Path(variables.text("SCHEMAS_FOLDER")),
        )


@dataclass(frozen=True, slots=True)
class ExplainSettings:
    """Settings of explain. `local_user` is None wherever API Gateway says who calls."""

    VARIABLES: ClassVar = (
        "ACTIVITIES_TABLE",
        "TOKENS_TABLE",
        "REQUIRE_GUESTS",
        "MIN_UPDATE_INTERVAL_S",
        "PRIORITY_BUDGET",
        "APNS_ENVIRONMENT",
        "LOCAL_USER",
    )

    activities_table: str
    tokens_table: str
    guests_required: bool
    min_update_interval_s: int
    priority_budget: int
    apns_environment: Environment
    local_user: str | None

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings; raises Misconfigured naming the variable that is missing or malformed."""
        variables = Variables(environ)
        return cls(
            activities_table=variables.text("ACTIVITIES_TABLE"),
            tokens_table=variables.text("TOKENS_TABLE"),
            guests_required=variables.flag("REQUIRE_GUESTS"),
            min_update_interval_s=variables.integer("MIN_UPDATE_INTERVAL_S", 0, 60),
            priority_budget=variables.integer("PRIORITY_BUDGET", 0, 100_000),
            apns_environment=variables.environment("APNS_ENVIRONMENT"),
            local_user=variables.local_user("LOCAL_USER"),
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
        variables = Variables(environ)
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
