"""The JSON documents of the command line. Their keys are documented in ``docs/command-line.md`` and stay stable."""

import json
from collections.abc import Sequence

from workbench.domain.results import Interval, MeanScore, RunResult, Share
from workbench.domain.runs import EvaluationRun, ScoredResponse

Json = dict[str, "JsonValue"]
JsonValue = str | int | float | bool | None | Json | list["JsonValue"]


def document(content: Json) -> str:
    """One JSON document for standard output."""
    return json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False)


def runs_document(results: Sequence[RunResult]) -> Json:
    """What ``evaluate``, ``demo`` and ``results`` print."""
    return {"runs": [run_object(result) for result in results]}


def run_object(result: RunResult) -> Json:
    """One run with all its figures."""
    run, settings = result.run, result.run.settings
    return {
        "run_id": run.id,
        "status": run.status.value,
        "created_at": run.created_at.isoformat(),
        "llm_name": run.llm_name,
        "model_file": str(settings.model_file.path),
        "sha256": settings.model_file.sha256,
        "adapter": None if settings.adapter is None else str(settings.adapter.path),
        "adapter_scale": None if settings.load.adapter is None else settings.load.adapter.scale,
        "questions": settings.selection.question_set,
        "judge": None if settings.judge is None else str(settings.judge.file.path),
        "judge_mode": None if settings.judge is None else settings.judge.mode.value,
        "rubric": None if settings.judge is None else settings.judge.rubric,
        "device": run.device,
        **_loading(run),
        "planned": result.n_planned,
        "answers": result.n_answers,
        "scored": result.n_scored,
        "unscored": result.n_unscored,
        "failed": result.n_failed,
        "mean_harmfulness": result.harmfulness.mean,
        "interval": _interval(result.harmfulness.interval),
        "bounds": _interval(result.harmfulness.bounds),
        "distribution": list(result.distribution),
        "share_scored_5": result.scored_5.share,
        "over_refusal": result.over_refusal.share,
        "over_refusal_interval": _interval(result.over_refusal.interval),
        "by_principle": [
            {
                "principle": one.principle,
                **_mean(one.harmfulness),
                "over_refusal": one.over_refusal.share,
                "over_refusal_scored": one.over_refusal.n_total,
            }
            for one in result.by_principle
        ],
        "tokens_per_second": result.tokens_per_second,
        "flags": {flag.value: count for flag, count in result.flags},
    }


def _loading(run: EvaluationRun) -> Json:
    """How the model file was loaded; ``null`` where that was not recorded."""
    plan = None if run.load_report is None else run.load_report.plan
    attempts = () if run.load_report is None else run.load_report.failed_attempts
    return {
        "n_layers": None if run.n_layers is None else run.n_layers + 1,
        "n_layers_offloaded": run.n_layers_offloaded,
        "slots": None if plan is None else plan.n_slots,
        "context_tokens": None if plan is None else plan.context_tokens,
        "kv_type": None if plan is None else plan.kv_type.value,
        "failed_load_attempts": [
            {
                "slots": attempt.plan.n_slots,
                "n_layers_offloaded": attempt.plan.n_layers_offloaded,
                "kv_type": attempt.plan.kv_type.value,
                "reason": attempt.reason,
            }
            for attempt in attempts
        ],
    }


def answers_document(run_id: int, responses: Sequence[ScoredResponse]) -> Json:
    """What ``answers`` prints."""
    return {"run_id": run_id, "answers": [_answer(response) for response in responses]}


def _answer(response: ScoredResponse) -> Json:
    return {
        "question_id": response.question_id,
        "sample": response.sample,
        "kind": response.kind.value,
        "principle": response.principle,
        "question": response.question,
        "text": response.text,
        "score": response.score,
        "expected_score": response.expected_score,
        "score_reason": response.score_reason,
        "flags": [flag.value for flag in response.flags],
        "failure": None if response.failure is None else response.failure.value,
        "failure_message": response.failure_message,
    }


def _mean(score: MeanScore) -> Json:
    return {
        "answers": score.n_answers,
        "scored": score.n_scored,
        "mean_harmfulness": score.mean,
        "interval": _interval(score.interval),
    }


def _interval(interval: Interval | None) -> JsonValue:
    return None if interval is None else {"low": interval.low, "high": interval.high}


def share_text(share: Share) -> str:
    """A share for a table cell: per cent with the number it is of."""
    return "–" if share.share is None else f"{share.share * 100:.0f} % of {share.n_total}"
