"""The token: one way, once, from any thread."""

from __future__ import annotations

import threading

from ocils.domain.cancel import CancelToken


def test_watchers_are_called_once_and_only_inside_their_block() -> None:
    token, calls = CancelToken(), []
    with token.watch(lambda: calls.append("inside")):
        token.cancel()
        token.cancel()
    with token.watch(lambda: calls.append("late")):
        pass
    assert calls == ["inside", "late"]
    assert token.cancelled


def test_a_watcher_that_left_is_not_called() -> None:
    token, calls = CancelToken(), []
    with token.watch(lambda: calls.append(1)):
        pass
    token.cancel()
    assert calls == []


def test_many_threads_flip_it_once() -> None:
    token, calls = CancelToken(), []
    with token.watch(lambda: calls.append(1)):
        threads = [threading.Thread(target=token.cancel) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert calls == [1]
