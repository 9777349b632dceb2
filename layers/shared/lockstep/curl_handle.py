"""One libcurl handle, and what it proves about the fate of its push."""

import json
import re
import socket
from collections.abc import Callable, Sequence

import pycurl

from lockstep.apns import ACCEPTED, Outcome, Push, Rejected, Unanswered

# libcurl 8.23's words when a server refused a stream (REFUSED_STREAM, or GOAWAY with a lower last stream): not processed.
# It then wants a new connection, which we don't let it open, and the error it ends with says only that. A connection
# that died under a request can end with the same error, after other words. Should a later libcurl say it otherwise,
# such a push counts as maybe taken: safe, and a test fails.
_REFUSED = re.compile(rb"HTTP/2 stream \d+ refused by server")

# How much of the request libcurl has sent: 0 until it has a stream. libcurl sets it back where a handle is added anew.
SENT_BYTES = pycurl.REQUEST_SIZE

# As libcurl asks for a socket: family, kind, protocol, address.
type Address = tuple[int, int, int, tuple[str, int]]
type OpenSocket = Callable[[int, Address], socket.socket | int]


class CurlHandle:
    """
    A handle for pushes, one after the other. Options that never change are set once.

    Attributes:
        push: The one it carries, or carried last.
        tries: How often that one was sent before.
        issued: Whether libcurl said that the request was handed to a connection; it tells only where asked to.
        refused: Whether libcurl said that the server refused the stream; it tells only where asked to.
    """

    push: Push

    def __init__(self, url: str, *, ca_file: str, resolve: Sequence[str], open_socket: OpenSocket) -> None:
        self._device_url = f"{url}/3/device/"
        self.tries = 0
        self.issued = False
        self.refused = False
        self._answer: list[bytes] = []
        self._headers: list[str] | None = None
        self._timeout_ms = 0
        self._tells = False
        self.curl = curl = pycurl.Curl()
        curl.setopt(pycurl.CAINFO, ca_file)
        # HTTP/2 or nothing: an HTTP/1.1 server must not get the request at all.
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE)
        curl.setopt(pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2)
        # Lambda has no IPv6 route by default; waiting for one to fail costs a connect time.
        curl.setopt(pycurl.IPRESOLVE, pycurl.IPRESOLVE_V4)
        # Apple asks for a look-up before each connect.
        curl.setopt(pycurl.DNS_CACHE_TIMEOUT, 0)
        if resolve:
            curl.setopt(pycurl.RESOLVE, list(resolve))
        curl.setopt(pycurl.PIPEWAIT, 1)
        curl.setopt(pycurl.TCP_KEEPALIVE, 1)
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.USERAGENT, "lockstep")
        curl.setopt(pycurl.OPENSOCKETFUNCTION, open_socket)
        curl.setopt(pycurl.DEBUGFUNCTION, self._on_text)
        curl.setopt(pycurl.WRITEFUNCTION, self._answer.append)

    def take(self, push: Push, tries: int, headers: list[str], timeout_ms: int, *, tell: bool) -> None:
        """Load the next push; options are set only where they changed. Where libcurl is to tell, it calls back: that costs."""
        self.push, self.tries = push, tries
        self.issued = self.refused = False
        if self._answer:
            self._answer.clear()
        curl = self.curl
        curl.setopt(pycurl.URL, self._device_url + push.token)
        curl.setopt(pycurl.POSTFIELDS, push.body)
        if headers is not self._headers:
            curl.setopt(pycurl.HTTPHEADER, headers)
            self._headers = headers
        if timeout_ms != self._timeout_ms:
            curl.setopt(pycurl.TIMEOUT_MS, timeout_ms)
            self._timeout_ms = timeout_ms
        if tell != self._tells:
            curl.setopt(pycurl.VERBOSE, tell)
            curl.setopt(pycurl.PREREQFUNCTION, self._on_issue if tell else None)
            self._tells = tell

    def answered(self) -> Outcome:
        """Read APNs' answer."""
        status = self.curl.getinfo(pycurl.RESPONSE_CODE)
        return ACCEPTED if status == 200 else rejected(status, b"".join(self._answer))

    def unanswered(self, why: str) -> Unanswered:
        """
        Say whether APNs may have taken the push that got no answer.

        Where libcurl wasn't to tell, that is by whether it has counted anything of the request as sent.
        """
        issued = self.issued if self._tells else bool(self.curl.getinfo(SENT_BYTES))
        return Unanswered(issued and not self.refused, why)

    def close(self) -> None:
        """Free the handle."""
        self.curl.close()

    def _on_issue(self, _to: str, _from: str, _to_port: int, _from_port: int) -> int:
        self.issued = True
        return 0  # CURL_PREREQFUNC_OK

    def _on_text(self, kind: int, text: bytes) -> None:
        if kind == 0 and _REFUSED.match(text):
            self.refused = True


def rejected(status: int, body: bytes) -> Rejected:
    """Read an answer other than 200; a reason that isn't there is called by its status."""
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        return Rejected(status, f"HTTP {status}")
    timestamp = answer.get("timestamp")
    reason = answer.get("reason")
    return Rejected(
        status,
        reason if isinstance(reason, str) else f"HTTP {status}",
        timestamp if isinstance(timestamp, int) and not isinstance(timestamp, bool) else None,
    )
