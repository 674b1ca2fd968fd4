"""One side of a paired comparison: a process that loads modules and runs forwards when told to.

Run as a script by whatever interpreter the side has, so it needs torch and transformers, and no
other part of this project. JSON lines come in on stdin, an order first and then commands; JSON
lines go out on what was stdout. Commands: `run` times forwards of a case, `calibrate` times them
against units of extra work. The process ends when stdin closes.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import queue
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

NS = 1e-9
PR_SET_PDEATHSIG = 1
CALIBRATIONS = 15
EXTRA_ROWS = 16
EXTRA_SIZE = 768
"""A unit of extra work is a (16 x 768) by (768 x 768) product: 19 MFLOP, under 1 % of a forward."""
CALIBRATION_UNITS = 50
"""Enough to be seen in a forward, and about as many as a slowdown of 5 % takes."""

Forward = Callable[[], Any]


def main() -> None:
    """Load every case of the order, then obey commands."""
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - imports stay few
    # A script's own directory comes first: its neighbours are no modules of the side's.
    sys.path[:] = [p for p in sys.path if os.path.abspath(p or ".") != here]  # noqa: PTH100
    _end_with_parent()
    commands = _commands()
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")

    def emit(**event: Any) -> None:
        channel.write(json.dumps(event) + "\n")
        channel.flush()

    order = json.loads(commands.get())
    sys.path[:0] = order["paths"]
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    torch.set_num_threads(order["threads"])
    forwards: dict[str, Forward] = {}
    modules: dict[str, Any] = {}
    with torch.inference_mode():
        for case in order["cases"]:
            try:
                forwards[case["id"]] = _forward(case, order, modules)
            except Exception as error:  # noqa: BLE001, PERF203 - it becomes the case's reason
                emit(event="failed", case=case["id"], reason=_reason(error))
        versions = {
            "python": sys.version.partition(" ")[0],
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        }
        emit(event="loaded", versions=versions)
        while True:
            command = json.loads(commands.get())
            try:
                emit(**_obey(command, forwards[command["case"]], order["device"]))
            except Exception as error:  # noqa: BLE001 - see above
                emit(event="failed", case=command["case"], reason=_reason(error))


def _end_with_parent() -> None:
    """Have Linux end this process with its parent, whatever it is doing then; see prctl(2)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _commands() -> queue.Queue[str]:
    """The lines of stdin, read by a thread: the process ends when stdin closes.

    That is so where the kernel does not end it with its parent, too. It ends without exit handlers:
    one of torch's has been seen to wait forever for a thread that was gone.
    """
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return lines


def _obey(command: dict[str, Any], forward: Forward, device: str) -> dict[str, Any]:
    if command["do"] == "calibrate":
        return _calibrate(forward, device)
    wall, cpu = [], []
    for _ in range(command["forwards"]):
        took = _time(forward, device)
        wall.append(took[0])
        cpu.append(took[1])
    return {"event": "block", "wall_s": wall, "cpu_s": cpu}


def _time(forward: Forward, device: str) -> tuple[float, float]:
    """Wall and CPU seconds of one forward, with the device's work done."""
    _synchronize(device)
    cpu, wall = time.process_time_ns(), time.perf_counter_ns()
    forward()
    _synchronize(device)
    wall_end, cpu_end = time.perf_counter_ns(), time.process_time_ns()
    return (wall_end - wall) * NS, (cpu_end - cpu) * NS


def _calibrate(forward: Forward, device: str) -> dict[str, Any]:
    """The share by which one unit of extra work slows a forward, in the forward's own conditions.

    Both are timed whole and in turn: a unit alone would find the machine quiet more often than a
    forward does. In CPU seconds where there are any, since those wait for nobody.
    """
    extra = _extra_work(CALIBRATION_UNITS, device)

    def slower() -> Any:
        extra()
        return forward()

    column = 0 if device.startswith("cuda") else 1
    took = [
        (_time(forward, device)[column], _time(slower, device)[column]) for _ in range(CALIBRATIONS)
    ]
    shares = sorted(more / plain - 1 for plain, more in took if plain > 0)
    return {"event": "calibrated", "unit_share": shares[len(shares) // 2] / CALIBRATION_UNITS}


def _forward(case: dict[str, Any], order: dict[str, Any], modules: dict[str, Any]) -> Forward:
    """A call of no arguments that runs the case's forward, and its extra work if it has any."""
    build, device = case["build"], order["device"]
    key = json.dumps([build, case["dtype"], case["attention"]], sort_keys=True)
    if key not in modules:
        modules[key] = BUILDERS[build["kind"]](case, order)
    module, inputs = modules[key]
    if inputs is None:
        inputs = _token_ids(module, case, order)
    module_args, module_kwargs = _arguments(inputs)

    def forward() -> Any:
        return module(*module_args, **module_kwargs)

    if not case["extra_units"]:
        return forward
    extra = _extra_work(case["extra_units"], device)

    def slower() -> Any:
        extra()
        return forward()

    return slower


def _from_config(case: dict[str, Any], order: dict[str, Any]) -> tuple[Any, Any]:
    """A transformers encoder with seeded random weights: of a directory's config, or of facts."""
    import torch
    from transformers import AutoConfig, AutoModel

    build = case["build"]
    if build.get("directory"):
        config = AutoConfig.from_pretrained(build["directory"], trust_remote_code=False)
    else:
        config = AutoConfig.for_model(build["model_type"], **build["arguments"])
    torch.manual_seed(0)
    module = AutoModel.from_config(config, attn_implementation=case["attention"])
    return module.eval().to(device=order["device"], dtype=getattr(torch, case["dtype"])), None


def _from_repository(case: dict[str, Any], order: dict[str, Any]) -> tuple[Any, Any]:
    """A model as the side's own checkout of this project names and loads it."""
    asked = (case["build"]["name"], case["dtype"], case["attention"], order["device"])
    try:
        by_name = importlib.import_module("bench.gate.by_name")
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("bench."):
            raise
        # A tree from before 2026-11-27 has no such module.
        return _from_old_repository(*asked), None
    return by_name.load(*asked), None


def _from_old_repository(name: str, dtype: str, attention: str, device: str) -> Any:
    loading = importlib.import_module("bench.loading")
    registry = importlib.import_module("bench.registry")
    variant = importlib.import_module("bench.spec").Variant(dtype, attention)
    return loading.load(registry.pick_models([name])[0], variant, None, device, random=True)


def _from_factory(case: dict[str, Any], order: dict[str, Any]) -> tuple[Any, Any]:
    """What the user's `module:function` returns: a torch module and its inputs."""
    name, _, function = case["build"]["name"].partition(":")
    module, inputs = getattr(importlib.import_module(name), function)()
    return module.eval().to(order["device"]), _moved(inputs, order["device"])


BUILDERS = {"config": _from_config, "repository": _from_repository, "factory": _from_factory}


def _token_ids(module: Any, case: dict[str, Any], order: dict[str, Any]) -> dict[str, Any]:
    import torch

    generator = torch.Generator().manual_seed(order["seed"])
    shape = (case["batch_size"], case["seq_len"])
    ids = torch.randint(0, int(module.config.vocab_size), shape, generator=generator)
    device = order["device"]
    return {"input_ids": ids.to(device), "attention_mask": torch.ones_like(ids).to(device)}


def _arguments(inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Inputs as a call takes them: a mapping by name, a list in order, anything else alone."""
    if hasattr(inputs, "keys"):
        return (), {name: inputs[name] for name in inputs.keys()}  # noqa: SIM118 - BatchEncoding
    return (tuple(inputs) if isinstance(inputs, (list, tuple)) else (inputs,)), {}


def _moved(inputs: Any, device: str) -> Any:
    if hasattr(inputs, "keys"):
        return {name: _moved(inputs[name], device) for name in inputs.keys()}  # noqa: SIM118
    if isinstance(inputs, (list, tuple)):
        return [_moved(one, device) for one in inputs]
    return inputs.to(device) if hasattr(inputs, "to") else inputs


def _extra_work(units: int, device: str) -> Forward:
    """A call that does that many units of extra work, always the same."""
    import torch

    left = torch.ones(EXTRA_ROWS, EXTRA_SIZE, device=device)
    right = torch.ones(EXTRA_SIZE, EXTRA_SIZE, device=device)
    out = torch.empty(EXTRA_ROWS, EXTRA_SIZE, device=device)

    def work() -> None:
        for _ in range(units):
            torch.mm(left, right, out=out)

    return work


def _synchronize(device: str) -> None:
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize(device)


def _reason(error: BaseException) -> str:
    """An exception in one line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


if __name__ == "__main__":
    main()
