"""What is asked for: Model, Task, Case, Policy, Plan; and the Artifact that all backends read.

Frozen Pydantic models, because each of them crosses a process, a wire or the journal.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.core.digest import digest_of
from harness.core.values import INT64_MOST, Count, CountOrUnknown, Inside

# int8: dynamic (activations quantised as they come); int8-static: QDQ, calibrated; int4: weights alone, in blocks, as
# the web calls it q4; q4f16: the same with everything else in fp16.
PRECISIONS = ("fp32", "fp16", "bf16", "int8", "int8-static", "int4", "q4f16")
# What the web's people type → our name.
PRECISION_ALIASES = {"q8": "int8", "q4": "int4", "float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}
Outcome = Literal["ok", "unsupported", "failed"]
Isolation = Literal["process", "zygote"]
# A Round that profiles is slowed by its profiler, and one that only asks whether a model runs shares the machine with
# others: neither is ever mixed with those that time. Nor is one that audits: it changes inputs between runs.
Purpose = Literal["timing", "profile", "audit", "coverage"]
# After the timing, about what was timed; what becomes of them decides nothing of the Case's outcome.
ASIDE: tuple[Purpose, ...] = ("profile", "audit")
# Of a Run as a whole; a profile is looked at in one that times.
PlanPurpose = Literal["timing", "coverage"]
# The catalogue's first for every platform of a page; a test says so.
USUAL_PAGE_BACKEND = "ort_web"
ScheduleName = Literal["interleaved", "progressive", "memory_limit", "until_decided"]
# Codes of an `unsupported` that a Run decided by what went before, or by the memory of the moment, and no backend or
# machine: not tried bigger after it failed small or was over a limit; no room.
# A failure of what was there at that moment (a device, the network, the disk, a browser's start, another Run): it says
# nothing of what was asked.
OF_THE_MOMENT = (
    "not_fetched", "device_absent", "device_gone", "disk_full", "link_lost", "page_left", "browser_start",
    "worker_start", "reused_missing", "not_measured", "model_changed", "inputs_changed",
)  # fmt: skip
NOT_TRIED, NO_ROOM = LEFT_OUT = ("not_tried", "no_room")
# What `PlannedCase.versions` says of a browser that tells its version only once it runs.
UNKNOWN_VERSION = "not known without starting it"


class Frozen(BaseModel):
    """A value: it cannot change, and unknown keys are an error instead of a silent loss."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Model(Frozen):
    """What to run. `identity` names the content: the same bytes have the same identity on every machine."""

    name: str = Field(description="as the user typed it")
    kind: Literal["architecture", "pretrained", "onnx", "unknown"]
    identity: str = Field(description="architecture name, hub id, or sha256 of local files")
    architecture: str | None = Field(description="transformers' model type; null for a bare .onnx")
    path: str | None = Field(default=None, description="absolute path of a local model; not part of the identity")
    revision: str | None = None
    weights: Literal["pretrained", "random", "unknown"] = Field(description="unknown: only of what was imported")
    scale: Literal["full", "tiny", "unknown"] = "full"
    layers: Count | None = Field(default=None, description="at most so many hidden layers in each part; null: all")
    family: str
    trust_remote_code: bool = Field(default=False, description="the user allowed the model's own Python code to run")

    def canonical(self) -> dict[str, Any]:
        """What counts in a digest: not what a machine calls it (`name`, `path`); trust and layers only where given."""
        left_out = {"name", "path", "family"} | (set() if self.trust_remote_code else {"trust_remote_code"})
        left_out |= {"layers"} if self.layers is None else set()
        return self.model_dump(mode="json", exclude=left_out)

    @property
    def short_name(self) -> str:
        """Last part of the name as typed; half the world's graphs are called model.onnx, so then the folder's."""
        parts = [part for part in self.name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
        telling = [part for part in parts if part not in ("model.onnx", "onnx")]
        return (telling or parts or [self.name])[-1]


class Task(Frozen):
    """A task family, declared as data in `harness/tasks/`."""

    name: str
    title: str
    auto_classes: tuple[str, ...] = Field(description="transformers' Auto classes that give this task's head, in order")
    inputs: tuple[str, ...] = Field(description="roles of the inputs, in the words of exporters/zoo/inputs.py")
    item: str = Field(description="what counts as one item of throughput")
    length_default: int | None = Field(description="tokens per item; null where the model's own sizes rule")
    phases: tuple[str, ...]
    agreement: Literal["none", "argmax"] = Field(description="what else must agree besides the numbers")


class Case(Frozen):
    """One fully resolved point. Two Cases with the same `case_id` ask for the same measurement."""

    model: Model
    task: str
    mode: Literal["inference", "training"] = "inference"
    platform: str
    backend: str
    device: str
    browser: str | None = None
    browser_version: str | None = Field(default=None, description="version asked for; null means the pinned one")
    runtime: str | None = Field(default=None, description="runtime asked for, `package@version`; null means the pinned")
    precision: str = "fp32"
    batch_size: CountOrUnknown = 1
    length: Count | None = None
    threads: CountOrUnknown = 1
    outputs: Literal["host", "device"] = "host"
    cache: Literal["cold", "warm"] = Field(
        default="cold", description="a browser's first load in a fresh profile, or its second in the same one"
    )
    network: str | None = Field(
        default=None, description="rate that a page's downloads are held to; null: loopback's own"
    )
    isolation: Isolation = Field(default="process", description="a fresh process, or the fork of one with the imports")
    affinity: tuple[int, ...] | None = Field(
        default=None, description="numbers of the logical CPUs that it may run on; null: all"
    )
    exporter: str | None = None
    dims: dict[str, int] = Field(default_factory=dict, description="sizes of a bare .onnx's symbolic dimensions")
    inputs: str | None = Field(default=None, description="sha256 of inputs that the user gave for a bare .onnx")
    inputs_path: str | None = Field(default=None, description="where those inputs lie; not part of the identity")
    options: dict[str, str | bool] = Field(default_factory=dict)
    seed: int = 0

    @property
    def case_id(self) -> str:
        """Digest of the canonical form; what a machine calls the model (`name`, `path`) does not count.

        Nor does a field that came later, where it says nothing: the ids of stored Cases stay.
        """
        later = {name for name in ("network", "affinity") if getattr(self, name) is None}
        form = self.model_dump(mode="json", exclude={"inputs_path", *later})
        return digest_of({**form, "model": self.model.canonical()})

    @property
    def hardware(self) -> str:
        """`platform[:device]`, as `--hardware` takes it; a platform's usual device is not named."""
        return self.platform if self.device in (self.platform, "cpu") else f"{self.platform}:{self.device}"

    @property
    def computes_on_cpu(self) -> bool:
        """Whether it is known that the CPU computes; of a page's GPU and of WebNN's device nobody can tell."""
        return self.platform in ("cpu", "wasm") or (self.browser is None and self.device == "cpu")

    @property
    def unusual_backend(self) -> str | None:
        """The backend's name where `hardware` alone does not tell it: pages have several for one platform."""
        usual = self.browser is None or self.backend in (USUAL_PAGE_BACKEND, self.platform)
        return None if usual else self.backend

    @property
    def slug(self) -> str:
        """For eyes only: what is not default shows."""
        parts = [self.model.short_name]
        if self.model.scale == "tiny":
            parts.append("tiny")
        if self.model.layers is not None:
            parts.append(f"layers={self.model.layers}")
        if self.mode != "inference":
            parts.append(self.mode)
        parts += [self.precision, f"b{self.batch_size or '?'}"]
        if self.length is not None:
            parts.append(f"l{self.length}")
        parts += [f"{key}={size}" for key, size in sorted(self.dims.items())]
        parts += [self.hardware, *filter(None, [self.unusual_backend])]
        if self.browser:
            parts.append(self.browser + (f"@{self.browser_version}" if self.browser_version else ""))
        if self.runtime:
            parts.append(self.runtime)
        if self.outputs != "host":
            parts.append(f"outputs={self.outputs}")
        if self.cache != "cold":
            parts.append(f"cache={self.cache}")
        if self.network is not None:
            parts.append(self.network)
        if self.isolation != Case.model_fields["isolation"].default:
            parts.append(self.isolation)
        if self.affinity is not None:
            parts.append(f"cpus={'+'.join(map(str, self.affinity))}")
        if self.seed:
            parts.append(f"seed={self.seed}")
        if self.exporter:
            parts.append(self.exporter)
        parts += [key if value is True else f"{key}={value}" for key, value in sorted(self.options.items())]
        return "/".join(parts)


class PlannedCase(Frozen):
    """A Case, and the outcome it already has when it cannot be done (impossible, or its export failed), or the Run
    whose result stands for it."""

    case: Case
    outcome: Literal["unsupported", "failed"] | None = None
    code: str | None = None
    reason: str | None = None
    versions: dict[str, str] | None = Field(
        default=None, description="what its numbers depend on, as it was when the Run began; null: not known"
    )
    reused_from: str | None = Field(default=None, description="run_id of a stored result; the Case is not measured")

    @property
    def to_measure(self) -> bool:
        """Whether anything is to be done for it: neither decided nor known already."""
        return self.outcome is None and self.reused_from is None


class LoopPolicy(Frozen):
    """The stopping rule within a Round, obeyed by the twin loops `native/loop.py` and `browser_assets/loop.js`."""

    slice_ns: int = Field(description="time that warm-up and sampling of this Round may take; wins over the rest")
    warm_least: int = 3
    warm_least_ns: int = Field(
        default=500_000_000, description="a young page gets faster for longer than a few quick runs last (tier-up)"
    )
    warm_share: float = Field(default=0.4, description="share of the slice that warm-up may take")
    steady_window: int = Field(default=5, description="iterations in each of the two windows that steadiness compares")
    steady_within: float = Field(default=0.05, description="relative difference of the windows' medians called steady")
    least_samples: int = 10
    most_samples: int = 20_000
    least_time_ns: int = 500_000_000
    narrow_within: float = Field(default=0.01, description="relative half-width of the median called narrow enough")
    steps_per_sample: int = Field(default=100, description="a sample lasts at least so many steps of the clock")
    send_every_ns: int = 250_000_000


class Decision(Frozen):
    """What a comparison is to decide; `size` is a share of the first side's latency."""

    kind: Literal["difference", "regression", "side"] = Field(
        description="difference: faster, slower, or the same within `size`; regression: slower at all, or by less than"
        " `size`; side: slower by more than `size`, or by less"
    )
    size: float
    confidence: float = 0.95


class Policy(Frozen):
    """How many Rounds, in what order, and how long each may take."""

    purpose: PlanPurpose = Field(
        default="timing", description="coverage: does it run and agree; nothing is timed, several Cases run at once"
    )
    rounds: int = 3
    budget_ns: int = Field(default=20_000_000_000, description="warm-up and sampling of all Rounds of one Case")
    seed: int = 0
    quiet: Literal["warn", "strict", "off"] = Field(default="warn", description="what noise on the machine leads to")
    profile: bool = Field(default=False, description="after the timing a Round per Case that looks at its operators")
    audit: bool = Field(default=False, description="last a Round per Case that checks the backend's honesty")
    roofline: bool = Field(default=False, description="first a micro-benchmark of what the machine reaches")
    silence_limit_ns: int = Field(default=300_000_000_000, description="no word for so long: the Round has failed")
    schedule: ScheduleName = Field(
        default="interleaved", description="which schedule says what comes next; a Run that is gone on with keeps it"
    )
    pairs: tuple[tuple[str, str], ...] = Field(
        default=(), description="case_ids of what until_decided compares: how long the second takes ÷ the first"
    )
    decision: Decision | None = Field(default=None, description="what until_decided measures for")
    origin: Literal["asked", "finding_out", "imported"] = Field(
        default="asked",
        description="finding_out: a verb measured this to answer something; imported: another program measured it",
    )
    priority: tuple[str, ...] = Field(default=(), description="names of Cases' parts that are measured first, in order")
    memory_limit_bytes: int | None = Field(default=None, description="budget of peak memory that the search fills")

    def loop(self) -> LoopPolicy:
        """The slice of one Round; of one that is not timed, as few runs as the loops do."""
        if self.purpose == "coverage":
            return LoopPolicy(
                slice_ns=1, warm_least=0, warm_least_ns=0, least_samples=1, most_samples=1, least_time_ns=0,
                steps_per_sample=1,
            )  # fmt: skip
        return LoopPolicy(slice_ns=self.budget_ns // self.rounds)


class Plan(Frozen):
    """Every point that was asked for, also the impossible ones, and the sampling policy."""

    cases: tuple[PlannedCase, ...]
    policy: Policy


class PlannedRound(Frozen):
    """A Case and the number of the Round to do (1 for its first)."""

    case: Case
    number: int
    purpose: Purpose = "timing"


class Tensor(Frozen):
    """A tensor as raw little-endian bytes in row-major order; `file` is relative to the Artifact's folder."""

    name: str
    dtype: str = Field(
        description="numpy's name: float32, int64, bool …", pattern=r"^(bool|bfloat16|u?int\d{1,2}|float\d{1,2}\w*)$"
    )
    shape: tuple[Annotated[int, Field(ge=0, le=INT64_MOST)], ...]
    file: Inside


class Graph(Frozen):
    """An ONNX graph and the files that hold its external data, relative to the Artifact's folder."""

    file: Inside
    external: tuple[Inside, ...] = ()


class GraphWork(Frozen):
    """What one inference has to do, counted from the graph with its static shapes: the least, whoever computes it."""

    flops: int = Field(description="2 per multiply-add of matrix products and convolutions, 1 per other element")
    weight_bytes: int = Field(description="initialisers as stored, read once; of an embedding the rows looked up")
    activation_bytes: int = Field(description="inputs and outputs of the graph, read or written once")
    unknown: tuple[str, ...] = Field(default=(), description="operator types that were not counted")


class PipelineCall(Frozen):
    """What a pipeline is given as a user gives it, and what it must answer: tokenisation, image processing and what
    follows the graph are then in the check."""

    task: Literal["feature-extraction", "text-classification", "image-classification"] = Field(
        description="transformers' name of the pipeline"
    )
    texts: tuple[str, ...] = ()
    images: tuple[Tensor, ...] = Field(default=(), description="uint8 [height, width, 3], RGB")
    length: int | None = Field(default=None, description="tokens that each text is padded or cut to: shapes are static")
    expected: tuple[Tensor, ...] = Field(
        description="embeddings [batch, width]: mean over the tokens that are no padding, of length 1;"
        " scores [batch, labels]: softmax, in the order of the labels"
    )


class ArtifactFile(Frozen):
    path: Inside
    size_bytes: int
    sha256: str


class Lack(Frozen):
    """Why an Artifact does not have a form of its model: the module is there, but what it was to become is not."""

    stage: Literal["export", "load", "run", "agree"] = Field(
        description="export: no graph; load, run: ONNX Runtime refuses the graph; agree: it gives other numbers"
    )
    code: str
    reason: str


class Artifact(Frozen):
    """`artifact.json`: exported files, frozen inputs and the output they must give."""

    digest: str
    model: Model
    task: str
    batch_size: int
    length: int | None
    exporter: str
    versions: dict[str, str]
    built_by: str | None = Field(description="transformers' class of the module; null: there is no module")
    weights_from: str = Field(description="where the weights came from, in words")
    reference: str = Field(description="pytorch-fp32, test_data, or onnxruntime-cpu-fp32")
    opset: int | None
    inputs: tuple[Tensor, ...]
    expected: tuple[Tensor, ...]
    onnx: dict[str, Graph] = Field(description="precision → graph; one, that of the request; none: see `lacks`")
    lacks: dict[str, Lack] = Field(default_factory=dict, description="form that was wanted (onnx) → why it is not here")
    work: GraphWork | None = Field(default=None, description="null: it could not be counted, and a note says why")
    hf: Inside | None = Field(default=None, description="folder that from_pretrained loads")
    pipeline: PipelineCall | None = Field(default=None, description="null: there is none, and a note says why")
    files: tuple[ArtifactFile, ...]
    notes: tuple[str, ...] = ()


class ArtifactRequest(Frozen):
    """What an exporter is asked for; its digest (with the exporter's versions) names the Artifact."""

    model: Model
    task: Task
    batch_size: int
    length: int | None
    precision: str = Field(default="fp32", description="others are made from the fp32 Artifact of the same request")
    dims: dict[str, int] = Field(default_factory=dict)
    inputs_path: str | None = Field(default=None, description="npz file or folder given with --inputs")
    inputs_sha256: str | None = None
    exporter: str
    seed: int = 0
