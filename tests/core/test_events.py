import json
from dataclasses import is_dataclass

import pytest
from fakes import job, pair, worker_events
from hypothesis import given
from hypothesis import strategies as st

from bench.core import events
from bench.core.case import Status
from bench.core.events import (
    KINDS,
    Begin,
    Compared,
    Ended,
    Event,
    Failed,
    Finished,
    Gemm,
    Known,
    Measurement,
    Packages,
    Phase,
    Quantity,
    Sample,
    Samples,
    Software,
    Verified,
    decode,
    encode,
)
from bench.core.plain import from_plain, to_plain

ONE_OF_EACH: list[Event] = [
    *worker_events(job(pair())),
    Gemm("a group", (Sample(Phase.INVALID, 1, 0.5, 0.1, 0.1, 0.05),)),
    Failed("a case", Status.OUT_OF_MEMORY, "MemoryError"),
    Verified("a case", ({"text": "a [MASK].", "predictions": [{"token": "b", "score": 0.5}]},)),
    Software({"torch": "2.13.0", "gpus": [], "cuda": None}),
    Known(Quantity.ADDED_DELAY, 0.02, 60),
    Compared("a case", "a way", (0.01, -0.01)),
    Ended(Status.KILLED, "ended by SIGKILL", "SIGKILL"),
]


def test_every_kind_of_event_comes_back_as_it_was():
    """What the worker encodes, the parent decodes to an equal value, in one line."""
    assert {type(event) for event in ONE_OF_EACH} == set(KINDS.values())
    for event in ONE_OF_EACH:
        line = encode(event)
        assert "\n" not in line
        assert decode(line + "\n") == event


def test_every_event_of_the_module_is_known_to_the_decoder():
    """A class that was forgotten in the union would be written and never read."""
    parts = {Sample, Measurement, Packages}
    made = {
        kind
        for kind in vars(events).values()
        if is_dataclass(kind) and kind.__module__ == events.__name__
    }
    assert made - parts == set(KINDS.values())


@pytest.mark.parametrize(
    "line",
    [
        "welcome",
        "",
        "[1, 2]",
        "5",
        '"begin"',
        '{"cut',
        "{}",
        '{"event": "unknown"}',
        '{"event": ["begin"]}',
        '{"event": "begin"}',
        '{"event": "begin", "cases": "abc"}',
        '{"event": "begin", "cases": [5]}',
        '{"event": "ready", "more": 1}',
        '{"event": "failed", "case": "a", "status": "no status", "reason": ""}',
        '{"event": "samples", "case": "a", "rows": [{"phase": "sample"}]}',
        '{"event": "gemm", "group": "a", "rows": {"phase": "sample"}}',
        '{"event": "finished", "spent": {"load_s": true}}',
    ],
)
def test_an_unknown_or_malformed_line_is_no_event(line):
    """Prints at Python's start-up, a library's JSON and half an event are passed over."""
    assert decode(line) is None


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_no_json_breaks_the_decoder(value):
    """Whatever a library prints, the parent reads on."""
    assert decode(json.dumps(value)) is None
    assert decode(json.dumps({"event": value, "rows": value})) is None
    for kind in KINDS:
        decode(json.dumps({"event": kind, "case": value, "rows": value, "cases": value}))


def test_a_field_of_another_type_is_named():
    """The message says where, which value, and what it should be."""
    with pytest.raises(TypeError, match=r"Finished\.spent\.load_s is 'x': not of type int"):
        from_plain(Finished, {"spent": {"load_s": "x"}})
    with pytest.raises(TypeError, match="Begin has no models"):
        from_plain(Begin, {"cases": [], "models": []})


def test_numbers_keep_their_meaning():
    """JSON has one kind of number: a whole one is a float where seconds are wanted."""
    sample = from_plain(Sample, {**to_plain(Sample(Phase.SAMPLE, 1, 0.0, 1.0, 1.0)), "wall_s": 2})
    assert isinstance(sample.wall_s, float)
    assert decode(encode(Samples("a", (sample,)))) == Samples("a", (sample,))
