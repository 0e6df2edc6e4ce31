#include "natkit/ng/flags.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <set>
#include <string>

using namespace natkit;
using namespace natkit::ng;

TEST_CASE("ng::find_flag: the nearest entry of the table") {
    struct Case {
        const char* why;
        const char* word;
        const char* name;  ///< null: none
    };
    const Case cases[] = {
        {"as it is written", "trust-address", "trust-address"},
        {"spaces, underscores, case", "SIP_source Address", "SIP-source-address"},
        {"a value of its own before any value", "ICE=remove", "ICE=remove"},
        {"any other value", "ICE=lite", "ICE=*"},
        {"the longer beginning", "OSRTP-offer-legacy", "OSRTP-offer-*"},
        {"the shorter one", "OSRTP-accept", "OSRTP-*"},
        {"T38 without the dot", "t38-decode", "T.38-decode"},
        {"a beginning alone is nothing", "codec-strip-", nullptr},
        {"a key alone is nothing", "media-address", nullptr},
        {"nothing", "", nullptr},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const Flag* flag = find_flag(c.word);
        CHECK((flag == nullptr) == (c.name == nullptr));
        if (flag != nullptr && c.name != nullptr) CHECK(flag->name == c.name);
    }
}

TEST_CASE("ng::flags: the table of natkit-migrating(7) is this one") {
    std::ifstream page(NATKIT_SOURCE_DIR "/man/natkit-migrating.7");
    std::string text{std::istreambuf_iterator<char>(page), {}};
    REQUIRE_FALSE(text.empty());
    std::size_t at = text.find(".Ss Flags of rtpengine\n");
    for (const Flag& flag : flags()) {
        CAPTURE(flag.name);
        const std::string row = ".It Li " + std::string(flag.name) + " Ta " + to_string(flag.support) + " Ta " +
                                std::string(flag.remark) + "\n";
        const std::size_t found = text.find(row, at);
        REQUIRE_MESSAGE(found != std::string::npos, "no such row, or not in this order: " << row);
        CHECK_MESSAGE(text.substr(at, found - at).find(" Ta ") == std::string::npos, "a row too many before " << row);
        at = found + row.size();
    }
    CHECK(text.find(" Ta ", at) == std::string::npos);
}

TEST_CASE("ng::flags: each once, each with a remark") {
    std::set<std::string> seen;
    for (const Flag& flag : flags()) {
        CAPTURE(flag.name);
        CHECK(seen.insert(fold(flag.name)).second);
        CHECK_FALSE(flag.remark.empty());
        CHECK_MESSAGE((flag.set == nullptr || flag.support == Support::supported), "what is set is supported");
    }
}
