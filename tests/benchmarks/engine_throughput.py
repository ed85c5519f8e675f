"""Our engine against ``Llama.create_chat_completion``, one question after another, on the same file.

Both answer the same questions greedily with as many compute threads; ours chooses its slots itself. The ratio is of
new tokens per second over the whole job, loading left out. They take turns.
"""

import json
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks.figure import Comparison, Figure
from tests.benchmarks.options import Options
from tests.benchmarks.workload import (
    N_NEW_TOKENS,
    Job,
    answering_load,
    answering_requests,
    chat_messages,
    loaded,
    work_off,
)

COMPARISON = Comparison(name="engine_throughput", goal=1.5)
N_QUESTIONS = 48
ROUNDS = 2
_CONTEXT_TOKENS = 512
_TOLERANCE = 0.02


def measure(options: Options) -> Figure:
    """Compare both ways."""
    path = options.path
    ours: list[Job] = []
    theirs: list[Job] = []
    for _ in range(options.rounds_or(ROUNDS)):
        with loaded(path, answering_load(N_QUESTIONS)) as session:
            description = session.description
            ours.append(work_off(session, answering_requests(N_QUESTIONS)))
        theirs.append(_one_after_another_in_a_process(path, description.n_threads))
    # The binding counts one token more where an answer's last bytes are no whole character.
    if any(abs(job.n_tokens / (N_QUESTIONS * N_NEW_TOKENS) - 1) > _TOLERANCE for job in ours + theirs):
        raise RuntimeError(f"The two ways did not write the same number of tokens: {ours} {theirs}")
    return COMPARISON.figure(
        [a.tokens_per_second / b.tokens_per_second for a, b in zip(ours, theirs, strict=True)],
        model_file=path.name,
        questions=N_QUESTIONS,
        new_tokens_each=N_NEW_TOKENS,
        prompt_tokens_mean=round(ours[0].n_prompt_tokens / N_QUESTIONS, 1),
        slots=description.n_slots,
        threads=description.n_threads,
        ours_tokens_per_second=[round(job.tokens_per_second, 1) for job in ours],
        compared_tokens_per_second=[round(job.tokens_per_second, 1) for job in theirs],
    )


def _one_after_another_in_a_process(path: Path, n_threads: int) -> Job:
    command = [sys.executable, "-m", "tests.benchmarks.engine_throughput", str(path), str(n_threads)]
    finished = subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8")
    return Job(**json.loads(finished.stdout))


def _one_after_another(path: Path, n_threads: int) -> Job:
    from llama_cpp import Llama  # in its own process only: the engine must not meet a second llama.cpp

    llm = Llama(str(path), n_ctx=_CONTEXT_TOKENS, n_threads=n_threads, n_threads_batch=n_threads, verbose=False)
    n_tokens = n_prompt_tokens = 0
    requests = answering_requests(N_QUESTIONS)
    started = time.perf_counter()
    for request in requests:
        usage = llm.create_chat_completion(chat_messages(request), temperature=0.0, max_tokens=N_NEW_TOKENS)["usage"]
        n_tokens += usage["completion_tokens"]
        n_prompt_tokens += usage["prompt_tokens"]
    duration_s = time.perf_counter() - started
    llm.close()
    return Job(n_requests=len(requests), n_tokens=n_tokens, n_prompt_tokens=n_prompt_tokens, duration_s=duration_s)


if __name__ == "__main__":
    print(json.dumps(asdict(_one_after_another(Path(sys.argv[1]), int(sys.argv[2])))))
