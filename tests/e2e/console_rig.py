"""Browsers on the built console, for tests: pages that fail on script errors and policy violations."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.integration.casework_rig import PASSWORD

ROOT = Path(__file__).parents[2]
CONSOLE = ROOT / "console"
DESKTOP, PHONE = (1440, 900), (390, 844)
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
EXPECTED = re.compile(r"the server responded with a status of 4\d\d|ERR_(INTERNET|CONNECTION|INCOMPLETE|EMPTY)")
"""What a browser logs by itself when an answer is an error or the network is away."""

expect.set_options(timeout=15_000)


def chromium() -> str:
    """The browser's program. Fails saying how to get one."""
    found = os.environ.get("DOUDI_CHROMIUM") or next((p for n in NAMES if (p := shutil.which(n))), None)
    if not found:
        raise RuntimeError("no Chromium: run `make test`, which installs one, or name it in DOUDI_CHROMIUM")
    return found


def built() -> None:
    """The console must have been built."""
    if not (CONSOLE / "dist" / "index.html").is_file():
        raise RuntimeError("console/dist is missing: run `make console`")


@dataclass
class Desk:
    """One browser and its pages on one gateway."""

    browser: Browser
    url: str
    contexts: list[BrowserContext] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def page(self, size: tuple[int, int] = DESKTOP, path: str = "/", **options: Any) -> Page:
        """A page of a new visitor."""
        context = self.browser.new_context(
            viewport={"width": size[0], "height": size[1]}, locale="zh-CN", has_touch=size == PHONE, **options
        )
        self.contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("console", self._heard)
        page.goto(self.url + path)
        return page

    def signed_in(self, user: str, size: tuple[int, int] = DESKTOP, path: str = "/", **options: Any) -> Page:
        """A page of a user, past the sign-in."""
        page = self.page(size, path, **options)
        sign_in(page, user)
        return page

    def _heard(self, message: Any) -> None:
        if message.type == "error" and not EXPECTED.search(message.text):
            self.wrong.append(message.text)

    def close(self) -> None:
        """Close all pages."""
        for context in self.contexts:
            context.close()
        self.contexts.clear()


def sign_in(page: Page, user: str) -> None:
    """Fill in the form and wait for the list."""
    page.get_by_label("用户名").fill(user)
    page.get_by_label("密码").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator(".live.live")).to_be_visible()


@contextmanager
def desk(url: str) -> Iterator[Desk]:
    """A browser; at the end no page may have had a script error or broken the content security policy."""
    built()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        made = Desk(browser, url)
        try:
            yield made
        finally:
            made.close()
            browser.close()
        assert not made.wrong, made.wrong


def serious(page: Page) -> list[str]:
    """Accessibility violations that axe-core finds serious or critical (WCAG 2.1 A and AA)."""
    if not page.evaluate("'axe' in window"):
        # By the debugger, past the content security policy that rightly refuses foreign scripts.
        page.evaluate((CONSOLE / "node_modules/axe-core/axe.min.js").read_text())
    found = page.evaluate("""axe.run(document, {
        runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'], resultTypes: ['violations']
    })""")
    return [
        f"{v['id']}: {[n['html'][:120] for n in v['nodes'][:3]]}"
        for v in found["violations"]
        if v["impact"] in ("serious", "critical")
    ]


def overflow(page: Page) -> int:
    """Pixels by which the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))
