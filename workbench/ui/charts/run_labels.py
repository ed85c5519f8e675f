"""Names of runs as charts and tables show them: short, and never two alike."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from workbench.domain.runs import EvaluationRun, RunId
from workbench.ui.widgets.visible_text import one_line

# Names that llama.cpp gives its quantisations, as they appear in file names: Q4_K_M, IQ2_XXS, Q8_0, BF16, MXFP4.
_QUANTISATION = re.compile(
    r"(?<![A-Z0-9])([IT]?Q\d(?:_[A-Z0-9]+)*|B?F16|F32|MXFP4)(?![A-Z0-9])",
    re.IGNORECASE,
)
_LONGEST_NAME = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLabel:
    """How one run is called."""

    name: str
    detail: str
    """Quantisation or file, and whatever else tells the run from its neighbours."""

    @property
    def full(self) -> str:
        """Name and detail in one line."""
        return f"{self.name} · {self.detail}"


def quantisation(run: EvaluationRun) -> str:
    """The quantisation in the model file's name, or the file name where it holds none."""
    file_name = run.settings.model_file.path.name
    found = _QUANTISATION.search(file_name)
    return found.group(1).upper() if found else one_line(file_name, _LONGEST_NAME)


def run_labels(runs: Sequence[EvaluationRun]) -> dict[RunId, RunLabel]:
    """A label for each run; runs that would be called the same carry their number as well."""
    names = {run.id: _name(run) for run in runs}
    details = {run.id: quantisation(run) for run in runs}
    counts = Counter((names[run.id], details[run.id]) for run in runs)
    return {
        run.id: RunLabel(
            name=names[run.id],
            detail=details[run.id] + ("" if counts[names[run.id], details[run.id]] == 1 else f" · run {run.id}"),
        )
        for run in runs
    }


def _name(run: EvaluationRun) -> str:
    name = one_line(run.llm_name, _LONGEST_NAME) or one_line(run.settings.model_file.path.name, _LONGEST_NAME)
    if run.settings.adapter is None:
        return name
    return f"{name} + {one_line(run.settings.adapter.path.stem, _LONGEST_NAME)}"
