"""API Gateway's HTTP API on this machine: the template's routes, its JWT check, its events."""

from collections.abc import Callable, Mapping, Sequence

from onebox.http_event import Request, Response, event, gateway_response, match, response
from onebox.http_server import HttpServer
from onebox.identity import JwtCheck
from onebox.lambda_runtime import FunctionError, Invocable
from onebox.template import Route

# Answers a request that found its route and passed its check: the route, its path parameters, the caller's claims.
# Raises FunctionError, or ValueError for an answer that is none.
type Integration = Callable[[Request, Route, Mapping[str, str], Mapping[str, str] | None], Response]


def invoking(functions: Mapping[str, Invocable]) -> Integration:
    """Let the route's function handle an event made of the request."""

    def answer(
        request: Request, route: Route, parameters: Mapping[str, str], claims: Mapping[str, str] | None
    ) -> Response:
        return response(functions[route.function].invoke(event(request, route, parameters, claims)))

    return answer


class HttpApi:
    """Serves the routes of the template by what is integrated with them."""

    def __init__(
        self,
        routes: Sequence[Route],
        integration: Integration,
        checks: Mapping[str, JwtCheck],
        *,
        port: int = 0,
    ) -> None:
        self._routes = routes
        self._integration = integration
        self._checks = checks
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
        claims = None
        if route.authorizer is not None:
            claims = self._checks[route.authorizer].claims(request.header("authorization"))
            if claims is None:
                return gateway_response(401, "Unauthorized", ("www-authenticate", "Bearer"))
        try:
            return self._integration(request, route, parameters, claims)
        except (FunctionError, ValueError):
            return gateway_response(500, "Internal Server Error")
