"""A call between two phones of talkers.py at a site, exchange by exchange of offer and answer (RFC 3264, 3262, 3311). After each,
media must get from each port to the port that it is meant for, and nowhere else, and the edge must have as many relays as the
streams that need one."""
import re
import time

import lab
import site_of_phones as sites
import talkers
from talkers import body_of, header, read_sdp

WAN6, LAN6 = "2001:db8::10", "fd00:10::1"
PRIVATE6 = re.compile(r"\bfd[0-9a-f]{2}:")


def six_host(site, name="six", segment=None, address="2001:db8::50"):
    return site.net.host(name).attach("eth0", segment or site.wan, f"{address}/64")


def lan_six_host(site):
    return six_host(site, "lansix", site.lan, "fd00:10::20")


# Shapes of calls: who calls, who is called, and whether a relay is needed.
SHAPES = {
    "near_end": (sites.Site.lan_host, sites.Site.wan_host),
    "near_end_back": (sites.Site.wan_host, sites.Site.lan_host),
    "far_end": (sites.Site.home_host, sites.Site.wan_host),
    "far_end_back": (sites.Site.wan_host, sites.Site.home_host),
    "two_nats": (sites.Site.home_host, sites.Site.home_host),
    "four_six": (sites.Site.wan_host, six_host),
    "six_four": (lan_six_host, sites.Site.wan_host),
}


def in_shapes(through, shapes=tuple(SHAPES), suffix=""):
    """A test for lab.main() for each of these shapes, named like it: through(net, shape)."""
    def test(shape):
        def run(net):
            through(net, shape)
        run.__name__ = shape + suffix
        return run
    return [test(shape) for shape in shapes]


def tell(story, *arguments, while_=""):
    """Runs one of the stories of a test; its failure says which one it was."""
    try:
        story(*arguments)
    except lab.Failure as failure:
        raise lab.Failure(f"{story.__name__}{while_}: {failure}") from failure


def make_site(net, six=False, **changes):
    site = sites.Site(net)
    if six:
        site.edge.ip("addr", "add", f"{WAN6}/64", "dev", "wan0")
        site.edge.ip("addr", "add", f"{LAN6}/64", "dev", "lan0")
        listen = ", ".join(f'"udp:{h}:5060"' for h in (sites.LAN_EDGE, sites.WAN_EDGE, f"[{LAN6}]", f"[{WAN6}]"))
        changes["network"] = {"lan": '["192.168.10.0/24", "fd00:10::/64"]', **changes.get("network", {})}
        changes["sip"] = {"listen": f"[{listen}]", **changes.get("sip", {})}
    return site.start(**changes)


def edge_of(host):
    """Where a phone at this host finds the edge."""
    if ":" in host.address:
        return (LAN6 if host.address.startswith("fd00:") else WAN6, 5060)
    return (sites.LAN_EDGE if host.address.startswith("192.168.10.") else sites.WAN_EDGE, 5060)


class Call:
    """alice calls carol."""

    def __init__(self, site, caller, callee, uri="sip:carol@example.com", relayed=True, others=0):
        """`relayed`: each stream; or how many relays there are in all, of however many streams. `others`: of other calls."""
        self.site, self.relayed, self.others, self.step = site, relayed, others, 0
        self.world = talkers.World()
        self.alice = talkers.Phone(self.world, caller, "alice", edge_of(caller))
        self.carol = talkers.Phone(self.world, callee, "carol", edge_of(callee)).register()
        self.a, self.b = talkers.Dialog(self.alice, uri), None
        self.sequence = 0

    @classmethod
    def of_shape(cls, net, shape, **changes):
        site = make_site(net, six="six" in shape, **changes)
        make_caller, make_callee = SHAPES[shape]
        return cls(site, make_caller(site), make_callee(site))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for phone in self.world.phones:
            phone.close()

    def ends(self, by):
        return (self.a, self.b) if by == "a" else (self.b, self.a)

    # --- exchanges

    @staticmethod
    def agree(x, x_sent, x_got, y, y_sent, y_got):
        """What either end said last, and what it was told."""
        x.said, x.told = read_sdp(x_sent), read_sdp(x_got)
        y.said, y.told = read_sdp(y_sent), read_sdp(y_got)

    def ring(self, offer=""):
        """The first INVITE is with the callee."""
        branch, invite = self.a.request("INVITE", offer, more=["Supported: 100rel"])
        got = self.carol.expect("INVITE ")
        self.b = talkers.Dialog.answering(self.carol, got)
        return branch, invite, got

    def caller_dialog(self, response):
        if not self.a.routes and "tag=" not in self.a.to:
            self.a = self.a.established(response)
        return self.a

    def invite(self, offer, answer, by="a"):
        """An INVITE with an offer and its 200: the first, or one inside the dialog."""
        return self._invite(offer, answer, by, late=False)

    def late(self, offer, answer, by="a"):
        """An INVITE without: the other end offers in its 200, the answer is in the ACK."""
        return self._invite(offer, answer, by, late=True)

    def _invite(self, offer, answer, by, late):
        x_media, y_media = (answer, offer) if late else (offer, answer)
        first = self.b is None
        x = self.ends(by)[0]
        x_sent = x.phone.sdp(*x_media)
        if first:
            branch, _, got = self.ring("" if late else x_sent)
        else:
            branch, _ = x.request("INVITE", "" if late else x_sent)
            got = self.ends(by)[1].phone.expect("INVITE ")
        y = self.ends(by)[1]
        y_sent = y.phone.sdp(*y_media)
        y.phone.answer(got, 200, y_sent, y.tag)
        ok = x.phone.final(branch)
        lab.require(ok.startswith("SIP/2.0 200"), f"INVITE was answered {ok}")
        x = self.caller_dialog(ok) if by == "a" else x
        x.acknowledge(branch, ok, x_sent if late else "")
        ack = y.phone.expect("ACK ")
        self.agree(x, x_sent, body_of(ok), y, y_sent, body_of(ack if late else got))
        return self.check()

    def refused(self, offer, by="a", status=488, method="INVITE"):
        """An offer inside the dialog that the other end refuses: everything stays."""
        x, y = self.ends(by)
        branch, sent = x.request(method, x.phone.sdp(*offer))
        got = y.phone.expect(f"{method} ")
        y.phone.answer(got, status, tag=y.tag)
        final = x.phone.final(branch)
        lab.require(final.startswith(f"SIP/2.0 {status}"), f"{method} was answered {final}")
        if method == "INVITE":
            x.acknowledge_failure(sent, final)
            y.phone.expect("ACK ")
        return self.check()

    def early(self, offer, answer):
        """183 with the answer, not reliable: early media. Then 200 with the same."""
        x_sent = self.alice.sdp(*offer)
        branch, _, got = self.ring(x_sent)
        y_sent = self.carol.sdp(*answer)
        self.carol.answer(got, 183, y_sent, self.b.tag)
        progress = self.alice.final(branch, pattern="SIP/2.0 183")
        self.agree(self.caller_dialog(progress), x_sent, body_of(progress), self.b, y_sent, body_of(got))
        self.check()
        return self.picked_up(branch, got, y_sent)

    def picked_up(self, branch, invite, body=""):
        """200 and ACK of a call with early media."""
        self.carol.answer(invite, 200, body, self.b.tag)
        ok = self.alice.final(branch)
        lab.require(ok.startswith("SIP/2.0 200"), f"INVITE was answered {ok}")
        if body:
            lab.require([(m.address, m.port) for m in read_sdp(body_of(ok))] == [(m.address, m.port) for m in self.a.told],
                        f"the 200 names another place than the 183:\n{ok}")
        self.caller_dialog(ok).acknowledge(branch, ok)
        self.carol.expect("ACK ")
        return self.check()

    def reliable(self, offer, answer, late=False, prack=None):
        """183 with 100rel and its PRACK; early media. `late`: the INVITE has no offer, the 183 has it and PRACK the answer.
        `prack`: an (offer, answer) more, in PRACK and its 200. What picked_up() wants."""
        x_media, y_media = (answer, offer) if late else (offer, answer)
        x_sent, y_sent = self.alice.sdp(*x_media), self.carol.sdp(*y_media)
        branch, _, got = self.ring("" if late else x_sent)
        self.carol.answer(got, 183, y_sent, self.b.tag, reliable=7)
        progress = self.alice.final(branch, pattern="SIP/2.0 183")
        lab.require(header(progress, "RSeq") == "7", f"no RSeq in {progress}")
        a = self.caller_dialog(progress)
        invite_number = header(got, "CSeq").split()[0]
        more = self.alice.sdp(*prack[0]) if prack else ""
        asked = a.ask("PRACK", x_sent if late else more, more=[f"RAck: 7 {invite_number} INVITE"])
        there = self.carol.expect("PRACK ")
        self.agree(a, x_sent, body_of(progress), self.b, y_sent, body_of(there if late else got))
        reply = self.carol.sdp(*prack[1]) if prack else ""
        self.carol.answer(there, 200, reply, self.b.tag)
        ok = asked()
        if prack:
            self.agree(a, more, body_of(ok), self.b, reply, body_of(there))
        self.check()
        return branch, got

    def update(self, offer, answer, by="a"):
        """UPDATE, early or later (RFC 3311)."""
        x, y = self.ends(by)
        x_sent = x.phone.sdp(*offer)
        asked = x.ask("UPDATE", x_sent)
        got = y.phone.expect("UPDATE ")
        y_sent = y.phone.sdp(*answer)
        y.phone.answer(got, 200, y_sent, y.tag)
        self.agree(x, x_sent, body_of(asked()), y, y_sent, body_of(got))
        return self.check()

    def glare(self, of_a, of_b):
        """Both ends offer at once: both are told 491, by the edge or by the other end, and nothing changes. Each refusal is
        acknowledged."""
        for x, media in ((self.a, of_a), (self.b, of_b)):
            x.open = x.request("INVITE", x.phone.sdp(*media))
        finals = {}

        def both_refused():
            for x in (self.a, self.b):
                phone, (branch, sent) = x.phone, x.open
                for message in list(phone.inbox):
                    if message.startswith("INVITE "):
                        phone.inbox.remove(message)
                        phone.answer(message, 491, tag=x.tag)
                    elif message.startswith("ACK "):
                        phone.inbox.remove(message)
                    elif message.startswith("SIP/2.0 ") and int(message[8:11]) >= 200 and branch in header(message, "Via"):
                        phone.inbox.remove(message)
                        lab.require(message.startswith("SIP/2.0 491"), f"glare was answered {message}")
                        x.acknowledge_failure(sent, message)
                        finals[phone.user] = message
            return len(finals) == 2 and not any(key[0] == "final" for p in (self.alice, self.carol) for key in p.waiting)
        self.world.run(both_refused, "both offers of a glare to be refused")
        return self.check()

    def bye(self, by="a", left=True):
        x, y = self.ends(by)
        asked = x.ask("BYE")
        y.phone.answer(y.phone.expect("BYE "), 200, tag=y.tag)
        asked()
        if left:
            self.site.wait_nothing_left()

    def kill(self, *workers):
        for worker in workers:
            self.site.kill_worker(worker)
        self.site.wait_up()
        return self.check()

    # --- media

    def pairs(self):
        """The dialogs that carry media: of the caller, of the callee."""
        return [(self.a, self.b)] if self.b else []

    def streams(self):
        """The m= lines that both ends of a dialog have: (dialog and line, its ends: phone, line said, line told; twice)."""
        found = []
        for n, (a, b) in enumerate(self.pairs()):
            for i, lines in enumerate(zip(a.said, a.told, b.said, b.told)):
                if all(line.port for line in lines):
                    found.append((f"{n}.{i}", (a.phone, lines[0], lines[1]), (b.phone, lines[2], lines[3])))
        return found

    def joins(self):
        legs = self.site.legs()
        return sum(leg["state"] == "joined" for leg in legs) // 2

    def legs_told(self):
        return [f"{leg['leg']} {leg['state']} {leg['local']} for {leg.get('party', {}).get('endpoint')}" for leg in self.site.legs()]

    def check(self, again=False):
        """As many relays as streams need, and media from port to port: RTP, RTCP, T.38; no other port hears any. What the relay
        still sent to the port before, in the moment of an exchange, must not come `again`."""
        self.step += 1
        streams = self.streams()
        wanted = self.others + (len(streams) if self.relayed is True else self.relayed or 0)
        self.world.run(lambda: self.joins() == wanted, lambda: f"step {self.step}: {wanted} joins; the legs are {self.legs_told()}")
        for phone in self.world.phones:
            phone.heard()
        routes = {}
        for name, one, other in streams:
            for (x, mine, there), (y, theirs, _) in ((one, other), (other, one)):
                if not mine.speaks or mine.kind == "application":
                    continue
                marker = f"<{self.step} {x.name} {name}>".encode()
                routes[y.name, theirs.port, marker] = (x, mine.port, (there.address, there.port), mine.kind, False)
                if mine.kind != "image":
                    mux = mine.mux and theirs.mux  # RFC 5761: on the RTP ports, when both ends said so
                    to = (there.address, there.port if mux else there.rtcp)
                    routes[y.name, theirs.port if mux else theirs.rtcp, marker + b"c"] = (
                        x, mine.port if mux else mine.rtcp, to, mine.kind, True)
        strays = self._carry(routes)
        if strays:
            lab.require(not again, f"step {self.step}: heard at the wrong ports: {strays}")
            self.check(again=True)
        return self

    def _carry(self, routes):
        missing, strays, current = set(routes), set(), f"<{self.step} ".encode()

        def all_heard():
            self.sequence += 1
            for key in missing:
                x, port, to, kind, rtcp = routes[key]
                x.say(port, to, key[2], self.sequence, kind, rtcp)
            self.world.turn(0.04)
            for phone in self.world.phones:
                for port, packet in phone.heard():
                    found = re.search(rb"<\d+ \w+ [\d.]+>", packet)
                    if not found or not found[0].startswith(current):
                        continue  # of the exchange before, late
                    marker = found[0] + (b"c" if 192 <= packet[1] <= 223 and packet[0] >> 6 == 2 else b"")
                    heard = (phone.name, port, marker)
                    if heard in routes:
                        missing.discard(heard)
                    else:
                        strays.add(heard)
            return not missing
        self.world.run(all_heard, lambda: f"step {self.step}: media on {[(k, routes[k][1:3]) for k in missing]}")
        return strays

    def check_wan(self):
        """No description that the edge sent to the WAN names a private address, and there was such a description."""
        seen = 0
        for datagram, text in self.site.on_wan.sip():
            body = body_of(text)
            if not body or not datagram.source.startswith((f"{sites.WAN_EDGE}:", f"[{WAN6}]:")):
                continue
            seen += 1
            found = sites.PRIVATE.search(body) or PRIVATE6.search(body)
            lab.require(not found, f"private address in what went to {datagram.destination}:\n{text}")
        lab.require(seen > 0, "no description from the edge was seen on the WAN")


def held_for(seconds, world):
    """Lets the phones' time pass."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        world.turn()
