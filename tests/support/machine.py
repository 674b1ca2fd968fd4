"""What tests of faults need of the machine: root on Linux, small file systems, control groups."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT_ON_LINUX = sys.platform == "linux" and os.geteuid() == 0
MOUNTS = ROOT_ON_LINUX and (
    subprocess.run(
        ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"],  # noqa: S607 - the system's
        capture_output=True,
        check=False,
    ).returncode
    == 0
)
"""Root in a container may not."""
needs_root = pytest.mark.skipif(not MOUNTS, reason="mounts need root on Linux")
GROUPS = Path("/sys/fs/cgroup")


@contextmanager
def small_disk(place, size, *, mode="rw"):
    """A file system of its own at `place`, of so many bytes."""
    place.mkdir()
    mount("-t", "tmpfs", "-o", f"size={size},{mode}", "none", place)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)  # noqa: S607 - the system's


def mount(*arguments):
    """Call mount."""
    subprocess.run(["mount", *map(str, arguments)], check=True)  # noqa: S607 - likewise


@contextmanager
def memory_group(name, limit):
    """A control group of either version whose processes may use so many bytes together."""
    first = (GROUPS / "memory").is_dir()
    group = GROUPS / "memory" / name if first else GROUPS / name
    bound = group / ("memory.limit_in_bytes" if first else "memory.max")
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"needs a control group of its own: {error}")
    try:
        if not bound.exists():
            pytest.skip(f"needs control groups that bound memory: no {bound}")
        bound.write_text(str(limit))
        yield group
    finally:
        group.rmdir()
