"""The performance gate: what one change did to the figures, as verdicts and an exit code."""
