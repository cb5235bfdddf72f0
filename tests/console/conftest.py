"""Fixtures of the console's tests: the example deployment, a console over it, and that console on a real port with a real
browser."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import uvicorn
from playwright.async_api import Browser as Chromium
from playwright.async_api import async_playwright

from gateway.live import Live
from gateway.runtime import check_stores
from tests.console.world import World, world
from tests.support import copy_deployment

CHROMIUM = shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """gateway.yaml of the example deployment; tests must not change it."""
    return copy_deployment(tmp_path_factory.mktemp("deployment"))


@pytest.fixture(scope="session")
def files(config: Path) -> Live:
    """The same, read and compiled once."""
    return Live(config, check_stores(config))


@pytest.fixture
async def console(files: Live, tmp_path: Path) -> AsyncIterator[World]:
    async with world(files, tmp_path) as opened:
        yield opened


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[World]:
    """A console over files that the test changes."""
    async with world(copy_deployment(tmp_path), tmp_path) as opened:
        yield opened


@pytest.fixture
async def dual(tmp_path: Path) -> AsyncIterator[World]:
    """The same where a change of policy needs two people."""
    path = copy_deployment(tmp_path)
    with path.open("a", encoding="utf-8") as file:
        file.write("\npolicy: {activation: dual}\n")
    async with world(path, tmp_path) as opened:
        yield opened


@pytest.fixture
async def served(console: World) -> AsyncIterator[World]:
    """The same on a loopback port; browsers reach it as ``localhost``, where they let security keys be used."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(console.app, lifespan="off", log_config=None, ws="none", access_log=False))
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield replace(console, url=f"http://localhost:{listening.getsockname()[1]}")
    finally:
        server.should_exit = True
        await task
        listening.close()


@pytest.fixture
async def chromium() -> AsyncIterator[Chromium]:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield browser
        finally:
            await browser.close()
