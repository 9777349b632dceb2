"""docs/publish-helper.md as its reader would try it: its Python in one file, run against the stack."""

import json
import os
import re
import subprocess
from pathlib import Path

from onebox import ROOT
from onebox.aws import REGION
from onebox.stack import Stack
from tests.pushing import minutes, refused, say, settle

PAGE = ROOT / "docs" / "publish-helper.md"

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "OrderAttributes",
    "type": "object",
    "properties": {
        "attributes": {
            "type": "object",
            "properties": {"shop": {"type": "string"}, "activity": {"type": "string"}, "run": {"type": "integer"}},
            "required": ["shop", "activity", "run"],
        },
        "content-state": {
            "type": "object",
            "properties": {"driver": {"type": "string"}, "minutes": {"type": "integer"}},
            "required": ["minutes"],
        },
    },
    "required": ["attributes", "content-state"],
}


def script() -> str:
    """Return the page's Python, one block after the other."""
    return "\n".join(re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL))


def emptied(stack: Stack) -> list[str]:
    """Take all that lies in the publish queue out of it."""
    url = stack.aws.queues["PublishQueue"]
    bodies = []
    while found := stack.aws.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in found:
            stack.aws.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            bodies.append(message["Body"])
    return bodies


def run_the_page(stack: Stack, folder: Path, python: Path | str, **env: str) -> None:
    """Run it by a Python in a folder of its own, and see that phones show what it says."""
    (folder / "layers" / "schemas").mkdir(parents=True)
    (folder / "layers" / "schemas" / "OrderAttributes.json").write_text(json.dumps(SCHEMA))
    (folder / "orders.py").write_text(script())
    phones = [stack.phones.of(user) for user in ("ana", "ben")]
    settle(stack)
    here = {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": stack.aws.url,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "PUBLISH_QUEUE_URL": stack.aws.queues["PublishQueue"],
    }

    subprocess.run([str(python), "orders.py"], cwd=folder, env={**here, **env}, check=True, timeout=60)

    sent = sorted(map(json.loads, emptied(stack)), key=lambda one: one["published_at_ms"])
    seen = []
    for publish in sent:
        # By itself: a story that comes whole is told by its end alone.
        say(stack, publish)
        settle(stack)
        seen.append((publish["aps"]["event"], publish["activity"], [minutes(phone) for phone in phones]))
    assert refused(stack) == []
    assert seen == [
        ("start", "order-42", [30, 30]),
        ("update", "order-42", [7, 7]),
        ("end", "order-42", [0, 0]),
        ("update", "order-43", [0, 0]),
        ("update", "order-43", [0, 0]),
    ]
