#!/usr/bin/env python3
"""New programs under running calls: natkit renew, and the Debian package: clean for lintian, installed, upgraded from old to new while
natkit runs and people talk, the edited configuration kept, removed without a rest."""
# ctest: serial timeout 1200
import os
import pathlib
import re
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import crowd
import lab
import site_of_phones

CALLS = 10


def pids(site):
    return {name: site.pid(name) for name in ("natkit", *site_of_phones.WORKERS)}


def renew(net):
    site = site_of_phones.Site(net)
    programs = net.folder / "programs"
    programs.mkdir()

    def install():
        for name in ("natkit", *site_of_phones.WORKERS):
            shutil.copy2(lab.PROGRAMS / name, programs / (name + ".new"))
            (programs / (name + ".new")).rename(programs / name)
    install()
    site.write_config()
    site.natkit = site.edge.start("natkit", programs / "natkit", "run", "--config", site.config)
    site.wait_up()
    with crowd.Crowd() as people:
        people.make_calls(site, CALLS)
        old, legs = pids(site), {leg["leg"] for leg in site.legs()}
        install()
        done = site.edge.run(programs / "natkit", "renew", "--config", site.config)
        lab.require(done.returncode == 0, f"renew: {done}")
        new = pids(site)
        lab.require(new["natkit"] == old["natkit"], "natkit has another process number: systemd would not know it")
        lab.require(all(new[name] != old[name] for name in site_of_phones.WORKERS), f"{old} → {new}")
        for name, pid in new.items():
            target = os.readlink(f"/proc/{pid}/exe")
            lab.require("deleted" not in target, f"{name} runs the old program: {target}")
        people.check_calls("after renew")
        lab.require({leg["leg"] for leg in site.legs()} == legs, "other legs than before")
        lab.require(all(c["restarts"] == 0 for c in site.status()["components"]), f"{site.status()}")
        zombies = subprocess.run(["ps", "-o", "pid=", "--ppid", str(site.natkit.pid), "-o", "state="], capture_output=True, text=True)
        lab.require("Z" not in zombies.stdout, f"zombies: {zombies.stdout}")
        print(f"        longest silence {people.longest_silence():.1f} s")
        # A program that cannot be run: all stays as it is, and that is said.
        (programs / "natkit").unlink()
        done = site.edge.run(lab.PROGRAMS / "natkit", "renew", "--config", site.config)
        lab.require(done.returncode == 1 and "no such file" in done.stderr, f"renew without a program: {done}")
        lab.require(pids(site) == new, "somebody was replaced all the same")
        people.hang_up()
        site.wait_nothing_left()
    lab.require(site.natkit.stop() == 0, "natkit did not end well")
    lab.require(not site_of_phones.natkit_processes(), f"left: {site_of_phones.natkit_processes()}")


# --- the package

def make_package(net):
    """What CPack makes of this build."""
    folder = net.folder / "package"
    folder.mkdir()
    done = subprocess.run(["cpack", "-G", "DEB", "--config", lab.BUILD / "CPackConfig.cmake", "-B", folder], capture_output=True, text=True)
    lab.require(done.returncode == 0, f"cpack: {done.stdout}{done.stderr}")
    return next(folder.glob("*.deb"))


def older(package):
    """The same under an older version number."""
    tree, made = package.parent / "older", package.parent / "older.deb"
    lab.sh("dpkg-deb", "-R", package, tree)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"(?m)^Version: .*$", "Version: 0.0.9-1", control.read_text()))
    (tree / "usr/share/doc/natkit/README.md").write_text("an older one\n")
    lab.sh("dpkg-deb", "-Znone", "-b", tree, made)
    return made


class System:
    """This machine's files, with a layer of its own above them that goes with the test; programs run in it by chroot."""

    def __init__(self):
        layer = pathlib.Path("/mnt")  # in this mount namespace; never in the test's folder, which is removed with all below it
        lab.sh("mount", "-t", "tmpfs", "tmpfs", layer)
        for name in ("upper", "work", "root"):
            (layer / name).mkdir()
        self.root = layer / "root"
        options = f"lowerdir=/,upperdir={layer}/upper,workdir={layer}/work"
        done = subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, str(self.root)], capture_output=True, text=True)
        if done.returncode != 0:
            print(f"        no overlay file system here: {done.stderr.strip()}")
            sys.exit(77)
        for name in ("proc", "dev", "sys", "run"):
            lab.sh("mount", "--rbind", f"/{name}", self.root / name)

    def enter(self, host):
        return [*host.enter, "chroot", str(self.root)]

    def run(self, host, *argv, seconds=400):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
        environment.pop("NATKIT_CONFIG", None)
        return subprocess.run([*self.enter(host), *map(str, argv)], capture_output=True, text=True, timeout=seconds, env=environment,
                              cwd="/")

    def must(self, host, *argv):
        done = self.run(host, *argv)
        lab.require(done.returncode == 0, f"{' '.join(map(str, argv))}: {done.stdout}{done.stderr}")
        return done.stdout


def the_package(net):
    new = make_package(net)
    old = older(new)
    done = subprocess.run(["lintian", "--allow-root", "--tag-display-limit", "0", "--fail-on", "error,warning", new], capture_output=True, text=True)
    lab.require(done.returncode == 0 and not re.search(r"^[EW]:", done.stdout, re.M), f"lintian: {done.stdout}{done.stderr}")
    site = site_of_phones.Site(net)
    system = System()
    for name in ("RUNTIME_DIRECTORY", "STATE_DIRECTORY"):  # by default means the system's own
        os.environ.pop(name, None)
    # Somebody tried natkit as root before, which kept a version of the settings.
    state = system.root / "var/lib/natkit"
    shutil.rmtree(state, ignore_errors=True)
    (state / "settings").mkdir(parents=True, mode=0o700)
    (state / "settings/000001.json").write_text("{}\n")
    for package in (old, new):
        shutil.copy(package, system.root / "tmp" / package.name)

    def install(package):
        done = system.run(site.edge, "dpkg", "-i", f"/tmp/{package.name}")
        lab.require(done.returncode == 0, f"dpkg -i {package.name}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr
    said = install(old)
    lab.require(all(hint in said for hint in ("/etc/natkit/natkit.toml", "natkit check", "systemctl enable --now natkit")), said)
    lab.require(not site_of_phones.natkit_processes(), "installing started something")
    system.must(site.edge, "getent", "passwd", "natkit")
    # The operator's own configuration, in the place of the one that came.
    config = system.root / "etc/natkit/natkit.toml"
    site.config, site.runtime = config, pathlib.Path("/run/natkit/here")  # not where it is by default
    site.write_config(registrar={"open": "true", "state": '"sqlite:/var/lib/natkit/state.db"'},
                      control={"socket": '"/run/natkit/here/natkit.sock"', "metrics": '""'}, daemon={"user": '"natkit"'})
    system.must(site.edge, "natkit", "check")
    site.edge.enter = system.enter(site.edge)
    site.natkit = site.edge.start("natkit", "/usr/bin/natkit", "run")
    site.edge.enter = site.edge.enter[:-2]
    site.wait_up()
    shown = site.ask("natkit", "settings")
    lab.require(shown["writable"], f"the settings cannot be changed: {shown.get('why_not')}")
    with crowd.Crowd() as people:
        people.make_calls(site, CALLS)
        before = pids(site)
        edited = config.read_text()
        said = install(new)
        lab.require("the new programs take over" in said and "still the old ones" not in said and "What is next" not in said, said)
        lab.require(config.read_text() == edited, "the upgrade changed the configuration")
        after = pids(site)
        lab.require(after["natkit"] == before["natkit"] and all(after[n] != before[n] for n in site_of_phones.WORKERS),
                    f"{before} → {after}")
        for name, pid in after.items():
            lab.require("deleted" not in os.readlink(f"/proc/{pid}/exe"), f"{name} runs the old program")
            lab.require(pathlib.Path(f"/proc/{pid}").stat().st_uid != 0, f"{name} runs as root")
        people.check_calls("after the upgrade")
        print(f"        an upgrade under {CALLS} calls: longest silence {people.longest_silence():.1f} s")
        # A configuration that has become unusable: said, and nothing changes.
        config.write_text(edited.replace("[media_proxy]", "[media_proxy]\nworkers = 0"))
        said = install(new)
        lab.require("[media_proxy] workers: out of range" in said and "still the old ones" in said, said)
        lab.require(pids(site) == after, "somebody was replaced all the same")
        config.write_text(edited)
        people.hang_up()
    for page in ("natkit.1", "natkit.toml.5", "natkit-records.7", "mediarelay.1"):
        lab.require((system.root / f"usr/share/man/man{page[-1]}/{page}.gz").exists(), f"no {page}")
    system.must(site.edge, "dpkg", "--verify", "natkit")
    system.must(site.edge, "dpkg", "-r", "natkit")
    lab.require(site.natkit.wait_exit() == 0 and not site_of_phones.natkit_processes(), "removed, and still running")
    lab.require(config.exists(), "a conffile went with remove")
    system.must(site.edge, "dpkg", "-P", "natkit")
    left = [p for p in ("etc/natkit", "var/lib/natkit", "usr/bin/natkit", "etc/logrotate.d/natkit") if (system.root / p).exists()]
    lab.require(not left, f"purged, and left: {left}")


if __name__ == "__main__":
    lab.main(renew, the_package)
