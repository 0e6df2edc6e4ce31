"""A SIP middlebox as sites have them: a small stateless proxy between two parties that edits what passes, for better or worse."""
import re

import sip_box


class Middlebox(sip_box.SipBox):
    """Sits at `host`:5060. Requests of `caller` go to `callee` and the other way round (both "ip:port"); answers go back by
    their Via. `edit(text, to_callee)` returns the message to send on. Not a proxy: it adds no Via, as a router's gateway for SIP."""

    def __init__(self, host, caller, callee, edit, proxy=True):
        self.proxy, self.caller, self.callee, self.edit = proxy, caller, callee, edit
        super().__init__(host)

    def pass_on(self, text, source):
        to_callee = f"{source[0]}:{source[1]}" == self.caller
        if not self.proxy:
            pass
        elif text.startswith("SIP/2.0"):
            text = re.sub(r"^Via: [^\r]*\r\n", "", text, count=1, flags=re.M)
        else:
            branch = re.search(r"branch=z9hG4bK([^;\s]+)", text)[1]
            text = text.replace("\r\n", f"\r\nVia: SIP/2.0/UDP {self.address}:5060;branch=z9hG4bKbox{branch}\r\n", 1)
        target = self.callee if to_callee else self.caller
        return self.edit(text, to_callee), target


def body_of(text):
    return text.partition("\r\n\r\n")[2]


def with_body(text, body):
    """The message with another body, its Content-Length right."""
    head = text.partition("\r\n\r\n")[0]
    return re.sub(r"(?m)^Content-Length: *\d+", f"Content-Length: {len(body)}", head) + "\r\n\r\n" + body
