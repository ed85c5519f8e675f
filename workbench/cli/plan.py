"""``workbench models plan``: what a model file needs and how it would be loaded now."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from workbench import app
from workbench.cli.json_output import Json, document
from workbench.cli.tables import console
from workbench.domain.llm import LoadSettings
from workbench.domain.memory import DeviceCorrection, DeviceShare, LlmLayout, MemoryPlan
from workbench.domain.text import visible
from workbench.errors import StorageError
from workbench.services.plan_texts import (
    gib,
    heading_text,
    kv_type_text,
    layers_text,
    note_texts,
    plan_rows,
    speed_explained,
    speed_text,
)
from workbench.services.workbench import Workbench


def show_plan(database: Path | None, model_file: Path, settings: LoadSettings, as_json: bool) -> int:
    """Print the plan; returns 0 if it fits into the memory that is free now, else 1."""
    path = model_file.absolute()  # the worker runs in another folder
    with app.build(database) as workbench:
        workbench.engine.check(path)
        layout, plan = workbench.engine.plan(path, settings, _corrections(workbench))
    if as_json:
        print(document(_plan_document(path, layout, plan)))
    else:
        _print(path, layout, plan)
    return 0 if plan.fits else 1


def _corrections(workbench: Workbench) -> Sequence[DeviceCorrection]:
    """What earlier loadings taught; a plan can do without where the database is not at hand."""
    try:
        return workbench.store.device_corrections()
    except StorageError as error:
        print(f"{error.happened} The plan is made without what earlier loadings taught.", file=sys.stderr)
        return ()


def _plan_document(path: Path, layout: LlmLayout, plan: MemoryPlan) -> Json:
    return {
        "model_file": str(path),
        "architecture": layout.architecture,
        "quantisation": layout.quantisation,
        "n_parameters": layout.n_parameters,
        "trained_context_tokens": layout.trained_context_tokens,
        "weights_bytes": layout.weights_bytes,
        "fits": plan.fits,
        "n_layers": plan.n_layers + 1,
        "n_layers_offloaded": plan.n_layers_offloaded,
        "slots": plan.n_slots,
        "context_tokens": plan.context_tokens,
        "cells": plan.n_cells,
        "batch_tokens": plan.n_batch,
        "kv_type": plan.kv_type.value,
        "flash_attention": plan.flash_attention,
        "threads": plan.n_threads,
        "speed": plan.speed.value,
        "notes": [note.value for note in plan.notes],
        "devices": [_share_object(share) for share in plan.shares],
    }


def _share_object(share: DeviceShare) -> Json:
    return {
        "name": share.device.name,
        "description": share.device.description,
        "kind": share.device.kind,
        "shares_memory": share.device.shares_memory,
        "n_layers": share.n_layers,
        "weights_bytes": share.weights_bytes,
        "kv_bytes": share.kv_bytes,
        "compute_bytes": share.compute_bytes,
        "program_bytes": share.program_bytes,
        "margin_bytes": share.margin_bytes,
        "sum_bytes": share.needed_bytes + share.margin_bytes,
        "free_bytes": share.device.free_bytes,
        "total_bytes": share.device.total_bytes,
        "fits": share.fits,
    }


def _print(path: Path, layout: LlmLayout, plan: MemoryPlan) -> None:
    out = console()
    facts = f"{layout.architecture}, {_parameters_text(layout.n_parameters)}, {layout.quantisation}"
    out.print(Text(visible(f"{path.name}: {facts}")))
    out.print(_table(plan))
    lines = (
        ("Layers", layers_text(plan)),
        ("Answers at a time", str(plan.n_slots)),
        ("Context", f"{plan.context_tokens:,} tokens for one prompt and its answer"),
        ("Conversations", f"kept in {kv_type_text(plan.kv_type)}"),
        ("Speed", f"{speed_text(plan.speed)} ({speed_explained(plan.speed)}, roughly)"),
    )
    for name, fact in lines:
        out.print(Text(f"{name + ':':<19}{fact}"))
    verdict = "It fits." if plan.fits else "It does not fit."
    for sentence in (verdict, *note_texts(plan)):
        out.print(Text(sentence))


def _parameters_text(n_parameters: int) -> str:
    """``8.0 B parameters``, ``208 M parameters``."""
    if n_parameters >= 1e9:
        return f"{n_parameters / 1e9:.1f} B parameters"
    return f"{n_parameters / 1e6:.0f} M parameters"


def _table(plan: MemoryPlan) -> Table:
    """A column for each device; read downwards it is a sum."""
    table = Table(title="Memory in GiB", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("")
    for share in plan.shares:
        table.add_column(Text(heading_text(share.device)), justify="right")
    table.add_row("Layers", *(str(share.n_layers) for share in plan.shares))
    for row in plan_rows(plan):
        table.add_row(row.title, *(gib(value) for value in row.values_bytes), end_section=row.title == "Kept free")
    return table
