"""A real headless Chromium, spoken to through its debugging pipe; nothing but the standard library.

The browser reads commands from file descriptor 3 and writes answers and events to 4, each a JSON
document that ends in a zero byte.
"""

import base64
import json
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
    "about:blank",
)


def chromium():
    """Path of the browser, None where there is none."""
    return next((actual for name in NAMES if (actual := shutil.which(name))), None)


class Page:
    """One page: commands, and the events that came meanwhile."""

    def __init__(self, commands, check_results):
        self.commands, self.check_results = commands, check_results
        self.session, self.number, self.events = None, 0, []

    def send(self, method, **parameters):
        """Result of a command; events that arrive before it are kept."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.commands.write(json.dumps(message).encode() + b"\0")
        self.commands.flush()
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]

    def receive(self):
        """The next message."""
        text = bytearray()
        while (byte := self.check_results.read(1)) != b"\0":
            assert byte, "the browser went away"
            text += byte
        message = json.loads(text)
        if "method" in message:
            self.events.append(message)
        return message

    def attach(self):
        """Open a page and listen to all that it does."""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.send("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.send(f"{domain}.enable")

    def open(self, url, width, height=900):
        """Load a page at a width and wait for it."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.events.clear()
        self.send("Page.navigate", url=url)
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.receive()

    def evaluate(self, expression):
        """Value of a JavaScript expression."""
        result = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def screenshot(self, path):
        """The whole page as a PNG."""
        shot = self.send("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def requested(self):
        """What the page asked for, besides itself and data in itself."""
        urls = [
            event["params"]["request"]["url"]
            for event in self.events
            if event["method"] == "Network.requestWillBeSent"
        ]
        return [url for url in urls if not url.startswith(("data:", "file:"))]

    def complaints(self):
        """Everything that went to the console or the log."""
        kinds = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [event for event in self.events if event["method"] in kinds]


@contextmanager
def browser():
    """A page of a browser that ends with the block."""
    to_browser, commands = os.pipe()
    check_results, from_browser = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        line = f'exec "$0" "$@" 3<&{to_browser} 4>&{from_browser}'
        process = subprocess.Popen(
            ["bash", "-c", line, chromium(), f"--user-data-dir={profile}", *ARGUMENTS],
            pass_fds=(to_browser, from_browser),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        try:
            with os.fdopen(commands, "wb") as out, os.fdopen(check_results, "rb") as back:
                page = Page(out, back)
                page.attach()
                yield page
        finally:
            process.terminate()
            process.wait(timeout=30)
