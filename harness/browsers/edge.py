"""Microsoft Edge, in all its channels, where it is installed."""

DESCRIBE = {
    "name": "edge",
    "like": "chromium",
    "title": "Microsoft Edge",
    "channels": {
        "edge": "msedge",
        "edge-beta": "msedge-beta",
        "edge-dev": "msedge-dev",
        "edge-canary": "msedge-canary",
    },
    "find": [],
    "install": "install Microsoft Edge in this channel",
}
