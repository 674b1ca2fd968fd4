"""What tests/gpu/run.sh needs of Python: packages brought along, facts of a machine, archives.

Needs nothing of the project, so that it works before what is missing is there.
"""

from __future__ import annotations

import json
import re
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

ARCHIVE_LIMIT = 16 * 2**20
"""Bytes that an archive stays below: larger files are not brought back from the machine."""
ARCHIVES = ("logs", "results", "pages")
FOLDERS = {"pages": "reports"}
"""Where a run of the steps has what goes into an archive, if not in a folder of its name."""
STATES = {"0": "ok", "77": "skipped", "124": "cut", "137": "cut", "": "not run"}
"""By exit code of a step; every other one has failed."""
PROJECT = Path(__file__).parents[2] / "pyproject.toml"
FOR_TESTS = ("hypothesis", "pytest-xdist")
"""Of the project's extra for development, what the tests themselves import."""


def requirements(text: str) -> list[Requirement]:
    """What the project needs at run time and for its tests, by the text of pyproject.toml.

    Read without a TOML reader, which Python 3.10 lacks.
    """
    block = re.search(r"^dependencies = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    found = re.findall(r'^\s*"(.+)",', block[1] if block else "", re.MULTILINE)
    needed = [Requirement(one) for one in (*found, *FOR_TESTS)]
    return [one for one in needed if one.marker is None or one.marker.evaluate()]


def installed(name: str) -> str | None:
    """The version of a package here; None without it."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def missing(
    needed: Iterable[Requirement], version: Callable[[str], str | None] = installed
) -> list[Requirement]:
    """Those that are not here, or in a version that does not do."""
    return [
        one
        for one in needed
        if (found := version(one.name)) is None
        or not one.specifier.contains(found, prereleases=True)
    ]


def wheel_for(one: Requirement, wheels: Path) -> Path | None:
    """The newest wheel of a folder that satisfies a requirement and runs on this Python."""
    here, found = frozenset(sys_tags()), {}
    for file in wheels.glob("*.whl"):
        try:
            name, version, _, tags = parse_wheel_filename(file.name)
        except InvalidWheelFilename:
            continue
        if name == canonicalize_name(one.name) and version in one.specifier and tags & here:
            found[version] = file
    return found[max(found)] if found else None


def provide(wheels: Path, target: Path, needed: Iterable[Requirement]) -> list[str]:
    """Unpack what is missing here into a folder; a line for each, also where there is no wheel."""
    told = []
    for one in missing(needed):
        file = wheel_for(one, wheels)
        if file is None:
            told.append(f"missing: {one}, and {wheels} has no wheel of it for this Python")
            continue
        with zipfile.ZipFile(file) as archive:
            archive.extractall(target)  # noqa: S202 - zipfile keeps names within the folder
        told.append(f"unpacked {file.name}")
    return told or ["nothing is missing"]


def facts(device: str) -> int:
    """Print what decides results here, as JSON; 1 where the device is not there."""
    import pynvml
    import torch

    from bench.machine.fingerprint import machine
    from bench.machine.gpu import known
    from bench.worker.probe import software

    names = ("triton", "flash-attn", "nvidia-ml-py", "pandas", "scipy", "matplotlib", "pytest")
    found = {
        "machine": machine(),
        "software": software(),
        "versions": {name: installed(name) for name in names},
    }
    there = device == "cpu" or torch.cuda.is_available()
    if device != "cpu" and there:
        facts_of = torch.cuda.get_device_properties(0)
        gpu = known(pynvml, str(getattr(facts_of, "uuid", None)))
        found["device"] = {
            "properties": str(facts_of),
            "l2_bytes": facts_of.L2_cache_size,
            "known_to_nvml": gpu is not None,
            "reading": gpu and gpu.reading(),
            "energy_j": gpu and gpu.energy_j(),
            "own_bytes": gpu and gpu.own_bytes(),
        }
    print(json.dumps(found, indent=1))
    return int(not there)


def archive(name: str, folder: Path, out: Path, limit: int = ARCHIVE_LIMIT) -> list[str]:
    """Put a folder into `out/<name>.tar.gz`, below the limit; returns what was left out, by name.

    The largest files are left out first. The archive there is replaced whole or not at all.
    """
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    left_out: list[str] = []
    with tempfile.TemporaryDirectory() as place:
        made = Path(place) / "archive"
        while files:
            with tarfile.open(made, "w:gz") as tar:
                for file in files:
                    tar.add(file, f"{name}/{file.relative_to(folder)}")
            if made.stat().st_size < limit:
                partial = out / f".{name}.part"
                partial.write_bytes(made.read_bytes())
                partial.replace(out / f"{name}.tar.gz")
                break
            largest = max(files, key=lambda file: file.stat().st_size)
            files.remove(largest)
            size = largest.stat().st_size / 2**20
            left_out.append(f"{name}/{largest.relative_to(folder)} ({size:.1f} MiB)")
    return left_out


def keep(work: Path, out: Path, limit: int = ARCHIVE_LIMIT) -> None:
    """Renew everything in `out`: archives of what there is so far, and the summary of the steps."""
    left_out = [
        line
        for name in ARCHIVES
        for line in archive(name, work / FOLDERS.get(name, name), out, limit)
    ]
    steps = [step(work, line) for line in (work / "steps.tsv").read_text().splitlines()]
    lines = [
        f"{s['step']:<16} {s['state']:<8} {s['seconds']:>4} s  {s['last_line']}" for s in steps
    ]
    lines += [f"left out: {one}" for one in left_out]
    write(out / "summary.json", json.dumps({"steps": steps, "left_out": left_out}, indent=1))
    write(out / "summary.txt", "\n".join(lines))


def step(work: Path, line: str) -> dict[str, str | int | None]:
    """One step of the summary, from its line in steps.tsv and the last line of its log."""
    name, code, seconds = line.split("\t")
    log = (work / "logs" / f"{name}.log").read_text(encoding="utf-8", errors="replace")
    said = [one.strip("= ") for one in log.splitlines() if one.strip("= ")]
    return {
        "step": name,
        "state": STATES.get(code, "failed"),
        "exit_code": int(code) if code else None,
        "seconds": int(seconds),
        "last_line": said[-1][:200] if said else "",
    }


def write(file: Path, text: str) -> None:
    """Replace a file whole."""
    partial = file.with_name(f".{file.name}.part")
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(file)


def main(verb: str, *arguments: str) -> int:
    """Run one verb: `provide WHEELS TARGET`, `facts DEVICE` or `keep WORK OUT`."""
    if verb == "facts":
        return facts(*arguments)
    first, second = map(Path, arguments)
    if verb == "keep":
        keep(first, second)
        return 0
    needed = requirements(PROJECT.read_text(encoding="utf-8"))
    print("\n".join(provide(first, second, needed)))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
