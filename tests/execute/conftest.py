"""A real page server and a client of it."""

from collections.abc import AsyncIterator

import aiohttp
import pytest_asyncio

from harness.execute.page_server import PageServer


@pytest_asyncio.fixture
async def server() -> AsyncIterator[PageServer]:
    served = PageServer()
    await served.open()
    yield served
    await served.close()


@pytest_asyncio.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session
