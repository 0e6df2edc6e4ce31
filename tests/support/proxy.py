"""Another server on the WAN: a small stateless SIP proxy over UDP that sends calls for one of its users on to somewhere else."""
import re
import socket
import threading

import sip_box


class Proxy(sip_box.SipBox):
    """Listens at `host`:5060. A request for a user of `users` (name -> (Request-URI, "ip:port" of the next hop)) is sent on there;
    one inside a dialog follows its Route, answers go back by their Via. Stays on the route."""

    def __init__(self, host, users):
        self.users, self.seen = users, []
        super().__init__(host)

    def pass_on(self, text, source):
        self.seen.append(text)
        return self._response(text) if text.startswith("SIP/2.0") else self._request(text, source)

    def _response(self, text):
        """Without our Via, to where the next one points."""
        head, _, body = text.partition("\r\n\r\n")
        lines = head.split("\r\n")
        index = next(i for i, line in enumerate(lines) if line.lower().startswith("via:"))
        rest = lines[index].partition(",")[2].strip()
        lines[index:index + 1] = [f"Via: {rest}"] if rest else []
        via = next((line for line in lines if line.lower().startswith("via:")), "")
        where = re.search(r"SIP/2\.0/UDP ([^;,\s]+)", via)
        if not where:
            return None
        host, _, port = where[1].partition(":")
        received, rport = re.search(r"received=([^;,\s]+)", via), re.search(r"rport=(\d+)", via)
        return "\r\n".join(lines) + "\r\n\r\n" + body, f"{received[1] if received else host}:{rport[1] if rport else port or 5060}"

    def _request(self, text, source):
        head, _, body = text.partition("\r\n\r\n")
        lines = head.split("\r\n")
        routes = [uri for line in lines if line.lower().startswith("route:") for uri in re.findall(r"<([^>]+)>", line)]
        lines = [line for line in lines if not line.lower().startswith("route:")]
        if routes and self.address in routes[0]:
            routes.pop(0)
        user = re.match(r"\S+ sip:([^@;\s]+)@", lines[0])
        if routes:
            target = re.match(r"sip:(?:[^@>]*@)?([^;>]+)", routes[0])[1]
        elif user and user[1] in self.users:
            uri, target = self.users[user[1]]
            lines[0] = re.sub(r"(?<= )sip:\S+", uri, lines[0], count=1)
        else:
            return None
        branch = re.search(r"branch=z9hG4bK([^;,\s]+)", head)[1]
        added = [f"Via: SIP/2.0/UDP {self.address}:5060;branch=z9hG4bKproxy{branch}"]
        if "tag=" not in next(line for line in lines if line.lower().startswith("to:")):
            added.append(f"Record-Route: <sip:{self.address}:5060;lr>")
        added += [f"Route: <{uri}>" for uri in routes]
        lines[1:1] = added
        for i, line in enumerate(lines):
            if line.lower().startswith("via:") and i > 1:  # RFC 3261 section 18.2.1, RFC 3581
                lines[i] = re.sub(r";rport(?=[;,\s]|$)", f";received={source[0]};rport={source[1]}", line, count=1)
                break
        return "\r\n".join(lines) + "\r\n\r\n" + body, target if ":" in target else f"{target}:5060"


class B2bua(Proxy):
    """The same as a back-to-back user agent would do it: the call that goes on has another Call-ID, and the media stay as they
    are. Good for one call at a time, between `caller` and `next_hop` (both "ip:port")."""

    def __init__(self, host, uri, caller, next_hop):
        self._uri, self._caller, self._next = uri, caller, next_hop
        self._legs = {"caller": {}, "callee": {}}  # Via, Record-Route, Contact and Route of each side, as they are needed
        super().__init__(host, {})

    def pass_on(self, text, source):
        self.seen.append(text)
        from_caller = "b2bua" not in _value(text, "call-id")
        here, there = ("caller", "callee") if from_caller else ("callee", "caller")
        if text.startswith("SIP/2.0 100"):
            return None
        self._note(here, text)
        call_id = _value(text, "call-id")
        call_id = call_id + "b2bua" if from_caller else call_id.replace("b2bua", "")
        head, _, body = text.partition("\r\n\r\n")
        keep = [line for line in head.split("\r\n")[1:]
                if line.lower().partition(":")[0] not in ("via", "record-route", "route", "contact", "call-id")]
        lines = [head.split("\r\n")[0]]
        if text.startswith("SIP/2.0"):
            lines += self._legs[there]["vias"] + self._legs[there]["record_routes"]
            target = self._legs[there]["source"]
        else:
            uri = self._legs[there].get("contact") or self._uri
            routes = self._legs[there].get("routes", [])
            lines[0] = re.sub(r"(?<= )sips?:\S+", uri, lines[0], count=1)
            branch = re.search(r"branch=z9hG4bK([^;,\s]+)", text)[1]
            lines += [f"Via: SIP/2.0/UDP {self.address}:5060;branch=z9hG4bKb2b{branch}"] + [f"Route: {route}" for route in routes]
            target = self._next if there == "callee" else self._caller
        lines += [f"Call-ID: {call_id}", f"Contact: <sip:b2bua@{self.address}:5060>"] + keep
        return "\r\n".join(lines) + "\r\n\r\n" + body, target

    def _note(self, side, text):
        """What this side needs to be answered and asked."""
        leg = self._legs[side]
        headers = [line for line in text.partition("\r\n\r\n")[0].split("\r\n")[1:]]
        record_routes = [line for line in headers if line.lower().startswith("record-route:")]
        contact = re.search(r"(?im)^contact:[^<\r]*<([^>]+)>", text)
        if contact and ("INVITE" in _value(text, "cseq")):
            leg["contact"] = contact[1]
        if not text.startswith("SIP/2.0"):
            leg["vias"] = [line for line in headers if line.lower().startswith("via:")]
            leg["record_routes"] = record_routes
            leg["source"] = self._next if side == "callee" else self._caller
            if text.startswith("INVITE") and "tag=" not in _value(text, "to"):
                leg["routes"] = [uri for line in record_routes for uri in re.findall(r"<[^>]+>", line)]
        elif text.startswith("SIP/2.0 200") and "INVITE" in _value(text, "cseq") and "routes" not in leg:
            leg["routes"] = [uri for line in record_routes for uri in re.findall(r"<[^>]+>", line)][::-1]


class OneSidedB2bua(B2bua):
    """One that anchors the media of one direction alone: what it says `towards` the caller or the callee names a port of its own in
    place of the other end's; the other way it hands on what it was told. Packets that come to its port go on to the other side."""
    PORT = 7000

    def __init__(self, host, uri, caller, next_hop, towards):
        self._towards, self._said, self.relayed = towards, {}, 0
        for port in (self.PORT, self.PORT + 1):
            own = host.socket(socket.AF_INET, socket.SOCK_DGRAM)
            own.bind((host.address, port))
            host.lab.close_at_end(own)
            threading.Thread(target=self._relay, args=(own, port - self.PORT), daemon=True).start()
        super().__init__(host, uri, caller, next_hop)

    def pass_on(self, text, source):
        sender = "caller" if "b2bua" not in _value(text, "call-id") else "callee"
        out = super().pass_on(text, source)
        port = re.search(r"(?m)^m=audio (\d+)", text)
        if out is None or not port:
            return out
        self._said[sender] = (re.search(r"(?m)^c=IN IP4 (\S+)", text)[1], int(port[1]))
        if sender == self._towards:
            return out
        head, _, body = out[0].partition("\r\n\r\n")
        body = re.sub(r"(?m)^(c=IN IP4 )[^\s]+", rf"\g<1>{self.address}", body)
        body = re.sub(r"(?m)^(m=audio )\d+", rf"\g<1>{self.PORT}", body)
        body = re.sub(r"(?m)^a=rtcp:.*\r\n", "", body)
        head = re.sub(r"(?im)^(content-length): *\d+", rf"\1: {len(body)}", head)
        return head + "\r\n\r\n" + body, out[1]

    def _relay(self, own, more):
        while True:
            try:
                packet, source = own.recvfrom(2048)
                if not packet:
                    return
                said = {side: (address, port + more) for side, (address, port) in self._said.items()}
                to = said.get("callee" if source == said.get("caller") else "caller")
                if to:
                    self.relayed += 1
                    own.sendto(packet, to)
            except OSError:
                return


def _value(text, name):
    found = re.search(rf"(?im)^{name}: *([^\r]*)", text)
    return found[1] if found else ""
