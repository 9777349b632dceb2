"""`make explain`: why does an activity show, or doesn't it? Asks a stack, or the one that `make up` runs here."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3
import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from lockstep.errors import InvalidInput, LockstepError
from lockstep.ids import is_id
from ops import account
from ops.facts import told
from ops.stack import output

ENDPOINTS = Path(__file__).parent.parent / ".local" / "endpoints.json"

# As API Gateway on one machine knows them (`onebox.aws`, which would bring moto).
_LOCAL_REGION = "us-east-1"
_LOCAL_KEY = "local"

# A little more than API Gateway gives a function.
_TIMEOUT_S = 35


class Unexplained(LockstepError):
    """There is no answer; says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Api:
    """
    Whom to ask.

    Attributes:
        name: What a person calls it.
        local: Whether it is on this machine, to which no proxy leads.
    """

    name: str
    url: str
    region: str
    credentials: Credentials = field(repr=False)
    local: bool = False


def deployed(stack: str) -> Api:
    """
    Find a deployed stack, as the operator's profile sees it.

    Raises:
        InvalidInput: There is no such stack, or it is no Lockstep.
        ClientError, BotoCoreError: It can't be looked up.
    """
    session = boto3.Session()
    stacks = session.client("cloudformation")
    credentials = session.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    frozen = credentials.get_frozen_credentials()
    mine = Credentials(frozen.access_key or "", frozen.secret_key or "", frozen.token)
    return Api(stack, output(stacks, stack, "ApiUrl"), stacks.meta.region_name, mine)


def on_this_machine(endpoints: Path) -> Api:
    """
    Find the stack that `make up` runs.

    Raises:
        InvalidInput: None runs.
    """
    try:
        url = json.loads(endpoints.read_text())["api"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InvalidInput(
            "STACK", f"names the stack to ask; without it `make up` must run here ({endpoints})"
        ) from error
    return Api("the stack on this machine", url, _LOCAL_REGION, Credentials(_LOCAL_KEY, _LOCAL_KEY), local=True)


def ask(api: Api, activity: str, *, with_state: bool) -> dict[str, Any]:
    """
    Ask about an activity, by a signed request.

    Raises:
        Unexplained: There is no answer.
    """
    url = f"{api.url}/v1/activities/{quote(activity, safe='')}{'?state=true' if with_state else ''}"
    request = AWSRequest("GET", url)
    SigV4Auth(api.credentials, "execute-api", api.region).add_auth(request)
    try:
        answer = httpx.get(url, headers=dict(request.headers), timeout=_TIMEOUT_S, trust_env=not api.local)
        said: Any = answer.json()
    except httpx.HTTPError as error:
        still = ". Does `make up` still run?" if api.local else ""
        raise Unexplained(f"{api.name} can't be reached at {api.url}: {error}{still}") from error
    except ValueError as error:
        raise Unexplained(f"{api.url} is no Lockstep: it answered {answer.status_code}, and no JSON") from error
    if answer.status_code == 200 and isinstance(said, dict):
        return said
    raise Unexplained(_why(api, activity, answer.status_code, said if isinstance(said, dict) else {}))


def _why(api: Api, activity: str, status: int, said: dict[str, Any]) -> str:
    message = said.get("message", "")
    if status == 404 and "field" in said:
        return f"{api.name} has no activity {activity}: it {message}"
    if status == 404:
        return f"{api.name} can't be asked: it is of a release before this one, which has no such route"
    if status == 403:
        where = api.url.partition("//")[2].partition(".")[0]
        return (
            f"{api.name} lets you not ask (403 {message}). The key {api.credentials.access_key} needs execute-api:Invoke on "
            f"arn:aws:execute-api:{api.region}:*:{where}/*/GET/v1/activities/*, and this machine's clock must be right "
            "to 5 minutes"
        )
    if status < 500:
        return f"{said.get('field', '')} {message}".strip()
    return f"{api.name} failed to answer ({status} {message}): look at the log of ExplainFunction"


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="make explain", description=__doc__)
    parser.add_argument("--stack", default="", help="the stack's name; without it, the stack that `make up` runs here")
    parser.add_argument("--endpoints", type=Path, default=ENDPOINTS, help="where `make up` says where it is")
    parser.add_argument("--activity", required=True, help="its id")
    parser.add_argument("--state", action="store_true", help="tell the content-state, too")
    parser.add_argument("--json", action="store_true", help="print the answer as it came")
    given = parser.parse_args(arguments)
    try:
        if not given.activity:
            raise InvalidInput(
                "ACTIVITY", "names the activity that is asked about: make explain STACK=… ACTIVITY=order-42"
            )
        if not is_id(given.activity):
            raise InvalidInput("ACTIVITY", "must be 1 to 128 of the characters A-Z a-z 0-9 . _ : @ -")
        api = deployed(given.stack) if given.stack else on_this_machine(given.endpoints)
        answer = ask(api, given.activity, with_state=given.state)
    except LockstepError as error:
        print(f"make explain: {error}", file=sys.stderr)
        return 1
    except (BotoCoreError, ClientError) as error:
        print(f"make explain: {account.told(error)}", file=sys.stderr)
        return 1
    # Who forgot STACK must not take the one for the other.
    where = "a deployed one is asked by STACK=…" if api.local else api.region
    print(f"Asked {api.name} ({where})", file=sys.stderr if given.json else sys.stdout)
    print(json.dumps(answer, indent=2, ensure_ascii=False) if given.json else "\n".join(told(answer)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
