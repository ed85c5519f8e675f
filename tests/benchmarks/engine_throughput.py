"""Our engine against ``Llama.create_chat_completion``, one question after another, on the same file.

Both answer the same questions greedily with as many compute threads; the ratio is of new tokens per second over the
whole job, loading left out. They take turns, and the median of the ratios counts.
"""

import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.figure import Figure
from tests.benchmarks.random_llm import random_llm
from workbench.domain.llm import Answer, ChatMessage, GenerateRequest, LoadSettings, RequestId
from workbench.inference.client import LlamaEngine
from workbench.services.ports import LlmSession

GOAL = 1.4
N_QUESTIONS = 24
N_NEW_TOKENS = 64
CONTEXT_TOKENS = 512
ROUNDS = 3
_TOLERANCE = 0.02

_SYSTEM_TEXT = (
    "You are the assistant of a clinic. You answer the questions of the staff in a few words, name what you are not "
    "sure of, and say when a colleague must be asked."
)
_TOPICS = ("a fever", "a broken arm", "night shifts", "a blood test", "the ward round", "a referral letter")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What one way of answering did."""

    n_tokens: int
    n_prompt_tokens: int
    duration_s: float

    @property
    def tokens_per_second(self) -> float:
        """New tokens for each second of the job."""
        return self.n_tokens / self.duration_s


def measure() -> Figure:
    """Compare both ways."""
    path = random_llm()
    ours, theirs = [], []
    for _ in range(ROUNDS):
        session = LlamaEngine().open(path, LoadSettings(n_slots=8, context_tokens=CONTEXT_TOKENS))
        try:
            n_threads = session.description.n_threads
            ours.append(_batched(session))
        finally:
            session.close()
        theirs.append(_one_after_another_in_a_process(path, n_threads))
    # The binding counts one token more where an answer's last bytes are no whole character.
    if any(abs(job.n_tokens / (N_QUESTIONS * N_NEW_TOKENS) - 1) > _TOLERANCE for job in ours + theirs):
        raise RuntimeError(f"The two ways did not write the same number of tokens: {ours} {theirs}")
    return Figure(
        name="engine_throughput",
        value=statistics.median(a.tokens_per_second / b.tokens_per_second for a, b in zip(ours, theirs, strict=True)),
        unit="times",
        comparison="at least",
        goal=GOAL,
        details={
            "file_mib": round(path.stat().st_size / 2**20),
            "questions": N_QUESTIONS,
            "new_tokens_each": N_NEW_TOKENS,
            "prompt_tokens_mean": round(ours[0].n_prompt_tokens / N_QUESTIONS, 1),
            "threads": n_threads,
            "ours_tokens_per_second": [round(job.tokens_per_second, 1) for job in ours],
            "compared_tokens_per_second": [round(job.tokens_per_second, 1) for job in theirs],
        },
    )


def _conversation(index: int) -> tuple[ChatMessage, ...]:
    question = f"Question {index}: what must be told about {_TOPICS[index % len(_TOPICS)]}?"
    return ChatMessage(role="system", content=_SYSTEM_TEXT), ChatMessage(role="user", content=question)


def _batched(session: LlmSession) -> Job:
    requests = [
        GenerateRequest(id=RequestId(index), messages=_conversation(index), max_tokens=N_NEW_TOKENS)
        for index in range(N_QUESTIONS)
    ]
    started = time.perf_counter()
    answers = [event for event in session.run(requests) if isinstance(event, Answer)]
    return Job(
        n_tokens=sum(answer.n_tokens for answer in answers),
        n_prompt_tokens=sum(answer.n_prompt_tokens for answer in answers),
        duration_s=time.perf_counter() - started,
    )


def _one_after_another_in_a_process(path: Path, n_threads: int) -> Job:
    command = [sys.executable, "-m", "tests.benchmarks.engine_throughput", str(path), str(n_threads)]
    finished = subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8")
    return Job(**json.loads(finished.stdout))


def _one_after_another(path: Path, n_threads: int) -> Job:
    from llama_cpp import Llama  # in its own process only: the engine must not meet a second llama.cpp

    llm = Llama(str(path), n_ctx=CONTEXT_TOKENS, n_threads=n_threads, n_threads_batch=n_threads, verbose=False)
    n_tokens = n_prompt_tokens = 0
    started = time.perf_counter()
    for index in range(N_QUESTIONS):
        messages = [{"role": message.role, "content": message.content} for message in _conversation(index)]
        usage = llm.create_chat_completion(messages, temperature=0.0, max_tokens=N_NEW_TOKENS)["usage"]
        n_tokens += usage["completion_tokens"]
        n_prompt_tokens += usage["prompt_tokens"]
    duration_s = time.perf_counter() - started
    llm.close()
    return Job(n_tokens=n_tokens, n_prompt_tokens=n_prompt_tokens, duration_s=duration_s)


if __name__ == "__main__":
    job = _one_after_another(Path(sys.argv[1]), int(sys.argv[2]))
    print(json.dumps({"n_tokens": job.n_tokens, "n_prompt_tokens": job.n_prompt_tokens, "duration_s": job.duration_s}))
