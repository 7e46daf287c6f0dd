"""Jobs on threads that wait for further work."""

import os
import threading
from functools import partial

import pytest
from faults import PATIENCE, ended, start

from nkgraph import threads


def test_results_come_in_the_order_of_the_jobs():
    for count in (0, 1, 2, 5):
        jobs = [lambda number=number: number * number for number in range(count)]
        assert threads.run(jobs) == [number * number for number in range(count)]


def test_each_job_has_a_thread_of_its_own():
    meeting = threading.Barrier(4, timeout=PATIENCE)
    found = threads.run([lambda: (meeting.wait(), threading.get_ident())[1]] * 4)
    assert len(set(found)) == 4
    assert found[-1] == threading.get_ident()


def fail(error):
    raise error


def test_the_first_error_in_order_is_raised_after_all_have_ended():
    done = []
    jobs = [
        lambda: done.append(0),
        lambda: fail(ValueError("second")),
        lambda: fail(KeyError("third")),
        lambda: done.append(3),
    ]
    for _ in range(3):  # a thread whose job failed takes further ones
        with pytest.raises(ValueError, match="second"):
            threads.run(jobs)
    assert sorted(done) == [0, 0, 0, 3, 3, 3]


def test_callers_on_many_threads_do_not_wait_for_each_other():
    answers = []

    def call(number):
        for turn in range(50):
            jobs = [partial(pow, number, power) for power in (1, 2, turn)]
            answers.append(threads.run(jobs) == [number, number**2, number**turn])

    callers = [threading.Thread(target=call, args=(number,)) for number in range(6)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(PATIENCE)
    assert len(answers) == 300
    assert all(answers)
    assert len(threads._idle) <= threads.MAX_IDLE


def test_a_job_may_run_jobs():
    def outer():
        return sum(threads.run([lambda: 1, lambda: 2]))

    assert threads.run([outer, outer]) == [3, 3]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")
def test_a_forked_child_starts_threads_of_its_own():
    threads.run([lambda: 0] * 3)

    def work():
        assert threads.run([lambda: 1, lambda: 2, lambda: 3]) == [1, 2, 3]

    assert ended(start(work, PATIENCE))


def test_where_no_thread_is_to_be_had_jobs_run_here(monkeypatch):
    def refuse(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threads, "_idle", [])
    monkeypatch.setattr(threads._thread, "start_new_thread", refuse)
    assert threads.run([threading.get_ident] * 3) == [threading.get_ident()] * 3
