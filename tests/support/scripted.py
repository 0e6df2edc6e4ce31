"""Phones and gateways that do in a call exactly what a script tells them: SIP over UDP or TCP with transactions, dialogs and
digest credentials. Plain sockets in an asyncio loop, nothing of natkit's."""
import asyncio
import hashlib
import random
import re
import socket
import time

from scripted_media import Described

T1 = 0.5  # seconds, RFC 3261 section 17.1.1.1


def token(bits=60):
    return f"{random.getrandbits(bits):0{bits // 4}x}"


def endpoint(text, port=5060):
    """("192.0.2.1", 5060) of "192.0.2.1:5060" or "[2001:db8::1]"."""
    found = re.match(r"\[([^\]]+)\](?::(\d+))?$|([^:]+)(?::(\d+))?$", text)
    return (found[1], int(found[2] or port)) if found[1] else (found[3], int(found[4] or port))


def written(address, port=None):
    text = f"[{address}]" if ":" in address else address
    return text if port is None else f"{text}:{port}"


def host_of(uri):
    """The endpoint of a SIP URI."""
    found = re.match(r"<?sips?:(?:[^@>;]*@)?([^;>?]+)", uri.strip())
    return endpoint(found[1])


# --- messages

COMPACT = {"v": "Via", "f": "From", "t": "To", "i": "Call-ID", "m": "Contact", "l": "Content-Length", "c": "Content-Type", "k": "Supported"}  # RFC 3261 section 7.3.3


class Message:
    def __init__(self, text):
        self.text = text
        head, _, self.body = text.partition("\r\n\r\n")
        self.start, *lines = head.split("\r\n")
        self.headers = [(COMPACT.get(name.strip(), name.strip()), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        self.status = int(self.start[8:11]) if self.start.startswith("SIP/2.0 ") else 0
        self.cseq, self.about = self["CSeq"].split()
        self.method = self.about if self.status else self.start.split()[0]
        self.branch = re.search(r"branch=([^;,\s]+)", self["Via"])[1]

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def __getitem__(self, name):
        return next(iter(self.all(name)), "")

    def tag(self, name):
        found = re.search(r";\s*tag=([^;\s]+)", self[name])
        return found[1] if found else ""

    def uri(self, name):
        found = re.search(r"<([^>]*)>", self[name])
        return found[1] if found else self[name]

    def routes(self):
        return [r.strip() for value in self.all("Record-Route") for r in re.split(r",\s*(?=<)", value)]


# --- phones

class Phone:
    """A SIP endpoint. `said`: the endpoint that it writes into Via and Contact; `through`: the proxy that gets all that has no route."""

    def __init__(self, host, user, server=None, port=5060, transport="udp", said=None, rport=True, address=None, domain="edge.test",
                 password="secret", source_port=None):
        self.host, self.user, self.server, self.transport, self.rport = host, user, server, transport, rport
        self.address, self.port, self.domain, self.password = address or host.address, port, domain, password
        self.said = said or (self.address, port)
        self.source_port = source_port or port
        self.pending, self.answered, self.dialogs, self.calls = {}, {}, {}, asyncio.Queue()
        self.registered, self.agent, self.stream = None, f"{user}-phone/1.0", None
        self.compact = False                         # writes short names of header fields
        self.deaf = {}                               # "INVITE" or "200 INVITE": how many of these it does not hear
        self.pieces = 0                              # over TCP: so many bytes in a segment
        if transport == "udp":
            self.socket = self.host.socket(socket.AF_INET6 if ":" in self.address else socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind((self.address, port))
            self.socket.setblocking(False)
            asyncio.get_running_loop().add_reader(self.socket, self._take)

    @property
    def uri(self):
        return f"sip:{self.user}@{self.domain}"

    @property
    def contact(self):
        tcp = ";transport=tcp" if self.transport == "tcp" else ""
        return f"<sip:{self.user}@{written(*self.said)}{tcp}>"

    # --- the wire

    async def connect(self):
        """Its TCP connection to the server."""
        made = self.host.socket(socket.AF_INET6 if ":" in self.address else socket.AF_INET, socket.SOCK_STREAM)
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, self.server)
        self.socket = made
        reader, self.stream = await asyncio.open_connection(sock=made)
        self.reading = asyncio.get_running_loop().create_task(self._read(reader))

    async def _read(self, reader):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if not head.strip():
                    continue
                length = re.search(rb"(?im)^content-length:\s*(\d+)", head)
                body = await reader.readexactly(int(length[1]) if length else 0)
                self._one((head.lstrip() + body).decode("utf-8", "replace"), self.server)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass

    def send(self, text, to):
        if self.compact:
            for short, name in COMPACT.items():
                text = re.sub(rf"(?m)^{name}:", f"{short}:", text)
        if self.stream is not None:
            data = text.encode()
            for at in range(0, len(data), self.pieces or len(data)):
                self.stream.write(data[at:at + (self.pieces or len(data))])
            return
        try:
            self.socket.sendto(text.encode(), to)
        except OSError:
            pass

    def _take(self):
        try:
            data, source = self.socket.recvfrom(65535)
        except OSError:
            return
        if len(data) > 20:
            self._one(data.decode("utf-8", "replace"), source[:2])

    def _one(self, text, source):
        message = Message(text)
        kind = f"{message.status} {message.about}" if message.status else message.method
        if self.deaf.get(kind, 0) > 0:
            self.deaf[kind] -= 1
            return
        if message.status:
            queue = self.pending.get((message.branch, message.about))
            if queue is not None:
                queue.put_nowait(message)
            dialog = self.dialogs.get(message["Call-ID"])
            if queue is None and dialog is not None and message.about == "INVITE" and 200 <= message.status < 300:
                dialog.acknowledge_again(message)
            return
        key = (message.branch, message.method)
        if message.method != "ACK" and key in self.answered:
            for again in self.answered[key]:
                self.send(*again)
            return
        dialog = self.dialogs.get(message["Call-ID"])
        if dialog is not None and (message.tag("To") or message.method == "CANCEL"):
            dialog.asked(message, source)
        elif message.method == "INVITE" and dialog is None:
            self.respond(message, 100, source)
            dialog = self.dialogs[message["Call-ID"]] = Dialog.answering(self, message, source)
            self.calls.put_nowait(dialog)
        elif message.method not in ("ACK", "INVITE"):
            self.respond(message, 200 if message.method in ("OPTIONS", "NOTIFY") else 481, source)

    def respond(self, request, status, source, body="", more=(), tag="", contact=True, reason=None):
        words = {100: "Trying", 180: "Ringing", 183: "Session Progress", 200: "OK", 202: "Accepted", 302: "Moved Temporarily", 401: "Unauthorized", 403: "Forbidden",
                 404: "Not Found", 408: "Request Timeout", 422: "Session Interval Too Small", 480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist", 486: "Busy Here", 491: "Request Pending", 181: "Call Is Being Forwarded", 182: "Queued",
                 487: "Request Terminated", 488: "Not Acceptable Here", 603: "Decline"}
        lines = [f"SIP/2.0 {status} {reason or words.get(status, 'Answer')}"]
        lines += [f"Via: {v}" for v in request.all("Via")] + [f"Record-Route: {r}" for r in request.all("Record-Route")]
        lines += [f"From: {request['From']}", f"To: {request['To']}" + (f";tag={tag}" if tag and not request.tag("To") and status > 100 else ""),
                  f"Call-ID: {request['Call-ID']}", f"CSeq: {request['CSeq']}"]
        if contact and 100 < status < 400:
            lines.append(f"Contact: {self.contact}")
        lines += [f"User-Agent: {self.agent}", *more] + ["Content-Type: application/sdp"] * bool(body) + [f"Content-Length: {len(body)}", "", body]
        text = "\r\n".join(lines)
        via = request.all("Via")[0]
        to = source
        if self.transport == "udp" and not re.search(r"[;,]\s*rport", via):  # RFC 3261 section 18.2.2
            to = (source[0], endpoint(re.search(r"SIP/2.0/\w+\s+([^;]+)", via)[1].strip())[1])
        self.answered.setdefault((request.branch, request.method), [])[:] = [(text, to)]
        self.send(text, to)
        return text, to

    def build(self, method, uri, to, call_id, cseq, tag, routes=(), more=(), body="", branch=None):
        branch = branch or f"z9hG4bK{token()}"
        lines = [f"{method} {uri} SIP/2.0", f"Via: SIP/2.0/{self.transport.upper()} {written(*self.said)};branch={branch}" + ";rport" * self.rport,
                 *(f"Route: {r}" for r in routes), "Max-Forwards: 70", f"From: <{self.uri}>;tag={tag}", f"To: {to}", f"Call-ID: {call_id}",
                 f"CSeq: {cseq} {method}", *([f"Contact: {self.contact}"] if method not in ("CANCEL", "BYE") else []), f"User-Agent: {self.agent}", *more]
        lines += ["Content-Type: application/sdp"] * bool(body) + [f"Content-Length: {len(body)}", "", body]
        return branch, "\r\n".join(lines)

    async def transact(self, branch, method, text, to, wait=8.0, provisional=None):
        """The final response, or None after `wait` seconds."""
        queue = self.pending[branch, method] = asyncio.Queue()
        self.send(text, to)
        end, interval, due, proceeding = time.monotonic() + wait, T1, time.monotonic() + T1, False
        while True:
            now = time.monotonic()
            if now >= end:
                del self.pending[branch, method]
                return None
            try:
                response = await asyncio.wait_for(queue.get(), max(0.001, min(due, end) - now))
            except TimeoutError:
                if time.monotonic() >= due:
                    if self.stream is None and not (proceeding and method == "INVITE"):
                        self.send(text, to)
                    interval = min(2 * interval, 4) if method != "INVITE" else 2 * interval
                    due = time.monotonic() + interval
                continue
            if response.status < 200:
                proceeding = True
                if provisional:
                    provisional(response)
                continue
            del self.pending[branch, method]
            return response

    def credentials(self, challenge, method, uri):
        header, name = ("Authorization", "WWW-Authenticate") if challenge.status == 401 else ("Proxy-Authorization", "Proxy-Authenticate")
        value = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge[name]))
        md5 = lambda text: hashlib.md5(text.encode()).hexdigest()
        cnonce = token(32)
        secret = md5(f"{self.user}:{value['realm']}:{self.password}")
        proof = md5(f"{secret}:{value['nonce']}:00000001:{cnonce}:auth:{md5(f'{method}:{uri}')}")
        return (f'{header}: Digest username="{self.user}", realm="{value["realm"]}", nonce="{value["nonce"]}", uri="{uri}", algorithm=MD5, '
                f'qop=auth, nc=00000001, cnonce="{cnonce}", response="{proof}"')

    async def register(self, expires=600, wait=8.0, tries=2, contact=None):
        """The final response. `tries`: how often it answers a challenge."""
        if self.transport == "tcp" and self.stream is None:
            await self.connect()
        call_id, tag, cseq = self.registered or (token(), token(32), 0)
        more, uri, response = [], f"sip:{self.domain}", None
        for _ in range(tries):
            cseq += 1
            branch, text = self.build("REGISTER", uri, f"<{self.uri}>", call_id, cseq, tag, more=[f"Expires: {expires}", *more])
            if contact:
                text = re.sub(r"(?m)^Contact: .*?\r$", f"Contact: {contact}\r", text)
            response = await self.transact(branch, "REGISTER", text, self.server, wait)
            if response is None or response.status not in (401, 407):
                break
            more = [self.credentials(response, "REGISTER", uri)]
        self.registered = (call_id, tag, cseq)
        return response

    async def ping(self):
        branch, text = self.build("OPTIONS", f"sip:{self.domain}", f"<sip:{self.domain}>", token(), 1, token(32))
        return await self.transact(branch, "OPTIONS", text, self.server, 2)

    def dial(self, user, uri=None):
        """A call to be, to a user of the server or to a URI."""
        uri = uri or f"sip:{user}@{self.domain}"
        dialog = Dialog(self, f"{token()}@{self.user}", uri, f"<{uri}>", [])
        self.dialogs[dialog.call_id] = dialog
        return dialog

    async def incoming(self, wait=5.0):
        return await asyncio.wait_for(self.calls.get(), wait)


class Dialog:
    """One end of a call."""

    def __init__(self, phone, call_id, target, to, routes):
        self.phone, self.call_id, self.target, self.to, self.routes = phone, call_id, target, to, routes
        self.tag, self.cseq, self.acks, self.ackless = token(32), random.randrange(1, 900), {}, False
        self.invitation = self.source = None
        self.established = self.accepted = False
        self.told, self.said = "", ""                # descriptions: the other's, its own
        self.acked, self.over, self.cancelled, self.offers = asyncio.Event(), asyncio.Event(), asyncio.Event(), asyncio.Queue()
        self.answer_with = None                      # offer (text) -> (status, description)
        self.early = ""
        self.more = []
        self.provisional = []

    @classmethod
    def answering(cls, phone, invite, source):
        one = cls(phone, invite["Call-ID"], invite.uri("Contact"), invite["From"], invite.routes())
        one.invitation, one.source, one.told, one.established = invite, source, invite.body, True
        return one

    @property
    def next_hop(self):
        return host_of(self.routes[0]) if self.routes else (self.phone.server if self.target.endswith(self.phone.domain) else host_of(self.target))

    # --- asking

    async def request(self, method, body="", more=(), wait=8.0, provisional=None, cseq=None, to=None):
        self.cseq += 1
        branch, text = self.phone.build(method, self.target, self.to, self.call_id, self.cseq, self.tag, self.routes, [*self.more, *more], body)
        return branch, text, await self.phone.transact(branch, method, text, to or self.next_hop, wait, provisional)

    async def invite(self, body="", more=(), wait=12.0, ack_body="", to=None):
        """The first INVITE, or another one within the dialog; its final response, which it acknowledges. Answers a challenge once."""
        more, final = list(more), None
        for _ in range(2):
            self.said = body or ack_body or self.said
            branch = f"z9hG4bK{token()}"
            self.cseq += 1
            number = self.cseq
            self.sent = self.phone.build("INVITE", self.target, self.to, self.call_id, self.cseq, self.tag, self.routes, [*self.more, *more], body, branch)
            hop = to or self.next_hop
            self.invited_hop = hop
            final = await self.phone.transact(branch, "INVITE", self.sent[1], hop, wait, self._progress)
            if final is None:
                return None
            if final.status >= 300:
                self._acknowledge_failure(final, hop)
                if final.status in (401, 407):
                    more = [*more, self.phone.credentials(final, "INVITE", self.target)]
                    continue
                return final
            break
        if final.status < 300:
            if not self.established:
                self.routes, self.to, self.established = final.routes()[::-1], final["To"], True
            self.target = final.uri("Contact")
            if final.body:
                self.told = final.body
            answer = ack_body(final.body) if callable(ack_body) else ack_body
            _, text = self.phone.build("ACK", self.target, self.to, self.call_id, number, self.tag, self.routes, (), answer)
            self.acks[final.cseq] = (text, self.next_hop)
            self.acknowledge_again(final)
        return final

    def _progress(self, response):
        self.provisional.append(response)
        if response.body:
            self.early = response.body

    def early_dialog(self):
        """Requests go into the dialog that the last provisional response has made (RFC 3261 section 12.1.2)."""
        last = self.provisional[-1]
        self.routes, self.to, self.target = last.routes()[::-1], last["To"], last.uri("Contact")
        return last

    def acknowledge_again(self, response):
        known = self.acks.get(response.cseq)
        if known and not self.ackless:
            self.phone.send(*known)

    def _acknowledge_failure(self, final, hop):
        request = Message(self.sent[1])
        lines = [f"ACK {request.start.split()[1]} SIP/2.0", *(f"{n}: {v}" for n, v in request.headers if n in ("Via", "Route", "Max-Forwards", "From", "Call-ID")),
                 f"To: {final['To']}", f"CSeq: {final.cseq} ACK", "Content-Length: 0", "", ""]
        self.phone.send("\r\n".join(lines), hop)

    async def cancel(self):
        request = Message(self.sent[1])
        lines = [f"CANCEL {request.start.split()[1]} SIP/2.0", *(f"{n}: {v}" for n, v in request.headers if n in ("Via", "Route", "Max-Forwards", "From", "To", "Call-ID")),
                 f"CSeq: {request.cseq} CANCEL", "Content-Length: 0", "", ""]
        return await self.phone.transact(request.branch, "CANCEL", "\r\n".join(lines), self.invited_hop, 3)

    async def bye(self, wait=8.0):
        _, _, final = await self.request("BYE", wait=wait)
        self.over.set()
        return final

    async def update(self, body="", more=(), wait=4.0):
        _, _, final = await self.request("UPDATE", body, more, wait)
        if final is not None and final.body:
            self.told = final.body
        return final

    # --- being asked

    def respond(self, status, body="", more=()):
        return self.phone.respond(self.invitation, status, self.source, body, more, self.tag)

    async def accept(self, body, more=(), insist=6.0):
        """200 to the first INVITE, until its ACK comes; whether it came."""
        self.said, self.accepted = body or self.said, True
        return await self._insist(self.invitation, self.source, body, more, insist)

    async def _insist(self, request, source, body, more, insist):
        self.acked.clear()
        text, to = self.phone.respond(request, 200, source, body, more, self.tag)
        interval, end = T1, time.monotonic() + insist
        while time.monotonic() < end:
            try:
                await asyncio.wait_for(self.acked.wait(), min(interval, end - time.monotonic()))
                return True
            except TimeoutError:
                self.phone.send(text, to)
                interval = min(2 * interval, 4)
        return False

    def asked(self, request, source):
        phone = self.phone
        if request.method == "ACK":
            if request.body:
                self.told = request.body
            self.acked.set()
        elif request.method == "CANCEL":
            phone.respond(request, 200, source, tag=self.tag)
            if not self.accepted:
                self.cancelled.set()
                self.respond(487)
        elif request.method in ("INVITE", "UPDATE"):
            self.target = request.uri("Contact") or self.target
            status, answer = 200, ""
            if request.body:
                self.told = request.body
                status, answer = self.answer_with(request.body) if self.answer_with else (200, self._usual_answer(request.body))
            elif request.method == "INVITE":
                answer = self.said
            if answer:
                self.said = answer
            expires = [f"Session-Expires: {request['Session-Expires']}"] if request["Session-Expires"] else []
            self.offers.put_nowait(request)
            if request.method == "INVITE" and status < 300:
                asyncio.get_running_loop().create_task(self._insist(request, source, answer, expires, 4))
            else:
                phone.respond(request, status, source, answer, expires, self.tag)
        else:
            self.told = request.body if request.method == "PRACK" and request.body else self.told
            phone.respond(request, 202 if request.method == "REFER" else 200, source, tag=self.tag)
            if request.method == "BYE":
                self.over.set()

    def _usual_answer(self, offer):
        """As before, with the direction that fits."""
        way = Described(offer).mirrored()
        text = re.sub(r"a=(sendrecv|sendonly|recvonly|inactive)\r\n", "", self.said)
        return text + (f"a={way}\r\n" if way != "sendrecv" else "")
