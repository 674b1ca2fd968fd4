"""`--text FILE`: the user's own text, cut by each model's own tokenizer."""

import csv
import json
from pathlib import Path

import pytest
from checkpoints import SENTENCES

from bench.core.errors import UsageError
from bench.core.events import Phase, Sample
from bench.plan.corpus import MOST_LINES, read
from bench.worker.measures.text import BATCHES, Batch, rates

RUN = ("run", "--batch-size", "3", "--threads", "1", "--repeats", "1", "--budget", "0.5")


@pytest.fixture
def text(tmp_path) -> Path:
    """A file of a few lines, one of them too long for any model."""
    file = tmp_path / "text.txt"
    too_long = " ".join(["anecdote"] * 600)
    file.write_text("\n\n".join([*SENTENCES, too_long]) + "\n", encoding="utf-8")
    return file


@pytest.mark.usefixtures("share_workers")
@pytest.mark.process
def test_a_text_is_measured_with_both_kinds_of_tokenizer(bench, hub, tiny, text, tmp_path):
    """WordPiece and SentencePiece cut the same words into other tokens; both rates are told."""
    for kind, directory in tiny.items():
        hub.add(f"org/{kind}", directory)
    run = tmp_path / "run"
    models = ("--model", "org/bert", "--model", "org/albert")
    done = bench(*RUN, "--text", str(text), *models, "--output", str(run))
    assert done.returncode == 0, done.stderr + done.stdout
    found: dict[str, dict[str, float]] = {}
    with (run / "summary.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["model"], {})[row["metric"]] = float(row["value"])
    assert list(found) == ["org/bert", "org/albert"]
    for values in found.values():
        assert values["text_truncated"] == 1
        assert values["text_length.p100"] == 512
        assert values["text_length.p50"] < values["text_length.p90"] == 512
        assert 0 < values["padding_share"] < 1
        words_per_token = values["throughput_words"] / values["throughput_tokens"]
        assert words_per_token == pytest.approx(1 / values["tokens_per_word"], rel=0.1)
        assert values["tokenize_time"] > 0
        assert values["latency"] > 0
    assert found["org/albert"]["tokens_per_word"] > found["org/bert"]["tokens_per_word"]
    facts = json.loads((run / "environment.json").read_text())["run"]["text"]
    assert (facts["file"], facts["lines"]) == ("text.txt", len(SENTENCES) + 1)
    with (run / "samples.csv").open(encoding="utf-8", newline="") as file:
        phases = {row["phase"] for row in csv.DictReader(file)}
    assert phases == {"tokenize", "warmup", "switch", "sample"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read"),
        (b"", "only blank lines"),
        (b" \n\n", "only blank lines"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"a\x00b", "zero bytes"),
    ],
)
def test_a_file_that_is_no_text_is_one_line(tmp_path, content, says):
    """The error names the option, the file and what is wrong with it."""
    file = tmp_path / "text.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match=rf"--text is .*text.txt: .*{says}"):
        read(file)


@pytest.mark.usefixtures("share_workers")
@pytest.mark.process
def test_the_suite_needs_a_text(bench):
    """Without --text the suite says what is missing."""
    done = bench("run", "text")
    assert (done.returncode, done.stderr) == (
        2,
        "bench: suite 'text' needs a text: give --text FILE\n",
    )


@pytest.mark.usefixtures("share_workers")
@pytest.mark.process
def test_random_weights_have_no_tokenizer(bench, text):
    """A text needs the tokenizer that comes with the checkpoint; the error says how to get it."""
    done = bench("run", "--text", str(text), "--weights", "random")
    assert done.returncode == 2
    assert "--text needs the tokenizer of bert-base-uncased" in done.stderr
    assert "bench fetch bert-base-uncased" in done.stderr


def test_batches_are_whole_seeded_and_go_round_a_short_text(tmp_path):
    """The same seed draws the same lines; every line is drawn before one comes again."""
    file = tmp_path / "five.txt"
    file.write_text("a\nb\nc\nd\ne\n")
    text = read(file)
    drawn = text.batches(2, 5, "seed")
    assert drawn == text.batches(2, 5, "seed")
    assert drawn != text.batches(2, 5, "other")
    flat = [line for batch in drawn for line in batch]
    assert sorted(flat[:5]) == sorted(flat[5:]) == list("abcde")


def test_a_long_text_is_thinned_evenly(tmp_path):
    """Twice the most lines: every second one is kept."""
    file = tmp_path / "long.txt"
    file.write_text("\n".join(map(str, range(2 * MOST_LINES))))
    assert read(file).lines == tuple(map(str, range(0, 2 * MOST_LINES, 2)))


def test_rates_count_each_sample_by_its_own_batch():
    """Tokens and words are of the batch of the sample's round; padding and warm-up do not count."""
    batches = [Batch({}, 10, 2, 5)] * BATCHES
    batches[1], batches[2] = Batch({}, 6, 0, 3), Batch({}, 14, 10, 9)
    timed = [
        Sample(Phase.WARMUP, 0, 0.0, 9.0, 9.0),
        Sample(Phase.SWITCH, 1, 0.0, 9.0, 9.0),
        Sample(Phase.SAMPLE, 1, 0.0, 1.0, 1.0),
        Sample(Phase.SAMPLE, 2, 0.0, 3.0, 3.0),
        Sample(Phase.SAMPLE, BATCHES + 1, 0.0, 1.0, 1.0),
    ]
    assert rates(timed, batches) == {
        "throughput_tokens": 26 / 5,
        "throughput_words": 15 / 5,
        "padding_share": 10 / 36,
        "tokens_per_word": 26 / 15,
    }
