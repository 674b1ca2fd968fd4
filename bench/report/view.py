"""One run as the page sees it: its tables, what is missing from them, and what to call things."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.core.axes import AXIS_NAMES, Variant
from bench.core.case import Status, Workload
from bench.core.english import counted
from bench.core.measures.cold_start import COLD_START
from bench.core.measures.forward import FORWARD
from bench.core.measures.memory import MEMORY
from bench.core.measures.static import STATIC
from bench.core.measures.text import TEXT
from bench.results.schema import IDENTITY
from bench.results.store import Run
from bench.stats.analysis import Analysis
from bench.stats.speedups import compares_models
from bench.wording.names import LABEL_LENGTH, SHORT, short_names

CONTEXT = ["device", "threads", *AXIS_NAMES]
SUITE_MEASURES = {
    "parameters": STATIC.name,
    "memory": MEMORY.name,
    "cold_start": COLD_START.name,
    "text": TEXT.name,
}
"""For suites of which no case has finished; the others are timed."""
PREFERRED = (1, 128)
"""Batch size and sequence length that headlines are about, where they were timed."""


MOST_IN_HEAD = 3
"""Models beside the reference of which the page's top speaks one by one."""


@dataclass(frozen=True)
class Context:
    """How forwards were run; only cases of one context are drawn in one figure."""

    device: str
    threads: int
    variant: Variant

    @property
    def columns(self) -> dict[str, str | int]:
        """What a row of this context has, by column."""
        return {"device": self.device, "threads": self.threads, **self.variant.columns}

    @property
    def slug(self) -> str:
        """For ids and file names."""
        parts = (self.device, *self.variant.compared, *self.variant.setting, f"t{self.threads}")
        text = "-".join(parts)
        return "".join(c if c.isalnum() or c == "-" else "-" for c in text)

    def __str__(self) -> str:
        attention = self.variant.attention
        parts = [self.device, str(self.variant.dtype)]
        parts += [f"{attention} attention"] if attention is not Variant().attention else []
        parts += self.variant.special
        parts += [counted(self.threads, "thread")] if self.device == "cpu" else []
        return ", ".join(parts)


@dataclass(frozen=True)
class View:
    """A run with everything computed from its raw tables (never from a stale summary.csv)."""

    analysis: Analysis
    _selected: dict[tuple[str, str, Context | None], pd.DataFrame] = field(
        default_factory=dict, repr=False
    )

    @classmethod
    def of(cls, directory: Path) -> View:
        """A stored run."""
        return cls(Analysis.read(directory))

    @property
    def run(self) -> Run:
        """The raw tables and the environment."""
        return self.analysis.run

    @property
    def summary(self) -> pd.DataFrame:
        """One row per case and metric."""
        return self.analysis.summary

    @property
    def ratios(self) -> pd.DataFrame:
        """One row per case and metric against its reference."""
        return self.analysis.ratios

    @cached_property
    def plan(self) -> pd.DataFrame:
        """Identity columns of every planned case, failed ones too."""
        planned = self.run.environment["run"]["plan"]
        return pd.DataFrame(planned, columns=["case", *IDENTITY]).drop_duplicates("case")

    @property
    def facts(self) -> dict[str, Any]:
        """The `run` part of the environment."""
        return dict(self.run.environment["run"])

    @cached_property
    def models(self) -> list[str]:
        """All models of the run, the reference first."""
        return [str(m) for m in self.facts["models"]]

    @property
    def reference(self) -> str:
        """The model that ratios are against."""
        return self.models[0]

    @property
    def others(self) -> list[str]:
        """All models but the reference."""
        return self.models[1:]

    @property
    def headlined(self) -> list[str]:
        """The models that the page opens with; any further ones are rows of a table there."""
        return self.others[:MOST_IN_HEAD]

    @cached_property
    def names(self) -> dict[str, str]:
        """What sentences call each model."""
        return short_names(self.models, SHORT)

    @cached_property
    def labels(self) -> dict[str, str]:
        """What figures call each model: the same, shorter still."""
        return short_names(self.models, SHORT, LABEL_LENGTH)

    @cached_property
    def contexts(self) -> list[Context]:
        """Every context of the plan, in its order."""
        between_models = compares_models(self.plan)
        rows = (self.plan if between_models.empty else between_models)[CONTEXT].drop_duplicates()
        return [Context(row.device, row.threads, Variant.of_row(row)) for row in each(rows)]

    @cached_property
    def failed(self) -> pd.DataFrame:
        """Cases that ended badly, with their reason."""
        well = (Status.OK.value, Status.SKIPPED.value)
        return self.run.cases[~self.run.cases["status"].isin(well)]

    @cached_property
    def unfinished(self) -> pd.DataFrame:
        """Planned cases that have no row in cases.csv."""
        return self.plan[~self.plan["case"].isin(self.run.cases["case"])]

    @cached_property
    def measures(self) -> list[str]:
        """Kind of measurement per planned case: as recorded, else as its suite's other cases."""
        cases = self.run.cases
        by_case = dict(zip(cases["case"], cases["measure"], strict=True))
        by_suite = {**SUITE_MEASURES, **dict(zip(cases["suite"], cases["measure"], strict=True))}
        return [
            str(by_case.get(row.case) or by_suite.get(row.suite, FORWARD.name))
            for row in each(self.plan)
        ]

    @cached_property
    def weights(self) -> dict[str, list[str]]:
        """Per kind of weights (pretrained, random), the models that had them."""
        pairs = self.plan[["weights", "model"]].drop_duplicates()
        return {
            str(kind): [str(m) for m in rows["model"]]
            for kind, rows in pairs.groupby("weights", sort=True)
        }

    @cached_property
    def _places(self) -> dict[str, Any]:
        """Where each case's samples stand, found once for all cases."""
        found = self.run.samples.groupby("case", sort=False).indices
        return {str(case): places for case, places in found.items()}

    def samples_of(self, case: str) -> pd.DataFrame:
        """All forwards of a case, in the order they ran."""
        return self.run.samples.take(self._places.get(case, []))

    @cached_property
    def _by_metric(self) -> dict[str, dict[str, pd.DataFrame]]:
        """Both tables split by metric, each part in the order of workloads."""
        tables = {"summary": self.summary, "ratios": self.ratios}
        return {
            name: {
                str(metric): rows.sort_values(["batch_size", "seq_len"], kind="stable")
                for metric, rows in table.groupby("metric", sort=False)
            }
            for name, table in tables.items()
        }

    def values(self, metric: str, context: Context | None = None) -> pd.DataFrame:
        """Rows of the summary for one metric, in the order of workloads."""
        return self._select("summary", metric, context)

    def compared(self, metric: str, context: Context | None = None) -> pd.DataFrame:
        """Rows of the ratios for one metric, in the order of workloads."""
        return self._select("ratios", metric, context)

    def _select(self, table: str, metric: str, context: Context | None) -> pd.DataFrame:
        key = (table, metric, context)
        if key not in self._selected:
            rows = self._by_metric[table].get(metric, getattr(self, table).head(0))
            if context is not None:  # figures are about models, tables about every case
                rows = compares_models(rows)
            if context is not None and len(self.contexts) > 1:
                same = [rows[name] == value for name, value in context.columns.items()]
                rows = rows[np.logical_and.reduce(same)]
            self._selected[key] = rows
        return self._selected[key]

    def one_value(self, metric: str, model: str, context: Context | None = None) -> Any | None:
        """The first value of a metric for a model, for what is the same in every workload."""
        return _first(self.values(metric, context), model)

    def one_ratio(self, metric: str, model: str, context: Context | None = None) -> Any | None:
        """The first ratio of a metric for a model, for what is the same in every workload."""
        return _first(self.compared(metric, context), model)

    def workload(self, metric: str, context: Context) -> tuple[int, int] | None:
        """Batch size and length to speak of for a metric: the preferred one, or the middle one."""
        rows = self.values(metric, context)
        if rows.empty:
            return None
        models: dict[tuple[int, int], set[str]] = {}
        for batch_size, seq_len, model in zip(
            rows["batch_size"], rows["seq_len"], rows["model"], strict=True
        ):
            models.setdefault((int(batch_size), int(seq_len)), set()).add(model)
        most = max(len(names) for names in models.values())
        fullest = [w for w, names in models.items() if len(names) == most]
        if PREFERRED in fullest:
            return PREFERRED
        fullest.sort(key=lambda w: (w[0] * w[1], w))
        return fullest[len(fullest) // 2]


def each(rows: pd.DataFrame) -> list[Any]:
    """The rows as named tuples; of what types their fields are, pandas cannot say."""
    return list(rows.itertuples())


def at(rows: pd.DataFrame, workload: tuple[int, int] | None, model: str) -> Any | None:
    """The row of one workload and model."""
    if workload is None:
        return None
    chosen = rows[(rows["batch_size"] == workload[0]) & (rows["seq_len"] == workload[1])]
    return _first(chosen, model)


def workload_text(batch_size: int, seq_len: int) -> str:
    """A workload in words."""
    return str(Workload(batch_size, seq_len))


def _first(rows: pd.DataFrame, model: str) -> Any | None:
    return next(iter(rows[rows["model"] == model].itertuples()), None)
