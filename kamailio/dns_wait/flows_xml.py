"""Scenarios of sipp for the module: a caller that cancels, one that asks again and again, a callee that only rings."""

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<scenario name="{name}">
"""

REQUEST = """<send{attributes}><![CDATA[

{method} [uri] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=z9hG4bK-[pid]-[call_number]-first
From: <sip:caller@[local_ip]:[local_port]>;tag=[pid]f[call_number]
To: <[uri]>{to_tag}
Call-ID: [call_id]
CSeq: 1 {cseq}
Contact: <sip:caller@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Length: 0

]]></send>
"""


def _request(method, cseq=None, attributes="", to_tag=""):
    return REQUEST.format(method=method, cseq=cseq or method, attributes=attributes, to_tag=to_tag)


def _end(name, *parts):
    return HEAD.format(name=name) + "".join(parts) + "</scenario>\n"


def _ack_to(code):
    """Acknowledges a failure, whose transaction is the INVITE's."""
    return f'<recv response="{code}"/>\n' + _request("ACK", to_tag="[peer_tag_param]")


def cancels(after_ms, rings=False):
    """A caller that cancels its INVITE. Where nothing has been sent on, tm answers the INVITE before the CANCEL."""
    begin = _request("INVITE") + ('<recv response="100" optional="true"/>\n<recv response="180"/>\n' if rings else
                                  '<recv response="100"/>\n')
    cancel = f'<pause milliseconds="{after_ms}"/>\n' + _request("CANCEL")
    cancelled = '<recv response="200"/>\n'
    return _end("cancels", begin, cancel, cancelled + _ack_to(487) if rings else _ack_to(487) + cancelled)


def asks(method, final):
    """A caller that sends its request again until it is answered: it hears no 100."""
    answer = _ack_to(final) if method == "INVITE" else f'<recv response="{final}"/>\n'
    return _end("asks", _request(method, attributes=' retrans="250"'), answer)


def _reply(status, more="", cseq="[last_CSeq:]"):
    return f"""<send><![CDATA[

SIP/2.0 {status}
[last_Via:]
[last_From:]
[last_To:];tag=[pid]t[call_number]
[last_Call-ID:]
{cseq}
{more}Content-Length: 0

]]></send>
"""


RINGS = _end(
    "rings",
    '<recv request="INVITE"/>\n',
    _reply("180 Ringing", "Contact: <sip:callee@[local_ip]:[local_port]>\n"),
    '<recv request="CANCEL"/>\n',
    _reply("200 OK"),
    _reply("487 Request Terminated", cseq="CSeq: 1 INVITE"),
    '<recv request="ACK"/>\n',
)

ANSWERS_OPTIONS = _end("answers", '<recv request="OPTIONS"/>\n', _reply("200 OK"))
