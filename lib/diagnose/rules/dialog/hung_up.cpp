#include <algorithm>
#include <array>
#include <string_view>

#include "../wording.hpp"
#include "natkit/base/text.hpp"
#include "natkit/diagnose/table.hpp"

/// Calls that somebody ended for the want of media, and said so.
namespace natkit::diagnose {
namespace {

constexpr auto wants = std::to_array<std::string_view>(
    {"timeout", "time out", "time-out", "timed out", "inactiv", "broken", "missing", "lost", "not received"});

/// By its Reason: "MEDIA_TIMEOUT" (FreeSWITCH), "Broken connection", "RTP inactivity", "No RTP" (border controllers).
bool blames_media(const Request& bye) {
    const std::string said = text::lower(bye.reason);
    const auto has = [&](std::string_view words) { return said.find(words) != std::string::npos; };
    if (has("broken connection") || has("no rtp") || has("no media")) return true;
    return (has("rtp") || has("media")) && std::ranges::any_of(wants, has);
}

}  // namespace

bool ended_for_want_of_media(const Case& one, Findings& findings) {
    const auto& requests = one.call().requests;
    const auto bye = std::ranges::find_if(
        requests, [](const Request& request) { return request.method == "BYE" && blames_media(request); });
    if (bye == requests.end()) return false;
    findings.add({.cause = Cause::hung_up,
                  .hears_nothing = bye->sender,
                  .sentence = name_at_start(bye->sender) + " hears nothing: it ended the call at " +
                              tenths(one.at(bye->first_ns)) + " (BYE, frame " + std::to_string(bye->frame) +
                              ") for the want of media, as its Reason says (\"" + bye->reason + "\").",
                  .change = "Capture at " + to_string(bye->source.address) +
                            ", and at what is behind it: media does not get in there, or not to the port where it is "
                            "expected. The time-out is a setting (FreeSWITCH: media_timeout, media_hold_timeout; "
                            "Asterisk: rtptimeout, rtpholdtimeout), and a longer one only hides it.",
                  .confidence = Confidence::seen,
                  .harmless = false,
                  .frames = {bye->frame},
                  .from_s = one.at(bye->first_ns)});
    return false;
}

}  // namespace natkit::diagnose
