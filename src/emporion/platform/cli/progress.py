"""A progress bar for people at a terminal; silence for everything else."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich import progress as rich_progress


class Progress:
    """Shows a stage, how far it is, and the rate; on standard error, and only on a terminal."""

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._bar: rich_progress.Progress | None = None
        self._task: rich_progress.TaskID | None = None
        self._stage = ""
        self._started_s = 0.0

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as RichProgress

            self._bar = RichProgress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[counts]}"),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, stage: str, done: int, total: int | None) -> None:
        """The stage is so far; `total` None: nobody knows how far it goes."""
        if self._bar is None:
            return
        now_s = time.monotonic()
        if self._task is None or stage != self._stage:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._task = self._bar.add_task(stage, total=total, counts="")
            self._stage, self._started_s = stage, now_s
        elapsed_s = now_s - self._started_s
        rate = f"{done / elapsed_s:,.0f} {self._unit}/s" if elapsed_s > 0 and done else ""
        out_of = f"{done:,}" if total is None else f"{done:,} of {total:,}"
        self._bar.update(self._task, completed=done, total=total, counts=f"{out_of}  {rate}")
