#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

#include "natkit/dialog/observed_exchange.hpp"
#include "natkit/sip/message/message.hpp"

/// What a SIP message means for the media of its call: which offer or answer it has, and what has become of the call.
/// Pure: the state goes in and comes out, so that another process can go on from it.
namespace natkit::rewrite {

/// What must be known of a call from one message to the next. Bounded: a tag that is long or not plain, and every
/// branch, is kept as a fingerprint.
struct CallState {
    std::string first_tag;                 ///< of the party on side 0: who described its media first
    std::string peer_tag;                  ///< of the other end of the dialog that a 2xx established last
    bool established = false;              ///< a 2xx has come
    std::set<std::string> branches;        ///< of the first INVITE, those without a final response; at most 64
    dialog::ObservedExchange offers;       ///< its End::caller is side 0
    std::array<std::string, 2> described;  ///< by side: the last transaction whose description was taken

    friend bool operator==(const CallState&, const CallState&) = default;
};

/// What became of an exchange, or of the call.
enum class Outcome : std::uint8_t {
    none,
    accepted,     ///< the offer, by a 2xx without a description: its answer came before
    rolled_back,  ///< the offer was refused: all is as before it (RFC 3261 section 14.1)
    ended,        ///< BYE, or the last branch of the INVITE was refused
};

/// One message, read.
struct Reading {
    std::size_t side = 0;    ///< of who sent it
    std::string sender_tag;  ///< in From or To
    std::uint64_t exchange =
        0;                    ///< the offer and answer that it is part of, named by the request; see ObservedExchange
    std::string transaction;  ///< tells a description from one that was taken before
    bool negotiates = false;  ///< one whose description may be an offer or an answer
    dialog::Role role = dialog::Role::neither;  ///< offer, answer or neither
    bool concludes = false;                     ///< its description is the answer that counts: of a 2xx, ACK or PRACK
    bool nothing_new = false;                   ///< its description was taken before, or is neither
    bool establishes = false;                   ///< the first 2xx: what earlier exchanges came to is agreed
    bool other_dialog = false;  ///< of a branch that lost: the legs belong to the dialog that was established
    Outcome outcome = Outcome::none;

    [[nodiscard]] bool offers() const noexcept { return role == dialog::Role::offer; }
};

/// Whether the message may change the legs of its call, or needs them.
[[nodiscard]] bool concerns_media(const sip::Message& message);

/// Reads one message of the call and brings its state up to date, but for `described`, which follows when the
/// description has been taken. `has_legs`: those of an earlier message are there, so there was a description before.
[[nodiscard]] Reading read(CallState& state, const sip::Message& message, bool has_legs);

}  // namespace natkit::rewrite
