#include "natkit/dialog/exchange.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace natkit::dialog;

namespace {

constexpr std::uint64_t invite = 7;
constexpr std::uint64_t update = 8;
constexpr std::uint32_t cseq = 1;

const char* name(Role role) {
    constexpr const char* names[] = {"offer", "answer", "neither", "glare", "too_many"};
    return names[static_cast<std::size_t>(role)];
}

/// A message with a description, as one line of a call flow. The caller sends the INVITE.
struct Step {
    enum Kind : std::uint8_t { request, prack, response, ack } kind;
    End from;
    std::uint64_t of;  ///< the request that it is, or is the response to
    bool final;        ///< reliable, of a response: a 2xx, or a provisional one with 100rel
    Role role;
};

/// As a proxy does with each message: what it is; what follows from that.
void play(const std::string& what, bool invite_offers, const std::vector<Step>& steps) {
    CAPTURE(what);
    Exchange exchange;
    bool offered = false;  // by the callee's one To-tag
    for (std::size_t i = 0; i < steps.size(); ++i) {
        CAPTURE(i);
        const Step& step = steps[i];
        const bool late = step.kind == Step::response && step.of == invite && !invite_offers && !offered;
        const Role role = step.kind == Step::response ? exchange.in_response(step.from, step.of, late)
                          : step.kind == Step::ack    ? exchange.in_ack(step.from, cseq)
                                                      : exchange.in_request(step.from, step.kind == Step::prack);
        CHECK(name(role) == std::string(name(step.role)));
        if (role == Role::offer) {
            const Offer offer{step.from, step.of, cseq, step.kind == Step::response};
            CHECK(exchange.may_open(offer));
            exchange.open(offer);
            offered = offered || (step.kind == Step::response && step.final);
        } else if (role == Role::answer) {
            exchange.answer();
            const bool closes = step.kind != Step::response || (step.final && exchange.closed_by_response_to(step.of));
            if (closes) CHECK(exchange.close());
        }
    }
    CHECK_FALSE(exchange.pending().has_value());
}

}  // namespace

TEST_CASE("dialog::Exchange: the patterns of RFC 6337 table 1, and what is neither offer nor answer") {
    using enum Step::Kind;
    const End caller = End::caller;
    const End callee = End::callee;
    play("1: INVITE, 2xx", true,
         {{request, caller, invite, false, Role::offer}, {response, callee, invite, true, Role::answer}});
    play("2: 2xx, ACK", false,
         {{response, callee, invite, true, Role::offer}, {ack, caller, invite, false, Role::answer}});
    play("3: INVITE, reliable 1xx; the 2xx repeats it", true,
         {{request, caller, invite, false, Role::offer},
          {response, callee, invite, true, Role::answer},
          {response, callee, invite, true, Role::neither}});
    play("4: reliable 1xx, PRACK", false,
         {{response, callee, invite, true, Role::offer}, {prack, caller, 9, false, Role::answer}});
    play("5: PRACK, its 2xx", true,
         {{request, caller, invite, false, Role::offer},
          {response, callee, invite, true, Role::answer},
          {prack, caller, 9, false, Role::offer},
          {response, callee, 9, true, Role::answer}});
    play("6: UPDATE, its 2xx, by either end", true,
         {{request, caller, invite, false, Role::offer},
          {response, callee, invite, true, Role::answer},
          {request, callee, update, false, Role::offer},
          {response, caller, update, true, Role::answer}});
    play("a preview in an unreliable 1xx, repeated by the 2xx", true,
         {{request, caller, invite, false, Role::offer},
          {response, callee, invite, false, Role::answer},
          {response, callee, invite, true, Role::answer}});
    play("glare: an UPDATE crosses the offer", true,
         {{request, caller, invite, false, Role::offer},
          {request, callee, update, false, Role::glare},
          {response, callee, invite, true, Role::answer}});
    play("an UPDATE of who has offered already", true,
         {{request, caller, invite, false, Role::offer},
          {request, caller, update, false, Role::too_many},
          {response, callee, invite, true, Role::answer}});
    play("a PRACK does not answer the offer of an INVITE", true,
         {{request, caller, invite, false, Role::offer},
          {prack, callee, 9, false, Role::glare},
          {response, callee, invite, true, Role::answer}});
    play("a copy of a late offer that is answered", false,
         {{response, callee, invite, true, Role::offer},
          {ack, caller, invite, false, Role::answer},
          {response, callee, invite, true, Role::neither},
          {ack, caller, invite, false, Role::neither}});
    play("a description in the response to another request", true,
         {{request, caller, invite, false, Role::offer},
          {response, callee, update, true, Role::neither},
          {response, callee, invite, true, Role::answer}});
}

TEST_CASE("dialog::Exchange: what is refused is taken back; an offer may come again before it is answered") {
    Exchange exchange;
    const Offer offer{End::caller, invite, cseq, false};
    exchange.open(offer);
    CHECK(exchange.may_open(offer));
    CHECK_FALSE(exchange.may_open({End::caller, update, cseq, false}));
    CHECK_FALSE(exchange.may_open({End::callee, invite, cseq, false}));
    CHECK(exchange.owned_by(invite));
    CHECK_FALSE(exchange.owned_by(update));
    CHECK_FALSE(exchange.close());  // never answered
    CHECK_FALSE(exchange.owned_by(invite));
    exchange.open(offer);
    exchange.answer();
    CHECK_FALSE(exchange.may_open(offer));
    CHECK(exchange.close());
    CHECK_FALSE(exchange.close());  // counts once
}

TEST_CASE("dialog::Exchange: a response does not close an exchange whose answer is still to come") {
    Exchange exchange;
    exchange.open({End::callee, invite, cseq, true});
    CHECK_FALSE(exchange.closed_by_response_to(invite));
    CHECK(exchange.in_ack(End::caller, cseq) == Role::answer);
    CHECK(exchange.in_ack(End::caller, cseq + 1) == Role::neither);
    CHECK(exchange.in_ack(End::callee, cseq) == Role::neither);
}
