"""API Gateway's HTTP API on this machine: the template's routes, whom it lets in, its events."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onebox.http_event import Request, Response, event, gateway_response, match, response
from onebox.http_server import HttpServer
from onebox.identity import JwtCheck
from onebox.lambda_runtime import FunctionError, Invocable
from onebox.signatures import SignatureCheck
from onebox.template import Route

# What a function is told of who called it: `{"jwt": {"claims": …}}` or `{"iam": {…}}`.
type Caller = Mapping[str, Any]

# Answers a request that found its route and was let in: the route, its path parameters, the caller.
# Raises FunctionError, or ValueError for an answer that is none.
type Integration = Callable[[Request, Route, Mapping[str, str], Caller | None], Response]


@dataclass(frozen=True, slots=True)
class Authorizer:
    """
    Whom routes let in.

    Attributes:
        caller: Says who called; None for nobody whom it lets in.
        refusal: What everybody else is answered.
    """

    caller: Callable[[Request], Caller | None]
    refusal: Response


def by_jwt(check: JwtCheck) -> Authorizer:
    """Let users in by their tokens."""

    def caller(request: Request) -> Caller | None:
        claims = check.claims(request.header("authorization"))
        return None if claims is None else {"jwt": {"claims": claims, "scopes": None}}

    return Authorizer(caller, gateway_response(401, "Unauthorized", ("www-authenticate", "Bearer")))


def by_iam(check: SignatureCheck) -> Authorizer:
    """Let principals of the account in by their signatures. An HTTP API says no more than that, whatever was wrong."""

    def caller(request: Request) -> Caller | None:
        principal = check.caller(request)
        return None if principal is None else {"iam": principal}

    return Authorizer(caller, gateway_response(403, "Forbidden"))


def invoking(functions: Mapping[str, Invocable]) -> Integration:
    """Let the route's function handle an event made of the request."""

    def answer(request: Request, route: Route, parameters: Mapping[str, str], caller: Caller | None) -> Response:
        return response(functions[route.function].invoke(event(request, route, parameters, caller)))

    return answer


class HttpApi:
    """Serves the routes of the template by what is integrated with them."""

    def __init__(
        self,
        routes: Sequence[Route],
        integration: Integration,
        authorizers: Mapping[str, Authorizer],
        *,
        port: int = 0,
    ) -> None:
        self._routes = routes
        self._integration = integration
        self._authorizers = authorizers
        self._server = HttpServer(self.answer, name="http-api", port=port)
        self.url = self._server.url
        self.start = self._server.start
        self.stop = self._server.stop

    def answer(self, request: Request) -> Response:
        """Answer one request, as API Gateway would."""
        found = match(self._routes, request)
        if found is None:
            return gateway_response(404, "Not Found")
        route, parameters = found
        caller = None
        if route.authorizer is not None:
            authorizer = self._authorizers[route.authorizer]
            caller = authorizer.caller(request)
            if caller is None:
                return authorizer.refusal
        try:
            return self._integration(request, route, parameters, caller)
        except (FunctionError, ValueError):
            return gateway_response(500, "Internal Server Error")
