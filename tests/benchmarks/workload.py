"""The work that all ways of evaluating are given: realistic lengths, the same texts, and what it took them.

A system prompt of about 110 tokens that all questions share, questions of about 30, answers of 128; a judge reads
about 1,150 shared tokens of policy and rubric, then question and answer.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from workbench import paths
from workbench.domain.judging import score_request
from workbench.domain.llm import (
    Answer,
    ChatMessage,
    GenerateRequest,
    LoadSettings,
    Request,
    RequestFailure,
    RequestId,
    ScoreReply,
    ScoreRequest,
)
from workbench.domain.questions import Question, QuestionKind, QuestionSelection, RevisionId, select
from workbench.domain.runs import JudgeMode
from workbench.inference.client import LlamaEngine
from workbench.services.answering import estimated_tokens, with_request_tokens
from workbench.services.judging import JUDGE_LOAD
from workbench.services.ports import LlmSession
from workbench.services.resources import DEFAULT_PRESET, STARTER_SET, Resources

N_NEW_TOKENS = 128
"""The longest answer; random llms always take it."""
RUBRIC = "medical-harm-1"
_ANSWER_WORDS = 96
"""About 130 tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What one way of doing the work took."""

    n_requests: int
    n_tokens: int
    """New ones, of all answers."""
    n_prompt_tokens: int
    """Of all prompts, shared beginnings counted with each."""
    duration_s: float
    """Loading left out."""

    @property
    def tokens_per_second(self) -> float:
        """New tokens for each second."""
        return self.n_tokens / self.duration_s


def resources() -> Resources:
    """The program's own texts."""
    return Resources(paths.resources_dir(), paths.practice_models_dir())


def system_prompt() -> str:
    """The usual one without its last sentence."""
    return resources().preset(DEFAULT_PRESET).system_prompt.rsplit(". ", 1)[0]


def questions(n_questions: int) -> list[Question]:
    """Harmful starter questions, the ones that ``workbench evaluate --kind harmful --limit N`` asks."""
    drafts = resources().question_set(STARTER_SET)
    known = [
        Question(
            id=draft.id,
            revision_id=RevisionId(number),
            pair=draft.pair,
            kind=draft.kind,
            principle=draft.principle,
            split=draft.split,
            text=draft.text,
        )
        for number, draft in enumerate(drafts)
    ]
    return select(known, QuestionSelection(question_set=STARTER_SET, kind=QuestionKind.HARMFUL, limit=n_questions))


def answering_requests(n_questions: int) -> list[GenerateRequest]:
    """Questions under the system prompt, to be answered greedily."""
    system = ChatMessage(role="system", content=system_prompt())
    return [
        GenerateRequest(
            id=RequestId(position),
            messages=(system, ChatMessage(role="user", content=question.text)),
            max_tokens=N_NEW_TOKENS,
        )
        for position, question in enumerate(questions(n_questions))
    ]


def judging_requests(n_answers: int, mode: JudgeMode) -> list[ScoreRequest]:
    """Answers to be judged; each is put together from the words of other questions."""
    asked = questions(n_answers)
    words = " ".join(question.text for question in asked).split()
    rubric = resources().rubric(RUBRIC)
    requests = []
    for position, question in enumerate(asked):
        start = position * len(words) // n_answers
        answer = " ".join(islice((words + words)[start:], _ANSWER_WORDS))
        requests.append(score_request(rubric, mode, question.kind, question.text, answer, RequestId(position)))
    return requests


def answering_load(n_questions: int) -> LoadSettings:
    """How the program itself would load a file for ``answering_requests``."""
    return with_request_tokens(LoadSettings(), questions(n_questions), N_NEW_TOKENS)


def judging_load(requests: Sequence[ScoreRequest]) -> LoadSettings:
    """How the program itself would load a judge; policy and rubric are shared and not counted."""
    shared = len(resources().rubric(RUBRIC).harmful.shared)
    longest = max(len(request.messages[-1].content) for request in requests) - shared
    reason_tokens = max(request.reason_max_tokens for request in requests)
    return replace(JUDGE_LOAD, request_tokens=estimated_tokens(" " * longest) + reason_tokens)


def chat_messages(request: Request) -> list[dict[str, str]]:
    """The messages of a request as the peers' interfaces take them."""
    return [{"role": message.role, "content": message.content} for message in request.messages]


@contextmanager
def loaded(path: Path, load: LoadSettings) -> Iterator[LlmSession]:
    """A session of the program's own engine, closed at the end."""
    session = LlamaEngine().open(path, load)
    try:
        yield session
    finally:
        session.close()


def work_off(session: LlmSession, requests: Sequence[Request]) -> Job:
    """Have the program's own engine do all requests.

    Raises:
        RuntimeError: If one of them failed.
    """
    started = time.perf_counter()
    finals = [
        event
        for events in session.run(requests)
        for event in events
        if isinstance(event, Answer | ScoreReply | RequestFailure)
    ]
    duration_s = time.perf_counter() - started
    replies = [event for event in finals if not isinstance(event, RequestFailure)]
    if len(replies) < len(requests):
        raise RuntimeError(f"Requests failed: {[event for event in finals if isinstance(event, RequestFailure)]}")
    return Job(
        n_requests=len(replies),
        n_tokens=sum(reply.n_tokens for reply in replies),
        n_prompt_tokens=sum(reply.n_prompt_tokens for reply in replies),
        duration_s=duration_s,
    )


def n_shared_tokens(path: Path) -> int:
    """Tokens that the prompts of all ``answering_requests`` begin with, by the file's own tokenizer."""
    import llama_cpp  # reads the vocabulary alone and computes nothing, so that it does not disturb a measurement

    shared = f"<|im_start|>system\n{system_prompt()}<|im_end|>\n<|im_start|>user\n"
    llm = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
    try:
        return len(llm.tokenize(shared.encode(), add_bos=False, special=True))
    finally:
        llm.close()
