"""Runs a command that may make given system calls alone; others fail with EPERM.

    run_filtered.py NAMES COMMAND...

As systemd's SystemCallFilter= does it, through libseccomp.
"""

import ctypes
import errno
import os
import sys

ALLOW = 0x7FFF0000
FAIL = 0x00050000 | errno.EPERM


def main() -> None:
    names, *command = sys.argv[1:]
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(FAIL)))
    for name in names.split(","):
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # others are of other processors
            added = library.seccomp_rule_add(context, ctypes.c_uint32(ALLOW), number, 0)
            assert added == 0, name
    assert library.seccomp_load(context) == 0
    os.execv(command[0], command)  # noqa: S606 - there is to be no shell


if __name__ == "__main__":
    main()
