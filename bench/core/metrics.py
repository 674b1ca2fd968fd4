"""Every metric that can stand in a result: its unit, its title and how it may be compared."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Unit(str, Enum):
    """Units as they stand in the `unit` columns: SI, never scaled."""

    SECONDS = "s"
    BYTES = "B"
    PER_SECOND = "1/s"
    COUNT = "1"
    JOULES = "J"


@dataclass(frozen=True)
class Metric:
    """One named quantity.

    `exact` metrics are counted: the same code gives the same value to the last digit, so they have
    no interval. `better` is -1 where less is better, 1 where more is, 0 where neither is.
    `cuda_tolerance` is the share by which an exact metric may differ on a CUDA device before it
    counts as changed; anywhere else the least difference does.
    """

    name: str
    unit: Unit
    title: str
    exact: bool = False
    better: int = -1
    cuda_tolerance: float = 0.0

    def tolerance(self, device: str) -> float:
        """The share by which a figure that was counted on this device may differ."""
        return self.cuda_tolerance if device.startswith("cuda") else 0.0


ALLOCATOR_TOLERANCE = 0.01
"""CUDA's caching allocator rounds to its blocks, as what came before left them."""


def _exact(
    name: str, unit: Unit, title: str, cuda_tolerance: float = 0.0, *, better: int = -1
) -> Metric:
    return Metric(name, unit, title, exact=True, better=better, cuda_tolerance=cuda_tolerance)


NOISE_BOUND = 0.10
"""A timed case is noisy when the middle half of its samples spans more than this of the median."""

METRICS = {
    m.name: m
    for m in (
        _exact("stored_parameters", Unit.COUNT, "Stored parameters"),
        _exact("applied_parameters", Unit.COUNT, "Applied parameters"),
        _exact("trainable_parameters", Unit.COUNT, "Trainable parameters"),
        _exact("weight_bytes", Unit.BYTES, "Weight bytes"),
        _exact("checkpoint_bytes", Unit.BYTES, "Checkpoint on disk"),
        _exact("flops", Unit.COUNT, "FLOPs of one forward (formula)"),
        _exact("flops_counted", Unit.COUNT, "FLOPs of one forward (counted, eager attention)"),
        _exact("operators", Unit.COUNT, "Operators of one forward"),
        _exact("peak_activation_bytes", Unit.BYTES, "Peak activation bytes", ALLOCATOR_TOLERANCE),
        _exact("peak_activation_bytes_formula", Unit.BYTES, "Peak activation bytes (formula)"),
        Metric("peak_rss_bytes", Unit.BYTES, "Peak RSS above the loaded libraries"),
        Metric("load_peak_rss_bytes", Unit.BYTES, "Peak RSS while loading, above the libraries"),
        Metric("load_time", Unit.SECONDS, "Load time"),
        Metric("cold_start", Unit.SECONDS, "Process start to first output"),
        Metric("cold_import", Unit.SECONDS, "... of which start and import"),
        Metric("cold_device", Unit.SECONDS, "... of which set up the device"),
        Metric("cold_weights", Unit.SECONDS, "... of which build and read weights"),
        Metric("first_forward", Unit.SECONDS, "... of which the first forward"),
        Metric("second_forward", Unit.SECONDS, "Second forward of a process"),
        Metric("largest_batch", Unit.COUNT, "Largest batch that fits", better=1),
        Metric("capacity_peak_bytes", Unit.BYTES, "Peak memory with the largest batch", better=0),
        Metric("memory_limit_bytes", Unit.BYTES, "Limit of memory", better=0),
        Metric("capacity_tries", Unit.COUNT, "Batches tried", better=0),
        _exact("cuda_peak_allocated_bytes", Unit.BYTES, "CUDA peak allocated", ALLOCATOR_TOLERANCE),
        _exact("cuda_peak_reserved_bytes", Unit.BYTES, "CUDA peak reserved", ALLOCATOR_TOLERANCE),
        Metric("cuda_process_bytes", Unit.BYTES, "Device memory of the process (NVML)"),
        Metric("latency", Unit.SECONDS, "Latency (median)"),
        Metric("latency_mean", Unit.SECONDS, "Latency (mean)"),
        Metric("latency_min", Unit.SECONDS, "Latency (fastest sample)"),
        Metric("latency_p90", Unit.SECONDS, "Latency (p90)"),
        Metric("latency_p95", Unit.SECONDS, "Latency (p95)"),
        Metric("latency_p99", Unit.SECONDS, "Latency (p99)"),
        Metric("cpu_time", Unit.SECONDS, "CPU time per forward (median)"),
        Metric("host_time", Unit.SECONDS, "Host time per forward (fastest)"),
        Metric("energy_per_sequence", Unit.JOULES, "Energy of the GPU, per sequence"),
        Metric("compile_time", Unit.SECONDS, "Compilation and first forward"),
        Metric("output_error", Unit.COUNT, "Relative error against float32 eager", better=0),
        Metric("artifact_bytes", Unit.BYTES, "Exported model on disk"),
        Metric("throughput_sequences", Unit.PER_SECOND, "Throughput, sequences", better=1),
        Metric("throughput_tokens", Unit.PER_SECOND, "Throughput, tokens", better=1),
        Metric("throughput_words", Unit.PER_SECOND, "Throughput, words", better=1),
        Metric("tokenize_time", Unit.SECONDS, "Tokenizing a batch (median)"),
        Metric("tokens_per_word", Unit.COUNT, "Tokens per word", better=0),
        Metric("padding_share", Unit.COUNT, "Share of padding", better=0),
        _exact("text_length", Unit.COUNT, "Tokens of a sequence of the text", better=0),
        _exact("text_truncated", Unit.COUNT, "Sequences of the text cut off", better=0),
        Metric("gemm_share", Unit.COUNT, "Speed, over a reference matrix product's", better=1),
        Metric("iqr_over_median", Unit.COUNT, "Spread of samples (IQR / median)", better=0),
        # What else the machine did in a process, as differences over its sampling; never compared.
        Metric("steal_time", Unit.SECONDS, "CPU time taken by the hypervisor", better=0),
        Metric("involuntary_switches", Unit.COUNT, "Involuntary context switches", better=0),
        Metric("major_page_faults", Unit.COUNT, "Page faults that read the disk", better=0),
        Metric("load_average", Unit.COUNT, "Load average (1 minute) at the end", better=0),
    )
}


def metric(name: str) -> Metric:
    """The metric of `name`; a part of one (`stored_parameters.encoder`) is its whole's metric."""
    return METRICS[name.partition(".")[0]]


LARGEST = "largest_batch"
