"""The whole stack on one machine: moto, Apple's simulator, the functions, the API, the phones, the page, its control."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from onebox import ROOT
from onebox.aws import ENVIRONMENT, EVENTS_QUEUE, REGION, SECRETS, LocalAws

# moto, which onebox.aws brings, comes before everything that may make a boto3 client.
from lockstep.apns import Environment  # isort: skip
from lockstep.schemas import Schemas
from onebox.apns.received import ReceivedPush, RequestLog
from onebox.apns.simulator import ApnsSimulator
from onebox.bridge import as_containers_say
from onebox.command_line import LOCAL
from onebox.control import Control
from onebox.event_source import EventSource, EventSources
from onebox.function_log import FunctionLog
from onebox.http_api import HttpApi, Integration, by_iam, by_jwt, invoking
from onebox.identity import AUDIENCE, ISSUER, Identity, JwtCheck
from onebox.lambda_runtime import Function, Handler, Invocable
from onebox.page.chronicle import Chronicle
from onebox.page.server import Page
from onebox.page.view import View
from onebox.phones import Phones
from onebox.ports import Ports
from onebox.queues import Queues
from onebox.sam.cli import SamCli
from onebox.sam.host import containers
from onebox.schedule import Schedules
from onebox.signatures import SignatureCheck
from onebox.signing_key import LocalSigningKey
from onebox.template import IAM, FunctionSpec, Template

BUNDLE_ID = "com.example.lockstep"
PARAMETERS = {"BundleId": BUNDLE_ID, "JwtIssuer": ISSUER, "JwtAudience": AUDIENCE}

# How soon a drain looks again for a message that is not due yet.
_LOOK_AGAIN_S = 0.02


class Stack:
    """
    Starts everything in order, and stops it all.

    Args:
        local: A folder for keys and certificates; the identity key in it survives.
        polling: Whether queues feed the functions in the background; else `drain` does.
        parameters: Of the template, beside or in place of the usual ones.
        log_folder: Where each function's whole log goes.
        make_handler: Imports a function's handler; default: from the function's own file.
        also_on: Addresses beside the loopback on which moto and APNs listen, for containers to reach them.
        sam: Runs the functions in containers; default: they run in this process.
        apns_log: Keeps what Apple is sent; default: all of it, in memory.
        schemas: Folder of the schemas by which push checks and phones decode; default: none of either.

    Attributes:
        functions: Those that run in this process.
    """

    def __init__(
        self,
        local: Path = LOCAL,
        *,
        polling: bool = True,
        ports: Ports | None = None,
        parameters: Mapping[str, str] | None = None,
        log_folder: Path | None = None,
        make_handler: Callable[[FunctionSpec], Handler] | None = None,
        also_on: Sequence[str] = (),
        sam: SamCli | None = None,
        apns_log: RequestLog[ReceivedPush] | None = None,
        schemas: Path | None = None,
    ) -> None:
        local.mkdir(parents=True, exist_ok=True)
        ports = ports or Ports()
        self.polling = polling
        self.signing_key = LocalSigningKey.fresh()
        self.identity = Identity(local)
        self.template = Template.load(ROOT / "template.yaml", region=REGION)
        self.aws = LocalAws(ports.aws, also_on)
        self.apns = ApnsSimulator(
            bundle_id=BUNDLE_ID,
            team_id=self.signing_key.team_id,
            keys={self.signing_key.key_id: self.signing_key.public_pem},
            directory=local,
            ports={Environment.PRODUCTION: ports.apns_production, Environment.SANDBOX: ports.apns_sandbox},
            also_on=also_on,
            log=apns_log,
        )
        self._ports = ports
        self._parameters = {**PARAMETERS, **(parameters or {})}
        self._log_folder = log_folder
        self._make_handler = make_handler
        self._sam = sam
        self._schemas = schemas or local / "no-schemas"
        if schemas is None:
            self._schemas.mkdir(exist_ok=True)
        self._stopping = ExitStack()
        self.functions: dict[str, Function] = {}
        self._environments: dict[str, dict[str, str | None]] = {}
        self.queues: Queues
        self.api: HttpApi
        self.phones: Phones
        self.control: Control
        self.page: Page
        self._chronicle = Chronicle()
        self._sources: EventSources
        self._hosted: Mapping[str, Invocable]

    def __enter__(self) -> Self:
        """Start everything."""
        with ExitStack() as stack:
            self._start(stack)
            self._stopping = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything, the last started first."""
        self._stopping.close()

    def _start(self, stack: ExitStack) -> None:
        stack.enter_context(running(self.aws))
        stack.enter_context(self.apns)
        resolved = self._deploy()
        self.queues = Queues(self.aws.sqs, self.aws.queues)
        for spec in self.template.functions:
            self._environments[spec.logical_id] = self._environment(resolved[spec.logical_id])
        functions, integration = self._host(stack)
        self._hosted = functions
        authorizers = {
            name: by_jwt(JwtCheck(self.identity.keys, issuer=said["issuer"], audience=_listed(said["audience"])))
            for name, said in resolved["authorizers"].items()
        }
        authorizers[IAM] = by_iam(SignatureCheck(SECRETS, region=REGION))
        self.api = HttpApi(self.template.routes(), integration, authorizers, port=self._ports.api)
        stack.enter_context(running(self.api))
        self.phones = Phones(
            self.apns, api=self.api.url, token=self.identity.token, schemas=Schemas.from_folder(self._schemas)
        )
        stack.callback(self.phones.stop)
        self.control = Control(self.phones, self.apns, publish=self.publish, port=self._ports.control)
        stack.enter_context(running(self.control))
        self.page = self._page()
        stack.enter_context(running(self.page))
        self._sources = EventSources(
            [
                EventSource(
                    self.aws.sqs,
                    self.aws.queues[source.queue],
                    functions[source.function],
                    queue_arn=resolved["arns"][source.queue],
                    batch_size=source.batch_size,
                    reports_failures=source.reports_failures,
                    region=REGION,
                )
                for source in self.template.queue_sources()
            ]
        )
        if self.polling:
            stack.enter_context(self._sources.polling())
            stack.enter_context(Schedules(self.template.schedules(), functions).running())

    def _host(self, stack: ExitStack) -> tuple[Mapping[str, Invocable], Integration]:
        """Bring the functions up, in this process or in containers."""
        if self._sam is not None:
            return stack.enter_context(containers(self._sam, list(self._environments), self.environments))
        for name in self._environments:
            self.functions[name] = function = self.container(name)
            stack.callback(function.log.close)
            function.load()
        return self.functions, invoking(self.functions)

    def _page(self) -> Page:
        self.control.listeners.append(self._chronicle.see)
        self._hosted["PushFunction"].log.listeners.append(self._chronicle.hear)
        # What a container prints stays in the SAM CLI's log.
        view = View(self.phones, self.apns, self._chronicle, commits_seen=self._sam is None)
        return Page(self.control, view, port=self._ports.page)

    def _deploy(self) -> dict[str, Any]:
        fed_from = {source.queue for source in self.template.queue_sources()}
        wanted: dict[str, Any] = {spec.logical_id: spec.environment for spec in self.template.functions}
        wanted["arns"] = {queue: {"Fn::GetAtt": [queue, "Arn"]} for queue in fed_from}
        wanted["authorizers"] = {
            name: {"issuer": one.issuer, "audience": one.audience} for name, one in self.template.authorizers().items()
        }
        return self.aws.deploy(
            self.template, parameters=self._parameters, secret=self.signing_key.secret(), expressions=wanted
        )

    def _environment(self, declared: Mapping[str, Any]) -> dict[str, str | None]:
        """Return a function's declared variables, those that must lead to this machine changed."""
        here = {
            "AWS_ENDPOINT_URL": self.aws.url,
            "APNS_PRODUCTION_URL": self.apns.production_url,
            "APNS_SANDBOX_URL": self.apns.sandbox_url,
            "APNS_PRODUCTION_CHANNELS_URL": self.apns.channels_url(Environment.PRODUCTION),
            "APNS_SANDBOX_CHANNELS_URL": self.apns.channels_url(Environment.SANDBOX),
            "APNS_CA_FILE": str(self.apns.ca_file),
            "SCHEMAS_FOLDER": str(self._schemas),
        }
        return {name: here.get(name, str(value)) for name, value in declared.items()}

    # --- what it offers

    def endpoints(self) -> dict[str, str | None]:
        """Return the addresses, as they stand in endpoints.json."""
        return {
            "api": self.api.url,
            "aws": self.aws.url,
            "publish_queue_url": self.aws.queues["PublishQueue"],
            "events_queue_url": self.aws.queues[EVENTS_QUEUE],
            "apns_production": self.apns.production_url,
            "apns_sandbox": self.apns.sandbox_url,
            "apns_production_channels": self.apns.channels_url(Environment.PRODUCTION),
            "apns_sandbox_channels": self.apns.channels_url(Environment.SANDBOX),
            "control": self.control.url,
            "page": self.page.url,
        }

    def environments(self, user: str = "ana") -> dict[str, dict[str, str | None]]:
        """
        Return the variables of each function as `sam local … -n` takes them: what its containers need to know.

        Args:
            user: Who calls register.
        """
        # No folder of ours is in a container: it gets the certificate itself, and its schemas by their layer.
        inside = {"APNS_CA_FILE": self.apns.ca_file.read_text(), "LOCAL_USER": user}
        by_layer = {"SCHEMAS_FOLDER"}
        return {
            function: as_containers_say(
                {name: inside.get(name, value) for name, value in variables.items() if name not in by_layer}
            )
            for function, variables in self._environments.items()
        }

    def container(self, function: str, **variables: str | None) -> Function:
        """Return a new container of a function, with variables changed or (None) taken away. Nothing feeds it."""
        [spec] = [spec for spec in self.template.functions if spec.logical_id == function]
        runtime = {"AWS_SAM_LOCAL": "true", "AWS_LAMBDA_FUNCTION_NAME": function}
        environment = {**ENVIRONMENT, **runtime, **self._environments[function], **variables}
        log = FunctionLog(function, self._log_folder)
        return Function(spec, environment, log, region=REGION, make_handler=self._make_handler)

    def publish(self, message: Mapping[str, Any] | str, *, attributes: Mapping[str, str] | None = None) -> str:
        """Publish as a producer does; returns the message's id."""
        return self.queues.send("PublishQueue", message, attributes=attributes)

    def take_events(self) -> list[dict[str, Any]]:
        """Return what was told on the event bus since the last time, in the order in which it arrived."""
        return [json.loads(body) for body in self.queues.take(EVENTS_QUEUE)]

    def take(self, queue: str) -> dict[str, Any]:
        """Take the batch that a queue would feed its function with now, as the event; it becomes invisible."""
        return self._sources.of(self.aws.queues[queue]).take()

    def invoke_push(self, event: Mapping[str, Any]) -> Any:
        """Let the push function handle an event, and return its answer."""
        return self.functions["PushFunction"].invoke(event)

    def invoke(self, function: str, event: Mapping[str, Any]) -> Any:
        """Invoke a function wherever it runs, as the clock does; returns its answer."""
        return self._hosted[function].invoke(event)

    def drain(self, *, within_s: float = 10, hasten: bool = False) -> int:
        """
        Work until the queues that feed functions are dry and the phones have nothing to do.

        Args:
            hasten: Let delays and visibility timeouts be over at once, whatever the clock says.

        Returns:
            How many messages were handled here; none where they are polled in the background.

        Raises:
            TimeoutError: There was still something to do after that time.
        """
        until_s = time.monotonic() + within_s
        handled = 0
        while True:
            if not self.polling:
                handled += self._sources.poll_all()
            self.phones.wait(within_s)
            waiting = {source.queue: self.queues.count(source.queue) for source in self.template.queue_sources()}
            if not any(waiting.values()) and self.phones.are_idle:
                return handled
            if time.monotonic() > until_s:
                raise TimeoutError(f"not dry after {within_s} s: {json.dumps(waiting)}")
            if hasten:
                self.aws.hasten_messages()
            else:
                time.sleep(_LOOK_AGAIN_S)

    def reset(self) -> None:
        """Forget phones, tables, queues, faults and records, as if nothing had happened yet."""
        self.phones.clear()
        self.apns.faults.clear()
        self.apns.clear()
        self.apns.channels.clear()
        self.aws.empty()
        self._chronicle.clear()
        for function in self.functions.values():
            function.log.clear()


@contextmanager
def running(part: Any) -> Any:
    """Start a part, and stop it at the end."""
    part.start()
    try:
        yield part
    finally:
        part.stop()


def _listed(audience: Any) -> list[str]:
    return audience if isinstance(audience, list) else str(audience).split(",")
