"""A sweep over an unmodified aiohttp client and server: a client with little patience, and what it does not survive."""

from __future__ import annotations

from textwrap import dedent

import pytest

pytest_plugins = "pytester"
pytest.importorskip("aiohttp")

SHOP = """
    import asyncio

    import netglass
    import pytest
    from aiohttp import ClientSession, ClientTimeout, web

    async def answer(request):
        return web.json_response({"price": 42})

    def serve():
        app = web.Application()
        app.router.add_get("/price", answer)
        web.run_app(app, port=80, print=None)

    async def price(patience):
        async with ClientSession(timeout=ClientTimeout(total=patience)) as session:
            async with session.get("http://server/price") as answer:
                return (await answer.json())["price"]

    @pytest.mark.netglass(delay="20 ms")
    @pytest.mark.parametrize("patience", [0.3, 60])
    def test_price(net, patience):
        client, server = net.host("client"), net.host("server")
        net.cable(client, server)
        netglass.spawn(server, serve, daemon=True)
        assert netglass.run(client, asyncio.run, price(patience)) == 42
"""


def test_the_segments_that_an_impatient_client_does_not_survive(pytester):
    pytester.makepyfile(test_shop=dedent(SHOP))
    # In a process of its own: programs change what the interpreter's modules hold while they run.
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:asyncio", "--netglass-sweep")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "test_shop.py::test_price?0.3?: sweep, 4 of 9 faults not survived:",
            "    faults.drop(match.segment(1))  client -> server SYN *: TimeoutError (test_shop.py:*)",
            "    faults.drop(match.segment(2))  server -> client SYN,ACK *: TimeoutError (test_shop.py:*)",
            "    faults.drop(match.segment(4))  client -> server PSH,ACK *: TimeoutError (test_shop.py:*)",
            "    faults.drop(match.segment(6))  server -> client PSH,ACK *: TimeoutError (test_shop.py:*)",
        ]
    )
    result.stdout.fnmatch_lines(["test_shop.py::test_price?60?: sweep, all 9 faults survived"])
