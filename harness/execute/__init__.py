"""Case + Artifact → Events. Whoever answers, the Events are the same.

executor.py     the seam: Assignment in, Events out; with a fake beside the real ones
native.py       one fresh worker per Round, started or forked; its lines are the Events
watchdog.py     ends what gets nowhere, native or page
page.py         a page in a browser, one fresh browser per Round
seeing.py       what a person asked to see of it: a window, a pause, a trace
looking.py      what is kept of a Round for that person: a picture of a failure, the traces
tracing.py      Playwright's trace and Chromium's own
page_server.py  the page's files, the Artifact's files and the websocket, on loopback
drivers.py      drive a browser: find it, start it, open a URL, end it
embedded.py     the embedded Chromium, pinned or in a version asked for
published.py    npm packages in any published version, fetched and checked
finding.py      where a browser is, or the version or program that was asked for
attach_driver.py, lobby.py, doors.py   browsers that come by themselves
files.py, seating.py   the files that a page gets, and what its seat holds
browser_version.py  the version that a Round would find now, without starting it
"""
