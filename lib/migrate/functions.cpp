#include "functions.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace natkit::migrate {
namespace {

using enum Verdict;
using enum Argument;

constexpr std::string_view as_ever = "works";
constexpr std::string_view no_recording = "is not supported: nothing is recorded; take the call out";
constexpr std::string_view no_blocking = "is not supported: media and DTMF pass unchanged; take the call out";
constexpr std::string_view no_playing = "is not supported: nothing is played; take the call out, or play elsewhere";
constexpr std::string_view no_copies = "is not supported: media pass between the parties and nowhere else";

constexpr std::array functions{
    Function{"rtpengine_manage", offer_flags, works, as_ever},
    Function{"rtpengine_offer", offer_flags, works, as_ever},
    Function{"rtpengine_answer", answer_flags, works, as_ever},
    Function{"rtpengine_delete", other_flags, works, as_ever},
    Function{"rtpengine_destroy", other_flags, works, as_ever},
    Function{"rtpengine_query", other_flags, works, as_ever},
    Function{"rtpengine_query_v", nothing, works, as_ever},
    Function{"set_rtpengine_set", nothing, works, as_ever},
    Function{"rtpengine_use_set", nothing, works, as_ever},
    Function{"rtpengine_info", nothing, refused,
             "is not supported: candidates are removed where natkit relays; take the call out"},
    Function{"start_recording", nothing, refused, no_recording},
    Function{"stop_recording", nothing, refused, no_recording},
    Function{"rtpengine_start_recording", nothing, refused, no_recording},
    Function{"rtpengine_stop_recording", nothing, refused, no_recording},
    Function{"rtpengine_pause_recording", nothing, refused, no_recording},
    Function{"block_dtmf", nothing, refused, no_blocking},
    Function{"unblock_dtmf", nothing, refused, no_blocking},
    Function{"block_media", nothing, refused, no_blocking},
    Function{"unblock_media", nothing, refused, no_blocking},
    Function{"silence_media", nothing, refused, no_blocking},
    Function{"unsilence_media", nothing, refused, no_blocking},
    Function{"rtpengine_block_dtmf", nothing, refused, no_blocking},
    Function{"rtpengine_unblock_dtmf", nothing, refused, no_blocking},
    Function{"rtpengine_block_media", nothing, refused, no_blocking},
    Function{"rtpengine_unblock_media", nothing, refused, no_blocking},
    Function{"play_media", nothing, refused, no_playing},
    Function{"stop_media", nothing, refused, no_playing},
    Function{"play_dtmf", nothing, refused, no_playing},
    Function{"rtpengine_play_media", nothing, refused, no_playing},
    Function{"rtpengine_stop_media", nothing, refused, no_playing},
    Function{"rtpengine_play_dtmf", nothing, refused, no_playing},
    Function{"start_forwarding", nothing, refused, no_copies},
    Function{"stop_forwarding", nothing, refused, no_copies},
    Function{"rtpengine_start_forwarding", nothing, refused, no_copies},
    Function{"rtpengine_stop_forwarding", nothing, refused, no_copies},
    Function{"rtpengine_connect", nothing, refused, no_copies},
    Function{"rtpengine_subscribe_request", nothing, refused, no_copies},
    Function{"rtpengine_subscribe_answer", nothing, refused, no_copies},
    Function{"rtpengine_unsubscribe", nothing, refused, no_copies},
    Function{"rtp_relay_engage", nothing, works, as_ever},
    Function{"rtpproxy_manage", letters, works, as_ever},
    Function{"rtpproxy_offer", letters, works, as_ever},
    Function{"rtpproxy_answer", letters, works, as_ever},
    Function{"rtpproxy_engage", letters, works, as_ever},
    Function{"engage_rtp_proxy", letters, works, as_ever},
    Function{"force_rtp_proxy", letters, works, as_ever},
    Function{"rtpproxy_destroy", letters, works, as_ever},
    Function{"rtpproxy_unforce", nothing, works, as_ever},
    Function{"unforce_rtp_proxy", letters, works, as_ever},
    Function{"set_rtp_proxy_set", nothing, works, as_ever},
    Function{"rtpproxy_stats", nothing, works, as_ever},
    Function{"rtpproxy_all_stats", nothing, refused, "is not supported: see natkit's own metrics; take the call out"},
    Function{"rtpproxy_start_recording", nothing, refused, no_recording},
    Function{"rtpproxy_stream2uac", nothing, refused, no_playing},
    Function{"rtpproxy_stream2uas", nothing, refused, no_playing},
    Function{"rtpproxy_stop_stream2uac", nothing, refused, no_playing},
    Function{"rtpproxy_stop_stream2uas", nothing, refused, no_playing},
};

constexpr std::string_view from_database = "the sockets are in the database: change them there";
constexpr std::array parameters{
    Parameter{"rtpengine", "rtpengine_sock", change, {}},
    Parameter{"rtpproxy", "rtpproxy_sock", change, {}},
    Parameter{"rtpengine", "db_url", unknown, from_database},
    Parameter{"rtpproxy", "db_url", unknown, from_database},
    Parameter{"rtpengine", "wsapi", refused, "natkit is not spoken to over WebSocket; write a udp: socket"},
    Parameter{"rtpengine", "dtmf_event*", ignored, "natkit tells of no DTMF"},
    Parameter{"rtpengine", "event_callback", ignored, "natkit tells of no DTMF"},
    Parameter{"rtpengine", "notification_sock", ignored, "natkit tells of no events"},
    Parameter{"rtpengine", "mos_*", ignored, "natkit gives no MOS; its own counters are in `natkit calls`"},
    Parameter{"rtpproxy", "timeout_socket", ignored, "natkit tells no proxy of time-outs"},
    Parameter{"rtpproxy", "timeout_tag_pv", ignored, "natkit tells no proxy of time-outs"},
    Parameter{"rtpproxy", "rtpp_notify_socket", ignored, "natkit tells no proxy of time-outs"},
    Parameter{"rtpproxy", "ice_candidate_priority_avp", ignored, "rtpproxy does not touch candidates, nor does natkit"},
};

constexpr std::string_view by_the_module = "done by the proxy's own module";
constexpr std::string_view a_bridge = "i is the LAN side, e the other";
constexpr std::array letters_of_both{
    Letter{'1', works, by_the_module},
    Letter{'2', works, by_the_module},
    Letter{'3', works, by_the_module},
    Letter{'a', works, "where media come from is never learned"},
    Letter{'b', works, by_the_module},
    Letter{'c', works, by_the_module},
    Letter{'e', works, a_bridge},
    Letter{'f', works, by_the_module},
    Letter{'i', works, a_bridge},
    Letter{'l', works, by_the_module},
    Letter{'o', works, by_the_module},
    Letter{'r', works, "media go to the address in the description"},
    Letter{'t', works, by_the_module},
    Letter{'w', works, "media come from one address both ways: the default"},
    Letter{'x', works, "IPv4 and IPv6 are bridged"},
    Letter{'z', ignored, "packets pass as they are"},
};
constexpr std::array letters_of_opensips{
    Letter{'d', refused, "is not supported: DTMF passes unchanged, and natkit tells of none; leave it out"},
    Letter{'k', works, by_the_module},
    Letter{'n', ignored, "natkit tells no proxy of time-outs"},
    Letter{'s', works, "media come from one address both ways: the default"},
};

const Letter* find_in(std::span<const Letter> letters, char letter) noexcept {
    const auto found = std::ranges::find(letters, letter, &Letter::letter);
    return found == letters.end() ? nullptr : &*found;
}

}  // namespace

const Function* find_function(std::string_view name) noexcept {
    const auto* found = std::ranges::find(functions, name, &Function::name);
    return found == functions.end() ? nullptr : found;
}

const Parameter* find_parameter(std::string_view module, std::string_view name) noexcept {
    const auto matches = [&](const Parameter& parameter) {
        if (parameter.module != module) return false;
        if (!parameter.name.ends_with('*')) return parameter.name == name;
        return name.starts_with(parameter.name.substr(0, parameter.name.size() - 1));
    };
    const auto* found = std::ranges::find_if(parameters, matches);
    return found == parameters.end() ? nullptr : found;
}

const Letter* find_letter(char letter, Proxy proxy) noexcept {
    if (const Letter* own = proxy == Proxy::opensips ? find_in(letters_of_opensips, letter) : nullptr) return own;
    return find_in(letters_of_both, letter);
}

}  // namespace natkit::migrate
