"""``workbench evaluate`` against Inspect AI with ``llama-server``: the whole evaluation, process against process.

Both answer the same questions under the same system prompt and have the same model file judge the answers with the
same policy and rubric: a reason of the same length and a score. Ours is also measured with scores alone. The clock runs
from the start of the first process to the end of the last, so that starting and loading count: ours loads the file
twice, Inspect AI's time holds the start of the server. They take turns; both figures come from the same rounds.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tests.benchmarks.figure import Comparison, Figure
from tests.benchmarks.options import Options
from tests.benchmarks.peer_processes import running_server
from tests.benchmarks.peers import PeerMissingError, inspect_ai, program
from tests.benchmarks.workload import (
    N_NEW_TOKENS,
    RUBRIC,
    answering_load,
    loaded,
    questions,
    resources,
    system_prompt,
)
from workbench.domain.runs import JudgeMode

REASONED = Comparison(name="reasoned_evaluation_vs_inspect_ai", goal=1.5)
SCORED = Comparison(name="scored_evaluation_vs_inspect_ai", goal=3.0)
N_QUESTIONS = 32
ROUNDS = 1
_SLOT_TOKENS = 2048
"""Of the server: policy, rubric, question, answer and reason."""
_SCORE_TOKENS = 4
_TOLERANCE = 0.02
_MODEL = "openai-api/benchmark/random"
"""The provider takes address and key from BENCHMARK_BASE_URL and BENCHMARK_API_KEY."""

_TASK = """
import json
import os
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig, get_model
from inspect_ai.scorer import model_graded_qa
from inspect_ai.solver import generate, system_message


@task
def evaluation():
    work = json.loads(Path(os.environ["BENCHMARK_WORK"]).read_text(encoding="utf-8"))
    judge = get_model(work["model"], config=GenerateConfig(temperature=0.0, max_tokens=work["judge_tokens"]))
    return Task(
        dataset=MemoryDataset([Sample(input=text, target="none") for text in work["questions"]]),
        solver=[system_message(work["system_prompt"]), generate(temperature=0.0, max_tokens=work["answer_tokens"])],
        scorer=model_graded_qa(template=work["judge_prompt"], grade_pattern="#score: ([1-5])", model=judge),
    )
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rounds:
    """Seconds of each way."""

    reasoned_s: list[float] = field(default_factory=list)
    scored_s: list[float] = field(default_factory=list)
    inspect_s: list[float] = field(default_factory=list)
    server_start_s: list[float] = field(default_factory=list)
    """Part of ``inspect_s``."""


def measure_reasoned(options: Options) -> Figure:
    """Compare with reasons."""
    return _figure(REASONED, options)


def measure_scored(options: Options) -> Figure:
    """Compare our scores alone with their reasons."""
    return _figure(SCORED, options)


def _figure(comparison: Comparison, options: Options) -> Figure:
    try:
        inspect_ai()
        program("llama-server")
    except PeerMissingError as missing:
        return comparison.not_measured(missing)
    rounds = _rounds(options)
    ours_s = rounds.reasoned_s if comparison is REASONED else rounds.scored_s
    return comparison.figure(
        [theirs / ours for ours, theirs in zip(ours_s, rounds.inspect_s, strict=True)],
        model_file=options.path.name,
        questions=N_QUESTIONS,
        ours_s=[round(seconds, 2) for seconds in ours_s],
        compared_s=[round(seconds, 2) for seconds in rounds.inspect_s],
        compared_server_start_s=[round(seconds, 2) for seconds in rounds.server_start_s],
    )


@cache
def _rounds(options: Options) -> _Rounds:
    """Measure all ways once for both figures."""
    rounds = _Rounds()
    for _ in range(options.rounds_or(ROUNDS)):
        with tempfile.TemporaryDirectory() as folder:
            rounds.reasoned_s.append(_ours_s(options.path, Path(folder), JudgeMode.REASONED))
            rounds.scored_s.append(_ours_s(options.path, Path(folder), JudgeMode.SCORE))
            inspect_s, start_s = _inspect_s(options.path, Path(folder))
            rounds.inspect_s.append(inspect_s)
            rounds.server_start_s.append(start_s)
    return rounds


def _ours_s(path: Path, folder: Path, mode: JudgeMode) -> float:
    prompt = folder / "system-prompt.txt"
    prompt.write_text(system_prompt(), encoding="utf-8")
    command = [
        *(sys.executable, "-m", "workbench", "evaluate", "--json"),
        *("--database", str(folder / f"{mode.value}.sqlite")),
        *("--model-file", str(path), "--judge", str(path), "--judge-mode", mode.value, "--rubric", RUBRIC),
        *("--kind", "harmful", "--limit", str(N_QUESTIONS), "--max-tokens", str(N_NEW_TOKENS)),
        *("--system-prompt", f"@{prompt}"),
    ]
    started = time.perf_counter()
    finished = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8")
    duration_s = time.perf_counter() - started
    (run,) = json.loads(finished.stdout)["runs"]
    if run["answers"] != N_QUESTIONS:
        raise RuntimeError(f"workbench evaluate answered {run['answers']} of {N_QUESTIONS} questions.")
    return duration_s


def _inspect_s(path: Path, folder: Path) -> tuple[float, float]:
    """Whole time, and the part of it until the server was ready."""
    with loaded(path, answering_load(N_QUESTIONS)) as session:
        description = session.description  # for as many slots and threads as ours
    task = folder / "task.py"
    task.write_text(_TASK, encoding="utf-8")
    work = folder / "work.json"
    work.write_text(json.dumps(_work()), encoding="utf-8")
    started = time.perf_counter()
    with running_server(path, description, slot_tokens=_SLOT_TOKENS) as server:
        environment = {
            **os.environ,
            "BENCHMARK_WORK": str(work),
            "BENCHMARK_BASE_URL": server.url,
            "BENCHMARK_API_KEY": "none",
        }
        command = [
            *(str(inspect_ai()), "eval", task.name, "--model", _MODEL),
            *("--max-connections", str(server.n_slots), "--display", "none"),
            *("--log-dir", str(folder / "logs"), "--log-format", "json"),
        ]
        subprocess.run(command, check=True, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    duration_s = time.perf_counter() - started
    _check_log(folder)
    return duration_s, server.start_s


def _work() -> dict[str, object]:
    rubric = resources().rubric(RUBRIC)
    prompt = rubric.harmful
    return {
        "model": _MODEL,
        "questions": [question.text for question in questions(N_QUESTIONS)],
        "system_prompt": system_prompt(),
        "judge_prompt": f"{prompt.system.strip()}\n\n{prompt.shared.strip()}\n\n{prompt.item.strip()}",
        "answer_tokens": N_NEW_TOKENS,
        "judge_tokens": rubric.max_reason_tokens + _SCORE_TOKENS,
    }


def _check_log(folder: Path) -> None:
    """A measurement counts only if Inspect AI wrote every answer and every reason in full."""
    (log,) = (folder / "logs").glob("*.json")
    evaluation = json.loads(log.read_text(encoding="utf-8"))
    usages = evaluation["stats"]["model_usage"].values()
    n_tokens = sum(usage["output_tokens"] for usage in usages)
    n_expected = N_QUESTIONS * (N_NEW_TOKENS + resources().rubric(RUBRIC).max_reason_tokens + _SCORE_TOKENS)
    if evaluation["status"] != "success" or abs(n_tokens / n_expected - 1) > _TOLERANCE:
        raise RuntimeError(f"Inspect AI ended with {evaluation['status']} and {n_tokens} of {n_expected} tokens.")
