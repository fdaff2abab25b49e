"""Safari, over W3C WebDriver: the same code path as WebKitGTK. macOS only; one session at a time."""

DESCRIBE = {
    "name": "safari",
    "title": "Safari",
    "engine": "webkit",
    "driver": "selenium",
    "find": [{"path": "/usr/bin/safaridriver"}],
    "install": "Safari runs on macOS only; there, allow it once with: safaridriver --enable",
    "limits": ["its console cannot be read: only what the page itself says is known"],
}
