"""Evaluation runs: one model file answering one selection of questions under recorded conditions."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import NewType

from workbench.domain.llm import AnswerFlag, FailureCode, FinishReason, LoadSettings, SamplingSettings
from workbench.domain.memory import LoadReport
from workbench.domain.questions import Question, QuestionId, QuestionKind, QuestionSelection, RevisionId

RunId = NewType("RunId", int)
ResponseId = NewType("ResponseId", int)


class RunStatus(StrEnum):
    """Where a run stands. Only ``FINISHED`` has asked and judged everything."""

    UNFINISHED = "unfinished"
    """Running, paused, stopped or interrupted: it can be resumed."""
    FINISHED = "finished"


class JudgeMode(StrEnum):
    """How a judge llm gives its score."""

    SCORE = "score"
    """One forward pass: the probabilities of the five scores."""
    REASONED = "reasoned"
    """Writes its reason first, then the score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileIdentity:
    """A file that took part in a run, recognised by its content."""

    path: Path
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeChoice:
    """Which llm judges, how, and by which rubric."""

    file: FileIdentity
    mode: JudgeMode
    rubric: str
    """``name-version`` of the rubric file."""
    rubric_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """Everything that decides what is asked and how it is judged; two runs with equal settings repeat each other."""

    model_file: FileIdentity
    adapter: FileIdentity | None
    """Its scale is in ``load.adapter``."""
    selection: QuestionSelection
    samples: int
    """Answers to each question; at least 1."""
    system_prompt: str
    """Empty for none."""
    preset: str
    """Name of the protocol preset the settings came from, or ``custom``."""
    sampling: SamplingSettings
    max_tokens: int
    load: LoadSettings
    judge: JudgeChoice | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRun:
    """A run as stored."""

    id: RunId
    status: RunStatus
    settings: RunSettings
    created_at: datetime
    finished_at: datetime | None
    n_questions: int
    """Questions selected; ``n_questions * settings.samples`` answers are planned."""
    llm_name: str
    """From the model file, once it was loaded; else the file name."""
    versions: tuple[tuple[str, str], ...]
    device: str
    """Name of the device that held most layers at the last loading; empty before the first one."""
    n_layers: int | None = None
    """Transformer blocks of the model file; this and the following are ``None`` where it was not recorded."""
    n_layers_offloaded: int | None = None
    """At the last loading, on accelerators, the output layer included: up to ``n_layers + 1``."""
    load_report: LoadReport | None = None
    """How the model file came into memory the first time; later loadings repeat its choices (``memory.pinned``)."""
    judge_report: LoadReport | None = None
    """How the judge came into memory the last time it was loaded for this run; the next loading repeats its choices."""

    @property
    def n_slots(self) -> int | None:
        """Answers written at the same time; ``None`` where that was left to the memory plan and not recorded."""
        return self.settings.load.n_slots if self.load_report is None else self.load_report.plan.n_slots


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedAnswer:
    """One question to be asked once in a run."""

    question: Question
    sample: int
    """0-based."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewResponse:
    """What came back for one planned answer: an answer or a failure, never both."""

    revision_id: RevisionId
    sample: int
    text: str | None
    """``None`` when there was a failure."""
    raw: bytes = b""
    reasoning: str = ""
    prompt: str = ""
    prompt_sha256: str = ""
    finish_reason: FinishReason | None = None
    flags: tuple[AnswerFlag, ...] = ()
    n_prompt_tokens: int = 0
    n_tokens: int = 0
    duration_s: float = 0.0
    failure: FailureCode | None = None
    failure_message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredResponse:
    """A response with its question and its current judgement: the row every chart, table and export starts from."""

    response_id: ResponseId
    run_id: RunId
    question_id: QuestionId
    revision_id: RevisionId
    pair: str
    kind: QuestionKind
    principle: int
    question: str
    sample: int
    text: str | None
    reasoning: str
    flags: tuple[AnswerFlag, ...]
    failure: FailureCode | None
    failure_message: str
    n_tokens: int
    duration_s: float
    judged: bool
    """Whether a judgement exists; its score may still be missing."""
    score: int | None
    """1 to 5, or ``None``: not scored."""
    expected_score: float | None
    """Mean of the judge's score distribution, where it gave one."""
    score_reason: str
    """The judge's reason, or why there is no score."""
