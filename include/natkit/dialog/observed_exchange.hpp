#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "natkit/dialog/exchange.hpp"

namespace natkit::dialog {

/// A message of a dialog, as far as it has to do with offers and answers. Not of interest: a failure.
struct ObservedMessage {
    enum class Kind : std::uint8_t {
        invite,
        prack,
        ack,
        other_request,    ///< UPDATE
        invite_response,  ///< provisional or 2xx
        other_response,   ///< likewise
    };
    Kind kind{};
    End from{};              ///< who sent it
    std::uint32_t cseq = 0;  ///< the number; an ACK has that of its INVITE (RFC 3261 section 17.1.1.3)
    bool described = false;  ///< it has a session description
    std::uint64_t fork = 0;  ///< of a response to the INVITE that may fork: stands for its To-tag; else 0
};

/// What kind a message with that method (of a response, in its CSeq) is; nothing: neither offers nor answers come in it
/// (RFC 3261 section 13.2.1, RFC 3262 section 5, RFC 3311 section 5.1).
[[nodiscard]] std::optional<ObservedMessage::Kind> kind_of_message(std::string_view method, bool request) noexcept;

/// Offers and answers as they look to who sees the messages of a dialog go by and can refuse none: a message may come
/// again, as a retransmission or on its next hop, and means the same then; and some may never be seen. So an offer
/// always opens. One that it crosses waits: both ends refuse in such a case (491), or one of them is accepted. Pure.
class ObservedExchange {
  public:
    /// All that it knows, for who keeps it.
    struct State {
        Exchange exchange = {};                      ///< the one of the last offer
        std::optional<Offer> crossed = {};           ///< the offer that was open, and not answered, when that one came
        std::optional<std::uint64_t> late = {};      ///< the last INVITE that came without an offer
        std::optional<std::uint64_t> answerer = {};  ///< the PRACK or the ACK that answered what came instead
        std::uint64_t fork = 0;                      ///< whose exchange it is; 0: not known

        friend bool operator==(const State&, const State&) = default;
    };

    ObservedExchange() = default;
    explicit ObservedExchange(const State& state) noexcept : state_(state) {}
    [[nodiscard]] const State& state() const noexcept { return state_; }

    /// What its description is, offer, answer or neither; neither for a message without one. Never refuses.
    Role observe(const ObservedMessage& message) noexcept;
    /// The INVITE of that end had no offer. Of one that is not seen, who observes must know.
    void expect_late_offer(End requester, std::uint32_t cseq) noexcept;
    /// A failure of that end's request, on all of its branches: its offer is taken back.
    void refuse(End requester, std::uint32_t cseq) noexcept;

    /// What names a request: an end counts its requests in a dialog (RFC 3261 section 12.2.1.1). Never 0.
    [[nodiscard]] static constexpr std::uint64_t name(End requester, std::uint32_t cseq) noexcept {
        return (std::uint64_t{cseq} << 2U) | (std::uint64_t{index(requester)} << 1U) | 1U;
    }

    friend bool operator==(const ObservedExchange&, const ObservedExchange&) = default;

  private:
    Role open(const Offer& offer) noexcept;
    Role on_request(const ObservedMessage& message) noexcept;
    Role on_response(const ObservedMessage& message) noexcept;
    void follow_fork(const Offer& of_invite, std::uint64_t fork) noexcept;
    Role answered_by(std::uint64_t request) noexcept;

    State state_;
};

}  // namespace natkit::dialog
