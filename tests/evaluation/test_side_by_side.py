"""Jobs side by side: to the end, or not a step further."""

import signal
import threading
import time

import pytest

from dasheng_lib.evaluation.probes.mlp.side_by_side import advance_all


def test_all_jobs_come_to_their_ends():
    steps = [0] * 5

    def job(i):
        for _ in range(3 + i):
            steps[i] += 1
            yield

    advance_all([job(i) for i in range(5)], 2)
    assert steps == [3, 4, 5, 6, 7]


@pytest.mark.parametrize("by", ["signal", "failure"])
def test_whoever_stops_it_does_not_wait_for_the_rest(by):
    steps = []

    def job(i):
        for step in range(100):
            steps.append(i)
            if (i, step) == (0, 3):
                if by == "failure":
                    raise KeyboardInterrupt
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            time.sleep(0.01)
            yield

    with pytest.raises(KeyboardInterrupt):
        advance_all([job(i) for i in range(4)], 2)
    assert len(steps) < 200
