#include "natkit/cluster/owner.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace natkit;
using namespace natkit::cluster;

namespace {

using Fields = std::vector<std::pair<std::string_view, std::string_view>>;

const Fields good = {{"version", "1"},
                     {"epoch", "7"},
                     {"node", "edge-a"},
                     {"state", "natkit:g:state:edge-a:3"},
                     {"stream", "natkit:g:stream:edge-a"},
                     {"after", "1700000000000-2"},
                     {"number", "3"}};

Fields with(std::string_view name, std::string_view value) {
    Fields fields = good;
    for (auto& field : fields) {
        if (field.first == name) field.second = value;
    }
    return fields;
}

}  // namespace

TEST_CASE("cluster::parse_owner: what natkit-cluster wrote, and nothing that it did not") {
    const auto owner = parse_owner(good);
    REQUIRE(owner);
    CHECK(**owner == Owner{.version = 1,
                           .epoch = 7,
                           .node = "edge-a",
                           .state = "natkit:g:state:edge-a:3",
                           .stream = "natkit:g:stream:edge-a",
                           .after = {.ms = 1700000000000, .number = 2}});
    CHECK_FALSE(*parse_owner({}));
    CHECK((*parse_owner(with("state", "")))->state.empty());
    struct Case {
        const char* why;
        std::string_view field;
        std::string_view value;
        Errc want;
    };
    const std::string long_name(65, 'n');
    const Case cases[] = {
        {"a newer format", "version", "2", Errc::refused},
        {"no number", "epoch", "seven", Errc::bad_input},
        {"a number that is too large", "epoch", "99999999999999999999999", Errc::bad_input},
        {"no name", "node", "", Errc::bad_input},
        {"bytes that no name has", "node", "edge\na", Errc::bad_input},
        {"too long a name", "node", long_name, Errc::bad_input},
        {"no stream", "stream", "", Errc::bad_input},
        {"no id of an entry", "after", "1700000000000", Errc::bad_input},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const auto bad = parse_owner(with(c.field, c.value));
        REQUIRE_FALSE(bad);
        CHECK(bad.error().code == c.want);
        CHECK(bad.error().where == c.field);
    }
}

TEST_CASE("cluster::StreamId: the ids of Redis") {
    CHECK(StreamId::parse("1700000000000-2") == StreamId{.ms = 1700000000000, .number = 2});
    CHECK(to_string(StreamId{.ms = 5, .number = 6}) == "5-6");
    CHECK(StreamId{.ms = 5, .number = 6} < StreamId{.ms = 5, .number = 7});
    for (const char* bad : {"", "5", "-", "5-", "-5", "5-6-7", "5-x", "18446744073709551615-0"})
        CHECK_FALSE(StreamId::parse(bad));
}

TEST_CASE("cluster::Names: of the group, so that several can use one Redis") {
    const Names names("g", "edge-a");
    CHECK(names.owner == "natkit:g:owner");
    CHECK(names.stream == "natkit:g:stream:edge-a");
    CHECK(names.state(3) == "natkit:g:state:edge-a:3");
    const Names several = Names::of_several("g", "edge-a");
    CHECK(several.owner == "natkit:g:owner:edge-a");
    CHECK(several.lease() == "natkit:g:lease:edge-a");
    CHECK(several.stream == names.stream);
}
