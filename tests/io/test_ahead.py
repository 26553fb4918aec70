import threading
from collections.abc import Iterator

import pytest

from relume.io.ahead import Ahead


def test_all_items_come_in_order() -> None:
    with Ahead(range(50), depth=3) as items:
        assert list(items) == list(range(50))


def test_no_more_are_drawn_than_may_be_ahead() -> None:
    drawn: list[int] = []
    enough = threading.Event()

    def source() -> Iterator[int]:
        for n in range(10):
            drawn.append(n)
            if n == 2:
                enough.set()
            yield n

    with Ahead(source(), depth=2) as items:
        assert enough.wait(10)  # two wait to be taken, a third is in hand
        assert drawn == [0, 1, 2]
        assert next(items) == 0


def test_what_is_late_is_dropped_for_the_newest() -> None:
    arrived, go_on = threading.Event(), threading.Event()

    def camera() -> Iterator[int]:
        yield from range(5)
        arrived.set()
        assert go_on.wait(10)
        yield 5

    with Ahead(camera(), newest=True) as items:
        assert arrived.wait(10)
        assert next(items) == 4
        go_on.set()
        assert list(items) == [5]


def test_an_error_comes_after_what_came_before_it() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise ValueError("unplugged")

    with Ahead(source()) as items:
        assert next(items) == 1
        with pytest.raises(ValueError, match="unplugged"):
            next(items)
        with pytest.raises(StopIteration):
            next(items)


def test_closing_ends_the_thread_and_the_source() -> None:
    closed = threading.Event()

    def source() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    items = Ahead(source())
    next(items)
    items.close()
    del items
    assert closed.wait(10)
    assert not [t for t in threading.enumerate() if t.name == "frames ahead"]
