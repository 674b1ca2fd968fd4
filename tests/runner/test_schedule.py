"""Time that is short is taken from rounds, then from processes, then from workloads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.runner.schedule import LEAST_PROCESSES, OVERRUN, Costs, plan

FIVE = Costs(10.0, {"32": 0.5, "128": 1.0, "512": 2.5, "4x128": 2.5, "8x128": 5.5})


def sets_of(schedule, costs=FIVE):
    """Whole sets of rounds that the budget of each group stands for."""
    return {name: s / costs.sets_s[name] + OVERRUN for name, s in schedule.budgets_s.items()}


def test_all_workloads_have_the_processes_that_were_wanted_and_equal_rounds():
    """With 200 s for four more processes each has 50 s: 40 s of rounds, three sets of 12 s."""
    schedule = plan(200.0, FIVE, done=1, wanted=5)
    assert schedule.processes == 5
    assert sets_of(schedule) == pytest.approx(dict.fromkeys(FIVE.sets_s, 3.0))


def test_rounds_go_first_then_processes_then_the_longest_workload():
    """Never below three processes for a workload that is reported."""
    assert sets_of(plan(100.0, FIVE, done=1, wanted=5)) == pytest.approx(
        dict.fromkeys(FIVE.sets_s, 1.0)
    )
    fewer = plan(70.0, FIVE, done=1, wanted=5)
    assert (fewer.processes, len(fewer.budgets_s)) == (4, 5)
    short = plan(40.0, FIVE, done=1, wanted=5)
    assert (short.processes, set(short.budgets_s)) == (3, {"32", "128", "512", "4x128"})


def test_with_no_time_for_any_workload_the_shortest_is_measured_all_the_same():
    """Three processes of it may take longer than the limit, which beats having no time at all."""
    schedule = plan(5.0, FIVE, done=1, wanted=5)
    assert (schedule.processes, set(schedule.budgets_s)) == (3, {"32"})


def test_after_three_processes_no_workload_has_more_than_another():
    """A fourth process that only some fit into is not begun."""
    assert plan(18.0, FIVE, done=3, wanted=5).budgets_s == {}
    assert len(plan(18.0, FIVE, done=2, wanted=5).budgets_s) == 4


def test_after_the_last_process_there_is_nothing_to_plan():
    """As many as were wanted are done."""
    assert plan(1e6, FIVE, done=5, wanted=5).budgets_s == {}


@given(
    left_s=st.floats(0, 1e4),
    overhead_s=st.floats(0.1, 60),
    sets_s=st.lists(st.floats(0.01, 100), min_size=1, max_size=8),
    done=st.integers(1, 9),
    wanted=st.integers(1, 10),
)
def test_a_schedule_never_takes_more_than_the_time_there_is(
    left_s, overhead_s, sets_s, done, wanted
):
    """Its budgets and overheads fit, and what it keeps has at least three processes in all."""
    costs = Costs(overhead_s, {str(i): s for i, s in enumerate(sets_s)})
    schedule = plan(left_s, costs, done, wanted)
    more = schedule.processes - done
    shortest = (1 - OVERRUN) * min(costs.sets_s.values())
    if not schedule.budgets_s or list(schedule.budgets_s.values()) == [shortest]:
        return
    assert more * (overhead_s + sum(schedule.budgets_s.values())) <= left_s
    assert min(LEAST_PROCESSES, wanted) <= schedule.processes <= wanted
