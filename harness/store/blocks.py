"""Is each block of a database file as it was written? DuckDB proves that only of those that a query happens to read.

Found by reading a file (2.0.0; 1.4 is the same): after three headers of 4,096 bytes come blocks of one size; the first
eight bytes of each are the checksum of the rest, which is 5381 and every word × a constant, all combined by exclusive
or. A DuckDB that does it another way is noticed by a fresh file of its own, and then nothing is said.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from harness.store.integrity import REBUILD, Finding

_HEADERS_BYTES = 3 * 4096
_SEED = np.uint64(5381)
_FACTOR = np.uint64(0xBF58476D1CE4E5B9)
_BLOCKS_AT_ONCE = 64
_WORD_BYTES = 8


def block_findings(con: duckdb.DuckDBPyConnection, database: Path) -> list[Finding]:
    """Blocks that are damaged; not wrong where all of them may be free ones, which a killed writer leaves half."""
    row = con.execute("SELECT block_size, free_blocks FROM pragma_database_size()").fetchone()
    if row is None or not _is_known_way(int(row[0])):
        return []
    block_bytes, free = int(row[0]), int(row[1])
    damaged = [number for number, is_whole in enumerate(_are_whole(database, block_bytes)) if not is_whole]
    if not damaged:
        return []
    place = f"at byte {_HEADERS_BYTES + damaged[0] * block_bytes:,}"
    if len(damaged) > free:
        what = "the file is damaged: blocks are not as they were written"
        return [Finding(what, str(database), len(damaged), place, REBUILD)]
    what = "blocks are not as they were written, perhaps only such as are free"
    return [Finding(what, str(database), len(damaged), place, "harness db maintain (writes the file anew)", False)]


def _are_whole(database: Path, block_bytes: int) -> Iterator[bool]:
    words = block_bytes // _WORD_BYTES
    with database.open("rb") as file:
        file.seek(_HEADERS_BYTES)
        while content := file.read(_BLOCKS_AT_ONCE * block_bytes):
            whole = len(content) // block_bytes * block_bytes
            blocks: NDArray[np.uint64] = np.frombuffer(content[:whole], dtype="<u8").reshape(-1, words)
            made = np.bitwise_xor.reduce(blocks[:, 1:] * _FACTOR, axis=1) ^ _SEED
            yield from (blocks[:, 0] == made).tolist()
            if whole < len(content):
                yield False  # the file ends within a block


def _is_known_way(block_bytes: int) -> bool:
    """Whether a file that this DuckDB has just written is whole by our reckoning, and has blocks at all."""
    with tempfile.TemporaryDirectory(prefix="harness-blocks-") as folder:
        fresh = Path(folder) / "fresh.duckdb"
        with duckdb.connect(str(fresh)) as con:
            con.execute("CREATE TABLE numbers AS SELECT range AS number FROM range(1000)")
        found = list(_are_whole(fresh, block_bytes))
    return bool(found) and all(found)
