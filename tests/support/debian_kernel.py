"""Debian's own kernel in a virtual machine (emulated: it needs no rights) on the files of this host, which it sees and does not change. For
what a kernel decides: whether it takes a BPF program, and from whom."""
import os
import pathlib
import re
import shutil
import subprocess

NEEDED = ("qemu-system-x86_64", "busybox", "modprobe", "depmod", "cpio", "apt-get", "dpkg-deb")
# What the tests in there load by what they ask of the kernel; no udev is there to do it.
MODULES = ("bridge veth sch_ingress cls_bpf act_bpf nf_tables nft_chain_nat nft_masq nft_redir nft_ct tun dummy sch_netem 8021q udp_diag "
           "inet_diag tcp_diag unix_diag")

INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /sbin; /bin/busybox --install -s /bin; ln -s /bin/busybox /sbin/modprobe
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for module in $(cat /order); do insmod /early/$module; done
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,ro,cache=loose host /host
mount -t tmpfs -o size=50% tmpfs /own; mkdir /own/new /own/work
mount -t overlay -o lowerdir=/host,upperdir=/own/new,workdir=/own/work overlay /there
rm -rf /there/lib/modules; ln -s {kernel}/lib/modules /there/lib/modules; ln -s /there{kernel}/lib /lib
for kind in proc sysfs:sys devtmpfs:dev; do mount -t ${{kind%:*}} none /there/${{kind#*:}}; done
mkdir -p /there/dev/pts /there/dev/shm
mount -t devpts none /there/dev/pts; mount -t tmpfs none /there/dev/shm; mount -t tmpfs none /there/tmp; mount -t tmpfs none /there/run
ip link set lo up
chroot /there /bin/bash -c 'modprobe -a {modules}; . {script}'
echo "ended with $?"
poweroff -f
"""


def missing():
    """A word about what is not here; none: a kernel can be booted."""
    if os.uname().machine != "x86_64":
        return "an x86_64 host"
    return next((f"{name} (tools/packages.txt, [kernel])" for name in NEEDED if not shutil.which(name)), None)


def run(*argv, **how):
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True, **how).stdout


def unpack(folder):
    """The newest kernel of this Debian, downloaded and not installed: its folder and version."""
    package = re.search(r"Depends: (linux-image-\S+)", run("apt-cache", "depends", "linux-image-amd64"))[1]
    folder = folder / package
    if not (folder / "done").exists():
        folder.mkdir(parents=True, exist_ok=True)
        run("apt-get", "-q", "download", package, cwd=folder)
        (file,) = folder.glob("*.deb")
        run("dpkg-deb", "-x", file, folder)
        file.unlink()
        run("depmod", "-b", folder, package.removeprefix("linux-image-"))
        (folder / "done").touch()
    return folder, package.removeprefix("linux-image-")


def early_modules(kernel, version):
    """Files of what has to be loaded before the host's files are seen, in order."""
    files = []
    for name in ("virtio_pci", "9pnet_virtio", "9p", "overlay"):
        shown = run("modprobe", "-d", kernel, "-S", version, "--show-depends", name)
        files += [file for file in re.findall(r"insmod (\S+)", shown) if file not in files]
    return files


def boot(script, cache, folder, seconds):
    """Runs the lines of `script` as root under that kernel. What was printed; RuntimeError if it did not end well in that time."""
    kernel, version = unpack(cache)
    first = folder / "first"
    for name in ("bin", "proc", "sys", "dev", "host", "own", "there", "early"):
        (first / name).mkdir(parents=True)
    shutil.copy(shutil.which("busybox"), first / "bin/busybox")
    modules = early_modules(kernel, version)
    for file in modules:
        shutil.copy(file, first / "early")
    (first / "order").write_text("\n".join(pathlib.Path(file).name for file in modules))
    (folder / "script").write_text(script)
    # The folder of the test is seen through the host's files; /tmp in there is a new one.
    (first / "init").write_text(INIT.format(kernel=kernel, modules=MODULES, script=kernel / "script"))
    shutil.copy(folder / "script", kernel / "script")
    (first / "init").chmod(0o755)
    names = run("find", ".", cwd=first)
    (folder / "first.cpio").write_bytes(subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=first, input=names.encode(), check=True,
                                                       stdout=subprocess.PIPE).stdout)
    done = subprocess.run(
        ["timeout", str(seconds), "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "2500", "-nographic",
         "-no-reboot", "-net", "none", "-kernel", kernel / f"boot/vmlinuz-{version}", "-initrd", folder / "first.cpio",
         "-append", "console=ttyS0 quiet panic=-1",
         "-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = done.stdout.decode(errors="replace")
    if "ended with 0" not in said:
        raise RuntimeError(f"{version} did not end well within {seconds} s:\n{said[-6000:]}")
    return said
