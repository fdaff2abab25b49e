"""What plug-ins say of themselves: backends, browsers, exporters, and the catalogue's architectures. Data, read without
importing what it describes.
"""

from typing import Literal

from pydantic import Field

from harness.core.nouns import Frozen
from harness.core.values import Count


class PlatformOffer(Frozen):
    """What one backend offers under one `--hardware` name; the first device is the default."""

    devices: tuple[str, ...]
    bundle: str | None = Field(default=None, description="file of the page's runtime that users load for this platform")


class Backend(Frozen):
    """A backend as its own file or folder describes it (`DESCRIBE`, `backend.json`)."""

    name: str
    version: Count = Field(default=1, description="raised when what it measures can come out otherwise than before")
    side: Literal["native", "page"]
    formats: tuple[str, ...] = Field(description="what of an Artifact it reads: hf, onnx; any: it reads nothing")
    precisions: tuple[str, ...]
    reads: dict[str, str] = Field(
        default_factory=dict,
        description="precision → that of the Artifact it reads, where it is another: bf16 computed from fp32 weights",
    )
    refuses: dict[str, str] = Field(default_factory=dict, description="precision that it does not offer → why not")
    platforms: dict[str, PlatformOffer]
    packages: tuple[str, ...] = Field(description="Python or npm packages whose versions are part of the measurement")
    extras: tuple[str, ...] = Field(
        default=(), description="packages that take part in some of its Cases: their versions count, they may be absent"
    )
    runtimes: tuple[str, ...] = Field(default=(), description="those of them whose version --runtime can choose")
    install: str = Field(description="what to type where a package is missing")
    modes: tuple[str, ...] = ("inference",)
    outputs: tuple[str, ...] = Field(default=("host",), description="where it can leave outputs")
    options: tuple[str, ...] = Field(default=(), description="names of the options it knows; any other is refused")
    answers: Literal["outputs", "pipeline"] = Field(
        default="outputs", description="what the judge compares: the graph's outputs, or what a pipeline answers"
    )
    tasks: tuple[str, ...] = Field(default=(), description="task families it can do; empty: all")
    for_tests: bool = Field(default=False, description="known-duration backends: not part of --hardware all")


class FlagSet(Frozen):
    """Flags and preferences that bring a platform on some systems; see `harness/execute/flags.py` for the choice."""

    name: str
    systems: tuple[str, ...] = Field(default=("linux", "darwin", "win32"), description="as Python's sys.platform")
    needs_gpu: bool = Field(default=False, description="only tried where the system shows a graphics device")
    args: tuple[str, ...] = ()
    preferences: dict[str, bool | int | str] = Field(default_factory=dict)


class Browser(Frozen):
    """A browser as its own file describes it: how to find it, how to drive it, what it needs and cannot do."""

    name: str
    title: str
    engine: Literal["chromium", "firefox", "webkit", "any"]
    driver: Literal["playwright", "selenium", "attach"]
    find: tuple[dict[str, str], ...] = Field(
        description="places to look, in order; each has one of npm (package), playwright (its own build), channel"
        " (an installed product, as Playwright names it), path (a program; with `binary`, a pattern, it is that one's"
        " WebDriver)"
    )
    install: str
    args: tuple[str, ...] = ()
    preferences: dict[str, bool | int | str] = Field(default_factory=dict, description="Firefox's")
    root_environment: dict[str, str] = Field(default_factory=dict, description="what it is started with as root")
    flag_sets: dict[str, tuple[FlagSet, ...]] = Field(
        default_factory=dict, description="platform → what it may need to be there, the preferred first"
    )
    options_key: str | None = Field(default=None, description="where a WebDriver wants the binary and its flags")
    needs_display: bool = Field(default=False, description="has no headless mode: it gets a screen of its own")
    keeps: bool = Field(default=False, description="whether it can be kept for the next Round (isolation zygote)")
    at: str | None = Field(default=None, description="the version, program or device that was asked for")
    profile: Literal["private", "disk"] = Field(
        default="private",
        description="disk: it keeps files between visits, as its users' do; a private one few or none",
    )
    limits: tuple[str, ...] = ()
    fills: dict[str, str] = Field(default_factory=dict, description="platform that it lacks → what would fill the hole")

    @property
    def label(self) -> str:
        """`chromium`, or `chromium@147.0.0`: as it was asked for."""
        return self.name if self.at is None else f"{self.name}@{self.at}"

    @property
    def package(self) -> str | None:
        """The npm package whose versions can be asked for; None where there is none."""
        return next((place["npm"] for place in self.find if "npm" in place), None)


class Exporter(Frozen):
    """An exporter as its own file describes it; `environment` names the interpreter that it needs."""

    name: str
    version: Count = Field(default=1, description="raised when the bytes it makes can be other ones than before")
    takes: tuple[str, ...] = Field(description="kinds of Model it can export")
    tries: tuple[str, ...] = Field(default=(), description="exporters that it tries, in order: their versions count")
    formats: tuple[str, ...]
    environment: str
    packages: tuple[str, ...] = Field(description="what it needs; their versions are part of the Artifact's name")
    install: str


class Architecture(Frozen):
    """A catalogue entry, made by `exporters.worker describe`."""

    name: str
    family: str
    task: str
    title: str
    built_by: str
    parameters: int | None = Field(
        description="of the full size, counted without allocating them; null: it could not be built, `reason` says why"
    )
    main_input: str | None = Field(default=None, description="name of the input that forward is about")
    modalities: tuple[str, ...] = Field(default=(), description="of its inputs: text, image, video, audio, time …")
    generates: bool = Field(default=False, description="whether it makes its output token by token")
    reason: str | None = None
