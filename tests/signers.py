"""Requests signed as AWS's clients sign them, and as those do whom an API behind IAM must not let in."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType

from botocore.auth import SIGV4_TIMESTAMP, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from onebox.aws import REGION
from onebox.signatures import LIFETIME_S

# Whoever makes the headers of a request: several of one name, none, whatever they like.
type Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs for a principal; the usual one may do everything on this machine."""

    key: str = "local"
    secret: str = "local"
    region: str = REGION
    service: str = "execute-api"
    at_s: float | None = None

    def sign(
        self, url: str, method: str = "GET", body: bytes = b"", more: Mapping[str, str] = MappingProxyType({})
    ) -> dict[str, str]:
        """Return the headers that a request needs, and others that are to be signed."""
        auth = SigV4Auth(Credentials(self.key, self.secret), self.service, self.region)
        at = datetime.fromtimestamp(time.time() if self.at_s is None else self.at_s, UTC)
        request = AWSRequest(method, url, {**more, "X-Amz-Date": at.strftime(SIGV4_TIMESTAMP)}, body)
        request.context["timestamp"] = request.headers["X-Amz-Date"]
        canonical = auth.canonical_request(request)
        signature = auth.signature(auth.string_to_sign(request, canonical), request)
        signed = auth.signed_headers(auth.headers_to_sign(request))
        said = f"AWS4-HMAC-SHA256 Credential={auth.scope(request)}, SignedHeaders={signed}, Signature={signature}"
        return {**more, "X-Amz-Date": request.headers["X-Amz-Date"], "Authorization": said}


OPERATOR = Signer()


def _by(change: Callable[[Signer], Signer]) -> Callable[[str], Headers]:
    return lambda url: list(change(OPERATOR).sign(url).items())


def _changed(change: Callable[[dict[str, str]], Mapping[str, str]]) -> Callable[[str], Headers]:
    """A good signature, spoilt."""
    return lambda url: list(change(OPERATOR.sign(url)).items())


def _with(old: str, new: str) -> Callable[[str], Headers]:
    def change(headers: dict[str, str]) -> Mapping[str, str]:
        assert old in headers["Authorization"]
        return {**headers, "Authorization": headers["Authorization"].replace(old, new)}

    return _changed(change)


# Each makes the headers for a URL.
FORGERS: Mapping[str, Callable[[str], Headers]] = {
    "nobody": lambda _: [],
    "an empty header": lambda _: [("Authorization", "")],
    "an unknown key": _by(lambda one: replace(one, key="stranger")),
    "an empty key": _by(lambda one: replace(one, key="")),
    "a wrong secret": _by(lambda one: replace(one, secret="Local")),
    "another region": _by(lambda one: replace(one, region="eu-central-1")),
    "another service": _by(lambda one: replace(one, service="dynamodb")),
    "an old signature": _by(lambda one: replace(one, at_s=time.time() - LIFETIME_S - 2)),
    "one of the future": _by(lambda one: replace(one, at_s=time.time() + LIFETIME_S + 30)),
    "another method's": lambda url: list(OPERATOR.sign(url, "DELETE").items()),
    "another path's": lambda url: list(OPERATOR.sign(url.replace("order-42", "order-43")).items()),
    "another query's": lambda url: list(OPERATOR.sign(f"{url.partition('?')[0]}?state=false").items()),
    "another body's": lambda url: list(OPERATOR.sign(url, body=b"{}").items()),
    "another host's": lambda url: list(OPERATOR.sign(url.replace("127.0.0.1", "localhost")).items()),
    "a body's hash that is not its own": lambda url: list(
        OPERATOR.sign(url, more={"X-Amz-Content-SHA256": "0" * 64}).items()
    ),
    "no signature": _with(", Signature=", ", Nothing="),
    "a signature cut short": _changed(lambda headers: {**headers, "Authorization": headers["Authorization"][:-1]}),
    "a signature of noughts": _changed(
        lambda headers: {
            **headers,
            "Authorization": headers["Authorization"].partition("Signature=")[0] + f"Signature={0:064}",
        }
    ),
    "another day": _with(time.strftime("/%Y%m%d/", time.gmtime()), "/20240101/"),
    "no date": _changed(lambda headers: {"Authorization": headers["Authorization"]}),
    "another date": _changed(lambda headers: {**headers, "X-Amz-Date": "20240101T000000Z"}),
    "a date that is none": _changed(lambda headers: {**headers, "X-Amz-Date": "yesterday"}),
    "a host that is not signed": _with("SignedHeaders=host;", "SignedHeaders="),
    "a date that is not signed": _with("host;x-amz-date", "host"),
    "another algorithm": _with("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
    "two of them": lambda url: [*OPERATOR.sign(url).items(), ("Authorization", OPERATOR.sign(url)["Authorization"])],
}
