#include "natkit/migrate/proxy_config.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace natkit;
using namespace natkit::migrate;

namespace {

/// "1:2 works trust-address" for each.
std::string brief(const std::vector<Finding>& findings) {
    std::string all;
    for (const Finding& f : findings) {
        all += (all.empty() ? "" : "|") + std::to_string(f.line) + ":" + std::to_string(f.column) + " " +
               to_string(f.verdict) + " " + f.subject;
    }
    return all;
}

std::string messages(const std::vector<Finding>& findings) {
    std::string all;
    for (const Finding& f : findings) all += (all.empty() ? "" : "|") + f.message;
    return all;
}

}  // namespace

TEST_CASE("migrate::examine: what is found in a Kamailio's configuration, and where") {
    struct Case {
        const char* why;
        const char* text;
        const char* want;
    };
    const Case cases[] = {
        {"nothing", "", ""},
        {"nothing of a relay", "route { t_relay(); }", ""},
        {"a call without flags", "rtpengine_manage();", "1:1 works rtpengine_manage()"},
        {"flags, each at its place", "\n rtpengine_manage(\"trust-address  ICE=force\");",
         "2:2 works rtpengine_manage()|2:20 works trust-address|2:35 refused ICE=force"},
        {"what depends, what is ignored, what is misspelt",
         "rtpengine_offer('RTP/AVP no-rtcp-attribute trust-addres');",
         "1:1 works rtpengine_offer()|1:18 depends RTP/AVP|1:26 ignored no-rtcp-attribute|1:44 ignored trust-addres"},
        {"brackets are one flag", "rtpengine_offer(\"codec=[transcode=[PCMA PCMU]] reset\");",
         "1:1 works rtpengine_offer()|1:18 refused codec=[transcode=[PCMA PCMU]]|1:48 works reset"},
        {"codecs of an answer", "rtpengine_answer(\"codec-transcode-PCMA\");",
         "1:1 works rtpengine_answer()|1:19 ignored codec-transcode-PCMA"},
        {"a delete refuses nothing", "rtpengine_delete(\"ICE=force\");",
         "1:1 works rtpengine_delete()|1:19 ignored ICE=force"},
        {"functions that natkit does not have", "start_recording(); rtpengine_info();",
         "1:1 refused start_recording()|1:20 refused rtpengine_info()"},
        {"comments", "# rtpengine_manage()\n// rtpengine_manage()\n/* rtpengine_manage()\n*/ rtpengine_offer()",
         "4:4 works rtpengine_offer()"},
        {"a string is no call", "xlog(\"rtpengine_manage(\\\"reset\\\")\");", ""},
        {"both branches of an ifdef", "#!ifdef A\nrtpengine_offer();\n#!else\nrtpengine_answer();\n#!endif",
         "2:1 works rtpengine_offer()|4:1 works rtpengine_answer()"},
        {"a define, told once where it stands", "#!define F \"ICE=force\"\nrtpengine_offer(F);rtpengine_answer(F);",
         "1:13 refused ICE=force|2:1 works rtpengine_offer()|2:20 works rtpengine_answer()"},
        {"a define of nothing we know", "rtpengine_offer(F);", "1:1 works rtpengine_offer()|1:1 unknown F"},
        {"a substitution", "#!substdef \"!F!ICE=force!\"\nrtpengine_offer(\"reset F\");",
         "2:1 works rtpengine_offer()|2:18 works reset|2:18 refused ICE=force"},
        {"strings that are joined", "rtpengine_offer(\"reset\" + \" ICE=force\");",
         "1:1 works rtpengine_offer()|1:18 works reset|1:29 refused ICE=force"},
        {"a variable with its values",
         "$var(f) = \"reset\"; $var(f) = $var(f) + \" ICE=force\";\nrtpengine_offer(\"$var(f)\");",
         "1:12 works reset|1:42 refused ICE=force|2:1 works rtpengine_offer()"},
        {"a variable from elsewhere", "rtpengine_offer($avp(f));", "1:1 works rtpengine_offer()|1:17 unknown $avp(f)"},
        {"a value that is a variable", "rtpengine_offer(\"label=$var(l) ICE=$var(i) reset\");",
         "1:1 works rtpengine_offer()|1:18 works label=$var(l)|1:32 unknown ICE=$var(i)|1:44 works reset"},
        {"a comparison is no assignment", "if ($var(f) == \"ICE=force\") rtpengine_offer($var(f));",
         "1:29 works rtpengine_offer()|1:45 unknown $var(f)"},
        {"files that are included", "include_file \"a.cfg\"\n#!include_file \"b.cfg\"\nimport_file 'c.cfg'",
         "1:15 unknown a.cfg|2:17 unknown b.cfg|3:14 unknown c.cfg"},
        {"sockets", "modparam(\"rtpengine\", \"rtpengine_sock\", \"1 == udp:127.0.0.1:2223=2 udp:192.0.2.1:22222\")",
         "1:47 change udp:127.0.0.1:2223|1:68 change udp:192.0.2.1:22222"},
        {"a socket by its name",
         "#!define S \"udp:localhost:2223\"\nmodparam(\"rtpengine|rtpproxy\", \"rtpengine_sock\", S)",
         "1:13 change udp:localhost:2223"},
        {"a WebSocket", "modparam(\"rtpengine\", \"rtpengine_sock\", \"ws://192.0.2.1:8080\")",
         "1:42 refused ws://192.0.2.1:8080"},
        {"parameters without meaning here",
         "modparam(\"rtpengine\", \"mos_min_pv\", \"$avp(x)\") modparam(\"rtpengine\", \"ping_interval\", 5)",
         "1:24 ignored mos_min_pv"},
        {"rtpproxy's letters", "rtpproxy_manage(\"cowz20k\");",
         "1:1 works rtpproxy_manage()|1:18 works c|1:19 works o|1:20 works w|1:21 ignored z|1:24 unknown k"},
        {"a string without an end", "rtpengine_offer(\"reset", "1:1 works rtpengine_offer()|1:18 works reset"},
        {"a call without an end", "rtpengine_offer(", "1:1 works rtpengine_offer()"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CHECK(brief(examine(c.text, Proxy::kamailio)) == c.want);
    }
}

TEST_CASE("migrate::examine: OpenSIPS") {
    struct Case {
        const char* why;
        const char* text;
        const char* want;
    };
    const Case cases[] = {
        {"its names", "rtpengine_use_set(2); rtpengine_play_media(\"file=/x\");",
         "1:1 works rtpengine_use_set()|1:23 refused rtpengine_play_media()"},
        {"arguments left out", "rtpengine_offer(\"reset\",,$var(b));", "1:1 works rtpengine_offer()|1:18 works reset"},
        {"rtp_relay", "$rtp_relay = \"ICE=force\"; rtp_relay_engage(\"rtpengine\");",
         "1:15 refused ICE=force|1:27 works rtp_relay_engage()"},
        {"letters of its own", "rtpproxy_offer(\"cokd101\");",
         "1:1 works rtpproxy_offer()|1:17 works c|1:18 works o|1:19 works k|1:20 refused d"},
        {"a Unix socket", "modparam(\"rtpproxy\", \"rtpproxy_sock\", \"unix:/run/rtpproxy.sock\")",
         "1:40 change unix:/run/rtpproxy.sock"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CHECK(brief(examine(c.text, Proxy::opensips)) == c.want);
    }
}

TEST_CASE("migrate::examine: what it says") {
    struct Case {
        const char* why;
        const char* text;
        const char* want;
    };
    const Case cases[] = {
        {"the error-reason that the relay gives", "rtpengine_offer(\"ICE=force\");",
         "rtpengine_offer() works|'ICE=force' is not supported: natkit is no ICE agent, candidates are removed where "
         "it "
         "relays; write ICE=remove"},
        {"the nearest flag", "rtpengine_offer(\"trust-addres\");",
         "rtpengine_offer() works|unknown flag 'trust-addres': ignored; did you mean 'trust-address'?"},
        {"what to change", "modparam(\"rtpengine\", \"rtpengine_sock\", \"udp6:[::1]:2223\")",
         "the line to change: natkit answers there with [ng] listen = [\"udp:[::1]:2223\"] in natkit.toml, once the "
         "other "
         "relay has left that port; or give natkit a port of its own, in both"},
        {"what cannot be told", "rtpengine_offer($avp(f));",
         "rtpengine_offer() works|'$avp(f)' is not in this file: what it stands for cannot be told"},
        {"a function that is refused", "play_media(\"file=x\");",
         "play_media() is not supported: nothing is played; take the call out, or play elsewhere"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CHECK(messages(examine(c.text, Proxy::kamailio)) == c.want);
    }
}
