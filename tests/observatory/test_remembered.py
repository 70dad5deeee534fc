"""What is remembered is worked out once, however many ask for it at the same time."""

import threading
from concurrent.futures import ThreadPoolExecutor

from headwater.errors import StoreBusy
from headwater.observatory.remembered import Remembered
from program import wait_for

MANY = 4


class Key:
    """A key that notes which threads have looked for it."""

    def __init__(self):
        self.askers = set()

    def __hash__(self):
        self.askers.add(threading.get_ident())
        return 7


def ask_at_once(work_out):
    """Let several threads ask for one value, and the first to work it out wait for all; gives what each got."""
    memory, key = Remembered(1), Key()

    def work_out_late():
        wait_for(lambda: len(key.askers) == MANY, "all threads to ask")
        return work_out()

    with ThreadPoolExecutor(MANY) as pool:
        asked = [pool.submit(memory.get, key, work_out_late) for _ in range(MANY)]
    return [one.exception() or one.result() for one in asked]


def test_of_several_threads_one_works_a_value_out():
    """Who asks while it is worked out waits, and gets the same value."""
    worked = []

    def work_out():
        worked.append(len(worked))
        return worked

    assert ask_at_once(work_out) == [[0]] * MANY
    assert worked == [0]


def test_whoever_waited_for_what_failed_tries_it_itself():
    """A fault is told to the one who met it; the others get the value, and nobody waits for ever."""
    fault = StoreBusy("The database is being written.", hint="Try again.")
    faults = [fault]

    def work_out():
        if faults:
            raise faults.pop()
        return "known"

    got = ask_at_once(work_out)
    assert [one for one in got if one != "known"] == [fault]


def test_after_faults_it_is_still_one_at_a_time():
    """However many meet a fault, no two work the value out together, and nothing is kept of their turns."""
    memory, key, under_way, most = Remembered(1), Key(), [], []
    faults = [StoreBusy("The database is being written.", hint="Try again.") for _ in range(MANY - 1)]

    def work_out():
        wait_for(lambda: len(key.askers) == MANY, "all threads to ask")
        under_way.append(1)
        most.append(len(under_way))
        try:
            if faults:
                raise faults.pop()
            return "known"
        finally:
            under_way.pop()

    with ThreadPoolExecutor(MANY) as pool:
        asked = [pool.submit(memory.get, key, work_out) for _ in range(MANY)]
    assert [one.exception() or one.result() for one in asked].count("known") == 1
    assert set(most) == {1}
    assert not memory._turns
