"""What libraries really say, as they said it."""

import pytest

from harness.core.wording import code_by_words

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


@pytest.mark.parametrize(("text", "code"), SAID)
def test_the_code_is_known_by_the_words(text: str, code: str | None) -> None:
    assert code_by_words(text) == code
