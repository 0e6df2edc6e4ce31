#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "natkit/base/error.hpp"
#include "natkit/base/ip.hpp"
#include "natkit/ng/value.hpp"
#include "natkit/sdp/shown_session.hpp"

namespace natkit::ng {

enum class Command : std::uint8_t { ping, offer, answer, remove, query, list, statistics };

[[nodiscard]] const char* to_string(Command command) noexcept;  ///< "ping", …; remove is "delete"

/// Which address of a party counts until its packets are seen.
enum class Trust : std::uint8_t {
    description,  ///< `trust-address`, the default: c= of its session description
    source,       ///< `SIP-source-address`: where its message came from (`received-from`)
};

/// `rtcp-mux-…`, each by itself.
struct MuxWishes {
    bool offer = false;    ///< the answerer is offered mux though the offerer has not
    bool require = false;  ///< the same, and no fallback
    bool demux = false;    ///< the answerer is not offered mux though the offerer has
    bool accept = false;   ///< the offerer is answered mux though the answerer has not
    bool reject = false;   ///< the offerer is not answered mux

    friend bool operator==(const MuxWishes&, const MuxWishes&) = default;
};

/// What the flags and keys of an offer or answer ask for. What cannot be met is in `refusal`.
struct Wishes {
    Trust trust = Trust::description;
    bool asymmetric = false;     ///< never learn where packets come from
    bool strict_source = false;  ///< one source alone once it is learned
    bool reset = false;          ///< what was learned is forgotten
    bool loop_protect = false;
    bool replace_origin = false;
    bool replace_zero_address = false;
    sdp::SessionKeeping keeps = {};  ///< what the other end is shown of o= and s=
    std::vector<std::string> direction =
        {};  ///< the offerer's interface and the answerer's (one may be empty), or none
    std::optional<IpAddress> media_address = std::nullopt;
    std::optional<Family> family = std::nullopt;  ///< of what the other end is shown
    std::optional<std::uint8_t> tos = std::nullopt;
    std::string protocol = {};  ///< `transport-protocol`, upper case; empty: as it is
    MuxWishes mux = {};

    friend bool operator==(const Wishes&, const Wishes&) = default;
};

/// One request, whatever it came in. Keys and flags that mean nothing here are in `warnings`, each with the nearest
/// known one.
struct Request {
    Command command{};
    std::string call_id;
    std::string from_tag;
    std::string to_tag;
    std::string via_branch;
    std::string label;
    std::string sdp;
    std::optional<IpAddress> received_from;
    std::optional<std::chrono::seconds> delete_delay;
    bool load_limit = false;        ///< `supports` has "load limit"
    std::optional<unsigned> limit;  ///< of `list`
    Wishes wishes;
    std::string refusal;                ///< the first wish that cannot be met, as `error-reason`; empty: all can
    std::vector<std::string> warnings;  ///< "unknown flag 'trust-addres': ignored; did you mean 'trust-address'?"
};

/// Reads a request. Space equals hyphen in keys and flags, case does not matter in flags, the last of repeated keys
/// counts where both mean something. `rtpp-flags`, a raw string in OpenSIPS' or Kamailio's words, is read as if its
/// flags were keys. The error is what `error-reason` says, in rtpengine's own words where it has any ("No call-id in
/// message", "Unrecognized command"); nothing of it is done.
[[nodiscard]] Result<Request> read_request(const Dictionary& message);

}  // namespace natkit::ng
