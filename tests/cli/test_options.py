import pytest
from typer.testing import CliRunner

from bench.cli.main import app
from bench.cli.options import plan_options
from bench.core.allocator import Allocator
from bench.core.axes import AXES, Dtype
from bench.core.errors import UsageError
from bench.core.suite import PROFILES
from bench.plan.options import parse_allocator


def shown(*words):
    """What these words print, on one line."""
    return " ".join(CliRunner().invoke(app, words).output.split())


@pytest.mark.parametrize("verb", ["run", "list"])
def test_every_axis_is_an_option_that_names_its_usual_value_first(verb):
    """In the order of their declarations, each with all of its choices."""
    text = shown(verb, "--help")
    places = [text.index(f"{axis.option} ") for axis in AXES]
    assert places == sorted(places)
    for axis in AXES:
        assert f"{axis.meaning}: {axis.default} (usual)" in text
        assert all(str(choice) in text.replace("- ", "-") for choice in axis.choices)


@pytest.mark.parametrize("name", ["processes", "repeats"])
def test_a_number_of_processes_lifts_the_time_limit(name):
    """`--repeats` is its former name, which scripts go on using."""
    found = plan_options({}, **{name: 2}).sampling
    assert (found.processes, found.min_processes, found.max_time_s) == (2, 2, None)
    assert (
        plan_options({}, precision=0.1).sampling.max_time_s == PROFILES["quick"].sampling.max_time_s
    )


def test_former_names_work_and_are_not_shown():
    """`--repeats` for `--processes`, and `agree` for `crosscheck`."""
    assert "--processes" in shown("run", "--help")
    assert "--repeats" not in shown("run", "--help")
    assert shown("list", "parameters", "--repeats", "2") == shown("list", "parameters")
    assert "crosscheck" in shown("--help")
    assert " agree " not in shown("--help")
    assert "Compare our times" in shown("agree", "--help")


def test_what_was_given_for_an_axis_is_what_is_planned():
    """Text becomes values of the axis once, where options are read."""
    options = plan_options({"dtype": ("int8", "float16"), "head": ()})
    assert options.axes == {"dtype": (Dtype.INT8, Dtype.FLOAT16)}


def test_a_precision_that_is_asked_for_may_end_a_workload_early():
    """Without one, quick has as many processes of each workload as of any other."""
    assert not plan_options({}).sampling.stops_early
    assert plan_options({}, precision=0.1).sampling.stops_early


def test_an_unknown_allocator_is_refused():
    """The one for memory is no choice for timing."""
    with pytest.raises(UsageError, match="--allocator is 'exact': choose from steady, system"):
        parse_allocator("exact")
    assert parse_allocator("system") is Allocator.SYSTEM
