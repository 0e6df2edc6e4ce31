#!/usr/bin/env python3
"""What goes wrong around natkit ends no call, and is said: a hundred reloads and rotations of the log, a full disk, a state that
cannot be written, a clock that is set, interfaces that go and come back."""
# ctest: serial timeout 1200
import os
import pathlib
import re
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import crowd
import lab
import site_of_phones
from site_of_phones import LAN_EDGE, WAN_EDGE, natkit

CALLS = 10


def end(site, people):
    people.hang_up()
    site.wait_nothing_left()
    lab.require(site.natkit.stop() == 0, "natkit did not end well")
    lab.require(not site_of_phones.natkit_processes(), f"left: {site_of_phones.natkit_processes()}")


def a_hundred_reloads_and_rotations(net):
    log = net.folder / "natkit.log"
    listen = [f"udp:{LAN_EDGE}:5060", f"udp:{WAN_EDGE}:5060"]
    site = site_of_phones.Site(net).start(log={"target": f'"{log}"'})
    with crowd.Crowd() as people:
        people.make_calls(site, CALLS)
        pids = {name: site.pid(name) for name in site_of_phones.WORKERS}
        for i in range(100):
            names = listen + ([f"udp:{WAN_EDGE}:{5080 + i % 7}"] if i % 2 else [])
            site.write_config(
                log={"target": f'"{log}"', "format": '"json"' if i % 3 == 0 else '"text"'},
                sip={"listen": str(names).replace("'", '"'), "log_level": '"problems"' if i % 2 else '"major"'},
                network={"lan": '["192.168.10.0/24"]', "nat_servers": '["203.0.113.50"]' if i % 2 else "[]"},
                media_proxy={"timeout": f'"{60 + i}s"', "relay_same_nat": '"always"' if i % 2 else '"never"',
                             "source_port_restriction": "false" if i % 2 else "true"},
                pinger={"udp_interval": f'"{10 + i % 5}s"', "method": '"options"' if i % 2 else '"crlf"'})
            natkit(site, "reload")
            if i % 10 == 0:
                log.rename(net.folder / f"natkit.log.{i}")
                site.natkit.signal(signal.SIGUSR1)
            if i % 20 == 7:
                people.calls[i % CALLS][i % 2].reinvite()
        lab.require(pids == {name: site.pid(name) for name in pids}, "a worker was restarted")
        people.check_calls("after a hundred reloads")
        print(f"        longest silence {people.longest_silence():.1f} s")
        lab.wait_until(log.exists, "the log after its last rotation")
        end(site, people)


def small_disk(path, kilobytes):
    path.mkdir()
    lab.sh("mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", path)
    return path


def fill(folder):
    """No byte is free afterwards; the file that takes the room."""
    hog = folder / "hog"
    with open(hog, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    return hog


def full_disks(net):
    """Log, state and journal lie on disks that are full while calls go on and new ones come."""
    base = pathlib.Path("/mnt")  # in this test's own mount namespace
    lab.sh("mount", "-t", "tmpfs", "tmpfs", base)
    logs, state = small_disk(base / "logs", 256), small_disk(base / "state", 1024)
    site = site_of_phones.Site(net)
    lab.sh("mount", "-t", "tmpfs", "-o", "size=512k,mode=0700", "tmpfs", site.runtime)
    log = logs / "natkit.log"
    site.start(log={"target": f'"{log}"'}, registrar={"open": "true", "state": f'"sqlite:{state}/state.db"'})
    with crowd.Crowd() as people:
        people.make_calls(site, CALLS)
        legs = len(site.legs())
        hogs = [fill(folder) for folder in (logs, state, site.runtime)]
        for phone in people.phones[:6]:
            phone.register()
        people.check_calls("with full disks")
        caller, callee = (people.phone(people.phones[i].host, f"late{i}", people.phones[i].proxy[0]) for i in (1, 0))
        callee.register()
        caller.register()
        caller.call(callee)
        people.calls.append((caller, callee))
        people.wait_audio("a new call with full disks")
        lab.wait_until(lambda: re.search(r"failures NATKIT log \S+: no space left on device; lines are lost", site.natkit.output),
                       "standard error to hear of the full log")
        for hog in hogs:
            hog.unlink()
        callee.register()
        people.check_calls("with room again")
        people.calls.pop()
        caller.bye()
        lab.wait_until(lambda: callee.ended and len(site.legs()) == legs, "the late call and its legs to end")
        callee.ended = False
        for said in (r"\d+ lines of the log were lost", "the state can be written again", "the journal can be written again"):
            lab.wait_until(lambda said=said: re.search(said, log.read_text(errors="replace")), f"the log to say {said!r}")
        # What was written late is there: nobody is forgotten by a restart.
        for worker in ("sipedge", "mediarelay"):
            site.kill_worker(worker)
        site.wait_up()
        people.check_calls("after a restart")
        lab.require(len(site.ask("sipedge", "clients")["clients"]) == 2 * CALLS + 2, "a registration was forgotten")
        end(site, people)


def a_state_that_cannot_be_written(net):
    base = pathlib.Path("/mnt")
    lab.sh("mount", "-t", "tmpfs", "-o", "size=1024k", "tmpfs", base)
    site = site_of_phones.Site(net)
    # At the start: said, with exit status 2, and nothing is left.
    lab.sh("mount", "-o", "remount,ro", base)
    site.write_config(registrar={"open": "true", "state": f'"sqlite:{base}/state.db"'})
    done = site.edge.run(lab.PROGRAMS / "natkit", "run", "--config", site.config)
    lab.require(done.returncode == 2 and str(base) in done.stderr and re.search("read-?only|unable to open", done.stderr),
                f"exit {done.returncode}: {done.stderr}")
    lab.require(not site_of_phones.natkit_processes(), "something runs")
    lab.sh("mount", "-o", "remount,rw", base)
    site.start(registrar={"open": "true", "state": f'"sqlite:{base}/state.db"'})
    with crowd.Crowd() as people:
        people.make_calls(site, CALLS)
        # SQLite holds the file open for writing, so the disk cannot become read-only under it: it becomes full.
        hog = fill(base)
        for phone in people.phones:
            phone.register()
        people.check_calls("while the state cannot be written")
        lab.wait_until(lambda: "registrations will not survive a restart" in site.natkit.output, "it to be said")
        hog.unlink()
        people.phones[0].register()
        lab.wait_until(lambda: "the state can be written again" in site.natkit.output, "it to be said")
        end(site, people)


def a_clock_that_is_set(net):
    """By an hour and a half forth, then three back: registrations last an hour."""
    clock = net.folder / "clock"

    def set_clock(seconds):
        clock.with_suffix(".new").write_text(f"{'+' if seconds >= 0 else ''}{seconds}\n")
        clock.with_suffix(".new").rename(clock)
    set_clock(0)
    library = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    lab.require(library, "faketime is not installed")
    site = site_of_phones.Site(net)
    site.write_config()
    environment = {"LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1",
                   "FAKETIME_DONT_FAKE_MONOTONIC": "1", "ASAN_OPTIONS": "verify_asan_link_order=0"}
    site.natkit = site.edge.start("natkit", "env", *(f"{k}={v}" for k, v in environment.items()), lab.PROGRAMS / "natkit", "run",
                                  "--config", site.config)
    site.wait_up()
    with crowd.Crowd() as people:
        people.make_calls(site, CALLS)
        for jump, total in ((5400, 5400), (-10800, -5400)):
            set_clock(total)
            for phone in people.phones[:4]:
                phone.register()
            sign = "-" if jump < 0 else ""
            lab.wait_until(lambda sign=sign: re.search(rf"the clock was set by {sign}\d+ s: registrations keep", site.natkit.output),
                           "sipedge to notice", 60)
            people.check_calls(f"after the clock was set by {jump} s")
            clients = site.ask("sipedge", "clients")["clients"]
            lab.require(len(clients) == 2 * CALLS, f"{len(clients)} registrations left of {2 * CALLS}")
            lab.require(all(3_000_000 < c["expires_ms"] <= 3_600_000 for c in clients), f"{[c['expires_ms'] for c in clients]}")
            site.kill_worker("sipedge")  # the next one reads the state by the clock as it is now
            site.wait_up()
            lab.wait_until(lambda: len(site.ask("sipedge", "clients")["clients"]) == 2 * CALLS, "all to be registered after a restart")
        end(site, people)


def clients(site):
    return sorted(c["id"] for c in site.ask("sipedge", "clients")["clients"])


def interfaces_that_go_and_come(net):
    # Pinged each second: that the edge cannot send is no fault of its clients.
    site = site_of_phones.Site(net).start(pinger={"udp_interval": '"1s"'})
    with crowd.Crowd() as people:
        people.make_calls(site, CALLS)
        registered = clients(site)
        for name in ("wan0", "lan0"):
            site.edge.ip("link", "set", name, "down")
            time.sleep(5)
            site.edge.ip("link", "set", name, "up")
            people.check_calls(f"after {name} was down")
            address = LAN_EDGE if name == "lan0" else WAN_EDGE
            for said in (f"{address} is no longer an address of this host", f"{address} is an address of this host again"):
                lab.wait_until(lambda said=said: said in site.natkit.output, f"natkit to say that {said}")
        # Gone for good, and another one in its place: another index, the same address.
        for name, segment, address in (("lan0", site.lan, f"{LAN_EDGE}/24"), ("wan0", site.wan, f"{WAN_EDGE}/24")):
            site.edge.ip("link", "del", name)
            time.sleep(5)
            site.edge.attach(name, segment, address)
            people.check_calls(f"after {name} was replaced")
        lab.require(clients(site) == registered, f"of {len(registered)} registrations {len(clients(site))} are left")
        pinger = site.ask("natpinger", "status")
        lab.require(pinger["pinged"] == CALLS / 2 and pinger["later"] > 0 and pinger["dead"] == 0, f"{pinger}")
        said = [line for line in site.natkit.output.splitlines() if f"NATPING udp:{WAN_EDGE}:5060 can" in line]
        lab.require(len(said) == 4 and "cannot send: " in said[0] and "can send again" in said[1], f"{said}")
        print(f"        longest silence {people.longest_silence():.1f} s")
        end(site, people)


def an_interface_down_with_a_reload_and_deaths(net):
    """What reads the host's addresses meanwhile (a reload, a worker that starts) must not take the site for another one."""
    site = site_of_phones.Site(net).start(pinger={"udp_interval": '"1s"'})
    with crowd.Crowd() as people:
        people.make_calls(site, CALLS)
        registered = clients(site)
        # From here on only who is on the LAN may do without a password.
        site.write_config(registrar={"open": "false"})
        natkit(site, "reload")
        for name in ("wan0", "lan0"):
            site.edge.ip("link", "set", name, "down")
            natkit(site, "reload")
            for worker in site_of_phones.WORKERS:
                site.kill_worker(worker)
            natkit(site, "reload")
            site.edge.ip("link", "set", name, "up")
            people.check_calls(f"after {name} was down")
            for phone in people.phones:
                if phone.host.address.startswith("192.168.10."):
                    phone.register()
        lab.require(clients(site) == registered, f"of {len(registered)} registrations {len(clients(site))} are left")
        end(site, people)


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    lab.main(a_hundred_reloads_and_rotations, full_disks, a_state_that_cannot_be_written, a_clock_that_is_set,
             interfaces_that_go_and_come, an_interface_down_with_a_reload_and_deaths)
