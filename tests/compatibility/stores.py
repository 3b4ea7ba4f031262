"""Databases."""

from __future__ import annotations

import asyncio

from tests.compatibility.scene import BLOB, Scene, scenario


def serve_redis() -> None:
    from fakeredis import TcpFakeServer

    TcpFakeServer.allow_reuse_address = True
    TcpFakeServer(("0.0.0.0", 6379), server_type="redis").serve_forever()


@scenario("redis", "redis", "fakeredis")
def redis_(scene: Scene) -> None:
    """The blocking client against fakeredis's TCP server: 40 KiB set and read, a pipeline, a list, a wrong type."""
    import redis

    def ask() -> object:
        with redis.Redis("server", socket_timeout=100) as client:
            client.set("blob", BLOB)
            got = client.get("blob")
            with client.pipeline(transaction=False) as pipe:
                for number in range(10):
                    pipe.incrby("count", number)
                counts = pipe.execute()
            client.rpush("list", *range(5))
            try:
                client.incr("list")
            except redis.ResponseError as error:
                refused = "wrong kind" in str(error)
            return got, counts[-1], client.lrange("list", 0, -1), refused

    scene.serve(serve_redis)
    assert scene.ask(ask) == (BLOB, 45, [b"0", b"1", b"2", b"3", b"4"], True)


@scenario("redis, async", "redis", "fakeredis")
def redis_async(scene: Scene) -> None:
    """The asyncio client against fakeredis's TCP server: five clients of the pool count at once, 40 KiB come back."""
    import redis.asyncio

    async def ask() -> object:
        async with redis.asyncio.Redis(host="server", socket_timeout=100) as client:
            await client.set("blob", BLOB)
            counts = await asyncio.gather(*[client.incr("count") for _ in range(5)])
            return sorted(counts), await client.get("blob")

    scene.serve(serve_redis)
    assert scene.ask(ask) == ([1, 2, 3, 4, 5], BLOB)


@scenario("pymysql", "pymysql", "mysql-mimic")
def pymysql_(scene: Scene) -> None:
    """The blocking client against mysql-mimic: log in, a query with a parameter that gives 2,000 rows."""
    import pymysql
    from mysql_mimic import MysqlServer, Session

    class Numbers(Session):
        async def query(self, expression, sql, attrs):
            return [(number, f"row {number} of {sql}") for number in range(2000)], ["number", "text"]

    async def serve() -> None:
        server = MysqlServer(session_factory=Numbers)
        await server.start_server(host="0.0.0.0", port=3306)
        await server.serve_forever()

    def ask() -> object:
        connection = pymysql.connect(host="server", port=3306, user="me", connect_timeout=100)
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT x FROM y WHERE z = %s", ("it's",))
            rows = cursor.fetchall()
            return [each[0] for each in cursor.description], len(rows), rows[-1]

    scene.serve(serve)
    names, count, last = scene.ask(ask)
    assert (names, count) == (["number", "text"], 2000)
    assert last[0] in (1999, "1999")
    assert last[1].startswith("row 1999 of SELECT x FROM y")
