"""Runs before each child: gives up root where asked, ties the child's life to the supervisor's, then
becomes the child.

A script of its own (standard library only, started with ``python -IS``) because between fork and exec of a
program
with threads nothing safe can be done. On Linux the kernel ends the child when the supervisor dies; elsewhere
``--watch`` runs as one more process that does it (see ``watch``).
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 47, 2
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
CAPABILITY_V3 = 0x20080522


def main(arguments: list[str]) -> None:
    """``PARENT SIGNAL UID SEARCH -- command…``: never returns on success.

    PARENT: pid that must still be the parent. SIGNAL: what the child gets when the parent dies. UID: user
    and group to become, or -1. SEARCH: 1 if that user needs the right to pass through folders closed to it.
    """
    parent, death, uid, search = (int(a) for a in arguments[:4])
    command = arguments[arguments.index("--") + 1 :]
    linux = sys.platform == "linux"
    libc = ctypes.CDLL(None, use_errno=True) if linux else None
    if uid >= 0:
        if search and libc is not None:
            libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
        if search and libc is not None:
            keep_search(libc)
    if libc is not None:
        # After setuid, which clears it. The parent may have died before: then nobody would tell us.
        libc.prctl(PR_SET_PDEATHSIG, death, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 - that is what this script is for


def keep_search(libc: ctypes.CDLL) -> None:
    """Keep one capability over setuid and exec: to pass through folders such as /root. Quietly none if not
    allowed."""
    for capability in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE):
        bit = 1 << capability
        header = (ctypes.c_uint32 * 2)(CAPABILITY_V3, 0)
        sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)  # effective, permitted, inheritable; high words
        if libc.capset(header, sets) == 0:
            libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0)
            return


def watch(run_file: str) -> None:
    """Wait until standard input closes (the supervisor is gone), then end every process that the run file
    names."""
    sys.stdin.buffer.read()
    try:
        processes = json.loads(Path(run_file).read_text(encoding="utf-8"))["processes"]
    except (OSError, ValueError, KeyError):
        return
    for sent in (signal.SIGTERM, signal.SIGKILL):
        for process in processes:
            if same(process):
                os.kill(process["pid"], sent)
        for _ in range(50):
            if not any(same(p) for p in processes):
                return
            time.sleep(0.1)


def same(process: dict[str, Any]) -> bool:
    """Whether this pid is still the program that was started (a pid may be used again)."""
    if not process.get("pid"):
        return False
    out = subprocess.run(
        ["/bin/ps", "-o", "stat=,command=", "-p", str(process["pid"])],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return bool(out) and not out.startswith("Z") and process["mark"] in out


if __name__ == "__main__":
    watch(sys.argv[2]) if sys.argv[1] == "--watch" else main(sys.argv[1:])
