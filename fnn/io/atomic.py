"""Files that are written whole or not at all, whatever happens meanwhile.

The bytes go to a new file in the same folder, which is forced to the disk and then renamed to its name in one step; then the
folder is forced to the disk. Until the rename, the file that was there before stands untouched. A writer that is killed leaves
its new file behind; the next one that writes to the folder removes it, knowing by its lock that nobody is writing it still.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_SUFFIX = ".fnn-unfinished"


def write_atomically(name: str, path: Path, pieces: Iterable[memoryview | bytes]) -> None:
    """Write the pieces to a file at this path, replacing what is there.

    OSError, of the kind and number that the system gives, where that fails; what was there before is then unchanged.
    """
    target = Path(os.path.realpath(path))  # a link stays one
    try:
        temporary, fd = _new_file(target)
        try:
            with suppress(FileNotFoundError):  # who may read it stays as it was
                os.chmod(temporary, stat.S_IMODE(os.stat(target).st_mode))
            for piece in pieces:
                _write_all(fd, piece)
            _force(fd)
            if sys.platform == "win32":  # which renames no open file
                os.close(fd)
                fd = -1
            os.replace(temporary, target)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        finally:
            if fd >= 0:
                os.close(fd)
    except OSError as error:
        hint = "; is the folder there?" if isinstance(error, FileNotFoundError) else ""
        message = f"{name}: {error.strerror}{hint} (nothing was written, and what was there before is unchanged)"
        raise OSError(error.errno, message, str(path)) from error  # Python makes it of the same class
    force_folder(target.parent)
    with suppress(OSError):  # it concerns nobody here
        remove_unfinished(target.parent)


def _new_file(target: Path) -> tuple[str, int]:
    """A new file beside the target, and its descriptor, locked."""
    while True:
        # 50 characters take at most 200 of the 255 bytes that a name may have
        temporary = str(target.parent / f".{target.name[:50]}.{secrets.token_hex(8)}{_SUFFIX}")
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        if _lock(fd, wait=True) and _is_at(fd, temporary):
            return temporary, fd
        os.close(fd)  # another writer took it for a dead one's, before it was locked, and removed it


def remove_unfinished(folder: Path) -> None:
    """Remove what killed writers left in a folder."""
    with os.scandir(folder) as found:
        names = [entry.path for entry in found if entry.name.startswith(".") and entry.name.endswith(_SUFFIX)]
    for name in names:
        with suppress(OSError):  # somebody else removed it, or may and we may not
            fd = os.open(name, os.O_WRONLY)
            try:
                if _lock(fd, wait=False) and _is_at(fd, name):
                    os.unlink(name)
            finally:
                os.close(fd)
            if sys.platform == "win32":
                os.unlink(name)  # which fails while a writer has it open


def _is_at(fd: int, path: str) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(fd), os.stat(path))
    return False


def _lock(fd: int, *, wait: bool) -> bool:
    """Lock a file until it is closed; the system does that for a process that is killed. False where another has it."""
    if sys.platform == "win32":
        return wait
    import fcntl  # noqa: PLC0415 (there is none on Windows)

    try:
        fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:  # or the file system has no locks: then write all the same, and remove nothing
        return wait
    return True


def _write_all(fd: int, piece: memoryview | bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[os.write(fd, view) :]


def _force(fd: int) -> None:
    """Have a file's bytes on the disk, not only in the system's memory."""
    if sys.platform == "darwin":
        import fcntl  # noqa: PLC0415 (as above)

        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        os.fsync(fd)


def force_folder(folder: Path) -> None:
    """Have a folder's names on the disk."""
    if sys.platform == "win32":
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # of file systems that cannot
            raise
    finally:
        os.close(fd)
