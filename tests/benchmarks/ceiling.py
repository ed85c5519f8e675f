"""The whole answering job against the least time llama.cpp could take for it.

``llama-batched-bench`` says how many tokens of prompts and how many new tokens, with as many answers at the same time
as our slots, this build computes per second on this machine. The least time for the job is then

    (shared prompt once + every question's own tokens) / prompt speed + new tokens / generation speed

where the generation speed is taken at the depth the job has: sequences that begin with a whole prompt and grow by as
many tokens as an answer has. The figure is that time divided by the time our job took, loading left out of both.
"""

from tests.benchmarks.figure import Comparison, Figure
from tests.benchmarks.options import Options
from tests.benchmarks.peer_processes import BatchedBench, batched_bench
from tests.benchmarks.peers import PeerMissingError, program
from tests.benchmarks.workload import (
    N_NEW_TOKENS,
    Job,
    answering_load,
    answering_requests,
    loaded,
    n_shared_tokens,
    work_off,
)

N_QUESTIONS = 64
ROUNDS = 3
COMPARISON = Comparison(name="whole_job_vs_ceiling", goal=0.95)


def measure(options: Options) -> Figure:
    """Let the job and the ceiling take turns."""
    try:
        program("llama-batched-bench")
    except PeerMissingError as missing:
        return COMPARISON.not_measured(missing)
    path = options.path
    requests = answering_requests(N_QUESTIONS)
    n_shared = n_shared_tokens(path)
    jobs: list[Job] = []
    benches: list[BatchedBench] = []
    for _ in range(options.rounds_or(ROUNDS)):
        with loaded(path, answering_load(N_QUESTIONS)) as session:
            description = session.description
            jobs.append(work_off(session, requests))
        n_prompt = round(jobs[-1].n_prompt_tokens / N_QUESTIONS)
        benches.append(batched_bench(path, description, prompt_tokens=n_prompt, new_tokens=N_NEW_TOKENS))
    ceilings_s = [least_s(job, n_shared, bench) for job, bench in zip(jobs, benches, strict=True)]
    return COMPARISON.figure(
        [ceiling_s / job.duration_s for ceiling_s, job in zip(ceilings_s, jobs, strict=True)],
        model_file=path.name,
        questions=N_QUESTIONS,
        slots=description.n_slots,
        threads=description.n_threads,
        shared_prompt_tokens=n_shared,
        prompt_tokens_mean=round(jobs[0].n_prompt_tokens / N_QUESTIONS, 1),
        new_tokens_mean=round(jobs[0].n_tokens / N_QUESTIONS, 1),
        job_s=[round(job.duration_s, 2) for job in jobs],
        ceiling_s=[round(ceiling_s, 2) for ceiling_s in ceilings_s],
        prompt_tokens_per_second=[round(bench.prompt_tokens_per_second, 1) for bench in benches],
        new_tokens_per_second=[round(bench.new_tokens_per_second, 1) for bench in benches],
    )


def least_s(job: Job, n_shared: int, bench: BatchedBench) -> float:
    """The least time for a job, in seconds; prompts begin with ``n_shared`` tokens that have to be read once only."""
    n_prompt = job.n_prompt_tokens - (job.n_requests - 1) * n_shared
    return n_prompt / bench.prompt_tokens_per_second + job.n_tokens / bench.new_tokens_per_second
