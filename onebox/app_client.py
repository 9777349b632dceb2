"""The app's requests to Lockstep's HTTPS API."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import quote, urlsplit

# Containers behind the API may have to start.
_TIMEOUT_S = 60

# What an app's background request does when the network or the server has a bad moment.
_TRIES = 5
_FIRST_PAUSE_S = 0.1

# In place of a status, where there was none.
_NO_ANSWER = 599


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that the API did not take."""

    request: str
    status: int
    body: str = field(repr=False)


class AppClient:
    """
    Speaks for one app on one phone.

    Args:
        api: The API's address.
        token: Returns the JWT of a user.
        refused: Told of each request that came to nothing.
    """

    def __init__(self, api: str, device: str, token: Callable[[str], str], refused: Callable[[Refusal], None]) -> None:
        self._host = urlsplit(api).netloc
        self._device = f"/v1/devices/{quote(device, safe='')}"
        self._token = token
        self._refused = refused

    def report(self, user: str, truth: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Tell the phone's whole truth; returns the activities that the API answers with."""
        answer = self._send(user, "PUT", self._device, truth)
        activities: list[dict[str, Any]] = (answer or {}).get("activities", [])
        return activities

    def put_start_token(self, user: str, attributes_type: str, body: Mapping[str, Any]) -> None:
        """Pass on a push-to-start token."""
        self._send(user, "PUT", f"{self._device}/start-tokens/{quote(attributes_type, safe='')}", body)

    def put_card(self, user: str, card: str, body: Mapping[str, Any]) -> None:
        """Pass on a card, and its update token once there is one."""
        self._send(user, "PUT", f"{self._device}/cards/{quote(card, safe='')}", body)

    def delete_card(self, user: str, card: str, reason: str) -> None:
        """Say that a card is no more."""
        self._send(user, "DELETE", f"{self._device}/cards/{quote(card, safe='')}?reason={reason}")

    def sign_out(self, user: str, observed_at_ms: int) -> None:
        """Let this phone be forgotten."""
        self._send(user, "DELETE", f"{self._device}?observed_at_ms={observed_at_ms}")

    def _send(self, user: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        pause_s = _FIRST_PAUSE_S
        for left in reversed(range(_TRIES)):
            status, text = self._once(user, method, path, body)
            if status < 400:
                found = json.loads(text) if text else None
                return found if isinstance(found, dict) else None
            if not left or (status < 500 and status != 429):
                break
            time.sleep(pause_s)
            pause_s *= 2
        self._refused(Refusal(f"{method} {path}", status, text))
        return None

    def _once(self, user: str, method: str, path: str, body: Mapping[str, Any] | None) -> tuple[int, str]:
        connection = HTTPConnection(self._host, timeout=_TIMEOUT_S)
        headers = {"authorization": f"Bearer {self._token(user)}"}
        if body is not None:
            headers["content-type"] = "application/json"
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except (OSError, HTTPException) as error:
            return _NO_ANSWER, str(error)
        finally:
            connection.close()
