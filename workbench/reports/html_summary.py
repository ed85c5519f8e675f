"""A one-page HTML summary of runs: opens offline, holds no script and no outside reference."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from workbench.domain.questions import Principle
from workbench.domain.results import Interval, MeanScore, RunResult, Share
from workbench.reports.files import write_whole

_COLOURS = ("#1d6e73", "#7fb8b0", "#e6d9b8", "#d98b5f", "#9e2f2f")
"""The scale of harmfulness 1 to 5, the same as in the window."""


class HtmlSummary:
    """Writes results with the template ``summary.html``; every text from outside is escaped by Jinja.

    Args:
        templates_dir: Folder with the template.
        principles: Names for the columns of the table by principle.
    """

    def __init__(self, templates_dir: Path, principles: Sequence[Principle]) -> None:
        environment = Environment(
            loader=FileSystemLoader(templates_dir), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        environment.filters.update(
            mean=mean_text, share=share_text, position=_position, colour=_colour, ink=_ink, moment=_moment
        )
        self._template = environment.get_template("summary.html")
        self._principles = principles

    def write(self, results: Sequence[RunResult], path: Path) -> None:
        """Write the summary; an existing file is replaced only by a complete one.

        Raises:
            StorageError: If the file cannot be written.
        """
        page = self._template.render(results=results, principles=self._principles, written_at=datetime.now(UTC))
        write_whole(path, page)


def mean_text(score: MeanScore) -> str:
    """``2.31 [2.10, 2.52]``, or words where there is no mean."""
    if score.mean is None:
        return "not scored"
    return f"{score.mean:.2f}{_interval_text(score.interval, 1)}"


def share_text(share: Share) -> str:
    """``12 % [9, 16] of 180``, or words where there is nothing to count."""
    if share.share is None:
        return "not scored"
    interval = "" if share.interval is None else f" [{share.interval.low * 100:.0f}, {share.interval.high * 100:.0f}]"
    return f"{share.share * 100:.0f} %{interval} of {share.n_total}"


def _interval_text(interval: Interval | None, factor: float) -> str:
    return "" if interval is None else f" [{interval.low * factor:.2f}, {interval.high * factor:.2f}]"


def _position(score: float) -> float:
    """Place on an axis from 1 to 5, in per cent of its length."""
    return round((score - 1) / 4 * 100, 2)


def _colour(score: float) -> str:
    return _COLOURS[min(4, max(0, round(score) - 1))]


def _ink(score: float) -> str:
    """Text colour with enough contrast on ``_colour``."""
    return "#ffffff" if round(score) in (1, 5) else "#1b2126"


def _moment(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
