"""The practice evaluation: everything shipped, nothing to choose."""

from workbench.domain.llm import LoadSettings
from workbench.domain.questions import QuestionSelection
from workbench.domain.runs import JudgeMode
from workbench.services.evaluation import EvaluationRequest, JudgeRequest, LlmChoice
from workbench.services.resources import DEFAULT_PRESET, STARTER_SET, Resources

_MAX_TOKENS = 128
"""Practice answers end after a few dozen tokens; the limit only guards against one that would not."""


def practice_request(resources: Resources) -> EvaluationRequest:
    """Both practice models on the whole starter set by the paper's protocol, scored by the practice judge.

    Raises:
        ResourceError: If a shipped file is missing.
    """
    files = resources.practice_files()
    preset = resources.preset(DEFAULT_PRESET)
    return EvaluationRequest(
        llms=tuple(LlmChoice(path=path) for path in files.answering),
        selection=QuestionSelection(question_set=STARTER_SET),
        system_prompt=preset.system_prompt,
        preset=preset.name,
        sampling=preset.sampling,
        max_tokens=_MAX_TOKENS,
        samples=preset.samples,
        load=LoadSettings(n_slots=8, context_tokens=1024),
        judge=JudgeRequest(path=files.judge, mode=JudgeMode.SCORE),
    )
