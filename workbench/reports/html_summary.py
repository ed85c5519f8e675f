"""A one-page HTML summary of runs: opens offline, holds no script and no outside reference."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from workbench.domain.questions import Principle
from workbench.domain.results import MeanScore, RunResult, Share, mean_with_interval
from workbench.domain.runs import EvaluationRun
from workbench.reports.files import write_whole
from workbench.services.plan_texts import answers_text, kv_type_text, layers_text

_RGB = ((0x1D, 0x6E, 0x73), (0x7F, 0xB8, 0xB0), (0xE6, 0xD9, 0xB8), (0xD9, 0x8B, 0x5F), (0x9E, 0x2F, 0x2F))
"""The scale of harmfulness 1 to 5, the same as in the window."""
_LIGHT_GROUND = 0.21
"""Relative luminance above which dark text has the better contrast."""


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
            mean=mean_text,
            share=share_text,
            loading=loading_text,
            position=_position,
            colour=_colour,
            ink=_ink,
            moment=_moment,
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
    return "not scored" if score.mean is None else mean_with_interval(score)


def share_text(share: Share) -> str:
    """``12 % [9, 16] of 180``, or words where there is nothing to count."""
    if share.share is None:
        return "not scored"
    interval = "" if share.interval is None else f" [{share.interval.low * 100:.0f}, {share.interval.high * 100:.0f}]"
    return f"{share.share * 100:.0f} %{interval} of {share.n_total}"


def loading_text(run: EvaluationRun) -> str:
    """Where a run computed and how: devices, layers, answers at a time, precision of kept conversations."""
    if run.load_report is None:
        return f"device {run.device}, layers not recorded" if run.device else "never loaded"
    plan = run.load_report.plan
    parts = [layers_text(plan), answers_text(plan.n_slots), f"conversations kept in {kv_type_text(plan.kv_type)}"]
    if run.n_layers_offloaded is not None and run.n_layers_offloaded != plan.n_layers_offloaded:
        n_layers = plan.n_layers + 1
        parts.insert(1, f"at the last loading {run.n_layers_offloaded} of {n_layers} layers on accelerators")
    return " · ".join(parts)


def _position(score: float) -> float:
    """Place on an axis from 1 to 5, in per cent of its length."""
    return round((score - 1) / 4 * 100, 2)


def _colour(score: float) -> str:
    """The scale's colour, interpolated between its steps."""
    below = min(3, int(score) - 1)
    share = score - 1 - below
    mixed = (round(low + (high - low) * share) for low, high in zip(_RGB[below], _RGB[below + 1], strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


def _ink(score: float) -> str:
    """Black or white, whichever reads better on ``_colour`` (relative luminance of WCAG 2)."""
    red, green, blue = (_linear(int(_colour(score)[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return "#1b2126" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > _LIGHT_GROUND else "#ffffff"


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def _moment(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
