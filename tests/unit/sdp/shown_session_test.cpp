#include "natkit/sdp/shown_session.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace natkit;
using namespace natkit::sdp;

namespace {

/// A description of these words, with one line that may differ.
std::string said(const char* origin, const char* name = "call", const char* port = "4000") {
    return "v=0\r\no=" + std::string(origin) + " IN IP4 203.0.113.10\r\ns=" + name +
           "\r\nc=IN IP4 203.0.113.10\r\nt=0 0\r\nm=audio " + port + " RTP/AVP 0\r\ns=not of the session\r\n";
}

}  // namespace

TEST_CASE("sdp::keep_session: what the party knows stays, the version goes up with a change") {
    struct Step {
        std::string in;
        std::string out;
    };
    struct Case {
        const char* why;
        SessionKeeping keeping;
        std::vector<Step> steps;
    };
    const Case cases[] = {
        {"nothing is asked for", {}, {{said("a 1 7"), said("a 1 7")}, {said("b 2 3", "x"), said("b 2 3", "x")}}},
        {"the version: not with its own changes alone",
         {.version = true},
         {{said("- 1 7"), said("- 1 7")},
          {said("- 1 7"), said("- 1 7")},
          {said("- 1 9"), said("- 1 7")},
          {said("- 1 9", "call", "4002"), said("- 1 8", "call", "4002")},
          {said("- 1 1", "call", "4002"), said("- 1 8", "call", "4002")},
          {said("- 2 1", "call", "4002"), said("- 2 9", "call", "4002")}}},
        {"one digit more",
         {.version = true},
         {{said("- 1 9"), said("- 1 9")}, {said("- 1 9", "x"), said("- 1 10", "x")}}},
        {"in any case",
         {.increment = true},
         {{said("- 1 7"), said("- 1 7")}, {said("- 1 7"), said("- 1 8")}, {said("- 1 3"), said("- 1 9")}}},
        {"the user name",
         {.user_name = true},
         {{said("anna 1 7"), said("anna 1 7")}, {said("bob 2 8"), said("anna 2 8")}}},
        {"the session's name",
         {.session_name = true},
         {{said("- 1 7", "x"), said("- 1 7", "x")}, {said("- 1 8", ""), said("- 1 8", "x")}}},
        {"all of it",
         {.user_name = true, .session_id = true, .session_name = true, .version = true},
         {{said("anna 1 7", "x"), said("anna 1 7", "x")},
          {said("bob 2 100", "y"), said("anna 1 7", "x")},
          {said("bob 2 100", "y", "4002"), said("anna 1 8", "x", "4002")}}},
        {"no good o=: as it is",
         {.version = true},
         {{said("- 1 7"), said("- 1 7")}, {said("- 1 one"), said("- 1 one")}, {said("- 1 9"), said("- 1 7")}}},
        {"no s=",
         {.session_name = true},
         {{said("- 1 7", "x"), said("- 1 7", "x")}, {"o=- 1 7 IN IP4 192.0.2.1", "o=- 1 7 IN IP4 192.0.2.1"}}},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        std::optional<ShownSession> shown;
        for (const Step& step : c.steps) CHECK(keep_session(step.in, c.keeping, shown) == step.out);
    }
}

TEST_CASE("sdp::keep_session: long words are not remembered") {
    std::optional<ShownSession> shown;
    const std::string text = said((std::string(300, 'a') + " 1 7").c_str());
    CHECK(keep_session(text, {.version = true}, shown) == text);
    CHECK_FALSE(shown);
}
