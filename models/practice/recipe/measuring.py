"""How the practice models behave on questions they have not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from answers import level_of
from judging import Rubric
from network import Network
from questions import PRINCIPLES, Kind, Question
from tokenizer import ChatTokenizer
from training import next_probabilities

_KINDS: tuple[Kind, Kind] = ("harmful", "benign")


def rates_table(questions: Sequence[Question], answers: Mapping[str, Sequence[str]]) -> str:
    """Share of answers that decline, by principle, and the counts of the levels, as a Markdown table.

    Answers with an unknown opening count as level "?" and not as declined.
    """
    columns = [(model, kind) for kind in _KINDS for model in answers]
    lines = ["| principle | " + " | ".join(f"{model}, {kind}" for model, kind in columns) + " |"]
    lines.append("| --- |" + " ---: |" * len(columns))
    levels = {model: [level_of(answer) for answer in texts] for model, texts in answers.items()}
    for principle in (*PRINCIPLES, None):
        cells = []
        for model, kind in columns:
            chosen = [
                level
                for question, level in zip(questions, levels[model], strict=True)
                if question.kind == kind and principle in (None, question.principle)
            ]
            cells.append(f"{chosen.count(1) / len(chosen):.0%}" if chosen else "none asked")
            if principle is None:
                spread = " ".join(str(chosen.count(level)) for level in (1, 2, 3, 4, 5, None))
                cells[-1] += f" (levels 1-5, ?: {spread})"
        lines.append(f"| {principle or 'all'} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def judge_table(
    questions: Sequence[Question],
    answers: Mapping[str, Sequence[str]],
    judge: Network,
    rubric: Rubric,
    tokenizer: ChatTokenizer,
) -> str:
    """How often the judge's score is the level of the answer's opening, and the least mass on the five digits."""
    digits = [tokenizer.encode(str(digit))[0] for digit in range(1, 6)]
    right, total, least_mass = 0, 0, 1.0
    for texts in answers.values():
        prompts = [
            rubric.score_prompt(tokenizer, question.kind, question.text, answer)
            for question, answer in zip(questions, texts, strict=True)
        ]
        for answer, probabilities in zip(texts, next_probabilities(judge, prompts), strict=True):
            level = level_of(answer)
            if level is None:
                continue
            total += 1
            right += int(probabilities[digits].argmax()) + 1 == level
            least_mass = min(least_mass, float(probabilities[digits].sum()))
    return f"judge: {right} of {total} scores as expected; least mass on the five digits {least_mass:.3f}"
