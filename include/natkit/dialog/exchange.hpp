#pragma once

#include <cstdint>
#include <optional>

#include "natkit/dialog/end.hpp"

namespace natkit::dialog {

/// A session description that waits for its answer.
struct Offer {
    End offerer{};
    std::uint64_t owner = 0;   ///< whatever names the request that carries it, or whose response does; not 0
    std::uint32_t cseq = 0;    ///< of that request; its ACK has the same
    bool in_response = false;  ///< the request had none: the answer comes in a PRACK or an ACK

    friend bool operator==(const Offer&, const Offer&) = default;
};

/// What a description in a message is.
enum class Role : std::uint8_t {
    offer,
    answer,
    neither,  ///< it repeats what was said: a copy that comes late, or one that nobody asked for
    glare,    ///< an offer that crosses the other end's: 491 (RFC 3261 section 14.1, RFC 3311 section 5.2)
    too_many  ///< an offer before the end's own last one is answered: 500 (RFC 3261 section 14.2)
};

/// Offers and answers between the two ends of a dialog, or of a branch that may become one (RFC 3264): which
/// description is which follows from the messages that carry them (RFC 3261 section 13.2.1, RFC 3262 section 5,
/// RFC 3311; RFC 6337 section 2 has the table). One offer is open at a time. What it would change is pending: an answer
/// takes effect at once, as media may flow from then on, and counts when the exchange is closed; until then a failure
/// takes it back. Pure.
class Exchange {
  public:
    Exchange() = default;
    /// As pending() and answered() told of another one.
    Exchange(std::optional<Offer> pending, bool answered) noexcept : pending_(pending), answered_(answered) {}

    // --- what a description would be, if it came now
    /// In a request. `prack`: which may answer the offer of a reliable response; an ACK is asked of in_ack().
    [[nodiscard]] Role in_request(End from, bool prack) const noexcept;
    /// In a provisional response or a 2xx to the request `owner`. `may_offer`: to an INVITE that had none, whose To-tag
    /// has not offered yet.
    [[nodiscard]] Role in_response(End from, std::uint64_t owner, bool may_offer) const noexcept;
    /// In the ACK of the INVITE with this CSeq.
    [[nodiscard]] Role in_ack(End from, std::uint32_t cseq) const noexcept;

    // --- what happens
    /// Whether an offer may be opened: none is open, or the same one that nobody could answer comes again.
    [[nodiscard]] bool may_open(const Offer& offer) const noexcept;
    /// Opens it in place of whatever is open.
    void open(const Offer& offer) noexcept;
    /// The open offer has an answer, so far: one in an unreliable response is repeated by the final one.
    void answer() noexcept { answered_ = true; }
    /// The exchange is over. True: it had an answer, and counts; false: what it changed is to be taken back.
    bool close() noexcept;

    /// The open offer, or nothing.
    [[nodiscard]] const std::optional<Offer>& pending() const noexcept { return pending_; }
    /// Whether it has an answer, so far.
    [[nodiscard]] bool answered() const noexcept { return answered_; }
    [[nodiscard]] bool owned_by(std::uint64_t owner) const noexcept { return pending_ && pending_->owner == owner; }
    /// Whether its final response closes it: not where the answer is still to come, in a PRACK or an ACK.
    [[nodiscard]] bool closed_by_response_to(std::uint64_t owner) const noexcept {
        return owned_by(owner) && !pending_->in_response;
    }

    friend bool operator==(const Exchange&, const Exchange&) = default;

  private:
    std::optional<Offer> pending_;
    bool answered_ = false;
};

}  // namespace natkit::dialog
