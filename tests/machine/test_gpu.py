import os
from dataclasses import replace
from types import SimpleNamespace

import pytest
from fakes import FakeClock, QueueClock, QueueCuda, case, job, of, pair, values

from bench.core.axes import Cache, Variant
from bench.core.events import Failed
from bench.core.measures.cold_start import COLD_START
from bench.core.measures.memory import MEMORY
from bench.machine import gpu
from bench.machine.kernel import Kernel
from bench.plan.estimate import ENERGY_S
from bench.plan.jobs import STARTED, start_stamp
from bench.worker.clock import SystemClock
from bench.worker.device import gpu_of
from bench.worker.energy import energy, per_forward_j
from bench.worker.measures.cold_start import measure as measure_cold_start
from bench.worker.measures.forward import sample
from bench.worker.measures.memory import measure as measure_memory
from bench.worker.monitor import RoundWatch
from bench.worker.session import Session

CONTEXT = 200_000_000
"""Bytes that a stand-in for a device sets up."""
UUID = "0e1d5e0c-0000-4000-8000-000000000000"


class FakeNvml:
    """What `bench.machine.gpu` needs of pynvml: one device.

    A value that is None is unsupported; names in `missing` are not in the library at all.
    """

    class NVMLError(Exception):
        """See pynvml."""

    class NVMLLibraryMismatchError(Exception):
        """See pynvml: not one of its other errors."""

    NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU = "sm", "memory", "temperature"
    nvmlClocksThrottleReasonSwPowerCap = 0x4
    nvmlClocksThrottleReasonHwSlowdown = 0x8
    nvmlClocksThrottleReasonSwThermalSlowdown = 0x20
    nvmlClocksThrottleReasonHwThermalSlowdown = 0x40
    nvmlClocksThrottleReasonHwPowerBrakeSlowdown = 0x80

    def __init__(self, prefix="GPU", missing=(), **values):
        self.prefix, self.missing = prefix, missing
        self.values = {
            "sm": 1980,
            "memory": 2619,
            "power": 312_500,
            "temperature": 54,
            "reasons": 0,
            "energy": 0,
            "processes": [],
            **values,
        }

    def __getattribute__(self, name):
        if name in object.__getattribute__(self, "__dict__").get("missing", ()):
            raise AttributeError(name)
        return object.__getattribute__(self, name)

    def _value(self, name):
        if self.values[name] is None:
            raise self.NVMLError(f"{name} is not supported")
        if self.values[name] == "too old":
            raise self.NVMLLibraryMismatchError("unversioned function called")
        return self.values[name]

    def nvmlInit(self):
        """See pynvml."""
        self._value("sm")

    def nvmlDeviceGetHandleByUUID(self, uuid):
        """See pynvml."""
        if uuid != f"{self.prefix}-{UUID}":
            raise self.NVMLError("not found")
        return "handle"

    def nvmlDeviceGetClockInfo(self, handle, kind):
        """See pynvml: MHz."""
        assert handle == "handle"
        return self._value(kind)

    def nvmlDeviceGetPowerUsage(self, handle):
        """See pynvml: mW."""
        assert handle == "handle"
        return self._value("power")

    def nvmlDeviceGetTemperature(self, handle, kind):
        """See pynvml: degrees Celsius."""
        assert handle == "handle"
        return self._value(kind)

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle):
        """See pynvml: a mask of bits."""
        assert handle == "handle"
        return self._value("reasons")

    def nvmlDeviceGetTotalEnergyConsumption(self, handle):
        """See pynvml: mJ."""
        assert handle == "handle"
        return self._value("energy")

    def nvmlDeviceGetComputeRunningProcesses(self, handle):
        """See pynvml."""
        assert handle == "handle"
        return self._value("processes")


def device(**values):
    """A device with these values."""
    return gpu.Gpu(FakeNvml(**values), "handle")


def test_a_reading_is_in_si_units_with_throttling_in_words():
    """NVML tells MHz and milliwatts; heat has two bits and is named once."""
    assert device(reasons=0x4 | 0x20 | 0x40 | 0x1).reading() == {
        "gpu_sm_hz": 1.98e9,
        "gpu_memory_hz": 2.619e9,
        "gpu_power_w": 312.5,
        "gpu_temperature_c": 54,
        "gpu_throttle": "power cap heat",
    }


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("sm", "gpu_sm_hz"),
        ("memory", "gpu_memory_hz"),
        ("power", "gpu_power_w"),
        ("temperature", "gpu_temperature_c"),
    ],
)
def test_what_a_device_does_not_tell_is_not_known(name, column):
    """The other readings are there all the same."""
    found = device(**{name: None}).reading()
    assert found[column] is None
    assert sum(value is None for value in found.values()) == 1


FUNCTIONS = {
    "nvmlDeviceGetClockInfo": ("gpu_sm_hz", "gpu_memory_hz"),
    "nvmlDeviceGetPowerUsage": ("gpu_power_w",),
    "nvmlDeviceGetTemperature": ("gpu_temperature_c",),
    "NVML_TEMPERATURE_GPU": ("gpu_temperature_c",),
    "nvmlDeviceGetCurrentClocksThrottleReasons": (),
    "nvmlClocksThrottleReasonHwSlowdown": (),
}
"""Names of the library, and the columns that are not known without them."""


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_library_without_a_function_knows_the_rest(name):
    """Releases of pynvml differ; a reading never ends a run."""
    found = device(missing=(name,)).reading()
    assert {column for column, value in found.items() if value is None} == set(FUNCTIONS[name])
    assert found["gpu_throttle"] == ""


@pytest.mark.parametrize(
    ("name", "column"),
    [("sm", "gpu_sm_hz"), ("memory", "gpu_memory_hz"), ("power", "gpu_power_w")],
)
def test_a_clock_or_a_power_of_zero_is_hidden_and_not_measured(name, column):
    """A virtual machine may write 0 where it keeps the value to itself; 0 degrees can be."""
    assert device(**{name: 0}).reading()[column] is None
    assert device(temperature=0).reading()["gpu_temperature_c"] == 0


@pytest.mark.parametrize("value", [None, "too old"])
@pytest.mark.parametrize(
    "name", ["sm", "memory", "power", "temperature", "reasons", "energy", "processes"]
)
def test_no_refusal_of_one_value_ends_a_run(name, value, clock, tmp_path):
    """Not supported, not permitted, or a driver too old: the round has its row all the same."""
    one = device(**{name: value})
    watch = RoundWatch(clock, Kernel(tmp_path), one)
    watch.begin()
    assert watch.end(1)
    assert set(gpu.COLUMNS) <= set(watch.rows[0])
    assert (one.energy_j() is None) is (name == "energy")
    assert one.own_bytes() is None


def test_names_of_throttling_are_those_of_the_real_library():
    """A name that pynvml does not have would be found out on a GPU only."""
    import pynvml

    for _, name in gpu.THROTTLES:
        assert getattr(pynvml, name) == getattr(FakeNvml, name)
    for name in vars(FakeNvml):
        assert name.startswith("_") or hasattr(pynvml, name)


def test_memory_is_that_of_this_process_alone():
    """Others on the device do not count; a process that the driver cannot name is not known."""
    others = SimpleNamespace(pid=os.getpid() + 1, usedGpuMemory=10**9)
    mine = SimpleNamespace(pid=os.getpid(), usedGpuMemory=5 * 10**8)
    hidden = SimpleNamespace(pid=os.getpid(), usedGpuMemory=None)
    assert device(processes=[others, mine]).own_bytes() == 5 * 10**8
    assert device(processes=[others]).own_bytes() is None
    assert device(processes=[hidden]).own_bytes() is None
    assert device(processes=None).own_bytes() is None
    assert device(processes="too old").own_bytes() is None


def test_torchs_device_is_found_by_its_uuid():
    """Torch writes it without the prefix; one that NVML does not know, or no NVML, is None."""
    assert gpu.known(FakeNvml(), UUID) is not None
    assert gpu.known(FakeNvml(), f"GPU-{UUID}") is not None
    assert gpu.known(FakeNvml("MIG"), UUID) is not None  # a part of one
    assert gpu.known(FakeNvml("MIG"), f"MIG-{UUID}") is not None
    assert gpu.known(FakeNvml(), "None") is None
    assert gpu.known(FakeNvml(sm=None), UUID) is None
    assert gpu_of("cpu") is None


def test_a_machine_without_the_driver_has_no_readings():
    """The real library, on whatever machine the tests run: it finds no device of that name."""
    import pynvml

    assert gpu.known(pynvml, UUID) is None


def test_every_round_has_the_devices_reading(clock, tmp_path):
    """It is read when the round is over; on the CPU its columns are empty."""
    with_gpu = RoundWatch(clock, Kernel(tmp_path), device(reasons=0x8))
    without = RoundWatch(clock, Kernel(tmp_path))
    for watch in (with_gpu, without):
        watch.begin()
        watch.end(1)
    assert with_gpu.rows[0]["gpu_throttle"] == "slowdown"
    assert with_gpu.rows[0]["gpu_power_w"] == 312.5
    assert {name: without.rows[0][name] for name in gpu.COLUMNS} == gpu.NO_READING


def test_energy_is_the_counters_rise_per_forward():
    """300 W and 20 ms a forward are 6 J; the counter is read with the device at rest."""
    clock, nvml = FakeClock(), FakeNvml()
    forwards = []

    def forward():
        clock.turn(0.02)
        nvml.values["energy"] += 6000
        forwards.append(clock.synchronized)

    found = per_forward_j(gpu.Gpu(nvml, "handle"), clock, forward)
    assert found == pytest.approx(6.0)
    assert len(forwards) * 0.02 >= ENERGY_S
    assert clock.synchronized > max(forwards)


def test_a_counter_that_stands_still_is_no_energy_of_zero():
    """A virtual machine may keep it at one value."""
    clock = FakeClock()
    assert per_forward_j(device(energy=7), clock, clock.forward(0.02)) is None


def test_without_the_function_there_is_no_energy_and_no_memory():
    """An older pynvml."""
    missing = ("nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetComputeRunningProcesses")
    one = device(missing=missing)
    assert one.energy_j() is None
    assert one.own_bytes() is None


def test_without_a_counter_there_is_no_energy():
    """Nothing is run for it either."""

    def forward():
        raise AssertionError("nobody asked for this")

    assert per_forward_j(device(energy=None), FakeClock(), forward) is None


def test_a_cold_l2_has_no_energy_of_its_own():
    """What empties the cache takes energy too: the warm mode's figure would stand for another."""
    cold = replace(case(device="cuda:99"), variant=Variant(cache=Cache.COLD))
    assert (
        energy(Session(job([cold]), lambda _: None, FakeClock()), cold, FakeClock().forward(1.0))
        == {}
    )


def test_a_device_without_room_for_what_is_timed_beside_the_models_fails_its_cases_alone():
    """The worker lives on, with its other workloads."""
    told = []
    cases = pair(device="cuda:99")
    listening = Session(job(cases), told.append, FakeClock())
    assert sample(listening, cases, lambda _: lambda: None) == ({}, [])
    assert [e.case for e in of(Failed, told)] == [c.id for c in cases]
    assert len(told) == len(cases)


def test_setting_up_a_device_is_no_part_of_loading_a_model():
    """Its memory is set up before loading is looked at, as the libraries are imported before."""
    held = []

    class Context(FakeClock):
        def synchronize(self):
            held.append(bytearray(b"x" * CONTEXT))  # written to, so that it is resident

    one = case(measure=MEMORY)
    told = []
    measure_memory(Session(job([one]), told.append, Context()))
    assert held
    assert values(told)["load_peak_rss_bytes"] < CONTEXT


def test_setting_up_a_device_is_a_step_of_a_cold_start(monkeypatch):
    """The steps still add up to the whole; without a device there is no such step."""
    monkeypatch.setenv(STARTED, start_stamp()[STARTED])
    one = case(measure=COLD_START)
    steps = ("cold_import", "cold_weights", "first_forward")
    for clock, own in ((SystemClock(), ()), (QueueClock(QueueCuda(), "cuda"), ("cold_device",))):
        told = []
        measure_cold_start(Session(job([one]), told.append, clock))
        found = values(told)
        assert found["cold_start"] == pytest.approx(sum(found[s] for s in (*steps, *own)))
        assert ("cold_device" in found) is bool(own)
