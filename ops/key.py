"""`make key`: put the APNs key into a stack's secret. The key itself is never printed."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from lockstep.errors import LockstepError
from ops import key_file
from ops.account import told
from ops.stack import output

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


_EXAMPLE = "For example: make key P8=AuthKey_KEYID12345.p8 TEAM_ID=TEAMID1234 STACK=lockstep"

# A key of Apple's for anything else looks the same, and its file has the same name.
_IF_IT_IS_ANOTHER = (
    "If pushes are answered 403 InvalidProviderToken, the key is another team's, or has no Apple Push Notifications service "
    "(developer.apple.com/account/resources/authkeys)."
)


def secret_of(p8: Path, *, key_id: str, team_id: str) -> str:
    """
    Make the secret's text of a .p8 file.

    Args:
        key_id: Empty: the file's name says it.

    Raises:
        InvalidInput: The file holds no P-256 key, or an id is malformed or another's.
    """
    parts = {
        "team_id": key_file.team_id(team_id),
        "key_id": key_file.key_id_of(p8, key_id),
        "private_key": key_file.private_key(p8),
    }
    return json.dumps(parts)


def put(secrets: "SecretsManagerClient", arn: str, secret: str) -> None:
    """Put the key into the secret; running functions find it within a minute or so of Apple refusing the old one."""
    secrets.put_secret_value(SecretId=arn, SecretString=secret)


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="make key", description=__doc__)
    parser.add_argument("--p8", required=True, help="the AuthKey_….p8 file that Apple gave you once")
    parser.add_argument("--key-id", default="", help="its ten characters; default: those in the file's name")
    parser.add_argument("--team-id", required=True, help="your team's ten characters")
    parser.add_argument("--stack", required=True, help="the stack's name")
    given = parser.parse_args(arguments)
    needed = {"P8": given.p8, "TEAM_ID": given.team_id, "STACK": given.stack}
    if missing := [name for name, value in needed.items() if not value]:
        print(f"make key: {', '.join(missing)} missing. {_EXAMPLE}", file=sys.stderr)
        return 2
    try:
        secret = secret_of(Path(given.p8), key_id=given.key_id, team_id=given.team_id)
        session = boto3.Session()
        arn = output(session.client("cloudformation"), given.stack, "SigningKeyArn")
        put(session.client("secretsmanager"), arn, secret)
    except LockstepError as error:
        print(f"make key: {error}", file=sys.stderr)
        return 1
    except (BotoCoreError, ClientError) as error:
        print(f"make key: {told(error)}", file=sys.stderr)
        return 1
    key_id = json.loads(secret)["key_id"]
    print(f"Key {key_id} of team {given.team_id} is in the secret of {given.stack}. No deploy needs to follow.")
    print(_IF_IT_IS_ANOTHER)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
