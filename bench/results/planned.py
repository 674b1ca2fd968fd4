"""The planned cases of a stored run as a table."""

from __future__ import annotations

import pandas as pd

from bench.core.case import Status
from bench.results.store import IDENTITY, Run


def plan_table(run: Run) -> pd.DataFrame:
    """Identity columns of every planned case, by case; the environment holds them as planned."""
    table = pd.DataFrame(run.environment["run"]["plan"], columns=["case", *IDENTITY])
    failed = run.cases.loc[run.cases["status"] != Status.OK.value, "case"]
    return table[~table["case"].isin(failed)].drop_duplicates("case").set_index("case")
