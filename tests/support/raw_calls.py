"""Dialogs of parties that say exactly what a test wants: set up, and gone on with from either end."""
import re

import lab
import raw_sip
import site_of_phones


def registered(host, user, edge=f"{site_of_phones.WAN_EDGE}:5060", kind=raw_sip.Party, **options):
    party = kind(host, edge, user=user, **options)
    lab.require(party.register().startswith("SIP/2.0 200"), f"{user} does not register")
    return party


def answer_looks(party):
    """The edge asks once whether somebody is there before it has an address pinged."""
    party.answer(party.wait("OPTIONS ", copies=True), 200)


def ring(caller, callee, call_id, sdp=True):
    """An INVITE from one to the other; the text at the callee."""
    invite = caller.request("INVITE", callee.aor, call_id=call_id, body=caller.sdp() if sdp else "")
    caller.send(invite)
    return invite, callee.wait("INVITE ")


def dialog_of(invite, final):
    """What the caller's requests inside the dialog look like: target, routes, To."""
    routes = [line.partition(": ")[2] for line in final.split("\r\n") if line.startswith("Record-Route:")]
    target = re.search(r"<([^>]+)>", raw_sip.field(final, "Contact"))[1]
    return target, list(reversed(routes)), raw_sip.field(final, "To")


def set_up(caller, callee, call_id):
    """(target, headers, To) of the caller's next requests, the INVITE as it came to the callee, and the 200 as it came to the caller."""
    invite, came = ring(caller, callee, call_id)
    callee.answer(came, 200, body=callee.sdp())
    final = caller.wait(r"SIP/2\.0 200", branch=re.search(r"branch=([^;,\s]+)", raw_sip.field(invite, "Via"))[1])
    target, routes, to = dialog_of(invite, final)
    headers = [f"Route: {route}" for route in routes]
    caller.send(caller.request("ACK", target, to=to, call_id=call_id, headers=headers))
    callee.wait("ACK ")
    return target, headers, to, came, final


def established(caller, callee, call_id):
    """The same without the 200."""
    return set_up(caller, callee, call_id)[:4]


def exchange(sender, receiver, request):
    """A request other than INVITE, which reaches the other party and is answered with 200."""
    sender.send(request)
    receiver.answer(receiver.wait(request.partition(" ")[0] + " "), 200)
    sender.wait(r"SIP/2\.0 200")


def from_callee(callee, came, method, cseq, body=""):
    """A request inside the dialog that the callee sends."""
    routes = [line.partition(": ")[2] for line in came.split("\r\n") if line.startswith("Record-Route:")]
    target = re.search(r"<([^>]+)>", raw_sip.field(came, "Contact"))[1]
    to = raw_sip.field(came, "From")
    own = raw_sip.field(came, "To")
    uri = re.search(r"<([^>]+)>", own)[1]
    return callee.request(method, target, to=to, call_id=raw_sip.field(came, "Call-ID"), cseq=cseq, from_uri=uri, from_tag=f"t{callee.user}",
                          headers=[f"Route: {route}" for route in routes], body=body)
