"""Safari, over W3C WebDriver: the same code path as WebKitGTK. macOS only; one session at a time."""

DESCRIBE = {
    "name": "safari",
    "title": "Safari",
    "engine": "webkit",
    "driver": "selenium",
    "find": [{"path": "/usr/bin/safaridriver"}],
    "install": "Safari runs on macOS only; there, allow it once with: safaridriver --enable",
    "fills": {"webgpu": "Safari 26 or newer", "webnn": "WebKit has no WebNN: --browser chromium"},
    "limits": ["its console cannot be read: only what the page itself says is known"],
}
