"""What libraries really say, as they said it."""

import pytest

from harness.core.wording import code_by_words, is_refusal

SAID = [
    (
        "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to "
        "allocate 4000000000000000 bytes. Error code 12 (Cannot allocate memory)",
        "out_of_memory",
    ),
    ("Unable to allocate 7.11 PiB for an array with shape (1000000000000000,)", "out_of_memory"),
    ("std::bad_alloc", "out_of_memory"),
    ("bad allocation", "out_of_memory"),
    ("CUDA out of memory. Tried to allocate 20.00 GiB", "out_of_memory"),
    ("libtorch_cpu.so: failed to map segment from shared object: Cannot allocate memory", "out_of_memory"),
    ("OSError: [Errno 28] No space left on device: '/tmp/x'", "disk_full"),
    ("Load model failed: Protobuf parsing failed.", None),
    ("index out of range in self", None),
    ("", None),
]
# As runtimes, native ones and a page's, really say it; the last few broke.
PLAIN = [
    ("Can't create a session. ERROR_CODE: 9, ERROR_MESSAGE: Could not find an implementation for Det(11) node", True),
    ("[ONNXRuntimeError] : 9 : NOT_IMPLEMENTED : Could not find an implementation for Det(11) node with name ''", True),
    (
        "failed to call OrtRun(). ERROR_CODE: 1, ERROR_MESSAGE: Non-zero status code returned while running Gather "
        "node. Name:'node_embedding' Status Message: shader_helper.cc:416 GenerateSourceCode Program Gather requires "
        "f16 but the device does not support it.",
        True,
    ),
    ("NotSupportedError: WebNN is not supported on this platform", True),
    (
        "TypeError: Failed to execute 'dequantizeLinear' on 'MLGraphBuilder': [embeddings.LayerNorm.bias0] The shape of"
        " scale and zero point must be the same.",
        False,
    ),
    ("This is an invalid model. Type Error: Type 'tensor(bfloat16)' of input parameter (b) is invalid.", False),
    ("Load model failed: Protobuf parsing failed.", False),
    ("failed to allocate: a buffer of this size is not supported", False),
    ("'<' not supported between instances of 'NoneType' and 'int'", False),
    ("[Errno 95] Operation not supported: '/mnt/x'", False),
]


@pytest.mark.parametrize(("text", "code"), SAID)
def test_the_code_is_known_by_the_words(text: str, code: str | None) -> None:
    assert code_by_words(text) == code


@pytest.mark.parametrize(("text", "refuses"), PLAIN)
def test_a_plain_no_is_told_from_what_broke(text: str, refuses: bool) -> None:
    assert is_refusal(text) is refuses
