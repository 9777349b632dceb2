"""The control interface: plain HTTP and JSON, by which others drive and watch the phones and Apple."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from lockstep.apns import Environment
from lockstep.json_values import NESTING_MAX, Json, JsonObject, parse
from onebox.apns.simulator import ApnsSimulator, Fault
from onebox.asked import Wrong, parts
from onebox.guard import foreign
from onebox.http_event import Request, Response
from onebox.http_server import HttpServer
from onebox.phone import Phone
from onebox.phones import Phones

# What can be done with a phone, which parts of the request say how, and which of them must.
_ACTS: Mapping[str, tuple[Callable[..., object], tuple[str, ...], tuple[str, ...]]] = {
    "launch": (Phone.launch, ("user",), ()),
    "quit": (Phone.quit, (), ()),
    "sign_out": (Phone.sign_out, (), ()),
    "change_user": (Phone.change_user, ("user",), ("user",)),
    "uninstall": (Phone.uninstall, (), ()),
    "offline": (Phone.go_offline, (), ()),
    "online": (Phone.go_online, (), ()),
    "rotate": (Phone.rotate, ("activity",), ("activity",)),
    "rotate_start_token": (Phone.rotate_start_token, ("attributes_type",), ()),
    "kill_tokens": (Phone.kill_tokens, ("activity",), ()),
    "swipe": (Phone.swipe, ("activity",), ("activity",)),
    "start_card": (
        Phone.start_card,
        ("activity", "run", "attributes_type", "attributes", "content_state"),
        ("activity",),
    ),
}

_SETTINGS = ("environment", "os_version", "attributes_types", "follows", "self_start")


@dataclass(frozen=True, slots=True)
class Act:
    """
    Something that somebody did by the control interface.

    Attributes:
        at_ms: When it was asked for.
    """

    path: str
    asked: Any
    answered: Any
    at_ms: int


class Control:
    """
    Serves the control interface.

    - `GET /phones`, `GET /pushes`, `GET /channels`, `GET /faults` tell.
    - `POST /phones` with `{"user", "name"?, …}` makes a phone and opens its app; with `{"phone", "do", …}` does
      something with one. Both answer with the phone.
    - `POST /faults` with a list of faults adds them; with `{"clear": true}` there are none any more.
    - `POST /publishes` puts its body, whatever JSON it is, on the publish queue as it was written, and answers with the
      message's id.

    Args:
        publish: Puts a message on the publish queue, and returns its id.

    Attributes:
        listeners: Who hears of everything that was done.
    """

    def __init__(self, phones: Phones, apns: ApnsSimulator, *, publish: Callable[[str], str], port: int = 0) -> None:
        self.listeners: list[Callable[[Act], None]] = []
        self._phones = phones
        self._apns = apns
        self._publish = publish
        self._server = HttpServer(self._serve, name="control", port=port)
        self.url = self._server.url
        self.start = self._server.start
        self.stop = self._server.stop

    def _serve(self, request: Request) -> Response:
        why = foreign(request, int(self.url.rpartition(":")[2]))
        return self.answer(request) if why is None else _json(403, {"message": why})

    def answer(self, request: Request) -> Response:
        """Answer one request."""
        acts: Mapping[str, Callable[[Json], Any]] = {
            "GET /phones": lambda _: [phone.to_json() for phone in self._phones.all()],
            "POST /phones": self._post_phone,
            "GET /pushes": lambda _: self._pushes(),
            "GET /channels": lambda _: self._channels(),
            "GET /faults": lambda _: [fault.to_json() for fault in self._apns.faults.pending()],
            "POST /faults": self._post_faults,
            "POST /publishes": lambda _: {"message_id": self._publish(request.body.decode())},
        }
        act = acts.get(f"{request.method} {request.path}")
        if act is None:
            return _json(404, {"message": f"there is {', '.join(acts)}"})
        at_ms = int(time.time() * 1000)
        try:
            body = parse(request.body.decode(), nesting_max=NESTING_MAX) if request.method == "POST" else None
            answer = act(body)
        except (ValueError, ClientError) as error:
            return _json(400, {"message": str(error)})
        if request.method == "POST":
            for hear in self.listeners:
                hear(Act(request.path, body, answer, at_ms))
        return _json(200, answer)

    def _post_phone(self, body: Json) -> Any:
        phone = self._act(body) if isinstance(body, dict) and "do" in body else self._make(body)
        return phone.to_json()

    def _make(self, body: Json) -> Phone:
        said = parts(body, known=("user", "name", *_SETTINGS), needed=("user",))
        settings = {name: said[name] for name in _SETTINGS if name in said}
        if "environment" in settings:
            settings["environment"] = Environment(settings["environment"])
        phone = self._phones.make(said.get("name"), **settings)
        phone.launch(said["user"])
        return phone

    def _act(self, body: JsonObject) -> Phone:
        do = body["do"]
        if not isinstance(do, str) or do not in _ACTS:
            raise Wrong(f"do: one of {', '.join(_ACTS)}")
        act, taken, needed = _ACTS[do]
        said = parts(body, known=("phone", "do", *taken), needed=("phone", *needed))
        phone = next((one for one in self._phones.all() if one.name == said["phone"]), None)
        if phone is None:
            raise Wrong(f"phone: none is called {said['phone']!r}")
        act(phone, **{name: said[name] for name in taken if name in said})
        return phone

    def _pushes(self) -> list[dict[str, Any]]:
        return [push.to_json() | {"verdict": self._phones.verdict(push)} for push in self._apns.received()]

    def _channels(self) -> list[dict[str, Any]]:
        return [
            {
                "environment": channel.environment,
                "channel": channel.id,
                "message_storage_policy": channel.storage_policy,
                "created_at_ms": channel.created_at_ms,
                "subscribers": len(channel.subscribers),
            }
            for environment in Environment
            for channel in self._apns.channels.every(environment)
        ]

    def _post_faults(self, body: Json) -> Any:
        match body:
            case {"clear": True}:
                self._apns.faults.clear()
            case list():
                for fault in [Fault.from_json(one) for one in body]:
                    self._apns.faults.add(fault)
            case _:
                raise Wrong('a list of faults, or {"clear": true}')
        return [fault.to_json() for fault in self._apns.faults.pending()]


def _json(status: int, value: Any) -> Response:
    return Response(status, [("content-type", "application/json")], json.dumps(value).encode())
