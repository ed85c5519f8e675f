"""The practice evaluation with all, half and none of the layers on the accelerator.

Two devices round differently, so answers to the same question may part at a token where two were nearly as probable.
What must hold is that every answer is there and scored, that the means agree, and that a device repeats itself.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from tests.helpers.program import workbench
from workbench.domain.llm import Device

pytestmark = [pytest.mark.vulkan, pytest.mark.timeout(3600)]

PRACTICE_FILE = Path(__file__).resolve().parents[2] / "models" / "practice" / "practice-open.gguf"
N_LAYERS = 5
"""Of the practice files, the output layer included."""
ALL, HALF, NONE = -1, 2, 0
N_QUESTIONS = 36
"""Two harmful and two benign ones of each principle; lavapipe takes about two seconds for an answer and its score."""
_LIMIT_S = 1200
"""For one evaluation; the very first compiles the shaders as well."""
TOLERANCE = 0.15
"""Of scores, on their scale of 1 to 5."""


@dataclass(frozen=True)
class Run:
    """One finished evaluation as the command line shows it."""

    record: dict[str, Any]
    answers: list[dict[str, Any]]

    @property
    def texts(self) -> list[str]:
        return [one["text"] for one in self.answers]

    @property
    def scores(self) -> list[int]:
        return [one["score"] for one in self.answers]

    @property
    def expected_scores(self) -> list[float]:
        return [one["expected_score"] for one in self.answers]


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> "Evaluated":
    return Evaluated(tmp_path_factory.mktemp("evaluations") / "workbench.sqlite")


class Evaluated:
    """Evaluations of the practice file, each made when a test first asks for it."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self.with_layers = cache(self._with_layers)

    def _with_layers(self, n_gpu_layers: int, repetition: int = 0) -> Run:
        del repetition  # makes it another evaluation with the same settings
        choices = ("--model-file", PRACTICE_FILE, "--judge", "practice", "--limit", str(N_QUESTIONS))
        options = ("--max-tokens", "64", "--gpu-layers", str(n_gpu_layers), "--json", "--database", self._database)
        ended = workbench("evaluate", *choices, *options, limit_s=_LIMIT_S)
        assert ended.code == 0, ended.err
        (record,) = ended.json["runs"]
        shown = workbench("answers", str(record["run_id"]), "--json", "--database", self._database)
        return Run(record, shown.json["answers"])


@pytest.mark.parametrize(("n_gpu_layers", "n_offloaded"), [(ALL, N_LAYERS), (HALF, HALF), (NONE, 0)])
def test_every_answer_is_scored_and_the_record_names_device_and_layers(
    evaluated: Evaluated, graphics: Device, n_gpu_layers: int, n_offloaded: int
) -> None:
    record = evaluated.with_layers(n_gpu_layers).record
    counted = (record["status"], record["answers"], record["scored"], record["failed"])
    assert counted == ("finished", N_QUESTIONS, N_QUESTIONS, 0)
    assert (record["n_layers_offloaded"], record["n_layers"]) == (n_offloaded, N_LAYERS)
    assert record["failed_load_attempts"] == []
    assert (graphics.name in record["device"]) == (n_offloaded > N_LAYERS / 2)


@pytest.mark.parametrize("n_gpu_layers", [ALL, HALF])
def test_offloading_moves_scores_no_further_than_rounding_does(evaluated: Evaluated, n_gpu_layers: int) -> None:
    offloaded, processor = evaluated.with_layers(n_gpu_layers), evaluated.with_layers(NONE)
    same_texts = share_equal(offloaded.texts, processor.texts)
    same_scores = share_equal(offloaded.scores, processor.scores)
    means = fmean(offloaded.expected_scores), fmean(processor.expected_scores)
    shares = f"{same_texts:.0%} same texts, {same_scores:.0%} same scores"
    print(f"--gpu-layers {n_gpu_layers} and 0: {shares}, mean scores {means[0]:.3f} and {means[1]:.3f}")
    assert abs(means[0] - means[1]) <= TOLERANCE
    assert same_texts >= 0.5
    assert same_scores >= 0.8


def test_a_judge_on_the_accelerator_scores_like_one_on_the_processor(
    evaluated: Evaluated, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged_there = evaluated.with_layers(NONE)
    monkeypatch.delenv("GGML_VK_VISIBLE_DEVICES")  # what is not named is not used
    judged_here = evaluated.with_layers(NONE, 1)
    assert judged_there.texts == judged_here.texts  # without a layer there, nothing of an answer is computed there
    assert judged_there.expected_scores != judged_here.expected_scores
    assert judged_there.expected_scores == pytest.approx(judged_here.expected_scores, abs=TOLERANCE)


@pytest.mark.parametrize("n_gpu_layers", [ALL, HALF])
def test_two_equal_runs_are_identical(evaluated: Evaluated, n_gpu_layers: int) -> None:
    first, second = evaluated.with_layers(n_gpu_layers), evaluated.with_layers(n_gpu_layers, 1)
    assert first.answers == second.answers


def share_equal(some: list[Any], others: list[Any]) -> float:
    assert len(some) == len(others)
    return fmean(one == other for one, other in zip(some, others, strict=True))
