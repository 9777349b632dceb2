"""The signing key from its secret: cached, doubted, read again, and said what is wrong with it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lockstep.errors import Misconfigured
from lockstep.key_source import KeySource
from onebox.signing_key import LocalSigningKey
from onebox.stack import Stack


class Secret:
    """A secret of a test's own, and how often it was read."""

    def __init__(self, stack: Stack) -> None:
        self.client = stack.aws.secrets
        self.now_s = 1_800_000_000.0
        self.reads = 0
        self.arn = self.client.create_secret(Name="test-of-key-source")["ARN"]
        self.client.meta.events.register("before-call.secrets-manager.GetSecretValue", self._count)
        self.keys = KeySource(self.client, self.arn, now=lambda: self.now_s)

    def put(self, text: str) -> None:
        self.client.put_secret_value(SecretId=self.arn, SecretString=text)

    def remove(self) -> None:
        self.client.meta.events.unregister("before-call.secrets-manager.GetSecretValue", self._count)
        self.client.delete_secret(SecretId=self.arn, ForceDeleteWithoutRecovery=True)

    def _count(self, **_: Any) -> None:
        self.reads += 1


@pytest.fixture
def secret(stack: Stack) -> Iterator[Secret]:
    secret = Secret(stack)
    yield secret
    secret.remove()


def test_a_key_is_read_once(secret: Secret) -> None:
    made = LocalSigningKey.fresh()
    secret.put(made.secret())

    keys = [secret.keys.get() for _ in range(3)]

    assert {key.key_id for key in keys} == {made.key_id}
    assert secret.reads == 1


def test_a_doubted_key_is_read_again_at_once_and_then_at_most_once_a_minute(secret: Secret) -> None:
    secret.put(LocalSigningKey.fresh().secret())
    secret.keys.get()

    reads = []
    for after_s in (0, 1, 59, 60, 61, 120):
        secret.keys.doubt()
        start_s, secret.now_s = secret.now_s, 1_800_000_000.0 + after_s
        secret.keys.get()
        assert secret.now_s >= start_s
        reads.append(secret.reads)

    assert reads == [2, 2, 2, 3, 3, 4]


def test_a_key_that_changed_is_seen_without_a_deploy(secret: Secret) -> None:
    old, new = LocalSigningKey.fresh(), LocalSigningKey.fresh()
    secret.put(old.secret())
    before = secret.keys.get()
    secret.put(new.secret())
    assert secret.keys.get() == before, "nobody doubts it yet"

    secret.keys.doubt()

    assert secret.keys.get().private_key == json.loads(new.secret())["private_key"]


def of_curve(curve: ec.EllipticCurve) -> str:
    """Return a secret whose key is of a curve."""
    pem = ec.generate_private_key(curve).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return json.dumps({"team_id": "TEAM123456", "key_id": "KEY1234567", "private_key": pem.decode()})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("what?", "not JSON"),
        ("{}", "team_id"),
        ("[]", "object"),
        (json.dumps({"team_id": "TEAM123456", "key_id": "KEY1234567", "private_key": "hush"}), "not the PEM"),
        (of_curve(ec.SECP384R1()), "not a P-256 key"),
    ],
    ids=lambda value: value[:20],
)
def test_a_secret_that_is_no_key_says_so_and_a_better_one_is_found(secret: Secret, text: str, words: str) -> None:
    secret.put(text)
    with pytest.raises(Misconfigured, match=words) as refused:
        secret.keys.get()
    assert text not in str(refused.value)
    assert "hush" not in str(refused.value)

    made = LocalSigningKey.fresh()
    secret.put(made.secret())
    secret.now_s += 60

    assert secret.keys.get().key_id == made.key_id


def test_a_secret_without_a_value_says_so(secret: Secret) -> None:
    """As it is after the first deploy."""
    with pytest.raises(Misconfigured, match="can't be read"):
        secret.keys.get()


def test_a_secret_that_is_not_there_says_so(stack: Stack) -> None:
    with pytest.raises(Misconfigured, match="can't be read"):
        KeySource(stack.aws.secrets, "no-such-secret", now=lambda: 0.0).get()
