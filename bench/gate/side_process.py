"""One side of a paired comparison: a process that loads modules and runs forwards on request.

Run as a script by whatever interpreter the side has, so it needs torch and transformers, and no
other part of this project. JSON lines come in on stdin, an order first and then commands; JSON
lines go out on what was stdout. Commands: `run` times forwards of a case, each on inputs of its
own; `outputs` writes what the last of them returned to a file; `calibrate` times forwards against
units of extra work. The process ends when stdin closes, and with its parent.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import queue
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

NS = 1e-9
PR_SET_PDEATHSIG = 1
CALIBRATIONS = 15
CALIBRATION_UNITS = 50
"""Enough to be seen in a forward, and about as many as a slowdown of 5 % takes."""


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
    loader = _neighbour(os.path.join(here, "side_cases.py"))  # noqa: PTH118 - see above
    cases: dict[str, Any] = {}
    modules: dict[str, Any] = {}
    with torch.inference_mode():
        for case in order["cases"]:
            try:
                cases[case["id"]] = loader.load(case, order, modules)
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
                emit(**_obey(command, cases[command["case"]], order["device"]))
            except Exception as error:  # noqa: BLE001 - see above
                emit(event="failed", case=command["case"], reason=_reason(error))


def _neighbour(path: str) -> Any:
    """The module in a file beside this one, under a name that no module of the side's has."""
    spec = importlib.util.spec_from_file_location("_bench_side_cases", path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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


def _obey(command: dict[str, Any], case: Any, device: str) -> dict[str, Any]:
    if command["do"] == "calibrate":
        return _calibrate(case, device)
    if command["do"] == "outputs":
        return _save_outputs(case, command["path"])
    return _run(case, command["forwards"], command["draw"], device)


def _run(case: Any, forwards: int, draw: int, device: str) -> dict[str, Any]:
    """Time forwards on inputs that are drawn before, so that nothing comes between them.

    Draws count down to `draw`: the last forwards of both sides have one input, however many each
    runs.
    """
    import torch

    case.output = None  # freed before the next output is made, as in any other loop
    drawn = [(number, case.draw(number)) for number in range(draw + forwards - 1, draw - 1, -1)]
    wall, cpu = [], []
    for number, inputs in drawn:
        torch.manual_seed(number)  # a module that draws random numbers draws the same on both sides
        case.output = None
        took_wall, took_cpu, case.output = _time(case.forward, inputs, device)
        wall.append(took_wall)
        cpu.append(took_cpu)
    return {"event": "block", "wall_s": wall, "cpu_s": cpu}


def _time(forward: Callable[[Any], Any], inputs: Any, device: str) -> tuple[float, float, Any]:
    """Wall and CPU seconds of one forward, with the device's work done; and its output."""
    _synchronize(device)
    cpu, wall = time.process_time_ns(), time.perf_counter_ns()
    output = forward(inputs)
    _synchronize(device)
    wall_end, cpu_end = time.perf_counter_ns(), time.process_time_ns()
    return (wall_end - wall) * NS, (cpu_end - cpu) * NS, output


def _save_outputs(case: Any, path: str) -> dict[str, Any]:
    """Write the tensors of the last output to an .npz file; and name every type behind them."""
    import numpy as np
    import torch

    tensors = list(_tensors(case.output))
    parameters = case.module.parameters() if hasattr(case.module, "parameters") else ()
    dtypes = {str(t.dtype).removeprefix("torch.") for t in (*tensors, *parameters)}
    arrays = [
        (t.float() if t.dtype in (torch.float16, torch.bfloat16) else t).cpu().numpy()
        for t in tensors
    ]
    np.savez(path, **{f"{i:04d}": array for i, array in enumerate(arrays)})
    return {"event": "outputs", "dtypes": sorted(dtypes)}


def _tensors(output: Any) -> Iterator[Any]:
    """The dense tensors of an output, in order, however deep they lie."""
    import torch

    if isinstance(output, torch.Tensor):
        if output.layout is torch.strided:
            yield output
    elif hasattr(output, "keys"):
        for name in output.keys():  # noqa: SIM118 - ModelOutput
            yield from _tensors(output[name])
    elif isinstance(output, (list, tuple)):
        for one in output:
            yield from _tensors(one)


def _calibrate(case: Any, device: str) -> dict[str, Any]:
    """The share by which one unit of extra work slows a forward, in the forward's own conditions.

    Both are timed whole and in turn: a unit alone would find the machine quiet more often than a
    forward does. In CPU seconds where there are any, since those wait for nobody.
    """
    slower = case.slowed_by(CALIBRATION_UNITS)
    column = 0 if device.startswith("cuda") else 1
    inputs = case.draw(0)
    took = [
        (_time(case.forward, inputs, device)[column], _time(slower, inputs, device)[column])
        for _ in range(CALIBRATIONS)
    ]
    shares = sorted(more / plain - 1 for plain, more in took if plain > 0)
    return {"event": "calibrated", "unit_share": shares[len(shares) // 2] / CALIBRATION_UNITS}


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
