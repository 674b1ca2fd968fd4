"""A model hub on loopback: the part of the hub's protocol that huggingface_hub speaks, with faults.

Serves api/models (info and tree), resolve (HEAD and GET, ETag, X-Repo-Commit, redirect of large
files to a second host, as the real one does to its CDN), byte ranges, and redirects of renamed
repositories.
`Hub.fail` makes the next matching requests go wrong in a chosen way.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hub_server import Server

LARGE = (".safetensors", ".model", ".bin")
"""Files the real hub keeps in LFS: named by sha256, served from another host."""


@dataclass(frozen=True)
class File:
    """One served file, its hashes taken once."""

    path: Path
    size: int
    sha256: str
    git_sha1: str

    @classmethod
    def of(cls, path: Path) -> File:
        """Read a file once for both hashes."""
        size, sha256 = path.stat().st_size, hashlib.sha256()
        git_sha1 = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                sha256.update(block)
                if path.suffix not in LARGE:
                    git_sha1.update(block)
        return cls(path, size, sha256.hexdigest(), git_sha1.hexdigest())

    @property
    def is_large(self) -> bool:
        """Whether the real hub would keep it in LFS."""
        return self.path.suffix in LARGE


@dataclass
class Fault:
    """What goes wrong with requests whose path contains `where`, for the next `times` of them.

    One of: answer `status`; close the connection after `drop_after` bytes of the body;
    go silent after `stall_after` of them; `hang` until
    the hub is closed; announce a size that differs by `size_off`; flip the byte at `flip`.
    """

    where: str
    times: int = 1_000_000
    method: str = ""
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    drop_after: int | None = None
    stall_after: int | None = None
    hang: bool = False
    size_off: int = 0
    flip: int | None = None


@dataclass
class Repo:
    """Commits (name -> files) and the branches that point at them."""

    commits: dict[str, dict[str, File]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """What a client asked for."""

    method: str
    path: str
    range: str | None


class Hub:
    """The server's state; `url` is what HF_ENDPOINT is set to."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.renamed: dict[str, str] = {}
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._server = Server(self)
        # Seconds between looks at the shutdown flag; the default of 0.5 would be paid at each end.
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """What HF_ENDPOINT is set to."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def cdn(self) -> str:
        """The same server under another host's name, so that clients treat it as a stranger."""
        return f"http://localhost:{self._server.server_port}"

    def add(self, repo_id: str, directory: Path, commit: str = "", ref: str = "main") -> str:
        """Publish a directory's files as a commit of `repo_id`; returns the commit."""
        files = {
            str(p.relative_to(directory)): File.of(p)
            for p in sorted(directory.rglob("*"))
            if p.is_file()
        }
        hashes = "".join(f.sha256 for f in files.values())
        commit = commit or hashlib.sha1(hashes.encode(), usedforsecurity=False).hexdigest()
        repo = self.repos.setdefault(repo_id, Repo())
        repo.commits[commit] = files
        repo.refs[ref] = commit
        return commit

    def fail(self, where: str, **fault: object) -> Fault:
        """Make requests whose path contains `where` go wrong (see Fault)."""
        self.faults.append(made := Fault(where, **fault))  # type: ignore[arg-type]
        return made

    def heal(self) -> None:
        """Forget all faults and all requests."""
        self.faults.clear()
        self.requests.clear()

    def meet(self, method: str, path: str, wanted: str | None) -> Fault:
        """Note a request; the fault that it meets, counted down, or one that does nothing."""
        with self._lock:
            self.requests.append(Request(method, path, wanted))
            for fault in self.faults:
                if fault.times and fault.where in path and fault.method in ("", method):
                    fault.times -= 1
                    return fault
        return Fault("")

    def path_of(self, repo_id: str, name: str) -> str:
        """The path from which the body of a large file is served."""
        repo = self.repos[repo_id]
        return f"/cdn/{repo.commits[repo.refs['main']][name].sha256}"

    def close(self) -> None:
        """Stop serving, and let go of requests that hang."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def serving() -> Iterator[Hub]:
    """A hub for the length of a with block."""
    hub = Hub()
    try:
        yield hub
    finally:
        hub.close()
