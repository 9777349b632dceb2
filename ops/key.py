"""`make key`: put the APNs key into a stack's secret. The key itself is never printed."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from lockstep.errors import InvalidInput, LockstepError
from lockstep.provider_token import SigningKey
from ops.stack import output

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


def secret_of(p8: Path, *, key_id: str, team_id: str) -> str:
    """
    Make the secret's text of a .p8 file.

    Raises:
        InvalidInput: There is no such file.
        Misconfigured: It holds no P-256 key, or an id doesn't have ten characters.
    """
    try:
        private_key = p8.read_text()
    except (OSError, ValueError) as error:
        raise InvalidInput("P8", f"can't be read: {p8}") from error
    secret = json.dumps({"team_id": team_id, "key_id": key_id, "private_key": private_key})
    SigningKey.from_json(secret)
    return secret


def put(secrets: "SecretsManagerClient", arn: str, secret: str) -> None:
    """Put the key into the secret; running functions find it within a minute or so of Apple refusing the old one."""
    secrets.put_secret_value(SecretId=arn, SecretString=secret)


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="make key", description=__doc__)
    parser.add_argument("--p8", required=True, type=Path, help="the AuthKey_….p8 file that Apple gave you once")
    parser.add_argument("--key-id", required=True, help="its ten characters, as in the file's name")
    parser.add_argument("--team-id", required=True, help="your team's ten characters")
    parser.add_argument("--stack", required=True, help="the stack's name")
    given = parser.parse_args(arguments)
    try:
        secret = secret_of(given.p8, key_id=given.key_id, team_id=given.team_id)
        put(
            boto3.client("secretsmanager"), output(boto3.client("cloudformation"), given.stack, "SigningKeyArn"), secret
        )
    except (LockstepError, BotoCoreError, ClientError) as error:
        print(f"make key: {error}", file=sys.stderr)
        return 1
    print(f"Key {given.key_id} of team {given.team_id} is in the secret of {given.stack}. No deploy needs to follow.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
