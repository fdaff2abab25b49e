"""The embedded Chromium: unpacked once into the user's cache, from the page's npm packages or a version asked for.

The package `@sparticuz/chromium` is made for cloud functions; only its compressed binaries are used, and started by
Playwright. It brings the libraries that a bare machine lacks (NSS), and SwiftShader.
"""

import os
import platform
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

from harness.catalog import npm_version
from harness.core.errors import Unsupported
from harness.execute.published import cache_folder, find_package, note_use, put_in_place, trim
from harness.processes.children import removed_with_us

# The package's own file names folders of a cloud function; a bare machine has no fonts but these.
_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{home}/fonts</dir><dir>/usr/share/fonts</dir><cachedir>{home}/fontcache</cachedir></fontconfig>
"""
_ARCHIVES = {"swiftshader": "", "al2023": "al2023", "fonts": "fonts"}


def find_embedded(package: str, version: str | None = None) -> tuple[Path, dict[str, str]]:
    """The executable and the environment it needs; `version` None is the pinned one.

    Raises Unsupported where the package is not there or not for us.
    """
    source, version = embedded_package(package, version)
    home = cache_folder("browsers") / f"chromium-{version}-1"
    if not home.is_dir():
        _unpack(source / "bin", home)
        trim(home.parent, keep=home)
    note_use(home)
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": os.pathsep.join(
            filter(None, [str(home / "al2023" / "lib"), os.environ.get("LD_LIBRARY_PATH")])
        ),
        "FONTCONFIG_FILE": str(home / "fonts.conf"),
    }
    return home / "chromium", environment


def embedded_package(package: str, version: str | None = None) -> tuple[Path, str]:
    """The npm package's folder and version, without unpacking it; raises Unsupported as `find_embedded`."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise Unsupported(f"{package} is built for Linux on x86-64 only")
    version = version or npm_version(package)
    if version is None:
        raise Unsupported(f"the npm package {package} is not installed")
    return find_package(package, version), version


def _unpack(source: Path, home: Path) -> None:
    """Unpack aside, then rename, so that a folder that is there is whole."""
    import brotli

    home.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{home.name}-", dir=home.parent))
    with removed_with_us(aside):
        executable = aside / "chromium"
        executable.write_bytes(brotli.decompress((source / "chromium.br").read_bytes()))
        executable.chmod(0o755)
        for name, folder in _ARCHIVES.items():
            content = brotli.decompress((source / f"{name}.tar.br").read_bytes())
            with tarfile.open(fileobj=BytesIO(content)) as archive:
                # The safe filter came with 3.11.4; Debian 12 has 3.11.2, and npm has checked the archive's hash.
                archive.extraction_filter = getattr(tarfile, "data_filter", lambda member, path: member)
                archive.extractall(aside / folder)
        (aside / "fonts.conf").write_text(_FONTS.format(home=home), encoding="utf-8")
        put_in_place(aside, home)
