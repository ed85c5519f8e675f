"""The use cases as one bundle: what the window and the command line are given."""

from dataclasses import dataclass

from workbench.services.evaluation import Evaluation
from workbench.services.ports import EvaluationStore, InferenceEngine, SummaryWriter
from workbench.services.resources import Resources
from workbench.services.results import Results


@dataclass(frozen=True, slots=True, kw_only=True)
class Workbench:
    """Everything the program can do, wired once in ``workbench.app``."""

    store: EvaluationStore
    engine: InferenceEngine
    resources: Resources
    evaluation: Evaluation
    results: Results
    summary_writer: SummaryWriter
