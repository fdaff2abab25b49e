"""Chromium: the pinned embedded build where there is one, else the one Playwright installed.

The embedded build (Linux, x86-64) comes from the page's npm lock file and needs neither root nor a download beyond
the registry. It carries SwiftShader, so WebGPU is there without a GPU, as software; and a real WebNN backend.
"""

DESCRIBE = {
    "name": "chromium",
    "title": "Chromium (pinned embedded build, else Playwright's)",
    "engine": "chromium",
    "driver": "playwright",
    "keeps": True,
    "find": [{"npm": "@sparticuz/chromium"}, {"playwright": "chromium"}],
    "install": "make setup (Linux x86-64), or: playwright install chromium",
    "args": [
        # Without these a closed network makes it retry for ever, and a busy one wakes it while we measure.
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        "--disable-quic",
        # A tab that is not looked at must run as fast as one that is.
        "--disable-background-timer-throttling",
        "--disable-backgrounding-occluded-windows",
        "--disable-renderer-backgrounding",
        # `measureUserAgentSpecificMemory` else waits for a garbage collection of its own time: 16 s, not 0.1.
        "--enable-blink-features=ForceEagerMeasureMemory",
    ],
    "flag_sets": {
        "webgpu": [
            # Without developer features timestamps are rounded to 100 µs, and an adapter tells little of itself.
            {
                "name": "vulkan",
                "systems": ["linux"],
                "needs_gpu": True,
                "args": [
                    "--enable-unsafe-webgpu",
                    "--enable-webgpu-developer-features",
                    "--enable-features=Vulkan",
                    "--use-angle=vulkan",
                    "--disable-vulkan-surface",
                    "--ignore-gpu-blocklist",
                ],
            },
            # Metal and Direct3D 12 need no asking for.
            {
                "name": "system",
                "systems": ["darwin", "win32"],
                "args": ["--enable-unsafe-webgpu", "--enable-webgpu-developer-features", "--ignore-gpu-blocklist"],
            },
            {
                "name": "swiftshader",
                "args": [
                    "--enable-unsafe-webgpu",
                    "--enable-webgpu-developer-features",
                    "--use-webgpu-adapter=swiftshader",
                ],
            },
        ],
        "webnn": [{"name": "webnn", "args": ["--enable-features=WebMachineLearningNeuralNetwork"]}],
    },
    "limits": ["without a GPU, WebGPU runs on SwiftShader: software, never a GPU's speed"],
}
