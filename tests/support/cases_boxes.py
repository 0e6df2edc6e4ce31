"""Calls through gateways that read SIP and change it (ALG), seen from both sides of them."""
import socket
import threading

from cases import call, case, healthy, pair, talk_and_end, talking
from clinic import EDGE
from middlebox import body_of, with_body
from scripted_media import Described


def kernels_alg(c, nat):
    """The SIP helper of Linux: it changes addresses in messages and opens the ports that they name."""
    c.set_nat(c.nats[nat], "preserving")
    c.nats[nat].nft("""table ip alg {
        ct helper sip { type "sip" protocol udp; l3proto ip; }
        chain pre { type filter hook prerouting priority filter; udp dport 5060 ct helper set "sip"; }
    }
    table ip gate
    delete table ip gate""")


async def through_alg(c, first, second, nat):
    kernels_alg(c, nat)
    a, b, ma, mb = await pair(c, first, second)
    out, inc = await call(a, b, ma, mb)
    return await talk_and_end(out)


@healthy("carol kim", media="direct")
async def alg_of_linux_at_callee(c):
    return await through_alg(c, "carol", "kim", "k")


@healthy("alice bob")
async def alg_and_relay(c):
    """Both do the same work: nobody is hurt."""
    return await through_alg(c, "alice", "bob", "a")


class Gateway:
    """Stands in a NAT: what comes from inside for port 5060 it changes by `edit(text, outwards)` and sends on from its own outer port."""

    def __init__(self, c, nat, inner_host, edit):
        host = c.nats[nat]
        c.set_nat(host, "preserving")
        host.nft('table ip reads { chain pre { type nat hook prerouting priority -120; iifname "in0" udp dport 5060 redirect to :5060; }; }')
        host.nft('add rule ip gate input accept; flush chain ip gate input')
        self.edit, self.inside, self.out = edit, host.socket(socket.AF_INET, socket.SOCK_DGRAM), host.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.inside.bind((host.inner, 5060))
        self.out.bind((host.outer, 5060))
        self.client = (inner_host, 5060)
        for one, there, outwards in ((self.inside, (self.out, (EDGE, 5060)), True), (self.out, (self.inside, self.client), False)):
            c.net.close_at_end(one)
            threading.Thread(target=self._serve, args=(one, *there, outwards), daemon=True).start()

    def _serve(self, heard, by, to, outwards):
        while True:
            try:
                data = heard.recv(65536)
            except OSError:
                return
            if not data:
                return
            try:
                by.sendto(self.edit(data.decode(), outwards).encode(), to)
            except OSError:
                return


def half_done(outer, inner, port):
    """Via and c= show its own address, with a port that it does not open; Contact and o= are left as they were."""
    def edit(text, outwards):
        if not outwards:
            return text.replace(f"SIP/2.0/UDP {outer}:5060", f"SIP/2.0/UDP {inner}:5060")
        text = text.replace(f"SIP/2.0/UDP {inner}:5060", f"SIP/2.0/UDP {outer}:5060")
        body = body_of(text)
        if "c=IN IP4 " + inner not in body:
            return text
        told = Described(body)
        body = body.replace(f"c=IN IP4 {inner}", f"c=IN IP4 {outer}").replace(f"m=audio {told.port} ", f"m=audio {port} ")
        return with_body(text, body)
    return edit


@case("alice bob", "alg-damage rtp-from-elsewhere never-arrives receiver-refuses", "b->a", media="direct")
async def alg_names_a_closed_port(c):
    Gateway(c, "a", "10.0.1.21", half_done("198.51.100.7", "10.0.1.21", 9000))
    a, b, ma, mb = await pair(c, "alice", "bob")
    out, inc = await call(a, b, ma, mb)
    return await talk_and_end(out, 2.5)


@case("carol kim", "alg-damage rtp-from-elsewhere never-arrives receiver-refuses", "a->b", media="direct")
async def alg_names_a_closed_port_of_callee(c):
    Gateway(c, "k", "10.0.3.44", half_done("203.0.113.77", "10.0.3.44", 9000))
    out, inc, ma, mb = await talking(c, "carol", "kim")
    return await talk_and_end(out, 2.5)


@healthy("alice bob")
async def gateway_that_changes_nothing(c):
    """A gateway that passes all on as it is, from its own port."""
    Gateway(c, "a", "10.0.1.21", lambda text, outwards: text)
    a, b, ma, mb = await pair(c, "alice", "bob")
    out, inc = await call(a, b, ma, mb)
    return await talk_and_end(out)
