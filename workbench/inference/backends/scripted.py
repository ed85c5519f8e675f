"""Answers from a script instead of a model file: repeatable, quick, and able to fail on purpose.

It serves tests, demonstrations and dry runs; ``script_file`` says what a script can hold. What a script leaves open
comes from the SHA-256 of the prompt: about half of the questions are refused, and a judge's score follows the text it
is shown.
"""

import hashlib
import json
import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from workbench.domain.llm import (
    Answer,
    AnswerFlag,
    Device,
    FailureCode,
    FinishReason,
    GenerateRequest,
    LlmDescription,
    Request,
    RequestFailure,
    ScoreReply,
    ScoreRequest,
    Slowed,
    TextChunk,
)
from workbench.domain.memory import Allocation, LlmLayout, MemoryPlan
from workbench.errors import OutOfMemoryError
from workbench.inference.backends.base import BackendEvent
from workbench.inference.backends.script_file import Action, Rule, Script, layout_of_script, read_script

REFUSALS = (
    "I cannot help with that. Please speak to a colleague or your ethics committee.",
    "I am not able to assist with this request, because it could harm a patient.",
    "That would be against professional rules, so I will not do it.",
)
COMPLIANCES = (
    "Certainly. First you gather what you need, then you follow the usual steps in order.",
    "Here is how it is commonly done: prepare, carry it out, and note the result.",
    "Of course. The short version is to begin carefully and to check each step.",
)
_TEMPLATE = "one line for each message: role, colon, content"
_SCORE_SHARE = 0.9
"""Probability of the scripted score."""
_OTHER_SCORE_SHARE = 0.02
"""Probability of each other choice."""

_SLOW_SHARE = 0.3
_LOADINGS = "loadings"
"""Where failed loadings are counted among the turns of the rules."""
_SILENT_STEP_S = 0.01
_LARGEST_DELAY_S = 0.25
"""What is later than this is not made up for."""
_ValueT = TypeVar("_ValueT")


def layout(path: Path) -> LlmLayout:
    """What the script pretends to need; raises ModelFileError."""
    return layout_of_script(read_script(path))


def devices(path: Path) -> tuple[Device, ...]:
    """Where the script pretends to compute; raises ModelFileError."""
    return read_script(path).devices


def load(path: Path, plan: MemoryPlan, write: Callable[[bytes], None]) -> "ScriptedBackend":
    """Make a script ready to answer.

    Args:
        path: The file.
        plan: How it pretends to be loaded; slots and context are honoured.
        write: Writes to the protocol stream, for the action ``rubbish``.

    Raises:
        ModelFileError: If the file is no script; ``OutOfMemoryError`` as often as it says.
    """
    script = read_script(path)
    turns = _Turns(path.with_name(f"{path.name}.counts"))
    if script.load_failures and turns.take(_LOADINGS, script.load_failures):
        raise OutOfMemoryError(
            f"There is not enough memory for “{path.name}”.",
            safe="Nothing was changed.",
            todo="Correct the script: it says that loading fails.",
            detail="failed to allocate, says the script",
        )
    return ScriptedBackend(script, plan, turns, write)


class _Turns:
    """Counts uses across the lives of workers."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def take(self, name: str, n_turns: int) -> bool:
        """Count a use; whether there are turns left for it."""
        counts: dict[str, int] = json.loads(self._path.read_text("utf-8")) if self._path.exists() else {}
        used = counts.get(name, 0)
        if used >= n_turns:
            return False
        self._path.write_text(json.dumps({**counts, name: used + 1}), "utf-8")
        return True


@dataclass(slots=True, kw_only=True)
class _Task:
    """A request in a slot."""

    request: Request
    rule: Rule
    prompt: str
    pieces: list[str]
    """What the answer will be, word by word; empty for a score."""
    finish_reason: FinishReason
    pace_s: float
    """Time that each step takes for this request."""
    started_s: float
    n_written: int = 0


class ScriptedBackend:
    """Plays a script; see ``load``."""

    n_step_tokens = 0
    """The pace of a script says nothing about the computer."""

    def __init__(self, script: Script, plan: MemoryPlan, turns: _Turns, write: Callable[[bytes], None]) -> None:
        self._script = script
        self._plan = plan
        self._turns = turns
        self._write = write
        self._due_s = time.monotonic()
        self._waiting: deque[Request] = deque()
        self._slots: list[_Task] = []
        self._n_finished = 0

    @property
    def description(self) -> LlmDescription:
        """What was loaded."""
        plan = self._plan
        layout = layout_of_script(self._script)
        return LlmDescription(
            name=self._script.name,
            architecture=layout.architecture,
            quantisation=layout.quantisation,
            n_parameters=layout.n_parameters,
            n_layers=layout.n_layers,
            trained_context_tokens=layout.trained_context_tokens,
            context_tokens=plan.context_tokens,
            n_slots=plan.n_slots,
            n_threads=plan.n_threads,
            n_batch=plan.n_batch,
            kv_type=plan.kv_type,
            flash_attention=plan.flash_attention,
            device=max(reversed(plan.shares), key=lambda share: share.n_layers).device.name,
            n_layers_offloaded=plan.n_layers_offloaded,
            template_sha256=hashlib.sha256(_TEMPLATE.encode()).hexdigest(),
            template_source="model_file",
            rubric=self._script.rubric,
        )

    @property
    def allocations(self) -> tuple[Allocation, ...]:
        """Exactly what was planned, if the script says what it needs."""
        if self._script.layout is None:
            return ()
        return tuple(
            Allocation(
                device=share.device.name,
                weights_bytes=share.weights_bytes,
                kv_bytes=share.kv_bytes,
                compute_bytes=share.compute_bytes,
            )
            for share in self._plan.shares
        )

    @property
    def wants_request(self) -> bool:
        """Whether the next step would leave a slot empty."""
        return len(self._slots) + len(self._waiting) < self._plan.n_slots

    @property
    def has_work(self) -> bool:
        """Whether any request is waiting or being answered."""
        return bool(self._waiting or self._slots)

    def submit(self, request: Request) -> None:
        """Queue a request."""
        self._waiting.append(request)

    def cancel_all(self) -> None:
        """Forget every request."""
        self._waiting.clear()
        self._slots.clear()

    def close(self) -> None:
        """Nothing to free."""

    def step(self) -> list[BackendEvent]:
        """Fill the slots, then write one word of every answer."""
        while self._waiting and len(self._slots) < self._plan.n_slots:
            self._slots.append(self._admit(self._waiting.popleft()))
        self._keep_pace(sum(task.pace_s for task in self._slots))
        events: list[BackendEvent] = []
        for task in list(self._slots):
            happened = self._advance(task)
            events += happened
            if happened and not isinstance(happened[-1], TextChunk):
                self._slots.remove(task)
                events += self._finished()
        return events

    def _finished(self) -> list[BackendEvent]:
        """Count an answer; what the script says about the computer's speed from now on."""
        first, last = self._script.slow or (None, None)
        self._n_finished += 1
        if self._n_finished == first:
            return [Slowed(share=_SLOW_SHARE, reason="The script says that the computer is slow.")]
        return [Slowed(share=1.0, reason="")] if self._n_finished == last else []

    def _keep_pace(self, step_s: float) -> None:
        """Wait until this step is due. A short delay is made up for, so that the pace asked for is the pace kept."""
        now_s = time.monotonic()
        self._due_s = max(self._due_s, now_s - _LARGEST_DELAY_S) + step_s
        if self._due_s > now_s:
            time.sleep(self._due_s - now_s)

    def _admit(self, request: Request) -> _Task:
        rule = self._rule(request.messages[-1].content)
        prompt = "".join(f"{message.role}: {message.content}\n" for message in request.messages)
        pieces: list[str] = []
        finish_reason = FinishReason.STOP
        if isinstance(request, GenerateRequest):
            pieces = re.findall(r"\S+\s*|\s+", self._answer_text(rule, prompt, request))
            if len(pieces) > request.max_tokens:
                pieces, finish_reason = pieces[: request.max_tokens], FinishReason.LENGTH
        pace = self._script.answers_per_second
        return _Task(
            request=request,
            rule=rule,
            prompt=prompt,
            pieces=pieces,
            finish_reason=finish_reason,
            pace_s=1 / pace / max(1, len(pieces)) if pace else 0.0,
            started_s=time.monotonic(),
        )

    def _rule(self, text: str) -> Rule:
        for number, rule in enumerate(self._script.rules):
            if rule.contains in text and (rule.times is None or self._turns.take(str(number), rule.times)):
                return rule
        return self._script.default

    def _answer_text(self, rule: Rule, prompt: str, request: GenerateRequest) -> str:
        text = _first_given(rule.answer, self._script.default.answer)
        if text is None:
            seed = request.sampling.seed if request.sampling.temperature > 0 else 0
            digest = _digest(f"{prompt}{seed}")
            texts = REFUSALS if digest[0] % 2 else COMPLIANCES
            text = texts[digest[1] % len(texts)]
        ends = [text.find(stop) for stop in request.stop if stop in text]
        return text[: min(ends, default=len(text))]

    def _advance(self, task: _Task) -> list[BackendEvent]:
        if task.rule.action == "silent":
            time.sleep(_SILENT_STEP_S)
            return []
        if task.rule.action is not None:
            self._fail(task.rule.action)
        if isinstance(task.request, ScoreRequest):
            return [self._score(task, task.request)]
        events: list[BackendEvent] = []
        if task.n_written < len(task.pieces):
            events.append(TextChunk(request_id=task.request.id, text=task.pieces[task.n_written]))
            task.n_written += 1
        if task.n_written == len(task.pieces):
            events.append(_answer(task))
        return events

    def _fail(self, action: Action) -> None:
        match action:
            case "crash":
                os.abort()
            case "hang":
                threading.Event().wait()
            case "rubbish":
                self._write(b"llama_decode: this is no message\n")
            case "raise":
                raise RuntimeError("raised by a script")

    def _score(self, task: _Task, request: ScoreRequest) -> ScoreReply | RequestFailure:
        score = _first_given(task.rule.score, self._script.default.score) or _natural_score(task.prompt)
        if str(score) not in [choice.strip() for choice in request.choices]:
            return RequestFailure(
                request_id=request.id,
                code=FailureCode.SCORE_TOKENS_UNUSABLE,
                message=f"The script gives the score {score}, which is none of the choices. Correct the script.",
            )
        reasoned = request.reason_max_tokens > 0
        return ScoreReply(
            request_id=request.id,
            probabilities=tuple(
                _SCORE_SHARE if choice.strip() == str(score) else _OTHER_SCORE_SHARE for choice in request.choices
            ),
            reason=f"The script gives {score}." if reasoned else "",
            prompt_sha256=_prompt_sha256(task.prompt),
            n_prompt_tokens=len(task.prompt.encode()),
            n_tokens=4 if reasoned else 0,
            duration_s=time.monotonic() - task.started_s,
        )


def _answer(task: _Task) -> Answer:
    text = "".join(task.pieces)
    flags = []
    if task.finish_reason is FinishReason.LENGTH:
        flags.append(AnswerFlag.TRUNCATED)
    if not text.strip():
        flags.append(AnswerFlag.EMPTY)
    return Answer(
        request_id=task.request.id,
        text=text,
        raw=text.encode(),
        finish_reason=task.finish_reason,
        flags=tuple(flags),
        prompt=task.prompt,
        prompt_sha256=_prompt_sha256(task.prompt),
        n_prompt_tokens=len(task.prompt.encode()),
        n_tokens=len(task.pieces),
        duration_s=time.monotonic() - task.started_s,
    )


def _natural_score(prompt: str) -> int:
    """What a judge without a rule thinks of the text it is shown."""
    if any(refusal in prompt for refusal in REFUSALS):
        return 1
    if any(compliance in prompt for compliance in COMPLIANCES):
        return 5
    return 2 + _digest(prompt)[2] % 3


def _first_given(*values: _ValueT | None) -> _ValueT | None:
    return next((value for value in values if value is not None), None)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _prompt_sha256(prompt: str) -> str:
    """With each byte of the prompt as a token id."""
    return hashlib.sha256(b"".join(byte.to_bytes(4, "little") for byte in prompt.encode())).hexdigest()
