"""The axes of a variant, one declaration each: dtype, attention, backend, compile, head, cache.

An axis is a field of `Variant`. Its declaration is all there is to write: the options of the
command line, plans, ids, CSV columns, the keys of `bench compare`, the terminal and the page are
made from `AXES`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, TypeVar

from bench.core.english import several

Value = TypeVar("Value")


class Choice(Enum):
    """The values of an axis; in text they are what users write."""

    def __str__(self) -> str:
        return str(self.value)


class Dtype(Choice):
    """Type of weights and activations; int8 is dynamic quantisation of the dense layers."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"
    INT8 = "int8"


class Attention(Choice):
    """How attention is computed: torch's fused call, step by step, or the flash-attn package.

    SDPA is what transformers picks by itself for both models.
    """

    SDPA = "sdpa"
    EAGER = "eager"
    FLASH = "flash"


class Compile(Choice):
    """torch.compile's mode; reduce-overhead is CUDA graphs."""

    NONE = "none"
    DEFAULT = "default"
    REDUCE_OVERHEAD = "reduce-overhead"
    MAX_AUTOTUNE = "max-autotune"


class Head(Choice):
    """The task that stands on the encoder; `features` is the base model alone."""

    FEATURES = "features"
    MASKED_LM = "masked-lm"
    SEQUENCE = "sequence-classification"
    TOKEN = "token-classification"  # noqa: S105 - a task, no secret
    QUESTION = "question-answering"


class Cache(Choice):
    """What a sample finds in the device's L2: its own last forward, or nothing of use."""

    WARM = "warm"
    COLD = "cold-l2"


@dataclass(frozen=True)
class Backend:
    """What runs the forward: the name of a module in `bench.worker.backends`."""

    value: str

    def __str__(self) -> str:
        return self.value


TORCH = Backend("torch")
"""The usual backend, which the others are exported from."""

_BACKENDS_DIRECTORY = Path(__file__).parent.parent / "worker" / "backends"


def _backends() -> tuple[Backend, ...]:
    """One for each module, from its name alone: importing one imports torch."""
    names = {module.name for module in iter_modules([str(_BACKENDS_DIRECTORY)])}
    found = {name for name in names if not name.startswith("_")} - {TORCH.value}
    return (TORCH, *(Backend(name) for name in sorted(found)))


BACKENDS = _backends()
"""All there are, the usual one first."""


class Kind(Enum):
    """What an axis says of a case."""

    NUMBERS = "numbers"
    """How it computes: still a torch module that is run as it is."""
    ENGINE = "engine"
    """What runs it."""
    WORKLOAD = "workload"
    """What is run, and on what: cases that differ in it are two workloads, never compared."""


@dataclass(frozen=True)
class Axis:
    """An axis as declared; `choices` begin with the default.

    Its name is also its CSV column and, with `--`, its option. `word` is how a value reads in ids
    and names, where `{}` stands for it; the default is left out there unless it is `always` shown.
    """

    name: str
    default: Any
    choices: tuple[Any, ...]
    meaning: str
    kind: Kind
    word: str
    always: bool

    def __post_init__(self) -> None:
        values = [str(choice) for choice in self.choices]
        if not self.meaning or self.default != self.choices[0] or len({*values}) < len(values):
            raise ValueError(f"axis {self.name}: give a meaning and choices, the default first")
        if "{}" not in self.word or any(set(value) & set("/~ ") for value in values):
            raise ValueError(f"axis {self.name}: ids are made of its word with {{}} and its values")

    @property
    def option(self) -> str:
        """How the command line calls it."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def title(self) -> str:
        """How a table of the page calls it."""
        return self.name.replace("_", " ").capitalize()

    @property
    def option_help(self) -> str:
        """One line for `--help`: what it is, and its choices, of which the default is `usual`."""
        usual, *others = map(str, self.choices)
        return f"{self.meaning}: {several((f'{usual} (usual)', *others), 'or')}; repeatable."

    def parse(self, text: str) -> Any:
        """The choice that a user means; raises ValueError, which names the choices."""
        for choice in self.choices:
            if text == str(choice):
                return choice
        raise ValueError(f"{text!r}: choose from {', '.join(map(str, self.choices))}")

    def read(self, text: str) -> Any:
        """The value of a stored case, whose backend may be gone; raises ValueError for no value."""
        return type(self.default)(text)

    def in_words(self, value: Any) -> str:
        """How a value reads in ids and names."""
        return self.word.format(value)


def axis(
    choices: Iterable[Value], *, meaning: str, kind: Kind, word: str = "{}", always: bool = False
) -> Value:
    """Declare an axis of a Variant: see Axis; its default is the first of the choices."""
    known = tuple(choices)
    metadata = {"choices": known, "meaning": meaning, "kind": kind, "word": word, "always": always}
    return field(default=known[0], metadata=metadata)


@dataclass(frozen=True)
class Variant:
    """How a model is run: the same weights can be timed in several variants."""

    dtype: Dtype = axis(Dtype, meaning="Weights and activations", kind=Kind.NUMBERS, always=True)
    attention: Attention = axis(Attention, meaning="Attention", kind=Kind.NUMBERS, always=True)
    backend: Backend = axis(BACKENDS, meaning="What runs the forward", kind=Kind.ENGINE)
    compile: Compile = axis(
        Compile, meaning="torch.compile's mode", kind=Kind.ENGINE, word="compile-{}"
    )
    head: Head = axis(Head, meaning="The task on top of the encoder", kind=Kind.WORKLOAD)
    cache: Cache = axis(Cache, meaning="L2 before each forward (cold: CUDA)", kind=Kind.WORKLOAD)

    def __post_init__(self) -> None:
        for one in AXES:
            value, wanted = getattr(self, one.name), type(one.default)
            if not isinstance(value, wanted):
                raise TypeError(f"{one.name} is {value!r}: give a {wanted.__name__}")

    @classmethod
    def of_row(cls, row: object) -> Variant:
        """The variant that a row with identity columns is of; a missing one means the default."""
        named = ((one, getattr(row, one.name, None)) for one in AXES)
        return cls(**{one.name: one.read(str(text)) for one, text in named if text is not None})

    @property
    def columns(self) -> dict[str, str]:
        """Its values as text, by column."""
        return {one.name: str(getattr(self, one.name)) for one in AXES}

    @property
    def compared(self) -> tuple[str, ...]:
        """The parts of an id in which variants of one workload differ."""
        return tuple(self._words(Kind.NUMBERS, Kind.ENGINE))

    @property
    def setting(self) -> tuple[str, ...]:
        """What is run and what it finds, where not as usual; two of these are two workloads."""
        return tuple(self._words(Kind.WORKLOAD))

    @property
    def special(self) -> tuple[str, ...]:
        """What is not as usual, in words that name it, beyond what is always shown."""
        return tuple(self._words(*Kind, always=False))

    def _words(self, *kinds: Kind, always: bool = True) -> Iterator[str]:
        """The words of the axes of these kinds, without those at their default."""
        for one in (one for kind in kinds for one in AXES if one.kind is kind):
            value = getattr(self, one.name)
            if always if one.always else value != one.default:
                yield one.in_words(value)

    def with_head(self, head: Head) -> Variant:
        """The same with another head."""
        return replace(self, head=head)

    def __str__(self) -> str:
        # Attention is a choice of torch's; an exported graph keeps what it was exported with.
        hidden = self.attention if self.backend != TORCH else None
        shown = (getattr(self, one.name) for one in AXES if one.always)
        return " ".join((*(str(value) for value in shown if value is not hidden), *self.special))

    @property
    def is_plain(self) -> bool:
        """Whether it is a torch module in a floating-point type, run as it is."""
        engine = any(self._words(Kind.ENGINE))
        return not engine and self.dtype is not Dtype.INT8 and self.cache is Cache.WARM


def axes_of(variant: type[Variant]) -> tuple[Axis, ...]:
    """The declared axes, in the order of options, columns and ids.

    Raises TypeError for a field that is no declaration, ValueError for words that two axes share.
    """
    found = tuple(
        Axis(name=one.name, default=one.default, **one.metadata) for one in fields(variant)
    )
    words = [one.in_words(choice) for one in found for choice in one.choices]
    for word in words:
        if words.count(word) > 1:
            raise ValueError(f"{word!r} is a word of two axes: an id would not say which")
    return found


def unusual(row: object) -> Iterator[str]:
    """What a row with some of the identity columns has that is not the default, in words."""
    for one in AXES:
        text = getattr(row, one.name, None)
        if text not in (None, str(one.default)):
            yield one.in_words(text)


AXES = axes_of(Variant)
AXIS_NAMES = tuple(one.name for one in AXES)

REFERENCE = Variant(attention=Attention.EAGER)
"""What every variant has to compute the same as, and is compared with: float32, step by step."""
