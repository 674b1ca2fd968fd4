"""From the rounds of every process to the intervals of a run's cases, all cases at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from bench.stats.intervals import Interval, bounds
from bench.stats.moderated import Centre, intervals

Centres = dict[str, list[Centre]]
"""By case, the centre of each of its processes."""


def centres(logs: pd.DataFrame) -> Centres:
    """The centres of a table with a row per round (or sample): case, process and its log.

    All at once, since a groupby per case would take most of the time of a long run's page.
    """
    keys = ["case", "process"]
    median = logs.groupby(keys, sort=False)["log"].transform("median")
    apart = logs.assign(median=median, deviation=(logs["log"] - median).abs())
    table = apart.groupby(keys, sort=False).agg(
        median=("median", "first"), deviation=("deviation", "mean"), rounds=("log", "size")
    )
    found: Centres = {}
    for (case, _), *row in table.itertuples(name=None):
        found.setdefault(str(case), []).append(Centre(*row))
    return found


def of_values(table: pd.DataFrame, column: str) -> Centres:
    """The centres of a table with one value per case and process, all above 0."""
    logs = np.log(table[column].to_numpy(dtype=float))
    found: Centres = {}
    for case, log in zip(table["case"], logs, strict=True):
        found.setdefault(str(case), []).append(Centre(float(log)))
    return found


def case_intervals(found: Mapping[str, Sequence[Centre]]) -> dict[str, Interval]:
    """The interval of each case, in the unit that was measured."""
    return {case: exponential(log) for case, log in log_intervals(found).items()}


def log_intervals(found: Mapping[str, Sequence[Centre]]) -> dict[str, Interval]:
    """The interval of each case's log; spread is lent within a device.

    The forwards of a GPU do not spread as those of the CPU beside it do.
    """
    devices: dict[str, dict[str, Sequence[Centre]]] = {}
    for case, processes in found.items():
        devices.setdefault(case.split("/")[2], {})[case] = processes  # suite/model/device/...
    return {
        case: interval
        for device in devices.values()
        for case, interval in intervals(device).items()
    }


def exponential(log: Interval) -> Interval:
    """The interval of a value from that of its logarithm, without the digits that logs lose."""
    return Interval(*(float(f"{math.exp(bound):.12g}") for bound in bounds(log)))


def inverse(found: Interval) -> Interval:
    """The interval of one over a value: of a rate, or of the ratio the other way round."""
    turned = (found.value, found.high, found.low)
    return Interval(*(1 / bound if bound else math.nan for bound in turned))
