"""The slots of a run's writes, held by threads of one process."""

import threading
import time

from streampay_smoke.core.side_by_side import side_by_side
from streampay_smoke.runner.write_slots import WriteSlots


def test_threads_hold_no_more_slots_than_there_are() -> None:
    slots, lock = WriteSlots(2), threading.Lock()
    holding, most = 0, 0

    def write() -> None:
        nonlocal holding, most
        with slots.slot(lambda seconds: None):
            with lock:
                holding += 1
                most = max(most, holding)
            time.sleep(0.05)
            with lock:
                holding -= 1

    side_by_side([write] * 5, lambda item: None)
    assert most == 2
