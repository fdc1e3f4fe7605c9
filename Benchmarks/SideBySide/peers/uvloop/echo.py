"""Python's echo server: `echo.py [asyncio|uvloop] [protocol|streams] PORT`; without words uvloop with a protocol."""

import asyncio
import sys


class Echo(asyncio.Protocol):
    """Sends back what comes, and reads no more while its peer does not read."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)

    def pause_writing(self) -> None:
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.transport.resume_reading()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()


async def main(style: str, port: int) -> None:
    loop = asyncio.get_running_loop()
    if style == "streams":
        server = await asyncio.start_server(echo, "127.0.0.1", port, backlog=4096)
    else:
        server = await loop.create_server(Echo, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    words = sys.argv[1:-1]
    if "asyncio" not in words:
        import uvloop

        uvloop.install()
    asyncio.run(main("streams" if "streams" in words else "protocol", int(sys.argv[-1])))
