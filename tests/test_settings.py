"""Settings: what is missing or malformed stops the function at its start, with the variable's name."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from lockstep.apns import Environment
from lockstep.errors import Misconfigured
from lockstep.settings import ExplainSettings, PushSettings, RegisterSettings, SweepSettings
from onebox.stack import Stack

REGISTER = {
    "ACTIVITIES_TABLE": "activities",
    "TOKENS_TABLE": "tokens",
    "DELIVERY_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/delivery",
    "REQUIRE_GUESTS": "false",
    "STACK_ARN": "arn:aws:cloudformation:eu-central-1:123456789012:stack/lockstep/a1b2c3",
    "APNS_ENVIRONMENT": "production",
}
PUSH = {
    **REGISTER,
    "PUBLISH_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/publish",
    "PUBLISH_DEAD_LETTER_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/publish-dead",
    "DELIVERY_DEAD_LETTER_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/delivery-dead",
    "SLICE_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/slice",
    "SLICE_DEAD_LETTER_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/slice-dead",
    "SIGNING_KEY_SECRET": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:key-a1b2c3",
    "BUNDLE_ID": "com.example.pizza",
    "MIN_UPDATE_INTERVAL_S": "1",
    "PRIORITY_BUDGET": "15",
    "PAGE_PHONES": "1000",
    "SLICE_PHONES": "10000",
    "APNS_PRODUCTION_URL": "https://api.push.apple.com",
    "APNS_SANDBOX_URL": "https://api.sandbox.push.apple.com",
    "APNS_PRODUCTION_CHANNELS_URL": "https://api-manage-broadcast.push.apple.com:2196",
    "APNS_SANDBOX_CHANNELS_URL": "https://api-manage-broadcast.sandbox.push.apple.com:2195",
    "SCHEMAS_FOLDER": "/opt/schemas",
}

SWEEP = {
    **{name: PUSH[name] for name in SweepSettings.VARIABLES if name in PUSH},
    "SOLE_CHANNEL_OWNER": "false",
}

EXPLAIN = {name: PUSH[name] for name in ExplainSettings.VARIABLES if name in PUSH}

type Kind = type[RegisterSettings | PushSettings | SweepSettings | ExplainSettings]

KINDS: list[tuple[Kind, Mapping[str, str]]] = [
    (RegisterSettings, REGISTER),
    (PushSettings, PUSH),
    (SweepSettings, SWEEP),
    (ExplainSettings, EXPLAIN),
]
NAMED = [(kind, name) for kind, environ in KINDS for name in environ]


def all_of(kind: Kind) -> dict[str, str]:
    return dict(next(environ for one, environ in KINDS if one is kind))


def test_settings_are_read_from_their_variables() -> None:
    register, push = RegisterSettings.from_env(REGISTER), PushSettings.from_env(PUSH)

    assert (register.activities_table, register.tokens_table) == ("activities", "tokens")
    assert register.delivery_queue_url == push.delivery_queue_url == REGISTER["DELIVERY_QUEUE_URL"]
    assert push.bundle_id == "com.example.pizza"
    assert push.apns_environment is Environment.PRODUCTION
    assert push.apns_ca_file is None


@pytest.mark.parametrize(("kind", "environ"), KINDS)
def test_the_variables_that_settings_name_are_those_they_read(kind: Kind, environ: Mapping[str, str]) -> None:
    optional = {
        RegisterSettings: {"LOCAL_USER", "EVENT_BUS_NAME"},
        ExplainSettings: {"LOCAL_USER"},
        PushSettings: {"APNS_CA_FILE", "EVENT_BUS_NAME"},
        SweepSettings: {"APNS_CA_FILE"},
    }[kind]

    assert set(kind.VARIABLES) == {*environ, *optional}


@pytest.mark.parametrize(("kind", "name"), NAMED)
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_variable_is_named(kind: Kind, name: str, value: str | None) -> None:
    environ = all_of(kind)
    if value is None:
        del environ[name]
    else:
        environ[name] = value

    with pytest.raises(Misconfigured, match=rf"^{name} is missing$"):
        kind.from_env(environ)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, "sqs.eu-central-1.amazonaws.com/delivery") for name in PUSH if name.endswith("_URL")),
        *((name, "ftp://example.com") for name in PUSH if name.endswith("_URL")),
        *((name, "https://exa mple.com") for name in PUSH if name.endswith("_URL")),
        ("BUNDLE_ID", "pizza"),
        ("BUNDLE_ID", "com.example.pizza.push-type.liveactivity"),
        ("BUNDLE_ID", "com.example.pizza/x"),
        ("BUNDLE_ID", "com..pizza"),
        ("REQUIRE_GUESTS", "True"),
        ("REQUIRE_GUESTS", "1"),
        ("MIN_UPDATE_INTERVAL_S", "61"),
        ("MIN_UPDATE_INTERVAL_S", "-1"),
        ("MIN_UPDATE_INTERVAL_S", "0.5"),
        ("PRIORITY_BUDGET", "many"),
        ("PRIORITY_BUDGET", "100001"),
        ("PAGE_PHONES", "none"),
        ("SLICE_PHONES", "-3"),
        ("APNS_ENVIRONMENT", "Production"),
        ("APNS_ENVIRONMENT", "development"),
    ],
)
def test_a_malformed_variable_is_named(name: str, value: str) -> None:
    with pytest.raises(Misconfigured, match=rf"^{name} ") as refused:
        PushSettings.from_env({**PUSH, name: value})

    assert value not in str(refused.value)


def test_an_event_bus_may_have_no_name_and_then_there_is_none() -> None:
    for kind, environ in ((RegisterSettings, REGISTER), (PushSettings, PUSH)):
        assert kind.from_env({**environ, "EVENT_BUS_NAME": ""}).event_bus_name is None
        assert kind.from_env({**environ, "EVENT_BUS_NAME": "outcomes"}).event_bus_name == "outcomes"


# --- what counts on one machine only

# Of these, only the first is what the SAM CLI says.
SAM_LOCAL = pytest.mark.parametrize(
    ("local", "counts"),
    [("true", True), ("false", False), ("", False), ("True", False), ("1", False), (None, False)],
)


def where(local: str | None) -> dict[str, str]:
    return {} if local is None else {"AWS_SAM_LOCAL": local}


@SAM_LOCAL
def test_a_ca_file_of_ones_own_counts_on_one_machine_only(local: str | None, counts: bool) -> None:
    environ = {**PUSH, **where(local), "APNS_CA_FILE": "/tmp/ca.pem"}  # noqa: S108  # nobody opens it

    assert PushSettings.from_env(environ).apns_ca_file == (environ["APNS_CA_FILE"] if counts else None)


@SAM_LOCAL
def test_a_user_by_name_counts_on_one_machine_only(local: str | None, counts: bool) -> None:
    environ = {**REGISTER, **where(local), "LOCAL_USER": "ana"}

    assert RegisterSettings.from_env(environ).local_user == ("ana" if counts else None)


@pytest.mark.parametrize("local", ["true", None])
def test_an_empty_local_variable_is_none(local: str | None) -> None:
    assert PushSettings.from_env({**PUSH, **where(local), "APNS_CA_FILE": ""}).apns_ca_file is None
    assert RegisterSettings.from_env({**REGISTER, **where(local), "LOCAL_USER": ""}).local_user is None


def test_a_local_user_that_no_token_could_name_is_refused() -> None:
    with pytest.raises(Misconfigured, match=r"^LOCAL_USER "):
        RegisterSettings.from_env({**REGISTER, **where("true"), "LOCAL_USER": "a\nb"})


def test_a_ca_given_as_text_is_kept_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    text = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"

    kept = PushSettings.from_env({**PUSH, **where("true"), "APNS_CA_FILE": text}).apns_ca_file

    assert kept is not None
    assert Path(kept).read_text() == text


def test_a_ca_given_as_text_counts_nowhere_else_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    assert PushSettings.from_env({**PUSH, "APNS_CA_FILE": "-----BEGIN CERTIFICATE-----\n"}).apns_ca_file is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("function", "name", "value"),
    [
        ("RegisterFunction", "ACTIVITIES_TABLE", None),
        ("RegisterFunction", "DELIVERY_QUEUE_URL", "delivery"),
        ("PushFunction", "BUNDLE_ID", None),
    ],
)
def test_a_function_with_bad_settings_does_not_start(stack: Stack, function: str, name: str, value: str | None) -> None:
    container = stack.container(function, **{name: value})

    with pytest.raises(Misconfigured, match=name):
        container.load()
