#include "natkit/diagnose/table.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "made_calls.hpp"

using namespace natkit::diagnose;

namespace {

/// The list under CAUSES in natclassify(1): ".It Li word", and what it means, a sentence a line.
std::vector<std::string> causes_of_the_page() {
    std::ifstream page(NATKIT_SOURCE_DIR "/man/natclassify.1");
    std::vector<std::string> lines;
    bool inside = false;
    for (std::string line; std::getline(page, line);) {
        if (line.starts_with(".Sh ")) inside = line == ".Sh CAUSES";
        if (inside && line.starts_with(".It Li ")) {
            lines.push_back(line.substr(7) + ":");
        } else if (inside && !line.starts_with(".") && !lines.empty()) {
            lines.back() += " " + line;
        }
    }
    return lines;
}

}  // namespace

TEST_CASE("diagnose: natclassify(1) has the words of the table of causes") {
    std::vector<std::string> rows;
    for (const CauseRow& row : causes) rows.push_back(std::string(row.word) + ": " + row.meaning);
    CHECK(causes_of_the_page() == rows);
}

TEST_CASE("diagnose: a healthy call has no finding, with a relay and without") {
    CallFacts direct = direct_call();
    direct.rtp = {rtp(caller_media, callee_media), rtp(callee_media, caller_media, 50, 2)};
    CHECK(found(direct).empty());
    CallFacts relayed = relayed_call();
    relayed.rtp = {rtp(caller_media, relay_to_caller), rtp(relay_to_callee, callee_media),
                   rtp(callee_media, relay_to_callee, 40, 2), rtp(relay_to_caller, caller_media, 40, 2)};
    CHECK(found(relayed).empty());
    const Diagnosis result = diagnose(relayed);
    REQUIRE(result.streams.size() == 1);
    CHECK(result.streams[0].kind == "audio");
    CHECK(result.streams[0].to_callee.sent == 50);
    CHECK(result.streams[0].to_callee.relayed);
    CHECK(result.streams[0].to_caller.arrived == 40);
    CHECK(result.streams[0].to_caller.told == endpoint(relay_to_callee));
    CHECK(result.media_seen);
}

TEST_CASE("diagnose: a stream that one party rejects is not judged") {
    MediaDescription answer = audio(callee_media);
    answer.rejected = true;
    CallFacts facts = direct_call(audio(caller_media), answer);
    facts.rtp = {rtp(caller_media, callee_media)};
    CHECK(found(facts).empty());
    CHECK(diagnose(facts).streams.empty());
}

TEST_CASE("diagnose: the same cause for the same party is told once, however many streams it concerns") {
    CallFacts facts = direct_call();
    for (SessionDescription& one : facts.call.descriptions) one.streams.push_back(one.streams[0]);
    for (SessionDescription& one : facts.call.descriptions) one.streams[1].rtp->port += 100;
    facts.rtp = {rtp(caller_media, callee_media), rtp("203.0.113.9:4100", "203.0.113.20:4102")};
    CHECK(found(facts) == "nothing-sent caller");
}
