"""Every metric that can stand in a result, each declared once; lists of them are derived."""

from __future__ import annotations

from collections.abc import Iterable

from bench.core.measures import cold_start, forward, memory, static, text
from bench.core.metric import (
    Better,
    Column,
    Disturbance,
    Headline,
    Judged,
    Metric,
    Scale,
    TerminalRow,
    Unit,
)

NOISE_BOUND = 0.10
"""A timed case is noisy when the middle half of its samples spans more than this of the median."""
LARGEST = "largest_batch"
"""What a search for the largest batch reports."""

SECONDS, BYTES, RATE, COUNT, JOULES = (
    Unit.SECONDS,
    Unit.BYTES,
    Unit.PER_SECOND,
    Unit.COUNT,
    Unit.JOULES,
)
LESS, MORE, NEITHER = Better.LESS, Better.MORE, Better.NEITHER
EXACTLY, ALLOCATOR, NEVER = Judged.EXACTLY, Judged.WITHIN_ALLOCATOR, Judged.NEVER
ROW = TerminalRow()
STATIC, MEMORY, START = (static.STATIC,), (memory.MEMORY,), (cold_start.COLD_START,)
FORWARD, TEXT = (forward.FORWARD,), (text.TEXT,)
TIMED, WEIGHED = FORWARD + TEXT, STATIC + MEMORY
PEAK = "Peak memory"
"""The headline of the most memory that a forward needed, whichever way the device reports it."""


def _by_name(metrics: Iterable[Metric]) -> dict[str, Metric]:
    """The metrics by name; raises ValueError for a name that was given twice."""
    found: dict[str, Metric] = {}
    for one in metrics:
        if one.name in found:
            raise ValueError(f"metric {one.name!r} is declared twice")
        found[one.name] = one
    return found


# fmt: off
METRICS = _by_name((
    # What is counted of a model.
    Metric("stored_parameters", COUNT, "Stored parameters", LESS, EXACTLY, (
        ROW, Column("Stored", STATIC, Scale.MILLIONS, ratio=True),
        Headline("Stored parameters", "counted exactly", "parameters", varies=False))),
    Metric("applied_parameters", COUNT, "Applied parameters", LESS, EXACTLY, (
        ROW, Column("Applied", STATIC, Scale.MILLIONS))),
    Metric("trainable_parameters", COUNT, "Trainable parameters", LESS, EXACTLY, ()),
    Metric("checkpoint_bytes", BYTES, "Checkpoint on disk", LESS, EXACTLY, (
        Headline("Weights on disk", "the checkpoint file", "parameters", varies=False),)),
    Metric("weight_bytes", BYTES, "Weight bytes", LESS, EXACTLY, (
        ROW, Column("Weights", WEIGHED),
        Headline("Weights on disk", "bytes of the weights alone, counted", "parameters",
                 varies=False))),
    Metric("flops", COUNT, "FLOPs of one forward (formula)", LESS, EXACTLY, (
        ROW, Column("GFLOPs", STATIC, Scale.BILLIONS))),
    Metric("flops_counted", COUNT, "FLOPs of one forward (counted, eager attention)", LESS,
           EXACTLY, ()),
    Metric("operators", COUNT, "Operators of one forward", LESS, EXACTLY, (
        Column("Operators", STATIC),)),
    # Memory.
    Metric("peak_activation_bytes", BYTES, "Peak activation bytes", LESS, ALLOCATOR, (
        ROW, Column("Peak activations", MEMORY))),
    Metric("peak_activation_bytes_formula", BYTES, "Peak activation bytes (formula)", LESS,
           EXACTLY, ()),
    Metric("cuda_peak_allocated_bytes", BYTES, "CUDA peak allocated", LESS, ALLOCATOR, (
        ROW, Column("CUDA peak", MEMORY),
        Headline(PEAK, "peak of torch's CUDA allocator", "memory"))),
    Metric("cuda_peak_reserved_bytes", BYTES, "CUDA peak reserved", LESS, ALLOCATOR, (
        Column("CUDA reserved", MEMORY),)),
    Metric("cuda_process_bytes", BYTES, "Device memory of the process (NVML)", LESS, NEVER, (
        ROW, Column("Process on the device", MEMORY, interval=False))),
    Metric("peak_rss_bytes", BYTES, "Peak RSS above the loaded libraries", LESS,
           Judged.BY_INTERVAL, (
        ROW, Column("Peak RSS", MEMORY, ratio=True),
        Headline(PEAK, "peak RSS above the libraries", "memory"))),
    Metric("load_peak_rss_bytes", BYTES, "Peak RSS while loading, above the libraries", LESS,
           NEVER, (Column("Peak RSS loading", MEMORY, interval=False),)),
    Metric("load_time", SECONDS, "Load time", LESS, NEVER, (Column("Load time", MEMORY),)),
    Metric("largest_batch", COUNT, "Largest batch that fits", MORE, NEVER, (ROW,)),
    Metric("capacity_peak_bytes", BYTES, "Peak memory with the largest batch", NEITHER, NEVER, ()),
    Metric("memory_limit_bytes", BYTES, "Limit of memory", NEITHER, NEVER, ()),
    Metric("capacity_tries", COUNT, "Batches tried", NEITHER, NEVER, ()),
    # From a new process to its first output.
    Metric("cold_start", SECONDS, "Process start to first output", LESS, NEVER, (
        ROW, Column("To first output", START, ratio=True))),
    Metric("cold_import", SECONDS, "... of which start and import", LESS, NEVER, (
        ROW, Column("Start and import", START, interval=False))),
    Metric("cold_device", SECONDS, "... of which set up the device", LESS, NEVER, (
        ROW, Column("Set up the device", START, interval=False))),
    Metric("cold_weights", SECONDS, "... of which build and read weights", LESS, NEVER, (
        ROW, Column("Build and read weights", START, interval=False))),
    Metric("first_forward", SECONDS, "... of which the first forward", LESS, NEVER, (
        ROW, Column("First forward", START, interval=False))),
    Metric("second_forward", SECONDS, "Second forward of a process", LESS, NEVER, (
        ROW, Column("Second forward", START, interval=False))),
    # Timed forwards.
    Metric("latency", SECONDS, "Latency (median)", LESS, Judged.PAIRED, (
        ROW, Column("Latency", TIMED, ratio=True),
        Headline("Latency", "median of all samples", "latency"))),
    Metric("latency_mean", SECONDS, "Latency (mean)", LESS, NEVER, ()),
    Metric("latency_min", SECONDS, "Latency (fastest sample)", LESS, NEVER, ()),
    Metric("latency_p90", SECONDS, "Latency (p90)", LESS, NEVER, (Column("p90", TIMED),)),
    Metric("latency_p95", SECONDS, "Latency (p95)", LESS, NEVER, (Column("p95", TIMED),)),
    Metric("latency_p99", SECONDS, "Latency (p99)", LESS, NEVER, (Column("p99", TIMED),)),
    Metric("throughput_sequences", RATE, "Throughput, sequences", MORE, NEVER, (
        Column("Sequences", TIMED, interval=False),
        Headline("Throughput", "sequences per second", "throughput"))),
    Metric("throughput_tokens", RATE, "Throughput, tokens", MORE, NEVER, (
        Column("Tokens", TIMED, interval=False),)),
    Metric("cpu_time", SECONDS, "CPU time per forward (median)", LESS, Judged.PAIRED, (
        Column("CPU time", FORWARD, interval=False),)),
    Metric("gemm_share", COUNT, "FLOP rate, relative to the reference GEMM", MORE,
           Judged.AS_SHARE, (
        Column("FLOP rate over the reference GEMM", FORWARD, Scale.PERCENT),)),
    Metric("iqr_over_median", COUNT, "Spread of samples (IQR / median)", NEITHER, NEVER, (
        Column("IQR/median", FORWARD, Scale.PERCENT, interval=False),)),
    Metric("energy_per_sequence", JOULES, "Energy of the GPU, per sequence", LESS, NEVER, (
        ROW, Column("Energy per sequence", FORWARD))),
    Metric("host_time", SECONDS, "Host time per forward (fastest)", LESS, NEVER, (
        Column("Host time", FORWARD, interval=False),)),
    Metric("compile_time", SECONDS, "Compilation and first forward", LESS, NEVER, ()),
    Metric("output_error", COUNT, "Relative error against float32 eager", NEITHER, NEVER, (
        Column("Relative error", FORWARD, interval=False),)),
    Metric("artifact_bytes", BYTES, "Exported model on disk", LESS, NEVER, ()),
    # Forwards on a user's text.
    Metric("throughput_words", RATE, "Throughput, words", MORE, NEVER, (
        ROW, Column("Words", TEXT, interval=False))),
    Metric("tokens_per_word", COUNT, "Tokens per word", NEITHER, NEVER, (
        ROW, Column("Tokens/word", TEXT, interval=False))),
    Metric("tokenize_time", SECONDS, "Tokenizing a batch (median)", LESS, NEVER, (
        ROW, Column("Tokenizing", TEXT, interval=False))),
    Metric("padding_share", COUNT, "Share of padding", NEITHER, NEVER, (
        Column("Padding", TEXT, Scale.PERCENT, interval=False),)),
    Metric("text_length", COUNT, "Tokens of a sequence of the text", NEITHER, EXACTLY, ()),
    Metric("text_truncated", COUNT, "Sequences of the text cut off", NEITHER, EXACTLY, ()),
    # What else the machine did in a process, as differences over its sampling; never compared.
    Metric("steal_time", SECONDS, "CPU time taken by the hypervisor", NEITHER, NEVER, (
        Disturbance.TOTAL,)),
    Metric("involuntary_switches", COUNT, "Involuntary context switches", NEITHER, NEVER, (
        Disturbance.TOTAL,)),
    Metric("major_page_faults", COUNT, "Page faults that read the disk", NEITHER, NEVER, (
        Disturbance.TOTAL,)),
    Metric("load_average", COUNT, "Load average (1 minute) at the end", NEITHER, NEVER, (
        Disturbance.HIGHEST,)),
))
# fmt: on


def headlines() -> dict[str, list[Metric]]:
    """What the page opens with: by title the metrics that it may show, the preferred one first."""
    found: dict[str, list[Metric]] = {}
    for one in METRICS.values():
        if one.headline is not None:
            found.setdefault(one.headline.title, []).append(one)
    return found


def metric(name: str) -> Metric:
    """The metric of `name`; a part of one (`stored_parameters.encoder`) is its whole's metric."""
    return METRICS[name.partition(".")[0]]
