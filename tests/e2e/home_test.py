#!/usr/bin/env python3
"""Users of another server, a real Kamailio with passwords: through the edge they register, call and are called, with Path and
without; a call between two of them passes the edge twice. Nobody else may use what the server was given. The edge killed: they are
called without registering again."""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import kamailio
import lab
import phones
import raw_sip
import site_of_phones as sites

SERVER = "192.168.10.50"


def with_server(net, path=True, transport="udp", path_mode=1):
    site = sites.Site(net)
    site.server_host = server = net.host("pbx").attach("eth0", site.lan, f"{SERVER}/24")
    kamailio.start(server, f"{sites.LAN_EDGE}:5060", path, transport, path_mode)
    site.start(registrar={"open": "false"}, pinger={"udp_interval": '"1s"'},
               **{"sip.routes": {f'"{kamailio.DOMAIN}"': f'"sip:{SERVER}:5060;transport={transport}"',
                                 '"carrier.example"': '{ to = "sip:203.0.113.90", kind = "trunk" }'}})
    return site


def user(site, host, name, **options):
    return site.phone(host, name, domain=kamailio.DOMAIN, password=kamailio.PASSWORD, **options)


def talk(site, a, b, audio=True):
    for caller, callee in ((a, b), (b, a)):
        phones.call(caller, callee)
        if audio:
            phones.hear_each_other(caller, callee)
        phones.hang_up(callee, caller)
        site.wait_nothing_left()


def clients(site):
    return {one["aor"]: one for one in site.ask("sipedge", "clients")["clients"]}


def users_of_kamailio(net, path):
    site = with_server(net, path)
    bob = user(site, site.home_host("symmetric"), "bob", tone=440)
    dave = phones.Baresip(site.lan_host(), "dave", f"{SERVER}:5060", domain=kamailio.DOMAIN, password=kamailio.PASSWORD, tone=600)
    erin = user(site, site.wan_host(), "erin", tone=520)
    known = clients(site)
    lab.require(set(known) == {"sip:bob@pbx.example.net", "sip:erin@pbx.example.net"}, f"clients: {known}")
    lab.require(all(one["server"] == kamailio.DOMAIN and one["expires_ms"] <= 600_000 for one in known.values()), f"{known}")
    lab.require(known["sip:bob@pbx.example.net"]["place"] == "far-end", f"{known}")
    pings = lambda phone: [d for d in phone.tap.all() if d.payload == b"\r\n\r\n" and d.source == f"{sites.WAN_EDGE}:5060"]
    lab.wait_until(lambda: len(pings(bob)) >= 2, "natpinger to keep the other server's client behind a NAT reachable")
    lab.require(not pings(erin), "a client on the WAN needs no pings")
    talk(site, bob, dave)
    talk(site, bob, erin)  # both through the edge: out to the server, and back
    site.check_wan()
    site.kill_worker("sipedge")
    site.wait_up()
    phones.call(dave, bob)
    phones.hear_each_other(dave, bob)
    phones.hang_up(dave, bob)
    # What the server was given is of no use to anybody else.
    shown = {uri for _, text in site.on_lan.sip() if text.startswith("REGISTER")
             for uri in re.findall(r"<(sip:[A-Za-z0-9_-]{32,}@192\.168\.10\.1:5060[^>]*)>", text)}
    lab.require(shown, "no token was seen")
    for number, uri in enumerate(sorted(shown)):
        outside, uri_outside = raw_sip.Party(site.wan_host(), sites.WAN_EDGE), uri.replace(sites.LAN_EDGE, sites.WAN_EDGE)
        status = outside.status(outside.request("INVITE", "sip:bob@192.168.1.10:5060", headers=[f"Route: <{uri_outside};lr>"]))
        lab.require(status == 403, f"a stolen token in Route: {status}")
        status = outside.status(outside.request("INVITE", uri_outside))
        lab.require(status == 403, f"a stolen token as Request-URI: {status}")
        if number == 0:
            inside = raw_sip.Party(site.lan_host(), sites.LAN_EDGE)
            status = inside.status(inside.request("INVITE", "sip:bob@192.168.1.10:5060", headers=[f"Route: <{uri};lr>"]))
            lab.require(status == 403, f"a stolen token on the LAN: {status}")


def with_path(net):
    users_of_kamailio(net, True)


def without_path(net):
    users_of_kamailio(net, False)


def bindings_at_the_server(site, callee):
    """How many times the server calls that user: once for each binding that it has of him."""
    outside = raw_sip.Party(site.net.hosts["pbx"], sites.LAN_EDGE, port=5099, user="probe", domain=kamailio.DOMAIN)
    uri = f"sip:{callee}@{kamailio.DOMAIN}"
    outside.edge = f"{SERVER}:5060"
    before = len(site.on_lan.sip())
    challenge = outside.ask(outside.request("OPTIONS", uri))
    outside.close()
    lab.require(challenge.startswith("SIP/2.0 "), challenge)
    return len({raw_sip.field(text, "Via") for d, text in site.on_lan.sip()[before:]
                if text.startswith("OPTIONS ") and d.source == f"{SERVER}:5060"})


def one_binding_a_phone(net, path_mode):
    """Whatever the server makes of Path: a call rings once, with audio both ways where both ends are behind the edge; and so it is
    after refreshes, after the edge was killed, and nobody is left when the phones have gone."""
    site = with_server(net, path_mode=path_mode)
    bob = user(site, site.home_host("symmetric"), "bob", tone=440, expires=15)
    frank = user(site, site.lan_host(), "frank", tone=600, expires=15)

    def once():
        for phone in (bob, frank):
            lab.require(bindings_at_the_server(site, phone.user) == 1, f"{phone.user} is registered more than once")
        talk(site, bob, frank)
    once()
    site.kill_worker("sipedge")
    site.wait_up()
    once()
    before = len(site.on_lan.sip())
    lab.wait_until(lambda: {f"sip:{phone.user}@{kamailio.DOMAIN}" for phone in (bob, frank)} <=
                   {raw_sip.field(text, "To").partition(";")[0].strip("<>") for d, text in site.on_lan.sip()[before:]
                    if d.source == f"{SERVER}:5060" and text.startswith("SIP/2.0 200") and " REGISTER" in raw_sip.field(text, "CSeq")},
                   "both to have refreshed")
    once()
    site.check_wan()


def path_in_silence(net):
    one_binding_a_phone(net, 0)


def path_strictly(net):
    one_binding_a_phone(net, 2)


def over_tcp(net):
    """The server ends its connections while calls go on: the calls do not end with them."""
    site = with_server(net, transport="tcp")
    bob = user(site, site.home_host("symmetric"), "bob", tone=440)
    dave = phones.Baresip(site.lan_host(), "dave", f"{SERVER}:5060", domain=kamailio.DOMAIN, password=kamailio.PASSWORD, tone=600)
    connected = lambda: site.server_host.run("ss", "-Htn", "state", "established").stdout.strip()
    for caller, callee, ends in ((dave, bob, bob), (bob, dave, dave), (dave, bob, dave)):
        phones.call(caller, callee)
        phones.hear_each_other(caller, callee)
        lab.wait_until(lambda: not connected(), "the server to end its connections", 60)
        phones.hang_up(ends, callee if ends is caller else caller)
        site.wait_nothing_left()
    udp = [text for d, text in site.on_lan.sip() if {d.source, d.destination} == {f"{SERVER}:5060", f"{sites.LAN_EDGE}:5060"}]
    lab.require(not udp, f"by UDP: {udp[:1]}")


if __name__ == "__main__":
    kamailio.needed()
    lab.main(with_path, without_path, path_in_silence, path_strictly, over_tcp)
