"""Short words for what a reader must know about an answer."""

from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication

from workbench.domain.llm import AnswerFlag, FailureCode


def flag_text(flag: AnswerFlag) -> str:
    """One flag in one or two words."""
    translate = QCoreApplication.translate
    return {
        AnswerFlag.TRUNCATED: translate("Flag", "truncated"),
        AnswerFlag.EMPTY: translate("Flag", "empty"),
        AnswerFlag.NOT_UTF8: translate("Flag", "invalid bytes"),
        AnswerFlag.REASONING_SPLIT: translate("Flag", "reasoning split off"),
        AnswerFlag.REASONING_UNFINISHED: translate("Flag", "reasoning unfinished"),
        AnswerFlag.SYSTEM_FOLDED: translate("Flag", "system text folded"),
        AnswerFlag.TEMPLATE_CHOSEN: translate("Flag", "template chosen"),
        AnswerFlag.BOS_ADDED: translate("Flag", "start token added"),
        AnswerFlag.BOS_REPEATED: translate("Flag", "start token repeated"),
        AnswerFlag.DATE_IN_PROMPT: translate("Flag", "fixed date in prompt"),
        AnswerFlag.FEWER_LAYERS_OFFLOADED: translate("Flag", "fewer layers on the graphics card"),
        AnswerFlag.ADAPTER_WITHOUT_EFFECT: translate("Flag", "adapter without effect"),
        AnswerFlag.KV_QUANTISED: translate("Flag", "8-bit conversation memory"),
        AnswerFlag.ANSWERED_ALONE: translate("Flag", "asked again alone"),
    }[flag]


def failure_text(failure: FailureCode) -> str:
    """Why there is no answer, in a few words."""
    translate = QCoreApplication.translate
    return {
        FailureCode.PROMPT_TOO_LONG: translate("Flag", "failed: prompt too long"),
        FailureCode.TEMPLATE_FAILED: translate("Flag", "failed: chat template"),
        FailureCode.SCORE_TOKENS_UNUSABLE: translate("Flag", "failed: score tokens"),
        FailureCode.WORKER_KILLED_REPEATEDLY: translate("Flag", "failed: worker ended repeatedly"),
        FailureCode.DECODE_FAILED: translate("Flag", "failed: computing"),
        FailureCode.CANCELLED: translate("Flag", "cancelled"),
    }[failure]


def flags_text(flags: Sequence[AnswerFlag], failure: FailureCode | None) -> str:
    """All of an answer's flags in one line; empty when there is nothing to know."""
    parts = [] if failure is None else [failure_text(failure)]
    return ", ".join((*parts, *(flag_text(flag) for flag in flags)))
