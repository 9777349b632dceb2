"""What tests share: the whole stack, in this process."""

from collections.abc import Iterator

import pytest

from onebox.stack import Stack


@pytest.fixture(scope="session")
def running_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Start the stack once; nothing polls its queues but `drain`."""
    with Stack(tmp_path_factory.mktemp("local"), polling=False) as stack:
        yield stack


@pytest.fixture
def stack(running_stack: Stack) -> Stack:
    """Return the stack as if nothing had happened yet."""
    running_stack.reset()
    return running_stack
