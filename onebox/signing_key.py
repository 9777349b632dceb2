"""The key that signs provider tokens: on this machine a fresh one that Apple's simulator knows."""

import json
from dataclasses import dataclass, field
from typing import Self

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

TEAM_ID = "TEAM123456"
KEY_ID = "KEY1234567"


@dataclass(frozen=True, slots=True)
class LocalSigningKey:
    """A P-256 key as Apple hands it out, and its public half."""

    team_id: str
    key_id: str
    private_pem: str = field(repr=False)
    public_pem: str

    @classmethod
    def fresh(cls, *, team_id: str = TEAM_ID, key_id: str = KEY_ID) -> Self:
        """Make a new key."""
        key = ec.generate_private_key(ec.SECP256R1())
        return cls(
            team_id,
            key_id,
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
            key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        )

    def secret(self) -> str:
        """Return the content of the secret, as the push function reads it."""
        return json.dumps({"team_id": self.team_id, "key_id": self.key_id, "private_key": self.private_pem})
