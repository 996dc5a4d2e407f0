"""Batches made in threads beside the training step."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from train.loop import Batch, Task


class Feed:
    """Calls `task.batch` ahead of time; an error in there surfaces in `next`.

    Args:
        task: makes the batches; its `batch` is called from several threads at once where there are several workers.
        size: of a batch.
        seed: each worker draws from its own generator, seeded by this and its number.
        progress: gives the share of the schedule that is done, 0..1.
        workers: threads.
    """

    def __init__(self, task: Task, size: int, seed: int, progress: Callable[[], float], workers: int = 1) -> None:
        self.queue: queue.Queue[Batch | BaseException] = queue.Queue(max(4, 2 * workers))
        self.stop = threading.Event()
        self.threads = [
            threading.Thread(target=self.work, args=(task, size, (seed, worker), progress), daemon=True)
            for worker in range(max(1, workers))
        ]

    def work(self, task: Task, size: int, seed: tuple[int, int], progress: Callable[[], float]) -> None:
        rng = np.random.default_rng(seed)
        while not self.stop.is_set():
            try:
                item: Batch | BaseException = task.batch(rng, size, progress())
            except BaseException as error:  # noqa: BLE001  handed to the training thread, which raises it
                item = error
            while not self.stop.is_set():
                with contextlib.suppress(queue.Full):
                    self.queue.put(item, timeout=0.5)
                    break

    def next(self) -> Batch:
        item = self.queue.get()
        if isinstance(item, BaseException):
            raise item
        return item

    def __enter__(self) -> Feed:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(10)
