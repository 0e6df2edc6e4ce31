#pragma once

#include "natkit/nat/classify.hpp"
#include "natkit/sdp/direction.hpp"

/// Who connects to whom in a TCP stream (RFC 4145 section 4) that may go over a relay. Pure.
///
/// A relay is a party of its own to each end: it connects to one that listens, and listens for one that connects. So
/// the roles on its two sides need not match, and both ends may be those that connect.
namespace natkit::loop {

/// The two ends of an exchange, and whether a relay is between them.
struct Between {
    nat::Place offerer{};
    nat::Place answerer{};
    bool relayed = false;
};

/// What the one that is asked is shown for what the offerer said. `actpass` over a relay makes a far-end party the one
/// that connects, as nobody can connect to it: both of them, if both are.
[[nodiscard]] sdp::Setup shown_offer(sdp::Setup offered, const Between& between) noexcept;

/// What the offerer is shown for `answered`; over a relay an answer to what it said, whatever the other one was shown.
[[nodiscard]] sdp::Setup shown_answer(sdp::Setup offered, sdp::Setup answered, const Between& between) noexcept;

/// What is left to do for the one that is shown this answer.
[[nodiscard]] constexpr sdp::Setup left_by(sdp::Setup shown) noexcept {
    switch (shown) {
        case sdp::Setup::active: return sdp::Setup::passive;
        case sdp::Setup::passive: return sdp::Setup::active;
        case sdp::Setup::actpass:
        case sdp::Setup::holdconn: break;
    }
    return shown;
}

}  // namespace natkit::loop
