"""A relay between a phone's and a peer's network whose parties talk, and what reaches it past its fast path."""
import re
import threading
import time

import lab
from media import Edge, Peer

PHONE, PEER = "192.168.10.5", "203.0.113.50"


class Voice(threading.Thread):
    """Speaks 50 packets a second and counts what it hears."""

    def __init__(self, net, host, address, port, ssrc):
        super().__init__(daemon=True)
        self.peer, self.ssrc, self.to = Peer(host, address, port), ssrc, None
        self.said, self.heard, self.going = 0, [], True
        self.peer.socket.settimeout(None)
        self.ear = threading.Thread(target=self.listen, daemon=True)
        net.close_at_end(self.peer.socket)
        self.ear.start()

    @property
    def endpoint(self):
        return self.peer.endpoint

    def talk_to(self, local):
        self.to = local
        self.start()
        return self

    def run(self):
        due = time.monotonic()
        while self.going:
            self.peer.speak(self.to, self.ssrc)
            self.said += 1
            due += 0.02
            time.sleep(max(0, due - time.monotonic()))

    def stop(self):
        self.going = False
        self.join()
        return self

    def listen(self):
        while True:
            try:
                data = self.peer.socket.recv(2048)
            except OSError:
                return
            if not data:
                return
            self.heard.append(data)


class Site(Edge):
    def __init__(self, net, **options):
        super().__init__(net, **options)
        self.phone = net.host("phone").attach("eth0", self.lan, PHONE + "/24", "fd00:10::5/64")
        self.other = net.host("peer").attach("eth0", self.wan, PEER + "/24", "2001:db8::50/64")
        # What reaches the relay itself, but for what it sends to a port of its own at start, to see that ports are steered.
        self.host.nft("table inet slow {\n counter heard {}\n chain in {\n type filter hook input priority 0;\n"
                      "iifname != lo udp dport 20000-20999 counter name heard\n}\n}")

    def slow(self):
        return int(re.search(r"packets (\d+)", lab.sh(*self.host.enter, "nft", "list", "counter", "inet", "slow", "heard"))[1])

    def call(self, phone=PHONE, peer=PEER, ports=(4000, 6000), call_id="one", **options):
        """A call whose two parties talk."""
        self.a = Voice(self.net, self.phone, phone, ports[0], 1)
        self.b = Voice(self.net, self.other, peer, ports[1], 2)
        made = self.talk.ask("relay", call_id=call_id, a={"party": {"endpoint": self.a.endpoint}, **options.get("a", {})},
                             b={"party": {"endpoint": self.b.endpoint}, **options.get("b", {})})
        self.a.talk_to(made["a"]["local"])
        self.b.talk_to(made["b"]["local"])
        return made

    def start(self):
        self.serve()
        self.talk = self.control()
        return self

    def flows(self):
        return self.talk.ask("status")["fast_flows"]

    def promoted(self, count=2):
        lab.wait_until(lambda: self.flows() == count, lambda: f"{self.flows()} flows instead of {count}", 15)

    def all_fast(self, seconds=1.0):
        """While they talk, nothing reaches the relay itself."""
        before, heard = self.slow(), (len(self.a.heard), len(self.b.heard))
        time.sleep(seconds)
        lab.require(self.slow() == before, f"{self.slow() - before} packets have come to the relay")
        lab.require(len(self.a.heard) > heard[0] and len(self.b.heard) > heard[1], "nothing is heard")

    def end(self):
        self.a.stop()
        self.b.stop()
        for ear, mouth in ((self.a, self.b), (self.b, self.a)):
            lab.wait_until(lambda: len(ear.heard) >= mouth.said, lambda: f"{len(ear.heard)} of {mouth.said} heard", 5)
            lab.require(len(ear.heard) == mouth.said, f"{len(ear.heard)} heard, {mouth.said} said")

    def leg(self, leg):
        return {each["leg"]: each for each in self.talk.ask("list")["legs"]}[leg]
