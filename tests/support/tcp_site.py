"""What tests of mediarelay's TCP share: a site, and parties as signalling describes them."""
import lab
from media import Edge
from streams import alive


def site(net, **options):
    edge = Edge(net, **options).serve()
    phone = net.host("phone").attach("eth0", edge.lan, "192.168.10.5/24", "fd00:10::5/64")
    peer = net.host("peer").attach("eth0", edge.wan, "203.0.113.50/24", "2001:db8::50/64")
    return edge, phone, peer


def active(address):
    """A party that connects: its port says nothing (RFC 4145 section 4.1)."""
    return {"setup": "active", "endpoint": f"[{address}]:9" if ":" in address else f"{address}:9"}


def passive(server):
    return {"setup": "passive", "endpoint": server.endpoint}


def nothing_left(edge, control):
    """No connection, no leg, no port."""
    lab.require(control.ask("status")["legs"] == 0, "legs are left")
    lab.wait_until(lambda: not any(":20" in local for local in alive(edge.host)), "all sockets closed")
