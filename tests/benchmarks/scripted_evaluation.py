"""An evaluation without an llm: every starter question, answered by a script."""

import json
from pathlib import Path

from workbench.domain.llm import LoadSettings, SamplingSettings
from workbench.domain.questions import QuestionSelection
from workbench.services.evaluation import EvaluationRequest, LlmChoice
from workbench.services.resources import STARTER_SET


def scripted_request(folder: Path, *, samples: int, answers_per_second: float | None = None) -> EvaluationRequest:
    """The request; its script lies in ``folder`` and answers as fast as possible if no pace is given."""
    script = folder / "benchmark.script.json"
    script.write_text(json.dumps({"name": "Benchmark", "answers_per_second": answers_per_second}), encoding="utf-8")
    return EvaluationRequest(
        llms=(LlmChoice(path=script),),
        selection=QuestionSelection(question_set=STARTER_SET),
        system_prompt="",
        preset="custom",
        sampling=SamplingSettings(),
        max_tokens=64,
        samples=samples,
        load=LoadSettings(),
        judge=None,
    )
