"""One line that says how far a loop is: it updates on a terminal, and is written now and then to a log file."""

from __future__ import annotations

import sys
from collections.abc import Callable
from shutil import get_terminal_size
from time import perf_counter
from typing import TextIO

# seconds from line to line
ON_A_TERMINAL = 0.1
IN_A_FILE = 1.0


class Progress:
    """Writes `epoch 2/20  batch 12/45  loss 0.1234  8,412 examples/s  0:12 left` to a stream (stderr).

    On a terminal the line is rewritten ten times a second; elsewhere (a file, CI) `record` writes plain lines, at least a
    second apart but for the last. A device, not a value: it has a stream and a clock. Nothing runs in the background.
    """

    def __init__(
        self,
        total: int | None,
        stream: TextIO | None = None,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        # whether this is a terminal; then the loop calls `step` once the clock is past `next`
        self.live = self._stream is not None and self._stream.isatty()
        self._total = total
        self._clock = clock
        self._began = self._last = clock()
        self.next = self._began + ON_A_TERMINAL
        self._text = ""

    def step(self, text: str, done: int, rate: float) -> None:
        """The line on a terminal; done: steps of this run so far, rate: examples a second."""
        self.next = self._clock() + ON_A_TERMINAL
        self._text = self._line(text, done, rate)
        self._put(self._text[: get_terminal_size().columns - 1])

    def record(self, text: str, done: int, rate: float, *, last: bool) -> None:
        """A record has been made: a line in a file. The terminal's is taken off, so that what the loop prints has its own."""
        self._text = self._line(text, done, rate)
        now = self._clock()
        if self.live:
            self._put("")
        elif last or now - self._last >= IN_A_FILE:
            self._last = now
            self._put(self._text)

    def close(self) -> None:
        """The loop is over: the last line stays."""
        if self.live and self._text:
            self._put(self._text[: get_terminal_size().columns - 1], "\n")

    def _line(self, text: str, done: int, rate: float) -> str:
        line = f"{text}  {rate:,.0f} examples/s"
        if self._total is None or not done:
            return line
        left = (self._clock() - self._began) / done * (self._total - done)
        return f"{line}  {as_time(left)} left" if done < self._total else f"{line}  {as_time(self._clock() - self._began)}"

    def _put(self, line: str, end: str = "") -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(f"\r{line}\x1b[K{end}" if self.live else f"{line}\n")
            self._stream.flush()
        except (OSError, ValueError):  # a closed terminal or a full disk ends the lines, not the training
            self._stream = None


def as_time(seconds: float) -> str:
    """Minutes and seconds, with hours where there are any: 1:02:03.

    >>> as_time(3.4), as_time(3723)
    ('0:03', '1:02:03')
    """
    minutes, s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{s:02}" if hours else f"{minutes}:{s:02}"
