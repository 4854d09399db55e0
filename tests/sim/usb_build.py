#!/usr/bin/python3
"""usb_build.py - fetches Debian's stock kernel and what of its modules makes a USB host and a USB device, once, into the cache. Prints the folder.

In the folder: vmlinuz, modules/, load-order (the modules' names, each behind what it needs), and built, which tells what was made and is
written last. The kernel for virtual machines that the other tests boot has no USB.
"""
import fcntl
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import kernel  # noqa: E402

METAPACKAGE = "linux-image-amd64"
EDITION = 2     # counts up when this program makes something else of the same package
MODULES = ("dummy_hcd", "usb_f_fs", "usb_f_acm", "cdc-acm", "uhci-hcd", "e1000", "tcp_diag")
# Where they are, and what they need.
FOLDERS = (*(f"drivers/usb/{f}" for f in ("class", "common", "core", "gadget", "host")), "drivers/net/ethernet/intel/e1000", "fs/configfs", "net/ipv4")


def folder():
    return kernel.cache() / "usb"


def is_built(where):
    try:
        return (where / "built").read_text().startswith(f"{EDITION} {' '.join(MODULES)} ")
    except FileNotFoundError:
        return False


def package_name():
    """The versioned package behind the metapackage."""
    for again in (False, True):
        if again:
            subprocess.run([*([] if os.geteuid() == 0 else ["sudo"]), "apt-get", "update", "-qq"], check=True)
        told = subprocess.run(["apt-cache", "depends", METAPACKAGE], capture_output=True, text=True).stdout
        if found := re.search(r"Depends: (linux-image-\d\S+)", told):
            return found[1]
    raise FileNotFoundError(f"apt knows no {METAPACKAGE}: is this Debian on amd64, and is the network there?")


def fetch(name, to):
    """Downloads and unpacks what is needed."""
    subprocess.run(["apt-get", "download", "-qq", name], cwd=to, check=True, stderr=subprocess.DEVNULL)
    package, version = next(to.glob("*.deb")), name.removeprefix("linux-image-")
    wanted = [f"./boot/vmlinuz-{version}", *(f"./lib/modules/{version}/kernel/{f}" for f in FOLDERS)]
    files = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE)
    subprocess.run(["tar", "-x", "-C", to, *wanted], stdin=files.stdout, check=True)
    if files.wait():
        raise RuntimeError(f"{package.name} cannot be unpacked")
    return to / "boot" / f"vmlinuz-{version}"


def needs(path):
    """What the module says of itself, in its section .modinfo."""
    found = re.search(rb"\0depends=([^\0]*)\0", path.read_bytes())
    return found[1].decode().split(",") if found and found[1] else []


def canonical(name):
    return name.replace("-", "_")


def load_order(paths):
    """Files of the modules that are wanted, each behind what it needs."""
    by_name, order = {canonical(p.stem): p for p in paths}, []

    def add(name):
        path = by_name[canonical(name)]
        for other in needs(path):
            add(other)
        if path not in order:
            order.append(path)

    for name in MODULES:
        add(name)
    return order


def make(where):
    name = package_name()
    print(f"fetching the kernel of {name}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=kernel.cache()) as tmp:
        tmp = pathlib.Path(tmp)
        image = fetch(name, tmp)
        shutil.rmtree(where, ignore_errors=True)
        (where / "modules").mkdir(parents=True)
        shutil.copyfile(image, where / "vmlinuz")
        order = load_order(tmp.rglob("*.ko"))
        for path in order:
            subprocess.run(["strip", "--strip-debug", "-o", where / "modules" / path.name, path], check=True)
    (where / "load-order").write_text("".join(f"{path.name}\n" for path in order))
    (where / "built").write_text(f"{EDITION} {' '.join(MODULES)} {name}\n")


def build():
    """The folder. One process fetches, others wait for it."""
    where = folder()
    if is_built(where):
        return where
    kernel.cache().mkdir(parents=True, exist_ok=True)
    with open(kernel.cache() / ".usb.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_built(where):
            make(where)
    return where


if __name__ == "__main__":
    try:
        print(build())
    except (OSError, RuntimeError, KeyError, subprocess.CalledProcessError) as e:
        sys.exit(f"usb_build: {e}")
