"""An engine inside the test process that answers from plain functions."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from workbench.domain.llm import (
    Answer,
    AnswerFlag,
    Device,
    FinishReason,
    GenerateRequest,
    LlmDescription,
    LoadSettings,
    Request,
    ScoreReply,
    ScoreRequest,
    SessionEvent,
)
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


def score(request: ScoreRequest, value: int) -> ScoreReply:
    return ScoreReply(
        request_id=request.id,
        probabilities=tuple(0.9 if step == value else 0.02 for step in range(1, 6)),
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
    description: LlmDescription
    reply: Reply
    asked: list[Request] = field(default_factory=list)
    stopped: bool = False
    paused: bool = False
    closed: bool = False

    def run(self, requests: Iterable[Request]) -> Iterator[SessionEvent]:
        for request in requests:
            if self.stopped:
                return
            self.asked.append(request)
            yield self.reply(request)

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
    sessions: list[FakeSession] = field(default_factory=list)

    def check(self, path: Path) -> None:
        if not path.exists():
            raise _unusable(path)

    def open(self, path: Path, settings: LoadSettings) -> FakeSession:
        if b"broken" in path.read_bytes():
            raise _unusable(path)
        session = FakeSession(description=_description(path, settings, self.rubric), reply=self.reply)
        self.sessions.append(session)
        return session

    def devices(self) -> tuple[Device, ...]:
        return ()

    def versions(self) -> tuple[tuple[str, str], ...]:
        return (("engine", "fake"),)


def _unusable(path: Path) -> ModelFileError:
    return ModelFileError(f"{path.name} cannot be used.", safe="All is safe.", todo="Choose another file.")


def _description(path: Path, settings: LoadSettings, rubric: str | None) -> LlmDescription:
    return LlmDescription(
        name=path.stem,
        architecture="llama",
        quantisation="F16",
        n_parameters=1,
        n_layers=1,
        trained_context_tokens=1024,
        context_tokens=1024,
        n_slots=settings.n_slots,
        n_threads=1,
        device="CPU",
        n_layers_offloaded=0,
        template_sha256="e" * 64,
        template_source="model_file",
        rubric=rubric,
        versions=(("engine", "fake"),),
    )
