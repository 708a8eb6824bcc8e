"""Debian's Chromium by playwright, without network access."""

import shutil
from contextlib import contextmanager

import pytest

_OPTIONS = [
    '--no-sandbox',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-quic',
    '--disable-sync',
    '--no-first-run',
    '--enable-unsafe-swiftshader',
]


@contextmanager
def open_tab(width, *options):
    """Yield a tab and a list that collects its errors; options are Chromium's."""
    api = pytest.importorskip('playwright.sync_api')
    chromium = shutil.which('chromium') or pytest.skip('Chromium is not installed')
    problems = []
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=[*_OPTIONS, *options]
        )
        tab = browser.new_page(viewport={'width': width, 'height': 800})
        tab.on('console', lambda m: m.type == 'error' and problems.append(m.text))
        tab.on('pageerror', lambda error: problems.append(str(error)))
        yield tab, problems
        browser.close()
