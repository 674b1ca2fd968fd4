"""The example runs as it is written, against the loopback hub."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.process, pytest.mark.extended]

EXAMPLE = Path(__file__).parent.parent / "examples" / "quickstart.py"


def test_the_quickstart_prints_tokens_and_shapes_of_both_models(environment, hub, full_size):
    """A tokenizer, a model and their shapes, for both models, with no other argument."""
    hub.add("google-bert/bert-base-uncased", full_size["bert"])
    hub.add("albert/albert-base-v2", full_size["albert"])
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "'[CLS]', 'the', 'capital'" in done.stdout
    assert done.stdout.count("768) = (sequences, tokens, hidden)") == 2
    assert done.stdout.count("(1, 768) = (sequences, hidden)") == 2
    assert "109,482,240" in done.stdout
    assert "11,683,584" in done.stdout
