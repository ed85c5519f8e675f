"""The line at the bottom: connection, device, free memory; on the right what runs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from workbench.domain.llm import Device
from workbench.services.plan_texts import device_text
from workbench.ui.jobs import Jobs, JobState
from workbench.ui.theme import SPACE
from workbench.ui.widgets.labels import plain_label, push_button
from workbench.ui.widgets.visible_text import one_line, plain_tool_tip, visible_text
from workbench.ui.wording import counted, size

if TYPE_CHECKING:  # it reads the computer through a package the first paint need not wait for
    from workbench.computer import Computer


class StatusLine(QWidget):
    """Always visible; the button on the right opens the job panel."""

    jobs_wanted = Signal()

    def __init__(self, jobs: Jobs) -> None:
        super().__init__()
        self.setObjectName("statusLine")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName(self.tr("Status"))
        self._jobs = jobs
        self._facts = plain_label(self.tr("Offline"), kind="small")
        self._facts.setToolTip(plain_tool_tip(self._offline()))
        self._running = push_button("", kind="status")
        self._running.clicked.connect(self.jobs_wanted)
        row = QHBoxLayout(self)
        row.setContentsMargins(2 * SPACE, SPACE // 2, SPACE, SPACE // 2)
        row.addWidget(self._facts, 1)
        row.addWidget(self._running, 0, Qt.AlignmentFlag.AlignRight)
        jobs.changed.connect(self.refresh)
        self.refresh()

    @property
    def text(self) -> str:
        """What stands on the left."""
        return self._facts.text()

    @property
    def tool_tip(self) -> str:
        """What hovering tells."""
        return self._facts.toolTip()

    def set_computer(self, computer: "Computer", devices: Sequence[Device]) -> None:
        """Show where models run and how much room there is; the first accelerator, and all devices on hovering."""
        accelerators = [device for device in devices if device.kind != "cpu"]
        facts = [self.tr("Offline"), self.tr("CPU {n} cores").format(n=computer.n_cores)]
        if accelerators:
            facts.append(self._room(accelerators[0]))
        if len(accelerators) > 1:
            facts[-1] += self.tr(" (and {n} more)").format(n=len(accelerators) - 1)
        facts.append(
            self.tr("memory {free} of {total} free").format(
                free=size(computer.memory_free_bytes), total=size(computer.memory_total_bytes)
            )
        )
        self._facts.setText("  ·  ".join(facts))
        lines = [f"{device.name}: {self._room(device)}" for device in devices]
        self._facts.setToolTip(plain_tool_tip("\n".join([self._offline(), *map(visible_text, lines)])))

    def set_problem(self, happened: str) -> None:
        """Say why nothing is known about the computer's devices."""
        self._facts.setText("  ·  ".join((self.tr("Offline"), one_line(happened, 120))))

    def _offline(self) -> str:
        return self.tr("This program opens no network connection.")

    def _room(self, device: Device) -> str:
        text = self.tr("{device}: {free} of {total} free").format(
            device=device_text(device), free=size(device.free_bytes), total=size(device.total_bytes)
        )
        shared = self.tr("shared with the processor")
        parts = [text, shared if device.shares_memory and device.kind != "cpu" else "", one_line(device.detail, 120)]
        return ", ".join(part for part in parts if part)

    def refresh(self) -> None:
        """Show what runs now."""
        job = self._jobs.running
        if job is None:
            text = self.tr("No job running")
            if self._jobs.errors:
                errors = counted(len(self._jobs.errors), self.tr("error"), self.tr("errors"))
                text = self.tr("No job running · {errors} kept").format(errors=errors)
        else:
            words = {
                JobState.RUNNING: self.tr("1 job: evaluation {share}"),
                JobState.PAUSED: self.tr("1 job: evaluation {share}, paused"),
                JobState.STOPPING: self.tr("1 job: evaluation {share}, stopping"),
            }
            text = words.get(job.job_state, self.tr("1 job")).format(share=f"{job.state.share_done:.0%}")
        self._running.setText(text)
        self._running.setAccessibleName(self.tr("{text}. Open the job panel").format(text=text))
