"""Python's echo server over TLS by OpenSSL: `tls.py CHAIN KEY PORT`; uvloop, and the protocol of echo.py."""

import asyncio
import ssl
import sys

import uvloop
from echo import Echo


async def main(chain: str, key: str, port: int) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", port, backlog=4096, ssl=context)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
