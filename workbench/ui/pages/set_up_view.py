"""The four steps of an evaluation and the sentence that sums them up."""

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from workbench.domain.questions import Question
from workbench.errors import WorkbenchError
from workbench.services.answering import with_request_tokens
from workbench.services.evaluation import EvaluationRequest
from workbench.services.judging import judge_load
from workbench.services.plan_texts import gib
from workbench.services.progress import Role
from workbench.services.resources import DEFAULT_RUBRIC
from workbench.ui.estimates import answer_times, answering_s
from workbench.ui.pages.page import PageContext
from workbench.ui.planning import Planner, PlanReply, PlanWish
from workbench.ui.steps.judge_step import JudgeStep
from workbench.ui.steps.llms_step import LlmsStep, PickFiles, pick_files
from workbench.ui.steps.memory_card import MemoryCard
from workbench.ui.steps.questions_step import QuestionsStep
from workbench.ui.steps.settings_step import SettingsStep
from workbench.ui.theme import SPACE
from workbench.ui.widgets.card_grid import CardGrid
from workbench.ui.widgets.notice import Notice
from workbench.ui.wording import counted, number, rough_duration


class SetUpView(QWidget):
    """Everything a person chooses before Start."""

    changed = Signal()
    """Something was chosen, or a plan came."""
    failed = Signal(WorkbenchError)
    """The question sets could not be read."""

    def __init__(self, context: PageContext, pick: PickFiles = pick_files) -> None:
        super().__init__()
        self._context = context
        workbench = context.workbench
        resources = workbench.resources
        self._times: dict[Path, float] = {}
        self._timed: frozenset[Path] = frozenset()
        self.questions = QuestionsStep(resources.principles())
        self.llms = LlmsStep(self._check_file, context.background, pick)
        self.settings = SettingsStep(context.theme, resources.presets())
        self.judge = JudgeStep(resources.rubrics(), self._check_file, context.background, pick)
        self.memory = MemoryCard(context.theme)
        steps = (self.questions, self.llms, self.settings, self.judge, self.memory)
        self._planner = Planner(workbench, context.background, self)
        self._planner.replied.connect(self._on_plan)
        self._summary = Notice("", "callout")
        # Several fields change at once when a preset is chosen; the sentence is written once for all of them.
        self._later = QTimer(self, singleShot=True, interval=0)
        self._later.timeout.connect(self._refresh)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2 * SPACE)
        column.addWidget(self._summary)
        halves = (_column(self.questions, self.llms), _column(self.settings, self.judge))
        column.addWidget(CardGrid(context.theme, halves, least_width=420, columns=2))
        column.addWidget(self.memory)
        column.addStretch(1)
        for step in steps:
            step.changed.connect(self._later.start)

    @property
    def summary(self) -> str:
        """The sentence above the steps."""
        return self._summary.text

    @property
    def ready(self) -> bool:
        """Whether there is something to ask and someone to answer."""
        return bool(self.llms.rows) and bool(self.questions.chosen_questions())

    def read(self) -> None:
        """Read question sets, earlier answer times and free memory afresh."""
        task = self._context.background.run_function(self._question_sets)
        task.succeeded.connect(self._on_questions)
        task.failed.connect(self.failed)
        task.start()
        self._timed = frozenset()
        self._planner.forget()
        self._later.start()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        """Plans are made only while somebody can see them."""
        super().showEvent(event)
        self._later.start()

    def choose(self, request: EvaluationRequest) -> None:
        """Set every step from a request; memory and device are left to the plan."""
        self.questions.choose(request.selection)
        self.llms.clear()
        self.llms.add([llm.path for llm in request.llms])
        self.settings.choose(request.preset, max_tokens=request.max_tokens)
        self.memory.reset()  # how a shipped evaluation is loaded must not stay for files chosen later
        if request.judge is None:
            self.judge.clear()
        else:
            self.judge.choose(request.judge.path)

    def request(self) -> EvaluationRequest:
        """What is chosen."""
        return EvaluationRequest(
            llms=self.llms.choices(),
            selection=self.questions.selection(),
            system_prompt=self.settings.system_prompt,
            preset=self.settings.preset,
            sampling=self.settings.sampling(),
            max_tokens=self.settings.max_tokens,
            samples=self.settings.samples,
            load=self.memory.settings(),
            judge=self.judge.request(),
        )

    def _check_file(self, path: Path) -> None:
        self._context.workbench.engine.check(path)

    def _question_sets(self) -> dict[str, list[Question]]:
        store = self._context.workbench.store
        return {name: store.questions(name) for name in store.question_sets()}

    def _on_questions(self, questions: dict[str, list[Question]]) -> None:
        self.questions.set_questions(questions)

    def _refresh(self) -> None:
        paths = frozenset(row.path for row in self.llms.rows)
        if paths and paths != self._timed:
            self._timed = paths
            self._read_times(paths)
        if self.isVisible():
            wishes = self._wishes()
            if self._planner.wish(wishes):
                self.memory.show_pending(wishes)
        self._summary.set_text(self._sentence())
        self.changed.emit()

    def _wishes(self) -> list[PlanWish]:
        """Every chosen file as the evaluation would load it."""
        load = with_request_tokens(self.memory.settings(), self.questions.chosen_questions(), self.settings.max_tokens)
        wishes = [
            PlanWish(path=llm.path.absolute(), role=Role.ANSWERING, settings=replace(load, adapter=llm.adapter))
            for llm in self.llms.choices()
        ]
        judge = self.judge.request()
        if judge is not None:
            rubric = self._context.workbench.resources.rubric(judge.rubric or DEFAULT_RUBRIC)
            settings = judge_load(rubric, judge.mode, load)
            wishes.append(PlanWish(path=judge.path.absolute(), role=Role.JUDGING, settings=settings))
        return wishes

    def _on_plan(self, reply: PlanReply) -> None:
        self.memory.show_reply(reply)
        self._summary.set_text(self._sentence())
        self.changed.emit()

    def _read_times(self, paths: frozenset[Path]) -> None:
        workbench = self._context.workbench
        task = self._context.background.run_function(lambda: answer_times(workbench, list(paths)))
        task.succeeded.connect(self._on_times)
        task.failed.connect(self.failed)
        task.start()

    def _on_times(self, times: dict[Path, float]) -> None:
        self._times = times
        self._summary.set_text(self._sentence())

    def _sentence(self) -> str:
        n_questions = len(self.questions.chosen_questions())
        n_llms = len(self.llms.rows)
        if not n_questions:
            return self.tr("Choose at least one question.")
        if not n_llms:
            return self.tr("Add at least one model file to start.")
        n_answers = n_questions * self.settings.samples
        models = counted(n_llms, self.tr("model"), self.tr("models"))
        questions = counted(n_questions, self.tr("question"), self.tr("questions"))
        counts = self.tr("{models}, {questions}: {answers} answers").format(
            models=models, questions=questions, answers=number(n_llms * n_answers)
        )
        judged = "" if self.judge.path is None else self.tr(", each judged")
        return f"{counts}{judged}. {self._time(n_answers)} {self._memory()}".strip()

    def _time(self, n_answers: int) -> str:
        paths = [row.path for row in self.llms.rows]
        seconds = answering_s(self._times, paths, n_answers)
        if seconds is None:
            return self.tr("The time is known once the first answers are there.")
        time = rough_duration(seconds)
        if self.judge.path is None:
            return self.tr("About {time}, by earlier runs on this computer.").format(time=time)
        return self.tr(
            "About {time} for the answers, by earlier runs on this computer; the judge comes on top."
        ).format(time=time)

    def _memory(self) -> str:
        too_large = self.memory.too_large
        if too_large:
            names = ", ".join(too_large)
            return self.tr("✘ {files}: more memory is needed than is free, see below.").format(files=names)
        plans = self.memory.plans
        if not plans:
            return ""
        needed_bytes = max(sum(share.needed_bytes for share in plan.shares) for plan in plans)
        return self.tr("Memory: {size} GiB at most for one file, which fits.").format(size=gib(needed_bytes))


def _column(upper: QWidget, lower: QWidget) -> QWidget:
    """Two steps one below the other; the lower one takes the room that is left."""
    column = QWidget()
    layout = QVBoxLayout(column)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(2 * SPACE)
    layout.addWidget(upper)
    layout.addWidget(lower, 1)
    return column
