"""NVIDIA's management library (NVML): clocks, power, heat, throttling, energy and own memory.

Read between rounds and outside every timed forward. What a device, a driver, a virtual machine or
an older library does not report is None; a machine without the library, or a device it does not
know, has no readings at all.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

MHZ = 1e6
MILLI = 1e-3
"""NVML counts milliwatts and millijoules."""
THROTTLES = (
    ("power cap", "nvmlClocksThrottleReasonSwPowerCap"),
    ("power brake", "nvmlClocksThrottleReasonHwPowerBrakeSlowdown"),
    ("heat", "nvmlClocksThrottleReasonSwThermalSlowdown"),
    ("heat", "nvmlClocksThrottleReasonHwThermalSlowdown"),
    ("slowdown", "nvmlClocksThrottleReasonHwSlowdown"),
)
"""What holds a GPU's clock down against its will: our word, and NVML's bit (its docs, 5.24)."""

COLUMNS = {
    "gpu_sm_hz": "float",
    "gpu_memory_hz": "float",
    "gpu_power_w": "float",
    "gpu_temperature_c": "float",
    "gpu_throttle": "str",
}
"""What a reading adds to a row of rounds.csv, and how it is written."""
NO_READING: dict[str, Any] = {name: "" if kind == "str" else None for name, kind in COLUMNS.items()}


@dataclass(frozen=True)
class Gpu:
    """One device; `library` is `pynvml`, the seam, and `handle` its name for the device."""

    library: Any
    handle: Any

    def reading(self) -> dict[str, Any]:
        """The columns of COLUMNS as they are now: Hz, W, degrees Celsius, words."""
        # A device that computes has clocks and takes power: 0 is what a virtual machine hides.
        sm, memory = (
            self._known("nvmlDeviceGetClockInfo", kind) or None
            for kind in ("NVML_CLOCK_SM", "NVML_CLOCK_MEM")
        )
        power = self._known("nvmlDeviceGetPowerUsage") or None
        reasons = self._known("nvmlDeviceGetCurrentClocksThrottleReasons")
        return {
            "gpu_sm_hz": None if sm is None else sm * MHZ,
            "gpu_memory_hz": None if memory is None else memory * MHZ,
            "gpu_power_w": None if power is None else power * MILLI,
            "gpu_temperature_c": self._known("nvmlDeviceGetTemperature", "NVML_TEMPERATURE_GPU"),
            "gpu_throttle": " ".join(self._words(int(reasons or 0))),
        }

    def energy_j(self) -> float | None:
        """Joules since the driver was loaded (Volta and later), to some ten milliseconds."""
        found = self._known("nvmlDeviceGetTotalEnergyConsumption")
        return None if found is None else found * MILLI

    def own_bytes(self) -> int | None:
        """Device memory of this very process, its CUDA context included.

        None where the driver does not report it, or numbers processes in another namespace
        (containers).
        """
        found = self._known("nvmlDeviceGetComputeRunningProcesses")
        mine = [process.usedGpuMemory for process in found or () if process.pid == os.getpid()]
        return int(mine[0]) if mine and mine[0] is not None else None

    def _words(self, reasons: int) -> list[str]:
        bits = ((word, getattr(self.library, name, 0)) for word, name in THROTTLES)
        return list(dict.fromkeys(word for word, bit in bits if reasons & bit))

    def _known(self, function: str, *constants: str) -> Any | None:
        """What a function of the library gives for this device and the named constants.

        None where this device, driver or library does not have it or may not report it.
        """
        library = self.library
        try:
            arguments = (getattr(library, name) for name in constants)
            return getattr(library, function)(self.handle, *arguments)
        except (library.NVMLError, library.NVMLLibraryMismatchError, AttributeError):
            return None  # a mismatch, for a driver too old, is no NVMLError


def known(library: Any, uuid: str) -> Gpu | None:
    """The GPU of a UUID, or its part (MIG), where the library has it.

    torch writes UUIDs without NVML's prefix, which distinguishes the two.
    """
    bare = uuid.removeprefix("GPU-").removeprefix("MIG-")
    try:
        library.nvmlInit()
        try:
            return Gpu(library, library.nvmlDeviceGetHandleByUUID(f"GPU-{bare}"))
        except library.NVMLError:
            return Gpu(library, library.nvmlDeviceGetHandleByUUID(f"MIG-{bare}"))
    except library.NVMLError:
        return None
