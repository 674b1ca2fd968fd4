"""What can go wrong between hub, cache and directory: each one in real processes."""

import json
import os
import shutil
import socket
import struct
import subprocess
from pathlib import Path

import pytest

from bench.checkpoints.resolve import describe
from bench.checkpoints.validate import read_config
from bench.core.errors import DamagedError, UnusableError

pytestmark = pytest.mark.process

WEIGHTS = "model.safetensors"


def assert_one_line(done: subprocess.CompletedProcess, *says: str, code: int = 2) -> None:
    """The command failed with one clear line that says these things."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    error = [line for line in done.stderr.splitlines() if line.startswith("bench: ")]
    assert len(error) == 1, done.stderr
    assert done.stderr.splitlines()[-1] == error[0], done.stderr
    for text in says:
        assert text in error[0]


def assert_works(bench) -> None:
    """A later fetch works, leaves no partial file, and every file has the announced hash."""
    fetched = bench("fetch", "org/tiny")
    assert fetched.returncode == 0, fetched.stderr
    assert "hashes right" in fetched.stdout


@pytest.fixture
def served(hub, tiny):
    """A hub that has a tiny BERT as org/tiny."""
    hub.add("org/tiny", tiny["bert"])
    return hub


ANSWERS = {
    "404": (
        {"where": "/api/", "status": 404, "headers": {"X-Error-Code": "RepoNotFound"}},
        "no model",
    ),
    "401": ({"where": "/api/", "status": 401}, "HF_TOKEN"),
    "403": (
        {"where": "/", "status": 403, "headers": {"X-Error-Code": "GatedRepo"}},
        "accept its terms",
    ),
    "403 on the file": ({"where": "/cdn/", "status": 403}, "HTTP 403"),
    "429": ({"where": "/api/", "status": 429}, "HTTP 429"),
    "429 with a long pause": (
        {"where": "/api/", "status": 429, "headers": {"Retry-After": "3600"}},
        "asks to wait 3600 s",
    ),
    "500 on the info": ({"where": "/api/", "status": 500}, "HTTP 500"),
    "500 on the file": ({"where": "/cdn/", "status": 500}, "HTTP 500"),
    "500 on the file's head": ({"where": WEIGHTS, "status": 503}, "failed 3 times: HTTP 503"),
    "dropped": ({"where": "/cdn/", "drop_after": 1000}, "the connection broke"),
    "wrong size": ({"where": "/resolve/", "size_off": 7}, "not what"),
    "corrupted on the way": ({"where": "/cdn/", "flip": 30_000}, "has the hash"),
    "corrupted header": ({"where": "/cdn/", "flip": 20}, "corrupted safetensors header"),
    "no room": ({"where": "/api/", "size_off": 10**15}, "no room for org/tiny"),
}


REPRESENTATIVES = (
    "404",
    "429 with a long pause",
    "500 on the file",
    "dropped",
    "corrupted on the way",
    "no room",
)
"""One of each kind: an answer, a pause, a file's answer, the connection, the bytes, the disk."""


def extended_but(kept, everything):
    """Parameters of which all but those that are kept take part in the extended tests only."""
    marks = {name: () if name in kept else pytest.mark.extended for name in everything}
    return [pytest.param(name, marks=mark) for name, mark in marks.items()]


@pytest.mark.parametrize("case", extended_but(REPRESENTATIVES, ANSWERS))
def test_a_fault_of_the_hub_is_one_line_and_a_later_fetch_works(bench, served, case):
    """Whatever the hub answers, the command ends with one line, and the cache stays usable."""
    fault, says = ANSWERS[case]
    served.fail(**fault)
    assert_one_line(bench("fetch", "org/tiny"), "org/tiny", says)
    asked = [(r.method, r.path, r.range) for r in served.requests]
    assert max(map(asked.count, asked)) <= 3
    served.heal()
    assert_works(bench)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"where": "/api/", "status": 500}, marks=pytest.mark.extended),
        pytest.param({"where": "/cdn/", "status": 502}, marks=pytest.mark.extended),
        pytest.param(
            {"where": "/cdn/", "status": 429, "headers": {"Retry-After": "0"}},
            marks=pytest.mark.extended,
        ),
        {"where": "/cdn/", "drop_after": 1000},
    ],
    ids=lambda f: str(f.get("status", "dropped")),
)
def test_a_passing_fault_is_ridden_out(bench, served, fault):
    """A fault that passes within three tries is not seen by the user."""
    served.fail(**fault, times=2)
    assert_works(bench)


@pytest.mark.usefixtures("served")
def test_a_hub_that_is_not_there_is_one_line(bench):
    """A refused connection names the address; the same command works once the hub is there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        gone = f"http://127.0.0.1:{taken.getsockname()[1]}"
        assert_one_line(bench("fetch", "org/tiny", HF_ENDPOINT=gone), gone, "cannot be reached")
    assert_works(bench)


@pytest.mark.usefixtures("served")
def test_a_name_that_does_not_resolve_is_one_line(bench):
    """A failing name look-up names the address; the same command works once it resolves."""
    gone = "http://hub.invalid"
    assert_one_line(bench("fetch", "org/tiny", HF_ENDPOINT=gone), gone)
    assert_works(bench)


@pytest.mark.usefixtures("served")
def test_an_endpoint_that_is_no_address_is_one_line(bench):
    """A mistyped HF_ENDPOINT is named."""
    done = bench("fetch", "org/tiny", HF_ENDPOINT="nonsense")
    assert_one_line(done, "nonsense")
    assert_works(bench)


def test_offline_and_not_cached_is_one_line(bench, served):
    """HF_HUB_OFFLINE with an empty cache says so and asks the network nothing."""
    assert_one_line(bench("fetch", "org/tiny", HF_HUB_OFFLINE="1"), "HF_HUB_OFFLINE is set")
    assert served.requests == []
    assert_works(bench)


@pytest.mark.usefixtures("served")
def test_an_unknown_revision_is_one_line(bench):
    """A revision that does not exist is named."""
    done = bench("fetch", "org/tiny", "--revision", "v9")
    assert_one_line(done, "no revision 'v9'")
    assert_works(bench)


CONFIGS = {
    "decoder-only": ({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}, "decoder-only"),
    "BERT as decoder": ({"model_type": "bert", "is_decoder": True}, "decoder-only"),
    "encoder-decoder": ({"model_type": "t5", "is_encoder_decoder": True}, "encoder-decoder"),
    "own code": ({"model_type": "mine", "auto_map": {"AutoModel": "x.Y"}}, "brings its own code"),
    "unknown": ({"model_type": "nonesuch"}, "'nonesuch'"),
    "no type": ({}, "not known"),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_an_unsuitable_architecture_is_refused_with_the_reason(tmp_path, case):
    """Only text encoders are benchmarked; what else a config describes is said."""
    config, says = CONFIGS[case]
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UnusableError, match=says):
        read_config(tmp_path)


def test_an_unsuitable_model_is_refused_before_its_weights_are_fetched(
    bench, served, tiny, tmp_path
):
    """The config is read first: no weights are downloaded for a model that cannot be used."""
    config, says = CONFIGS["decoder-only"]
    wrong = shutil.copytree(tiny["bert"], tmp_path / "wrong")
    (wrong / "config.json").write_text(json.dumps(config))
    served.add("org/tiny", wrong)
    assert_one_line(bench("fetch", "org/tiny"), says)
    assert not [r for r in served.requests if r.path.startswith("/cdn/")]
    served.add("org/tiny", tiny["bert"])
    assert_works(bench)


def test_a_config_that_is_not_json_is_one_line(bench, served, tiny, tmp_path):
    """A damaged config is named, and a corrected one is taken."""
    wrong = shutil.copytree(tiny["bert"], tmp_path / "wrong")
    (wrong / "config.json").write_text('{"model_type": ')
    served.add("org/tiny", wrong)
    assert_one_line(bench("fetch", "org/tiny"), "config.json is not JSON")
    served.add("org/tiny", tiny["bert"])
    assert_works(bench)


def test_a_pickle_only_repository_is_refused_with_the_reason(bench, served, tiny, tmp_path):
    """Pickled weights are neither downloaded nor loaded, and the error says why."""
    pickled = shutil.copytree(tiny["bert"], tmp_path / "pickled")
    (pickled / WEIGHTS).rename(pickled / "pytorch_model.bin")
    served.add("org/tiny", pickled)
    assert_one_line(bench("fetch", "org/tiny"), "pytorch_model.bin", "never loaded")
    assert_one_line(bench("fetch", str(pickled)), "pytorch_model.bin", "never loaded")
    assert not [r for r in served.requests if "/resolve/" in r.path or "/cdn/" in r.path]
    served.add("org/tiny", tiny["bert"])
    assert_works(bench)


def test_weights_of_another_model_are_refused(bench, served, tiny, tmp_path):
    """Weights whose embeddings do not fit the config are refused with both shapes."""
    wrong = shutil.copytree(tiny["bert"], tmp_path / "wrong")
    config = json.loads((wrong / "config.json").read_text())
    (wrong / "config.json").write_text(json.dumps({**config, "vocab_size": 17}))
    served.add("org/tiny", wrong)
    assert_one_line(bench("fetch", "org/tiny"), "word_embeddings.weight", "[17, 16]")
    served.add("org/tiny", tiny["bert"])
    assert_works(bench)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _huge_header(path: Path) -> None:
    path.write_bytes(struct.pack("<Q", 2**60) + path.read_bytes()[8:])


def _garbled_header(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:9] + b"\xff\xfe" + data[11:])


def _flipped_weight(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


DAMAGES = {
    _cut: "header promises",
    _grow: "header promises",
    _empty: "no safetensors file",
    _huge_header: "no safetensors file",
    _garbled_header: "corrupted safetensors header",
    _flipped_weight: "has the hash",
}


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("damage", extended_but((_flipped_weight,), DAMAGES))
def test_damaged_cached_files_are_found_and_fetched_again(bench, home, damage):
    """`--check` names the damaged file and changes nothing; the next fetch replaces it."""
    assert_works(bench)
    (cached,) = home.rglob(f"snapshots/*/{WEIGHTS}")
    damage(cached.resolve())
    assert_one_line(bench("fetch", "--check", "org/tiny"), DAMAGES[damage], code=1)
    assert_works(bench)
    assert bench("fetch", "--check", "org/tiny").returncode == 0


@pytest.mark.usefixtures("served")
def test_a_damaged_cached_file_is_an_error_offline(bench, home):
    """Without a network there is nothing to replace it with: it is named and kept."""
    assert_works(bench)
    (cached,) = home.rglob(f"snapshots/*/{WEIGHTS}")
    _cut(cached.resolve())
    assert_one_line(bench("fetch", "org/tiny", HF_HUB_OFFLINE="1"), "header promises")
    assert cached.is_file()


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda d: d.__name__.strip("_"))
def test_a_damaged_local_file_is_named_and_left_alone(tiny, tmp_path, damage):
    """A user's own directory is never written to."""
    if damage is _flipped_weight:
        pytest.skip("a plain directory announces no hash")
    local = shutil.copytree(tiny["bert"], tmp_path / "local")
    damage(local / WEIGHTS)
    before = (local / WEIGHTS).read_bytes()
    with pytest.raises(DamagedError, match=DAMAGES[damage]) as caught:
        describe(local)
    assert caught.value.path == local / WEIGHTS
    assert (local / WEIGHTS).read_bytes() == before


def test_a_missing_directory_is_one_line(bench, tmp_path):
    """A path that is not there is named."""
    assert_one_line(bench("fetch", str(tmp_path / "nowhere")), str(tmp_path / "nowhere"))


def test_a_disk_that_fills_up_in_mid_file_is_one_line(bench, served, home):
    """A disk fuller than the hub's listing let expect ends with one line and no partial file."""
    home.mkdir()
    small = 'mount -t tmpfs -o size=44k tmpfs "$HF_HOME" && exec "$@"; exit 77'
    under = ("unshare", "-rm", "sh", "-c", small, "sh")
    if shutil.which("unshare") is None or bench("version", under=under).returncode:
        pytest.skip("no leave to mount a small disk here")
    served.fail("/api/", size_off=-60_000)
    assert_one_line(bench("fetch", "org/tiny", under=under), "no room for org/tiny")
    served.heal()
    assert_works(bench)


@pytest.mark.usefixtures("served")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits on file sizes are POSIX")
def test_a_write_that_the_system_refuses_is_one_line(bench):
    """Running out of room in the middle of a file ends with one line and no partial file."""
    blocks_of_512_bytes = "60"  # the weights have 64 kB
    limited = ("sh", "-c", f'ulimit -f {blocks_of_512_bytes}; exec "$@"', "sh")
    assert_one_line(bench("fetch", "org/tiny", under=limited), "no room for org/tiny")
    assert_works(bench)
