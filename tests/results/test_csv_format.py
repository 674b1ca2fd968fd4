import math
from pathlib import Path

import pytest
from fakes import case, case_row, pair, run_environment, sample_rows
from hypothesis import given
from hypothesis import strategies as st

from bench.core.case import Status
from bench.core.errors import UsageError
from bench.results import store as records
from bench.results.csv_format import decode, encode
from bench.results.schema import BATCHED, TABLES

ROUND = {
    "round": 1,
    "invalid": "",
    "wall_s": 0.5,
    "steal_s": 0.01,
    "involuntary_switches": 3.0,
    "minor_faults": 12.0,
    "major_faults": 0.0,
    "cpu_hz": 2.4e9,
    "throttled": math.nan,
    "load_average": 1.25,
    "gpu_sm_hz": 1.98e9,
    "gpu_memory_hz": math.nan,
    "gpu_power_w": 312.5,
    "gpu_temperature_c": 54.0,
    "gpu_throttle": "heat",
}
MEASURED = {"metric": "load_time", "unit": "s", "value": 1234.5}
LAST = {
    "samples": (case().id, sample_rows([0.25, 1234.125])),
    "measurements": (case().id, [MEASURED, MEASURED]),
    "rounds": (case().group, [ROUND, {**ROUND, "round": 2}]),
    "gemm": (case().group, sample_rows([0.01, 0.02])),
}
"""A batch for each table that has batches, by the name it is filed under."""


@pytest.fixture
def writer(tmp_path):
    """A run directory with one finished case and one whole batch in each table."""
    writer = records.open_run(tmp_path / "run")
    writer.write_environment(run_environment(pair()))
    writer.append("cases", [case_row(case())])
    for table in BATCHED:
        writer.append_batch(table, LAST[table][0], 1, LAST[table][1])
    yield writer
    writer.close()


def change(writer, table, how):
    """Change the bytes of a table."""
    path = writer.directory / f"{table}.csv"
    path.write_bytes(how(path.read_bytes()))


EACH = 16
"""Bytes from cut to cut, but for the last cells: to read a run for every byte takes minutes."""


def cuts(data, start):
    """Sizes to which a file is cut, from `start` on: some, and all in the last cells."""
    return [n for n in range(start, len(data)) if n % EACH == 0 or n >= len(data) - EACH]


@pytest.mark.parametrize("table", BATCHED)
def test_a_row_cut_at_any_byte_is_left_out(writer, table):
    """Of a table alone: whatever is left of its last row, the rows before it are read."""
    columns, text = TABLES[table], (writer.directory / f"{table}.csv").read_bytes()
    rows = len(decode(text, columns))
    for size in range(text.rindex(b"\n", 0, -1) + 1, len(text)):
        assert len(decode(text[:size], columns)) == rows - 1


@pytest.mark.parametrize("table", BATCHED)
def test_a_batch_cut_at_any_byte_is_never_half_read(writer, table):
    """Wherever a write stopped, the batch before it is whole and of the cut one nothing is read."""
    path = writer.directory / f"{table}.csv"
    before, name = path.read_bytes(), LAST[table][0]
    whole = getattr(records.read_run(writer.directory), table)
    writer.append_batch(table, name, 2, LAST[table][1])
    after = path.read_bytes()
    for size in cuts(after, len(before)):
        path.write_bytes(after[:size])
        assert getattr(records.read_run(writer.directory), table).equals(whole)
    path.write_bytes(after)
    assert len(getattr(records.read_run(writer.directory), table)) == 2 * len(whole)


def test_a_case_cut_at_any_byte_is_not_finished(writer):
    """A case counts as finished when its row's last byte is there, and not before."""
    path = writer.directory / "cases.csv"
    before = path.read_bytes()
    writer.append("cases", [case_row(case("albert"), Status.FAILED, 'an "odd", reason')])
    after = path.read_bytes()
    places = {0, before.index(b"\n") + 1, len(before)}
    for size in sorted({*cuts(after, 0), *places}):
        path.write_bytes(after[:size])
        found = records.read_run(writer.directory)
        assert list(found.cases["model"]) == (["bert"] if size >= len(before) else [])
        assert bool(found.damage) == (size not in places)


@pytest.mark.parametrize(
    "how",
    [
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: (
            b"\n".join(
                b",".join(b'"' + cell + b'"' for cell in line.split(b","))
                for line in data.splitlines()
            )
            + b"\n"
        ),
    ],
    ids=["bom", "crlf", "quotes"],
)
@pytest.mark.parametrize("table", list(LAST))
def test_what_a_spreadsheet_adds_around_cells_is_read_right(writer, table, how):
    """A byte-order mark, CR LF and quotes change no value."""
    before = getattr(records.read_run(writer.directory), table)
    change(writer, table, how)
    assert getattr(records.read_run(writer.directory), table).equals(before)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (lambda d: d.replace(b",", b";"), "spreadsheet has put ';' for the commas"),
        (lambda d: d.replace(b",", b"\t"), "for the commas"),
        (lambda d: d.replace(b",", b";").replace(b".", b","), "for the commas"),
        (lambda d: d.replace(b"1234.125", b'"1,234.125"'), "line 4 has '1,234.125' for 'wall_s'"),
        (lambda d: d.replace(b"1234.125", b'"1.234,125"'), "'1.234,125' for 'wall_s'"),
        (lambda d: d.replace(b"1234.125", b"1 234.125"), "'1 234.125' for 'wall_s'"),
        (lambda d: d.replace(b"1234.125", b"1.23E+03"), "'1.23E+03' for 'wall_s'"),
        (lambda d: d.replace(b"1234.125", b"########"), "'########' for 'wall_s'"),
        (lambda d: d.replace(b"1234.125", b""), "'' for 'wall_s'"),
        (lambda d: d.replace(b"1234.125", b"-1234.125"), "'-1234.125' for 'wall_s'"),
        (lambda d: d.replace(b"1234.125", b"inf"), "'inf' for 'wall_s'"),
        (lambda d: d.replace(b"1234.125", "१२३४".encode()), "for 'wall_s'"),
        (lambda d: d.replace(b",sample,1,", b",sample,1.0,"), "'1.0' for 'round'"),
        (lambda d: d.replace(b"\n", b"\r"), "CR"),
        (lambda d: d.replace(b"cpu_s", b"wall_s"), "two columns 'wall_s'"),
        (lambda d: d.replace(b"phase", b"wall_s"), "no column 'phase'"),
        (lambda d: d.replace(b",sample,", b",Sample,"), "unknown phase 'Sample'"),
        (lambda d: d.replace(b"/bert/", b"/elmo/"), "unknown case"),
        (lambda d: d.replace(b"0.25", b"0.2\x005"), "line 3"),
        (lambda d: d.decode().encode("utf-16"), "utf-8"),
    ],
)
def test_what_a_spreadsheet_makes_of_numbers_is_refused_in_one_line(writer, how, words):
    """A changed number is never read as another one; the line says where it stands."""
    change(writer, "samples", how)
    with pytest.raises(UsageError, match=r"samples\.csv") as refused:
        records.read_run(writer.directory)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def counted(cell):
    """Make the last row one of a count, with this cell for its value."""
    return lambda data: data.replace(
        b"load_time,s,1234.5\n", b"stored_parameters,1," + cell + b"\n"
    )


@pytest.mark.parametrize("cell", [b"109482240", b"109482240.0", b"0"])
def test_a_count_is_read_as_it_stands(writer, cell):
    """Whole numbers, also as a data frame writes them, are those numbers."""
    change(writer, "measurements", counted(cell))
    values = records.read_run(writer.directory).measurements["value"]
    assert set(values) == {float(cell)}


@pytest.mark.parametrize(
    ("table", "how", "words"),
    [
        ("cases", lambda d: d.replace(b",ok,", b",fine,"), "unknown status 'fine'"),
        ("cases", lambda d: d + d.splitlines(keepends=True)[-1], "two rows of"),
        ("measurements", lambda d: d.replace(b"load_time", b"luck"), "unknown metric 'luck'"),
        ("measurements", lambda d: d.replace(b",s,", b",ms,"), "in 'ms', not 's'"),
        (
            "measurements",
            counted(b"23.456"),
            "has 23.456 for 'stored_parameters': it takes a whole",
        ),
        ("measurements", counted(b"23.000"), "has '23.000' for 'value'"),
        ("measurements", counted(b"109.482.240"), "has '109.482.240' for 'value'"),
        ("measurements", counted(b"1.095E+08"), "has '1.095E+08' for 'value'"),
    ],
)
def test_rows_that_no_run_has_are_refused(writer, table, how, words):
    """A status, a metric or a unit of another tool ends with one line, whichever file it is in."""
    change(writer, table, how)
    with pytest.raises(UsageError, match=table) as refused:
        records.read_run(writer.directory)
    assert words in str(refused.value)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", "'=", "''-", "＝"])
def test_words_never_start_a_formula(start):
    """No cell of words begins with what a spreadsheet computes, and reading gives it back."""
    columns = {"reason": "str", "value": "float"}
    word = f"{start}cmd|' /C calc'!A0"
    text = encode(columns, [(word, -1.5)], header=True)
    cell = text.splitlines()[1].lstrip('"')
    assert cell[0] in "' "
    row = decode(text.encode(), columns).iloc[0]
    assert row["reason"] == word.replace("\t", " ").replace("\r", " ")
    assert row["value"] == -1.5


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8")),
            st.integers(-(10**18) + 1, 10**18 - 1),
            st.integers(-(10**15), 10**15).map(lambda ns: ns / 1e9) | st.just(math.nan),
        )
    )
)
def test_any_table_survives_the_file(rows):
    """Words (less their control characters), whole numbers and nanoseconds come back the same."""
    columns = {"a": "str", "b": "int", "c": "float"}
    found = decode(encode(columns, rows, header=True).encode(), columns)
    for (word, whole, number), row in zip(
        rows, found.itertuples(index=False, name=None), strict=True
    ):
        assert row[0] == "".join(c if c.isprintable() else " " for c in word)
        assert row[1] == whole
        assert row[2] == number or (math.isnan(number) and math.isnan(row[2]))


@given(st.binary() | st.text().map(str.encode), st.sampled_from(sorted(TABLES)))
def test_any_bytes_are_a_table_or_one_line(data, table):
    """Whatever is in a file, after a right header too, it is read or refused with one line."""
    header = ",".join(TABLES[table]).encode() + b"\n"
    for given_bytes in (data, header + data):
        try:
            decode(given_bytes, TABLES[table])
        except ValueError as refused:  # noqa: PERF203 - two files in one example
            assert len(str(refused).splitlines()) <= 1  # noqa: PT017 - it may also be read


@given(st.data())
def test_a_changed_byte_changes_no_number_silently(data):
    """One byte of a row exchanged: refused, or exactly what a careful reader would see there."""
    columns = TABLES["samples"]
    row = (case().id, 1, 0, 1, "sample", 1, 0.5, 0.125, 0.25)
    text = bytearray(encode(columns, [row], header=True).encode())
    start = text.index(b"\n") + 1
    text[data.draw(st.integers(start, len(text) - 2))] = data.draw(st.integers(0, 255))
    try:
        found = decode(bytes(text), columns)
    except ValueError:
        return
    if found.empty:  # the byte was made a line break: a torn line, which is left out
        return
    cells = bytes(text[start:-1]).decode().split(",")
    for name, cell, value in zip(columns, cells, found.iloc[0], strict=True):
        if columns[name] != "str":
            assert float(cell.strip('"')) == value


@pytest.mark.parametrize("name", [*BATCHED, "pairs", "turns"])
def test_the_columns_of_a_table_are_told_in_the_results_readme(name):
    """In their order, by the names they have."""
    text = (Path(__file__).parents[2] / "results" / "README.md").read_text(encoding="utf-8")
    assert f"`{', '.join(TABLES[name])}`" in " ".join(text.split())
