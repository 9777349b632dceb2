"""`python -m bench.bare`: the least that pycurl's multi interface takes to push, without anything that may go wrong."""

import pycurl

from bench.peers.work import Work, body


def handle(work: Work) -> pycurl.Curl:
    """Make a handle as the engine's are, but for the callbacks that tell what became of a push."""
    curl = pycurl.Curl()
    curl.setopt(pycurl.CAINFO, work.ca_file)
    curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE)
    curl.setopt(pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2)
    curl.setopt(pycurl.IPRESOLVE, pycurl.IPRESOLVE_V4)
    curl.setopt(pycurl.DNS_CACHE_TIMEOUT, 0)
    for option in (pycurl.PIPEWAIT, pycurl.TCP_KEEPALIVE, pycurl.NOSIGNAL):
        curl.setopt(option, 1)
    curl.setopt(pycurl.USERAGENT, "lockstep")
    curl.setopt(pycurl.TIMEOUT_MS, 10_000)
    curl.setopt(pycurl.HTTPHEADER, [*work.headers, "accept:"])
    curl.setopt(pycurl.WRITEFUNCTION, len)
    return curl


def main() -> None:
    """Send what there is to send; print how much was answered 200."""
    work = Work.given()
    multi = pycurl.CurlMulti()
    multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_MULTIPLEX)
    multi.setopt(pycurl.M_MAX_HOST_CONNECTIONS, 1)
    multi.setopt(pycurl.M_MAX_CONCURRENT_STREAMS, work.in_flight)
    idle = [handle(work) for _ in range(work.in_flight)]
    good, under_way, streams = 0, 0, 1  # the first alone, as Apple wants it
    pushes, more = work.pushes(), True
    while more or under_way:
        while more and under_way < streams:
            number, token = next(pushes, (0, ""))
            if more := bool(token):
                curl = idle.pop()
                curl.setopt(pycurl.URL, f"{work.url}/3/device/{token}")
                curl.setopt(pycurl.POSTFIELDS, body(number))
                multi.add_handle(curl)
                under_way += 1
        multi.perform()
        queued, landed, failed = multi.info_read()
        for curl in (*landed, *(curl for curl, _, _ in failed)):
            good += curl.getinfo(pycurl.RESPONSE_CODE) == 200
            multi.remove_handle(curl)
            idle.append(curl)
            under_way, streams = under_way - 1, work.in_flight
        if not (landed or failed or queued):
            multi.select(1.0)
    print(good)


main()
