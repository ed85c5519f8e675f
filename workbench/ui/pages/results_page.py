"""Results: charts of the chosen runs, the table, and the answers behind every figure."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QApplication,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from workbench.domain.questions import Principle
from workbench.domain.runs import RunId, ScoredResponse
from workbench.errors import WorkbenchError
from workbench.ui.charts.chart_card import ChartCard
from workbench.ui.charts.chart_files import ChartFormat
from workbench.ui.charts.figures import Figures, figures_of
from workbench.ui.charts.marks import AnswerChoice
from workbench.ui.charts.run_labels import run_labels
from workbench.ui.pages.page import Page, PageContext
from workbench.ui.pages.results_answers import AnswersView
from workbench.ui.pages.results_filters import ResultsFilters
from workbench.ui.pages.results_loading import LoadedResults, Wanted, load_answers, load_results
from workbench.ui.pages.results_overview import CHARTS, ResultsOverview
from workbench.ui.pages.results_sentences import finding, missing_scores, n_unscored
from workbench.ui.theme import SPACE
from workbench.ui.widgets.empty_state import EmptyState
from workbench.ui.widgets.error_banner import ErrorBanner
from workbench.ui.widgets.labels import plain_label, push_button
from workbench.ui.widgets.notice import Notice
from workbench.ui.widgets.shielded_text import Shield

_WIDEST_NOTICE = 0.55
"""Share of the page's width that the notice of missing scores may take beside the filters."""


class ResultsPage(Page):
    """What the runs show.

    The charts are made with the first figures; until then the page costs nothing.

    Args:
        context: What every page gets.
    """

    evaluation_wanted = Signal()
    """The person wants to go to Evaluate."""
    loaded = Signal()
    """Figures have arrived and are shown."""
    answers_shown = Signal()
    """The answers behind a figure have arrived and are shown."""

    def __init__(self, context: PageContext, parent: QWidget | None = None) -> None:
        super().__init__(
            self.tr("Results"), self.tr("Click a mark to see the answers behind it."), scrolling=False, parent=parent
        )
        self._context = context
        self._wanted = Wanted()
        self._figures: Figures | None = None
        self._found: LoadedResults | None = None
        self._cards: list[ChartCard] = []
        self._next_card = QTimer(self, singleShot=True, interval=0)
        self._next_card.timeout.connect(self._make_next_card)
        self._labels = run_labels(())
        self._principles: tuple[Principle, ...] = ()
        self._loading = False
        self._load_again = False
        self._choice: AnswerChoice | None = None
        self._came_from: QWidget | None = None
        """What had the focus when the answers were opened; going back gives it back."""
        self.shield = Shield(enabled=context.preferences.shielding, parent=self)
        self.shield.bind_key(self)
        context.preferences.shielding_changed.connect(self.shield.set_enabled)
        self.filters = ResultsFilters()
        self.filters.changed.connect(self._on_filters_changed)
        self.missing = Notice("")
        self._show_missing = self.missing.add_button("", self._on_show_unscored, kind="link")
        self.banner = ErrorBanner()
        self._said = plain_label(kind="small")
        self.overview: ResultsOverview | None = None
        self.answers: AnswersView | None = None
        self._area = self._make_area()
        self.empty = self._make_empty_state()
        self._waiting = EmptyState(self.tr("Reading results…"), "")
        self._charts_page = self._make_charts_page()
        self.stack = QStackedWidget()
        for widget in (self._waiting, self.empty, self._charts_page):
            self.stack.addWidget(widget)
        self.body.setSpacing(SPACE)
        self.body.addWidget(self.banner)
        self.body.addWidget(self.stack, 1)
        self._save = push_button(self.tr("Save charts…"))
        self._save.clicked.connect(self._on_save_all)
        self._save.setEnabled(False)
        self.add_action(self._save)

    @property
    def figures(self) -> Figures | None:
        """What is shown now."""
        return self._figures

    def on_shown(self) -> None:
        """Read the figures afresh; a run may have gone on."""
        self._load()

    def show_runs(self, run_ids: Sequence[RunId]) -> None:
        """Show these runs and no others."""
        self._wanted = replace(self._wanted, run_ids=tuple(run_ids))
        self._back_to_charts()
        self._load()

    def open_answers(self, choice: AnswerChoice) -> None:
        """Show the answers behind a figure."""
        chosen = replace(choice, kind=choice.kind or self._wanted.kind)
        self._choice = chosen
        if self.stack.currentWidget() is self._charts_page:
            self._came_from = QApplication.focusWidget()
        workbench = self._context.workbench
        task = self._context.background.run_function(lambda: (chosen, load_answers(workbench, chosen)))
        task.succeeded.connect(self._on_answers_read)
        task.failed.connect(self.banner.show_error)
        task.start()

    def _load(self) -> None:
        """Read in the background; a wish that arrives meanwhile is served afterwards."""
        if self._loading:
            self._load_again = True
            return
        self._loading = True
        wanted, workbench = self._wanted, self._context.workbench
        task = self._context.background.run_function(lambda: load_results(workbench, wanted))
        task.succeeded.connect(self._on_read)
        task.failed.connect(self._on_failed)
        task.ended.connect(self._on_read_ended)
        task.start()

    def _on_read(self, found: object) -> None:
        if not isinstance(found, LoadedResults) or self._load_again:
            return
        self._found = found
        if self.overview is not None or not found.runs:
            self._show_found(found)
        elif not self._next_card.isActive():
            self._make_next_card()

    def _make_next_card(self) -> None:
        """Make one chart, then give way to the event loop: all at once would hold it for half a second."""
        if not self.isVisible():
            return  # the next visit reads again and goes on from here
        if len(self._cards) < len(CHARTS):
            self._cards.append(ChartCard(CHARTS[len(self._cards)](self._context.theme, figures_of((), (), None))))
            self._next_card.start()
        elif self._found is not None:
            self._make_overview()
            self._show_found(self._found)

    def _show_found(self, found: LoadedResults) -> None:
        self.banner.clear()
        self._labels = run_labels(found.runs)
        self._principles = found.principles
        self.filters.show_loaded(found)
        self._figures = figures_of(found.results, found.principles, found.wanted.principles)
        self._show_figures(self._figures)
        self.loaded.emit()

    def _on_failed(self, error: WorkbenchError) -> None:
        self.banner.show_error(error)
        if self._figures is None:
            self.stack.setCurrentWidget(self.empty)

    def _on_read_ended(self) -> None:
        self._loading = False
        if self._load_again:
            self._load_again = False
            self._load()

    def _show_figures(self, figures: Figures) -> None:
        if self.overview is None:
            self.stack.setCurrentWidget(self.empty)
            return
        self.overview.set_figures(figures, finding(figures))
        text, n_missing = missing_scores(figures), n_unscored(figures)
        self.missing.set_text(text)
        self.missing.setVisible(bool(text))
        self._show_missing.setText(self.tr("Show the {0:,}").format(n_missing))
        self._show_missing.setVisible(n_missing > 0)
        self._fit_missing()
        self._save.setEnabled(bool(figures.results))
        if self.stack.currentWidget() is not self.answers:
            self.stack.setCurrentWidget(self._charts_page)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Keep the notice on one line where there is room."""
        super().resizeEvent(event)
        self._fit_missing()

    def _fit_missing(self) -> None:
        wanted = self.fontMetrics().horizontalAdvance(self.missing.text) + self._show_missing.sizeHint().width()
        self.missing.setMinimumWidth(min(wanted + 9 * SPACE, int(self.width() * _WIDEST_NOTICE)))

    def _make_overview(self) -> None:
        self.overview = ResultsOverview(self._context.theme, self._cards)
        self.overview.activated.connect(self.open_answers)
        self.overview.failed.connect(self.banner.show_error)
        self.overview.saved.connect(self._on_saved)
        self._area.setWidget(self.overview)

    def _make_answers(self) -> AnswersView:
        answers = AnswersView(self._context, self.shield, self._principles)
        answers.back_wanted.connect(self._back_to_charts)
        self.stack.addWidget(answers)
        return answers

    def _make_area(self) -> QScrollArea:
        area = QScrollArea(widgetResizable=True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setAccessibleName(self.tr("Charts"))
        return area

    def _make_charts_page(self) -> QWidget:
        page = QWidget()
        bar = QHBoxLayout()
        bar.setSpacing(2 * SPACE)
        bar.addWidget(self.filters, 1)
        bar.addWidget(self._said)
        bar.addWidget(self.missing)
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * SPACE)
        layout.addLayout(bar)
        layout.addWidget(self._area, 1)
        return page

    def _make_empty_state(self) -> EmptyState:
        empty = EmptyState(
            self.tr("No results yet"),
            self.tr("Evaluate a model file; its harmfulness appears here, with intervals and every answer behind it."),
        )
        empty.add_button(self.tr("Go to Evaluate"), self.evaluation_wanted.emit)
        return empty

    def _on_filters_changed(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._load()

    def _on_show_unscored(self) -> None:
        if self._figures is not None:
            run_ids = tuple(result.run.id for result in self._figures.results)
            self.open_answers(AnswerChoice(run_ids=run_ids, principles=self._wanted.principles, unscored=True))

    def _on_answers_read(self, found: tuple[AnswerChoice, list[ScoredResponse]]) -> None:
        choice, responses = found
        # Only the mark clicked last is followed; an answer that took longer to read is of no interest any more.
        if choice is not self._choice:
            return
        if self.answers is None:
            self.answers = self._make_answers()
        self.answers.show_answers(responses, choice, self._labels)
        self.stack.setCurrentWidget(self.answers)
        self.answers.table.setFocus()
        self.answers_shown.emit()

    def _back_to_charts(self) -> None:
        self._choice = None
        if self.answers is not None and self.stack.currentWidget() is self.answers:
            self.answers.save_layout()
            self.stack.setCurrentWidget(self._charts_page)
            if self._came_from is not None:
                self._came_from.setFocus()

    def _on_saved(self, path: str) -> None:
        self._said.setText(self.tr("Saved: {0}").format(Path(path).name))

    def _on_save_all(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, self.tr("Folder for the charts"), str(Path.home()))
        if folder:
            self.save_all(Path(folder))

    def save_all(self, folder: Path) -> None:
        """Write every chart as PNG, SVG and CSV into a folder; a failure is shown on the page."""
        if self.overview is None:
            return
        try:
            for card in self.overview.cards:
                for chart_format in ChartFormat:
                    card.save(folder / f"{card.file_stem()}.{chart_format.value}", chart_format)
        except WorkbenchError as error:
            self.banner.show_error(error)
        else:
            self._on_saved(str(folder))
