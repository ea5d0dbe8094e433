"""Copy the interpreter, the exporter and the libraries that they load into the root of an image: nothing else.

Runs in the image's builder, with the interpreter that the image gets.
"""

import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

EXPORTER: Final = Path("/opt/braket-exporter")

UNUSED: Final = re.compile(
    r"/(test|tests|idlelib|lib2to3|tkinter|turtledemo|turtle\.py|ensurepip|venv|pydoc_data|curses|dbm|config-[^/]*"
    r"|site-packages|dist-packages|(_curses|_curses_panel|_dbm|_gdbm|_tkinter|_test\w*|_xxtest\w*|xx\w+|readline|nis)\.[^/]*\.so)(/|$)"
)
"""Parts of the standard library that need a terminal, a screen or a compiler, or install packages."""

FILES: Final = (
    "/etc/ld.so.cache",
    "/etc/nsswitch.conf",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/openssl.cnf",
    "/usr/lib/ssl/openssl.cnf",
)
"""Further files, where they exist."""

LOADED_LATER: Final = "libgcc_s.so.1"
"""The library that the C library loads to end a thread."""

ACCOUNTS: Final = {
    "/etc/passwd": "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n",
    "/etc/group": "root:x:0:\nnonroot:x:65532:\n",
}


def library() -> list[Path]:
    """List the files of the standard library."""
    folders = {Path(sysconfig.get_path(name, vars={"base": sys.base_prefix})) for name in ("stdlib", "platstdlib")}
    return sorted(
        path for folder in folders for path in folder.rglob("*") if not UNUSED.search(str(path)) and not path.is_dir()
    )


def output(*command: str | Path, check: bool = True) -> str:
    """Run a program of the builder."""
    return subprocess.run(command, check=check, capture_output=True, text=True).stdout  # noqa: S603 -- no input of others


def needed_libraries(binaries: Iterable[Path]) -> set[Path]:
    """List the shared libraries of programs and extensions, as the loader finds them."""
    listed = output("/usr/bin/ldd", *binaries)
    return {Path(path) for path in re.findall(r"(?:=> |^\t)(/\S+) \(0x", listed, re.MULTILINE)}


def loaded_later() -> Iterator[Path]:
    """List the libraries that no binary names."""
    listed = output("/sbin/ldconfig", "-p")
    yield from (Path(path) for path in re.findall(rf"{re.escape(LOADED_LATER)} .*=> (\S+)", listed))


def copy(path: Path, root: Path) -> None:
    """Copy a file and, if it is a symbolic link, its target."""
    real = path.parent.resolve() / path.name
    target = root / real.relative_to("/")
    if target.is_symlink() or target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(real, target, follow_symlinks=False)
    if real.is_symlink():
        copy(real.parent / real.readlink(), root)


def link_merged_folders(root: Path) -> None:
    """Repeat the links of / to /usr: the loader's path is in every binary."""
    for folder in ("lib", "lib64"):
        if (Path("/") / folder).is_symlink():
            (root / folder).symlink_to((Path("/") / folder).readlink())


def record_packages(files: Iterable[Path], root: Path) -> None:
    """Record the Debian packages of the files where scanners of vulnerabilities look for them."""
    names = {name for file in files for name in (str(file), str(file).removeprefix("/usr"))}  # /lib may be a link
    owners = output("/usr/bin/dpkg-query", "--search", *names, check=False).splitlines()
    folder = root / "var" / "lib" / "dpkg" / "status.d"
    folder.mkdir(parents=True)
    for package in sorted({line.partition(": ")[0].partition(",")[0] for line in owners}):
        text = output("/usr/bin/dpkg-query", "--status", package)
        (folder / package.partition(":")[0]).write_text(text, encoding="utf-8")


def main(root: Path) -> None:
    """Make the root."""
    python = Path(sys.base_prefix) / "bin" / "python3"
    files = [python, *library(), *(Path(file) for file in FILES if Path(file).exists())]
    binaries = [
        path for path in [python.resolve(), *files, *EXPORTER.rglob("*")] if re.search(r"\.so(\.\d+)*$", path.name)
    ]
    files += [*needed_libraries([python.resolve(), *binaries]), *loaded_later()]
    for file in files:
        copy(file, root)
    shutil.copytree(EXPORTER, root / EXPORTER.relative_to("/"), symlinks=True)
    link_merged_folders(root)
    record_packages({file.resolve() for file in files}, root)
    for name, text in ACCOUNTS.items():
        (root / name.lstrip("/")).write_text(text, encoding="utf-8")
    (root / "tmp").mkdir(mode=0o1777)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
