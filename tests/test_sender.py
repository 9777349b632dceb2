"""Both environments of APNs, with the key they need."""

import time
from collections.abc import Iterator

import pytest

from lockstep.apns import Accepted, Environment, Outcome, Push
from lockstep.errors import Misconfigured
from lockstep.key_source import KeySource
from lockstep.sender import Sender
from onebox.signing_key import LocalSigningKey
from onebox.stack import BUNDLE_ID, Stack


def sender_with(stack: Stack, secret: str, keys: KeySource | None = None) -> Sender:
    return Sender(
        {Environment.PRODUCTION: stack.apns.production_url, Environment.SANDBOX: stack.apns.sandbox_url},
        bundle_id=BUNDLE_ID,
        ca_file=str(stack.apns.ca_file),
        keys=keys or KeySource(stack.aws.secrets, secret, now=time.time),
        now=time.time,
    )


@pytest.fixture
def sender(stack: Stack) -> Iterator[Sender]:
    [arn] = stack.aws.secret_arns.values()
    sender = sender_with(stack, arn)
    sender.prepare()
    yield sender
    sender.close()


def push(stack: Stack, environment: Environment) -> tuple[Environment, Push]:
    return environment, Push(stack.apns.issue_token(environment), b'{"aps":{}}', 10, 0, ref=environment)


def test_each_environment_gets_its_pushes_over_a_connection_of_its_own(stack: Stack, sender: Sender) -> None:
    wanted = [push(stack, Environment.SANDBOX if i % 3 == 0 else Environment.PRODUCTION) for i in range(30)]
    made = stack.apns.connections_made

    outcomes = list(sender.send(iter(wanted), deadline_s=time.time() + 10))

    assert [outcome for _, outcome in outcomes] == [Accepted()] * 30
    assert stack.apns.connections_made - made == 2
    assert {(one.environment, one.token) for one in stack.apns.pushes} == {(env, one.token) for env, one in wanted}
    assert {one.headers["apns-topic"] for one in stack.apns.pushes} == {f"{BUNDLE_ID}.push-type.liveactivity"}


def test_nothing_to_send_opens_nothing(stack: Stack, sender: Sender) -> None:
    made = stack.apns.connections_made

    assert list(sender.send([], deadline_s=time.time() + 10)) == []
    assert stack.apns.connections_made == made


def test_a_key_that_stays_keeps_the_connection_and_another_opens_a_new_one(stack: Stack) -> None:
    secret = stack.aws.secrets.create_secret(Name="test-of-sender", SecretString=stack.signing_key.secret())["ARN"]
    sender = sender_with(stack, secret)
    try:
        made = stack.apns.connections_made
        for _ in range(2):
            sender.prepare()
            list(sender.send([push(stack, Environment.PRODUCTION)], deadline_s=time.time() + 10))
        assert stack.apns.connections_made - made == 1

        fresh = LocalSigningKey.fresh()
        stack.aws.secrets.put_secret_value(SecretId=secret, SecretString=fresh.secret())
        [(_, outcome)] = answer_with_another_key(stack, sender)
        assert outcome.remedy.name == "STOP_AND_ALARM"
        sender.prepare()
        list(sender.send([push(stack, Environment.PRODUCTION)], deadline_s=time.time() + 10))

        presented = {one.headers["authorization"] for one in stack.apns.pushes}
        assert len(presented) == 2, "the doubted key was read again, and a new token made of it"
    finally:
        sender.close()
        stack.aws.secrets.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)


def test_another_key_leaves_a_connection_that_nothing_was_wrong_with(stack: Stack) -> None:
    """Apple wants a connection to hear of one key only."""
    secret = stack.aws.secrets.create_secret(Name="test-of-sender", SecretString=stack.signing_key.secret())["ARN"]
    keys = KeySource(stack.aws.secrets, secret, now=time.time)
    sender = sender_with(stack, secret, keys)
    try:
        made = stack.apns.connections_made
        for seen in (stack.signing_key, LocalSigningKey.fresh()):
            stack.aws.secrets.put_secret_value(SecretId=secret, SecretString=seen.secret())
            sender.prepare()
            list(sender.send([push(stack, Environment.PRODUCTION)], deadline_s=time.time() + 10))
            keys.doubt()

        assert stack.apns.connections_made - made == 2
        assert [one.status for one in stack.apns.pushes] == [200, 403]
    finally:
        sender.close()
        stack.aws.secrets.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)


def answer_with_another_key(stack: Stack, sender: Sender) -> list[tuple[Push, Outcome]]:
    from onebox.apns.simulator import Fault

    stack.apns.faults.add(Fault("answer", status=403, reason="InvalidProviderToken"))
    return list(sender.send([push(stack, Environment.PRODUCTION)], deadline_s=time.time() + 10))


def test_without_a_key_there_is_no_sending(stack: Stack) -> None:
    with pytest.raises(Misconfigured):
        sender_with(stack, "no-such-secret").prepare()
