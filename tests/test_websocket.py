"""WebSockets through the tunnel, with two independent clients: aiohttp and node's ws."""
import asyncio
import json
import os
import pathlib
import socket
import subprocess

import aiohttp
import pytest

from support.home_app import HomeApp, content
from support.visitor import client_context

NODE_SCRIPTS = pathlib.Path(__file__).parent / "browser"


@pytest.fixture
def home_app():
    return HomeApp()


@pytest.fixture
def tunnel(world, home_app):
    return world.tunnel(world.origin(home_app))


class Loopback(aiohttp.abc.AbstractResolver):
    async def resolve(self, host, port=0, family=socket.AF_INET):
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}]

    async def close(self):
        pass


def with_aiohttp(tunnel, converse, path="/ws", **options):
    """Runs converse(websocket) on an aiohttp client's WebSocket."""
    async def run():
        connector = aiohttp.TCPConnector(ssl=client_context(tunnel.trust), resolver=Loopback())
        async with aiohttp.ClientSession(connector=connector) as client:
            async with client.ws_connect(tunnel.url(path), max_msg_size=0, **options) as websocket:
                return await asyncio.wait_for(converse(websocket), 60)
    return asyncio.run(run())


def node(script, tunnel, *words, deadline_s=60, **environment):
    """Runs one of browser/*.mjs; its standard output as JSON."""
    done = subprocess.run(
        ["node", NODE_SCRIPTS / script, tunnel.url(), *words], capture_output=True, text=True, timeout=deadline_s,
        env={**os.environ, "NODE_EXTRA_CA_CERTS": str(tunnel.trust), **environment})
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout)


@pytest.mark.sanitize
def test_text_and_binary_echo(tunnel):
    async def converse(websocket):
        for text in ("", "hello", "ü" * 1000, "x" * 200_000):
            await websocket.send_str(text)
            assert await websocket.receive_str() == text
        for octets in (0, 125, 126, 65535, 65536, 3_000_000):
            await websocket.send_bytes(content(octets))
            assert await websocket.receive_bytes() == content(octets)
    with_aiohttp(tunnel, converse)


@pytest.mark.sanitize
def test_subprotocol_and_compression_are_negotiated_by_the_ends(tunnel):
    async def converse(websocket):
        assert websocket.protocol == "chat.v1"
        assert websocket._response.headers.get("Sec-WebSocket-Extensions", "").startswith("permessage-deflate")
        await websocket.send_str("a" * 100_000)
        assert await websocket.receive_str() == "a" * 100_000
    with_aiohttp(tunnel, converse, protocols=("chat.v1",), compress=15)


def test_close_code_of_either_side_arrives(tunnel, home_app):
    async def closed_by_home(websocket):
        await websocket.send_str("close 4001")
        message = await websocket.receive()
        assert (message.type, message.data, message.extra) == (aiohttp.WSMsgType.CLOSE, 4001, "as asked")
    with_aiohttp(tunnel, closed_by_home)

    async def closed_by_visitor(websocket):
        await websocket.close(code=4002)
    with_aiohttp(tunnel, closed_by_visitor)
    home_app.close_codes.wait_for(lambda code: code == 4002, "the visitor's close code at home")


def test_many_small_messages_keep_their_order(tunnel):
    async def converse(websocket):
        async def send():
            for number in range(5000):
                await websocket.send_str(str(number))
        sending = asyncio.ensure_future(send())
        for number in range(5000):
            assert await websocket.receive_str() == str(number)
        await sending
    with_aiohttp(tunnel, converse)


def test_a_refused_upgrade_comes_back_as_it_is(tunnel):
    async def run():
        connector = aiohttp.TCPConnector(ssl=client_context(tunnel.trust), resolver=Loopback())
        async with aiohttp.ClientSession(connector=connector) as client:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await client.ws_connect(tunnel.url("/no-websocket"))
            assert refused.value.status == 403
            async with client.get(tunnel.url("/")) as response:
                assert response.status == 200
    asyncio.run(run())


@pytest.mark.sanitize
def test_a_visitor_who_vanishes_ends_the_homes_websocket(tunnel, world, home_app):
    visitor = tunnel.visitor()
    visitor.request(path="/ws", Connection="Upgrade", Upgrade="websocket", Sec_WebSocket_Version="13",
                    Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==")
    response = visitor.read_response()
    assert response.status == 101
    assert response.value("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    visitor.reset()
    tunnel.relay.program.wait_for_line(lambda line: "/ws" not in line and "status=101" in line, "the access log's line of the ended WebSocket")


def test_two_hundred_at_once(tunnel):
    async def run():
        connector = aiohttp.TCPConnector(ssl=client_context(tunnel.trust), resolver=Loopback(), limit=0)
        async with aiohttp.ClientSession(connector=connector) as client:
            async def one(number):
                async with client.ws_connect(tunnel.url("/ws")) as websocket:
                    for turn in range(5):
                        await websocket.send_str(f"{number} {turn}")
                        assert await websocket.receive_str() == f"{number} {turn}"
            await asyncio.gather(*(one(number) for number in range(90)))  # under the agent's concurrency_limit
    asyncio.run(asyncio.wait_for(run(), 60))


def test_node_ws(tunnel):
    said = node("websocket.mjs", tunnel)
    assert said == {"text": True, "binary": True, "fragments": True, "pong": True, "closeCode": 4001, "deflate": True}


def test_a_websocket_lives_past_the_request_timeout(world):
    tunnel = world.tunnel(world.origin(HomeApp()), agent_config={"request_timeout": "300ms"})

    async def converse(websocket):
        # Far longer than the timeout, spent on a request that has to run into it.
        response = await asyncio.get_running_loop().run_in_executor(None, lambda: tunnel.ask(path="/hang"))
        assert response.status == 504
        await websocket.send_str("still here")
        assert await websocket.receive_str() == "still here"
    with_aiohttp(tunnel, converse)
