"""Progress records an evaluation yields; window, command line and tests read the same ones."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from workbench.domain.judging import Judgement
from workbench.domain.llm import LlmDescription
from workbench.domain.memory import LoadAttempt, LoadReport
from workbench.domain.runs import EvaluationRun, NewResponse, PlannedAnswer, ResponseId, RunId, ScoredResponse
from workbench.errors import WorkbenchError


class Role(StrEnum):
    """What a loaded model file does in an evaluation."""

    ANSWERING = "answering"
    JUDGING = "judging"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileBeingChecked:
    """A file's SHA-256 is being computed."""

    path: Path
    done_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsPrepared:
    """All runs of the evaluation exist in the database; from here on they can be resumed."""

    runs: tuple[EvaluationRun, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmLoading:
    """A model file is being loaded for a run."""

    run_id: RunId
    role: Role
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRetried:
    """Memory did not suffice at first, so that less was asked of it; comes before ``LlmLoaded``."""

    run_id: RunId
    role: Role
    failed_attempts: tuple[LoadAttempt, ...]
    """What did not fit, in order; at least one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmLoaded:
    """A model file is ready."""

    run_id: RunId
    role: Role
    description: LlmDescription
    report: LoadReport


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeWaits:
    """The judge could not be loaded beside the answering llm; it will be loaded again when all answers are written."""

    run_id: RunId
    error: WorkbenchError
    """Why not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerGrowing:
    """More text of an answer that is being written."""

    run_id: RunId
    planned: PlannedAnswer
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerStored:
    """A response is in the database."""

    run_id: RunId
    planned: PlannedAnswer
    response_id: ResponseId
    response: NewResponse
    n_done: int
    n_planned: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgementStored:
    """A judgement is in the database."""

    run_id: RunId
    response: ScoredResponse
    """As it was before the judgement."""
    judgement: Judgement
    n_done: int
    n_planned: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerTrouble:
    """A worker failed and was replaced; the evaluation goes on."""

    run_id: RunId
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSlowed:
    """A worker computes much more slowly than the computer could, or does so no longer."""

    run_id: RunId
    role: Role
    """What the worker's file does; another worker may be slow or not."""
    share: float
    """Speed now by the speed that could be expected; 1 or more ends the slowness."""
    reason: str
    """For a person; empty when it is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    """A run has asked and judged everything."""

    run_id: RunId


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFailed:
    """A run could not go on; the other runs of the evaluation do. It can be resumed once the cause is removed."""

    run_id: RunId
    error: WorkbenchError


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationStopped:
    """The evaluation was stopped on request; what is missing can be asked later."""

    run_ids: tuple[RunId, ...]
    """Runs that are not finished."""


Progress = (
    FileBeingChecked
    | RunsPrepared
    | LlmLoading
    | LoadRetried
    | LlmLoaded
    | JudgeWaits
    | AnswerGrowing
    | AnswerStored
    | JudgementStored
    | WorkerTrouble
    | RunSlowed
    | RunFinished
    | RunFailed
    | EvaluationStopped
)
