"""A `curl` command, made by the standard library: as much of its command line as our pages use."""

import json
from collections.abc import Sequence
from contextlib import closing
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit


def by_curl(words: Sequence[str]) -> tuple[int, Any]:
    """Make the request that a command line of curl's would make; return the answer's status and JSON."""
    assert tuple(words[:3]) == ("curl", "-i", "-X")
    method, url, *options = words[3:]
    given = dict(zip(options[::2], options[1::2], strict=True))
    assert set(given) <= {"-H", "-d"}
    headers = dict([given["-H"].split(": ", 1)]) if "-H" in given else {}
    split = urlsplit(url)
    with closing(HTTPConnection(split.netloc, timeout=10)) as connection:
        connection.request(method, f"{split.path}?{split.query}", given.get("-d"), headers)
        response = connection.getresponse()
        text = response.read()
    return response.status, json.loads(text) if text else None
