"""The clients of `idle.tls.*`: connections over TLS that have had a message echoed and wait.

    python3 idle_clients.py PORT

Reads numbers, one a line, opens so many more connections for each, and prints it. They say goodbye when there is
nothing more to read.
"""

import socket
import ssl
import sys

MESSAGE = b"x" * 64


def connected(port: int, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Returns a connection that has had its message back."""
    connection = context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost")
    connection.sendall(MESSAGE)
    received = 0
    while received < len(MESSAGE):
        count = len(connection.recv(len(MESSAGE)))
        if count == 0:
            sys.exit("the server closed a connection")
        received += count
    return connection


def main() -> None:
    context = ssl.create_default_context()
    # The certificate is made for the run, and is not what is measured.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connections = []
    for line in sys.stdin:
        connections += [connected(int(sys.argv[1]), context) for _ in range(int(line))]
        print(line, end="", flush=True)
    for connection in connections:
        connection.unwrap()


if __name__ == "__main__":
    main()
