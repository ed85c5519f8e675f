"""Pause, resume and stop of a running evaluation, from any thread."""

import threading

from workbench.services.ports import LlmSession


class RunControl:
    """The handle by which a window or a signal handler steers an evaluation that runs on another thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._session: LlmSession | None = None
        self._paused = False
        self._stopped = False

    @property
    def stopped(self) -> bool:
        """Whether the evaluation was told to end."""
        return self._stopped

    def pause(self) -> None:
        """Hold after the current step; what is under way is kept."""
        with self._lock:
            self._paused = True
            if self._session is not None:
                self._session.pause()

    def resume(self) -> None:
        """Go on where it was held."""
        with self._lock:
            self._paused = False
            if self._session is not None:
                self._session.resume()

    def stop(self) -> None:
        """End within one step; everything stored stays and the run can be resumed later."""
        with self._lock:
            self._stopped = True
            if self._session is not None:
                self._session.stop()

    def attach(self, session: LlmSession | None) -> None:
        """Say which session the commands go to; pending commands reach it at once."""
        with self._lock:
            self._session = session
            if session is None:
                return
            if self._paused:
                session.pause()
            if self._stopped:
                session.stop()
