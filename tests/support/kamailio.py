"""Kamailio as another site's server: a registrar and proxy for users of pbx.example.net with passwords, with Path or without; or a
plain proxy that sends calls on."""
import shutil
import sys

import lab

DOMAIN, PASSWORD = "pbx.example.net", "secret"
CONFIG = """
debug=2
log_stderror=yes
children=2
auto_aliases=no
{listen}
tcp_children=2
tcp_connection_lifetime=3
alias="{domain}"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "siputils.so"
loadmodule "textops.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
modparam("registrar", "use_path", {path})
modparam("registrar", "path_mode", {path_mode})
modparam("registrar", "max_expires", 600)
modparam("registrar", "min_expires", 5)
modparam("auth", "nonce_expire", 300)
request_route {{
    if (!mf_process_maxfwd_header("20")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
    if (has_totag()) {{
        if (loose_route()) {{ t_relay(); exit; }}
        if (is_method("ACK")) {{ if (t_check_trans()) t_relay(); exit; }}
        sl_send_reply("404", "Not here"); exit;
    }}
    if (is_method("REGISTER")) {{
        if (!pv_www_authenticate("{domain}", "{password}", "0")) {{ www_challenge("{domain}", "1"); exit; }}
        save("location"); exit;
    }}
    if (is_method("INVITE") && $fd == "{domain}") {{
        if (!pv_proxy_authenticate("{domain}", "{password}", "0")) {{ proxy_challenge("{domain}", "1"); exit; }}
        consume_credentials();
    }}
    record_route();
    if ($rd == "{domain}") {{
        if (!lookup("location")) {{ sl_send_reply("404", "Not Found"); exit; }}
        t_relay(); exit;
    }}
    $du = "sip:{outwards};transport={transport}";
    t_relay();
}}
"""
PROXY = """
debug=2
log_stderror=yes
children=2
auto_aliases=no
listen=udp:{address}:5060
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "siputils.so"
loadmodule "textops.so"
request_route {{
    if (!mf_process_maxfwd_header("20")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
    if (has_totag()) {{
        if (loose_route()) {{ t_relay(); exit; }}
        if (is_method("ACK")) {{ if (t_check_trans()) t_relay(); exit; }}
        sl_send_reply("404", "Not here"); exit;
    }}
    record_route();
    {users}
    sl_send_reply("404", "Not Found");
}}
"""


def needed():
    """Ends the test as skipped where there is no Kamailio."""
    if shutil.which("kamailio", path="/usr/sbin:/usr/bin:/usr/local/sbin") is None:
        print("skipped: kamailio is not installed (tools/packages.txt, section test)")
        sys.exit(77)


def start(host, outwards, path=True, transport="udp", path_mode=1):
    """`path_mode` of its registrar: 0 keeps Path in silence, 1 tells who says that it knows Path, 2 refuses others. With "tcp" it speaks that with the edge, and ends a connection that is silent for three seconds."""
    listen = "\n".join(f"listen={one}:{host.address}:5060" for one in sorted({"udp", transport}))
    return _run(host, CONFIG.format(address=host.address, domain=DOMAIN, password=PASSWORD, outwards=outwards, path=int(path), path_mode=path_mode,
                                    transport=transport, listen=listen))


def start_proxy(host, users):
    """Sends a call for one of its users (name -> (Request-URI, "ip:port" of the next hop)) on, and stays on the route."""
    rules = "".join(f'if ($rU == "{name}") {{ $ru = "{uri}"; $du = "sip:{hop}"; t_relay(); exit; }}\n    ' for name, (uri, hop) in users.items())
    return _run(host, PROXY.format(address=host.address, users=rules))


def _run(host, config):
    folder = host.lab.folder / f"kamailio-{host.name}"
    folder.mkdir()
    (folder / "kamailio.cfg").write_text(config)
    program = host.start("kamailio", "kamailio", "-DD", "-E", "-f", folder / "kamailio.cfg", "-w", folder, "-Y", folder,
                         "-m", "32", "-M", "4")
    lab.wait_until(lambda: [e for e, _ in host.sockets() if e == f"{host.address}:5060"], "kamailio to listen")
    return program
