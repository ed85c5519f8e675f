"""Evaluate: choose, start, watch."""

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from workbench.domain.runs import RunId
from workbench.errors import WorkbenchError
from workbench.services.evaluation import EvaluationRequest
from workbench.services.practice import practice_request
from workbench.services.resuming import ResumeWishes
from workbench.ui.jobs import EvaluationJob, Jobs, JobState, Work
from workbench.ui.pages.evaluation_view import EvaluationView
from workbench.ui.pages.page import Page, PageContext
from workbench.ui.pages.set_up_view import SetUpView
from workbench.ui.steps.llms_step import PickFiles, pick_files
from workbench.ui.theme import SPACE
from workbench.ui.widgets.error_banner import ErrorBanner
from workbench.ui.widgets.labels import push_button
from workbench.ui.widgets.shielded_text import Shield
from workbench.ui.wording import counted


class EvaluatePage(Page):
    """The set-up while nothing runs, the running evaluation while it does and until the person begins a new one.

    Args:
        context: What every page gets.
        jobs: Where evaluations run.
        pick: Asks the person for files.
    """

    results_wanted = Signal(tuple)
    """The person wants to see the results of these runs."""

    def __init__(
        self, context: PageContext, jobs: Jobs, pick: PickFiles = pick_files, parent: QWidget | None = None
    ) -> None:
        super().__init__(
            self.tr("Evaluate"),
            self.tr(
                "Four choices, then start. You can close the window at any time; the run continues where it stopped."
            ),
            parent=parent,
        )
        self._context = context
        self._jobs = jobs
        self._job: EvaluationJob | None = None
        self.shield = Shield(enabled=context.preferences.shielding, parent=self)
        self.shield.bind_key(self)
        context.preferences.shielding_changed.connect(self.shield.set_enabled)
        self.banner = ErrorBanner()
        self.set_up = SetUpView(context, pick)
        self.view = EvaluationView(context, self.shield)
        self._add_actions()
        self.body.setSpacing(2 * SPACE)
        self.body.addWidget(self.banner)
        for part in (self.set_up, self.view):
            self.body.addWidget(part, 1)
        self._show_part(self.set_up)
        self.set_up.changed.connect(self._refresh_actions)
        self.set_up.failed.connect(self.banner.show_error)
        self.set_up.read()
        jobs.started.connect(self._follow)
        if jobs.running is not None:
            self._follow(jobs.running)
        self._refresh_actions()

    @property
    def job(self) -> EvaluationJob | None:
        """The evaluation shown, or ``None`` while the set-up is."""
        return self._job

    def on_shown(self) -> None:
        """Read question sets afresh while the set-up is shown; they may have been edited."""
        if self._job is None:
            self.set_up.read()

    def start(self, request: EvaluationRequest) -> None:
        """Start an evaluation."""
        workbench = self._context.workbench
        n_llms = len(request.llms)
        title = self.tr("Evaluation of {models}").format(models=counted(n_llms, self.tr("model"), self.tr("models")))
        self._run(title, lambda control: workbench.evaluation.start(request, control))

    def start_practice(self) -> None:
        """Choose the practice evaluation and start it."""
        try:
            request = practice_request(self._context.workbench.resources)
        except WorkbenchError as error:
            self.banner.show_error(error)
            return
        self.set_up.choose(request)
        self.start(request)

    def resume_runs(self, run_ids: Sequence[RunId]) -> None:
        """Go on with stopped runs."""
        workbench = self._context.workbench
        wanted = tuple(run_ids)
        numbers = ", ".join(str(run_id) for run_id in wanted)
        title = self.tr("Resumed evaluation, run {numbers}").format(numbers=numbers)
        self._run(title, lambda control: workbench.evaluation.resume(wanted, ResumeWishes(), control))

    def _run(self, title: str, work: Work) -> None:
        if self._jobs.running is not None:
            return
        self._jobs.start(title, work)

    def _follow(self, job: EvaluationJob) -> None:
        self.banner.clear()
        self._job = job
        self._job.changed.connect(self._refresh_actions)
        self._job.ended.connect(self._on_ended)
        self.view.follow(self._job)
        self._show_part(self.view)
        self.setFocus()  # the button just pressed goes; without this the focus would leave the page
        self._refresh_actions()

    def _add_actions(self) -> None:
        self._results = push_button(self.tr("Open results"))
        self._results.clicked.connect(self._on_results)
        self._new = push_button(self.tr("New evaluation"))
        self._new.clicked.connect(self._on_new)
        self._pause = push_button(self.tr("Pause"), name=self.tr("Pause the evaluation"))
        self._pause.clicked.connect(self._on_pause)
        self._stop = push_button(self.tr("Stop"), name=self.tr("Stop the evaluation"))
        self._stop.clicked.connect(self._on_stop)
        self._start = push_button(self.tr("Start"), kind="primary", name=self.tr("Start the evaluation"))
        self._start.clicked.connect(self._on_start)
        for button in (self._results, self._new, self._pause, self._stop, self._start):
            self.add_action(button)

    def _refresh_actions(self) -> None:
        job = self._job
        under_way = job is not None and not job.over
        paused = job is not None and job.job_state is JobState.PAUSED
        can_steer = job is not None and job.job_state in (JobState.RUNNING, JobState.PAUSED)
        unfinished = job is not None and job.over and bool(self._unfinished())
        self._results.setVisible(job is not None and job.over and bool(job.run_ids))
        self._new.setVisible(job is not None and job.over)
        self._pause.setVisible(under_way)
        self._stop.setVisible(under_way)
        self._pause.setEnabled(can_steer)
        self._stop.setEnabled(can_steer)
        self._pause.setText(self.tr("Resume") if paused else self.tr("Pause"))
        self._pause.setAccessibleName(self.tr("Resume the evaluation") if paused else self.tr("Pause the evaluation"))
        self._start.setText(self.tr("Resume") if unfinished else self.tr("Start"))
        self._start.setVisible(job is None or under_way or unfinished)
        self._start.setEnabled(unfinished or (job is None and self._jobs.running is None and self.set_up.ready))

    def _show_part(self, part: QWidget) -> None:
        """Show the set-up or the evaluation; not as a stack, which would be as high as the higher one of them."""
        for one in (self.set_up, self.view):
            one.setVisible(one is part)

    def _unfinished(self) -> list[RunId]:
        return [] if self._job is None else [row.run.id for row in self._job.state.unfinished]

    def _on_start(self) -> None:
        unfinished = self._unfinished()
        if unfinished:
            self.resume_runs(unfinished)
        else:
            self.start(self.set_up.request())

    def _on_pause(self) -> None:
        if self._job is None:
            return
        if self._job.job_state is JobState.PAUSED:
            self._job.resume()
        else:
            self._job.pause()

    def _on_stop(self) -> None:
        if self._job is not None:
            self._job.stop()

    def _on_new(self) -> None:
        self._job = None
        self.banner.clear()
        self._show_part(self.set_up)
        self.set_up.read()
        self._refresh_actions()

    def _on_results(self) -> None:
        if self._job is not None:
            self.results_wanted.emit(self._job.run_ids)

    def _on_ended(self) -> None:
        job = self._job
        if job is None:
            return
        if job.error is not None:
            self.banner.show_error(job.error)
        if not job.run_ids:  # it ended before anything was stored: back to the choices, which are all still there
            self._job = None
            self._show_part(self.set_up)
        self._refresh_actions()
