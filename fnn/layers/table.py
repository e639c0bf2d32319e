"""Rows of text as a table."""

from __future__ import annotations

from collections.abc import Sequence


def as_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, left: int, total: Sequence[str] | None = None) -> str:
    """A table in one string: the first `left` columns are aligned at the left, the others at the right.

    >>> print(as_table(("name", "n"), [("a", "10"), ("bc", "5")], left=1))
    name   n
    --------
    a     10
    bc     5
    """
    everything = [head, *rows, *([] if total is None else [total])]
    widths = [max([len(row[i]) for row in everything]) for i in range(len(head))]
    line = "-" * (sum(widths) + 2 * (len(widths) - 1))
    text = [
        "  ".join(
            [cell.ljust(w) if i < left else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))]
        ).rstrip()
        for row in everything
    ]
    end = [] if total is None else [line, text.pop()]
    return "\n".join([text[0], line, *text[1:], *end])
