"""`bench doctor`: what on this machine will disturb a measurement."""

from __future__ import annotations

from bench.machine.doctor import Doctor


def show_doctor() -> int:
    """Print what was found; always 0: nothing here forbids a run."""
    from rich.table import Table

    from bench.terminal.progress import console

    out, doctor = console(), Doctor()
    found, unknown = list(doctor.findings()), doctor.unknown()
    if found:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("found", "what it does", "next command"):
            table.add_column(name, overflow="fold")
        for finding in found:
            table.add_row(finding.what, finding.cause, finding.remedy)
        out.print(table)
    else:
        out.print("nothing found that would hurt a measurement here")
    if unknown:
        out.print(f"not told by this system: {', '.join(unknown)}", style="dim", soft_wrap=True)
    return 0
