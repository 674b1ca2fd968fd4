"""Bounds how long asking the hub may take, whether it is silent, fails, or asks for a pause."""

from __future__ import annotations

import re
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from bench.core.errors import UsageError

ANSWER_TIMEOUT_S = 10.0
"""How long the hub may be silent."""
QUICK_TIMEOUT_S = 3.0
"""The same where something else can be used instead: random weights, or an older cached copy."""
TRIES = 3
"""How often the same request is made before the hub counts as failing."""
PAUSE_S = 0.5
"""The first pause between tries; the next one is twice as long."""
LONGEST_WAIT_S = 10.0
"""A hub that asks for a longer pause than this is not waited for."""

T = TypeVar("T")


class HubError(UsageError):
    """The hub did not give what it was asked for."""


_silent: dict[str, HubError] = {}
"""Endpoints that did not answer: one wait a process is enough, however many models are wanted."""


@contextmanager
def patient(*, quick: bool) -> Iterator[None]:
    """Let huggingface_hub ask under a bounded retry policy, and print nothing itself."""
    from huggingface_hub import constants, set_client_factory
    from huggingface_hub.utils import logging
    from huggingface_hub.utils._http import default_client_factory

    def factory() -> Any:
        client = default_client_factory()
        hooks = client.event_hooks
        client.event_hooks = {
            "request": [*hooks.get("request", ()), policy.before],
            "response": [*hooks.get("response", ()), policy.after],
        }
        return client

    # A user who gives the hub more time (HF_HUB_DOWNLOAD_TIMEOUT) knows the network.
    timeout_s = max(ANSWER_TIMEOUT_S, constants.HF_HUB_DOWNLOAD_TIMEOUT)
    policy = _RetryPolicy(*((1, QUICK_TIMEOUT_S) if quick else (TRIES, timeout_s)))
    verbosity = logging.get_verbosity()
    set_client_factory(factory)
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one about free space, which _check_room looks at
            yield
    finally:
        logging.set_verbosity(verbosity)
        set_client_factory(default_client_factory)


def in_time(call: Callable[[], T], endpoint: str, *, quick: bool) -> T:
    """Return what `call` does, or raise HubError where it takes too long.

    In a thread, because a name look-up has no time-out of its own.
    """
    if quick and endpoint in _silent:
        raise _silent[endpoint]
    limit_s = QUICK_TIMEOUT_S if quick else ANSWER_TIMEOUT_S
    ended: list[T | Exception] = []

    def work() -> None:
        try:
            ended.append(call())
        except Exception as error:  # noqa: BLE001 - raised again in the caller's thread
            ended.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(limit_s)
    if not ended:
        _silent[endpoint] = HubError(f"{endpoint} did not answer within {limit_s:g} s")
        raise _silent[endpoint]
    if isinstance(ended[0], Exception):
        raise ended[0]
    return ended[0]


def retrying(call: Callable[[], T], *, quick: bool) -> T:
    """Return what `call` does, trying again after a pause where the failure may pass."""
    for attempt in range(1 if quick else TRIES):
        if attempt:
            time.sleep(attempt * PAUSE_S)
        try:
            return call()
        except Exception as error:
            if quick or attempt == TRIES - 1 or not _may_pass(error):
                raise
    raise AssertionError("the loop above returns or raises")


def _may_pass(error: Exception) -> bool:
    """Whether asking again could help: a broken connection, or a server's own fault.

    A connection that cannot even be opened is reported at once: most often there is no network.
    """
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(error, HfHubHTTPError):
        return error.response.status_code == 429 or error.response.status_code >= 500
    # By name, because huggingface_hub 1 raises httpx's classes and 2 raises httpx2's.
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return bool(kinds & {"ReadError", "RemoteProtocolError", "ReadTimeout"})


class _RetryPolicy:
    """Hooks into the HTTP client that bound what huggingface_hub's own retries may cost."""

    def __init__(self, tries: int, timeout_s: float) -> None:
        self.tries, self.timeout_s = tries, timeout_s
        self.asked: Counter[tuple[str, str, str | None]] = Counter()
        self.last = "the connection broke or timed out"

    def before(self, request: Any) -> None:
        """Cap the request's time-outs; refuse it where it was made too often without progress."""
        asked = request.extensions.get("timeout", {})
        request.extensions["timeout"] = {
            key: min(asked.get(key) or self.timeout_s, self.timeout_s)
            for key in ("connect", "read", "write", "pool")
        }
        # A download that goes on from a later byte has made progress: another range, a new count.
        key = _key(request)
        self.asked[key] += 1
        if self.asked[key] > self.tries:
            self.give_up(request)

    def after(self, response: Any) -> None:
        """Remember a failure; do not let the server name a pause without limit."""
        status = response.status_code
        if status != 429 and status < 500:
            return
        self.last = f"HTTP {status}"
        limits = response.headers.get("ratelimit", "")
        reset = re.search(r"\bt=(\d+)", limits)
        asked = response.headers.get("retry-after") or (reset[1] if reset else "")
        longest = LONGEST_WAIT_S if self.tries > 1 else 0
        if asked.isdigit() and int(asked) > longest:
            raise HubError(f"{response.url.host} asks to wait {asked} s (HTTP {status}): try later")
        if self.asked[_key(response.request)] >= self.tries:
            self.give_up(response.request)  # now, not after another pause

    def give_up(self, request: Any) -> None:
        """Raise the HubError for a request that failed too often."""
        times = "once" if self.tries == 1 else f"{self.tries} times"
        raise HubError(f"{request.url.host} failed {times}: {self.last}")


def _key(request: Any) -> tuple[str, str, str | None]:
    return request.method, str(request.url), request.headers.get("range")
