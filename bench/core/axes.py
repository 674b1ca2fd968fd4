"""How a model is run: dtype, attention, backend, compilation, head and cache; no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from pkgutil import iter_modules

DEFAULT_ATTENTION = "sdpa"
"""What transformers picks by itself for both models; eager is only used to count FLOPs."""


class Dtype(str, Enum):
    """Type of weights and activations; int8 is dynamic quantisation of the dense layers."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"
    INT8 = "int8"


class Attention(str, Enum):
    """How attention is computed: step by step, torch's fused call, or the flash-attn package."""

    EAGER = "eager"
    SDPA = "sdpa"
    FLASH = "flash"


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


class Compile(str, Enum):
    """torch.compile's mode; reduce-overhead is CUDA graphs."""

    NONE = "none"
    DEFAULT = "default"
    REDUCE_OVERHEAD = "reduce-overhead"
    MAX_AUTOTUNE = "max-autotune"


class Head(str, Enum):
    """The task that stands on the encoder; `features` is the base model alone."""

    FEATURES = "features"
    MASKED_LM = "masked-lm"
    SEQUENCE = "sequence-classification"
    TOKEN = "token-classification"  # noqa: S105 - a task, no secret
    QUESTION = "question-answering"


class Cache(str, Enum):
    """What a sample finds in the device's L2: its own last forward, or nothing of use."""

    WARM = "warm"
    COLD = "cold-l2"


@dataclass(frozen=True)
class Variant:
    """How a model is run: the same weights can be timed in several variants."""

    dtype: str = Dtype.FLOAT32.value
    attention: str = DEFAULT_ATTENTION
    backend: str = TORCH.value
    compile: str = Compile.NONE.value
    head: str = Head.FEATURES.value
    cache: str = Cache.WARM.value

    @property
    def special(self) -> tuple[str, ...]:
        """What is not as usual beyond dtype and attention, in words that name it."""
        return (*self.run_by, *self.setting)

    @property
    def run_by(self) -> tuple[str, ...]:
        """What runs the forward, where it is not torch as it is: backend and compilation."""
        compiled = f"compile-{self.compile}" if self.compile != Compile.NONE.value else ""
        words = ((self.backend, TORCH.value), (compiled, ""))
        return tuple(word for word, usual in words if word != usual)

    @property
    def setting(self) -> tuple[str, ...]:
        """What is run and what it finds, where not as usual: head and cache.

        Two of these are two workloads: the suite of variants does not compare them.
        """
        words = ((self.head, Head.FEATURES.value), (self.cache, Cache.WARM.value))
        return tuple(word for word, usual in words if word != usual)

    def with_head(self, head: str) -> Variant:
        """The same with another head."""
        return replace(self, head=head)

    def __str__(self) -> str:
        # Attention is a choice of torch's; an exported graph keeps what it was exported with.
        attention = (self.attention,) if self.backend == TORCH.value else ()
        return " ".join((self.dtype, *attention, *self.special))

    @property
    def is_plain(self) -> bool:
        """Whether it is a torch module in a floating-point type, run as it is."""
        return (
            self.dtype != Dtype.INT8.value
            and self.backend == TORCH.value
            and self.compile == Compile.NONE.value
            and self.cache == Cache.WARM.value
        )


REFERENCE = Variant(attention=Attention.EAGER.value)
"""What every variant has to compute the same as, and is compared with: float32, step by step."""
