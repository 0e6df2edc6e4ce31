#!/usr/bin/env python3
"""kill -9 of any process under an established call: audio goes on, hold and resume (re-INVITE) work, BYE ends the call at both
phones and leaves nothing; wherever the state of sipedge is kept, and when `natkit renew` is the cause. mediarelay back without any leg:
the calls lose their relays, and get new ones by the next re-INVITE."""
# ctest: serial
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import phones
import site_of_phones as sites


def heard(ear, mouth):
    return lab.same_audio(mouth.said(), ear.heard())


def more_audio(a, b, packets=40):
    """Both ways, counted from now on."""
    before = {(ear.name, mouth.name): heard(ear, mouth) for ear, mouth in ((a, b), (b, a))}
    for ear, mouth in ((a, b), (b, a)):
        lab.wait_until(lambda ear=ear, mouth=mouth: heard(ear, mouth) >= before[ear.name, mouth.name] + packets,
                       f"{packets} more packets from {mouth.name} at {ear.name}")


def the_call_goes_on_without(net, worker):
    site = sites.Site(net).start()
    a = site.phone(site.lan_host(), "alice", tone=440)
    b = site.phone(site.home_host(), "bob", tone=600)
    for hangs_up, other in ((a, b), (b, a)):
        phones.call(a, b)
        more_audio(a, b)
        site.kill_worker(worker)
        site.wait_up()
        more_audio(a, b)
        before = len(site.on_wan.sip())
        a.command("hold")
        lab.wait_until(lambda: any("a=sendonly" in text for _, text in site.on_wan.sip()[before:]), "the hold to reach the WAN")
        a.command("resume")
        more_audio(a, b)
        phones.hang_up(hangs_up, other)
        site.wait_nothing_left()
    site.check_wan()


def sipedge(net):
    the_call_goes_on_without(net, "sipedge")


def mediarelay(net):
    the_call_goes_on_without(net, "mediarelay")


def the_promise_holds_with(net, state):
    """natkit(1): a call over UDP survives the death of any process; one call, all the ways in which sipedge ends under it."""
    site = sites.Site(net).start(registrar={"state": state})
    a = site.phone(site.lan_host(), "alice", tone=440)
    b = site.phone(site.home_host(), "bob", tone=600)
    phones.call(a, b)
    more_audio(a, b)
    site.kill_worker("sipedge")
    site.wait_up()
    more_audio(a, b)
    done = site.edge.run(lab.PROGRAMS / "natkit", "renew", "--config", site.config)
    lab.require(done.returncode == 0, f"renew: {done}")
    site.wait_up()
    before = len(site.on_wan.sip())
    a.command("hold")
    lab.wait_until(lambda: any("a=sendonly" in text for _, text in site.on_wan.sip()[before:]), "the hold to reach the WAN")
    a.command("resume")
    more_audio(a, b)
    phones.hang_up(b, a)
    site.wait_nothing_left()
    said = site.natkit.output
    lab.require("forged flow token" not in said, f"a token of ours was not known: {said[-3000:]}")
    lab.require(site.natkit.stop() == 0, "natkit did not end well")
    left = [path.name for path in site.runtime.iterdir()]
    lab.require(not left, f"left in the runtime directory: {left}")


def state_in_memory(net):
    the_promise_holds_with(net, '"memory"')


def state_in_sqlite(net):
    the_promise_holds_with(net, '"sqlite:state.db"')


def every_leg_lost(net):
    """mediarelay comes back and knows nothing of its legs: sipedge finds that out, and nobody else has to tell it."""
    site = sites.Site(net).start()
    a = site.phone(site.lan_host(), "alice", tone=440)
    b = site.phone(site.home_host(), "bob", tone=600)
    phones.call(a, b)
    more_audio(a, b)
    lost = {leg["leg"] for leg in site.legs()}
    (site.runtime / "mediarelay.journal").unlink()
    site.kill_worker("mediarelay")
    site.wait_up()
    lab.require(not site.legs(), f"the journal was removed, and yet there are {site.legs()}")
    calls = lambda: site.ask("sipedge", "calls")["calls"]
    lab.wait_until(lambda: [call["relayed_streams"] for call in calls()] == [0], f"sipedge to know that the legs are gone: {calls()}")
    a.command("hold")
    lab.wait_until(lambda: len(site.legs()) == 2, f"new legs for the call, there are {site.legs()}")
    lab.require(lost.isdisjoint(leg["leg"] for leg in site.legs()), "the same legs again")
    a.command("resume")
    for phone in (a, b):
        phone.forget()
    phones.hear_each_other(a, b, packets=20)
    phones.hang_up(b, a)
    site.wait_nothing_left()
    site.check_wan()


if __name__ == "__main__":
    lab.main(sipedge, mediarelay, state_in_memory, state_in_sqlite, every_leg_lost)
