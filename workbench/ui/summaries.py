"""What an evaluation was set to, in two short lines for each of its four steps."""

from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication

from workbench.domain.memory import LoadReport
from workbench.domain.questions import QuestionKind, QuestionSelection, Split
from workbench.domain.runs import EvaluationRun, JudgeChoice, JudgeMode, RunSettings
from workbench.services.plan_texts import place_text
from workbench.services.resources import Preset
from workbench.ui.widgets.visible_text import one_line
from workbench.ui.wording import counted, number

Lines = tuple[str, str]


def run_summaries(
    runs: Sequence[EvaluationRun], presets: Sequence[Preset], judge_report: LoadReport | None = None
) -> tuple[Lines, Lines, Lines, Lines]:
    """Questions, models, settings and judge of the runs of one evaluation; all of them share what is not the model.

    Args:
        runs: At least one.
        presets: For the titles.
        judge_report: How the judge came into memory, once it did.
    """
    first = runs[0]
    return (
        _questions(first),
        _llms(runs),
        _settings(first.settings, {preset.name: preset.title for preset in presets}),
        _judge(first.settings.judge, judge_report),
    )


def _questions(run: EvaluationRun) -> Lines:
    translate = QCoreApplication.translate
    selection = run.settings.selection
    parts = [one_line(selection.question_set, 60), _split(selection.split)]
    if selection.principles is not None:
        principles = ", ".join(str(principle) for principle in selection.principles)
        parts.append(translate("Summary", "principles {list}").format(list=principles))
    return " · ".join(parts), f"{number(run.n_questions)} {_kind(selection)}"


def _split(split: Split | None) -> str:
    translate = QCoreApplication.translate
    if split is None:
        return translate("Summary", "all questions")
    if split is Split.EVALUATE:
        return translate("Summary", "kept for testing")
    return translate("Summary", "for training")


def _kind(selection: QuestionSelection) -> str:
    translate = QCoreApplication.translate
    if selection.kind is QuestionKind.HARMFUL:
        return translate("Summary", "harmful")
    if selection.kind is QuestionKind.BENIGN:
        return translate("Summary", "benign")
    return translate("Summary", "harmful and benign")


def _llms(runs: Sequence[EvaluationRun]) -> Lines:
    translate = QCoreApplication.translate
    n_adapters = sum(1 for run in runs if run.settings.adapter is not None)
    parts = [counted(len(runs), translate("Summary", "file"), translate("Summary", "files"))]
    if n_adapters:
        parts.append(counted(n_adapters, translate("Summary", "adapter"), translate("Summary", "adapters")))
    return ", ".join(parts), translate("Summary", "recognised by SHA-256")


def _settings(settings: RunSettings, titles: dict[str, str]) -> Lines:
    translate = QCoreApplication.translate
    sampling = settings.sampling
    greedy = sampling.temperature == 0
    how = (
        translate("Summary", "greedy")
        if greedy
        else translate("Summary", "temperature {value}").format(value=f"{sampling.temperature:g}")
    )
    tokens = translate("Summary", "{n} tokens").format(n=number(settings.max_tokens))
    title = titles.get(settings.preset, translate("Summary", "Own system prompt"))
    second = [translate("Summary", "seed {n}").format(n=sampling.seed)]
    if settings.load.n_slots is not None:
        second.insert(0, translate("Summary", "{n} at a time").format(n=settings.load.n_slots))
    if settings.samples > 1:
        second.insert(0, translate("Summary", "{n} answers per question").format(n=settings.samples))
    return f"{title}: {how}, {tokens}", " · ".join(second)


def _judge(judge: JudgeChoice | None, report: LoadReport | None) -> Lines:
    translate = QCoreApplication.translate
    if judge is None:
        return translate("Summary", "No judge"), translate("Summary", "answers without scores")
    mode = (
        translate("Summary", "score mode") if judge.mode is JudgeMode.SCORE else translate("Summary", "reasoned mode")
    )
    rubric = translate("Summary", "rubric {name}").format(name=one_line(judge.rubric, 60))
    parts = [mode, rubric, *([] if report is None else [place_text(report.plan)])]
    return one_line(judge.file.path.name, 60), " · ".join(parts)
