"""Why a point of a coverage has a hole: the cause's class, by its words, and whose it is to mend; pure.

The rules are read from above, the first that fits decides. Words that no rule knows are `unclassified`: no guess.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from harness.core.wording import code_by_words

if TYPE_CHECKING:
    from harness.analyse.coverage import Coverage

UNCLASSIFIED, NOT_HERE = "unclassified", "not_here"
# Whose a cause is where the rule does not say: of the software that was at work in that stage.
_OWNER_OF_STAGE = {
    "build": "model", "forward": "model", "export": "exporter", "start": "browser", "load": "runtime",
    "run": "runtime", "agree": "runtime",
}  # fmt: skip
# Tiny sizes and the inputs are ours, so what does not fit together before exporting is ours.
_OURS_BEFORE_EXPORT = {"build": "ours", "forward": "ours"}


@dataclass(frozen=True)
class Why:
    """`subject` is what the reason names (a package, an operator); `signature` is the same text for equal causes.

    `owner`: ours, model (or transformers' own code), package, exporter, runtime, browser; `nobody` for what is not
    here, `unknown` for what is not classified.
    """

    kind: str
    owner: str
    subject: str | None
    signature: str


@dataclass(frozen=True)
class Rule:
    """Fits where the code is one of `codes`, or the reason has `words` (its group `subject` names something), and the
    stage is one of `stages` (empty: any)."""

    kind: str
    owner: str | None = None
    words: str | None = None
    codes: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    owner_of_stage: dict[str, str] = field(default_factory=dict, hash=False)


_BEFORE = ("build", "forward")
_OPERATOR = "unsupported_operator"
RULES = (
    Rule(NOT_HERE, "nobody", codes=("device_absent",)),
    Rule(NOT_HERE, "nobody", r"\bthere is no [\w .@:-]+ here\b|navigator\.(gpu|ml) is not there", stages=("plan",)),
    Rule(NOT_HERE, "nobody", r"^(?P<subject>playwright|selenium|openvino|onnxruntime) is not installed",
         stages=("plan",)),
    Rule(NOT_HERE, "nobody", r"^navigator\.(gpu|ml) is not there", stages=("start", "load")),
    Rule("lost_device", "browser", codes=("webgpu_lost", "webnn_lost")),
    Rule("lost_device", "runtime", codes=("device_gone",)),
    Rule("lost_device", "browser", r"context is lost|device (was|is) lost|\bdevice lost\b|DEVICE_LOST"),
    Rule("out_of_memory", codes=("out_of_memory", "export_memory", "build_memory", "forward_memory")),
    Rule("no_room", "nobody", codes=("disk_full",)),
    Rule("timeout", codes=("timeout", "silence", "export_timeout", "build_timeout", "forward_timeout")),
    Rule("crash", codes=("crashed", "killed", "export_crashed")),
    Rule("crash", "browser", codes=("browser_ended",)),
    Rule("crash", words=r"segmentation fault|SIGSEGV|SIGABRT|memory access out of bounds|RuntimeError: unreachable"),
    Rule("missing_package", "package", r"requires the (?P<subject>[\w.-]+) library"),
    Rule("missing_package", "package", r"No module named '(?P<subject>[\w.-]+)'"),
    Rule("custom_kernel", "model", r"op='(?P<subject>(?!aten|prims?\b)\w+\.\w+)'"),
    Rule("custom_kernel", "model", r"\b(?P<subject>mamba_ssm|flash_attn|causal_conv1d|triton)\b.*(kernel|CUDA)"),
    Rule(_OPERATOR, "exporter", r"No ONNX function found for <OpOverload\(op='(?P<subject>[\w.]+)'"),
    Rule(_OPERATOR, "exporter", r"Exporting the operator '(?P<subject>[\w:.]+)' to ONNX"),
    Rule(_OPERATOR, "runtime", r"Could not find an implementation for (?P<subject>\w+)\("),
    Rule(_OPERATOR, "runtime", r"(?P<subject>[\w.]+(:\w+)?)\(-?\d+\) is not a registered function/op"),
    Rule(_OPERATOR, "runtime", r"No Op registered for (?P<subject>\w+)"),
    Rule(_OPERATOR, "runtime", r"cannot resolve operator '(?P<subject>\w+)'"),
    Rule(_OPERATOR, "runtime", r"does not support the following ONNX operations: (?P<subject>[\w.]+)"),
    Rule(_OPERATOR, "runtime", r"attribute of (?P<subject>\w+) operator is NOT implemented"),
    Rule(_OPERATOR, "runtime", r"Provider type for (?P<subject>\w+) node .* is not set"),
    Rule(_OPERATOR, "browser", r"'MLGraphBuilder': (?P<subject>\w+) only supports"),
    Rule(_OPERATOR, "runtime", r"\"(?P<subject>\w+)\" not implemented for '\w+'"),
    Rule("dynamic_control_flow", "model",
         r"data-dependent|GuardOnDataDependent|DynamicOutputShape|unbacked symint|"
         r"Could not extract specialized integer|\.numpy\(\) is not supported|unhashable type: non-nested SymInt",
         stages=("export",)),
    Rule("wrong_output", "exporter", codes=("export_disagrees", "outputs_differ")),
    Rule("wrong_output", "runtime", codes=("wrong_output",)),
    Rule("degenerate_output", "ours", codes=("degenerate_output", "no_outputs")),
    Rule("random_output", "model", codes=("random_output",)),
    Rule("no_rule", "ours", codes=("no_input_rule", "forward_no_rule")),
    Rule("no_rule", "ours", codes=("missing_weights",), stages=("build",)),
    # A name in transformers' tables with no such class, or a class that none of its Auto classes makes.
    Rule("no_class", "model", r"Could not find (?P<subject>\w+) neither in|Unrecognized configuration class",
         stages=_BEFORE),
    Rule("missing_file", "model", r"does not appear to have a file named (?P<subject>[\w.-]+\w)"),
    Rule("no_rule", "ours", r"missing \d+ required (positional|keyword-only) argument", stages=_BEFORE),
    Rule("no_rule", "ours", r"no auto class|has to be not-None|must be provided if|config needs to be specified",
         stages=("plan", *_BEFORE)),
    Rule("no_rule", "ours", r"not a multiple of the number of attention heads|must be divisible by num_|"
         r"Class validation error for validator", stages=_BEFORE),
    Rule("invalid_graph", "exporter", r"This is an invalid model|Invalid model\. Node input", stages=("load",)),
    Rule("too_large", "browser", r"Buffer size is over inline limit"),
    Rule("operator_failed", "browser", r"Failed to execute '(?P<subject>(?!build')\w+)' on 'MLGraphBuilder'"),
    Rule("operator_failed", "runtime", r"while running (?P<subject>\w+) node"),
    Rule("operator_failed", "runtime", r"failed to call OrtRun", stages=("run",)),
    Rule("too_large", codes=("too_large", "build_too_large", "export_too_large")),
    Rule("too_large", "browser", r"maxBufferSize|maxStorageBufferBindingSize"),
    Rule("too_large", words=r"^too large\b|: too large \d|exceed\w* (the )?maximum protobuf size|larger than 2 ?GB"),
    Rule("shape_mismatch", owner_of_stage=_OURS_BEFORE_EXPORT,
         words=r"mat1 and mat2 shapes|The size of tensor a|expanded size of the tensor|Given groups=\d|"
         r"Given normalized_shape|is invalid for input of size|split_with_sizes expects|must have the same rank|"
         r"ShapeInferenceError|Got invalid dimensions for input|should be of size|should be broadcastable to"),
)  # fmt: skip
_COMPILED = tuple((rule, re.compile(rule.words, re.IGNORECASE) if rule.words else None) for rule in RULES)

_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
_BEGINNING = re.compile(r"^(export: )+")
# What Python calls its own types tells causes apart, so those names stay.
_NAMED = re.compile(
    r"'(?!(?:NoneType|int|float|str|bool|list|tuple|dict|Tensor)')[^']{0,200}'|\"[^\"]{0,200}\"|`[^`]{0,200}`"
)
_OF_A_MODULE = re.compile(r"\b[A-Z]\w*(Model|Config|For[A-Z]\w*|Attention|Backbone|Wrapper\w*)\b(\.\w+)?")
_NUMBERS = re.compile(r"\b0x[0-9a-f]+\b|\d+(\.\d+)?([eE][+-]?\d+)?")
_LISTS = re.compile(r"N(\s*[,x×]\s*N)+")
_MOST = 4000


@lru_cache(maxsize=8192)
def why(stage: str | None, code: str | None, reason: str | None) -> Why | None:
    """The cause of a point that stopped at `stage`; None where nothing stopped it."""
    if stage is None:
        return None
    text = _BEGINNING.sub("", _ESCAPES.sub("", reason or "")[:_MOST].strip())
    for rule, words in _COMPILED:
        if rule.stages and stage not in rule.stages:
            continue
        found = words.search(text) if words else None
        if found is None and (code is None or code not in rule.codes):
            continue
        subject = found.groupdict().get("subject") if found else None
        owner = rule.owner_of_stage.get(stage) or rule.owner or _OWNER_OF_STAGE.get(stage, "unknown")
        return Why(rule.kind, owner, subject, signature(text or code or ""))
    if code_by_words(text) == "out_of_memory":
        return Why("out_of_memory", _OWNER_OF_STAGE.get(stage, "unknown"), None, signature(text))
    return Why(UNCLASSIFIED, "unknown", None, signature(text or code or "no reason was given"))


def signature(reason: str) -> str:
    """The reason without what differs between two models with one cause: numbers, quoted names, modules' classes."""
    text = _NAMED.sub("'…'", " ".join(reason.split())[:_MOST])
    text = _LISTS.sub("N…", _NUMBERS.sub("N", _OF_A_MODULE.sub("…", text)))
    return text[:240]


@dataclass(frozen=True)
class Cause:
    """Equal causes of several holes. `architectures`: names, each once, in order; `reason`: the first, in full."""

    why: Why
    stage: str
    architectures: tuple[str, ...]
    columns: tuple[str, ...]
    reason: str

    @property
    def text(self) -> str:
        """What is said of it in a line: what it names, else its signature."""
        return self.why.subject or self.why.signature


def ranked(coverage: "Coverage") -> list[Cause]:
    """The causes of all holes, those first that stop most architectures, and of these those on most columns.

    Equal is what names the same package or operator, else what has the same signature. What is not here is no hole.
    """
    found: dict[tuple[str, ...], list[tuple[str, str, str, Why, str]]] = {}
    for cell in coverage.cells:
        cause = cell.why
        if cause is None or cause.kind == NOT_HERE:
            continue
        stage = cell.stage or "not known"  # of a result that another Run measured
        key = (cause.kind, cause.owner, stage, cause.subject or cause.signature)
        reason = cell.reason or cell.code or "no reason was given"
        found.setdefault(key, []).append((cell.architecture, cell.column, stage, cause, reason))
    causes = [
        Cause(one[0][3], one[0][2], _once(each[0] for each in one), _once(each[1] for each in one), one[0][4])
        for one in found.values()
    ]
    return sorted(causes, key=lambda each: (-len(each.architectures), -len(each.columns), each.why.kind, each.text))


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
