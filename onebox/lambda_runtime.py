"""What Lambda does with a function: its environment, its import, its context, one event at a time."""

import importlib.util
import inspect
import json
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from onebox.environment import variables
from onebox.function_log import FunctionLog
from onebox.template import FunctionSpec

ACCOUNT = "123456789012"

# The environment is the process's: two functions must not be imported at the same time.
_importing = threading.Lock()


class FunctionError(Exception):
    """A function raised; the cause says what."""


@dataclass(frozen=True, slots=True)
class Context:
    """The context object of an invocation, as far as anybody here uses it."""

    function_name: str
    memory_limit_in_mb: int
    invoked_function_arn: str
    timeout_s: float
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    function_version: str = "$LATEST"
    began_s: float = field(default_factory=time.monotonic)

    def get_remaining_time_in_millis(self) -> int:
        """Return how long the function may still run."""
        return max(0, int((self.began_s + self.timeout_s - time.monotonic()) * 1000))


class Handler(Protocol):
    """A Lambda handler."""

    def __call__(self, event: Any, context: Any, /) -> Any:
        """Handle an event."""


class Invocable(Protocol):
    """A function, wherever it runs."""

    @property
    def log(self) -> FunctionLog:
        """Where what it prints goes, and what is said of it."""

    def invoke(self, event: Any, /) -> Any:
        """Handle an event, after those that came before; raises FunctionError."""


class Function:
    """
    One container of a function: it handles one event at a time, and keeps its module between them.

    Args:
        environment: Its variables, whole and resolved.
        make_handler: Imports the handler, called once, on the first use; default: from the function's file.
    """

    def __init__(
        self,
        spec: FunctionSpec,
        environment: Mapping[str, str | None],
        log: FunctionLog,
        *,
        region: str,
        make_handler: Callable[[FunctionSpec], Handler] | None = None,
    ) -> None:
        self.spec = spec
        self.environment = dict(environment)
        self.log = log
        self.arn = f"arn:aws:lambda:{region}:{ACCOUNT}:function:{spec.logical_id}"
        self._make_handler = make_handler or import_handler
        self._handler: Handler | None = None
        self._turn = threading.Lock()

    def load(self) -> None:
        """Import the function now; a function that can't start says so here."""
        with self._turn:
            self._loaded()

    def invoke(self, event: Any) -> Any:
        """
        Handle an event, after those that came before.

        Raises:
            FunctionError: The handler raised; its traceback is in the log.
        """
        # As between Lambda and its callers, nothing but JSON passes.
        event = json.loads(json.dumps(event))
        with self._turn, self.log.taking():
            handler = self._loaded()
            context = Context(self.spec.logical_id, self.spec.memory_mb, self.arn, self.spec.timeout_s)
            try:
                return json.loads(json.dumps(handler(event, context)))
            except Exception as error:
                self.log.write(traceback.format_exc())
                raise FunctionError(f"{self.spec.logical_id} failed: {type(error).__name__}: {error}") from error

    def restart(self, **variables: str | None) -> None:
        """Forget the container, as when it dies: the next event meets a new one, with variables changed or (None) taken away."""
        with self._turn:
            self._handler = None
            self.environment |= variables

    def deploy(
        self,
        spec: FunctionSpec,
        environment: Mapping[str, str | None],
        make_handler: Callable[[FunctionSpec], Handler] | None = None,
    ) -> None:
        """Let other code take over, in an environment of its own: the next event meets a container of it."""
        with self._turn:
            self.spec = spec
            self.environment = dict(environment)
            self._make_handler = make_handler or import_handler
            self._handler = None

    @property
    def names(self) -> Mapping[str, Any]:
        """What the handler's module calls its own: its clients, for tests that let them meet a fault."""
        with self._turn:
            return dict(inspect.unwrap(self._loaded()).__globals__)

    def _loaded(self) -> Handler:
        if self._handler is None:
            with _importing, variables(self.environment), self.log.taking():
                self._handler = self._make_handler(self.spec)
        return self._handler


def import_handler(spec: FunctionSpec) -> Handler:
    """Import a function's file afresh, whatever was imported under its name before, and return its handler."""
    name, _, attribute = spec.handler.rpartition(".")
    module = _fresh_module(name, spec.code / f"{name.replace('.', '/')}.py")
    handler: Handler = getattr(module, attribute)
    return handler


def _fresh_module(name: str, path: Path) -> ModuleType:
    found = importlib.util.spec_from_file_location(name, path)
    if found is None or found.loader is None:
        raise ImportError(f"{path} is no Python module")
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    found.loader.exec_module(module)
    return module
