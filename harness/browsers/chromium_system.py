"""The Chromium that the distribution installed.

Debian builds it without a WebNN backend: `navigator.ml` is there, and gives no context.
"""

DESCRIBE = {
    "name": "chromium-system",
    "like": "chromium",
    "title": "Chromium of the distribution",
    "find": [{"path": "chromium"}, {"path": "chromium-browser"}],
    "fills": {"webnn": "distributions build it without WebNN's backend: --browser chromium has one"},
    "install": "apt install chromium, or your distribution's package",
}
