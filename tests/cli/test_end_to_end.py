import json
import signal
import subprocess
import sys

import pandas as pd
import pytest
from fakes import bench, bench_environment, default_signals, tiny_directory

from bench.results import store as records
from suites.models import DEFAULT_MODELS

pytestmark = [pytest.mark.process, pytest.mark.usefixtures("share_workers")]

QUICK = ("--weights", "random", "--threads", "1", "--processes", "1", "--budget", "0.05")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """`--model` options for two tiny directories."""
    root = tmp_path_factory.mktemp("models")
    paths = [tiny_directory(root, kind) for kind in ("bert", "albert")]
    return [part for path in paths for part in ("--model", path)]


def mistake(done):
    """The one line on stderr of a command that ended with a user's mistake."""
    assert "Traceback" not in done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


def measured(tmp_path, *options):
    """What a small main job prints and writes; every file agrees with the others."""
    out = tmp_path / "run"
    done = bench(
        "run", "--weights", "random", "--threads", "1", "--processes", "2", "--budget", "0.2",
        "--batch-size", "1", "--seq-len", "16", "--output", out, *options,
        cwd=tmp_path, timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    run = records.read_run(out)
    assert set(run.cases["status"]) == {"ok"}
    assert set(run.cases["weights"]) == {"random"}
    assert set(run.cases["case"]) == {row["case"] for row in run.environment["run"]["plan"]}
    assert run.damage == ()
    assert run.environment["run"]["state"] == "complete"
    tables = {t: pd.read_csv(out / f"{t}.csv") for t in (*records.RAW, "summary", "ratios")}
    for table, frame in tables.items():
        assert list(frame.columns) == list(records.TABLES[table])
        if "case" in frame:
            assert set(frame["case"]) <= set(run.cases["case"])
    document = json.loads((out / "pytest-benchmark.json").read_text())
    assert len(document["benchmarks"]) == 2
    ratios = tables["ratios"].set_index("metric")
    assert ratios.loc["latency", "low"] < ratios.loc["latency", "high"]
    assert "random weights" in done.stdout
    assert str(out) in done.stdout
    page = (tmp_path / "reports" / out.name / "index.html").read_text(encoding="utf-8")
    assert "Random weights" in page
    return done.stdout, tables["summary"], ratios, page


def test_the_main_job_writes_every_file_with_both_models(tmp_path, tiny):
    """On tiny models: the tables agree with each other and with what is printed."""
    _, summary, ratios, _ = measured(tmp_path, "parameters", "memory", "latency", *tiny)
    assert set(summary["model"]) == {"bert", "albert"}
    assert {"latency", "stored_parameters", "peak_rss_bytes"} <= set(ratios.index)


@pytest.mark.extended
def test_bert_and_albert_full_size(tmp_path):
    """The main job, small: the figures that are known of the real models."""
    printed, summary, ratios, page = measured(tmp_path)
    assert set(summary["model"]) == set(DEFAULT_MODELS)
    values = summary.set_index(["model", "metric"])["value"]
    assert values["bert-base-uncased", "stored_parameters"] == 109_482_240
    assert values["albert-base-v2", "stored_parameters"] == 11_683_584
    assert ratios.loc["applied_parameters.encoder", "ratio"] == 1.0
    assert 0.2 < ratios.loc["latency", "ratio"] < 5
    assert "ALBERT stores 9.37x fewer parameters than BERT" in printed
    assert "stores 9.37× fewer parameters than BERT" in page


def test_a_failed_case_is_exit_code_1(tmp_path, tiny):
    """The run goes on without the model that cannot be loaded, and says so at the end."""
    broken = tiny_directory(tmp_path, "albert", num_attention_heads=3)
    out = tmp_path / "run"
    done = bench(
        "run", "latency", *QUICK, *tiny[:2], "--model", broken, "--seq-len", "8", "--output", out,
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    cases = records.read_run(out).cases.set_index("model")
    assert cases["status"].to_dict() == {"bert": "ok", "albert": "failed"}
    assert cases.loc["albert", "reason"]


def test_nothing_measured_is_exit_code_3(tmp_path):
    """When every case failed there is no answer, and the one line says where to look."""
    broken = tiny_directory(tmp_path, "albert", num_attention_heads=3)
    done = bench("run", "parameters", *QUICK, "--model", broken, "--seq-len", "8", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert "failed" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_an_interrupted_run_is_finished_by_resume(tmp_path, tiny):
    """After Ctrl-C the directory is readable; --resume gives every case once."""
    out = tmp_path / "a run"
    command = [
        sys.executable, "-m", "bench", "run", "memory", "latency", *QUICK, *tiny,
        "--batch-size", "1", "--seq-len", "8", "--output", out,
    ]  # fmt: skip
    with subprocess.Popen(
        [str(c) for c in command],
        cwd=tmp_path,
        env=bench_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=default_signals,  # noqa: PLW1509 - the tests start no threads
    ) as process:
        for line in process.stdout:
            if line.startswith("[1/"):
                break
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert f"--resume '{out}'" in rest
    assert records.read_run(out).environment["run"]["state"] == "interrupted"
    before = records.read_run(out).cases["case"].tolist()

    done = bench("run", "--resume", out, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    run = records.read_run(out)
    assert run.environment["run"]["state"] == "complete"
    assert run.cases["case"].tolist()[: len(before)] == before
    assert sorted(run.cases["case"]) == sorted(r["case"] for r in run.environment["run"]["plan"])
    assert set(run.cases["status"]) == {"ok"}

    assert bench("run", "--resume", out, cwd=tmp_path).returncode == 0
    again = records.read_environment(out)["time_spent"]
    kept = {k: v for k, v in run.environment["time_spent"].items() if k != "total_s"}
    assert {k: v for k, v in again.items() if k != "total_s"} == kept  # nothing was left to do


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "latncy"], "no suite 'latncy'"),
        (["run", "--model", "no such/thing/at all"], "no model 'no such/thing/at all'"),
        (["run", "--device", "tpu"], "--device is 'tpu'"),
        (["run", "--batch-size", "0"], "--batch-size is 0"),
        (["run", "--seq-len", "513"], "--seq-len is 513"),
        (["run", "--seq-len", "many"], "--seq-len"),
        (["run", "--precision", "2"], "--precision is 2"),
        (["run", "--profile", "slow"], "no profile 'slow'"),
        (["run", "--resume", "nowhere"], "no run at nowhere"),
        (["run", "--nonsense"], "--nonsense"),
        (["list", "cold_start", "--weights", "random"], "nothing to measure: cold start of"),
        (["list", "--batch-size", "0"], "--batch-size is 0"),
        (["list", "--text", "nowhere.txt"], "nowhere.txt: it cannot be read"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, arguments, words):
    """It says what is wrong, with the value; exit code 2; nothing is left behind."""
    done = bench(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert words in mistake(done)
    assert not list(tmp_path.rglob("*.*"))


def test_absent_cuda_is_one_line(tmp_path, tiny):
    """Asking for a device that torch does not see ends before anything is measured."""
    done = bench(
        "run", "latency", *tiny, *QUICK, "--device", "cuda:99", "--seq-len", "8", cwd=tmp_path
    )
    assert done.returncode == 2
    assert "--device is cuda:99" in mistake(done)


def test_a_directory_in_use_is_one_line(tmp_path, tiny):
    """While one process writes a run, another can neither begin nor resume there."""
    writer = records.open_run(tmp_path / "run")
    try:
        writer.write_environment({})
        done = bench("run", *tiny, *QUICK, "--output", tmp_path / "run", cwd=tmp_path)
        assert done.returncode == 2
        assert "in use" in mistake(done)
    finally:
        writer.close()


@pytest.mark.parametrize("text", ["", "suite;model;value\n1;2;3\n", "case,repeat\nx"])
def test_an_unreadable_table_is_one_line(tmp_path, text):
    """A foreign or truncated CSV in a run that is to be resumed is named; an empty one is none."""
    from fakes import pair, write_run

    write_run(tmp_path / "run", pair())
    (tmp_path / "run" / "samples.csv").write_text(text)
    done = bench("run", "--resume", tmp_path / "run", cwd=tmp_path)
    assert done.returncode == 2
    assert ("samples.csv" in mistake(done)) == bool(text)


def test_the_plan_is_that_of_a_run_with_the_same_options(tmp_path):
    """A text brings its suite; random weights leave the cold starts out."""
    (tmp_path / "text.txt").write_text("a line\n")
    listed = bench("list", "--text", "text.txt", cwd=tmp_path)
    assert listed.returncode == 0, listed.stderr
    assert "text " in listed.stdout
    assert "latency" not in listed.stdout
    assert "cold_start" in bench("list", cwd=tmp_path).stdout
    random = bench("list", "--weights", "random", cwd=tmp_path)
    assert "cold_start" not in random.stdout
    assert "cold start of bert-base-uncased and albert-base-v2 left out" in random.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["run", "--help"]])
def test_a_quick_answer_needs_no_torch(tmp_path, arguments):
    """Neither torch nor pandas, transformers or matplotlib is imported to answer."""
    code = (
        "import sys\nfrom bench.cli.main import main\n"
        f"sys.argv = ['bench', *{arguments!r}]\n"
        "try:\n    main()\nexcept SystemExit as ended:\n    assert not ended.code, ended.code\n"
        "slow = {'torch', 'transformers', 'pandas', 'matplotlib', 'scipy'} & set(sys.modules)\n"
        "sys.exit(f'imported: {slow}' if slow else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=bench_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
