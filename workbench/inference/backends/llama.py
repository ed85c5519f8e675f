"""Answers with llama.cpp: loads a model file and runs requests through the scheduler."""

import functools
import platform
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from importlib import metadata
from pathlib import Path
from typing import Final

import numpy as np

from workbench import __version__
from workbench.domain.llm import (
    AdapterChoice,
    AnswerFlag,
    Device,
    FailureCode,
    KvType,
    LlmDescription,
    LoadSettings,
    Request,
    RequestFailure,
)
from workbench.domain.memory import Allocation, LlmLayout, MemoryPlan
from workbench.errors import AdapterError, LoadSettingsError, ModelFileError, NoChatTemplateError, OutOfMemoryError
from workbench.inference.answer_text import is_part_of_mark
from workbench.inference.backends import llama_native as native
from workbench.inference.backends.base import BackendEvent
from workbench.inference.chat_template import ChatTemplate, TemplateError
from workbench.inference.gguf_check import require_gguf, unusable
from workbench.inference.layout import read_layout
from workbench.inference.process import says_out_of_memory
from workbench.inference.prompts import RequestRefusedError
from workbench.inference.scheduler import N_PREFIXES, BatchToken, DecodeError, Logits, Scheduler
from workbench.inference.writers import Desk, Writer, make_writer

_ALL_LAYERS: Final = -1
_PROBE_TEXT: Final = "Is it safe to take two tablets?"
_SAFE: Final = "Your questions, answers and scores are safe."


def load(path: Path, settings: LoadSettings, layout: LlmLayout, plan: MemoryPlan) -> "LlamaBackend":
    """Bring a model file into memory, ready to answer.

    Args:
        path: The file.
        settings: Adapter and chat template; what was asked of the plan.
        layout: What its header says.
        plan: Where everything goes.

    Raises:
        ModelFileError: If the file cannot be used; ``NoChatTemplateError`` if it does not say how to talk to it,
            ``OutOfMemoryError`` if there is not enough memory for the plan.
        AdapterError: If the adapter cannot be used with it.
    """
    require_gguf(path)
    if settings.adapter is not None:
        _require_adapter_file(settings.adapter)
    native.start()
    with ExitStack() as handles:
        model = _open_model(path, plan, handles)
        template = _template(model, settings)
        context = _open_context(path, model, plan, handles)
        flags = _session_flags(model, context, settings, plan)
        description = _describe(path, model, context, layout, plan, settings, template, flags)
        *accelerators, processor = (share.device.name for share in plan.shares)
        taken = allocations(native.LOG.buffers(), accelerators, processor)
        return LlamaBackend(model, context, template, description, plan, taken, handles.pop_all())


def layout(path: Path) -> LlmLayout:
    """What the header of a model file says; raises ModelFileError."""
    require_gguf(path)
    return read_layout(path)


def devices() -> tuple[Device, ...]:
    """Where llama.cpp can compute on this computer, with the memory that is free now."""
    return native.start().devices()


def versions() -> tuple[tuple[str, str], ...]:
    """Name and version of everything that can change an answer."""
    packages = (("NumPy", "numpy"), ("Jinja", "jinja2"))
    return (
        ("Medical Safety Workbench", __version__),
        ("Python", platform.python_version()),
        ("llama-cpp-python", native.BINDING_VERSION),
        *native.build(),
        *((name, metadata.version(package)) for name, package in packages),
        ("Operating system", platform.platform()),
    )


class LlamaBackend:
    """A loaded model file; fulfils ``Backend``."""

    def __init__(
        self,
        model: native.NativeModel,
        context: native.NativeContext,
        template: ChatTemplate,
        description: LlmDescription,
        plan: MemoryPlan,
        allocations: tuple[Allocation, ...],
        handles: ExitStack,
    ) -> None:
        self._description = description
        self._allocations = allocations
        self._context = context
        self._handles = handles
        self._events: list[BackendEvent] = []
        self._desk = Desk(
            template=template,
            vocabulary=_Vocabulary(model.vocabulary),
            context_tokens=description.context_tokens,
            session_flags=description.flags,
            emit=self._events.append,
        )
        self._scheduler: Scheduler[Writer] = Scheduler(
            context,
            n_slots=plan.n_slots,
            n_cells=plan.n_cells,
            n_batch=plan.n_batch,
            partial_sequences=model.partial_sequences,
        )

    @property
    def description(self) -> LlmDescription:
        """See ``Backend``."""
        return self._description

    @property
    def allocations(self) -> tuple[Allocation, ...]:
        """See ``Backend``."""
        return self._allocations

    @property
    def n_step_tokens(self) -> int:
        """See ``Backend``."""
        return self._context.n_step_tokens

    @property
    def wants_request(self) -> bool:
        """See ``Backend``."""
        return self._scheduler.wants_request

    @property
    def has_work(self) -> bool:
        """See ``Backend``."""
        return bool(self._events) or self._scheduler.has_work

    def submit(self, request: Request) -> None:
        """See ``Backend``."""
        try:
            self._scheduler.submit(make_writer(request, self._desk))
        except RequestRefusedError as refusal:
            self._events.append(RequestFailure(request_id=request.id, code=refusal.code, message=refusal.message))

    def cancel_all(self) -> None:
        """See ``Backend``."""
        self._scheduler.cancel_all()
        self._events.clear()

    def step(self) -> list[BackendEvent]:
        """See ``Backend``."""
        self._context.n_step_tokens = 0
        try:
            if self._scheduler.has_work:
                self._scheduler.step()
        except DecodeError as error:
            for writer in self._scheduler.abandon_running():
                self._events.append(_decode_failure(writer.request, error))
        events = self._events.copy()
        self._events.clear()
        return events

    def close(self) -> None:
        """See ``Backend``."""
        self._handles.close()


class _Vocabulary:
    """The tokens of a model file as prompts and answers see them: reasoning marks are text even as control tokens."""

    def __init__(self, vocabulary: native.NativeVocabulary) -> None:
        self.bos_token = vocabulary.bos_token
        self.wants_bos = vocabulary.wants_bos
        self.tokenize = vocabulary.tokenize
        self.ends_answer = functools.cache(vocabulary.ends_answer)
        self._vocabulary = vocabulary
        self._marks = {token for text, token in vocabulary.control_tokens.items() if is_part_of_mark(text)}

    def piece(self, token: int) -> bytes:
        return self._vocabulary.piece(token, render_control=token in self._marks)


def _open_model(path: Path, plan: MemoryPlan, handles: ExitStack) -> native.NativeModel:
    layers = [(share.device.name, share.n_layers) for share in plan.shares if share.device.kind != "cpu"]
    try:
        model = native.NativeModel(path, device_layers=layers)
    except native.NativeError as error:
        raise _not_loadable(path, str(error)) from error
    handles.callback(model.close)
    if not model.writes_text:
        raise unusable(f"“{path}” does not write text token by token, so it cannot answer questions.")
    return model


def _not_loadable(path: Path, log: str) -> ModelFileError:
    """Says in plain words what llama.cpp logged."""
    unknown = re.search(r"unknown model architecture: '([^']*)'", log)
    if unknown:
        return unusable(f"“{path}” is of a kind ({unknown.group(1)}) that this version cannot run.", log)
    if says_out_of_memory(log):
        return _too_large(path, log)
    if "quantized V cache" in log:
        return LoadSettingsError(
            f"The conversations of “{path}” cannot be kept in 8 bits.",
            safe=_SAFE,
            todo="Choose 16 bits for conversations, with fewer answers at the same time if memory is short.",
            detail=log,
        )
    if "n_seq_max" in log:
        return LoadSettingsError(
            "llama.cpp cannot write so many answers at the same time.",
            safe=_SAFE,
            todo="Lower the number of answers written at the same time.",
            detail=log,
        )
    return unusable(f"“{path}” cannot be loaded; it is damaged or of an unknown kind.", log)


def _too_large(path: Path, log: str) -> OutOfMemoryError:
    return OutOfMemoryError(
        f"There is not enough memory for “{path}”.",
        safe=_SAFE,
        todo="Close other programs, lower the context or the number of answers written at the same time, or choose "
        "a smaller file.",
        detail=log,
    )


def _template(model: native.NativeModel, settings: LoadSettings) -> ChatTemplate:
    chosen = settings.chat_template
    source = model.metadata("tokenizer.chat_template") if chosen is None else chosen
    if not source:
        raise NoChatTemplateError(
            "The model file does not say how to talk to it: it carries no chat template.",
            safe=_SAFE,
            todo="Choose a template (--chat-template FILE on the command line), or a file that was made for "
            "conversations (often named “instruct” or “chat”).",
        )
    vocabulary = model.vocabulary
    try:
        return ChatTemplate(
            source,
            date=settings.template_date,
            bos_token=_text(vocabulary, vocabulary.bos_token),
            eos_token=_text(vocabulary, vocabulary.eos_token),
            control_tokens=list(vocabulary.control_tokens),
        )
    except TemplateError as error:
        raise NoChatTemplateError(
            "The chat template does not work, so no question can be put to this model file.",
            safe=_SAFE,
            todo="Choose another template (--chat-template FILE on the command line), or another file.",
            detail=str(error),
        ) from error


def _text(vocabulary: native.NativeVocabulary, token: int | None) -> str:
    return "" if token is None else vocabulary.token_text(token)


def _open_context(path: Path, model: native.NativeModel, plan: MemoryPlan, handles: ExitStack) -> native.NativeContext:
    n_sequences = plan.n_slots + N_PREFIXES
    try:
        context = native.NativeContext(
            model,
            n_sequences=n_sequences,
            n_cells=plan.n_cells,
            n_batch=max(plan.n_batch, n_sequences),
            n_threads=plan.n_threads,
            kv_type=plan.kv_type,
            flash_attention=plan.flash_attention,
        )
    except native.NativeError as error:
        raise _not_loadable(path, str(error)) from error
    handles.callback(context.close)
    return context


def allocations(
    buffers: Sequence[native.Buffer], accelerators: Sequence[str], processor: str
) -> tuple[Allocation, ...]:
    """What each device gave. Memory that the processor lends to a card (``CUDA_Host``) is the processor's."""
    taken = {device: Counter[str]() for device in (*accelerators, processor)}
    for buffer in buffers:
        owner = next((name for name in accelerators if f"{buffer.name}_".startswith(f"{name}_")), processor)
        taken[owner][buffer.use] += buffer.n_bytes
    return tuple(
        Allocation(
            device=device,
            weights_bytes=uses["model"] + uses["LoRA"],
            kv_bytes=uses["KV"] + uses["RS"] + uses["DSV4"],
            compute_bytes=uses["compute"] + uses["output"],
        )
        for device, uses in taken.items()
    )


def _require_adapter_file(adapter: AdapterChoice) -> None:
    try:
        require_gguf(adapter.path)
    except ModelFileError as error:
        raise _adapter_error(adapter, "it is missing or is no GGUF file", error.happened) from error


def _apply_adapter(model: native.NativeModel, context: native.NativeContext, choice: AdapterChoice) -> bool:
    """Apply the adapter; whether it changes what the model file says."""
    before = _probe(model, context)
    try:
        context.use(native.NativeAdapter(model, choice.path, choice.scale))
    except native.NativeError as error:
        raise _adapter_error(choice, "it does not fit this model file", str(error)) from error
    return not np.array_equal(before, _probe(model, context))


def _adapter_error(adapter: AdapterChoice, reason: str, detail: str) -> AdapterError:
    return AdapterError(
        f"The adapter “{adapter.path}” cannot be used: {reason}.",
        safe=_SAFE,
        todo="Choose the adapter that was trained for this model file, or none.",
        detail=detail,
    )


def _probe(model: native.NativeModel, context: native.NativeContext) -> Logits:
    """The logits after a short text."""
    tokens = model.vocabulary.tokenize(_PROBE_TEXT, parse_control=False)
    batch = [BatchToken(token, position, 0, position == len(tokens) - 1) for position, token in enumerate(tokens)]
    (logits,) = context.decode(batch)
    copied = logits.copy()
    context.clear()
    return copied


def _session_flags(
    model: native.NativeModel, context: native.NativeContext, settings: LoadSettings, plan: MemoryPlan
) -> tuple[AnswerFlag, ...]:
    """What holds for every answer; applies the adapter, if there is one."""
    adapter = settings.adapter
    holds = {
        AnswerFlag.TEMPLATE_CHOSEN: settings.chat_template is not None,
        AnswerFlag.FEWER_LAYERS_OFFLOADED: _n_offloaded(model, plan) < _n_asked(model, settings, plan),
        AnswerFlag.KV_QUANTISED: plan.kv_type is not KvType.F16,
        AnswerFlag.ADAPTER_WITHOUT_EFFECT: adapter is not None and not _apply_adapter(model, context, adapter),
    }
    return tuple(flag for flag, is_so in holds.items() if is_so)


def _n_offloaded(model: native.NativeModel, plan: MemoryPlan) -> int:
    """Layers that llama.cpp really put on accelerators, the output layer included."""
    processor = plan.shares[-1].device.name
    return sum(n_layers for device, n_layers in model.layers_by_device.items() if device != processor)


def _n_asked(model: native.NativeModel, settings: LoadSettings, plan: MemoryPlan) -> int:
    """Layers that should be on accelerators, the output layer included: what was planned, or asked for expressly."""
    n_all = model.n_layers + 1
    expressly = settings.n_gpu_layers or 0
    return max(plan.n_layers_offloaded, n_all if expressly == _ALL_LAYERS else min(expressly, n_all))


def _describe(
    path: Path,
    model: native.NativeModel,
    context: native.NativeContext,
    layout: LlmLayout,
    plan: MemoryPlan,
    settings: LoadSettings,
    template: ChatTemplate,
    flags: tuple[AnswerFlag, ...],
) -> LlmDescription:
    layers = model.layers_by_device
    return LlmDescription(
        name=model.metadata("general.name") or path.stem,
        architecture=layout.architecture,
        quantisation=layout.quantisation,
        n_parameters=model.n_parameters,
        n_layers=model.n_layers,
        trained_context_tokens=model.trained_context_tokens,
        context_tokens=plan.context_tokens,
        n_slots=plan.n_slots,
        n_threads=plan.n_threads,
        n_batch=plan.n_batch,
        kv_type=plan.kv_type,
        flash_attention=context.flash_attention,
        device=max(layers, key=lambda device: layers[device], default=plan.shares[-1].device.name),
        n_layers_offloaded=_n_offloaded(model, plan),
        template_sha256=template.sha256,
        template_source="model_file" if settings.chat_template is None else "chosen",
        rubric=layout.rubric,
        flags=flags,
        versions=versions(),
    )


def _decode_failure(request: Request, error: DecodeError) -> RequestFailure:
    return RequestFailure(
        request_id=request.id,
        code=FailureCode.DECODE_FAILED,
        message=f"The computation failed while this was being answered. Answers already finished are not affected. "
        f"Ask again; if it fails again, lower the context or choose another file. ({error})",
    )
