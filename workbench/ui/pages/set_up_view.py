"""The four steps of an evaluation and the sentence that sums them up."""

from pathlib import Path

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from workbench.domain.questions import Question
from workbench.errors import WorkbenchError
from workbench.services.evaluation import EvaluationRequest
from workbench.services.judging import JUDGE_LOAD
from workbench.ui.estimates import AnswerTime, answer_times, answering_s, memory_bytes
from workbench.ui.pages.page import PageContext
from workbench.ui.steps.judge_step import JudgeStep
from workbench.ui.steps.llms_step import LlmsStep, PickFiles, pick_files
from workbench.ui.steps.questions_step import QuestionsStep
from workbench.ui.steps.settings_step import SettingsStep
from workbench.ui.theme import SPACE
from workbench.ui.widgets.card_grid import CardGrid
from workbench.ui.widgets.notice import Notice
from workbench.ui.wording import counted, number, rough_duration, size


class SetUpView(QWidget):
    """Everything a person chooses before Start."""

    changed = Signal()
    failed = Signal(WorkbenchError)
    """The question sets could not be read."""

    def __init__(self, context: PageContext, pick: PickFiles = pick_files) -> None:
        super().__init__()
        self._context = context
        workbench = context.workbench
        resources = workbench.resources
        self._times: dict[Path, AnswerTime] = {}
        self._timed: frozenset[Path] = frozenset()
        self.questions = QuestionsStep(resources.principles())
        self.llms = LlmsStep(self._check_file, context.background, pick)
        self.settings = SettingsStep(context.theme, resources.presets())
        self.judge = JudgeStep(resources.rubrics(), self._check_file, context.background, pick)
        steps = (self.questions, self.llms, self.settings, self.judge)
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
        """Read question sets and earlier answer times afresh."""
        task = self._context.background.run_function(self._question_sets)
        task.succeeded.connect(self._on_questions)
        task.failed.connect(self.failed)
        task.start()
        self._timed = frozenset()
        self._later.start()

    def choose(self, request: EvaluationRequest) -> None:
        """Set every step from a request."""
        self.questions.choose(request.selection)
        self.llms.clear()
        self.llms.add([llm.path for llm in request.llms])
        self.settings.choose(request.preset, max_tokens=request.max_tokens)
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
            load=self.settings.load(),
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
        self._summary.set_text(self._sentence())
        self.changed.emit()

    def _read_times(self, paths: frozenset[Path]) -> None:
        workbench = self._context.workbench
        task = self._context.background.run_function(lambda: answer_times(workbench, list(paths)))
        task.succeeded.connect(self._on_times)
        task.failed.connect(self.failed)
        task.start()

    def _on_times(self, times: dict[Path, AnswerTime]) -> None:
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
        return f"{counts}{judged}. {self._time(n_answers)} {self._memory()}"

    def _time(self, n_answers: int) -> str:
        paths = [row.path for row in self.llms.rows]
        seconds = answering_s(self._times, paths, n_answers, self.settings.load().n_slots)
        if seconds is None:
            return self.tr("The time is known once the first answers are there.")
        time = rough_duration(seconds)
        if self.judge.path is None:
            return self.tr("About {time}, by earlier runs on this computer.").format(time=time)
        return self.tr(
            "About {time} for the answers, by earlier runs on this computer; the judge comes on top."
        ).format(time=time)

    def _memory(self) -> str:
        load = self.settings.load()
        needed = [memory_bytes(row.size_bytes, load.n_slots, load.context_tokens) for row in self.llms.rows]
        if self.judge.path is not None:
            needed.append(memory_bytes(self.judge.size_bytes, JUDGE_LOAD.n_slots, JUDGE_LOAD.context_tokens))
        return self.tr("Memory: about {size}, one file at a time.").format(size=size(max(needed)))


def _column(upper: QWidget, lower: QWidget) -> QWidget:
    """Two steps one below the other; the lower one takes the room that is left."""
    column = QWidget()
    layout = QVBoxLayout(column)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(2 * SPACE)
    layout.addWidget(upper)
    layout.addWidget(lower, 1)
    return column
