"""A real browser without a window, driven by the DevTools protocol."""

from __future__ import annotations

import base64
import json
import shutil

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import aiohttp

from anyio import CancelScope, fail_after, open_process, sleep


_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
    "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--remote-debugging-port=0", "--force-color-profile=srgb",
)  # fmt: skip
_PATIENCE = 60


def program() -> str | None:
    """Where the browser is, if there is one."""
    return shutil.which("chromium")


@dataclass
class Tab:
    """One page, and all that it complained of or asked the network for since it was opened."""

    socket: aiohttp.ClientWebSocketResponse
    session: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    calls: int = 0

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of one command of the protocol."""
        self.calls += 1
        session = {"sessionId": self.session} if self.session else {}
        await self.socket.send_json({"id": self.calls, "method": method, "params": params, **session})
        with fail_after(_PATIENCE):
            while (answer := await self.socket.receive_json()).get("id") != self.calls:
                self.events.append(answer)
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        return dict(answer["result"])

    async def open(self, page: Path, *, width: int = 1400, height: int = 900) -> None:
        """Load a file, in a window of this size, and wait until it is there."""
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            await self.call(f"{domain}.enable")
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        self.events.clear()
        navigated = await self.call("Page.navigate", url=page.as_uri())
        assert "errorText" not in navigated, f"{page}: {navigated}"
        await self.until("document.readyState === 'complete' && location.protocol === 'file:'")

    async def media(self, *, scheme: str = "light", medium: str = "") -> None:
        """What the system prefers: colours, and screen or print."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.call("Emulation.setEmulatedMedia", media=medium, features=features)

    async def value(self, script: str) -> Any:
        """What an expression is in the page."""
        result = await self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise AssertionError(f"{script}: {result['exceptionDetails']}")
        return result["result"].get("value")

    async def until(self, script: str) -> None:
        """Wait for an expression to be true in the page."""
        with fail_after(_PATIENCE):
            while not await self.value(script):  # noqa: ASYNC110  the page's own clock
                await sleep(0.01)  # waits: for the page, which nobody announces

    async def press(self, key: str) -> None:
        """One key, pressed and let go."""
        codes = {"Enter": 13, "Escape": 27, "Tab": 9}
        text = {"text": "\r"} if key == "Enter" else {"text": key} if len(key) == 1 else {}
        code = codes.get(key, 0)
        await self.call("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **text)
        await self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    async def write(self, text: str) -> None:
        """Type into whatever has the focus."""
        await self.call("Input.insertText", text=text)

    async def hover(self, selector: str) -> None:
        """Move the pointer to the middle of an element."""
        x, y = await self._middle(selector)
        await self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    async def click(self, selector: str) -> None:
        """Click the middle of an element."""
        x, y = await self._middle(selector)
        for kind in ("mousePressed", "mouseReleased"):
            await self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    async def screenshot(self, *, whole: bool = False) -> bytes:
        """What a person sees, as a PNG; *whole* with what is below the window's edge."""
        shot = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(shot["data"])

    async def _middle(self, selector: str) -> tuple[float, float]:
        element = f"document.querySelector({json.dumps(selector)})"
        await self.value(f"{element}.scrollIntoView({{block: 'nearest'}})")
        box = await self.value(f"{element}.getBoundingClientRect().toJSON()")
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


@asynccontextmanager
async def chromium(profile: Path) -> AsyncIterator[Tab]:
    """A browser with one empty page, for the length of the block."""
    command = [program() or "chromium", *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
    async with await open_process(command, stdout=DEVNULL, stderr=DEVNULL) as process, aiohttp.ClientSession() as http:
        try:
            with fail_after(_PATIENCE):
                while not (there := _address(profile)):
                    assert process.returncode is None, "chromium has ended"
                    await sleep(0.01)  # waits: the browser writes its port there
            async with http.ws_connect(there, max_msg_size=0) as socket:
                browser = Tab(socket)
                target = await browser.call("Target.createTarget", url="about:blank")
                attached = await browser.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
                yield Tab(socket, attached["sessionId"], calls=browser.calls)
                with CancelScope(shield=True):
                    await browser.socket.send_json({"id": 0, "method": "Browser.close"})
                    await process.wait()
        finally:
            if process.returncode is None:
                process.kill()


def _address(profile: Path) -> str:
    """Where the browser listens; empty while it does not yet."""
    file = profile / "DevToolsActivePort"
    port, _, path = file.read_text().partition("\n") if file.exists() else ("", "", "")
    return f"http://127.0.0.1:{port}{path.strip()}" if path.strip() else ""
