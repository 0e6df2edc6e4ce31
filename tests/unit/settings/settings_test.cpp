#include <doctest/doctest.h>

#include "natkit/config/config.hpp"
#include "natkit/settings/change.hpp"
#include "natkit/settings/confirmation.hpp"
#include "natkit/settings/edit.hpp"
#include "natkit/settings/line_diff.hpp"
#include "natkit/settings/table.hpp"

using namespace natkit;
using namespace std::chrono_literals;
using settings::Kind;
using settings::Value;

namespace {

constexpr WallTime noon{std::chrono::hours(12)};

std::expected<config::Loaded, config::Problems> read(std::string_view text) {
    return config::parse(text, "natkit.toml", "/etc/natkit", {});
}

}  // namespace

TEST_CASE("settings: every row of the table is a key of natkit.toml, and its choices are all taken") {
    const auto defaults = read("");
    REQUIRE(defaults.has_value());
    const std::string printed = config::to_toml(defaults->config);
    for (const settings::Page& page : settings::pages()) {
        for (const settings::Setting& setting : page.settings) {
            CAPTURE(setting.section);
            CAPTURE(setting.key);
            CHECK(setting.section.starts_with(page.name));
            CHECK(setting.help.ends_with('.'));
            CHECK((setting.kind == Kind::list) == !setting.of.empty());
            CHECK((setting.kind == Kind::choice) == !setting.choices.empty());
            const auto value = settings::value_in(printed, setting.section, setting.key);
            CHECK(value.has_value() == (setting.host_default.empty() || setting.section == "media_proxy.addresses"));
            if (!value) continue;
            const auto fitted = settings::fitted(setting, *value);
            REQUIRE(fitted.has_value());
            const auto text = settings::set_value("", setting.section, setting.key, *fitted);
            REQUIRE(text.has_value());
            CHECK(read(*text).has_value());
            for (const std::string_view choice : setting.choices) {
                const auto chosen = settings::set_value("", setting.section, setting.key, std::string(choice));
                REQUIRE(chosen.has_value());
                CHECK(read(*chosen).has_value());
            }
        }
    }
}

TEST_CASE("settings: what natkit lives by, paths, users and open doors are not in the table") {
    for (const char* section : {"daemon", "web", "control", "tls", "log", "hep", "ng", "limits"}) {
        for (const settings::Page& page : settings::pages()) CHECK(page.name != section);
    }
    for (const char* key : {"users", "open", "state"}) CHECK(settings::find("registrar", key) == nullptr);
    CHECK(settings::find("media_proxy", "workers") == nullptr);
    CHECK(settings::find("network", "nat_servers") != nullptr);
}

TEST_CASE("settings::with_changes: values in any form, and what is refused") {
    struct {
        const char* why;
        settings::Change change;
        const char* after;  ///< null: refused
    } const cases[] = {
        {"the guide's form",
         {"network", "nat_servers", "203.0.113.64-203.0.113.79 ; the office\r\n; all of it\n198.51.100.7"},
         "[network]\nnat_servers = [\"203.0.113.64-203.0.113.79\", \"198.51.100.7\"]\n"},
        {"the guide's form an entry",
         {"network", "lan", std::vector<std::string>{" 10.0.0.0/8 ; here", ""}},
         "[network]\nlan = [\"10.0.0.0/8\"]\n"},
        {"a number as a text", {"pinger", "clients_limit", "7"}, "[pinger]\nclients_limit = 7\n"},
        {"a switch as a text",
         {"media_proxy", "source_port_restriction", "false"},
         "[media_proxy]\nsource_port_restriction = false\n"},
        {"a text as a number", {"media_proxy", "tos", std::int64_t{184}}, "[media_proxy]\ntos = \"184\"\n"},
        {"a default that is there", {"pinger", "method", std::nullopt}, ""},
        {"not a number", {"pinger", "clients_limit", "many"}, nullptr},
        {"not a list", {"network", "lan", true}, nullptr},
        {"a key that is no page's", {"registrar", "open", true}, nullptr},
        {"a section that is no page's", {"daemon", "user", "root"}, nullptr},
    };
    for (const auto& c : cases) {
        CAPTURE(c.why);
        const auto after = settings::with_changes("", std::span(&c.change, 1));
        REQUIRE(after.has_value() == (c.after != nullptr));
        if (after) {
            CHECK(*after == c.after);
        } else {
            CHECK(after.error().code == Errc::bad_input);
        }
    }
}

TEST_CASE("settings::summary: names what differs") {
    CHECK(settings::summary("", "") == "nothing");
    CHECK(settings::summary("", "# c\n") == "other parts of the file");
    CHECK(settings::summary("[pinger]\nmethod = \"crlf\"\n", "[pinger]\nmethod = \"options\"\n[network]\nlan = []\n") ==
          "network.lan, pinger.method");
}

TEST_CASE("settings::with_changes: comments of a list take the place of those in the file where they are asked for") {
    const char* const before = "[network]\nnat_servers = [\n  \"10.0.0.1\", # one\n]\n";
    const auto with = [&](const char* list, bool comments) {
        const settings::Change change{.section = "network", .key = "nat_servers", .value = list, .comments = comments};
        return settings::with_changes(before, {&change, 1}).value();
    };
    CHECK(with("10.0.0.1\n10.0.0.2", false) ==
          "[network]\nnat_servers = [\n  \"10.0.0.1\", # one\n  \"10.0.0.2\",\n]\n");
    CHECK(with("10.0.0.1\n10.0.0.2 ; two", true) ==
          "[network]\nnat_servers = [\n  \"10.0.0.1\",\n  \"10.0.0.2\",  # two\n]\n");
    CHECK(settings::summary(before, with("10.0.0.1 ; uno", true)) == "network.nat_servers (comments)");
}

TEST_CASE("settings::line_diff: a unified difference") {
    struct {
        const char* why;
        const char* before;
        const char* after;
        const char* want;
    } const cases[] = {
        {"the same", "a\n", "a\n", ""},
        {"a line between others", "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n",
         "--- a\n+++ b\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n"},
        {"from nothing", "", "1\n", "--- a\n+++ b\n@@ -0,0 +1 @@\n+1\n"},
        {"no line break at the end", "1", "1\n", "--- a\n+++ b\n@@ -1 +1 @@\n-1\n\\ No newline at end of file\n+1\n"},
        {"two apart", "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "0\n2\n3\n4\n5\n6\n7\n8\n0\n",
         "--- a\n+++ b\n@@ -1,4 +1,4 @@\n-1\n+0\n 2\n 3\n 4\n@@ -6,4 +6,4 @@\n 6\n 7\n 8\n-9\n+0\n"},
        {"two near each other", "1\n2\n3\n4\n5\n6\n7\n8\n", "0\n2\n3\n4\n5\n6\n7\n0\n",
         "--- a\n+++ b\n@@ -1,8 +1,8 @@\n-1\n+0\n 2\n 3\n 4\n 5\n 6\n 7\n-8\n+0\n"},
    };
    for (const auto& c : cases) {
        CAPTURE(c.why);
        CHECK(settings::line_diff(c.before, c.after, "a", "b") == c.want);
    }
}

TEST_CASE("settings::Confirmation: undone unless the same session confirms within a minute") {
    settings::Confirmation change;
    CHECK(change.may_begin().has_value());
    CHECK(change.confirm("s1", noon).error().code == Errc::not_found);
    change.begin(3, "s1", "admin", noon);
    CHECK(change.left(noon + 20s) == 40s);
    CHECK(change.may_begin().error().code == Errc::refused);
    CHECK(!change.on_time(noon + 59s));
    CHECK(change.confirm("s2", noon + 10s).error().code == Errc::refused);
    CHECK(change.confirm("s1", noon + 10s)->version == 3);
    CHECK(!change.pending());
    CHECK(!change.on_time(noon + 61s));

    change.begin(4, "s1", "admin", noon);
    CHECK(change.confirm("s1", noon + 60s).error().code == Errc::not_found);
    const auto over = change.on_time(noon + 60s);
    REQUIRE(over.has_value());
    CHECK(over->version == 4);
    CHECK(!change.on_time(noon + 61s));

    change.begin(5, "s1", "admin", noon);
    CHECK(change.undo()->version == 5);
    CHECK(change.undo().error().code == Errc::not_found);
}

TEST_CASE("settings::Confirmation: the time goes on across a restart, and a clock put back does not lengthen it") {
    const settings::Pending left{.version = 7, .by = "s1", .who = "admin", .until = noon + 60s};
    settings::Confirmation late(left);
    CHECK(late.on_time(noon + 90s)->version == 7);
    settings::Confirmation soon(left);
    CHECK(!soon.on_time(noon + 30s));
    CHECK(soon.left(noon - 24h) == settings::Confirmation::limit);
    CHECK(soon.confirm("s1", noon + 30s).has_value());
}
