#!/usr/bin/env python3
"""Speaks to an echo server on many connections, compares every byte, and watches the server's memory.

    echo.py --port PORT --connections N --seconds N --process NUMBER

Each connection sends a message of 1 to 3,000 bytes, waits for its echo, and rests for a moment. The memory after a
quarter of the time, when everything has been used once, is compared with that at the end.
"""

import argparse
import asyncio
import random
import re
import subprocess
import sys
import time

# What a runtime's pools and the system's accounting may add between two readings.
MOST_GROWTH = 1.1


def resident_kilobytes(process):
    with open(f"/proc/{process}/status") as status:
        return int(re.search(r"VmRSS:\s*(\d+)", status.read()).group(1))


class Client:
    def __init__(self, options):
        self.options = options
        self.end = time.monotonic() + options.seconds
        self.echoes = 0
        self.wrong = []

    async def speak(self, number):
        source = random.Random(number)
        stage, echoes = "connecting", 0
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.options.port)
            name = writer.get_extra_info("sockname")
            while time.monotonic() < self.end:
                stage = f"waiting for echo {echoes + 1} on port {name[1]}"
                message = source.randbytes(source.randint(1, 3000))
                writer.write(message)
                echo = await asyncio.wait_for(reader.readexactly(len(message)), 30)
                if echo != message:
                    self.wrong.append(f"connection {number}: other bytes came back")
                    return
                self.echoes += 1
                echoes += 1
                await asyncio.sleep(source.uniform(0, 1))
            stage = f"waiting for the end after {echoes} echoes on port {name[1]}"
            writer.write_eof()
            if await asyncio.wait_for(reader.read(), 30):
                self.wrong.append(f"connection {number}: bytes after the end")
            writer.close()
        except Exception as error:
            self.wrong.append(f"connection {number}, {stage}: {error!r}")

    async def run(self):
        talks = [asyncio.create_task(self.speak(number)) for number in range(self.options.connections)]
        await asyncio.sleep(self.options.seconds / 4)
        before = resident_kilobytes(self.options.process)
        await asyncio.sleep(self.options.seconds * 3 / 4 - 1)
        after = resident_kilobytes(self.options.process)
        await asyncio.gather(*talks)
        print(f"{self.options.connections} connections, {self.echoes} echoes, memory {before} KiB, then {after} KiB")
        if after > before * MOST_GROWTH:
            self.wrong.append(f"memory grew from {before} to {after} KiB")
        for line in self.wrong[:20]:
            print(line)
        if self.wrong:
            # Whether the system has connections that nobody has accepted.
            subprocess.run(["ss", "-tlnp", f"sport = :{self.options.port}"], check=False)
        return not self.wrong and self.echoes >= self.options.connections


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("port", "connections", "seconds", "process"):
        parser.add_argument(f"--{name}", type=int, required=True)
    is_right = asyncio.run(Client(parser.parse_args()).run())
    print("1 passed, 0 failed" if is_right else "0 passed, 1 failed")
    sys.exit(not is_right)


if __name__ == "__main__":
    main()
