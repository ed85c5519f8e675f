"""A loaded model file for the time it is needed, under the control of whoever may pause or stop."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench.domain.llm import LoadSettings
from workbench.domain.runs import RunId
from workbench.services.control import RunControl
from workbench.services.ports import InferenceEngine, LlmSession
from workbench.services.progress import LlmLoaded, LlmLoading, Role


def announced_session(
    engine: InferenceEngine, run_id: RunId, role: Role, path: Path, settings: LoadSettings
) -> Generator[LlmLoading | LlmLoaded, None, LlmSession]:
    """Load a model file and say so before and after; the caller hands the session to ``controlled``."""
    yield LlmLoading(run_id=run_id, role=role, path=path)
    session = engine.open(path, settings)
    try:
        yield LlmLoaded(run_id=run_id, role=role, description=session.description)
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
        control.attach(None)
        session.close()
