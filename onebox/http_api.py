"""API Gateway's HTTP API on this machine: the template's routes, its JWT check, its events."""

from collections.abc import Mapping, Sequence

from onebox.http_event import Request, Response, event, gateway_response, match, response
from onebox.http_server import HttpServer
from onebox.identity import JwtCheck
from onebox.lambda_runtime import Function, FunctionError
from onebox.template import Route


class HttpApi:
    """Serves the routes of the template by its functions."""

    def __init__(
        self,
        routes: Sequence[Route],
        functions: Mapping[str, Function],
        checks: Mapping[str, JwtCheck],
        *,
        port: int = 0,
    ) -> None:
        self._routes = routes
        self._functions = functions
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
            answer = self._functions[route.function].invoke(event(request, route, parameters, claims))
            return response(answer)
        except (FunctionError, ValueError):
            return gateway_response(500, "Internal Server Error")
