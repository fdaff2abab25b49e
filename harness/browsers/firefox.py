"""Firefox as Mozilla or a distribution ships it, unpatched, driven over WebDriver BiDi.

WebGPU on Linux is behind a preference and a blocklist; without a GPU it runs on Mesa's llvmpipe, as software. Its
sandbox keeps the GPU process from a software Vulkan driver, hence the third preference.
"""

DESCRIBE = {
    "name": "firefox",
    "title": "Firefox",
    "engine": "firefox",
    "driver": "playwright",
    "find": [
        {"path": "firefox"},
        {"path": "firefox-esr"},
        {"path": "/Applications/Firefox.app/Contents/MacOS/firefox"},
        {"path": "C:/Program Files/Mozilla Firefox/firefox.exe"},
    ],
    "install": "apt install firefox-esr (and mesa-vulkan-drivers for WebGPU without a GPU), or mozilla.org's Firefox",
    "preferences": {
        # Nothing of its own wakes up while we measure.
        "app.update.auto": False,
        "app.normandy.enabled": False,
        "browser.safebrowsing.update.enabled": False,
        "datareporting.policy.dataSubmissionEnabled": False,
        "dom.min_background_timeout_value": 4,
    },
    "flag_sets": {
        "webgpu": [
            {
                "name": "gpu",
                "needs_gpu": True,
                "preferences": {"dom.webgpu.enabled": True, "gfx.webgpu.ignore-blocklist": True},
            },
            {
                "name": "llvmpipe",
                "systems": ["linux"],
                "preferences": {
                    "dom.webgpu.enabled": True,
                    "gfx.webgpu.ignore-blocklist": True,
                    "security.sandbox.gpu.level": 0,
                },
            },
        ],
    },
    "fills": {
        "webgpu": "a Vulkan driver (apt install mesa-vulkan-drivers), or a newer Firefox",
        "webnn": "Firefox has no WebNN: --browser chromium",
    },
    "limits": [
        "it looks for finished GPU work every 100 ms: awaiting has that floor",
        "no WebNN (no navigator.ml)",
    ],
}
