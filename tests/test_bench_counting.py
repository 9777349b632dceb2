"""What is counted where nothing is timed, and the whole function's sizes in a small bench."""

import _thread
import functools
import json
import threading
from contextlib import ExitStack

import boto3
import pycurl
import pytest
from botocore.stub import Stubber

from bench.counting import counting
from bench.nghttpd import MISSING, program
from bench.peers.work import content_state
from bench.whole import Shape, Whole


def three() -> int:
    return one() + one() + one()


def one() -> int:
    return 1


def test_functions_of_python_are_counted_while_watched_in_every_thread() -> None:
    with counting() as counter:
        assert counter.watched(three).python_calls == 4
        three()
        assert counter.watched(one).python_calls == 1

        def elsewhere() -> None:
            thread = threading.Thread(target=three)
            thread.start()
            thread.join()

        assert counter.watched(elsewhere).python_calls > 4


def test_what_others_do_meanwhile_is_not_counted() -> None:
    ready, asked, done = threading.Event(), threading.Event(), threading.Event()

    def other() -> None:
        ready.set()
        asked.wait()
        for _ in range(1000):
            one()
        done.set()

    def work() -> None:
        asked.set()
        done.wait()

    _thread.start_new_thread(other, ())
    ready.wait()
    with counting() as counter:
        counts = counter.watched(work)

    assert 0 < counts.python_calls < 1000


def test_a_generator_counts_once_however_often_it_goes_on() -> None:
    def numbers() -> int:
        return sum(n for n in range(100))

    with counting() as counter:
        assert counter.watched(numbers).python_calls == 2


def test_calls_to_aws_are_counted() -> None:
    with counting() as counter:
        client = boto3.client("sqs", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        with Stubber(client) as stubbed:
            stubbed.add_response("send_message", {})
            url = "https://sqs.us-east-1.amazonaws.com/1/q"

            counts = counter.watched(functools.partial(client.send_message, QueueUrl=url, MessageBody="x"))

    assert counts.aws_calls == 1


def test_bodies_of_pushes_are_counted() -> None:
    def load() -> None:
        curl = pycurl.Curl()
        curl.setopt(pycurl.URL, "https://localhost")
        curl.setopt(pycurl.POSTFIELDS, b"12345")
        curl.setopt(pycurl.POSTFIELDS, "1234567")

    with counting() as counter:
        counts = counter.watched(load)

    assert counts.encoded_bytes == 12
    # The counting itself is not counted.
    assert counts.python_calls == 1


def test_nothing_stands_in_the_way_any_more_afterwards() -> None:
    handle = pycurl.Curl

    with counting():
        assert pycurl.Curl is not handle

    assert pycurl.Curl is handle


@pytest.mark.skipif(program() is None, reason=MISSING)
def test_the_whole_function_is_counted_and_timed_at_each_size_and_cold() -> None:
    with ExitStack() as stack:
        whole = Whole([Shape(30), Shape(1, 4, 2)], 3, stack)
        whole.prepare()
        whole.round()

        [one, singles] = whole.measured

    assert [each.counted.pushes for each in whole.measured] == [30, 4]
    assert [each.counted.invocations for each in whole.measured] == [1, 2]
    assert [each.counted.messages for each in whole.measured] == [1, 4]
    # Thirty bodies at least; and where a row is written and read for each push, much more.
    assert one.counted.encoded_bytes > 30 * len(json.dumps(content_state(0)))
    assert singles.counted.encoded_bytes > 4 * 2 * len(json.dumps(content_state(0)))
    assert one.counted.python_calls > 30
    assert one.counted.cpu_s == 0, "to count costs time"
    assert [each.runs[0].pushes for each in whole.measured] == [30, 4]
    assert all(each.peak_rss_mb > 10 for each in whole.measured)
    # What a process costs is in the cold figure.
    assert whole.cold[0].pushes == 3
    assert whole.cold[0].cpu_s > one.runs[0].cpu_s
    assert one.runs[0].python_calls == 0
