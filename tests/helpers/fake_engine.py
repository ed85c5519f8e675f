"""An engine inside the test process that answers from plain functions."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.helpers.records import a_layout, a_load_report, a_plan
from workbench.domain.llm import (
    Answer,
    AnswerFlag,
    Device,
    FinishReason,
    GenerateRequest,
    KvType,
    LlmDescription,
    LoadSettings,
    Request,
    ScoreReply,
    ScoreRequest,
    SessionEvent,
)
from workbench.domain.memory import DeviceCorrection, LlmLayout, LoadReport, MemoryPlan
from workbench.errors import ModelFileError

Reply = Callable[[Request], SessionEvent]


def answer(request: GenerateRequest, text: str, *, flags: tuple[AnswerFlag, ...] = ()) -> Answer:
    return Answer(
        request_id=request.id,
        text=text,
        raw=text.encode(),
        finish_reason=FinishReason.STOP,
        flags=flags,
        prompt=request.messages[-1].content,
        prompt_sha256="c" * 64,
        n_prompt_tokens=7,
        n_tokens=len(text.split()),
        duration_s=0.5,
    )


def score(request: ScoreRequest, value: int, *, flags: tuple[AnswerFlag, ...] = ()) -> ScoreReply:
    return ScoreReply(
        request_id=request.id,
        probabilities=tuple(0.9 if step == value else 0.02 for step in range(1, 6)),
        flags=flags,
        prompt_sha256="d" * 64,
        n_prompt_tokens=9,
        n_tokens=0,
        duration_s=0.1,
    )


def polite(request: Request) -> SessionEvent:
    """Answers every question with its own text and scores every answer 2."""
    if isinstance(request, GenerateRequest):
        return answer(request, f"On {request.messages[-1].content}")
    return score(request, 2)


@dataclass
class FakeSession:
    """Answers so many requests in one step."""

    path: Path
    settings: LoadSettings
    description: LlmDescription
    load_report: LoadReport
    reply: Reply
    n_together: int
    also: dict[int, tuple[SessionEvent, ...]]
    asked: list[Request] = field(default_factory=list)
    stopped: bool = False
    paused: bool = False
    closed: bool = False

    def run(self, requests: Iterable[Request]) -> Iterator[tuple[SessionEvent, ...]]:
        together: list[SessionEvent] = []
        for request in requests:
            if self.stopped:
                return
            together.extend(self.also.get(request.id, ()))
            self.asked.append(request)
            together.append(self.reply(request))
            if len(together) >= self.n_together:
                yield tuple(together)
                together.clear()
        if together and not self.stopped:
            yield tuple(together)

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def stop(self) -> None:
        self.stopped = True

    def close(self) -> None:
        self.closed = True


@dataclass
class FakeEngine:
    """Opens any file that does not contain the word ``broken``."""

    reply: Reply = polite
    rubric: str | None = None
    plans: dict[str, MemoryPlan] = field(default_factory=dict)
    """By the stem of the file's name; any other file is planned onto the processor."""
    n_failed_attempts: int = 0
    n_together: int = 1
    also: dict[int, tuple[SessionEvent, ...]] = field(default_factory=dict)
    """Events that come with the reply to a request of this number."""
    corrections: list[tuple[DeviceCorrection, ...]] = field(default_factory=list)
    """What each planning was given."""
    sessions: list[FakeSession] = field(default_factory=list)

    def check(self, path: Path) -> None:
        if not path.exists():
            raise _unusable(path)

    def plan(
        self, path: Path, settings: LoadSettings, corrections: Sequence[DeviceCorrection] = ()
    ) -> tuple[LlmLayout, MemoryPlan]:
        self.check(path)
        self.corrections.append(tuple(corrections))
        chosen = settings.n_slots or 4
        return a_layout(rubric=self.rubric), self.plans.get(path.stem, a_plan(n_slots=chosen, context_tokens=1024))

    def open(self, path: Path, settings: LoadSettings, corrections: Sequence[DeviceCorrection] = ()) -> FakeSession:
        if b"broken" in path.read_bytes():
            raise _unusable(path)
        _layout, plan = self.plan(path, settings, corrections)
        session = FakeSession(
            path=path,
            settings=settings,
            description=a_description(path, plan, self.rubric),
            load_report=a_load_report(plan, n_failed=self.n_failed_attempts),
            reply=self.reply,
            n_together=self.n_together,
            also=self.also,
        )
        self.sessions.append(session)
        return session

    def devices(self) -> tuple[Device, ...]:
        return ()

    def versions(self) -> tuple[tuple[str, str], ...]:
        return (("engine", "fake"),)


def _unusable(path: Path) -> ModelFileError:
    return ModelFileError(f"{path.name} cannot be used.", safe="All is safe.", todo="Choose another file.")


def a_description(path: Path, plan: MemoryPlan, rubric: str | None = None) -> LlmDescription:
    return LlmDescription(
        name=path.stem,
        architecture="llama",
        quantisation="F16",
        n_parameters=1,
        n_layers=plan.n_layers,
        trained_context_tokens=1024,
        context_tokens=plan.context_tokens,
        n_slots=plan.n_slots,
        n_threads=plan.n_threads,
        n_batch=plan.n_batch,
        kv_type=KvType.F16,
        flash_attention=plan.flash_attention,
        device=plan.shares[0].device.name,
        n_layers_offloaded=plan.n_layers_offloaded,
        template_sha256="e" * 64,
        template_source="model_file",
        rubric=rubric,
        versions=(("engine", "fake"),),
    )
