"""Two SIPp phones that go through a dialog step by step: scenarios written from a list of exchanges of offer and answer."""
import lab
import phones

HEADERS = """Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport
{routes}Max-Forwards: 70
From: <sip:caller@example.net>;tag=[pid]c[call_number]
To: <sip:[service]@example.com>{tag}
Call-ID: [call_id]
CSeq: {cseq} {method}
Contact: <sip:caller@[local_ip]:[local_port]>
"""
ANSWER = """[last_Via:]
[last_Record-Route:]
[last_From:]
{to}
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:[local_ip]:[local_port]>
"""
PAUSE = 1500  # milliseconds that each state lasts


def sdp(*media, connection="[media_ip]"):
    """m= lines given as "audio 4000", "video 5000", "image 6000" (T.38); " 0" for a rejected one; "hold" puts all on hold."""
    lines = ["v=0", "o=- 1 1 IN IP[local_ip_type] [local_ip]", "s=-", f"c=IN IP[media_ip_type] {connection}", "t=0 0"]
    for line in media:
        if line == "hold":
            lines.append("a=sendonly")
            continue
        kind, port = line.split()
        formats = {"audio": "RTP/AVP 0", "video": "RTP/AVP 96", "image": "udptl t38"}[kind]
        lines.append(f"m={kind} {port} {formats}")
        if kind == "video":
            lines.append("a=rtpmap:96 H264/90000")
    return "\n".join(lines) + "\n"


def _body(text):
    if not text:
        return "Content-Length: 0\n\n"
    return f"Content-Type: application/sdp\nContent-Length: [len]\n\n{text}"


def _send(text, retrans=True):
    again = ' retrans="500"' if retrans else ""
    return f"  <send{again}><![CDATA[\n{text}\n]]></send>\n"


def _request(method, cseq, body="", first=False, uri=None, more=""):
    head = f"{method} {uri or ('sip:[service]@example.com' if first else '[next_url]')} SIP/2.0\n"
    head += HEADERS.format(routes="" if first else "[routes]\n", tag="" if first else "[peer_tag_param]", cseq=cseq, method=method)
    return head + more + _body(body)


def _reply(status, body="", tagged=False, more=""):
    to = "[last_To:]" + (";tag=[pid]s[call_number]" if tagged else "")
    return f"SIP/2.0 {status}\n" + ANSWER.format(to=to) + more + _body(body)


class Dialog:
    """Both scenarios, written along. Steps: see the methods; each is followed by a pause."""

    def __init__(self):
        self.uac, self.uas, self._cseq, self._begun = [], [], 0, False

    def _rest(self):
        self.uac.append(f'  <pause milliseconds="{PAUSE}"/>\n')

    def invite(self, offer, answer):
        """An INVITE, first or again."""
        return self._invite(offer, answer, "")

    def late(self, offer, answer):
        """An INVITE without SDP: the callee offers in its 200, the caller answers in the ACK."""
        return self._invite("", offer, answer)

    def _invite(self, invite, ok, ack):
        first = not self._begun
        self._begun, self._cseq = True, self._cseq + 1
        routes = ' rrs="true"' if first else ""
        self.uac += [_send(_request("INVITE", self._cseq, invite, first)), '  <recv response="100" optional="true"/>\n',
                     f'  <recv response="200"{routes}/>\n', _send(_request("ACK", self._cseq, ack), retrans=False)]
        self.uas += ['  <recv request="INVITE"/>\n', _send(_reply("200 OK", ok, tagged=first)), '  <recv request="ACK"/>\n']
        self._rest()
        return self

    def refused(self, offer):
        """A re-INVITE answered 488: all stays as it was."""
        self._cseq += 1
        self.uac += [_send(_request("INVITE", self._cseq, offer)), '  <recv response="100" optional="true"/>\n', '  <recv response="488"/>\n',
                     _send(_request("ACK", self._cseq).replace("[branch]", "[branch-3]"), retrans=False)]
        self.uas += ['  <recv request="INVITE"/>\n', _send(_reply("488 Not Acceptable Here")), '  <recv request="ACK"/>\n']
        self._rest()
        return self

    def bye(self):
        self._cseq += 1
        self.uac += [_send(_request("BYE", self._cseq)), '  <recv response="200"/>\n']
        self.uas += ['  <recv request="BYE"/>\n', _send(_reply("200 OK"), retrans=False)]
        return self

    def start(self, caller, callee, remote, service="carol", name="dialog", domain="example.com"):
        """Both phones; the callee first. The call goes to service@domain."""
        started = []
        for host, steps, side, more in ((callee, self.uas, "uas", ()), (caller, self.uac, "uac", ("-s", service))):
            path = host.lab.folder / f"{name}-{side}.xml"
            text = "".join(steps).replace("INVITE sip:[service]@example.com", f"INVITE sip:[service]@{domain}")
            path.write_text(f'<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="{name}">\n{text}</scenario>\n')
            started.append(phones.sipp(host, path, *more, name=f"{name}-{side}", remote=remote if side == "uac" else None, seconds=60))
            if side == "uas":
                lab.wait_until(lambda h=host: any(e.endswith(":5060") for e, _ in h.sockets()), "the callee to listen")
        return started[::-1]
