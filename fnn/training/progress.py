"""One line that says how far a loop is: it updates on a terminal, and is written now and then to a log file."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from shutil import get_terminal_size
from time import perf_counter
from typing import TextIO

# seconds from line to line on a terminal
ON_A_TERMINAL = 0.1
# records that come faster than this leave the terminal's line off until its next turn
FAST = 0.001
# what is later than this after the last record is no longer told
STALE = 1.0


class Progress:
    """Writes `epoch 2/20  batch 12/45  loss 0.1234  8,412 examples/s  0:12 left` to a stream (stderr).

    On a terminal one line is rewritten ten times a second. Elsewhere (a file, CI) it writes plain lines: of records at least
    a second apart, between records ten seconds, and the longer a run takes the fewer. A device, not a value: it has a stream
    and a clock. Nothing runs in the background. `total`, the steps of the whole run, may change on the way; None: not known.
    """

    def __init__(
        self,
        total: int | None,
        stream: TextIO | None = None,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        # of a stream that is more than `write` and `flush`
        self._live = self._stream is not None and getattr(self._stream, "isatty", bool)()
        self.total = total
        self._clock = clock
        self._began = self._last = clock()
        # the loop calls `step` once the clock is past this
        self.next = self._began + (ON_A_TERMINAL if self._live else 10)
        # the newest line, whether it stands on the terminal, and whether it was written to the file
        self._text = ""
        self._is_shown = False
        self._is_told = True
        # when the loop handed out a record, None while it works
        self._left: float | None = None
        self._returns = False

    def step(self, text: str, done: int, rate: float) -> None:
        """Between records; done: steps of this run so far, rate: examples a second."""
        self._text = self._line(text, done, rate)
        if self._live:
            self._show()
        else:
            self._write()

    def record(self, text: str, done: int, rate: float) -> None:
        """A record has been made. The terminal's line is taken off, so that what the loop prints has its own."""
        now = self._clock()
        self._text = self._line(text, done, rate)
        self._is_told = False
        self._left = now
        self._returns = self._is_shown and now - self._last >= FAST
        self.hide()
        if self._live:
            self._last = now
        elif now - self._last >= min(max(1, (now - self._began) / 100), 10):
            self._write()

    def resume(self) -> None:
        """The loop works again, after a record."""
        self._left = None
        if self._returns:
            self._show()

    def hide(self) -> None:
        """Take the terminal's line off, before something that may print."""
        if self._is_shown:
            self._is_shown = False
            self._put("\r\x1b[K")

    def close(self) -> None:
        """The loop is over: the last line stays, but not where what came after the last record took long."""
        if not self._text or (self._left is not None and self._clock() - self._left > STALE):
            self.hide()
        elif self._live:
            self._show("\n")
        elif not self._is_told:
            self._write()
        self._text = ""

    def note(self, text: str) -> None:
        """A line that stays."""
        self.hide()
        self._put(f"{text}\n")

    def _line(self, text: str, done: int, rate: float) -> str:
        line = f"{text}  {rate:,.0f} examples/s"
        if self.total is None or not done:
            return line
        spent = self._clock() - self._began
        return (
            f"{line}  {as_time(spent / done * (self.total - done))} left" if done < self.total else f"{line}  {as_time(spent)}"
        )

    def _show(self, end: str = "") -> None:
        self._put(f"\r{self._text[: self._columns() - 1]}\x1b[K{end}")
        self._is_shown = not end
        self.next = self._clock() + ON_A_TERMINAL

    def _write(self) -> None:
        self._put(f"{self._text}\n")
        self._is_told = True
        self._last = self._clock()
        self.next = self._last + min(max(10, (self._last - self._began) / 10), 600)

    def _columns(self) -> int:
        # of this stream: standard output may go elsewhere; some terminals say 0
        try:
            columns = os.get_terminal_size(self._stream.fileno()).columns if self._stream is not None else 0
        except (OSError, ValueError, AttributeError):
            columns = 0
        return columns or get_terminal_size().columns

    def _put(self, text: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(text)
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
