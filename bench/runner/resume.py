"""An interrupted run: what it holds is checked, kept, and what is missing is planned again."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.core.architecture import Weights
from bench.core.case import Status, group_of
from bench.core.errors import UsageError
from bench.core.utc import utc_now
from bench.plan.registry import all_suites
from bench.plan.stored_options import from_stored
from bench.results import store as records
from bench.runner.prepare import Prepared, prepare

if TYPE_CHECKING:
    import pandas as pd


def restore(directory: Path) -> tuple[Prepared, records.Run]:
    """The preparation of an interrupted run, made again and checked to be the same.

    The run comes back without what is not whole: see `whole_processes`. Raises UsageError when the
    machine, the software, the checkpoints or the plan have changed:
    a run is measured under one set of conditions or not at all.
    """
    run = records.read_run(directory)
    recorded = run.environment["run"]
    try:
        weights = {row["model"]: Weights(row["weights"]) for row in recorded["plan"]}
        options = from_stored(recorded["options"])
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"{directory} cannot be resumed: its {records.ENVIRONMENT} is of another version of "
            f"bench ({error})"
        ) from None
    prepared = prepare(options, weights)
    plan = prepared.describe(run.id, utc_now())
    for what, now, then in (
        ("the machine or the software", plan["fingerprint"], run.environment["fingerprint"]),
        ("the plan", plan["run"]["plan"], recorded["plan"]),
        ("the text", plan["run"]["text"], recorded.get("text")),
        ("a checkpoint", plan["run"]["checkpoints"], recorded.get("checkpoints")),
    ):
        if now != then:
            raise UsageError(
                f"{directory} cannot be resumed: {what} changed since; start a new run"
            )
    return prepared, whole_processes(run)


def whole_processes(run: records.Run) -> records.Run:
    """The run without processes that lack a model of a group: their samples cannot be paired.

    A case that failed stays as it is, and its group goes on without it.
    """
    failed = set(run.cases.loc[run.cases["status"] != Status.OK.value, "case"])
    members: dict[str, set[str]] = {}
    suites = {suite.name for suite in all_suites().values() if suite.measure.timed}
    timed = set()
    for row in run.environment["run"]["plan"]:
        group = group_of(row["case"])
        if row["case"] not in failed:
            members.setdefault(group, set()).add(row["case"])
        if row["suite"] in suites:
            timed.add(group)
    present = run.samples.groupby("process")["case"].agg(set).to_dict()

    def whole(table: pd.DataFrame) -> pd.DataFrame:
        groups = table["group"] if "group" in table else table["case"].map(group_of)
        keep: list[bool] = [
            group not in timed or members.get(group, set()) <= present.get(process, set())
            for group, process in zip(groups, table["process"], strict=True)
        ]
        return table.loc[np.array(keep, dtype=bool)]

    return dataclasses.replace(
        run,
        samples=whole(run.samples),
        measurements=whole(run.measurements),
        rounds=whole(run.rounds),
        gemm=whole(run.gemm),
    )


def carry_over(
    run: records.Run, writer: records.RunWriter
) -> tuple[dict[str, Status], dict[str, set[int]]]:
    """Write what is whole of an interrupted run; returns its finished cases and whole processes.

    A case that had ended well and whose processes are not all here any more (a file was cut short
    or lost) is open again: what is missing of it is measured like anything else that is.
    """
    done = processes_done(run)
    whole = [
        status != Status.OK.value or len(done.get(case, ())) >= wanted
        for case, status, wanted in run.cases[["case", "status", "processes"]].to_numpy()
    ]
    run = dataclasses.replace(run, cases=run.cases[np.array(whole, dtype=bool)])
    for table in records.RAW:
        writer.write_table(table, getattr(run, table))
    return {str(row.case): Status(str(row.status)) for row in run.cases.itertuples()}, done


def processes_done(run: records.Run) -> dict[str, set[int]]:
    """Numbers of the whole processes that an interrupted run already holds, by case."""
    found: dict[str, set[int]] = {}
    for table in (run.measurements, run.samples):
        for case, numbers in table.groupby("case")["process"]:
            found[str(case)] = set(map(int, numbers))
    return found
