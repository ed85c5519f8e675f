"""A program that uses a store until it is stopped; started by tests as ``python -m tests.helpers.store_writer``.

Its lines on standard output are acknowledgements: what they name must be there afterwards, whatever happens to it.
"""

import json
import sys
from pathlib import Path

from tests.helpers.stores import a_judgement, an_answer
from workbench.domain.runs import RunId
from workbench.errors import DiskFullError, WorkbenchError
from workbench.storage.store import SqliteEvaluationStore


def _say(**fields: object) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


def _heard() -> str:
    return sys.stdin.readline().strip()


def answer(path: Path) -> None:
    """Answer and judge what run 1 still misses."""
    run_id = RunId(1)
    _say(opening=True)
    store = SqliteEvaluationStore.open(path)
    for planned in store.missing_answers(run_id):
        (response_id,) = store.add_responses(run_id, [an_answer(planned, "No. " * 400)])
        _say(response=[planned.question.revision_id, planned.sample])
        store.add_judgements(run_id, [a_judgement(response_id)])
        _say(judgement=response_id)
    store.close()


def open_when_told(_: Path) -> None:
    """Open each file named on standard input, say how it went, and close it at the next line."""
    while path := _heard():
        try:
            store = SqliteEvaluationStore.open(Path(path))
        except WorkbenchError as error:
            _say(refused=type(error).__name__)
            _heard()
        else:
            _say(opened=True)
            _heard()
            store.close()


def fill_disk(path: Path) -> None:
    """Answer run 1 while no file may grow beyond a little more than it is; then again without that limit."""
    import resource  # POSIX only; there is no such limit elsewhere

    store = SqliteEvaluationStore.open(path)
    run_id = RunId(1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    _until_full(store, run_id)
    _until_full(store, run_id)  # a second try fails in the same way and stores nothing either
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    _until_full(store, run_id)
    store.close()


def _until_full(store: SqliteEvaluationStore, run_id: RunId) -> None:
    try:
        for planned in store.missing_answers(run_id):
            store.add_responses(run_id, [an_answer(planned, "No. " * 4000)])
            _say(response=[planned.question.revision_id, planned.sample])
    except DiskFullError as error:
        _say(full=str(error))


if __name__ == "__main__":
    {"answer": answer, "open_when_told": open_when_told, "fill_disk": fill_disk}[sys.argv[1]](Path(sys.argv[2]))
