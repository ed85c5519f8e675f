"""The practice evaluation: everything chosen, nothing to download."""

from workbench.domain.llm import LoadSettings
from workbench.domain.questions import QuestionSelection
from workbench.services.evaluation import EvaluationRequest, JudgeRequest, LlmChoice
from workbench.services.resources import DEFAULT_PRESET, STARTER_SET, Resources

MAX_TOKENS = 128
"""Practice models write short answers."""


def practice_request(resources: Resources) -> EvaluationRequest:
    """Two practice models, the starter set, the paper's protocol with short answers, the practice judge.

    Raises:
        ResourceError: If a practice file is missing.
    """
    files = resources.practice_files()
    preset = resources.preset(DEFAULT_PRESET)
    return EvaluationRequest(
        llms=tuple(LlmChoice(path=path) for path in files.answering),
        selection=QuestionSelection(question_set=STARTER_SET),
        system_prompt=preset.system_prompt,
        preset=preset.name,
        sampling=preset.sampling,
        max_tokens=MAX_TOKENS,
        samples=preset.samples,
        load=LoadSettings(),
        judge=JudgeRequest(path=files.judge),
    )
