"""System calls that no mathematics needs, refused for good: most holes of Linux are reached by them.

Docker's default profile refuses these and more. This is for the jails that have none: a session under
bubblewrap could otherwise make a user namespace, in which it holds every capability. Machines other than
x86-64 and 64-bit ARM go without.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP = 22
_MODE_FILTER = 2

_LOAD = 0x20
_JUMP_EQUAL = 0x15
_JUMP_AT_LEAST = 0x35
_JUMP_ANY_BIT = 0x45
_RETURN = 0x06
_KILL = 0x80000000
_ALLOW = 0x7FFF0000
_ERROR = 0x00050000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
"""Offsets into `struct seccomp_data`."""
_CLONE_NEW_NAMESPACE = 0x7E020000
"""All CLONE_NEW* flags of clone(2)."""
_X32 = 0x40000000
"""Calls of the x32 interface have this bit: the same calls by other numbers."""

_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CLONE = {"x86_64": 56, "aarch64": 220}
_CLONE3 = 435
# The same everywhere: io_uring, open_tree, move_mount, fsopen to fspick, pidfd_getfd, mount_setattr.
_REFUSED = (425, 426, 427, 428, 429, 430, 431, 432, 433, 438, 442)
_REFUSED_ON = {
    # ptrace, personality, pivot_root, chroot, acct, mount, umount2, swapon, swapoff, reboot, init_module,
    # delete_module, quotactl, add_key, request_key, keyctl, unshare, move_pages, perf_event_open,
    # open_by_handle_at, setns, process_vm_readv, process_vm_writev, kcmp, finit_module, kexec_file_load,
    # bpf, userfaultfd, kexec_load; sched_setaffinity, since a session may use some processors alone.
    "x86_64": (
        *(101, 135, 155, 161, 163, 165, 166, 167, 168, 169, 175, 176, 179, 248, 249, 250, 272, 279, 298),
        *(304, 308, 310, 311, 312, 313, 320, 321, 323, 246, 203),
    ),
    "aarch64": (
        *(117, 92, 41, 51, 89, 40, 39, 224, 225, 142, 105, 106, 60, 217, 218, 219, 97, 239, 241),
        *(265, 268, 270, 271, 272, 273, 294, 280, 282, 104, 122),
    ),
}


def refuse() -> None:
    """Install the filter for this process and all that it starts. There is no way back.

    Raises:
        OSError: the kernel of the operating system does not take it.
    """
    machine = os.uname().machine
    if machine not in _AUDIT:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    program = _program(machine)
    code = ctypes.create_string_buffer(program)
    # struct sock_fprog: the number of instructions, and where they are.
    pointer = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(code)))
    for arguments in (
        (_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (_PR_SET_SECCOMP, _MODE_FILTER, ctypes.addressof(pointer), 0, 0),
    ):
        if libc.prctl(*map(ctypes.c_ulong, arguments)) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))


def _program(machine: str) -> bytes:
    """Classic BPF: each refused number is compared with, and a hit returns its error at once."""
    lines = [
        *_unless_equal(_ARCHITECTURE, _AUDIT[machine], _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":
        lines += [(_JUMP_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _ERROR | errno.EPERM)]
    for number in (*_REFUSED, *_REFUSED_ON[machine]):
        lines += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERROR | errno.EPERM)]
    lines += [
        # Its flags lie in memory, where a filter cannot see them; the C library then tries clone().
        (_JUMP_EQUAL, 0, 1, _CLONE3),
        (_RETURN, 0, 0, _ERROR | errno.ENOSYS),
        (_JUMP_EQUAL, 0, 3, _CLONE[machine]),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_JUMP_ANY_BIT, 0, 1, _CLONE_NEW_NAMESPACE),
        (_RETURN, 0, 0, _ERROR | errno.EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("HBBI", *line) for line in lines)


def _unless_equal(offset: int, value: int, result: int) -> list[tuple[int, int, int, int]]:
    return [(_LOAD, 0, 0, offset), (_JUMP_EQUAL, 1, 0, value), (_RETURN, 0, 0, result)]
