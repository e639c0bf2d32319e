"""CSV files: columns as they are named, errors that name file, line and column, and whatever bytes a file has."""

from __future__ import annotations

import gzip
import importlib.util
import os
import random
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnn
from fnn.data import MinMax, OneHot, Table, read_csv

HOUSES = "size,town,price\n70,Rome,200\n55,Oslo,310.5\n80, Rome ,1e2\n"
EXAMPLE = Path(__file__).parents[1] / "examples" / "csv_regression.py"

Read = Callable[..., Any]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """read_csv of a text or of bytes."""

    def run(content: str | bytes, **options: Any) -> Any:
        path = tmp_path / "houses.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_csv(path, **options)

    return run


def test_columns_are_numbers_codes_and_the_target(read: Read) -> None:
    table = read(HOUSES, categorical=["town"], target="price")
    assert table.numbers.tolist() == [[70], [55], [80]]
    assert table.codes.tolist() == [[1], [0], [1]]
    assert table.y.tolist() == [200, 310.5, 100]
    assert (table.names, table.categorical, table.categories, table.classes) == (("size",), ("town",), (("Oslo", "Rome"),), ())
    assert table.y_name == "price"
    assert [part.dtype.name for part in fnn.tree.leaves(table)] == ["float32", "int32", "float32"]
    assert all([not part.flags.writeable for part in fnn.tree.leaves(table)])
    assert table.features().tolist() == [[70, 0, 1], [55, 1, 0], [80, 0, 1]]
    assert table.features().dtype == np.float32
    assert len(table) == 3


def test_a_label_becomes_classes(read: Read) -> None:
    for categorical in ([], ["town"]):
        table = read(HOUSES, label="town", categorical=categorical)
        assert (table.y.tolist(), table.y.dtype.name, table.classes) == ([1, 0, 1], "int64", ("Oslo", "Rome"))
        assert (table.names, table.categorical, table.categories) == (("size", "price"), (), ())
        assert table.numbers.shape == (3, 2)
        assert table.codes.shape == (3, 0)
        assert table.features().shape == (3, 2)


def test_columns_are_read_in_the_order_asked_for(read: Read) -> None:
    assert read(HOUSES, columns=["price", "size"]).numbers.tolist() == [[200, 70], [310.5, 55], [100, 80]]
    assert read(HOUSES, columns=["price", "size"]).y is None
    table = read(HOUSES, columns=["town", "price"], categorical=["town"], target="price")
    assert (table.names, table.numbers.shape, table.y.tolist()) == ((), (3, 0), [200, 310.5, 100])


def test_files_without_a_header(read: Read) -> None:
    assert read("1,2\n3,4\n", header=False).names == ("0", "1")
    assert read("1,2\n3,4\n", header=False, target="1").y.tolist() == [2, 4]
    with pytest.raises(
        ValueError, match=r"no column 'a' \(in target\); it has '1', '2'; if its first line has data, write hea"
    ):
        read("1,2\n3,4\n", target="a")
    table = read("1,2\n3,4\n", header=["a", "b"], columns=["b"])
    assert (table.names, table.numbers.tolist()) == (("b",), [[2], [4]])


@pytest.mark.parametrize(
    "content",
    [
        HOUSES.replace("\n", "\r\n"),
        HOUSES.replace("\n", "\r"),
        "\ufeff" + HOUSES,
        HOUSES.rstrip("\n"),
        HOUSES.replace("\n", "\n\n"),
        "\n \n" + HOUSES.replace("\n", "\n  \n"),
        HOUSES.replace("Rome,", '"Rome",').replace("70", '"70"').replace("size", '"size"'),
        HOUSES.replace(",", ", "),
        HOUSES.replace("size", " size "),
        HOUSES.replace(",Rome", ', "Rome"'),
    ],
    ids=[
        "crlf",
        "cr",
        "byte order mark",
        "no last newline",
        "empty lines",
        "blank lines",
        "quotes",
        "blanks",
        "blanks in the header",
        "blanks before quotes",
    ],
)
def test_ways_of_writing_the_same(content: str, read: Read) -> None:
    options = {"categorical": ["town"], "target": "price"}
    assert read(content, **options) == read(HOUSES, **options)


def test_delimiters_quotes_newlines_in_fields_and_encodings(read: Read) -> None:
    assert read("a;b\n1;2\n", delimiter=";").numbers.tolist() == [[1, 2]]
    table = read('a,b\n"one, ""two""\nthree",4\n', label="a")
    assert (table.classes, table.numbers.tolist()) == (('one, "two"\nthree',), [[4]])
    assert read("a\nZ\xfcrich\n".encode("latin-1"), label="a", encoding="latin-1").classes == ("Z\xfcrich",)
    assert read("a\nZ\xfcrich\n", label="a").classes == ("Z\xfcrich",)
    assert read("\ufeffa\nZ\xfcrich\n", label="a", encoding="UTF8").classes == ("Z\xfcrich",)


def test_a_file_with_only_a_header_has_no_rows(read: Read) -> None:
    table = read("a,b\n", target="b")
    assert (table.numbers.shape, table.y.shape) == ((0, 1), (0,))
    assert read("a,b\n", label="b").classes == ()


MISSING = "a,c,y\n1,x,1\n,x,2\n3,,3\nnan,x,4\n5,x,\n6,z,6\n"


def test_missing_values_are_errors_kept_or_dropped(read: Read) -> None:
    kept = read(MISSING, categorical=["c"], target="y", missing="nan")
    np.testing.assert_array_equal(kept.numbers[:, 0], np.array([1, np.nan, 3, np.nan, 5, 6], np.float32))
    np.testing.assert_array_equal(kept.y, np.array([1, 2, 3, 4, np.nan, 6], np.float32))
    assert (kept.categories, kept.codes[:, 0].tolist()) == ((("", "x", "z"),), [1, 1, 0, 1, 1, 2])
    dropped = read(MISSING, categorical=["c"], target="y", missing="drop")
    assert (dropped.numbers[:, 0].tolist(), dropped.y.tolist()) == ([1, 6], [1, 6])
    assert dropped.categories == (("x", "z"),)
    with pytest.raises(ValueError, match=r"houses.csv, line 3, column 'a': '' is missing; missing='drop' leaves"):
        read(MISSING, categorical=["c"], target="y")
    with pytest.raises(ValueError, match=r"line 2, column 'c': '' is missing"):
        read("a,c\n1,\n", categorical=["c"])
    with pytest.raises(ValueError, match=r"line 2, column 'a': 'NaN' is missing"):
        read("a\nNaN\n")
    named = read("a,c\nNA,NA\n2,x\n", categorical=["c"], missing="nan", missing_words=["NA"])
    assert (named.categories, np.isnan(named.numbers[:, 0]).tolist()) == ((("", "x"),), [True, False])
    words = read("a,c\n?,x\n2,NA\n3,z\n", label="c", missing="drop", missing_words=["?", "NA"])
    assert (words.numbers.tolist(), words.classes) == ([[3]], ("z",))


def test_a_missing_label_is_no_class(read: Read) -> None:
    text = "a,y\n1,yes\n2,\n3,no\n"
    with pytest.raises(
        ValueError, match=r"houses.csv, line 3, column 'y': '' is missing, and the label .*missing='drop' leaves"
    ):
        read(text, label="y", missing="nan")
    with pytest.raises(ValueError, match=r"line 3, column 'y': 'NA' is missing, and the label"):
        read("a,y\n1,yes\nNA,NA\n", label="y", missing="nan", missing_words=["NA"])
    dropped = read(text, label="y", missing="drop")
    assert (dropped.numbers.tolist(), dropped.classes) == ([[1], [3]], ("no", "yes"))
    # who names it wants it
    assert read(text, label="y", missing="nan", categories={"y": ["yes", "no", ""]}).y.tolist() == [0, 2, 1]
    assert np.isnan(read("a,y\n,yes\n", label="y", missing="nan").numbers).all()


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("", {}, "houses.csv is empty"),
        ("\n\r\n \n", {}, "houses.csv is empty"),
        ("\ufeff", {}, "houses.csv is empty"),
        ("a,b\n1,2\n3\n", {}, r"houses.csv, line 3: 1 fields, expected 2: \['a', 'b'\]"),
        ("a,b\n1,2,3\n", {}, r"houses.csv, line 2: 3 fields, expected 2"),
        ("a,b\n1,2\n", {"header": ["a"]}, r"line 1: 2 fields, expected 1"),
        ("a,b\n1,2\n3,four\n", {}, r"line 3, column 'b': 'four' is not a number; name the column in cat.* in missing_words"),
        ("a;b\n1,5;2\n", {"delimiter": ";"}, r"line 2, column 'a': '1,5' is not a number; numbers have a decimal point"),
        ("a;b\n1;2\n", {}, r"'1;2' is not a number; its only column is 'a;b': is it delimiter=';'\?"),
        ("a\tb\n1\t2\n", {"target": "b"}, r"no column 'b' \(in target\); .* 'a\\tb': is it delimiter='\\t'\?"),
        ("a\n" + "x" * 999, {}, r"line 2, column 'a': 'x{59}\.\.\. is not a number"),
        (",a\n0,1\n", {}, r"column 1 has no name, as that of row numbers; name those to read in columns"),
        ("a,b\n\n\n1,x\n", {}, r"line 4, column 'b'"),
        ('a,b\n"1\n",2\n1,x\n', {"label": "a"}, r"line 4, column 'b'"),
        ("a\n1_000\n", {}, r"line 2, column 'a': '1_000' is not a number"),
        ("a\n1e39\n", {}, r"line 2, column 'a': '1e39' is not a finite number in float32"),
        ("a\n-inf\n", {}, r"line 2, column 'a': '-inf' is not a finite number"),
        ('a\n"1', {}, r"houses.csv, line 2: unexpected end of data"),
        ('a\n"1"2\n', {}, r"houses.csv, line 2: ',' expected after '\"'"),
        (b"a\n1\n\xff\n", {}, r"houses.csv, line 3: the byte 0xff is not utf-8; name the encoding.*encoding='cp1252'"),
        (b"a\n\xff\n", {"encoding": "ascii"}, "line 2: the byte 0xff is not ascii"),
        (b"a\r" + b"1\r" * 9999 + b"\xe9\r", {}, "line 10001: the byte 0xe9 is not utf-8"),
        (
            "a\n1\n".encode("utf-16"),
            {},
            "line 1: the byte 0xf. is not utf-8; it begins as UTF-16 does: write encoding='utf-16'",
        ),
        ("a\n1\n".encode("utf-16")[:-1], {"encoding": "utf-16"}, "after line 1: .*truncated data; is encoding='utf-16' right"),
        ("a\n1\n", {"encoding": "utf-16"}, "after line 0: .*; is encoding='utf-16' right"),
        (gzip.compress(b"a\n1\n", mtime=0), {}, "it is compressed by gzip: unpack it first"),
        ("a,a\n1,2\n", {}, r"houses.csv has several columns named 'a'; name those to read in columns, without it"),
        ("a\n1\n", {"columns": ["b"]}, r"houses.csv has no column 'b' \(in columns\); it has 'a'$"),
        ("a\n1\n", {"categories": {"b": ["x"]}}, r"no column 'b' \(in categories\)"),
        ("a\n1\n", {"categories": {"a": ["x", "x"]}}, r"categories\['a'\] is \['x', 'x'\], expected each category once"),
        ("a\n1\n", {"categorical": ["b"]}, r"no column 'b' \(in categorical\)"),
        ("a\n1\n", {"target": "b"}, r"no column 'b' \(in target\)"),
        ("a\n1\n", {"label": "b"}, r"no column 'b' \(in label\)"),
        ("a,b\n1,2\n", {"columns": ["a"], "categorical": ["b"]}, "'b' is categorical, but not among columns"),
        ("a\n1\n", {"target": "a", "categorical": ["a"]}, "target is 'a', which is categorical; write label='a'"),
        ("a\n1\n", {"target": "a", "label": "a"}, "got target='a' and label='a', expected one of the two"),
        ("a\n1\n", {"missing": "skip"}, "missing is 'skip', expected 'error', 'nan' or 'drop'"),
        ("a\n1\n", {"delimiter": ",,"}, "delimiter is ',,', expected one character"),
        ("a\n1\n", {"delimiter": "\n"}, "delimiter is"),
    ],
)
def test_errors_name_file_line_and_column(content: Any, options: Any, message: str, read: Read) -> None:
    with pytest.raises(ValueError, match=f"^read_csv: .*{message}"):
        read(content, **options)


def test_a_string_where_strings_are_expected(read: Read) -> None:
    with pytest.raises(TypeError, match=r"columns is the string 'ab', expected a sequence of strings: write \['ab'\]"):
        read("a,b\n1,2\n", columns="ab")
    with pytest.raises(TypeError, match=r"categories\['a'\] is 'red', expected strings, as \('red', 'blue'\)"):
        read("a\n1\n", categories={"a": "red"})
    with pytest.raises(TypeError, match=r"dtype is <class 'int'>, expected np.float32 or np.float64"):
        read("a\n1\n", dtype=int)
    with pytest.raises(FileNotFoundError):
        read_csv("/nowhere/houses.csv")


def test_repeated_and_empty_names_of_columns_that_are_not_read(read: Read) -> None:
    assert read(",a,a,b\n0,1,2,3\n", columns=["b"]).numbers.tolist() == [[3]]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_bytes_of_a_pipe_that_are_not_in_the_encoding(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = subprocess.Popen(["sh", "-c", f"printf 'a\\n\\377\\n' > '{tmp_path / 'pipe'}'"])
    with pytest.raises(ValueError, match=r"read_csv: .*pipe, after line \d: .*is encoding='utf-8-sig' right"):
        read_csv(tmp_path / "pipe")
    assert writer.wait(30) == 0


# whole numbers


@pytest.mark.parametrize("text", ["16777217", "-16777217", " 0016777217 ", "123456789", "9007199254740993"])
def test_whole_numbers_are_not_rounded_in_silence(text: str, read: Read) -> None:
    for target in (None, "id"):
        with pytest.raises(
            ValueError, match=r"line 3, column 'id': .* is a whole number that float32 would round to -?\d+; read"
        ):
            read(f"id\n1\n{text}\n", target=target)
    if len(text) < 16:
        table = read(f"id\n1\n{text}\n", dtype=np.float64)
        assert table.numbers.tolist() == [[1], [float(text)]]
        assert table.numbers.dtype == table.features().dtype == np.float64
    else:
        with pytest.raises(ValueError, match="float64 would round to 9007199254740992; name the column in categorical"):
            read(f"id\n{text}\n", dtype=np.float64)
    assert read(f"id\n{text}\n", categorical=["id"]).categories == ((text.strip(),),)
    with pytest.raises(ValueError, match=r"column 'id': '0{59}\.\.\. is a whole number that float32 would round"):
        read(f"id\n{'0' * 5000}16777217\n")


@pytest.mark.parametrize("text", ["16777216", "16777218", "1e11", "16777217.0", "123456789.50", "3.4e38", "0.1", "1e-50"])
def test_numbers_that_float32_has_or_that_are_measured(text: str, read: Read) -> None:
    assert read(f"a\n{text}\n").numbers.tolist() == [[float(np.float32(text))]]


# a file read as another one was

TEST = "price,town,size,note\n150,Rome,60,x\n250,Rome,90,y\n"


def test_a_second_file_is_coded_as_the_first(read: Read) -> None:
    first = read(HOUSES, categorical=["town"], target="price")
    second = read(TEST, like=first)
    assert (second.numbers.tolist(), second.codes.tolist(), second.y.tolist()) == ([[60], [90]], [[1], [1]], [150, 250])
    assert second.features().tolist() == [[60, 0, 1], [90, 0, 1]]
    for field in ("names", "categorical", "categories", "classes", "y_name"):
        assert getattr(second, field) == getattr(first, field)
    assert read(HOUSES, like=first) == first
    assert read(HOUSES, like=fnn.data.split(first, (0.1, 0.9), None)[1]) == first

    message = r"houses.csv, line 2, column 'town': 'Bari' is none of the 2 categories \('Oslo', 'Rome'\)"
    with pytest.raises(ValueError, match=message):
        read("size,town,price\n70,Bari,200\n", like=first)


def test_a_second_file_has_the_classes_and_the_dtype_of_the_first(read: Read) -> None:
    first = read(HOUSES, label="town", columns=["price", "size"], dtype=np.float64)
    second = read(TEST, like=first)
    assert (second.y.tolist(), second.classes) == ([1, 1], ("Oslo", "Rome"))
    assert (second.numbers.tolist(), second.numbers.dtype) == ([[150, 60], [250, 90]], np.float64)
    with pytest.raises(ValueError, match=r"line 2, column 'town': 'Bari' is none of the 2 categories"):
        read("size,town,price\n70,Bari,200\n", like=first)


def test_a_second_file_without_what_is_to_be_predicted(read: Read) -> None:
    for first in (read(HOUSES, categorical=["town"], target="price"), read(HOUSES, categorical=["town"], label="price")):
        new = "town,size\nRome,60\n"
        with pytest.raises(
            ValueError, match=r"no column 'price' \(in y of like; write like=table.without_y\(\) where there is"
        ):
            read(new, like=first)
        table = read(new, like=first.without_y())
        assert (table.features().tolist(), table.y, table.y_name, table.classes) == ([[60, 0, 1]], None, None, ())


def test_like_says_all_of_what_is_read(read: Read) -> None:
    first = read(HOUSES, categorical=["town"], target="price")
    for other in ({"target": "size"}, {"columns": ["size"]}, {"categorical": ["size"]}, {"dtype": np.float64}):
        with pytest.raises(ValueError, match=r"read_csv: like says what is read; expected no target, label, columns"):
            read(HOUSES, like=first, **other)
    with pytest.raises(TypeError, match="read_csv: like is 3, expected a Table"):
        read(HOUSES, like=3)
    made = Table(first.numbers, first.codes, first.y, first.names, first.categorical, first.categories, ())
    with pytest.raises(ValueError, match="read_csv: like has a y, but its y_name, the column of y, is None"):
        read(HOUSES, like=made)


def test_categories_are_given_in_their_order(read: Read) -> None:
    for known in (("Rome", "Bari", "Oslo"), OneHot(("Rome", "Bari", "Oslo")), np.array(["Rome", "Bari", "Oslo"])):
        table = read(HOUSES, categories={"town": known}, target="price")
        assert (table.codes.tolist(), table.categories) == ([[0], [2], [0]], (("Rome", "Bari", "Oslo"),))
        assert table.features().tolist() == [[70, 1, 0, 0], [55, 0, 0, 1], [80, 1, 0, 0]]
        assert read(HOUSES, categories={"town": known}, categorical=["town"], target="price") == table
        assert fnn.tree.leaves(table)[0] is table.numbers
        assert len(fnn.tree.leaves(table)) == 3
        labelled = read(HOUSES, categories={"town": known}, label="town")
        assert (labelled.y.tolist(), labelled.classes) == ([0, 2, 0], ("Rome", "Bari", "Oslo"))
    with pytest.raises(
        ValueError, match=r"line 3, column 'town': 'Oslo' is none of the 1 categories \('Rome'\); a OneHot with"
    ):
        read(HOUSES, categories={"town": ["Rome"]})
    with pytest.raises(ValueError, match=r"line 2, column 'c': '' is none of"):
        read("a,c\n1,\n", categories={"c": ["x"]}, missing="nan")


def test_other_categories_become_zeros_where_a_one_hot_says_so(read: Read) -> None:
    table = read(HOUSES, categories={"town": OneHot(("Rome",), "zeros")})
    assert table.codes.tolist() == [[0], [-1], [0]]
    assert table.features()[:, 2:].tolist() == [[1], [0], [1]]


def test_a_second_file_lets_other_categories_through_as_the_first_did(read: Read) -> None:
    new = "size,town,price\n60,Paris,1\n61,Rome,2\n62,,3\n"
    open_town = {"town": OneHot(("Oslo", "Rome"), "zeros")}
    first = read(HOUSES, categories=open_town, target="price")
    for like in (first, fnn.data.split(first, (0.5, 0.5), fnn.key(0))[0], read(HOUSES, like=first), first.without_y()):
        assert read(new, like=like, missing="nan").codes.tolist() == [[-1], [1], [-1]]

    closed = read(HOUSES, categorical=["town"], target="price")
    with pytest.raises(ValueError, match=r"'Paris' is none of .*; a OneHot with unseen='zeros' in categories lets others"):
        read(new, like=closed, missing="nan")
    second = read(new, like=closed, missing="nan", categories=open_town)
    assert second.codes.tolist() == [[-1], [1], [-1]]
    assert read(new, like=second, missing="nan") == second
    # and the other way: a list of texts is strict
    with pytest.raises(ValueError, match="'Paris' is none of"):
        read(new, like=first, missing="nan", categories={"town": ["Oslo", "Rome"]})

    labelled = read(HOUSES, categories=open_town, label="town")
    assert read(new, like=labelled, missing="nan").y.tolist() == [-1, 1, -1]
    assert labelled.without_y().unseen_as_zeros == ()


def test_categories_beside_like_are_those_of_like(read: Read) -> None:
    first = read(HOUSES, categorical=["town"], target="price")
    message = r"read_csv: categories\['town'\] is \('Rome', 'Oslo'\), but like has \('Oslo', 'Rome'\): other codes"
    with pytest.raises(ValueError, match=message):
        read(HOUSES, like=first, categories={"town": ["Rome", "Oslo"]})
    with pytest.raises(ValueError, match=r"read_csv: categories has 'size', which like .* categorical: 'town'"):
        read(HOUSES, like=first, categories={"size": ["70"]})


# what was fitted, saved with a model


def test_what_was_fitted_is_loaded_where_there_is_no_data(tmp_path: Path) -> None:
    x = np.array([[1, 5], [3, 5], [4, 7]], np.float32)
    fitted = (fnn.Normalizer.fit(x), fnn.Normalizer.fit(x[:, 0]), MinMax.fit(x), MinMax.fit(x[:, 0]))
    words, numbers = OneHot.fit(["red", "blue", "red"], unseen="zeros"), OneHot.fit([3, -1])
    fnn.save(tmp_path / "fitted", (*fitted, words, numbers))
    like = (fnn.Normalizer.init(2), fnn.Normalizer.init(), MinMax.init(2), MinMax.init(), OneHot.init(), OneHot((0,)))
    loaded = fnn.load(tmp_path / "fitted", like)
    assert loaded == (*fitted, words, numbers)
    assert [type(a) for a in fnn.tree.leaves(loaded)] == [type(a) for a in fnn.tree.leaves(fitted)]
    assert loaded[1].apply(x[:, 0]).tolist() == fitted[1].apply(x[:, 0]).tolist()
    assert loaded[4].apply(["red", "green"]).tolist() == [[0, 1], [0, 0]]
    with pytest.raises(ValueError, match=r"does not fit: at \[5\].categories\[0\] it has -1, expected"):
        fnn.load(tmp_path / "fitted", (*like[:5], OneHot.init()))


@pytest.mark.parametrize("scaler", [fnn.Normalizer, MinMax])
def test_scaling_that_was_not_fitted_changes_nothing(scaler: Any) -> None:
    x = np.array([[1, 5], [3, -5]], np.float32)
    assert scaler.init(2).apply(x).tolist() == x.tolist()
    assert scaler.init().invert(x[0]).tolist() == x[0].tolist()


@pytest.mark.parametrize("values", [["b", "a"], [7, -1]])
def test_categories_of_numpy_are_no_leaves(values: list[Any]) -> None:
    for made in (OneHot.fit(list(np.array(values))), OneHot(tuple(np.array(sorted(values))))):
        assert made == OneHot(tuple(sorted(values)))
        assert [type(each) for each in made.categories] == [type(each) for each in values]
        assert fnn.tree.leaves(made) == []


@given(data=st.data())
def test_what_csv_writes_is_read_back(data: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    import csv  # noqa: PLC0415 (the other direction)

    text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).map(str.strip).filter(bool)
    rows = data.draw(st.lists(st.tuples(st.floats(-(2.0**99), 2.0**99, width=32), text), min_size=1, max_size=8))
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("x", "c"), *rows])
    table = read_csv(path, label="c")
    assert table.numbers[:, 0].tolist() == [number for number, _ in rows]
    assert [table.classes[i] for i in table.y] == [word for _, word in rows]


def test_a_table_is_a_tree_of_rows(read: Read) -> None:
    table = read(HOUSES, categorical=["town"], target="price")
    first, rest = fnn.data.split(table, (1 / 3, 2 / 3), None)
    assert isinstance(rest, Table)
    assert (len(first), len(rest)) == (1, 2)
    assert rest.features().tolist() == [[55, 1, 0], [80, 0, 1]]
    assert [len(batch) for batch in fnn.batches(table, 2, fnn.key(0))] == [2, 1]


def test_reading_takes_memory_for_the_result_and_little_else(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    line = ",".join(["0.123456789"] * 20) + ",red\n"
    path.write_text(",".join([*map(str, range(20)), "colour"]) + "\n" + line * 20_000)
    tracemalloc.start()
    try:
        table = read_csv(path, categorical=["colour"])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    result = sum([leaf.nbytes for leaf in fnn.tree.leaves(table)])
    assert table.numbers.shape == (20_000, 20)
    assert peak < 1.6 * result + 500_000, (peak, result)
    assert peak < path.stat().st_size / 1.5


# fuzzing


def mutated(source: bytes, draw: random.Random) -> bytes:
    """Some bytes of a file changed, removed, doubled or moved."""
    data = bytearray(source)
    for _ in range(draw.randint(1, 3)):
        i = draw.randrange(len(data) + 1)
        match draw.randrange(5):
            case 0:
                data[i : i + 1] = bytes([draw.randrange(256)])
            case 1:
                del data[i : i + draw.randint(1, 9)]
            case 2:
                data[i:i] = draw.choice(
                    [b'"', b"\n", b"\r", b",", b"\0", b"\xff", b"e999", b"nan", b"-", b"\xef\xbb\xbf", b"9" * 40]
                )
            case 3:
                data[i:i] = data[: draw.randint(0, 20)]
            case _:
                del data[i:]
    return bytes(data)


def fuzz(n: int, path: Path) -> None:
    draw = random.Random(0)
    header, body = HOUSES[:16], HOUSES[16:]
    read = 0
    tracemalloc.start()
    try:
        for _ in range(n):
            path.write_bytes(mutated((header + body * draw.randint(1, 3)).encode(), draw))
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            began = time.perf_counter()
            try:
                table = read_csv(path, categorical=["town"], target="price", missing=draw.choice(["error", "nan", "drop"]))
                read += 1
                assert len(table) == len(table.y) == len(table.codes)
            except ValueError as error:
                assert str(error).startswith("read_csv: "), error  # noqa: PT017 (what else was read is fine)
            assert time.perf_counter() - began < 5
            assert tracemalloc.get_traced_memory()[1] - before < 400_000
    finally:
        tracemalloc.stop()
    assert 0.05 * n < read < 0.9 * n


def test_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    fuzz(400, tmp_path / "x.csv")


@pytest.mark.slow
def test_ten_thousand_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    fuzz(10_000, tmp_path / "x.csv")


# the example


def test_the_example_reports_how_much_it_explains() -> None:
    command = [sys.executable, "-W", "error", str(EXAMPLE)]
    first, second = [subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout for _ in range(2)]
    assert first == second
    spec = importlib.util.spec_from_file_location("csv_regression", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = example
    spec.loader.exec_module(example)
    r2 = example.main()
    assert f"R^2 {r2:.3f}" in first
    assert r2 > 0.9
    # what the second process printed, beside the prices that the example's formula gives
    prices = [float(line.split()[-1]) for line in first.splitlines() if " m2, " in line]
    town, age = np.array([0.9, 1.3, 0.9]), np.array([10, 10, 60])
    np.testing.assert_allclose(prices, 2500 * 120 * town * (0.6 + 0.4 * np.exp(-age / 20)), rtol=0.1)
