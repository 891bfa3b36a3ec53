"""Rows from every format, and from files that are none."""

from __future__ import annotations

import csv
import gzip
import json
import os
import sys
from pathlib import Path

import pytest

from tir_agent.errors import DataError
from tir_agent.problems import ProblemSet, load_problems
from tir_agent.problems.files import MAX_LINE
from tir_agent.settings import FieldMap, ProblemSource

ROWS: list[dict[str, object]] = [
    {"question": "1 + 1?", "answer": "2"},
    {"question": 'Two\nlines, "quoted"?', "answer": 3.0},
]


def load(path: Path | str, split: str | None = None) -> ProblemSet:
    return load_problems(ProblemSource(path=str(path), split=split))


def jsonl(path: Path, *lines: object) -> Path:
    """A file of these lines; bytes as they are, all else as JSON."""
    parts = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    path.write_bytes(b"\n".join(parts) + b"\n")
    return path


def told(found: ProblemSet) -> list[tuple[int, str]]:
    """Faults with the numbers of their lines."""
    return [(int(fault.where.rpartition(":")[2]), fault.sentence) for fault in found.faults]


def asks(found: ProblemSet) -> list[tuple[str, str | None]]:
    return [(problem.text, problem.gold) for problem in found.problems]


EXPECTED = [("1 + 1?", "2"), ('Two\nlines, "quoted"?', "3")]


def written(path: Path) -> Path:
    """`ROWS` in the format that the name says."""
    text = "".join(json.dumps(row) + "\n" for row in ROWS)
    suffixes = "".join(path.suffixes)
    if suffixes in {".csv", ".tsv"}:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(
                file, ["question", "answer"], delimiter="\t" if suffixes == ".tsv" else ","
            )
            writer.writeheader()
            writer.writerows(ROWS)
    elif suffixes == ".parquet":
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        rows = [{**row, "answer": str(row["answer"])} for row in ROWS]
        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    elif suffixes == ".jsonl.gz":
        path.write_bytes(gzip.compress(text.encode()))
    elif suffixes == ".jsonl.zst":
        path.write_bytes(pytest.importorskip("zstandard").compress(text.encode()))
    elif suffixes == ".list.json":
        path.write_text(json.dumps(ROWS, indent=2))
    elif suffixes == ".object.json":
        path.write_text(json.dumps({"version": 1, "data": ROWS}))
    else:
        path.write_text(text)
    return path


NAMES = (
    "a.jsonl a.ndjson a.json a.list.json a.object.json a.csv a.tsv a.parquet a.jsonl.gz a.jsonl.zst no-suffix"
)


@pytest.mark.parametrize("name", NAMES.split())
def test_the_same_rows_come_from_every_format(name: str, tmp_path: Path) -> None:
    found = load(written(tmp_path / name))
    assert asks(found) == EXPECTED
    assert found.faults == ()


def test_a_folder_that_datasets_saved_is_read_and_its_split_chosen(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    rows = [{"problem": f"{number} + 1?", "answer": str(number + 1)} for number in range(4)]
    parts = {"train": datasets.Dataset.from_list(rows[:1]), "test": datasets.Dataset.from_list(rows[1:])}
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "both")
    parts["train"].save_to_disk(tmp_path / "one")
    assert load(tmp_path / "both").problems[0].source == "both/test:1"
    assert len(load(tmp_path / "both").problems) == 3
    assert asks(load(tmp_path / "both", "train")) == asks(load(tmp_path / "one")) == [("0 + 1?", "1")]
    with pytest.raises(DataError, match="no split 'dev'") as caught:
        load(tmp_path / "both", "dev")
    assert caught.value.hint == "Name one with --split: train, test"


def test_several_lists_in_one_object_are_splits(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"train": ROWS[:1], "test": ROWS}))
    assert len(load(path, "test").problems) == 2
    with pytest.raises(DataError, match="2 lists"):
        load(path)
    with pytest.raises(DataError, match="no split 'dev'"):
        load(path, "dev")


def test_a_plain_file_has_no_split(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no splits"):
        load(written(tmp_path / "a.jsonl"), "test")


def test_bad_lines_are_told_with_their_numbers_and_the_others_read(tmp_path: Path) -> None:
    path = jsonl(
        tmp_path / "a.jsonl", ROWS[0], b"{not json}", b"", [1, 2], b'{"question": "\xff"}', ROWS[1], b"null"
    )
    found = load(path)
    assert asks(found) == EXPECTED
    assert [problem.source for problem in found.problems] == ["a.jsonl:1", "a.jsonl:6"]
    assert [line for line, _ in told(found)] == [2, 4, 5, 7]
    assert "not JSON" in found.faults[0].sentence
    assert "column 2" in found.faults[0].sentence
    assert found.faults[1].sentence == "It is not an object but a list"
    assert "byte 15 is not UTF-8" in found.faults[2].sentence
    assert found.counts.rows == 6


def test_where_every_line_is_bad_the_first_is_told(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", b"one", b"two")
    with pytest.raises(DataError, match="holds no problem") as caught:
        load(path)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("The first, at a.jsonl:1: It is not JSON")


def test_a_byte_order_mark_and_windows_line_ends_are_no_part_of_it(tmp_path: Path) -> None:
    for name, content in [
        ("a.jsonl", b'\xef\xbb\xbf{"question": "1 + 1?", "answer": "2"}\r\n\r\n'),
        ("a.json", b'\xef\xbb\xbf[{"question": "1 + 1?", "answer": "2"}]\r\n'),
        ("a.csv", b"\xef\xbb\xbfquestion,answer\r\n1 + 1?,2\r\n"),
    ]:
        (tmp_path / name).write_bytes(content)
        found = load(tmp_path / name)
        assert asks(found) == [("1 + 1?", "2")]
        assert found.guess.text.fields == ("question",)


def test_a_line_of_enormous_length_is_refused_and_the_next_one_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        file.write(b'{"question": "' + b"x" * (MAX_LINE + 10) + b'"}\n')
        file.write(b'{"question": "' + b"y" * 1_000_001 + b'", "answer": 1}\n')
        file.write(json.dumps(ROWS[0]).encode())
    found = load(path)
    assert asks(found) == EXPECTED[:1]
    assert [line for line, _ in told(found)] == [1, 2]
    assert "longer than 16,000,000 bytes" in found.faults[0].sentence
    assert "1,000,001 characters" in found.faults[1].sentence


def test_json_nested_too_deeply_is_a_fault(tmp_path: Path) -> None:
    bomb = b'{"question": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    found = load(jsonl(tmp_path / "a.jsonl", ROWS[0], bomb, ROWS[1]))
    assert told(found) == [(2, "It is not JSON: it is nested too deeply")]
    (tmp_path / "a.json").write_bytes(bomb)
    with pytest.raises(DataError, match="nested too deeply"):
        load(tmp_path / "a.json")


def test_zero_bytes_and_half_characters_are_faults(tmp_path: Path) -> None:
    lines = (ROWS[0], b'{"question": "a\\u0000b", "answer": 1}', b'{"question": "\\ud800", "answer": 1}')
    found = load(jsonl(tmp_path / "a.jsonl", *lines))
    assert [line for line, _ in told(found)] == [2, 3]
    assert len(found.problems) == 1


def test_huge_integers_keep_their_digits_and_no_number_is_no_gold(tmp_path: Path) -> None:
    digits = b"7" * 10_000
    lines = [
        b'{"question": "a", "answer": ' + digits + b"}",
        b'{"question": "b", "answer": NaN}',
        b'{"question": "c", "answer": 1e400}',
        b'{"question": "d", "answer": 12345678901234567890123}',
    ]
    found = load_problems(
        ProblemSource(path=str(jsonl(tmp_path / "a.jsonl", *lines)), fields=FieldMap(gold="answer"))
    )
    golds = [problem.gold for problem in found.problems]
    assert golds == [digits.decode(), None, None, "12345678901234567890123"]
    assert [line for line, _ in told(found)] == [2, 3]


def test_csv_fields_may_hold_lines_and_faults_name_the_line_where_a_row_begins(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'question,answer\n"one\ntwo",1\nthree,3,3\n\nf\xffur,4\nfive,5\n')
    found = load(path)
    assert [(problem.text, problem.source) for problem in found.problems] == [
        ("one\ntwo", "a.csv:2"),
        ("five", "a.csv:7"),
    ]
    assert told(found) == [(4, "It has 3 columns, and the head has 2"), (6, "It is not UTF-8, or too long")]


def test_a_long_csv_field_is_read_and_semicolons_separate_too(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"question;answer\n{'x' * 500_000};1\n")
    assert len(load(path).problems[0].text) == 500_000


def test_columns_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("question,answer,answer,\na,1,2,3\n")
    found = load(path)
    assert told(found) == [(1, "Columns of the same name were renamed: answer_2")]
    assert asks(found) == [("a", "1")]
    other = load_problems(ProblemSource(path=str(path), fields=FieldMap(gold="answer_2")))
    assert asks(other) == [("a", "2")]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", b"", "is empty"),
        ("a.json", b"", "is not JSON"),
        ("a.json", b"[]", "is empty"),
        ("a.json", b"5", "neither a list nor an object"),
        ("a.csv", b"", "holds no names of columns"),
        ("a.csv", b"question,answer\n", "is empty"),
        ("a.csv", b"\xff\xfe\x00", "holds no names of columns"),
        ("a.parquet", b"", "cannot be read as Parquet"),
        ("a.parquet", b"PAR1 and no more", "cannot be read as Parquet"),
        ("a.jsonl.gz", b"\x1f\x8b damaged", "is damaged"),
        ("a.jsonl.gz", gzip.compress(b'{"question": "a", "answer": "1"}\n' * 9)[:-9], "is damaged"),
        ("a.jsonl.zst", b"\x28\xb5\x2f\xfd damaged", "is damaged"),
        ("a.jsonl", bytes(range(256)) * 100, "holds no problem"),
        ("image.png", b"\x89PNG\r\n\x1a\n\x00\x00", "of no format that is known"),
        ("a.jsonl", b'{"question": " "}', "holds no problem"),
    ],
)
def test_what_is_no_data_set_gets_one_sentence(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said):
        load(tmp_path / name)


def test_what_is_not_there_or_cannot_be_read_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no file or folder"):
        load(tmp_path / "none.jsonl")
    with pytest.raises(DataError, match="There is no file or folder"):
        load("data/none.jsonl")
    with pytest.raises(DataError, match="Cannot read"):
        load(tmp_path / ("x" * 5000))
    written(tmp_path / "a.jsonl")
    with pytest.raises(DataError, match="is a folder") as caught:
        load(tmp_path)
    assert caught.value.hint == "Give a file in it: a.jsonl"


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs Linux's /proc")
def test_a_file_whose_reading_fails_gets_one_sentence() -> None:
    with pytest.raises(DataError, match="Cannot read /proc/self/mem: Input/output error"):
        load("/proc/self/mem")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_gets_one_sentence(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl")
    path.chmod(0)
    with pytest.raises(DataError, match="Permission denied"):
        load(path)


@pytest.mark.parametrize(
    ("module", "name", "extra"),
    [
        ("pyarrow", "a.parquet", "collect"),
        ("zstandard", "a.jsonl.zst", "collect"),
        ("datasets", "b/c", "datasets"),
    ],
)
def test_a_missing_package_is_named_with_what_brings_it(
    module: str, name: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = name if "/" in name else str(written(tmp_path / name))
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DataError, match=f"the package {module}") as caught:
        load(path)
    assert caught.value.hint == f"pip install 'tir-agent[{extra}]'"
