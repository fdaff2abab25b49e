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
    "platform_args": {
        # SwiftShader is asked for by name: the set for a real GPU hung for over 35 s on a machine without one.
        "webgpu": ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-webgpu-developer-features"],
        "webnn": ["--enable-features=WebMachineLearningNeuralNetwork"],
    },
    "limits": ["WebGPU runs on SwiftShader: software, never a GPU's speed"],
}
