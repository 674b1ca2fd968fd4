"""Settings of the memory allocator that decide how steady a forward is."""

from __future__ import annotations

STEADY_ALLOCATOR = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40)}
"""With these glibc's malloc keeps what a forward frees: on both sides of the gate.

Otherwise it is a process's luck, for all its life, whether each forward gives memory back and
faults it in again: 2,500 to 21,000 page faults and up to 18 % of the time of one forward of ALBERT
at 128 tokens were seen. That is no difference between the sides. What a user has set stands.
"""
