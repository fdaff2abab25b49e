"""Google Chrome, in all its channels, where it is installed."""

DESCRIBE = {
    "name": "chrome",
    "like": "chromium",
    "title": "Google Chrome",
    "channels": {
        "chrome": "chrome",
        "chrome-beta": "chrome-beta",
        "chrome-dev": "chrome-dev",
        "chrome-canary": "chrome-canary",
    },
    "find": [],
    "install": "install Google Chrome in this channel",
}
