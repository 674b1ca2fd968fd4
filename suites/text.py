"""How fast a text of your own goes through, as each model's tokenizer cuts it (needs --text)."""

from bench.core.case import OWN_LENGTHS
from bench.core.measures.text import TEXT
from bench.core.suite import Grid, Suite

SUITE = Suite(
    name="text",
    title="Words and tokens per second on a given text",
    measure=TEXT,
    by_default=False,
    grids={"quick": Grid(batch_sizes=(1, 8), seq_lens=(OWN_LENGTHS,))},
)
