"""WebKitGTK's MiniBrowser, over W3C WebDriver. It is WebKit on Linux, not Safari: results say which it was."""

DESCRIBE = {
    "name": "webkitgtk",
    "title": "WebKitGTK (MiniBrowser)",
    "engine": "webkit",
    "driver": "selenium",
    "find": [
        {"path": "WebKitWebDriver", "binary": "/usr/lib/*/webkit2gtk-4.1/MiniBrowser"},
        {"path": "WebKitWebDriver", "binary": "/usr/lib/*/webkit2gtk-4.0/MiniBrowser"},
        {"path": "WebKitWebDriver", "binary": "/usr/libexec/webkit2gtk-4.*/MiniBrowser"},
    ],
    "install": "apt install webkit2gtk-driver xvfb, or your distribution's packages",
    "args": ["--automation"],
    "root_environment": {"WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1"},
    "options_key": "webkitgtk:browserOptions",
    "needs_display": True,
    "fills": {
        "webgpu": "WebKitGTK has no WebGPU: Safari on macOS has",
        "webnn": "WebKit has no WebNN: --browser chromium",
    },
    "limits": [
        "no SharedArrayBuffer, even when isolated: wasm runs on one thread",
        "no WebGPU (no navigator.gpu), no WebNN",
        "its console cannot be read: only what the page itself says is known",
    ],
}
