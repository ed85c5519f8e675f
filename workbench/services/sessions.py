"""A loaded model file for the time it is needed, under the control of whoever may pause or stop."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from workbench.domain.llm import LoadSettings
from workbench.domain.runs import RunId
from workbench.errors import AdapterError, EngineError, ModelFileError
from workbench.services.control import RunControl
from workbench.services.ports import EvaluationStore, InferenceEngine, LlmSession
from workbench.services.progress import LlmLoaded, LlmLoading, LoadRetried, Role
from workbench.services.resources import Resources

LLM_ERRORS = (ModelFileError, AdapterError, EngineError)
"""What can be wrong with one model file or its worker; other runs are not touched by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """What runs are carried out with."""

    store: EvaluationStore
    engine: InferenceEngine
    resources: Resources
    control: RunControl


def announced_session(
    place: Workplace, run_id: RunId, role: Role, path: Path, settings: LoadSettings
) -> Generator[LlmLoading | LoadRetried | LlmLoaded, None, LlmSession]:
    """Load a model file and say so before and after; the caller hands the session to ``controlled``.

    Raises:
        ModelFileError, AdapterError, EngineError: If it cannot be loaded.
    """
    yield LlmLoading(run_id=run_id, role=role, path=path)
    session = place.engine.open(path, settings, place.store.device_corrections())
    report = session.load_report
    try:
        if report.failed_attempts:
            yield LoadRetried(run_id=run_id, role=role, failed_attempts=report.failed_attempts)
        yield LlmLoaded(run_id=run_id, role=role, description=session.description, report=report)
    except GeneratorExit:
        session.close()
        raise
    return session


@contextmanager
def controlled(session: LlmSession, control: RunControl) -> Iterator[LlmSession]:
    """Let ``control`` pause and stop the session; the worker is gone when the block is left."""
    control.attach(session)
    try:
        yield session
    finally:
        control.detach(session)
        session.close()
