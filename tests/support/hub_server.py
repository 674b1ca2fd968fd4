"""The HTTP side of the loopback hub: how each request of huggingface_hub is answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from hub import Fault, File, Hub


class _Answer(Exception):  # noqa: N818 - carries a status, good or bad, out of nested look-ups
    def __init__(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.status, self.headers = status, dict(headers or {})


def _not_found(code: str) -> _Answer:
    return _Answer(404, {"X-Error-Code": code, "X-Error-Message": code})


class Server(ThreadingHTTPServer):
    """Serves one hub; a thread for each connection."""

    daemon_threads = True

    def __init__(self, hub: Hub) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.hub = hub


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""

    def _serve(self) -> None:
        path = unquote(urlsplit(self.path).path)
        fault = self.server.hub.meet(self.command, path, self.headers.get("Range"))
        if fault.hang:
            self.server.hub.closing.wait()
        try:
            self._route(path, fault)
        except _Answer as answer:
            self._respond(answer.status, b"", answer.headers)
        except ConnectionError:
            self.close_connection = True

    def _route(self, path: str, fault: Fault) -> None:
        if fault.status:
            raise _Answer(fault.status, fault.headers)
        if path.startswith("/api/models/"):
            self._api(path.removeprefix("/api/models/"), fault)
        elif path.startswith("/cdn/"):
            file = _by_hash(self.server.hub, path.removeprefix("/cdn/"))
            name = f'inline; filename="{file.path.name}";'
            self._send(file, {"Content-Disposition": name}, fault)
        else:
            self._resolve(path.removeprefix("/"), fault)

    def _api(self, path: str, fault: Fault) -> None:
        repo_id, rest = _split_repo(self.server.hub, path, ("/revision/", "/tree/"), "/api/models/")
        revision, _, folder = rest.partition("/")
        commit, files = _commit(self.server.hub, repo_id, revision or "main")
        listing = [_entry(n, f, fault) for n, f in files.items() if n.startswith(folder)]
        if folder and not listing:
            raise _not_found("EntryNotFound")
        body: object = listing
        if "/tree/" not in path:
            body = {"id": repo_id, "modelId": repo_id, "sha": commit, "siblings": listing}
        text = json.dumps(body).encode()
        self._respond(200, text, {"Content-Type": "application/json"})

    def _resolve(self, path: str, fault: Fault) -> None:
        repo_id, rest = _split_repo(self.server.hub, path, ("/resolve/",), "/")
        revision, _, name = rest.partition("/")
        commit, files = _commit(self.server.hub, repo_id, revision)
        if name not in files:
            raise _not_found("EntryNotFound")
        file, headers = files[name], {"X-Repo-Commit": commit}
        if not file.is_large:
            self._send(file, {**headers, "ETag": f'"{file.git_sha1}"'}, fault)
            return
        headers["X-Linked-Etag"] = f'"{file.sha256}"'
        headers["X-Linked-Size"] = str(file.size + fault.size_off)
        raise _Answer(302, {**headers, "Location": f"{self.server.hub.cdn}/cdn/{file.sha256}"})

    def _send(self, file: File, headers: Mapping[str, str], fault: Fault) -> None:
        start = int((self.headers.get("Range") or "bytes=0-")[6:].partition("-")[0])
        status = 206 if "Range" in self.headers else 200
        if status == 206:
            headers = {
                **headers,
                "Content-Range": f"bytes {start}-{file.size - 1}/{file.size}",
            }
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(file.size - start))
        self.end_headers()
        if self.command == "GET":
            self._body(file, start, fault)

    def _body(self, file: File, start: int, fault: Fault) -> None:
        self.wfile.flush()
        with file.path.open("rb") as stream:
            if fault.flip is not None:
                data = bytearray(stream.read())
                data[fault.flip] ^= 0xFF
                self.wfile.write(data[start:])
            elif fault.drop_after is not None:
                self.connection.sendfile(stream, start, fault.drop_after)
                self.close_connection = True
            elif fault.stall_after is not None:
                self.connection.sendfile(stream, start, fault.stall_after)
                self.server.hub.closing.wait()
            elif file.size > start:
                self.connection.sendfile(stream, start)

    def _respond(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


def _split_repo(hub: Hub, path: str, marks: tuple[str, ...], prefix: str) -> tuple[str, str]:
    """Repository id and what follows the first of `marks`; renamed ones answer a redirect."""
    mark = next((m for m in marks if m in path), "")
    repo_id, _, rest = path.partition(mark) if mark else (path, "", "")
    if repo_id in hub.renamed:
        raise _Answer(307, {"Location": f"{prefix}{hub.renamed[repo_id]}{mark}{rest}"})
    return repo_id, rest


def _commit(hub: Hub, repo_id: str, revision: str) -> tuple[str, dict[str, File]]:
    if repo_id not in hub.repos:
        raise _not_found("RepoNotFound")
    repo = hub.repos[repo_id]
    commit = repo.refs.get(revision, revision)
    if commit not in repo.commits:
        raise _not_found("RevisionNotFound")
    return commit, repo.commits[commit]


def _entry(name: str, file: File, fault: Fault) -> dict[str, object]:
    """A file in both listings: `siblings` of the info and the tree."""
    size = file.size + fault.size_off
    entry: dict[str, object] = {
        "type": "file",
        "path": name,
        "rfilename": name,
        "size": size,
        "oid": file.git_sha1,
        "blobId": file.git_sha1,
    }
    if file.is_large:
        entry["lfs"] = {
            "oid": file.sha256,
            "sha256": file.sha256,
            "size": size,
            "pointerSize": 134,
        }
    return entry


def _by_hash(hub: Hub, sha256: str) -> File:
    for repo in hub.repos.values():
        for files in repo.commits.values():
            for file in files.values():
                if file.sha256 == sha256:
                    return file
    raise _not_found("EntryNotFound")
