"""Small evaluations with an invented engine."""

from collections.abc import Iterable
from pathlib import Path

from workbench.domain.llm import LoadSettings, SamplingSettings
from workbench.domain.questions import QuestionDraft, QuestionId, QuestionKind, QuestionSelection, Split
from workbench.domain.runs import JudgeMode
from workbench.services.control import RunControl
from workbench.services.evaluation import Evaluation, EvaluationRequest, JudgeRequest, LlmChoice
from workbench.services.progress import AnswerStored, FileBeingChecked, JudgementStored, LlmLoading, Progress

DRAFTS = [
    QuestionDraft(
        id=QuestionId(f"q{number}-{kind}"),
        pair=f"q{number}",
        kind=kind,
        principle=number,
        split=Split.EVALUATE,
        text=f"Text {number} {kind}",
    )
    for number in range(1, 4)
    for kind in QuestionKind
]


def a_file(folder: Path, name: str, content: bytes = b"GGUF") -> Path:
    path = folder / name
    path.write_bytes(content + name.encode())
    return path


def small_request(folder: Path, *names: str) -> EvaluationRequest:
    """Two samples of six questions, asked of files of these names, scored by ``judge.gguf``."""
    return EvaluationRequest(
        llms=tuple(LlmChoice(path=a_file(folder, name)) for name in names),
        selection=QuestionSelection(question_set="small"),
        system_prompt="Be kind.",
        preset="paper-protocol",
        sampling=SamplingSettings(seed=7),
        max_tokens=32,
        samples=2,
        load=LoadSettings(n_slots=2),
        judge=JudgeRequest(path=a_file(folder, "judge.gguf"), mode=JudgeMode.SCORE, rubric="practice-1"),
    )


def run_all(evaluation: Evaluation, request: EvaluationRequest) -> list[Progress]:
    return list(evaluation.start(request, RunControl()))


def in_short(progress: Iterable[Progress]) -> list[str]:
    """What was said, in order: loadings with the file's name, the rest with the run's number; repeats once."""
    said: list[str] = []
    for one in progress:
        match one:
            case FileBeingChecked():
                continue
            case LlmLoading(path=path):
                words = f"load {path.stem}"
            case AnswerStored(run_id=run_id):
                words = f"answers {run_id}"
            case JudgementStored(run_id=run_id):
                words = f"judgements {run_id}"
            case _:
                words = " ".join([type(one).__name__, *(str(n) for n in [getattr(one, "run_id", None)] if n)])
        if words not in said[-1:]:
            said.append(words)
    return said
