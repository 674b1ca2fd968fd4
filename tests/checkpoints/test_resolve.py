"""Where a checkpoint comes from: the hub, its cache, a mirror, a directory; in real processes."""

import os
import shutil
import signal
import struct
import subprocess
import sys
import textwrap
import time

import pytest
import torch
from safetensors.torch import load_file, save_file

from bench.checkpoints.validate import ENCODERS, read_shapes
from bench.plan.registry import pick_models

pytestmark = pytest.mark.process

MODELS = pick_models(())

AUTO = """
    from bench.checkpoints.resolve import resolve
    from bench.core.architecture import Weights
    from bench.plan.registry import pick_models
    for model in pick_models(()):
        print(*resolve(model, Weights.AUTO))
"""


@pytest.fixture
def auto(environment):
    """What `--weights auto` finds for the two registered models, in a process of its own."""

    def run(**extra: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-c", textwrap.dedent(AUTO)],
            env={**environment, **extra},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )

    return run


def bodies(hub) -> list[str]:
    """Paths of the files whose bodies were asked for."""
    served = [r for r in hub.requests if r.method == "GET"]
    return [r.path for r in served if "/resolve/" in r.path or "/cdn/" in r.path]


@pytest.mark.extended
def test_the_real_sizes_are_downloaded_once_and_go_on_where_they_were_dropped(
    bench, hub, full_size, home
):
    """Both full-size checkpoints arrive through a dropped connection, at their pinned commits."""
    for model, kind in zip(MODELS, ("bert", "albert"), strict=True):
        hub.add(model.source, full_size[kind], commit=model.revision)
    weights = hub.path_of(MODELS[0].source, "model.safetensors")
    dropped = hub.fail(weights, drop_after=30_000_000, times=2)
    first = bench("fetch", *(m.source for m in MODELS))
    assert first.returncode == 0, first.stderr
    assert dropped.times == 0
    assert [r.range for r in hub.requests if r.range]  # went on, instead of starting over
    assert not list(home.rglob("*.incomplete"))
    for model, size in zip(MODELS, ("440.4 MB", "47.4 MB"), strict=True):
        (line,) = [text for text in first.stdout.splitlines() if text.startswith(model.name)]
        assert size in line
        assert model.revision[:12] in line
        assert "hashes right" in line
    assert "downloading model.safetensors (440.4 MB)" in first.stderr

    hub.heal()
    again = bench("fetch", *(m.source for m in MODELS))
    assert again.stdout == first.stdout
    assert bodies(hub) == []


def test_a_pinned_revision_comes_from_the_cache_without_a_request(bench, hub, tiny):
    """A commit cannot move, so a cached one is not asked about again."""
    commit = hub.add("org/tiny", tiny["bert"])
    first = bench("fetch", "org/tiny", "--revision", commit)
    assert commit[:12] in first.stdout
    hub.heal()
    assert bench("fetch", "org/tiny", "--revision", commit).stdout == first.stdout
    assert hub.requests == []


def test_a_tokenizer_that_the_cache_lacks_is_fetched(bench, hub, tiny, home):
    """A cache that another tool filled with weights alone is completed, weights untouched."""
    commit = hub.add("org/tiny", tiny["bert"])
    fetch = ("fetch", "org/tiny", "--revision", commit)
    bench(*fetch)
    kept = ("model.safetensors", "config.json")
    for file in home.rglob("snapshots/*/*"):
        if file.name not in kept:
            file.resolve().unlink()
            file.unlink()
    hub.heal()
    assert bench(*fetch).returncode == 0
    (snapshot,) = home.rglob("snapshots/*")
    assert {f.name for f in snapshot.iterdir()} == {f.name for f in tiny["bert"].iterdir()}
    assert not [path for path in bodies(hub) if path.startswith("/cdn/")]


def test_a_branch_is_followed_and_a_pinned_commit_stays(bench, hub, tiny):
    """`main` is asked where it points each time; `--revision` picks an older commit."""
    old = hub.add("org/tiny", tiny["bert"])
    assert old[:12] in bench("fetch", "org/tiny").stdout
    new = hub.add("org/tiny", tiny["albert"])
    assert new[:12] in bench("fetch", "org/tiny").stdout
    assert old[:12] in bench("fetch", "org/tiny", "--revision", old).stdout


def test_a_cached_branch_serves_while_the_hub_does_not_answer(bench, hub, tiny):
    """The newest cached commit is used, and said to be that, where the hub is out of reach."""
    commit = hub.add("org/tiny", tiny["bert"])
    first = bench("fetch", "org/tiny")
    hub.fail("/api/", status=500)
    again = bench("fetch", "org/tiny")
    assert again.stdout == first.stdout
    assert f"the cached commit {commit[:12]}" in again.stderr


def test_a_short_name_is_followed_to_its_repository(bench, hub, tiny):
    """A renamed repository is found by its old name through the hub's redirect."""
    commit = hub.add("org/tiny", tiny["bert"])
    hub.renamed["tiny"] = "org/tiny"
    done = bench("fetch", "tiny")
    assert done.returncode == 0, done.stderr
    assert commit[:12] in done.stdout


def test_the_cache_alone_is_enough_offline(bench, hub, tiny):
    """With HF_HUB_OFFLINE=1 a cached model is used and nothing is asked."""
    hub.add("org/tiny", tiny["albert"])
    first = bench("fetch", "org/tiny")
    hub.heal()
    assert bench("fetch", "org/tiny", HF_HUB_OFFLINE="1").stdout == first.stdout
    assert hub.requests == []


def test_a_local_directory_needs_no_hub(bench, hub, tiny):
    """A directory is read where it lies."""
    done = bench("fetch", str(tiny["bert"]))
    assert "(directory)" in done.stdout
    assert "no hashes to compare with" in done.stdout
    assert hub.requests == []


def test_weights_in_several_files_are_fetched_whole(bench, hub, tiny, tmp_path):
    """A sharded checkpoint is as good as one file; one without a shard is not."""
    sharded = shutil.copytree(tiny["bert"], tmp_path / "sharded")
    weights = load_file(sharded / "model.safetensors")
    (sharded / "model.safetensors").unlink()
    names = sorted(weights)
    parts = {"model-00001-of-00002": names[:9], "model-00002-of-00002": names[9:]}
    for part, keys in parts.items():
        save_file({k: weights[k] for k in keys}, sharded / f"{part}.safetensors")
    index = {k: f"{part}.safetensors" for part, keys in parts.items() for k in keys}
    text = str({"weight_map": index}).replace("'", '"')
    (sharded / "model.safetensors.index.json").write_text(text)
    hub.add("org/sharded", sharded)
    assert "hashes right" in bench("fetch", "org/sharded").stdout
    (sharded / "model-00002-of-00002.safetensors").unlink()
    broken = bench("fetch", str(sharded))
    assert broken.returncode == 2
    assert "lacks model-00002-of-00002.safetensors" in broken.stderr


def test_two_fetches_of_the_same_model_at_once_both_work(environment, hub, large, tmp_path):
    """The second waits for the first and finds the file there: one download, two good ends."""
    hub.add("org/albert", large)
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "bench", "fetch", "org/albert"],
            env=environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=120) for process in both]
    assert [p.returncode for p in both] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0]
    assert len([p for p in bodies(hub) if "/cdn/" in p and "spiece" not in p]) <= 3


def test_a_killed_download_leaves_nothing_that_hurts(bench, environment, hub, large, home):
    """After SIGKILL in mid-file the next fetch works and clears the partial file away."""
    hub.add("org/albert", large)
    weights = hub.path_of("org/albert", "model.safetensors")
    hub.fail(weights, stall_after=20_000_000)
    killed = subprocess.Popen(
        [sys.executable, "-m", "bench", "fetch", "org/albert"],
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    while not any(p.stat().st_size > 1_000_000 for p in home.rglob("*.incomplete")):
        assert killed.poll() is None
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    hub.heal()
    done = bench("fetch", "org/albert")
    assert "hashes right" in done.stdout, done.stderr
    assert not list(home.rglob("*.incomplete"))


def test_a_terminal_sees_a_progress_bar(environment, hub, large, tmp_path):
    """On a terminal the download has a bar; elsewhere it is told in whole lines."""
    pty = pytest.importorskip("pty")
    hub.add("org/albert", large)
    termios, fcntl = pytest.importorskip("termios"), pytest.importorskip("fcntl")
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    done = subprocess.run(
        [sys.executable, "-m", "bench", "fetch", "org/albert"],
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=child,
        check=False,
        timeout=120,
    )
    os.close(child)
    seen = os.read(parent, 1_000_000).decode()
    os.close(parent)
    assert done.returncode == 0, seen
    assert "model.safetensors: 100%" in seen
    assert "47.4M/47.4M" in seen


def test_auto_takes_random_weights_where_the_hub_never_answers(auto, hub):
    """A hub that accepts and stays silent is asked once, for all models together."""
    hub.fail("/", hang=True)
    done = auto()
    assert done.stdout == f"None {hub.url} did not answer within 3 s\n" * 2
    assert len([r for r in hub.requests if r.path.startswith("/api/models/")]) <= 1


def test_auto_takes_random_weights_where_a_name_look_up_hangs(auto, tmp_path):
    """The system's resolver has no time-out of its own; the wait for it has."""
    (tmp_path / "sitecustomize.py").write_text(
        "import socket, time\nsocket.getaddrinfo = lambda *a, **k: time.sleep(3600)\n"
    )
    done = auto(
        PYTHONPATH=f"{tmp_path}:{__file__.rpartition('/tests/')[0]}", HF_ENDPOINT="http://hub.test"
    )
    assert done.stdout == "None http://hub.test did not answer within 3 s\n" * 2


def test_auto_takes_random_weights_at_the_first_failure(auto, hub, tiny):
    """A hub that fails half-way is not tried again: auto has something else to use."""
    for model in MODELS:
        hub.add(model.source, tiny["bert"], commit=model.revision)
    hub.fail("/cdn/", status=500)
    done = auto()
    assert done.stdout.count("None ") == done.stdout.count("HTTP 500") == len(MODELS)
    assert len([p for p in bodies(hub) if "/cdn/" in p]) == len(MODELS)


def test_auto_takes_pretrained_weights_where_it_can(auto, hub, tiny):
    """With a hub that works, auto is the same as pretrained."""
    for model in MODELS:
        hub.add(model.source, tiny["bert"], commit=model.revision)
    done = auto()
    for model in MODELS:
        assert f"revision='{model.revision}'" in done.stdout


def test_every_known_encoder_is_one_of_transformers():
    """The table of encoders names no architecture that transformers cannot build."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    assert set(CONFIG_MAPPING_NAMES) >= ENCODERS


def test_shapes_are_read_from_the_header_as_torch_reads_them(large):
    """The header reader agrees with safetensors' own on every tensor."""
    file = large / "model.safetensors"
    assert read_shapes(file) == {k: tuple(v.shape) for k, v in load_file(file).items()}
    assert sum(map(torch.Size.numel, map(torch.Size, read_shapes(file).values()))) == 11_842_272
