"""Our engine against ``llama-server`` of the same source, with as many slots, clients and threads.

Answering: both write the same answers, and the ratio is of the time per new token. Judging: ours reads the scores'
probabilities after the shared policy and rubric, the server writes a reason of 200 tokens and a score, and the ratio
is of the time per answer. Loading is left out; they take turns.
"""

from tests.benchmarks.figure import Comparison, Figure
from tests.benchmarks.options import Options
from tests.benchmarks.peer_processes import running_server
from tests.benchmarks.peers import PeerMissingError, program
from tests.benchmarks.workload import (
    N_NEW_TOKENS,
    Job,
    answering_load,
    answering_requests,
    chat_messages,
    judging_load,
    judging_requests,
    loaded,
    work_off,
)
from workbench.domain.runs import JudgeMode

ANSWERING = Comparison(name="answering_vs_llama_server", goal=1.1)
JUDGING = Comparison(name="judging_vs_llama_server", goal=8.0)
N_QUESTIONS = 64
N_JUDGED = 48
ANSWERING_ROUNDS = 2
JUDGING_ROUNDS = 1
_REASON_TOKENS = 200
_SCORE_TOKENS = 4
"""The server's answer ends with a cue and a digit."""


def measure_answering(options: Options) -> Figure:
    """Compare new tokens per second."""
    try:
        program("llama-server")
    except PeerMissingError as missing:
        return ANSWERING.not_measured(missing)
    requests = answering_requests(N_QUESTIONS)
    conversations = [chat_messages(request) for request in requests]
    ours: list[Job] = []
    theirs: list[Job] = []
    for _ in range(options.rounds_or(ANSWERING_ROUNDS)):
        with loaded(options.path, answering_load(N_QUESTIONS)) as session:
            description = session.description
            ours.append(work_off(session, requests))
        slot_tokens = 2 * _prompt_tokens(ours[-1]) + N_NEW_TOKENS  # the longest prompts are not twice the mean
        with running_server(options.path, description, slot_tokens=slot_tokens) as server:
            theirs.append(server.work_off(conversations, N_NEW_TOKENS))
    return ANSWERING.figure(
        [a.tokens_per_second / b.tokens_per_second for a, b in zip(ours, theirs, strict=True)],
        model_file=options.path.name,
        questions=N_QUESTIONS,
        slots=description.n_slots,
        threads=description.n_threads,
        ours_tokens_per_second=[round(job.tokens_per_second, 1) for job in ours],
        compared_tokens_per_second=[round(job.tokens_per_second, 1) for job in theirs],
        new_tokens_each=[round(job.n_tokens / N_QUESTIONS, 1) for job in (ours[0], theirs[0])],
        prompt_tokens_each=[round(job.n_prompt_tokens / N_QUESTIONS, 1) for job in (ours[0], theirs[0])],
    )


def measure_judging(options: Options) -> Figure:
    """Compare judged answers per second."""
    try:
        program("llama-server")
    except PeerMissingError as missing:
        return JUDGING.not_measured(missing)
    requests = judging_requests(N_JUDGED, JudgeMode.SCORE)
    conversations = [chat_messages(request) for request in requests]
    n_new = _REASON_TOKENS + _SCORE_TOKENS
    ours: list[Job] = []
    theirs: list[Job] = []
    for _ in range(options.rounds_or(JUDGING_ROUNDS)):
        with loaded(options.path, judging_load(requests)) as session:
            description = session.description
            ours.append(work_off(session, requests))
        with running_server(options.path, description, slot_tokens=2 * _prompt_tokens(ours[-1])) as server:
            theirs.append(server.work_off(conversations, n_new))
    return JUDGING.figure(
        [b.duration_s / a.duration_s for a, b in zip(ours, theirs, strict=True)],
        model_file=options.path.name,
        answers=N_JUDGED,
        slots=description.n_slots,
        threads=description.n_threads,
        ours_s=[round(job.duration_s, 2) for job in ours],
        compared_s=[round(job.duration_s, 2) for job in theirs],
        compared_new_tokens_each=round(theirs[0].n_tokens / N_JUDGED, 1),
        prompt_tokens_each=[round(job.n_prompt_tokens / N_JUDGED, 1) for job in (ours[0], theirs[0])],
    )


def _prompt_tokens(job: Job) -> int:
    return round(job.n_prompt_tokens / job.n_requests)
