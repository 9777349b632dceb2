"""The template, held against the code: what AWS would refuse, or would only find out in somebody's account."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from lockstep.returns import RECEIVES_MAX
from lockstep.settings import ExplainSettings, PushSettings, RegisterSettings, SweepSettings
from onebox import ROOT
from onebox.stack import Stack
from onebox.template import IAM, FunctionSpec, QueueSource
from tests.template import SOURCE, TEMPLATE, TEXT, named, properties, source_resources

SETTINGS: Mapping[str, type[RegisterSettings | PushSettings | SweepSettings | ExplainSettings]] = {
    "RegisterFunction": RegisterSettings,
    "ExplainFunction": ExplainSettings,
    "PushFunction": PushSettings,
    "SweepFunction": SweepSettings,
}

# Read by others than our settings: boto3, and Powertools.
READ_BY_BOTO3 = {"AWS_ENDPOINT_URL"}
READ_BY_POWERTOOLS = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_LOG_LEVEL"}

APPLE = {
    "PRODUCTION": "https://api.push.apple.com",
    "SANDBOX": "https://api.sandbox.push.apple.com",
    "PRODUCTION_CHANNELS": "https://api-manage-broadcast.push.apple.com:2196",
    "SANDBOX_CHANNELS": "https://api-manage-broadcast.sandbox.push.apple.com:2195",
}

DAY_S = 24 * 60 * 60


def dead_letter_queues() -> dict[str, str]:
    """Return each queue that feeds a function, with its dead-letter queue."""
    queues = properties("AWS::SQS::Queue")
    return {
        source.queue: named(queues[source.queue]["RedrivePolicy"]["deadLetterTargetArn"])
        for source in TEMPLATE.queue_sources()
    }


# --- functions and layers


def test_file_handler_and_logical_id_say_the_same_word() -> None:
    words = {path.stem for path in (ROOT / "functions").glob("*.py")}

    assert {spec.logical_id: spec.handler for spec in TEMPLATE.functions} == {
        f"{word.capitalize()}Function": f"{word}.handler" for word in words
    }


def test_every_handler_can_be_imported_with_what_the_template_sets(running_stack: Stack) -> None:
    for spec in TEMPLATE.functions:
        assert callable(running_stack.functions[spec.logical_id].names[spec.handler.rpartition(".")[2]])


@pytest.mark.parametrize("spec", TEMPLATE.functions, ids=lambda spec: spec.logical_id)
def test_the_template_sets_what_settings_need_and_nothing_else(spec: FunctionSpec) -> None:
    needed = set(SETTINGS[spec.logical_id].VARIABLES)

    assert set(spec.environment) == needed | READ_BY_BOTO3 | READ_BY_POWERTOOLS


@pytest.mark.parametrize("spec", TEMPLATE.functions, ids=lambda spec: spec.logical_id)
def test_nothing_leads_a_deployed_function_to_one_machine(spec: FunctionSpec) -> None:
    assert spec.environment["AWS_ENDPOINT_URL"] == ""
    assert spec.environment.get("APNS_CA_FILE", "") == ""
    for environment, url in APPLE.items():
        assert spec.environment.get(f"APNS_{environment}_URL", url) == url


def test_one_runtime_throughout() -> None:
    runtime = "python" + (ROOT / ".python-version").read_text().strip()
    layers = source_resources("AWS::Serverless::LayerVersion")
    builders = {name: layer["Metadata"]["BuildMethod"] for name, layer in layers.items()}

    assert {function["Runtime"] for function in properties("AWS::Lambda::Function").values()} == {runtime}
    # Schemas are no code: they are copied.
    assert builders == {"DependenciesLayer": runtime, "SharedLayer": runtime, "SchemasLayer": "makefile"}
    assert [layer["Properties"]["CompatibleRuntimes"] for layer in layers.values()] == [[runtime]] * 3


def test_one_architecture_throughout() -> None:
    chosen = [{"Ref": "Architecture"}]
    layers = source_resources("AWS::Serverless::LayerVersion").values()

    assert [function["Architectures"] for function in properties("AWS::Lambda::Function").values()] == [chosen] * 4
    assert [layer["Properties"]["CompatibleArchitectures"] for layer in layers] == [chosen] * 3
    # SAM takes no parameter there, so the default is what it builds for.
    default = TEMPLATE.parameters["Architecture"]["Default"]
    built_for = [
        layer["Metadata"]["BuildArchitecture"] for layer in layers if layer["Metadata"]["BuildMethod"] != "makefile"
    ]
    assert built_for == [default] * 2


def test_every_function_has_the_layers_of_code_and_push_the_schemas_too() -> None:
    functions = properties("AWS::Lambda::Function")
    # To a layer's name SAM adds ten digits of its hash.
    layers = {name: sorted(named(one)[:-10] for one in function["Layers"]) for name, function in functions.items()}

    code = ["DependenciesLayer", "SharedLayer"]
    assert layers == dict.fromkeys(functions, code) | {"PushFunction": sorted([*code, "SchemasLayer"])}


def test_push_finds_its_schemas_where_their_layer_puts_them(tmp_path: Path) -> None:
    """Lambda unzips a layer into /opt."""
    [folder] = [
        spec.environment["SCHEMAS_FOLDER"] for spec in TEMPLATE.functions if "SCHEMAS_FOLDER" in spec.environment
    ]
    layer = source_resources("AWS::Serverless::LayerVersion")["SchemasLayer"]["Properties"]["ContentUri"]
    shutil.copytree(ROOT / layer, tmp_path / "layer")
    (tmp_path / "layer" / "OrderAttributes.json").write_text("{}")

    make = ["make", "-C", str(tmp_path / "layer"), "build-SchemasLayer", f"ARTIFACTS_DIR={tmp_path / 'opt'}"]
    subprocess.run(make, check=True, capture_output=True)

    put = tmp_path / Path(folder).relative_to("/") / "OrderAttributes.json"
    assert put.read_text() == "{}"
    assert put.stat().st_mode & 0o444 == 0o444, "Lambda reads it as another user"


def test_every_parameter_is_explained() -> None:
    assert [name for name, parameter in TEMPLATE.parameters.items() if not parameter.get("Description")] == []


def test_every_output_is_explained() -> None:
    assert [name for name, output in SOURCE["Outputs"].items() if not output.get("Description")] == []


# --- routes


@pytest.mark.parametrize("function", ["RegisterFunction", "ExplainFunction"])
def test_the_template_and_its_function_know_the_same_routes(running_stack: Stack, function: str) -> None:
    app = running_stack.functions[function].names["app"]
    paths = app.get_openapi_schema(title="Lockstep", version="1").paths
    handled = {
        f"{method.upper()} {path}"
        for path, operations in paths.items()
        for method in operations.model_dump(exclude_none=True)
    }

    assert {route.key for route in TEMPLATE.routes() if route.function == function} == handled


def test_no_route_is_open_to_strangers_and_none_of_operators_to_users() -> None:
    """A function has routes of one kind: what it was not made for, nobody may ask it."""
    assert {(route.function, route.authorizer) for route in TEMPLATE.routes()} == {
        ("RegisterFunction", "Jwt"),
        ("ExplainFunction", IAM),
    }


# --- queues


def test_every_queue_that_feeds_a_function_hears_which_messages_failed() -> None:
    assert {source.queue: source.reports_failures for source in TEMPLATE.queue_sources()} == {
        "PublishQueue": True,
        "DeliveryQueue": True,
        "SliceQueue": True,
    }


def test_max_concurrency_bounds_every_queue_by_itself() -> None:
    parameter = TEMPLATE.parameters["MaxConcurrency"]
    mappings = properties("AWS::Lambda::EventSourceMapping").values()

    assert (parameter["MinValue"], parameter["MaxValue"]) == (2, 1000)
    assert [mapping["ScalingConfig"]["MaximumConcurrency"] for mapping in mappings] == [{"Ref": "MaxConcurrency"}] * 3
    assert all("ReservedConcurrentExecutions" not in one for one in properties("AWS::Lambda::Function").values())


def test_no_message_waits_for_a_batch_to_fill() -> None:
    mappings = properties("AWS::Lambda::EventSourceMapping").values()

    assert all(mapping["BatchSize"] <= 10 for mapping in mappings)
    assert all("MaximumBatchingWindowInSeconds" not in mapping for mapping in mappings)


def test_the_longest_message_has_room_for_a_reason_when_it_is_dead_lettered() -> None:
    """A message's attributes count towards the 1 MiB that SQS takes of it."""
    queues = properties("AWS::SQS::Queue")
    longest = {"reason": "🍕" * 1000, "published_at_ms": "9" * 19}
    beside = sum(len(f"{name}String{value}".encode()) for name, value in longest.items())

    for queue, dead_letters in dead_letter_queues().items():
        assert queues[queue]["MaximumMessageSize"] + beside <= queues[dead_letters]["MaximumMessageSize"] == 1024**2


@pytest.mark.parametrize("source", TEMPLATE.queue_sources(), ids=lambda source: source.queue)
def test_a_message_stays_invisible_until_its_function_is_surely_dead(source: QueueSource) -> None:
    [timeout_s] = [spec.timeout_s for spec in TEMPLATE.functions if spec.logical_id == source.function]

    assert properties("AWS::SQS::Queue")[source.queue]["VisibilityTimeout"] == timeout_s + 15


@pytest.mark.parametrize(("queue", "dead_letter_queue"), dead_letter_queues().items())
def test_a_dead_letter_outlives_the_queue_it_comes_from(queue: str, dead_letter_queue: str) -> None:
    queues = properties("AWS::SQS::Queue")

    assert queues[queue]["MessageRetentionPeriod"] == 4 * DAY_S
    assert queues[dead_letter_queue]["MessageRetentionPeriod"] == 14 * DAY_S


@pytest.mark.parametrize("queue", dead_letter_queues())
def test_sqs_puts_a_message_aside_only_after_our_code_would_have(queue: str) -> None:
    assert properties("AWS::SQS::Queue")[queue]["RedrivePolicy"]["maxReceiveCount"] > RECEIVES_MAX


def test_every_queue_has_a_dead_letter_queue_of_its_own_or_is_one() -> None:
    pairs = dead_letter_queues()

    assert len(set(pairs.values())) == len(pairs)
    assert set(properties("AWS::SQS::Queue")) == {*pairs, *pairs.values()}


def test_queues_are_encrypted_by_a_key_that_sns_and_eventbridge_may_use() -> None:
    for queue in properties("AWS::SQS::Queue").values():
        assert queue["SqsManagedSseEnabled"] is True
        assert "KmsMasterKeyId" not in queue


def test_topics_and_rules_of_this_account_may_publish_and_nobody_else() -> None:
    [policy] = properties("AWS::SQS::QueuePolicy").values()
    [statement] = policy["PolicyDocument"]["Statement"]

    assert [named(queue) for queue in policy["Queues"]] == ["PublishQueue"]
    assert set(statement["Principal"]["Service"]) == {"sns.amazonaws.com", "events.amazonaws.com"}
    assert statement["Action"] == "sqs:SendMessage"
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


# --- what is logged


def test_the_apis_own_log_tells_routes_and_refusals_but_no_path_and_nothing_of_the_caller() -> None:
    [stage] = properties("AWS::ApiGatewayV2::Stage").values()
    settings = stage["AccessLogSettings"]

    assert set(json.loads(settings["Format"]).values()) == {
        "$context.requestId",
        "$context.routeKey",
        "$context.status",
        "$context.authorizer.error",
        "$context.error.message",
        "$context.integrationErrorMessage",
    }
    assert properties("AWS::Logs::LogGroup")[named(settings["DestinationArn"])]["RetentionInDays"] == 30


# --- what is kept


@pytest.mark.parametrize("kind", ["AWS::DynamoDB::Table", "AWS::SecretsManager::Secret"])
def test_deleting_the_stack_keeps(kind: str) -> None:
    for resource in TEMPLATE.of_type(kind).values():
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_tables_can_be_brought_back_and_forget_by_themselves() -> None:
    for table in properties("AWS::DynamoDB::Table").values():
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at_s", "Enabled": True}
        assert table["BillingMode"] == "PAY_PER_REQUEST"


def test_no_key_stands_in_the_template() -> None:
    [secret] = properties("AWS::SecretsManager::Secret").values()

    assert not {"SecretString", "GenerateSecretString"} & set(secret)
    assert "PRIVATE KEY" not in TEXT
