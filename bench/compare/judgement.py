"""What two stored runs allow to say: exact figures, seconds as advice, ratios between models."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from scipy.special import stdtrit

from bench.compare.findings import Comparison, Finding, Verdict
from bench.compare.stored_runs import KEY, Figures, Key, Value, judged_as
from bench.compare.thresholds import Thresholds
from bench.core.case import Status
from bench.core.metric import Better, Judged
from bench.core.metrics import METRICS, metric

SHARE_FACTS = frozenset({"python", "transformers"})
"""What may differ between two fingerprints without changing how fast the reference GEMM is."""
PROCESSOR = frozenset({"cpu", "architecture", "cpu_capability", "gpus"})
"""Facts of a fingerprint between which ratios of models differ: each processor has its own balance
of arithmetic and bandwidth, and models lean on the two differently."""
ADVICE = (
    "seconds of two runs were measured at different times: what is said of them is advice and "
    "fails nothing; bench check --against measures both sides in turn"
)
OF_LOAD = (
    "its share of the reference GEMM's speed stayed: the machine's load, or a wait in the code; "
    "bench check --against shows which"
)


def compare(baseline: Figures, candidate: Figures, thresholds: Thresholds) -> Comparison:
    """Everything that two stored runs allow to say; seconds only of equal fingerprints."""
    differing = sorted(
        name
        for name in baseline.fingerprint.keys() | candidate.fingerprint.keys()
        if name != "id" and baseline.fingerprint.get(name) != candidate.fingerprint.get(name)
    )
    findings = [*exact(baseline, candidate)]
    note = f"different {', '.join(differing)}" if differing else ""
    share_note = note if set(differing) - SHARE_FACTS else ""
    processor = sorted(PROCESSOR.intersection(differing))
    ratio_note = f"different {', '.join(processor)}" if processor else ""
    by_interval, shares = judged_as(Judged.PAIRED, Judged.BY_INTERVAL), judged_as(Judged.AS_SHARE)
    for key in baseline.figures.keys() & candidate.figures.keys():
        old, new = baseline.figures[key], candidate.figures[key]
        findings.extend(_timed(by_interval, old, new, thresholds, note))
        findings.extend(_timed(shares, old, new, thresholds, share_note))
    for key in baseline.ratios.keys() & candidate.ratios.keys():
        findings.extend(_ratios(key, baseline, candidate, thresholds, ratio_note))
    findings = _without_load(findings, thresholds)
    order = {case: i for i, (case, *_) in enumerate(candidate.ended.values())}
    findings.sort(key=lambda f: (order.get(f.case, -1), f.verdict is Verdict.EQUAL))
    notes = [f"seconds and bytes in use are not compared: {note}"] if note else []
    if ratio_note:
        notes.append(f"ratios between models are not compared: {ratio_note}")
    if any(f.advice for f in findings):
        notes.append(ADVICE)
    return Comparison(baseline.run, candidate.run, findings, gate=False, notes=notes)


def exact(baseline: Figures, candidate: Figures, keys: set[Key] | None = None) -> Iterator[Finding]:
    """Presence of every case of the baseline (or of `keys`), and its exact figures."""
    for key, (case, status, _) in baseline.ended.items():
        if keys is not None and key not in keys:
            continue
        yield from _one_case(key, case, status, baseline, candidate)
    for key, (case, status, reason) in candidate.ended.items():
        if key in baseline.ended:
            continue
        if status == Status.OK.value:
            yield Finding(case, "", Verdict.NEW, note="not in the baseline")
        elif status == Status.SKIPPED.value:
            yield Finding(case, "", Verdict.NEW, note=f"not in the baseline; skipped: {reason}")
        else:
            yield Finding(
                case, "", Verdict.FAILED, note=f"new and {status or 'unfinished'}: {reason}"
            )


def _one_case(
    key: Key, case: str, status: str, baseline: Figures, candidate: Figures
) -> Iterator[Finding]:
    if key not in candidate.ended:
        yield Finding(case, "", Verdict.MISSING, note="in the baseline, no longer measured")
        return
    name, now, reason = candidate.ended[key]
    if now == Status.SKIPPED.value:
        # What neither run's machine can do is no finding; what only the baseline's could is lost.
        if status != now:
            yield Finding(name, "", Verdict.MISSING, note=f"in the baseline, skipped now: {reason}")
        return
    if now != Status.OK.value:
        note = f"{now or 'unfinished'}: {reason}"
        if status != Status.OK.value:
            note += " (in the baseline as well)"
        yield Finding(name, "", Verdict.FAILED, note=note)
        return
    if status != Status.OK.value:
        yield Finding(
            name, "", Verdict.NEW, note=f"in the baseline it was {status or 'unfinished'}"
        )
        return
    old, new = baseline.figures.get(key, {}), candidate.figures.get(key, {})
    for wanted in [m for m in old if _is_exact(m)]:
        tolerance = metric(wanted).tolerance(key[KEY.index("device")])
        yield _exact_figure(name, wanted, old[wanted], new.get(wanted), tolerance)
    for found in [m for m in new if _is_exact(m) and m not in old]:
        value = new[found]
        yield Finding(name, found, Verdict.NEW, value.unit, candidate=value.value)


def _is_exact(name: str) -> bool:
    whole = name.partition(".")[0]
    return whole in METRICS and METRICS[whole].exact


def _exact_figure(case: str, name: str, old: Value, new: Value | None, tolerance: float) -> Finding:
    if new is None:
        note = "in the baseline, no longer measured"
        return Finding(case, name, Verdict.MISSING, old.unit, baseline=old.value, note=note)
    allowed = tolerance * abs(old.value)
    # Not `<`: a value that is no number is never equal.
    same = abs(new.value - old.value) <= allowed
    ratio = new.value / old.value if old.value else math.nan
    return Finding(
        case,
        name,
        Verdict.EQUAL if same else Verdict.CHANGED,
        old.unit,
        old.value,
        new.value,
        ratio,
        note=f"tolerance {tolerance:.0%}" if allowed else "",
    )


def _timed(
    names: Sequence[str],
    old: dict[str, Value],
    new: dict[str, Value],
    thresholds: Thresholds,
    note: str,
) -> Iterator[Finding]:
    """Findings of these metrics; `note` says why they cannot be compared, if so."""
    for name in names:
        if name not in old or name not in new:
            continue
        b, c = old[name], new[name]
        if note:
            yield Finding(c.case, name, Verdict.INCOMPARABLE, c.unit, b.value, c.value, note=note)
        else:
            yield judged(c.case, name, b, c, thresholds.of(c.case))


def _without_load(findings: Sequence[Finding], thresholds: Thresholds) -> list[Finding]:
    """Findings in which seconds that moved while the share did not are unknown.

    The product was timed in the same rounds, so that load moved both and a change would part them.
    """
    share_names, paired = judged_as(Judged.AS_SHARE), judged_as(Judged.PAIRED)
    shares = {f.case: f for f in findings if f.metric in share_names}

    def of_load(finding: Finding) -> bool:
        share, within = shares.get(finding.case), 1 + thresholds.of(finding.case)
        if share is None or finding.metric not in paired:
            return False
        as_fast = finding.verdict is Verdict.SLOWER and share.low >= 1 / within
        return as_fast or (finding.verdict is Verdict.FASTER and share.high <= within)

    return [
        replace(f, verdict=Verdict.UNKNOWN, note=OF_LOAD) if of_load(f) else f for f in findings
    ]


def _ratios(
    key: Key, baseline: Figures, candidate: Figures, thresholds: Thresholds, note: str
) -> Iterator[Finding]:
    """Findings of ratios between models; `note` says why they cannot be compared, if so."""
    for name, c in candidate.ratios[key].items():
        if name in baseline.ratios[key]:
            label = f"{name} / {key[-1]}"
            b = baseline.ratios[key][name]
            if note:
                unit, incomparable = c.unit, Verdict.INCOMPARABLE
                yield Finding(c.case, label, incomparable, unit, b.value, c.value, note=note)
            else:
                yield judged(c.case, label, b, c, thresholds.of(c.case))


def judged(case: str, name: str, old: Value, new: Value, threshold: float) -> Finding:
    """A figure with bounds, against the threshold: the whole interval must leave the band.

    Runs at different times differ by more than their own intervals say, so this asks for more
    than `bench check --against` does, and says `unknown` where the interval straddles a line.
    """
    ratio, low, high = welch_interval(old, new)
    top, bottom = 1 + threshold, 1 / (1 + threshold)
    above, below = Verdict.SLOWER, Verdict.FASTER
    if name in METRICS and METRICS[name].better is Better.MORE:
        above, below = below, above
    if low > top:
        verdict = above
    elif high < bottom:
        verdict = below
    elif bottom <= low and high <= top:
        verdict = Verdict.WITHIN_NOISE
    else:
        verdict = Verdict.UNKNOWN
    return Finding(
        case,
        name,
        verdict,
        new.unit,
        old.value,
        new.value,
        ratio,
        low,
        high,
        threshold=threshold,
        advice=name in judged_as(Judged.PAIRED),
    )


def welch_interval(old: Value, new: Value) -> tuple[float, float, float]:
    """Ratio new / old with its 95 % Welch interval, from the spread that the bounds imply."""
    if not (old.value > 0 and new.value > 0):
        return math.nan, math.nan, math.nan
    log, variances, freedoms = math.log(new.value / old.value), [], []
    for side in (old, new):
        if side.processes < 2 or not side.low > 0:
            return math.exp(log), math.nan, math.nan
        half = math.log(side.high / side.low) / 2
        variances.append((half / float(stdtrit(side.processes - 1, 0.975))) ** 2)
        freedoms.append(side.processes - 1)
    total = sum(variances)
    if total == 0:
        return math.exp(log), math.exp(log), math.exp(log)
    freedom = total**2 / sum(v**2 / f for v, f in zip(variances, freedoms, strict=True))
    half = float(stdtrit(freedom, 0.975)) * math.sqrt(total)
    return math.exp(log), math.exp(log - half), math.exp(log + half)
