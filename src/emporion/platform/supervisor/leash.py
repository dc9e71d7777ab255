"""Runs a program that ends when its supervisor ends, however that one ends.

`python -I -S leash.py SUPERVISOR SIGNAL ROOT NETWORK WORD...`: asks the kernel (Linux) to send
SIGNAL to this process when its parent is gone, and then becomes the program. The standard library
alone, for it runs before every program of the shop: about 15 ms.

ROOT says what to do when this is root: `keep` it, or become a `namesake`, an ordinary user
inside a user namespace of its own whose files are root's outside. PostgreSQL refuses to run as
root; with a namesake nothing has to be given to another user, and no folder opened for one.

NETWORK names a network namespace of this machine (`ip netns`) to enter first, for root alone;
empty: none.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_NETWORKS = "/run/netns"
_INSIDE_ID = 1_000
_NOT_RUN = 127
"""The shell's own code for a program that cannot be run."""
NO_NAMESPACE = (
    "this program refuses to run as root, and this system grants root no user namespace to be "
    "somebody else in; start the shop as an ordinary user"
)


def _become_namesake(libc: ctypes.CDLL) -> bool:
    user, group = os.getuid(), os.getgid()
    if libc.unshare(_CLONE_NEWUSER) != 0:
        return False
    written = {
        "setgroups": "deny",
        "uid_map": f"{_INSIDE_ID} {user} 1",
        "gid_map": f"{_INSIDE_ID} {group} 1",
    }
    for name, text in written.items():
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123 - starts quicker without pathlib
            file.write(text)
    return True


def _enter(network: str, libc: ctypes.CDLL) -> str:
    """Enter a network namespace; why not, or nothing."""
    if not network:
        return ""
    try:
        place = os.open(f"{_NETWORKS}/{network}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        return f"the network namespace {network}: {error.strerror}; see: ip netns list"
    try:
        if libc.setns(place, _CLONE_NEWNET) == 0:
            return ""
    finally:
        os.close(place)
    why = os.strerror(ctypes.get_errno())
    return f"the network namespace {network} cannot be entered: {why}; only root may"


def _somebody(root: str, libc: ctypes.CDLL) -> str:
    """Be who the program may run as; why not, or nothing."""
    if root != "namesake" or os.geteuid() != 0:
        return ""
    try:
        return "" if _become_namesake(libc) else NO_NAMESPACE
    except OSError:
        return NO_NAMESPACE


def main(supervisor: int, ending: int, *, root: str, network: str, words: list[str]) -> int:
    """Become the program, or return the code to exit with."""
    if network and sys.platform != "linux":
        return _refuse("there are network namespaces on Linux only")
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        why = _enter(network, libc) or _somebody(root, libc)
        if why:
            return _refuse(why)
        # After the change of user, which takes the request back.
        libc.prctl(_PR_SET_PDEATHSIG, ending, 0, 0, 0)
        if os.getppid() != supervisor:
            return 0  # it was gone before the request was heard
    try:
        os.execv(words[0], words)  # noqa: S606 - no shell is wanted
    except OSError as error:
        return _refuse(f"{words[0]}: {error.strerror}")


def _refuse(why: str) -> int:
    print(why, file=sys.stderr)  # noqa: T201 - goes to the log of the program
    return _NOT_RUN


if __name__ == "__main__":
    _, parent, number, how, where, *program = sys.argv
    sys.exit(main(int(parent), int(number), root=how, network=where, words=program))
