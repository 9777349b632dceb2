"""The whole stack: everything real but AWS, Apple and the phones."""

from typing import Any

import pytest

from lockstep.apns import Environment
from onebox.lock_screen import CardState, Verdict
from onebox.stack import Stack
from tests.messages import DRIVER, end, start, update

ORDER = "order-42"


def test_a_publish_reaches_the_lock_screen(stack: Stack) -> None:
    phone = stack.phones.of("ana")
    stack.phones.wait()

    stack.publish(start(ORDER, "ana"))
    stack.drain()
    stack.publish(update(ORDER, 7))
    stack.drain()

    assert phone.shows(ORDER) == {"driver": DRIVER, "minutes": 7}
    assert len(phone.starts(ORDER)) == 1
    assert {one.verdict for one in phone.history} == {Verdict.APPLIED}


def test_each_environment_gets_its_own_pushes(stack: Stack) -> None:
    for environment in Environment:
        stack.phones.of("ana", str(environment), environment=environment)
    stack.phones.wait()

    stack.publish(start(ORDER, "ana"))
    stack.drain()

    assert {push.environment for push in stack.apns.received()} == set(Environment)
    assert all(phone.shows(ORDER) for phone in stack.phones.all())


def test_an_end_ends_the_card(stack: Stack) -> None:
    phone = stack.phones.of("ana")
    stack.phones.wait()
    stack.publish(start(ORDER, "ana"))
    stack.drain()

    stack.publish(end(ORDER))
    stack.drain()

    card = phone.card(ORDER)
    assert card is not None
    assert card.state(card.began_at_s + 1) is CardState.ENDED


def test_a_drain_can_hasten_what_is_delayed(stack: Stack) -> None:
    stack.publish(start(ORDER, "ana"))
    stack.drain()
    phone = stack.phones.of("ana")
    stack.phones.wait()

    with pytest.raises(TimeoutError, match="not dry"):
        stack.drain(within_s=0)
    assert phone.shows(ORDER) is None
    stack.drain(hasten=True)

    assert phone.shows(ORDER) == {"driver": DRIVER, "minutes": 30}


def test_a_refused_publish_lies_in_the_dead_letter_queue_with_its_reason(stack: Stack) -> None:
    stack.publish("no JSON", attributes={"published_at_ms": "1795000000000"})
    stack.drain()

    [dead] = stack.queues.look("PublishDeadLetterQueue")
    assert dead.body == "no JSON"
    assert dead.attributes["reason"]


def test_a_reset_forgets_everything(stack: Stack) -> None:
    stack.phones.of("ana")
    stack.phones.wait()
    stack.publish(start(ORDER, "ana"))
    stack.drain()

    stack.reset()

    assert stack.phones.all() == []
    assert stack.apns.received() == []
    assert not any(stack.aws.items(table) for table in stack.aws.tables.values())
    assert not any(stack.queues.count(queue) for queue in stack.aws.queues)
    assert stack.functions["PushFunction"].log.lines == []


@pytest.mark.parametrize("function", ["PushFunction", "RegisterFunction"])
def test_another_container_of_a_function_can_lack_a_variable(stack: Stack, function: str) -> None:
    with pytest.raises(Exception, match="TOKENS_TABLE"):
        stack.container(function, TOKENS_TABLE=None).load()


def test_another_container_shares_nothing_but_the_stack(stack: Stack) -> None:
    phone = stack.phones.of("ana")
    stack.phones.wait()
    other = stack.container("PushFunction")
    stack.publish(start(ORDER, "ana"))
    event = stack.take("PublishQueue")

    answer = other.invoke(event)

    assert answer == {"batchItemFailures": []}
    assert phone.shows(ORDER) == {"driver": DRIVER, "minutes": 30}
    assert stack.functions["PushFunction"].log.lines == []


def test_endpoints_have_the_names_that_others_rely_on(stack: Stack) -> None:
    names = ["api", "aws", "publish_queue_url", "apns_production", "apns_sandbox", "control", "page"]
    names += ["apns_production_channels", "apns_sandbox_channels", "events_queue_url"]

    assert set(stack.endpoints()) == set(names)


def test_sam_gets_the_variables_of_every_function(stack: Stack) -> None:
    environments: dict[str, Any] = stack.environments("ben")

    assert set(environments) == {"ExplainFunction", "PushFunction", "RegisterFunction", "SweepFunction"}
    push, register = environments["PushFunction"], environments["RegisterFunction"]
    assert push["APNS_CA_FILE"] == stack.apns.ca_file.read_text(), "a container sees none of our files"
    assert "SCHEMAS_FOLDER" not in push, "what the template says is true in a container: its layer is there"
    assert push["APNS_SANDBOX_URL"] == stack.apns.sandbox_url.replace("localhost", "host.docker.internal")
    assert register["AWS_ENDPOINT_URL"] == stack.aws.url.replace("127.0.0.1", "host.docker.internal")
    assert register["LOCAL_USER"] == environments["ExplainFunction"]["LOCAL_USER"] == "ben"


def test_in_this_process_nobody_is_the_local_user(stack: Stack) -> None:
    assert stack.functions["RegisterFunction"].environment["LOCAL_USER"] == ""
