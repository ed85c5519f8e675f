"""Runs the chat template of a model file, which anyone may have written, under limits.

A template is a program: it can loop for ever or ask for a string of a gigabyte, and a single step of that kind cannot
be interrupted. So nothing large is ever begun. The template is rewritten before it is compiled: loops, literals,
slices and joins pass through a meter, operators and calls do so by the hooks of Jinja's sandbox, and only filters and
methods whose results can be estimated are known. The meter counts what was built and looks at the clock.
"""

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, TypeVar, cast

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.runtime import Context, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

LONGEST_RENDERING_S: Final = 2.0
LARGEST_OUTPUT_CHARACTERS: Final = 1_000_000
_LARGEST_SOURCE_CHARACTERS: Final = 1_000_000
_LARGEST_SUM_CHARACTERS: Final = 32_000_000
"""Of everything a rendering builds; at four bytes for a character this is half of the 256 MB it may use."""
_CHARACTERS_PER_ITEM: Final = 64
"""What an entry of a list costs, in characters."""
_LARGEST_INTEGER_BITS: Final = 4096
_LARGEST_INDENT: Final = 16

# fmt: off
_FILTERS: Final = frozenset((
    "abs", "capitalize", "count", "d", "default", "dictsort", "e", "escape", "first", "float", "format", "indent",
    "int", "items", "join", "last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr",
    "replace", "reverse", "safe", "select", "selectattr", "sort", "string", "striptags", "title", "tojson",
    "trim", "truncate", "unique", "upper", "wordcount",
))
_TEXT_METHODS: Final = frozenset((
    "capitalize", "casefold", "count", "endswith", "find", "format", "index", "isalnum", "isalpha", "isdecimal",
    "isdigit", "islower", "isnumeric", "isspace", "istitle", "isupper", "join", "lower", "lstrip", "partition",
    "removeprefix", "removesuffix", "replace", "rfind", "rindex", "rpartition", "rsplit", "rstrip", "split",
    "splitlines", "startswith", "strip", "swapcase", "title", "upper",
))
_CONTAINER_METHODS: Final = frozenset((
    "copy", "count", "get", "index", "items", "keys", "values",
))
# fmt: on
_GROWING: Final = frozenset(("format", "indent", "join", "replace", "tojson"))
"""Filters and methods whose result can be as long as the product of their arguments."""
_WIDTH: Final = re.compile(r"%[^%a-zA-Z]*(\d{4}|\*)|\{[^{}]*:")

_ADDED_BY_JINJA: Final = ("_loop_vars", "_block_vars")
"""Arguments of every call inside a loop or block; Jinja takes them away again."""

T = TypeVar("T")


class TemplateLimitError(Exception):
    """The template asks for more time or memory than a prompt needs."""


class _Meter:
    """Counts what one rendering builds and how long it takes."""

    def __init__(self) -> None:
        self._deadline_s = time.monotonic() + LONGEST_RENDERING_S
        self._n_left = _LARGEST_SUM_CHARACTERS

    def charge(self, n_characters: int) -> None:
        self._n_left -= n_characters
        if self._n_left < 0:
            raise TemplateLimitError("the template builds too much text")
        if time.monotonic() > self._deadline_s:
            raise TemplateLimitError(f"the template takes longer than {LONGEST_RENDERING_S:g} seconds")

    def expect(self, n_characters: int) -> None:
        """Refuse a step before it is begun; the step itself is charged by its result."""
        if n_characters > self._n_left:
            raise TemplateLimitError("the template builds too much text")

    def built(self, value: T) -> T:
        """Charge a new value with everything in it, however often it is in it."""
        self.charge(_size(value, self._n_left))
        return value


def _size(value: object, limit: int) -> int:
    """How long a value is when written out; counting stops beyond the limit."""
    size = 0
    to_count: list[object] = [value]
    while to_count and size <= limit:
        item = to_count.pop()
        size += _CHARACTERS_PER_ITEM
        if isinstance(item, str):
            size += len(item)
        elif isinstance(item, Mapping):
            to_count += [*item.keys(), *item.values()]
        elif isinstance(item, list | tuple | set | frozenset):
            to_count += item
    return size


class TemplateEnvironment(ImmutableSandboxedEnvironment):
    """Jinja as chat templates expect it, with everything metered. One rendering at a time."""

    intercepted_binops = frozenset(("+", "*", "**", "%", "//"))

    def __init__(self) -> None:
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, _GenerationBlock])
        self._meter = _Meter()
        self.filters = {name: self._metered(name, self.filters[name]) for name in _FILTERS if name in self.filters}
        self.filters["tojson"] = self._metered("tojson", _to_json)
        self.globals = {name: self.globals[name] for name in ("range", "dict", "namespace")}

    def compile_metered(self, source: str) -> jinja2.Template:
        """Compile a template so that its loops and literals are metered too.

        Raises:
            jinja2.TemplateError: If it is no valid template.
            TemplateLimitError: If it is too long.
        """
        if len(source) > _LARGEST_SOURCE_CHARACTERS:
            raise TemplateLimitError("the template is too long")
        self._meter = _Meter()
        tree = _Rewriter().visit(self.parse(source))
        return self.template_class.from_code(self, self.compile(tree), self.globals)

    def render_metered(self, template: jinja2.Template, variables: Mapping[str, object]) -> str:
        """Render within the limits.

        Raises:
            jinja2.TemplateError: If the template fails.
            TemplateLimitError: If it asks for too much.
        """
        self._meter = _Meter()
        parts: list[str] = []
        n_characters = 0
        for part in template.generate(**variables):
            n_characters += len(part)
            if n_characters > LARGEST_OUTPUT_CHARACTERS:
                raise TemplateLimitError("the prompt it writes is too long")
            parts.append(part)
        return "".join(parts)

    # The rewritten template calls these.

    def metered_loop(self, items: Iterable[T], n_constant: int) -> Iterator[T]:
        """Charge each turn of a loop with the constant text in its body."""
        for item in items:
            self._meter.charge(_CHARACTERS_PER_ITEM + n_constant)
            yield item

    def metered_value(self, value: T) -> T:
        """Charge a literal or a slice."""
        return self._meter.built(value)

    def metered_join(self, *parts: object) -> str:
        """What ``~`` does."""
        return self._meter.built("".join(map(str, parts)))

    # Jinja's sandbox calls these.

    def call_binop(self, context: Context, operator: str, left: object, right: object) -> object:
        """Compute an operator after estimating its result."""
        self._meter.expect(_estimated_size(operator, left, right))
        return self._meter.built(super().call_binop(context, operator, left, right))

    def call(self, context: Context, function: object, /, *args: object, **kwargs: object) -> object:
        """Call a function or method after estimating its result."""
        self._meter.charge(_CHARACTERS_PER_ITEM)
        concrete = [self._concrete(value) for value in args]
        named = {name: value for name, value in kwargs.items() if name not in _ADDED_BY_JINJA}
        self._check_method(function, concrete, named)
        return self._meter.built(super().call(context, function, *concrete, **kwargs))

    def wrap_str_format(self, value: object) -> Callable[..., str] | None:
        """Guard ``str.format``, which Jinja's sandbox hands out as a function of its own."""
        guarded = super().wrap_str_format(value)
        if guarded is None:
            return None
        text = getattr(value, "__self__", "")

        def metered(*args: object, **kwargs: object) -> str:
            self._expect_product("format", [text, *args], kwargs)
            return guarded(*args, **kwargs)

        return metered

    def _check_method(self, function: object, args: list[object], kwargs: dict[str, object]) -> None:
        owner = getattr(function, "__self__", None)
        name = getattr(function, "__name__", "")
        if isinstance(owner, str):
            allowed = name in _TEXT_METHODS
        elif isinstance(owner, list | tuple | Mapping):
            allowed = name in _CONTAINER_METHODS
        elif isinstance(owner, int | float | bytes):
            allowed = False
        else:
            return
        if not allowed:
            raise TemplateLimitError(f"the template uses {name}, which no chat template needs")
        if name in _GROWING:
            self._expect_product(name, [owner, *args], kwargs)

    def _metered(self, name: str, function: Callable[..., object]) -> Callable[..., object]:
        """A filter that charges its result; Jinja's markers of what it wants as first argument stay on it."""
        takes_context = hasattr(function, "jinja_pass_arg")

        def metered(*args: object, **kwargs: object) -> object:
            self._meter.charge(_CHARACTERS_PER_ITEM)
            if name in _GROWING:
                args = tuple(map(self._concrete, args))
                self._expect_product(name, list(args[1:] if takes_context else args), kwargs)
            return self._meter.built(function(*args, **kwargs))

        metered.__dict__.update(getattr(function, "__dict__", {}))
        return metered

    def _concrete(self, value: object) -> object:
        """Lists in the place of what makes its items only on demand, so that they can be counted."""
        if isinstance(value, Iterable) and not isinstance(value, str | list | tuple | Mapping | Undefined):
            return list(self.metered_loop(value, 0))
        return value

    def _expect_product(self, name: str, args: list[object], kwargs: dict[str, object]) -> None:
        if name == "format":
            _refuse_padding(str(args[0]))
        if name == "replace":
            del args[1:2]  # what is looked for makes nothing longer
        product = 1
        for value in (*args, *kwargs.values()):
            product *= _factor(value)
        self._meter.expect(product)


def _factor(value: object) -> int:
    """How many times longer a value can make what it is used on."""
    if isinstance(value, int):
        return max(1, value)
    return 1 + len(value) if isinstance(value, str) else _size(value, _LARGEST_SUM_CHARACTERS)


def _estimated_size(operator: str, left: object, right: object) -> int:
    """An upper bound, in characters, of what an operator builds."""
    if operator == "%" and isinstance(left, str):
        _refuse_padding(left)
        return _factor(left) * _factor(right)
    if isinstance(left, int) and isinstance(right, int):
        n_bits = left.bit_length() * abs(right) if operator == "**" else left.bit_length() + right.bit_length()
        if n_bits > _LARGEST_INTEGER_BITS:
            raise TemplateLimitError("the template computes with huge numbers")
        return 0
    if operator == "*":
        n_times, repeated = (left, right) if isinstance(left, int) else (right, left)
        return n_times * _size(repeated, _LARGEST_SUM_CHARACTERS) if isinstance(n_times, int) else 0
    return 0


def _refuse_padding(template: str) -> None:
    if _WIDTH.search(template):
        raise TemplateLimitError("the template pads text, which no chat template needs")


class _Rewriter(NodeTransformer):
    """Sends loops, literals, slices and ``~`` through the environment's meter."""

    def generic_visit(self, node: nodes.Node, *args: object, **kwargs: object) -> nodes.Node:
        """Rewrite what stands inside, then the node itself."""
        super().generic_visit(node, *args, **kwargs)
        if isinstance(node, nodes.For):
            if node.recursive:
                raise TemplateLimitError("the template uses a recursive loop, which no chat template needs")
            items = cast("nodes.Expr", node.iter)  # declared as any node, but the grammar allows nothing else
            node.iter = _metered_call("metered_loop", items, nodes.Const(_n_constant(node)))
        elif isinstance(node, nodes.Concat):
            return _metered_call("metered_join", *node.nodes)
        elif isinstance(node, nodes.Expr) and _builds_value(node):
            return _metered_call("metered_value", node)
        return node


def _builds_value(node: nodes.Expr) -> bool:
    """Whether an expression makes a list or a part of a text without an operator or a call."""
    if isinstance(node, nodes.Tuple):
        return node.ctx == "load"
    return isinstance(node, nodes.List | nodes.Dict) or (
        isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Slice)
    )


def _n_constant(node: nodes.Node) -> int:
    """Characters of constant text within a node."""
    n_characters = sum(len(data.data) for data in node.find_all(nodes.TemplateData))
    return n_characters + sum(len(const.value) for const in node.find_all(nodes.Const) if isinstance(const.value, str))


def _metered_call(name: str, *args: nodes.Expr) -> nodes.Call:
    return nodes.Call(nodes.EnvironmentAttribute(name), list(args), [], None, None)


class _GenerationBlock(Extension):
    """``{% generation %}`` marks the assistant's words for training; for a prompt it means nothing."""

    tags = {"generation"}  # noqa: RUF012 - declared so by Jinja

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """Keep what stands between the tags."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _to_json(
    value: object,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON as chat templates expect it: without the escapes that Jinja's own filter writes for HTML."""
    if isinstance(value, Undefined):
        raise jinja2.TemplateRuntimeError("An undefined value cannot be written as JSON.")
    if indent is not None and not (isinstance(indent, int) and 0 <= indent <= _LARGEST_INDENT):
        raise TemplateLimitError("the template indents too deeply")
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
