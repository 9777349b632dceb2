"""The fuzzers of `make fuzz`: what they begin with, and what they make of it."""

import json

import pytest

from tests.fuzz.__main__ import drawn
from tests.fuzz.roads import ROADS, mutated, seeds, take, words

SEEDS = list(seeds())


@pytest.mark.parametrize("road", range(len(ROADS)))
def test_each_road_has_a_seed_that_is_taken(road: int) -> None:
    taken = [seed for seed in SEEDS if seed[0] == road and ROADS[road](seed[1:].decode()) is None]

    assert taken


@pytest.mark.parametrize("data", [b"", b"\0", b"\xff{", *SEEDS])
def test_whatever_bytes_there_are_go_down_a_road(data: bytes) -> None:
    take(data)


def test_a_mutation_is_one_json_object_of_another_and_the_same_for_the_same_seed() -> None:
    [begin] = [seed for seed in SEEDS if seed[0] == 0 and b'"start"' in seed]

    mutations = {mutated(begin, seed) for seed in range(50)}

    assert mutations == {mutated(begin, seed) for seed in range(50)}
    assert len(mutations) > 20
    assert all(isinstance(json.loads((one or b"")[1:]), dict) for one in mutations)
    assert mutated(b"\0[1]", 7) is mutated(b"\0{", 7) is mutated(b"\0" + b"[" * 100_000, 7) is None


def test_no_word_of_the_dictionary_is_empty() -> None:
    assert all(words())


def test_without_atheris_new_messages_are_drawn_until_the_time_is_up() -> None:
    assert drawn(0) == 0
    assert drawn(0.001) >= 2
