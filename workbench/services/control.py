"""Pause, resume and stop of a running evaluation, from any thread."""

import threading

from workbench.services.ports import LlmSession


class RunControl:
    """The handle by which a window or a signal handler steers an evaluation that runs on another thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: list[LlmSession] = []
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
            for session in self._sessions:
                session.pause()

    def resume(self) -> None:
        """Go on where it was held."""
        with self._lock:
            self._paused = False
            for session in self._sessions:
                session.resume()

    def stop(self) -> None:
        """End within one step; everything stored stays and the run can be resumed later."""
        with self._lock:
            self._stopped = True
            for session in self._sessions:
                session.stop()

    def attach(self, session: LlmSession) -> None:
        """Send the commands to this session as well; pending ones reach it at once."""
        with self._lock:
            self._sessions.append(session)
            if self._paused:
                session.pause()
            if self._stopped:
                session.stop()

    def detach(self, session: LlmSession) -> None:
        """Send no more commands to this session."""
        with self._lock:
            self._sessions.remove(session)
