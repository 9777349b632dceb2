"""The signing key, from Secrets Manager, without a deploy when it changes."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from aws_lambda_powertools.utilities.parameters import SecretsProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

from lockstep.errors import Misconfigured
from lockstep.provider_token import SigningKey

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

# How long a container trusts the key it has read; Apple's word that it is wrong cuts that short.
_CACHE_S = 3600

# A fleet that Apple refuses must not turn into a storm on Secrets Manager.
_READ_AGAIN_S = 60


class KeySource:
    """Reads the secret `{"team_id", "key_id", "private_key"}`."""

    def __init__(self, client: "SecretsManagerClient", secret: str, *, now: Callable[[], float]) -> None:
        self._provider = SecretsProvider(boto3_client=client)
        self._secret = secret
        self._now = now
        self._read_at_s = 0.0
        self._doubted = False

    def get(self) -> SigningKey:
        """
        Return the key, read again at most once a minute if it was doubted.

        Raises:
            Misconfigured: The secret is absent, unreadable, or not a P-256 key with its two ids.
        """
        again = self._doubted and self._now() - self._read_at_s >= _READ_AGAIN_S
        if again:
            self._read_at_s = self._now()
        try:
            text = self._provider.get(self._secret, max_age=_CACHE_S, force_fetch=again)
        except GetParameterError as error:
            raise Misconfigured(
                f"the signing key's secret can't be read: {type(error.__cause__ or error).__name__}"
            ) from error
        try:
            key = SigningKey.from_json(text if isinstance(text, str) else "")
        except Misconfigured:
            self.doubt()
            raise
        if again:
            self._doubted = False
        return key

    def doubt(self) -> None:
        """Apple, or our own reading, says that the key is wrong: look again, soon."""
        self._doubted = True
