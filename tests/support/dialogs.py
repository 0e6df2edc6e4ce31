"""Two SIPp phones that go through a dialog step by step: scenarios written from a list of exchanges of offer and answer. After each
the caller waits until the test has looked: it goes on when it is sent an INFO, by the test alone."""
import socket

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


def _send(text, retrans=True, mark=""):
    again = ' retrans="500"' if retrans else ""
    return f"  <send{again}{mark}><![CDATA[\n{text}\n]]></send>\n"


def _answers(name, *statuses, more=""):
    """What is received for a transaction: a late copy of an answer to another one is not for this one."""
    early = f'  <recv response="100" optional="true" response_txn="{name}"/>\n'
    return early + "".join(f'  <recv response="{status}" response_txn="{name}"{more}/>\n' for status in statuses)


def _request(method, cseq, body="", first=False, uri=None, more=""):
    head = f"{method} {uri or ('sip:[service]@example.com' if first else '[next_url]')} SIP/2.0\n"
    head += HEADERS.format(routes="" if first else "[routes]\n", tag="" if first else "[peer_tag_param]", cseq=cseq, method=method)
    return head + more + _body(body)


def _reply(status, body="", tagged=False, more=""):
    to = "[last_To:]" + (";tag=[pid]s[call_number]" if tagged else "")
    return f"SIP/2.0 {status}\n" + ANSWER.format(to=to) + more + _body(body)


class Dialog:
    """Both scenarios, written along. Steps: see the methods; after each the caller waits for go_on()."""

    def __init__(self):
        self.uac, self.uas, self._cseq, self._begun = [], [], 0, False

    def _rest(self):
        self.uac.append('  <recv request="INFO"/>\n')

    def invite(self, offer, answer):
        """An INVITE, first or again."""
        return self._invite(offer, answer, "")

    def late(self, offer, answer):
        """An INVITE without SDP: the callee offers in its 200, the caller answers in the ACK."""
        return self._invite("", offer, answer)

    def _invite(self, invite, ok, ack):
        first = not self._begun
        self._begun, self._cseq = True, self._cseq + 1
        routes, name = ' rrs="true"' if first else "", f"invite{self._cseq}"
        self.uac += [_send(_request("INVITE", self._cseq, invite, first), mark=f' start_txn="{name}"'), _answers(name, 200, more=routes),
                     _send(_request("ACK", self._cseq, ack), retrans=False, mark=f' ack_txn="{name}"')]
        self.uas += ['  <recv request="INVITE"/>\n', _send(_reply("200 OK", ok, tagged=first)), '  <recv request="ACK"/>\n']
        self._rest()
        return self

    def refused(self, offer):
        """A re-INVITE answered 488: all stays as it was."""
        self._cseq += 1
        name = f"invite{self._cseq}"
        ack = _request("ACK", self._cseq).replace("[branch]", "[branch-3]")
        self.uac += [_send(_request("INVITE", self._cseq, offer), mark=f' start_txn="{name}"'), _answers(name, 488),
                     _send(ack, retrans=False, mark=f' ack_txn="{name}"')]
        self.uas += ['  <recv request="INVITE"/>\n', _send(_reply("488 Not Acceptable Here")), '  <recv request="ACK"/>\n']
        self._rest()
        return self

    def bye(self):
        self._cseq += 1
        self.uac += [_send(_request("BYE", self._cseq), mark=' start_txn="bye"'), '  <recv response="200" response_txn="bye"/>\n']
        self.uas += ['  <recv request="BYE"/>\n', _send(_reply("200 OK"), retrans=False)]
        return self

    def start(self, caller, callee, remote, service="carol", name="dialog", domain="example.com"):
        """Both phones; the callee first. The call goes to service@domain."""
        return Running(self, caller, callee, remote, service, name, domain)


class Running:
    """The two phones in their dialog: .calling and .answering."""

    def __init__(self, dialog, caller, callee, remote, service, name, domain):
        self.caller, self._tap = caller, caller.lab.tap(caller)
        started = []
        for host, steps, side, more in ((callee, dialog.uas, "uas", ()), (caller, dialog.uac, "uac", ("-s", service))):
            path = host.lab.folder / f"{name}-{side}.xml"
            text = "".join(steps).replace("INVITE sip:[service]@example.com", f"INVITE sip:[service]@{domain}")
            path.write_text(f'<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="{name}">\n{text}</scenario>\n')
            started.append(phones.sipp(host, path, *more, name=f"{name}-{side}", remote=remote if side == "uac" else None))
        self.answering, self.calling = started

    def _own(self):
        return [text for datagram, text in self._tap.sip() if datagram.source == f"{self.caller.address}:5060"]

    def wait_acknowledged(self, number):
        """The exchange of that number, from 1, is over: the caller has sent its ACK."""
        lab.wait_until(lambda: any(text.startswith("ACK ") and f"CSeq: {number} ACK" in text for text in self._own()),
                       lambda: f"exchange {number} to be over: {self.calling.output[-600:]}")

    def go_on(self):
        call_id = next(line for line in self._own()[0].split("\r\n") if line.startswith("Call-ID:"))
        with self.caller.socket(socket.AF_INET, socket.SOCK_DGRAM) as test:
            test.sendto((f"INFO sip:caller SIP/2.0\r\nVia: SIP/2.0/UDP test;branch=z9hG4bKgo\r\nFrom: <sip:test>;tag=t\r\nTo: <sip:caller>\r\n"
                         f"{call_id}\r\nCSeq: 1 INFO\r\nContent-Length: 0\r\n\r\n").encode(), (self.caller.address, 5060))
