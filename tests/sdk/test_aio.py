"""The client for asyncio: the same methods, and a loop that goes on."""

import asyncio
import inspect

import pytest

from feedback_sdk.aio import AsyncFeedbackClient
from feedback_sdk.client import FeedbackClient
from tests.sdk.stand_in import KEY

ID = "12345678-1234-5678-1234-567812345678"


def test_captures_and_feedback_arrive(server, make_client):
    async def use() -> tuple[str | None, str | None]:
        async with AsyncFeedbackClient(client=make_client(server.url)) as client:
            sample_id = await client.log_prediction(b"image", tags=["async"])
            feedback_id = await client.confirm(sample_id, reporter="ann")
            assert await client.flush(5)
            return sample_id, feedback_id

    sample_id, feedback_id = asyncio.run(use())
    assert (list(server.samples), list(server.feedback)) == ([sample_id], [feedback_id])


def test_the_loop_goes_on_while_a_flush_waits(server, make_client):
    async def use() -> int:
        server.is_hanging.set()
        client = AsyncFeedbackClient(client=make_client(server.url))
        await client.log_prediction()
        flush, turns = asyncio.create_task(client.flush(0.3)), 0
        while not flush.done():
            await asyncio.sleep(0.01)
            turns += 1
        server.is_hanging.clear()
        assert not await flush
        return turns

    assert asyncio.run(use()) > 5


def test_nothing_raises_here_either(make_client):
    async def use() -> list[str | None]:
        client = AsyncFeedbackClient(client=make_client())
        return [await client.log_prediction(7), await client.reject("x"), await client.correct(ID)]

    assert asyncio.run(use()) == [None, None, None]


def test_without_a_client_it_makes_one_from_the_environment():
    assert not AsyncFeedbackClient().client.is_enabled


@pytest.mark.parametrize("name", ["log_prediction", "confirm", "reject", "correct", "feedback_token", "flush", "close"])
def test_the_methods_are_those_of_the_client(name):
    mine = inspect.signature(getattr(AsyncFeedbackClient, name))
    assert list(mine.parameters) == list(inspect.signature(getattr(FeedbackClient, name)).parameters)
    assert inspect.iscoroutinefunction(getattr(AsyncFeedbackClient, name))


def test_it_takes_the_arguments_of_the_client(server, tmp_path):
    async def use() -> bool:
        async with AsyncFeedbackClient(server.url, KEY, spool_dir=tmp_path, upload="when_wanted") as client:
            await client.log_prediction(b"image")
            return await client.flush(5)

    assert asyncio.run(use())
    assert [image for _, image in server.samples.values()] == [None]
