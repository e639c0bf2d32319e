"""The table of operations in the docs, and that every function which differentiates has a row in the table of laws."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tests.laws.operations.page import PAGE, page


def test_the_page_is_what_the_registry_says() -> None:
    text = PAGE.read_text()
    version = ".".join(np.__version__.split(".")[:2])
    if f"with NumPy {version};" not in text:
        pytest.skip(f"the page is generated with another NumPy than the installed {version}, which has other functions")
    assert text == page(), "python -m tests.laws.operations.page writes it anew"


def test_every_dispatched_function_is_in_one_list() -> None:
    lists = page().split("## ")[1:]
    names = [set(re.findall(r"`(np\.[^`]+)`", text)) for text in lists]
    assert all(names)
    assert not names[0] & names[1]
    assert not names[0] & names[2]
    assert not names[1] & names[2]
