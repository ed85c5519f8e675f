"""Every error a person can meet, as one tree.

Each error says what happened, what is safe, and what to do; ``detail`` holds what a technician needs and is never
needed to understand the message. Everything outside this tree is a fault of the program and keeps its traceback.

    WorkbenchError
    ├── UsageError                 the request itself cannot be carried out (exit code 2)
    ├── ResourceError              a file shipped with the program is missing or damaged
    ├── ModelFileError             a model file cannot be used
    │   └── NoChatTemplateError    … because it does not say how to talk to it
    ├── AdapterError               a LoRA adapter cannot be used with this model file
    ├── EngineError                the worker process failed
    │   ├── WorkerStartError       … before it was ready
    │   ├── WorkerDiedError        … by crashing or being ended
    │   ├── WorkerHungError        … by falling silent
    │   └── WorkerProtocolError    … by sending what cannot be understood
    ├── StorageError               the database cannot be used
    │   ├── DatabaseInUseError
    │   ├── DatabaseReadOnlyError
    │   ├── DatabaseTooNewError
    │   ├── DatabaseCorruptError
    │   └── DiskFullError
    ├── ResumeRefusedError         a run cannot go on because something it depends on has changed
    └── DisplayError               no window can be opened here
"""

from typing import ClassVar


class WorkbenchError(Exception):
    """An expected failure with text for the person in front of the program.

    Args:
        happened: What happened, one sentence.
        safe: What is not affected, one sentence.
        todo: What the person can do next, one sentence.
        detail: Technical detail that can be copied; may be empty.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, happened: str, *, safe: str, todo: str, detail: str = "") -> None:
        super().__init__(f"{happened} {safe} {todo}")
        self.happened = happened
        self.safe = safe
        self.todo = todo
        self.detail = detail


class UsageError(WorkbenchError):
    """The request cannot be carried out as given."""

    exit_code: ClassVar[int] = 2


class ResourceError(WorkbenchError):
    """A file that belongs to the program is missing or damaged."""


class ModelFileError(WorkbenchError):
    """A model file is missing, damaged, or of a kind that cannot be run."""


class NoChatTemplateError(ModelFileError):
    """A model file carries no chat template, so no prompt can be built from it."""


class OutOfMemoryError(ModelFileError):
    """There is not enough memory for a model file."""


class LoadSettingsError(ModelFileError):
    """A model file cannot be loaded in the way that was asked for, or on this computer."""


class AdapterError(WorkbenchError):
    """A LoRA adapter is missing, damaged, or has no effect on the model file."""


class EngineError(WorkbenchError):
    """The worker process that runs a model file failed."""


class WorkerStartError(EngineError):
    """The worker did not become ready."""


class WorkerDiedError(EngineError):
    """The worker ended by itself or was ended from outside."""


class WorkerHungError(EngineError):
    """The worker gave no sign of life for longer than allowed."""


class WorkerProtocolError(EngineError):
    """The worker and the program do not understand each other."""


class StorageError(WorkbenchError):
    """The database cannot be used."""


class DatabaseInUseError(StorageError):
    """Another program holds the database."""


class DatabaseReadOnlyError(StorageError):
    """The database or its folder may not be written."""


class DatabaseTooNewError(StorageError):
    """A newer version of the program wrote the database."""


class DatabaseCorruptError(StorageError):
    """The file is damaged or is no database of this program."""


class DiskFullError(StorageError):
    """No room is left on the volume."""


class ResumeRefusedError(WorkbenchError):
    """A stopped run cannot go on, because it would mix answers to different conditions."""


class DisplayError(WorkbenchError):
    """No window can be opened on this computer or in this session."""
