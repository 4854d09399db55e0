#!/usr/bin/python3
"""kgdb_build.py - builds Linux with KGDB from Debian's linux-source package, once, into the cache. Prints the folder.

In the folder: vmlinux, bzImage, vmlinux-gdb.py (the kernel's own commands for gdb), kdb/ (vmlinux and bzImage with KDB), source/ (what
the compiler read), and built, which tells what was built and is written last. Takes minutes; no time at all when it is there.
"""
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import kernel  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
PACKAGE = "linux-source-6.1"
TARBALL = pathlib.Path(f"/usr/src/{PACKAGE}.tar.xz")
FRAGMENT = HERE / "kgdb.config"
EDITION = 1     # counts up when this program makes something else of the same fragment
# Most of the source, and nothing that this kernel is made of.
ARCHS = ("alpha arc arm arm64 csky hexagon ia64 loongarch m68k microblaze mips nios2 openrisc parisc powerpc riscv s390 sh sparc um xtensa").split()
DRIVERS = ("accessibility acpi ata bluetooth clk crypto gpu hid hwmon i2c iio infiniband isdn leds md media mfd misc mmc mtd net nvme phy pinctrl "
           "platform power regulator remoteproc scsi soc spi staging target usb").split()
FILESYSTEMS = "btrfs ceph cifs ext4 f2fs gfs2 jfs ksmbd nfs nfsd ntfs3 ocfs2 reiserfs ubifs xfs".split()
LEFT_OUT = ["Documentation/*.*", "net/*.[ch]", "sound/*.[ch]", "samples/*.[ch]", "tools/testing/*", "tools/perf/*", "tools/power/*", "tools/bpf/*",
            *(f"arch/{name}/*.*" for name in ARCHS), *(f"drivers/{name}/*.[ch]" for name in DRIVERS), *(f"fs/{name}/*.[ch]" for name in FILESYSTEMS)]
MAKE = ["make", "-s", f"-j{os.cpu_count() or 1}", "KBUILD_BUILD_USER=kdgate", "KBUILD_BUILD_HOST=kdgate"]
BINARIES = {"vmlinux": "vmlinux", "arch/x86/boot/bzImage": "bzImage"}


def package_version():
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", PACKAGE], capture_output=True, text=True)
    if done.returncode or not TARBALL.exists():
        raise FileNotFoundError(f"{PACKAGE} is not installed: run scripts/setup")
    return done.stdout.strip()


def folder():
    return kernel.cache() / f"kgdb-{package_version()}"


def recipe():
    """What decides on the outcome: another one is another build."""
    return f"{package_version()} {EDITION} {hashlib.sha256(FRAGMENT.read_bytes()).hexdigest()}\n"


def is_built(where):
    try:
        return (where / "built").read_text() == recipe()
    except FileNotFoundError:
        return False


def unpack(source):
    source.mkdir(parents=True)
    left_out = [f"--exclude={PACKAGE}/{pattern}" for pattern in LEFT_OUT]
    subprocess.run(["tar", "-xf", TARBALL, "-C", source, "--strip-components=1", "--anchored", *left_out], check=True)


def settings(path):
    """name -> value, of a fragment or of a whole configuration."""
    return dict(re.findall(r"^(CONFIG_\w+)=(.*)$", path.read_text(), re.M))


def configure(source, out):
    subprocess.run([*MAKE, "-C", source, f"O={out}", "allnoconfig"], check=True, stdout=subprocess.DEVNULL)
    with open(out / ".config", "a") as config:
        config.write(FRAGMENT.read_text())
    subprocess.run([*MAKE, "-C", source, f"O={out}", "olddefconfig"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    got = settings(out / ".config")
    lost = [name for name, value in settings(FRAGMENT).items() if got.get(name) != value]
    if lost:
        raise RuntimeError(f"{FRAGMENT.name}: did not stick: {' '.join(lost)}")


def compile_into(source, out, where):
    subprocess.run([*MAKE, "-C", source, f"O={out}", "bzImage"], check=True, stdout=subprocess.DEVNULL)
    where.mkdir(exist_ok=True)
    for built, name in BINARIES.items():
        shutil.copyfile(out / built, where / name)


def keep_commands(source, out, where):
    subprocess.run([*MAKE, "-C", source, f"O={out}", "scripts_gdb"], check=True, stdout=subprocess.DEVNULL)
    shutil.copyfile(source / "scripts/gdb/vmlinux-gdb.py", where / "vmlinux-gdb.py")
    shutil.copytree(out / "scripts/gdb/linux", where / "scripts/gdb/linux")


def add_kdb(source, out):
    subprocess.run([source / "scripts/config", "--file", out / ".config", "-e", "KGDB_KDB"], check=True)
    subprocess.run([*MAKE, "-C", source, f"O={out}", "olddefconfig"], check=True, stdout=subprocess.DEVNULL)
    if "CONFIG_KGDB_KDB" not in settings(out / ".config"):
        raise RuntimeError("KGDB_KDB did not stick")


def prune(source, out):
    """Leaves the sources that the compiler read, under the names that vmlinux has them by."""
    names = re.compile(rf"{re.escape(str(source))}/[^\s)\\]+\.[chS]")
    told = {name for command in out.rglob(".*.cmd") for name in names.findall(command.read_text())}
    read = {pathlib.Path(name).resolve() for name in told}
    shutil.rmtree(out)
    for path in sorted(source.rglob("*"), reverse=True):    # what a folder holds comes before it
        if path.is_symlink() or not path.is_dir():
            if path not in read:
                path.unlink()
        elif not any(path.iterdir()):
            path.rmdir()


def compile_all(where):
    shutil.rmtree(where, ignore_errors=True)
    source, out = where / "source", where / "out"
    unpack(source)
    out.mkdir()
    configure(source, out)
    compile_into(source, out, where)
    keep_commands(source, out, where)
    add_kdb(source, out)
    compile_into(source, out, where / "kdb")
    prune(source, out)
    (where / "built").write_text(recipe())


def build():
    """The folder. One process builds, others wait for it; an earlier version's folder goes."""
    where = folder()
    if is_built(where):
        return where
    kernel.cache().mkdir(parents=True, exist_ok=True)
    with open(kernel.cache() / ".kgdb.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_built(where):
            print(f"building {PACKAGE} with KGDB: some minutes", file=sys.stderr, flush=True)
            for old in kernel.cache().glob("kgdb-*"):
                shutil.rmtree(old)
            compile_all(where)
    return where


if __name__ == "__main__":
    try:
        print(build())
    except (OSError, RuntimeError, subprocess.CalledProcessError) as e:
        sys.exit(f"kgdb_build: {e}")
