import subprocess
import sys

from bench.core.axes import BACKENDS, TORCH


def test_backends_are_found_by_name_with_torch_first():
    """Each module of the room that is no infrastructure is one, and none of them is imported."""
    assert BACKENDS[0] == TORCH
    assert {"torch", "onnxruntime", "openvino"} <= {backend.value for backend in BACKENDS}
    code = "import bench.core.axes, sys; sys.exit('bench.worker' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
