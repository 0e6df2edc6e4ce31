#include "natkit/ng/branch.hpp"

#include <doctest/doctest.h>

using namespace natkit;
using namespace natkit::ng;
using dialog::End;

namespace {

BranchNames branch(const char* offerer, std::vector<std::string> answerers, const char* via = "") {
    const bool answered = !answerers.empty();
    return {.offerer = offerer, .answerers = std::move(answerers), .via_branch = via, .answered = answered};
}

Request request(const char* from, const char* to, const char* via = "") {
    Request made;
    made.from_tag = from;
    made.to_tag = to;
    made.via_branch = via;
    return made;
}

std::string text(const std::vector<Spoken>& spoken) {
    std::string all;
    for (const Spoken& each : spoken)
        all += std::to_string(each.branch) + (each.end == End::caller ? "caller " : "callee ");
    return all;
}

std::string text(const std::vector<Removed>& removed) {
    std::string all;
    for (const Removed& each : removed) all += std::to_string(each.branch) + each.answerer + " ";
    return all;
}

}  // namespace

TEST_CASE("ng: which branch an offer renews") {
    struct Case {
        const char* why;
        std::vector<BranchNames> branches;
        Request offer;
        const char* want;
    };
    const Case cases[] = {
        {"the first of a call begins one", {}, request("a", ""), ""},
        {"the same one comes again", {branch("a", {})}, request("a", ""), "0caller "},
        {"another branch of the same call begins one", {branch("a", {}, "z1")}, request("a", "", "z2"), ""},
        {"a re-INVITE of the caller", {branch("a", {"b"})}, request("a", "b"), "0caller "},
        {"a re-INVITE of the callee", {branch("a", {"b"})}, request("b", "a"), "0callee "},
        {"with tags nobody knows it begins one", {branch("a", {"b"})}, request("a", "c"), ""},
        {"the branch of Via of a re-INVITE means nothing",
         {branch("a", {"b"}, "z1")},
         request("a", "b", "z9"),
         "0caller "},
        {"a call that comes through twice: the later pass first",
         {branch("a", {"b"}, "z1"), branch("a", {"b"}, "z2")},
         request("b", "a"),
         "1callee 0callee "},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CHECK(text(find_offers(c.branches, c.offer)) == c.want);
    }
}

TEST_CASE("ng: which offer an answer answers") {
    struct Case {
        const char* why;
        std::vector<BranchNames> branches;
        Request answer;
        const char* want;
    };
    const Case cases[] = {
        {"no call", {}, request("a", "b"), ""},
        {"the one that nobody has answered", {branch("a", {})}, request("a", "b"), "0callee "},
        {"another offerer's is not answered", {branch("x", {})}, request("a", "b"), ""},
        {"of two branches the one with that branch of Via",
         {branch("a", {}, "z1"), branch("a", {}, "z2")},
         request("a", "b", "z1"),
         "0callee 1callee "},
        {"without it the last that nobody has answered",
         {branch("a", {"b"}, "z1"), branch("a", {}, "z2")},
         request("a", "c"),
         "1callee 0callee "},
        {"a fork: another to-tag for the one offer", {branch("a", {"b"})}, request("a", "c"), "0callee "},
        {"the callee's re-INVITE is answered by the caller", {branch("a", {"b"})}, request("b", "a"), "0caller "},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CHECK(text(find_answers(c.branches, c.answer)) == c.want);
    }
}

TEST_CASE("ng: what a delete takes away") {
    const std::vector<BranchNames> forked{branch("a", {"b", "c", "d"})};
    const std::vector<BranchNames> parallel{branch("a", {"b"}, "z1"), branch("a", {}, "z2"), branch("a", {"d"}, "z3")};
    struct Case {
        const char* why;
        std::vector<BranchNames> branches;
        Request removal;
        const char* want;
    };
    const Case cases[] = {
        {"without from-tag all of the call", parallel, request("", ""), "0 1 2 "},
        {"without to-tag the branch of Via comes first", parallel, request("a", "", "z2"), "1 "},
        {"without to-tag and with a branch that nobody knows (a BYE): the from-tag",
         {branch("a", {"b"}, "z1")},
         request("a", "", "z9"),
         "0 "},
        {"the same of the callee", {branch("a", {"b"}, "z1")}, request("b", "", "z9"), "0 "},
        {"the to-tag comes before the branch of Via", parallel, request("a", "d", "z1"), "2 "},
        {"one answerer of a fork, others stay", forked, request("a", "c"), "0c "},
        {"the callee's BYE, with both tags", forked, request("c", "a"), "0c "},
        {"a to-tag that nobody knows: the branch of Via", parallel, request("a", "x", "z2"), "1 "},
        {"and without that, what the from-tag offered and nobody answered", parallel, request("a", "x"), "1 "},
        {"CANCEL: all that the caller has offered", parallel, request("a", ""), "0 1 2 "},
        {"nothing matches, and one dialog is left: that one", {branch("a", {"b"})}, request("x", "y"), "0 "},
        {"nothing matches, and there are several", forked, request("x", "y"), ""},
        {"a fork's phone that never answered is busy: the one that did goes on",
         {branch("a", {"b"})},
         request("a", "x"),
         ""},
        {"there is none", {}, request("a", "b"), ""},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CHECK(text(find_removed(c.branches, c.removal)) == c.want);
    }
}
