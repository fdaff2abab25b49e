"""Any browser that a person opens: a phone, a tablet, Safari on iOS, one on another machine. Nobody drives it."""

DESCRIBE = {
    "name": "attached",
    "title": "A browser that opened our URL",
    "engine": "any",
    "driver": "attach",
    "find": [],
    "install": "harness attach prints a URL: open it in any browser",
    "limits": [
        "it is its owner's browser: flags, profile, other tabs and extensions are as they are",
        "a Round has a fresh document in it, not a fresh process; its memory is not known",
        "what it says of itself is all that is known of it",
    ],
}
