#include "natkit/dialog/observed_exchange.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "natkit/base/text.hpp"

using namespace natkit;
using namespace natkit::dialog;

namespace {

/// "A INVITE 1 sdp", "B INVITE 1 200 sdp", "B INVITE 1 200 sdp fork=2": from whom, method, CSeq; of a response its
/// status.
struct Line {
    ObservedMessage message;
    int status = 0;

    explicit Line(std::string_view text) {
        std::vector<std::string_view> words;
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t end = std::min(text.find(' ', at), text.size());
            words.push_back(text.substr(at, end - at));
            at = end + 1;
        }
        const auto number = [](std::string_view word) { return text::parse_number(word, 1000); };
        const std::size_t more = words.size() > 3 && number(words[3]) ? 4 : 3;
        if (more == 4) status = static_cast<int>(*number(words[3]));
        message.kind = kind_of_message(words[1], status == 0).value();
        message.from = words[0] == "A" ? End::caller : End::callee;
        message.cseq = static_cast<std::uint32_t>(number(words[2]).value());
        for (std::size_t i = more; i < words.size(); ++i) {
            if (words[i] == "sdp") message.described = true;
            if (words[i].starts_with("fork=")) message.fork = number(words[i].substr(5)).value();
        }
    }
};

std::string take(ObservedExchange& exchange, const Line& line) {
    if (line.status >= 300) {
        exchange.refuse(other(line.message.from), line.message.cseq);
        return "refused";
    }
    constexpr const char* names[] = {"offer", "answer", "neither", "glare", "too_many"};
    return names[static_cast<std::size_t>(exchange.observe(line.message))];
}

struct Step {
    const char* message;
    const char* want;
};

struct Case {
    const char* why;
    std::vector<Step> steps;
};

}  // namespace

TEST_CASE("dialog::ObservedExchange: what descriptions are, to who can refuse none and sees each message twice") {
    const Case cases[] = {
        {"RFC 6337 pattern 1; a copy of the answer that comes after a new offer says nothing any more",
         {{"A INVITE 1 sdp", "offer"},
          {"B INVITE 1 183 sdp", "answer"},
          {"B INVITE 1 200 sdp", "answer"},
          {"A ACK 1", "neither"},
          {"B INVITE 1 sdp", "offer"},
          {"B INVITE 1 200 sdp", "neither"},
          {"A INVITE 1 200 sdp", "answer"}}},
        {"the ACK of an INVITE that had an offer answers nothing",
         {{"A INVITE 1 sdp", "offer"}, {"B INVITE 1 200 sdp", "answer"}, {"A ACK 1 sdp", "neither"}}},
        {"pattern 2: the offer in the 2xx, the answer in its ACK",
         {{"A INVITE 1", "neither"},
          {"B INVITE 1 200 sdp", "offer"},
          {"A ACK 1 sdp", "answer"},
          {"A UPDATE 2 sdp", "offer"},
          {"B INVITE 1 200 sdp", "neither"},
          {"A ACK 1 sdp", "neither"},
          {"B UPDATE 2 200 sdp", "answer"}}},
        {"pattern 4: a reliable 183, its PRACK; the next PRACK offers; what follows says it once more",
         {{"A INVITE 1", "neither"},
          {"B INVITE 1 183 sdp", "offer"},
          {"A PRACK 2 sdp", "answer"},
          {"A PRACK 3 sdp", "offer"},
          {"B PRACK 3 200 sdp", "answer"},
          {"A PRACK 2 sdp", "neither"},
          {"B INVITE 1 200 sdp", "neither"},
          {"A ACK 1 sdp", "neither"}}},
        {"patterns 3 and 6: an UPDATE before the 2xx, which repeats what the 183 said",
         {{"A INVITE 1 sdp", "offer"},
          {"B INVITE 1 183 sdp", "answer"},
          {"B UPDATE 1 sdp", "offer"},
          {"A UPDATE 1 200 sdp", "answer"},
          {"B INVITE 1 200 sdp", "neither"}}},
        {"glare: the UPDATE is refused, the INVITE is not",
         {{"A INVITE 2 sdp", "offer"},
          {"B UPDATE 1 sdp", "offer"},
          {"A UPDATE 1 491", "refused"},
          {"B INVITE 2 200 sdp", "answer"}}},
        {"glare: the INVITE is answered before the UPDATE is refused",
         {{"A INVITE 2 sdp", "offer"},
          {"B UPDATE 1 sdp", "offer"},
          {"B INVITE 2 200 sdp", "answer"},
          {"A UPDATE 1 491", "refused"},
          {"A UPDATE 3 sdp", "offer"},
          {"B UPDATE 3 200 sdp", "answer"}}},
        {"both are refused",
         {{"A INVITE 2 sdp", "offer"},
          {"B UPDATE 1 sdp", "offer"},
          {"B INVITE 2 491", "refused"},
          {"A UPDATE 1 491", "refused"},
          {"B INVITE 2 200 sdp", "neither"}}},
        {"an offer whose end was not seen, and the next one",
         {{"A INVITE 1 sdp", "offer"}, {"A INVITE 2 sdp", "offer"}, {"B INVITE 2 200 sdp", "answer"}}},
        {"a late offer that the ACK does not answer",
         {{"A INVITE 1", "neither"},
          {"B INVITE 1 200 sdp", "offer"},
          {"A ACK 1", "neither"},
          {"B UPDATE 1 sdp", "offer"}}},
        {"a repeated ACK does not answer the next INVITE without an offer",
         {{"A INVITE 1", "neither"},
          {"B INVITE 1 200 sdp", "offer"},
          {"A ACK 1 sdp", "answer"},
          {"A INVITE 2", "neither"},
          {"A ACK 1 sdp", "neither"},
          {"B INVITE 2 200 sdp", "offer"},
          {"A ACK 1 sdp", "neither"},
          {"A ACK 2 sdp", "answer"}}},
        {"an offer is answered while an INVITE without one waits",
         {{"A INVITE 2", "neither"},
          {"B UPDATE 1 sdp", "offer"},
          {"A UPDATE 1 200 sdp", "answer"},
          {"B INVITE 2 200 sdp", "offer"},
          {"A ACK 2 sdp", "answer"}}},
        {"each branch of a fork answers for itself, and by UPDATE in between",
         {{"A INVITE 1 sdp", "offer"},
          {"B INVITE 1 183 sdp fork=1", "answer"},
          {"A UPDATE 2 sdp", "offer"},
          {"B UPDATE 2 200 sdp", "answer"},
          {"B INVITE 1 183 sdp fork=1", "neither"},
          {"B INVITE 1 200 sdp fork=2", "answer"}}},
        {"each branch of a fork offers for itself",
         {{"A INVITE 1", "neither"},
          {"B INVITE 1 183 sdp fork=1", "offer"},
          {"A PRACK 2 sdp", "answer"},
          {"B INVITE 1 200 sdp fork=2", "offer"},
          {"A ACK 1 sdp", "answer"}}},
        {"descriptions that nobody asked for",
         {{"A INVITE 1 sdp", "offer"},
          {"B INVITE 1 200 sdp", "answer"},
          {"A UPDATE 2", "neither"},
          {"B UPDATE 2 200 sdp", "neither"}}},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        ObservedExchange exchange;
        for (const Step& step : c.steps) {
            CAPTURE(step.message);
            const Line line(step.message);
            CHECK(take(exchange, line) == step.want);
            const ObservedExchange once = exchange;
            CHECK(take(exchange, line) == step.want);
            CHECK(exchange == once);
            exchange = ObservedExchange(exchange.state());  // another process goes on
        }
    }
}

TEST_CASE("dialog::ObservedExchange: an INVITE without an offer that was not seen") {
    ObservedExchange exchange;
    exchange.expect_late_offer(End::caller, 1);
    CHECK(take(exchange, Line("B INVITE 1 200 sdp")) == "offer");
    CHECK(take(exchange, Line("A ACK 1 sdp")) == "answer");
}

TEST_CASE("dialog::kind_of_message: which carry offers and answers") {
    CHECK(kind_of_message("UPDATE", true) == ObservedMessage::Kind::other_request);
    CHECK(kind_of_message("ACK", true) == ObservedMessage::Kind::ack);
    for (const char* method : {"ACK"}) CHECK_FALSE(kind_of_message(method, false));
    for (const char* method : {"BYE", "OPTIONS", "MESSAGE", ""}) {
        CHECK_FALSE(kind_of_message(method, true));
        CHECK_FALSE(kind_of_message(method, false));
    }
}
