"""A client of grpc-echo by grpcio, which is gRPC's C core: a program of its own, for an interpreter that has it.

    grpcio_client.py calls PORT [CERTIFICATE]   all kinds of calls; what they saw, as JSON
    grpcio_client.py crowd PORT [CERTIFICATE]   more calls at a time than a connection takes
    grpcio_client.py open PORT [CERTIFICATE]    a call that says "open" and waits for a line before it goes on
"""

import hashlib
import json
import queue
import sys

import grpc

LIMIT = 50


class Said:
    """The messages of a call that is open: those that are said."""

    def __init__(self, *messages):
        self.queue = queue.Queue()
        for message in messages:
            self.say(message)

    def say(self, message):
        self.queue.put(message)

    def end(self):
        self.queue.put(None)

    def __iter__(self):
        return self

    def __next__(self):
        message = self.queue.get()
        if message is None:
            raise StopIteration
        return message


def metadata(entries):
    """What is the server's own to say; the C core adds some of what it has seen itself."""
    return sorted([entry.key, entry.value if isinstance(entry.value, str) else list(entry.value)] for entry in entries)


def short(message):
    if len(message) < 50:
        return message.decode()
    return f"{len(message)} bytes, {hashlib.sha256(message).hexdigest()[:16]}"


class Client:
    def __init__(self, port, certificate):
        # Both sides may have messages of 4 MiB by default. A server that goes is not to be looked for again and again.
        options = [("grpc.max_receive_message_length", 8 << 20), ("grpc.enable_retries", 0)]
        target = f"127.0.0.1:{port}"
        if certificate:
            with open(certificate, "rb") as file:
                self.channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(file.read()), options)
        else:
            self.channel = grpc.insecure_channel(target, options)
        self.seen = {}

    def once(self, method="Once"):
        return self.channel.unary_unary(f"/echo.Echo/{method}")

    def stream(self, method="Stream"):
        return self.channel.stream_stream(f"/echo.Echo/{method}")

    def note(self, name, call, **more):
        """Note how a call ended, and its metadata."""
        self.seen[name] = {
            "code": call.code().name, "details": call.details(), "initial": metadata(call.initial_metadata()),
            "trailing": metadata(call.trailing_metadata()), **more,
        }  # fmt: skip

    def ask(self, name, message, method="Once", **options):
        """A call with one message; its answer, or how it failed."""
        try:
            answer, call = self.once(method).with_call(message, timeout=options.pop("timeout", LIMIT), **options)
            self.note(name, call, answer=short(answer))
            return answer
        except grpc.RpcError as error:
            self.note(name, error)

    def converse(self, name, messages, method="Stream", **options):
        """A call with many messages; all its answers, or how it failed."""
        call = self.stream(method)(iter(messages), timeout=options.pop("timeout", LIMIT), **options)
        answers = []
        try:
            answers += call
        except grpc.RpcError:
            pass
        self.note(name, call, answers=len(answers), content=short(b"".join(answers)))
        return answers


def kinds(client):
    assert client.ask("once", b"hello") == b"hello"
    assert client.ask("once, empty", b"") == b""
    assert client.converse("collect", [b"a", b"", b"bc"], "Collect") == [b"abc"]
    assert client.converse("expand", [bytes([2, 0, 1])], "Expand") == [b"\2\2", b"", b"\1"]
    many = [bytes([number % 256]) * number for number in range(500)]
    assert client.converse("stream", many) == many
    said = Said()
    call = client.stream()(said, timeout=LIMIT)
    for turn in range(100):
        said.say(b"%d" % turn)
        assert next(call) == b"%d" % turn
    said.end()
    assert list(call) == []
    client.note("in turns", call)


def sizes(client):
    large = bytes(range(256)) * (3 * 4096)
    assert client.ask("3 MiB", large) == large
    assert len(client.converse("3 MiB, twice", [large, large])) == 2
    client.ask("more than the server takes", bytes((4 << 20) + 1))
    client.ask("after it", b"next")


def failures(client):
    sent = [("echo-word", "wörter".encode().hex()), ("echo-bytes-bin", bytes(range(256))), ("other", "stays")]
    client.ask("metadata", b"", metadata=sent)
    client.converse("metadata of a stream", [b"1", b"2"], metadata=sent)
    client.ask("refused", "nicht heute".encode(), "Refuse", metadata=sent)
    client.converse("refused, many messages", [b"no", b"no"], "Refuse")
    client.ask("a method that is not there", b"", "Nothing")
    client.ask("compressed", b"a" * 10_000, compression=grpc.Compression.Gzip)
    assert client.ask("after all that", b"next") == b"next"


def ends(client):
    for name, end in (("deadline", None), ("cancelled", lambda call: call.cancel())):
        said = Said(b"first")
        call = client.stream()(said, timeout=LIMIT if end else 1)
        assert next(call) == b"first"
        if end:
            end(call)
        try:
            next(call)
        except grpc.RpcError:
            pass
        client.note(name, call)
        said.end()
    # Much is on its way when the client loses interest.
    call = client.stream("Expand")(iter([bytes([255]) * 3000]), timeout=LIMIT)
    assert next(call) == bytes([255]) * 255
    call.cancel()
    client.note("cancelled while answers come", call)
    assert client.ask("after them", b"next") == b"next"


def at_once(client, count=100):
    once = client.once()
    calls = [once.future(b"%d" % number * 100, timeout=LIMIT) for number in range(count)]
    assert [call.result() for call in calls] == [b"%d" % number * 100 for number in range(count)]
    client.seen["at once"] = count


def main():
    what, port, *certificate = sys.argv[1:]
    client = Client(port, certificate[0] if certificate else None)
    if what == "calls":
        for part in (kinds, sizes, failures, ends, at_once):
            part(client)
        print(json.dumps(client.seen))
    elif what == "crowd":
        at_once(client, 300)
        print(json.dumps(client.seen))
    else:
        said = Said(b"first")
        call = client.stream()(said, timeout=LIMIT)
        answers = [next(call).decode()]
        print("open", flush=True)
        sys.stdin.readline()
        said.say(b"second")
        said.end()
        answers += [answer.decode() for answer in call]
        print(json.dumps({"answers": answers, "code": call.code().name, "details": call.details()}))
    client.channel.close()


if __name__ == "__main__":
    main()
