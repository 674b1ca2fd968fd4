import pytest
from fakes import MEASURED_BY, FakeClock, cut, found, pair, rewall, statuses, worker_events

from bench.core.allocator import Allocator
from bench.core.axes import Dtype
from bench.core.case import Status
from bench.core.events import Begin, Ended, Failed, Measurements, Samples
from bench.core.measures.forward import FORWARD
from bench.core.measures.memory import MEMORY
from bench.core.measures.static import STATIC
from bench.core.measures.text import TEXT
from bench.core.suite import Sampling
from bench.runner.finalize import time_spent

KILLED = Ended(Status.KILLED, "the worker was ended by SIGKILL", "SIGKILL")


def begins(*models):
    """True of the event in which a worker turns to exactly these models."""
    return lambda e: isinstance(e, Begin) and [c.split("/")[1] for c in e.cases] == [*models]


def is_about(event, case):
    """Whether the event has results of exactly this case."""
    return getattr(event, "case", None) == case.id


def first(script, then=worker_events):
    """A script for the first job, and another for all that follow."""
    jobs = []

    def chosen(job):
        jobs.append(job)
        return (script if len(jobs) == 1 else then)(job)

    return chosen


def test_every_case_is_measured_and_closed_once(make):
    """All kinds of measurement end with one row per case, and every process has its samples."""
    cases = [
        *pair(measure=STATIC),
        *pair(measure=MEMORY, batch_size=2),
        *pair(seq_len=8),
    ]
    runner = make(cases, sampling=Sampling(processes=3, precision=1e-6))
    runner.measure()
    assert statuses(runner) == {c.id: "ok" for c in cases}
    run = found(runner)
    assert set(run.samples["process"]) == {1, 2, 3}
    assert dict(zip(run.cases["case"], run.cases["processes"], strict=True)) == {
        c.id: 3 if c.measure is FORWARD else 1 for c in cases
    }
    kinds = [job.measure for job in runner.launcher.jobs]
    assert kinds == [STATIC] + 2 * [MEMORY] + 3 * [FORWARD]


def test_repeats_are_outermost(make):
    """Every workload has its first process before any has its second."""
    cases = [*pair(), *pair(dtype=Dtype.BFLOAT16)]
    runner = make(cases)
    runner.measure()
    order = [(job.process, job.cases[0].variant.dtype.value) for job in runner.launcher.jobs]
    assert order == [(1, "bfloat16"), (1, "float32"), (2, "bfloat16"), (2, "float32")]


def test_a_case_is_on_disk_as_soon_as_it_is_measured(make):
    """Between two events of a worker the file already holds what came before."""
    seen = []
    cases = [*pair(), *pair(seq_len=8)]

    def script(job):
        for event in worker_events(job):
            yield event
            if isinstance(event, Samples):
                seen.append(set(found(runner).samples["case"]))

    runner = make(cases, script, sampling=Sampling(processes=1, min_processes=1))
    runner.measure()
    assert [len(ids) for ids in seen] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (Status.FAILED, "ValueError: no"),
        (Status.OUT_OF_MEMORY, "MemoryError"),
        (Status.TIMED_OUT, "x"),
        (Status.KILLED, "y"),
    ],
)
def test_a_case_that_fails_is_a_row_with_its_reason(make, status, reason):
    """The worker says which case cannot be measured; the others go on."""
    cases = pair()

    def script(job):
        told = False
        for event in worker_events(job):
            if not is_about(event, cases[1]):
                yield event
            elif not told:
                told = True
                yield Failed(cases[1].id, status, reason)

    runner = make(cases, script)
    runner.measure()
    assert statuses(runner) == {cases[0].id: "ok", cases[1].id: status.value}
    assert list(found(runner).cases["reason"]) == [reason, ""]
    assert [len(job.cases) for job in runner.launcher.jobs] == [2, 1]


def test_a_case_that_fails_twice_is_closed_once(make):
    """Two rows of a case would make the whole run unreadable."""
    cases = pair()

    def script(job):
        for event in worker_events(job):
            if not is_about(event, cases[1]):
                yield event
            else:
                yield Failed(cases[1].id, Status.FAILED, type(event).__name__)

    runner = make(cases, script)
    runner.measure()
    assert statuses(runner) == {cases[0].id: "ok", cases[1].id: "failed"}


def test_death_while_loading_is_blamed_on_that_model(make):
    """All workloads of the model that was loading are failed; a new worker takes the rest."""
    cases = [*pair(), *pair(seq_len=8)]
    runner = make(
        cases, first(lambda job: cut(worker_events(job), begins("albert", "albert"), KILLED))
    )
    runner.measure()
    assert statuses(runner) == {c.id: "killed" if c.model == "albert" else "ok" for c in cases}
    assert [len(job.cases) for job in runner.launcher.jobs] == [4, 2, 2]


def test_death_while_sampling_is_blamed_on_that_workload(make):
    """What was delivered stays, what had not begun is measured by a new worker."""
    cases = [*pair(), *pair(seq_len=8), *pair(seq_len=4)]
    at_second = [False]

    def second_group(event):
        if begins("bert", "albert")(event):
            at_second[0] = event.cases[0].endswith("s8")
        return at_second[0]

    runner = make(cases, first(lambda job: cut(worker_events(job), second_group, KILLED)))
    runner.measure()
    assert statuses(runner) == {c.id: "killed" if c.workload.seq_len == 8 else "ok" for c in cases}
    assert [[c.workload.seq_len for c in job.cases] for job in runner.launcher.jobs] == [
        [16, 16, 8, 8, 4, 4],
        [4, 4],
        [16, 16, 4, 4],
    ]


@pytest.mark.parametrize("status", [Status.KILLED, Status.FAILED, Status.TIMED_OUT])
def test_death_after_delivering_costs_nothing(make, status):
    """A worker that dies when all was told has done its job."""
    end = Ended(status, "late")
    cases = pair()
    last = cases[1]
    runner = make(
        cases,
        lambda job: cut(
            worker_events(job), lambda e: isinstance(e, Samples) and is_about(e, last), end
        ),
    )
    runner.measure()
    assert set(statuses(runner).values()) == {"ok"}
    assert len(runner.launcher.jobs) == 2


def test_a_timed_case_is_delivered_with_its_samples(make):
    """A worker that dies between a case's disturbances and its samples has not measured it."""
    cases = pair()
    last = cases[1]
    runner = make(
        cases,
        lambda job: cut(
            worker_events(job), lambda e: isinstance(e, Measurements) and is_about(e, last), KILLED
        ),
    )
    runner.measure()
    assert statuses(runner) == {cases[0].id: "ok", last.id: "killed"}


def test_a_hole_among_the_repeats_is_filled(make):
    """A process that was lost between others is measured again, and no other."""
    runner = make(
        pair(),
        sampling=Sampling(processes=3, min_processes=3, precision=1e-6),
        processes={c.id: {1, 3} for c in pair()},
    )
    runner.measure()
    assert [job.process for job in runner.launcher.jobs] == [2]
    assert list(found(runner).cases["processes"]) == [3, 3]


def test_a_worker_that_dies_at_once_fails_all_it_had(make):
    """One that never came to speak would do the same again: the run ends nevertheless."""
    runner = make(pair(), lambda _: iter([Ended(Status.FAILED, "no torch")]))
    runner.measure()
    assert set(statuses(runner).values()) == {"failed"}
    assert set(found(runner).cases["reason"]) == {"no torch"}
    assert len(runner.launcher.jobs) == 1


def test_a_worker_that_leaves_cases_out_fails_them(make):
    """A job that ended well without an answer for a case is not asked for ever."""
    one, other = pair()

    def script(job):
        return (e for e in worker_events(job) if not is_about(e, other))

    runner = make([one, other], script)
    runner.measure()
    assert statuses(runner) == {one.id: "ok", other.id: "failed"}
    assert found(runner).cases["reason"][0] == "the worker ended without measuring it"


@pytest.mark.parametrize("measure", list(MEASURED_BY))
@pytest.mark.parametrize("survives", range(8))
def test_a_run_always_comes_to_an_end(make, measure, survives):
    """Wherever workers die, each launch closes or delivers a case, and every case has a row."""
    cases = [*pair(measure=measure), *pair(measure=measure, seq_len=8)]

    def script(job):
        count = iter(range(100))
        return cut(worker_events(job), lambda _: next(count) == survives, KILLED)

    runner = make(cases, script)
    runner.measure()
    assert set(statuses(runner)) == {c.id for c in cases}
    assert len(runner.launcher.jobs) <= 2 * len(cases)


def test_a_precise_workload_is_not_repeated(make):
    """At the first look steady ratios are precise: the rest of the processes is spared."""
    runner = make(pair(), sampling=Sampling(processes=9, min_processes=3, precision=0.02))
    runner.measure()
    assert len(runner.launcher.jobs) == 3
    assert set(found(runner).cases["stop"]) == {"precision"}


def test_only_the_imprecise_go_on(make):
    """A workload that wanders keeps its repeats; the steady one beside it is done."""
    steady, wandering = pair(), pair(seq_len=8)

    def script(job):
        for event in worker_events(job):
            if isinstance(event, Samples) and is_about(event, wandering[1]):
                factor = 1 + 0.3 * (job.process % 2)
                yield rewall(event, lambda s, factor=factor: s.wall_s * factor)
            else:
                yield event

    runner = make([*steady, *wandering], script, sampling=Sampling(processes=6, min_processes=3))
    runner.measure()
    stops = found(runner).cases.set_index("case")["stop"].to_dict()
    assert stops == {c.id: "precision" for c in steady} | {c.id: "budget" for c in wandering}
    assert [len(job.cases) for job in runner.launcher.jobs] == [4, 4, 4, 2, 2, 2]


def test_precision_is_judged_at_few_fixed_repeats(make):
    """Interim analyses come at min_processes and then after every second process, never between."""

    def script(job):
        for event in worker_events(job):
            if isinstance(event, Samples) and "albert" in event.case and job.process == 1:
                yield rewall(event, lambda sample: 1.02 * sample.wall_s)
            else:
                yield event

    ends = set()
    for precision in (0.2, 0.02, 0.014, 0.0105, 0.008, 0.0065):
        runner = make(pair(), script, sampling=Sampling(processes=9, precision=precision))
        runner.measure()
        ends.add(len(runner.launcher.jobs))
    assert ends <= {3, 5, 7, 9}
    assert len(ends) > 2


def limited(make, clock, script, *, processes, max_time_s, cases=None, before_s=0.0):
    """A runner with a time limit, whose processes take what the script turns the clock by."""
    sampling = Sampling(processes=processes, max_time_s=max_time_s, stops_early=False)
    return make(
        cases or pair(),
        script,
        sampling=sampling,
        before_s=before_s,
        now=lambda: clock.wall_ns() * 1e-9,
    )


def taking(clock, seconds):
    """A worker whose whole process takes so long, of which its four rounds are 0.4 s."""

    def script(job):
        clock.turn(seconds)
        return worker_events(job)

    return script


def test_processes_are_planned_for_the_time_there_is(make):
    """With 30 s for each and 100 s in all, three of nine fit; the cases say why they stopped."""
    clock = FakeClock()
    runner = limited(make, clock, taking(clock, 30), processes=9, max_time_s=100)
    runner.measure()
    assert len(runner.launcher.jobs) == 3
    assert set(found(runner).cases["stop"]) == {"max-time"}


def test_what_the_command_took_before_is_a_part_of_its_time(make):
    """Preparing counts: 10 s of it leave time for four processes of 30 s, not for five."""
    clock = FakeClock()
    runner = limited(make, clock, taking(clock, 30), processes=9, max_time_s=131, before_s=10)
    runner.measure()
    assert len(runner.launcher.jobs) == 4


def test_no_time_is_reported_of_fewer_than_three_processes(make):
    """Where none fits, the shortest workload has three; the others are skipped, and say why."""
    clock = FakeClock()
    cases = [*pair(), *pair(seq_len=8)]
    runner = limited(make, clock, taking(clock, 1000), processes=5, max_time_s=1, cases=cases)
    runner.measure()
    assert len(runner.launcher.jobs) == 3
    rows = found(runner).cases
    left_out = rows[rows["status"] == "skipped"]
    assert len(left_out) == 2
    assert all("no time is left" in reason for reason in left_out["reason"])
    assert set(rows[rows["status"] == "ok"]["processes"]) == {3}


def test_time_that_is_left_goes_into_rounds(make):
    """Each later process gets as many sets of rounds as fit, up to the budget of its cases."""
    clock = FakeClock()
    runner = limited(make, clock, taking(clock, 10), processes=5, max_time_s=60)
    runner.measure()
    first, *later = runner.launcher.jobs
    assert [job.process for job in runner.launcher.jobs] == [1, 2, 3, 4, 5]
    # 50 s for four processes that take 9.6 s beside their rounds; a set of two takes 0.2 s. What
    # one of them has not used, those after it get.
    budgets = [sum(job.budgets_s.values()) for job in later]
    assert budgets[0] == pytest.approx(2.7)
    assert budgets == sorted(budgets)
    assert {job.precision for job in (first, *later)} == {0.0}


def test_an_interrupt_leaves_what_was_measured(make):
    """Ctrl-C ends the run at once; delivered samples are on disk, unfinished cases have no row."""
    cases = [*pair(), *pair(seq_len=8)]

    def script(job):
        for event in worker_events(job):
            yield event
            if isinstance(event, Samples) and is_about(event, cases[1]):
                raise KeyboardInterrupt

    runner = make(cases, script)
    with pytest.raises(KeyboardInterrupt):
        runner.measure()
    assert set(found(runner).samples["case"]) == {c.id for c in cases[:2]}
    assert statuses(runner) == {}


def test_what_is_done_is_not_measured_again(make):
    """A resumed run begins where the first one ended: cases and processes that are there count."""
    cases = [*pair(measure=STATIC), *pair(), *pair(seq_len=8)]
    done = dict.fromkeys([c.id for c in cases[:2]], Status.OK)
    runner = make(cases, done=done, processes={c.id: {1} for c in cases[2:4]})
    runner.measure()
    assert [(job.process, len(job.cases)) for job in runner.launcher.jobs] == [(1, 2), (2, 4)]
    assert set(statuses(runner)) == {c.id for c in cases[2:]}


def test_a_worker_is_told_its_share_of_the_budget(make):
    """The budget of a case is split over its processes."""
    runner = make(pair(), sampling=Sampling(processes=4, budget_s=10, stops_early=False), seed=7)
    runner.measure()
    jobs = runner.launcher.jobs
    assert [list(job.budgets_s.values()) for job in jobs] == [[2 * 2.5]] * 4
    assert {(job.seed, job.threads) for job in jobs} == {(7, 1)}


def test_the_timeout_leaves_time_to_sample(make):
    """A workload is silent while it is sampled: its budget must not look like a hang."""
    sampling = Sampling(processes=1, min_processes=1, budget_s=1000)
    kinds = (STATIC, FORWARD, TEXT)
    runner = make([one for kind in kinds for one in pair(measure=kind)], sampling=sampling)
    runner.measure()
    static, *timed = runner.launcher.timeouts
    assert static == 60
    assert [seconds >= 60 + 2 * 1000 for seconds in timed] == [True, True]


def test_the_display_hears_of_every_step(make):
    """Each process of each case advances the bar, and each case ends once."""
    cases = pair()
    runner = make(cases)
    runner.measure()
    told = runner.display.told
    for one in cases:
        assert told.count(("advance", one.id)) == 2
        assert told.count(("finish", one.id, "ok", "")) == 1
    assert ("begin", [c.id for c in cases], 2) in told


def test_time_in_workers_is_added_up(make):
    """What workers say they spent is summed over all of them."""
    runner = make(pair())
    runner.measure()
    assert runner.spent["load_s"] == pytest.approx(1.0)


def test_the_time_of_a_run_that_was_taken_up_is_that_of_both_commands():
    """Seconds are added up; the share of forwards is of all of them, products left out."""
    first = time_spent({"timed_s": 11.0, "gemm_s": 1.0, "forwards_s": 9.0}, 20.0, {})
    assert first["forwards_share"] == 0.9
    both = time_spent({"load_s": 2.0, "timed_s": 10.0, "forwards_s": 7.0}, 15.0, first)
    assert both == {
        "timed_s": 21.0,
        "gemm_s": 1.0,
        "forwards_s": 16.0,
        "load_s": 2.0,
        "total_s": 35.0,
        "forwards_share": 0.8,
    }


@pytest.mark.parametrize("asked", [Allocator.STEADY, Allocator.SYSTEM])
def test_freed_memory_is_kept_for_timing_unless_the_system_is_asked_for(make, asked):
    """Memory's own setting gives a peak that repeats; `--allocator system` leaves all as it is."""
    runner = make([*pair(measure=MEMORY), *pair()], allocator=asked)
    runner.measure()
    found = {job.measure: job.allocator for job in runner.launcher.jobs}
    usual = {MEMORY: Allocator.EXACT, FORWARD: Allocator.STEADY}
    assert found == (usual if asked is Allocator.STEADY else dict.fromkeys(usual, asked))
