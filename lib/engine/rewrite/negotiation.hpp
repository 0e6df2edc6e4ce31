#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

#include "natkit/sip/message.hpp"

/// Offers and answers of a call, as its SIP messages show them to who sees each once on its way (RFC 3261, 3262, 3264,
/// 3311, 6337). Pure: the state goes in and comes out, so that another process can go on from it.
namespace natkit::rewrite {

/// What must be known of a call from one message to the next. Bounded: a tag that is long or not plain, and every
/// branch, is kept as a fingerprint.
struct CallState {
    std::string first_tag;                 ///< of the party on side 0: who described its media first
    std::string peer_tag;                  ///< of the other end of the dialog that a 2xx established last
    bool established = false;              ///< a 2xx has come
    std::set<std::string> branches;        ///< of the first INVITE, those without a final response; at most 64
    std::string late_offer;                ///< the exchange of an INVITE that came without an offer
    std::string late_answer;               ///< the transaction of the PRACK that answered it
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
    std::size_t side = 0;       ///< of who sent it
    std::string sender_tag;     ///< in From or To
    std::string exchange;       ///< the offer and answer that its description is part of
    std::string transaction;    ///< tells a description from one that was taken before
    bool negotiates = false;    ///< one whose description is an offer or an answer
    bool offers = false;        ///< its description is an offer; else an answer
    bool concludes = false;     ///< its description is the answer that counts: of a 2xx, ACK or PRACK
    bool repeated = false;      ///< its description was taken before
    bool establishes = false;   ///< the first 2xx: what earlier exchanges came to is agreed
    bool other_dialog = false;  ///< of a branch that lost: the legs belong to the dialog that was established
    Outcome outcome = Outcome::none;
};

/// Whether the message may change the legs of its call, or needs them.
[[nodiscard]] bool concerns_media(const sip::Message& message);

/// Reads one message of the call and brings its state up to date, but for `described`, which follows when the
/// description has been taken. `has_legs`: those of an earlier message are there, so there was a description before.
[[nodiscard]] Reading read(CallState& state, const sip::Message& message, bool has_legs);

}  // namespace natkit::rewrite
