"""The client for asyncio. A capture takes microseconds, so it runs on the loop; what waits, waits in a thread."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from functools import wraps
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar, Unpack

from feedback_sdk.client import FeedbackClient
from feedback_sdk.options import Options
from feedback_sdk.sender import EXIT_SECONDS, Stats

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _as_coroutine(
    method: Callable[Concatenate[FeedbackClient, _P], _R],
) -> Callable[Concatenate["AsyncFeedbackClient", _P], Coroutine[object, object, _R]]:
    @wraps(method)
    async def call(self: "AsyncFeedbackClient", /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        return method(self.client, *args, **kwargs)

    return call


class AsyncFeedbackClient:
    """The same methods as coroutines over one FeedbackClient: `client`, or one made of the same arguments."""

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        spool_dir: str | os.PathLike[str] | None = None,
        client: FeedbackClient | None = None,
        **options: Unpack[Options],
    ) -> None:
        self.client = FeedbackClient(url, api_key, spool_dir=spool_dir, **options) if client is None else client

    log_prediction = _as_coroutine(FeedbackClient.log_prediction)
    confirm = _as_coroutine(FeedbackClient.confirm)
    reject = _as_coroutine(FeedbackClient.reject)
    correct = _as_coroutine(FeedbackClient.correct)
    feedback_token = _as_coroutine(FeedbackClient.feedback_token)
    status = _as_coroutine(FeedbackClient.status)
    resolved = _as_coroutine(FeedbackClient.resolved)
    pause = _as_coroutine(FeedbackClient.pause)
    resume = _as_coroutine(FeedbackClient.resume)

    async def flush(self, timeout: float = 10.0) -> bool:
        """Send now; return whether everything captured before has been dealt with within `timeout` seconds."""
        return await asyncio.to_thread(self.client.flush, timeout)

    async def close(self, timeout: float = EXIT_SECONDS) -> None:
        """Send for `timeout` seconds at most and stop; the rest stays on disk for the next client."""
        await asyncio.to_thread(self.client.close, timeout)

    def stats(self) -> Stats:
        """Return the counters of this process."""
        return self.client.stats()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
