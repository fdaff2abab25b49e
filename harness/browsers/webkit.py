"""Playwright's own build of WebKit, where it can be had. It is WebKit, not Safari: results say which it was."""

DESCRIBE = {
    "name": "webkit",
    "title": "WebKit (Playwright's build)",
    "engine": "webkit",
    "driver": "playwright",
    "find": [{"playwright": "webkit"}],
    "install": "playwright install --with-deps webkit",
}
