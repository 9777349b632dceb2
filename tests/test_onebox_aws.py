"""Tables, queues and the secret, made from the template."""

import json

from onebox.stack import Stack


def test_tables_have_their_keys_and_indexes(stack: Stack) -> None:
    table = stack.aws.dynamodb.describe_table(TableName=stack.aws.tables["TokensTable"])["Table"]

    assert [key["AttributeName"] for key in table["KeySchema"]] == ["audience", "phone"]
    assert {index["IndexName"] for index in table["GlobalSecondaryIndexes"]} == {"ByDevice", "ByOwner"}


def test_queues_have_their_timeouts_policies_and_dead_letter_queues(stack: Stack) -> None:
    found = {
        name: stack.aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        for name, url in stack.aws.queues.items()
    }

    redrive = json.loads(found["PublishQueue"]["RedrivePolicy"])
    assert redrive["deadLetterTargetArn"] == found["PublishDeadLetterQueue"]["QueueArn"]
    assert found["PublishQueue"]["VisibilityTimeout"] == "75"
    [statement] = json.loads(found["PublishQueue"]["Policy"])["Statement"]
    assert statement["Resource"] == found["PublishQueue"]["QueueArn"]


def test_the_secret_holds_the_key_that_apple_knows(stack: Stack) -> None:
    arn = stack.environments()["PushFunction"]["SIGNING_KEY_SECRET"]
    assert arn is not None

    secret = json.loads(stack.aws.secrets.get_secret_value(SecretId=arn)["SecretString"])

    assert secret == json.loads(stack.signing_key.secret())
    assert secret["private_key"].startswith("-----BEGIN PRIVATE KEY-----")


def test_functions_get_the_declared_variables_and_no_others(stack: Stack) -> None:
    # Containers find their schemas where the template says that the layer puts them.
    declared = {spec.logical_id: set(spec.environment) - {"SCHEMAS_FOLDER"} for spec in stack.template.functions}

    assert {name: set(variables) for name, variables in stack.environments().items()} == declared


def test_variables_lead_to_this_machine(stack: Stack) -> None:
    variables = stack.functions["PushFunction"].environment

    assert variables["PUBLISH_QUEUE_URL"] == stack.aws.queues["PublishQueue"]
    assert variables["AWS_ENDPOINT_URL"] == stack.aws.url
    assert variables["APNS_PRODUCTION_URL"] == stack.apns.production_url
    assert not any("amazonaws.com" in str(value) or "apple.com" in str(value) for value in variables.values())


def test_emptying_leaves_tables_and_queues_but_nothing_in_them(stack: Stack) -> None:
    table = stack.aws.tables["ActivitiesTable"]
    stack.aws.dynamodb.put_item(TableName=table, Item={"activity": {"S": "a"}, "part": {"S": "row"}})
    stack.publish({"activity": "a"})

    stack.aws.empty()

    assert stack.aws.items(table) == []
    assert stack.queues.count("PublishQueue") == 0
