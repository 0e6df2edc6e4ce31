#include "natkit/dialog/call.hpp"

#include <doctest/doctest.h>

#include <sstream>
#include <string>
#include <vector>

using namespace natkit;
using dialog::AnsweredLine;
using dialog::Call;
using dialog::End;
using dialog::LegChanges;

namespace {

/// "audio video": the m= lines of a description. "-": port 0, "fax": another kind on the line, "+1": carried by line 1.
std::vector<std::string> words(const std::string& text) {
    std::istringstream in(text);
    std::vector<std::string> all;
    for (std::string word; in >> word;) all.push_back(word);
    return all;
}

sdp::Document document(const std::string& lines) {
    std::string text = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";
    const auto all = words(lines);
    std::string group;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (all[i][0] == '+') group = " " + all[i].substr(1) + group + " " + std::to_string(i);
    }
    if (!group.empty()) text += "a=group:BUNDLE" + group + "\r\n";
    for (std::size_t i = 0; i < all.size(); ++i) {
        const bool carried = all[i][0] == '+';
        const std::string port =
            all[i] == "-" ? "0" : std::to_string(4000 + 2 * (carried ? std::stoul(all[i].substr(1)) : i));
        text += all[i] == "fax" ? "m=image " + port + " udptl t38\r\n" : "m=audio " + port + " RTP/AVP 0\r\n";
        text += "a=mid:" + std::to_string(i) + "\r\n";
    }
    return sdp::Document::parse(text).value();
}

/// As who has the legs does it: numbers them, and keeps account of what there is.
struct Owner {
    Call call;
    std::uint64_t named = 0;
    std::uint64_t request = 0;

    void offer(const std::string& lines) {
        const sdp::Document sdp = document(lines);
        call.open({.offerer = End::caller, .owner = ++request, .cseq = 1});
        call.offer_lines(sdp.media().size());
        for (std::size_t i = 0; i < sdp.media().size(); ++i) {
            const sdp::Media& media = sdp.media()[i];
            if (media.rejected()) continue;
            if (media.bundled_with) {
                call.offer_bundled(i, *media.bundled_with, {});
            } else if (!call.offer(i, dialog::describe(sdp, media, true))) {
                call.streams()[i].legs = ++named;
            }
        }
    }
    void answer(const std::string& lines) {
        const sdp::Document sdp = document(lines);
        const auto answered = call.answer_lines(sdp);
        for (std::size_t i = 0; i < answered.size(); ++i) {
            if (answered[i].refused || answered[i].same_as) continue;
            call.streams()[answered[i].carrier].answer(End::callee, dialog::describe(sdp, sdp.media()[i], false));
        }
        call.answered();
    }
    /// The names of the legs by line, 0: none.
    [[nodiscard]] std::string legs() const {
        std::string text;
        for (const dialog::Stream& stream : call.streams())
            text += (text.empty() ? "" : " ") + std::to_string(stream.legs);
        return text;
    }
};

std::string shown(const LegChanges& changes) {
    std::string text = changes.counts ? "counts" : "nothing";
    const auto add = [&](const char* what, const std::vector<std::uint64_t>& legs) {
        if (legs.empty()) return;
        text += std::string("; ") + what;
        for (const std::uint64_t one : legs) text += " " + std::to_string(one);
    };
    add("ended", changes.ended);
    add("agreed", changes.agreed);
    add("undone", changes.undone);
    return text;
}

}  // namespace

TEST_CASE("dialog::Call: which legs go when an exchange is over") {
    struct Case {
        const char* why;
        const char* offered;   ///< in a call of "audio audio" that has the legs 1 and 2
        const char* answered;  ///< empty: not at all; several previews and an answer, by '/'
        const char* closed;
        const char* legs;
        const char* refused;  ///< instead
    };
    const Case cases[] = {
        {"the same again", "audio audio", "audio audio", "counts; agreed 1 2", "1 2", "nothing; undone 1 2"},
        {"no answer", "audio audio", "", "nothing; undone 1 2", "1 2", "nothing; undone 1 2"},
        {"one more", "audio audio audio", "audio audio audio", "counts; agreed 1 2 3", "1 2 3",
         "nothing; ended 3; undone 1 2"},
        {"one more, refused", "audio audio audio", "audio audio -", "counts; ended 3; agreed 1 2", "1 2 0",
         "nothing; ended 3; undone 1 2"},
        {"one is removed", "audio -", "audio -", "counts; ended 2; agreed 1", "1 0", "nothing; undone 1 2"},
        {"an answer with fewer lines", "audio audio", "audio", "counts; ended 2; agreed 1", "1 0",
         "nothing; undone 1 2"},
        {"another kind", "fax audio", "fax audio", "counts; ended 1; agreed 3 2", "3 2",
         "nothing; ended 3; undone 1 2"},
        {"another kind, refused", "fax audio", "- audio", "counts; ended 1 3; agreed 2", "0 2",
         "nothing; ended 3; undone 1 2"},
        {"a preview refuses what the answer takes", "audio audio", "audio -/audio audio", "counts; agreed 1 2", "1 2",
         "nothing; undone 1 2"},
        {"bundled by the offer", "audio +0", "audio +0", "counts; ended 2; agreed 1", "1 0", "nothing; undone 1 2"},
        {"bundled by the answer", "audio audio", "audio +0", "counts; ended 2; agreed 1", "1 0", "nothing; undone 1 2"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        Owner owner;
        owner.offer("audio audio");
        owner.answer("audio audio");
        CHECK(shown(owner.call.close()) == "counts; agreed 1 2");
        owner.offer(c.offered);
        std::istringstream answers(c.answered);
        for (std::string answer; std::getline(answers, answer, '/');) owner.answer(answer);
        Owner other = owner;
        CHECK(shown(owner.call.close()) == c.closed);
        CHECK(owner.legs() == c.legs);
        CHECK_FALSE(owner.call.exchange().pending());
        CHECK(shown(other.call.refuse()) == c.refused);
        CHECK(other.legs() == "1 2");
        CHECK_FALSE(other.call.exchange().pending());
    }
}

TEST_CASE("dialog::Call: which stream's legs carry a line of the answer") {
    struct Case {
        const char* why;
        const char* offered;
        const char* answered;
        std::vector<AnsweredLine> want;
    };
    const Case cases[] = {
        {"each its own", "audio audio", "audio audio", {{false, 0, {}}, {false, 1, {}}}},
        {"by the offer", "audio +0", "audio +0", {{false, 0, {}}, {false, 0, 0}}},
        {"the answer has a port each, and keeps to what was offered",
         "audio +0",
         "audio audio",
         {{false, 0, {}}, {false, 0, 0}}},
        {"by the answer", "audio audio", "audio +0", {{false, 0, {}}, {false, 0, 0}}},
        {"the carrier's own line is refused", "audio +0", "- audio", {{true, 0, {}}, {false, 0, {}}}},
        {"refused", "audio audio", "- -", {{true, 0, {}}, {true, 0, {}}}},
        {"lines that were not offered", "audio", "audio audio", {{false, 0, {}}}},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        Owner owner;
        owner.offer(c.offered);
        CHECK(owner.call.answer_lines(document(c.answered)) == c.want);
    }
}

TEST_CASE("dialog::Call: a stream whose carrier's own line is refused keeps the legs") {
    Owner owner;
    owner.offer("audio +0");
    owner.answer("- audio");
    CHECK(shown(owner.call.close()) == "counts; agreed 1");
    CHECK(owner.legs() == "1 0");
    CHECK(owner.call.streams()[1].shares == 0);
}

TEST_CASE("dialog::Call: streams that are lost, and all") {
    Owner owner;
    owner.offer("audio audio");
    owner.answer("audio audio");
    (void)owner.call.close();
    owner.offer("fax audio");
    Owner other = owner;
    CHECK(owner.call.lose(0) == std::vector<std::uint64_t>{3, 1});
    CHECK(shown(owner.call.refuse()) == "nothing; undone 2");
    CHECK(owner.legs() == "0 2");
    CHECK(other.call.lose_all() == std::vector<std::uint64_t>{3, 1, 2});
    CHECK(other.legs() == "0 0");
    CHECK(other.call.lose(7).empty());
}

TEST_CASE("dialog::Call: an offer that will come again leaves everything as it is") {
    Owner owner;
    owner.offer("audio");
    owner.call.suspend();
    CHECK_FALSE(owner.call.exchange().pending());
    CHECK(owner.legs() == "1");
    owner.offer("audio");
    CHECK(owner.legs() == "1");
}
