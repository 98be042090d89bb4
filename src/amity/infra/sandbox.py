"""Locking a process down (Linux): what it may read, what little it may write, no network, an end.

Each lock stands by itself: on a kernel without Landlock, or where no network namespace may be
made, the others hold.
"""

import ctypes
import os
import resource
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_PR_SET_NO_NEW_PRIVS: Final = 38
_CLONE_NEWNET: Final = 0x40000000
# The system calls of Landlock have the same numbers on all architectures (linux/landlock.h).
_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
_RULE_PATH_BENEATH: Final = 1
_READ_FILE: Final = 1 << 2
_READ_FOLDER: Final = 1 << 3
# How many kinds of access to files each version of Landlock knows; from 4 on, also TCP.
_FILE_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_TCP_RIGHTS: Final = 0b11


def limit(*, seconds: float, memory_bytes: int, files: int, file_bytes: int = 0) -> None:
    """Bound processor time, memory, open files, and how large a file it writes (0: none)."""
    processor = max(int(seconds) + 1, 1) * (os.cpu_count() or 1)
    for kind, most in (
        (resource.RLIMIT_CPU, processor),
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, files),
    ):
        _, hard = resource.getrlimit(kind)
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (allowed, allowed))


def lock_files(readable: Sequence[Path], writable: Sequence[Path] = ()) -> bool:
    """Allow this process to read some files and beneath some folders, and nothing else.

    Beneath ``writable`` folders it may do everything.

    Returns whether the kernel holds it to that. What is not there is passed over.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if version < 1 or libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    rights = (1 << _FILE_RIGHTS[min(version, max(_FILE_RIGHTS))]) - 1
    handled = struct.pack("=QQ", rights, _TCP_RIGHTS) if version >= 4 else struct.pack("=Q", rights)
    rules = libc.syscall(_CREATE_RULESET, handled, ctypes.c_size_t(len(handled)), 0)
    if rules < 0:
        return False
    for path in (*readable, *writable):
        if not path.exists():
            continue
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        right = _READ_FILE | (_READ_FOLDER if path.is_dir() else 0)
        if path in writable:
            right = rights
        rule = struct.pack("=Qi", right, place)
        libc.syscall(_ADD_RULE, rules, _RULE_PATH_BENEATH, rule, 0)
        os.close(place)
    held: int = libc.syscall(_RESTRICT_SELF, rules, 0)
    os.close(rules)
    return held == 0


def leave_network() -> bool:
    """Go where there is no network, if this account may; say whether it did."""
    libc = ctypes.CDLL(None, use_errno=True)
    return hasattr(libc, "unshare") and libc.unshare(_CLONE_NEWNET) == 0
