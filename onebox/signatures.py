"""What API Gateway checks of a route behind IAM: AWS's own signature of the request (SigV4), as botocore computes it."""

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.auth import SIGV4_TIMESTAMP, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from onebox.http_event import Request

# A signature is good for so long, before and after its moment ("Elements of an AWS API request signature").
LIFETIME_S = 300

ACCOUNT = "123456789012"

_SERVICE = "execute-api"

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/, ]+)/(?P<scope>[^, ]+), ?"
    r"SignedHeaders=(?P<headers>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)

_HOST = re.compile(r"(127\.0\.0\.1|localhost)(:[0-9]{1,5})?")


class SignatureCheck:
    """
    Decides about requests; whoever signs with a key of this machine may do everything.

    Args:
        secrets: Secret access keys by their access key ids.
    """

    def __init__(self, secrets: Mapping[str, str], *, region: str, now: Callable[[], float] = time.time) -> None:
        self._secrets = secrets
        self._region = region
        self._now = now

    def caller(self, request: Request) -> dict[str, Any] | None:
        """Return who signed a request, as the function gets to see it (`authorizer.iam`); None refuses it."""
        said = _AUTHORIZATION.fullmatch(request.header("authorization") or "")
        date = request.header("x-amz-date") or ""
        if said is None or said["key"] not in self._secrets or not self._is_of_now(date):
            return None
        if said["scope"] != f"{date[:8]}/{self._region}/{_SERVICE}/aws4_request":
            return None
        signed = said["headers"].split(";")
        if not {"host", "x-amz-date"} <= set(signed) or not _is_of_body(request) or not _is_to_here(request):
            return None
        if not hmac.compare_digest(self._signature(request, said["key"], signed, date), said["signature"]):
            return None
        return {
            "accessKey": said["key"],
            "accountId": ACCOUNT,
            "callerId": said["key"],
            "cognitoIdentity": None,
            "principalOrgId": None,
            "userArn": f"arn:aws:iam::{ACCOUNT}:user/{said['key']}",
            "userId": said["key"],
        }

    def _is_of_now(self, date: str) -> bool:
        try:
            at = datetime.strptime(date, SIGV4_TIMESTAMP).replace(tzinfo=UTC)
        except ValueError:
            return False
        return abs(self._now() - at.timestamp()) <= LIFETIME_S

    def _signature(self, request: Request, key: str, signed: list[str], date: str) -> str:
        """Sign the request anew, by the headers that its caller says were signed."""
        auth = SigV4Auth(Credentials(key, self._secrets[key]), _SERVICE, self._region)
        url = f"http://{request.header('host')}{request.target}"
        headers = {name: request.header(name) or "" for name in signed}
        again = AWSRequest(request.method, url, headers, request.body)
        again.context["timestamp"] = date
        return auth.signature(auth.string_to_sign(again, auth.canonical_request(again)), again)


def _is_to_here(request: Request) -> bool:
    """
    Say whether a request is to this machine, by a name of its own.

    Everybody knows the key: a page to whose name a browser was led here (DNS rebinding) must not do with it.
    """
    return _HOST.fullmatch(request.header("host") or "") is not None


def _is_of_body(request: Request) -> bool:
    """Where the hash of the body is said beside it, it must be that."""
    said = request.header("x-amz-content-sha256")
    return said in (None, hashlib.sha256(request.body).hexdigest())
