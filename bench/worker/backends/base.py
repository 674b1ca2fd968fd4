"""Turns a loaded float32 module into the variant to be timed: the only place that knows how.

Every variant is made from the same weights in the same way, so that its output can be compared
with what the module gave before. What this machine cannot run raises UnsupportedError.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.core.axes import Attention, Backend, Cache, Compile, Dtype, Variant
from bench.core.errors import UnsupportedError
from bench.worker.loading import set_attention

if TYPE_CHECKING:
    import torch

Inputs = Mapping[str, "torch.Tensor"]
Forward = Callable[[], Any]

RECOMPILATIONS = 10_000
"""Workloads times models that one process may compile: far more than any plan has."""
EXTRAS = {
    Backend.ONNXRUNTIME: (("onnxruntime", "onnx", "onnxscript"), "onnx"),
    Backend.OPENVINO: (("openvino",), "openvino"),
}
"""Per backend the modules it needs, itself first, and the extra of this package with them."""
COMPILERS = {"darwin": "clang++", "win32": "cl"}
"""By system what torch.compile builds its kernels for the CPU with, unless CXX names another; g++
where none is named."""
LAUNCHERS = ("gcc", "clang", "cc")
"""What Triton builds the host's side of its kernels with, unless CC names another."""
TRITON_CAPABILITY, FLASH_CAPABILITY = (7, 0), (8, 0)
"""The oldest CUDA devices that torch.compile's kernels (Volta) and flash-attn (Ampere) are for."""
COMPILED = "TORCHINDUCTOR_CACHE_DIR"
"""The environment variable that tells torch where to keep what it compiled."""


@dataclass
class Engine(ABC):
    """Something that runs forwards; `facts` are metrics of making it, such as a file's size."""

    facts: dict[str, float] = field(default_factory=dict, init=False)

    @abstractmethod
    def bind(self, inputs: Inputs) -> Forward:
        """A forward over these inputs, which are brought into the engine's own form here."""

    @abstractmethod
    def tensors(self, result: Any) -> list[torch.Tensor]:
        """What a forward returned, as tensors of shape (batch, ...), in the model's order."""


@dataclass
class TorchEngine(Engine):
    """A torch module, compiled or not."""

    module: Any

    def bind(self, inputs: Inputs) -> Forward:
        """See Engine."""
        module = self.module
        return lambda: module(**inputs)

    def tensors(self, result: Any) -> list[torch.Tensor]:
        """See Engine."""
        return module_outputs(result)


@dataclass
class OnnxEngine(Engine):
    """An ONNX Runtime session; it takes and gives numpy arrays."""

    session: Any

    def bind(self, inputs: Inputs) -> Forward:
        """See Engine."""
        session = self.session
        feed = _arrays(inputs, {one.name for one in session.get_inputs()})
        return lambda: session.run(None, feed)

    def tensors(self, result: Any) -> list[torch.Tensor]:
        """See Engine."""
        import torch

        return [torch.from_numpy(array) for array in result]


@dataclass
class OpenVinoEngine(Engine):
    """An OpenVINO request, which runs one forward at a time."""

    request: Any

    def bind(self, inputs: Inputs) -> Forward:
        """See Engine."""
        request = self.request
        feed = _arrays(inputs, {name for port in request.model_inputs for name in port.names})
        return lambda: request.infer(feed, share_inputs=True, share_outputs=True)

    def tensors(self, result: Any) -> list[torch.Tensor]:
        """See Engine."""
        import torch

        return [torch.from_numpy(result[i].copy()) for i in range(len(result))]


def _arrays(inputs: Inputs, names: Collection[str]) -> dict[str, Any]:
    """What an exported model takes of the inputs, as numpy arrays."""
    return {name: value.cpu().numpy() for name, value in inputs.items() if name in names}


def module_outputs(result: Any) -> list[torch.Tensor]:
    """The tensors of a transformers output, in its order."""
    import torch

    return [value for value in result.to_tuple() if isinstance(value, torch.Tensor)]


def require(variant: Variant, device: str, *, timed: bool = True) -> None:
    """Raise UnsupportedError, with the reason, for what cannot run here; needs no model.

    What runs only by emulation is no more to be `timed`, but may be counted.
    """
    for problem in _problems(variant, device):
        raise UnsupportedError(problem)
    for problem in _emulated(variant, device) if timed else ():
        raise UnsupportedError(problem)


def _emulated(variant: Variant, device: str) -> Iterable[str]:
    import torch

    if device != "cpu":
        if variant.dtype == Dtype.BFLOAT16.value:
            with torch.cuda.device(device):
                if not torch.cuda.is_bf16_supported(including_emulation=False):
                    yield f"{device} has no bfloat16 instructions: torch would emulate it"
        return
    checks = {
        Dtype.BFLOAT16.value: torch.ops.mkldnn._is_mkldnn_bf16_supported,  # noqa: SLF001 - torch has no public one
        Dtype.FLOAT16.value: torch.ops.mkldnn._is_mkldnn_fp16_supported,  # noqa: SLF001 - likewise
    }
    onednn = torch.backends.mkldnn.is_available()
    if onednn and variant.dtype in checks and not checks[variant.dtype]():
        yield f"this CPU has no {variant.dtype} instructions: torch would emulate it, far slower"


def _problems(variant: Variant, device: str) -> Iterable[str]:
    yield from _backend_problems(variant, device)
    if variant.attention == Attention.FLASH.value:
        if device == "cpu":
            yield "flash attention runs on CUDA only"
        if importlib.util.find_spec("flash_attn") is None:
            yield "flash attention needs the package flash-attn, which is not installed"
        if variant.dtype not in (Dtype.BFLOAT16.value, Dtype.FLOAT16.value):
            yield f"flash attention runs in bfloat16 or float16, not in {variant.dtype}"
    yield from _cpu_problems(variant) if device == "cpu" else _cuda_problems(variant, device)


def _backend_problems(variant: Variant, device: str) -> Iterable[str]:
    backend = Backend(variant.backend)
    if backend in EXTRAS:
        modules, extra = EXTRAS[backend]
        for module in modules:
            if importlib.util.find_spec(module) is None:
                yield f"{module} is not installed: pip install 'bert-albert-bench[{extra}]'"
        module = modules[0]
        if variant.dtype != Dtype.FLOAT32.value:
            yield f"{module} is run in float32 only, not in {variant.dtype}"
        if device != "cpu":
            yield f"{module} is run on the CPU only, not on {device}"
        if variant.attention != Attention.SDPA.value:
            yield f"models are exported for {module} with sdpa attention, not {variant.attention}"
        if variant.compile != Compile.NONE.value:
            yield f"torch.compile does not apply to {module}"


def _cuda_problems(variant: Variant, device: str) -> Iterable[str]:
    if variant.dtype == Dtype.INT8.value:
        yield f"dynamic int8 quantisation runs on the CPU only, not on {device}"
    if variant.compile != Compile.NONE.value:
        if importlib.util.find_spec("triton") is None:
            yield "torch.compile on CUDA needs the package triton, which is not installed"
        if not any(map(shutil.which, (os.environ.get("CC", ""), *LAUNCHERS))):
            yield "torch.compile on CUDA needs a C compiler: install gcc or clang"
        yield from _too_old(device, TRITON_CAPABILITY, "torch.compile on CUDA")
    if variant.attention == Attention.FLASH.value:
        yield from _too_old(device, FLASH_CAPABILITY, "flash attention")


def _too_old(device: str, needed: tuple[int, int], what: str) -> Iterable[str]:
    import torch

    found = torch.cuda.get_device_capability(device)
    if found < needed:
        had, wanted = (".".join(map(str, one)) for one in (found, needed))
        yield f"{what} needs compute capability {wanted}; {device} has {had}"


def _cpu_problems(variant: Variant) -> Iterable[str]:
    compiler = os.environ.get("CXX") or COMPILERS.get(sys.platform, "g++")
    if variant.compile != Compile.NONE.value and not shutil.which(compiler):
        yield (
            f"torch.compile on the CPU needs a C++ compiler, and there is no {compiler}: install "
            "it, or name another in CXX"
        )
    if variant.compile == Compile.REDUCE_OVERHEAD.value:
        yield "reduce-overhead is CUDA graphs, and this is a CPU"
    if variant.cache == Cache.COLD.value:
        yield "cold-l2 is a mode of CUDA devices"


def build(
    module: torch.nn.Module,
    variant: Variant,
    device: str,
    example: Inputs,
    *,
    threads: int,
    sizes_vary: bool = False,
) -> Engine:
    """Make the engine of a variant from a float32 module, which is changed or used up by it.

    `example` are inputs to export a graph with; its sizes stay free. `threads` are those of an
    engine that does not ask torch for them. `sizes_vary` says that inputs to come have many
    lengths, for which torch.compile makes code of free sizes as well.
    """
    require(variant, device)
    match Backend(variant.backend):
        case Backend.ONNXRUNTIME:
            return _onnx(module, example, threads)
        case Backend.OPENVINO:
            return _openvino(module, example, threads)
    return _torch(module, variant, sizes_vary=sizes_vary)


def _torch(module: Any, variant: Variant, *, sizes_vary: bool) -> TorchEngine:
    import torch

    set_attention(module, variant.attention)
    if variant.dtype == Dtype.INT8.value:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that torchao will replace it
            module = torch.ao.quantization.quantize_dynamic(
                module, {torch.nn.Linear}, dtype=torch.qint8, inplace=True
            )
    else:
        module = module.to(getattr(torch, variant.dtype))
    if variant.compile != Compile.NONE.value:
        # Each workload is compiled for its own sizes, as someone who tunes for one would do: more
        # of them than torch expects of one function; beyond its limit it would run uncompiled.
        limits = torch._dynamo.config  # noqa: SLF001 - it has no other name
        limits.recompile_limit = limits.accumulated_recompile_limit = RECOMPILATIONS
        limits.fail_on_recompile_limit_hit = True
        _start_compiler(module.device)
        module = torch.compile(module, mode=variant.compile, dynamic=sizes_vary)
    return TorchEngine(module)


@cache
def _start_compiler(device: torch.device) -> None:
    """Compile next to nothing: what compiling sets up once per process is no case's own time."""
    import torch

    with torch.inference_mode():
        torch.compile(torch.sin, dynamic=False)(torch.zeros(8, device=device))


@contextmanager
def compiling(variant: Variant, case: str) -> Iterator[None]:
    """What is compiled within is kept for this case alone, which a later process finds again.

    Otherwise a case would find what it has in common with those before it compiled already, and
    its time would depend on their order.
    """
    if variant.compile == Compile.NONE.value:
        yield
        return
    from torch._inductor.runtime.cache_dir_utils import cache_dir
    from torch._inductor.utils import clear_caches

    common = cache_dir()
    clear_caches()
    os.environ[COMPILED] = str(Path(common) / sha256(case.encode()).hexdigest()[:16])
    try:
        yield
    finally:
        os.environ[COMPILED] = common


class _Plain:
    """Makes a module that takes two tensors and gives a tuple, which is what exporters trace."""

    def __new__(cls, module: Any) -> Any:
        """The wrapper is a torch module; torch is imported only where one is made."""
        import torch

        class Plain(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.inner = module

            def forward(self, input_ids: Any, attention_mask: Any) -> Any:
                return tuple(module_outputs(self.inner(input_ids, attention_mask)))

        return Plain()


def _onnx(module: Any, example: Inputs, threads: int) -> OnnxEngine:
    """Export with torch.onnx and load the file; its size is that of all its parts on disk."""
    import onnxruntime
    import torch

    set_attention(module, Attention.SDPA.value)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    sizes = {0: torch.export.Dim("batch", min=1), 1: torch.export.Dim("tokens", min=2)}
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "model.onnx"
        torch.onnx.export(
            _Plain(module).eval(),
            (example["input_ids"], example["attention_mask"]),
            path,
            input_names=["input_ids", "attention_mask"],
            dynamic_shapes=(sizes, sizes),
            dynamo=True,
            verbose=False,
        )
        size = sum(file.stat().st_size for file in Path(place).iterdir())
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    engine = OnnxEngine(session)
    engine.facts["artifact_bytes"] = float(size)
    return engine


def _keep_openvino_quiet() -> None:
    """Its converter reports each use over the network, unless that part of it is not there."""
    modules: dict[str, Any] = sys.modules
    modules.setdefault("openvino_telemetry", None)


def _openvino(module: Any, example: Inputs, threads: int) -> OpenVinoEngine:
    """Convert with OpenVINO's own front end, tuned for the latency of one request."""
    _keep_openvino_quiet()
    import openvino

    set_attention(module, Attention.SDPA.value)
    model = openvino.convert_model(
        _Plain(module).eval(),
        example_input=(example["input_ids"], example["attention_mask"]),
    )
    names = ("input_ids", "attention_mask")
    for port, name in zip(model.inputs, names, strict=True):
        port.get_tensor().set_names({name})
    hints = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        # Other precisions are variants of their own.
        "INFERENCE_PRECISION_HINT": "f32",
    }
    request = openvino.Core().compile_model(model, "CPU", hints).create_infer_request()
    engine = OpenVinoEngine(request)
    with tempfile.TemporaryDirectory() as place:
        openvino.save_model(model, Path(place) / "model.xml", compress_to_fp16=False)
        engine.facts["artifact_bytes"] = float(
            sum(file.stat().st_size for file in Path(place).iterdir())
        )
    return engine
