"""The pages of the window in the order of the work, and the words of those that are not built yet."""

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QKeySequence

from workbench.ui.pages.coming_page import ComingPage
from workbench.ui.sidebar import Destination


def destinations() -> tuple[Destination, ...]:
    """Every entry of the sidebar."""
    translate = QCoreApplication.translate
    entries = (
        ("home", translate("Pages", "Home")),
        ("models", translate("Pages", "Models")),
        ("questions", translate("Pages", "Questions")),
        ("evaluate", translate("Pages", "Evaluate")),
        ("review", translate("Pages", "Review")),
        ("results", translate("Pages", "Results")),
        ("compare", translate("Pages", "Compare")),
        ("mitigate", translate("Pages", "Mitigate")),
        ("report", translate("Pages", "Report")),
    )
    numbered = [
        Destination(key=key, text=text, shortcut=QKeySequence(f"Ctrl+{position}"), begins_group=key == "models")
        for position, (key, text) in enumerate(entries, start=1)
    ]
    settings = Destination(
        key="settings", text=translate("Pages", "Settings"), shortcut=QKeySequence("Ctrl+,"), begins_group=True
    )
    return (*numbered, settings)


def coming_page(key: str) -> ComingPage:
    """The page that stands in for one that is not built yet."""
    translate = QCoreApplication.translate
    texts = {
        "models": (
            translate("Pages", "Models"),
            translate("Pages", "The model files on this computer, and where to find more."),
            translate("Pages", "Model files, what they need and where they come from"),
            translate("Pages", "Until this page is here, add model files (GGUF) on the Evaluate page."),
        ),
        "questions": (
            translate("Pages", "Questions"),
            translate("Pages", "The questions that are asked: read, edit, import."),
            translate("Pages", "The question bank with its benign twins and every revision"),
            translate("Pages", "Until this page is here, the starter set can be chosen on the Evaluate page."),
        ),
        "review": (
            translate("Pages", "Review"),
            translate("Pages", "Clinicians score answers blindly; agreement with the judge is computed."),
            translate("Pages", "One answer at a time, blinded and in random order"),
            translate("Pages", "Until this page is here, read answers on the Results page."),
        ),
        "compare": (
            translate("Pages", "Compare"),
            translate("Pages", "Two to four runs side by side, question by question."),
            translate("Pages", "Paired differences between models, with the answers behind them"),
            translate("Pages", "Until this page is here, the Results page shows several runs together."),
        ),
        "mitigate": (
            translate("Pages", "Mitigate"),
            translate("Pages", "Train a model to decline what it must not do, and measure what that costs."),
            translate("Pages", "Safety training and its before and after"),
            translate(
                "Pages", "Until this page is here, adapters made elsewhere can be evaluated on the Evaluate page."
            ),
        ),
        "report": (
            translate("Pages", "Report"),
            translate("Pages", "A document with figures, provenance and limits, ready to be signed."),
            translate("Pages", "Choose runs and sections, see the preview, save"),
            translate("Pages", "Until this page is here, the charts on the Results page can be copied and saved."),
        ),
    }
    title, sentence, content, meanwhile = texts[key]
    return ComingPage(title, sentence, content=content, meanwhile=meanwhile)
