"""What stands behind the `@` of a browser that is asked for, and whether that browser can be had so; pure."""

from harness.core.plugins import Browser


def is_program(at: str) -> bool:
    """Whether it is a path and not a version."""
    return "/" in at or "\\" in at


def why_not_at(browser: Browser, at: str | None) -> str | None:
    """Why a browser cannot be had in the version or as the program that was asked for; None where it can."""
    if at is None or browser.driver == "attach":  # what an attached one has there is its device's name
        return None
    if is_program(at):
        takes = browser.driver == "playwright"
        return None if takes else f"{browser.name} is driven by {browser.driver}, which takes no path of a program"
    if browser.package is None:
        return f"no version of {browser.name} can be fetched; give a program: {browser.name}@/path/to/it"
    return None
