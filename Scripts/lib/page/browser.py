"""A headless Chromium, driven over the pipe of its DevTools protocol: enough to look at a page, and to judge it.

The protocol is JSON, each message ended by a zero byte, on descriptors 3 and 4 of the browser. That needs no port, no
package for websockets, and ends with this process.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.parse

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-extensions",
    "--disable-component-update",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
]


class BrowserError(Exception):
    """The browser has ended, does not answer, or refuses a command."""


def find():
    """Returns the path of a Chromium, or None."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    """One Chromium with a profile of its own, which goes away with it."""

    def __init__(self, program=None):
        program = program or find()
        if not program:
            raise BrowserError("there is no Chromium. Install the package chromium.")
        self.profile = tempfile.mkdtemp(prefix="check-page-")
        ours, theirs = os.pipe(), os.pipe()
        # Above what the shell puts them on, so that none is overwritten by the other.
        read, write = (fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (ours[0], theirs[1]))
        self.input, self.output = ours[1], theirs[0]
        command = f'exec "$@" 3<&{read} 4>&{write}'
        self.process = subprocess.Popen(
            ["bash", "-c", command, "bash", program, *FLAGS, f"--user-data-dir={self.profile}", "about:blank"],
            pass_fds=(read, write),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for end in (ours[0], theirs[1], read, write):
            os.close(end)
        self.buffer = b""
        self.last = 0
        self.pages = {}
        self.answers = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """End the browser with all its processes, and remove its profile."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        os.close(self.input)
        os.close(self.output)
        # A process that is just ending may still write into it.
        for _ in range(20):
            shutil.rmtree(self.profile, ignore_errors=True)
            if not os.path.exists(self.profile):
                break
            time.sleep(0.05)

    def send(self, method, session=None, **parameters):
        """Send a command, and return its number."""
        self.last += 1
        message = {"id": self.last, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        rest = json.dumps(message).encode() + b"\0"
        try:
            while rest:
                rest = rest[os.write(self.input, rest) :]
        except BrokenPipeError:
            raise BrowserError("the browser has ended") from None
        return self.last

    def call(self, method, session=None, limit=30, **parameters):
        """Send a command, and return its result."""
        number = self.send(method, session, **parameters)
        end = time.monotonic() + limit
        while number not in self.answers:
            if not self.receive(end - time.monotonic()):
                raise BrowserError(f"{method}: no answer within {limit} s")
        answer = self.answers.pop(number)
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error'].get('message')}")
        return answer["result"]

    def receive(self, limit):
        """Take in what has come. Returns False if nothing came within the limit."""
        while b"\0" not in self.buffer:
            if limit <= 0 or not select.select([self.output], [], [], limit)[0]:
                return False
            more = os.read(self.output, 1 << 20)
            if not more:
                raise BrowserError("the browser has ended")
            self.buffer += more
        *messages, self.buffer = self.buffer.split(b"\0")
        for message in map(json.loads, messages):
            if "id" in message:
                self.answers[message["id"]] = message
            elif message.get("sessionId") in self.pages:
                self.pages[message["sessionId"]].note(message["method"], message["params"])
        return True

    def open(self, address, **look):
        """Open a page; see `Page.look` for how it looks."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self.pages[session] = Page(self, target, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        page.look(**look)
        page.call("Page.navigate", url=address)
        return page


class Page:
    """A page of the browser, with what it complained about and what it asked for."""

    def __init__(self, browser, target, session):
        self.browser, self.target, self.session = browser, target, session
        self.complaints = []
        self.requests = []

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def note(self, method, parameters):
        if method == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
            words = [str(one.get("value", one.get("description"))) for one in parameters["args"]]
            self.complaints.append(" ".join(words))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            entry = parameters["entry"]
            self.complaints.append(f"{entry['text']} {entry.get('url', '')}".strip())
        elif method == "Page.javascriptDialogOpening":
            self.complaints.append(f"a dialog: {parameters['message']}")
            # Until it is closed, the page does nothing else.
            self.browser.send("Page.handleJavaScriptDialog", self.session, accept=False)
        elif method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])

    def look(self, width=1280, height=900, dark=False, scale=1):
        """Set the size of the window, in pixels of CSS, and the scheme of colours that the reader prefers."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def value(self, expression):
        """Evaluate an expression of JavaScript, and return its value."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise BrowserError(details.get("exception", {}).get("description") or details["text"])
        return answer["result"].get("value")

    def wait(self, expression, limit=10):
        """Wait until an expression is true. Returns False if it is not within the limit."""
        end = time.monotonic() + limit
        while not self.value(f"Boolean({expression})"):
            if time.monotonic() > end:
                return False
            self.browser.receive(0.1)
        return True

    def picture(self, path, whole=False):
        """Write what is seen as a PNG; the whole length of the page on demand."""
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(answer["data"]))

    def foreign_requests(self):
        """Returns what was asked of any other server than the page's own."""
        own = urllib.parse.urlsplit(self.value("location.href")).netloc
        local = ("data:", "blob:", "about:")
        return [
            url for url in self.requests if not url.startswith(local) and urllib.parse.urlsplit(url).netloc != own
        ]

    def close(self):
        self.browser.call("Target.closeTarget", targetId=self.target)
        self.browser.pages.pop(self.session, None)
