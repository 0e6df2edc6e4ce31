#include <doctest/doctest.h>

#include "natkit/settings/edit.hpp"

using namespace natkit;
using settings::Value;

namespace {

using List = std::vector<std::string>;

struct Case {
    const char* why;
    const char* before;
    const char* section;
    const char* key;
    Value value;
    const char* after;
};

}  // namespace

TEST_CASE("settings::set_value: the bytes of one value change, and no other") {
    const Case cases[] = {
        {"a text", "[pinger]\nmethod = \"crlf\" # why\n", "pinger", "method", "options",
         "[pinger]\nmethod = \"options\" # why\n"},
        {"its quotes stay", "[pinger]\nmethod='crlf'\n", "pinger", "method", "options", "[pinger]\nmethod='options'\n"},
        {"quotes that cannot hold it", "[a]\nk = 'x'\n", "a", "k", "it's", "[a]\nk = \"it's\"\n"},
        {"a text of several lines", "[a]\nk = \"\"\"\nx \\\"\"\" y\"\"\" # c\nz = 1\n", "a", "k", "b",
         "[a]\nk = \"b\" # c\nz = 1\n"},
        {"a switch", "[media_proxy]\nsource_port_restriction = true\n", "media_proxy", "source_port_restriction", false,
         "[media_proxy]\nsource_port_restriction = false\n"},
        {"a number", "[pinger]\nclients_limit = 10_000\t# many\n", "pinger", "clients_limit", std::int64_t{20},
         "[pinger]\nclients_limit = 20\t# many\n"},
        {"the same value in other words stays", "[pinger]\nclients_limit = 10_000\n", "pinger", "clients_limit",
         std::int64_t{10'000}, "[pinger]\nclients_limit = 10_000\n"},
        {"a number where a text may be", "[media_proxy]\ntos = 184\n", "media_proxy", "tos", "184",
         "[media_proxy]\ntos = 184\n"},
        {"no line break at the end", "[a]\nk = 1", "a", "k", std::int64_t{2}, "[a]\nk = 2"},
        {"lines that end with CR LF", "[a]\r\nk = 1\r\n\r\n[b]\r\n", "a", "l", std::int64_t{2},
         "[a]\r\nk = 1\r\nl = 2\r\n\r\n[b]\r\n"},
        {"an unknown section and a wrong value elsewhere",
         "[x.\"y z\"]\n\"a.b\" = { c = [1, 2, {d = 1}] }\n[a]\nk = 1\n", "a", "k", std::int64_t{2},
         "[x.\"y z\"]\n\"a.b\" = { c = [1, 2, {d = 1}] }\n[a]\nk = 2\n"},
        {"a key of the same name elsewhere", "k = 0\n[b]\nk = 1\n[a]\nk = 1\n[[c]]\nk = 1\n", "a", "k", std::int64_t{2},
         "k = 0\n[b]\nk = 1\n[a]\nk = 2\n[[c]]\nk = 1\n"},
        {"what looks like one in a text or a comment",
         "# [a]\n# k = 3\n[b]\nx = \"\"\"\n[a]\nk = 4\n\"\"\"\n[a]\nk = 1\n", "a", "k", std::int64_t{2},
         "# [a]\n# k = 3\n[b]\nx = \"\"\"\n[a]\nk = 4\n\"\"\"\n[a]\nk = 2\n"},
        {"in an inline table", "pinger = { method = \"crlf\", clients_limit = 1 }\n", "pinger", "method", "options",
         "pinger = { method = \"options\", clients_limit = 1 }\n"},
        {"a dotted key", "media_proxy.addresses.lan = [\"10.0.0.1\"] # c\n", "media_proxy.addresses", "lan",
         List{"10.0.0.2"}, "media_proxy.addresses.lan = [\"10.0.0.2\"] # c\n"},
        {"a quoted key", "[\"pinger\"]\n'method' = \"crlf\"\n", "pinger", "method", "options",
         "[\"pinger\"]\n'method' = \"options\"\n"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const auto after = settings::set_value(c.before, c.section, c.key, c.value);
        REQUIRE(after.has_value());
        CHECK(*after == c.after);
    }
}

TEST_CASE("settings::set_value: a missing key comes at the end of its section") {
    const Case cases[] = {
        {"no text at all", "", "pinger", "method", "crlf", "[pinger]\nmethod = \"crlf\"\n"},
        {"no such section", "[sip]\ndomains = []", "pinger", "method", "crlf",
         "[sip]\ndomains = []\n\n[pinger]\nmethod = \"crlf\"\n"},
        {"an empty section", "[pinger]\n\n[sip]\n", "pinger", "method", "crlf",
         "[pinger]\nmethod = \"crlf\"\n\n[sip]\n"},
        {"examples in comments come first", "[pinger] # p\n#method = \"crlf\"\n  # more\n\n# of sip\n[sip]\n", "pinger",
         "method", "crlf", "[pinger] # p\n#method = \"crlf\"\n  # more\nmethod = \"crlf\"\n\n# of sip\n[sip]\n"},
        {"a comment that is the next section's", "[pinger]\n# of sip\n[sip]\n", "pinger", "method", "crlf",
         "[pinger]\nmethod = \"crlf\"\n# of sip\n[sip]\n"},
        {"the columns of the line above", "[pinger]\n  log_level     = \"all\"\n", "pinger", "method", "crlf",
         "[pinger]\n  log_level     = \"all\"\n  method        = \"crlf\"\n"},
        {"no columns above", "[pinger]\nlog_level = \"all\"\n", "pinger", "method", "crlf",
         "[pinger]\nlog_level = \"all\"\nmethod = \"crlf\"\n"},
        {"columns, and the longest key is the last", "[pinger]\nmethod    = \"crlf\"\nlog_level = \"all\"\n", "pinger",
         "tcp_interval", "off", "[pinger]\nmethod    = \"crlf\"\nlog_level = \"all\"\ntcp_interval = \"off\"\n"},
        {"and a shorter one", "[pinger]\nudp_interval = \"off\"\nlog_level    = \"all\"\ntcp_interval = \"off\"\n",
         "pinger", "method", "crlf",
         "[pinger]\nudp_interval = \"off\"\nlog_level    = \"all\"\ntcp_interval = \"off\"\nmethod       = \"crlf\"\n"},
        {"a longer key", "[pinger]\nmethod  = \"crlf\"\n", "pinger", "clients_limit", std::int64_t{1},
         "[pinger]\nmethod  = \"crlf\"\nclients_limit = 1\n"},
        {"no blanks above", "[pinger]\nmethod=\"crlf\"\n", "pinger", "clients_limit", std::int64_t{1},
         "[pinger]\nmethod=\"crlf\"\nclients_limit=1\n"},
        {"after a list of several lines", "[network]\nlan = [\n  \"10.0.0.0/8\",\n] # c\n\n[sip]\n", "network", "nated",
         List{"fc00::/7"}, "[network]\nlan = [\n  \"10.0.0.0/8\",\n] # c\nnated = [\"fc00::/7\"]\n\n[sip]\n"},
        {"into an inline table", "pinger = { method = \"crlf\" }\n", "pinger", "clients_limit", std::int64_t{1},
         "pinger = { method = \"crlf\", clients_limit = 1 }\n"},
        {"into an empty one", "pinger = {}\n", "pinger", "clients_limit", std::int64_t{1},
         "pinger = { clients_limit = 1 }\n"},
        {"beside a dotted key", "[media_proxy]\naddresses.lan = []\ntos = 1\n", "media_proxy.addresses", "wan", List{},
         "[media_proxy]\naddresses.lan = []\naddresses.wan = []\ntos = 1\n"},
        {"below a section whose inner one is there", "[media_proxy.addresses]\nlan = []\n", "media_proxy", "tos", "ef",
         "[media_proxy.addresses]\nlan = []\n\n[media_proxy]\ntos = \"ef\"\n"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const auto after = settings::set_value(c.before, c.section, c.key, c.value);
        REQUIRE(after.has_value());
        CHECK(*after == c.after);
    }
}

TEST_CASE("settings::set_value: a list keeps its layout") {
    const Case cases[] = {
        {"one more", "[n]\nl = [\"a\", \"b\"] # c\n", "n", "l", List{"a", "b", "c"},
         "[n]\nl = [\"a\", \"b\", \"c\"] # c\n"},
        {"one less", "[n]\nl = [ \"a\", \"b\", \"c\" ]\n", "n", "l", List{"a", "c"}, "[n]\nl = [ \"a\", \"c\" ]\n"},
        {"another first", "[n]\nl = [ 'b' ]\n", "n", "l", List{"a", "b"}, "[n]\nl = [ 'a', 'b' ]\n"},
        {"without the first", "[n]\nl = [ \"a\", \"b\" ]\n", "n", "l", List{"b"}, "[n]\nl = [ \"b\" ]\n"},
        {"the last is another", "[n]\nl = [\"a\",\"b\"]\n", "n", "l", List{"a", "c"}, "[n]\nl = [\"a\", \"c\"]\n"},
        {"none left", "[n]\nl = [ \"a\" ]\n", "n", "l", List{}, "[n]\nl = []\n"},
        {"the first of all", "[n]\nl = []\n", "n", "l", List{"a", "b"}, "[n]\nl = [\"a\", \"b\"]\n"},
        {"lines with comments",
         "[n]\nl = [\n  # offices\n  \"a\", # first\n  \"b\", # second\n  # homes\n  \"c\",\n]\n", "n", "l",
         List{"a", "c", "d"}, "[n]\nl = [\n  # offices\n  \"a\", # first\n  # homes\n  \"c\",\n  \"d\",\n]\n"},
        {"no comma at the end", "[n]\nl = [\n  \"a\", # first\n  \"b\" # second\n]\n", "n", "l", List{"a", "b", "c"},
         "[n]\nl = [\n  \"a\", # first\n  \"b\", # second\n  \"c\"\n]\n"},
        {"the last goes, a comment before it stays", "[n]\nl = [\"a\", # first\n  \"b\"]\n", "n", "l", List{"a"},
         "[n]\nl = [\"a\" # first\n  ]\n"},
        {"after a comment behind the only one", "[n]\nl = [ \"a\", # first\n  # more\n]\n", "n", "l", List{"a", "b"},
         "[n]\nl = [ \"a\", # first\n  \"b\",\n  # more\n]\n"},
        {"rows", "[n]\nl = [\"a\", \"b\",\n     \"c\"]\n", "n", "l", List{"a", "b", "c", "d"},
         "[n]\nl = [\"a\", \"b\",\n     \"c\", \"d\"]\n"},
        {"none left, and a comment", "[n]\nl = [\n  # none yet\n  \"a\",\n]\n", "n", "l", List{},
         "[n]\nl = [\n  # none yet\n]\n"},
        {"into a comment", "[n]\nl = [\n  # none yet\n]\n", "n", "l", List{"a"},
         "[n]\nl = [\n    \"a\"\n  # none yet\n]\n"},
        {"the same one twice", "[n]\nl = [\"a\", \"a\"]\n", "n", "l", List{"a"}, "[n]\nl = [\"a\"]\n"},
        {"no list of texts", "[n]\nl = [1, 2]\n", "n", "l", List{"a"}, "[n]\nl = [\"a\"]\n"},
        {"no list at all", "[n]\nl = \"x\"\n", "n", "l", List{"a"}, "[n]\nl = [\"a\"]\n"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const auto after = settings::set_value(c.before, c.section, c.key, c.value);
        REQUIRE(after.has_value());
        CHECK(*after == c.after);
        // And it is read back.
        const auto value = settings::value_in(*after, c.section, c.key);
        REQUIRE(value.has_value());
        CHECK(*value == c.value);
    }
}

TEST_CASE("settings::set_list: comments are the list's, and what has not changed keeps its bytes") {
    const struct {
        const char* why;
        const char* before;
        const char* shown;   ///< as the guide's page has it
        const char* wanted;  ///< what is written there
        const char* after;
    } cases[] = {
        {"nothing changes", "[n]\nl = [\n  # offices\n\n  'a', \"b\",  #both\t\n # alone \n]\n",
         "; offices\na\nb  ;both\n; alone", "; offices\na\nb  ;both\n; alone",
         "[n]\nl = [\n  # offices\n\n  'a', \"b\",  #both\t\n # alone \n]\n"},
        {"a list that is not there", "[n]\n", nullptr, "a-b ; the office\n; homes\nc, d",
         "[n]\nl = [\n    \"a-b\",  # the office\n    # homes\n    \"c\",\n    \"d\",\n]\n"},
        {"without comments it stays on its line", "[n]\nl = [ 'a', 'b' ] # c\n", "a\nb", "a\nc",
         "[n]\nl = [ 'a', 'c' ] # c\n"},
        {"a list on one line gets lines", "[n]\nl = [ 'a', \"b\" ] # c\n", "a\nb", "a ; one\nb\nc",
         "[n]\nl = [\n    'a',  # one\n    \"b\",\n    'c',\n] # c\n"},
        {"another comment behind an item", "[n]\nl = [\n\t\"a\",   # one\n\t\"b\", # two\n]\n", "a  ; one\nb  ; two",
         "a ; uno\nb ; two", "[n]\nl = [\n\t\"a\",   # uno\n\t\"b\", # two\n]\n"},
        {"one comment goes, another comes", "[n]\nl = [\n\t\"a\",   # one\n\t\"b\",\n]\n", "a  ; one\nb", "a\nb ; two",
         "[n]\nl = [\n\t\"a\",\n\t\"b\",  # two\n]\n"},
        {"the last has no comma", "[n]\nl = [\n  \"a\", # one\n  \"b\" # two\n]\n", "a  ; one\nb  ; two",
         "a ; one\nb ; two\nc ; three", "[n]\nl = [\n  \"a\", # one\n  \"b\", # two\n  \"c\"  # three\n]\n"},
        {"comments of their own come, go and change",
         "[n]\nl = [\n  # one\n  \"a\",\n  # two\n  \"b\",\n  # three\n]\n", "; one\na\n; two\nb\n; three",
         "; zero\n; one\na\nb\n; four", "[n]\nl = [\n  # zero\n  # one\n  \"a\",\n  \"b\",\n  # four\n]\n"},
        {"all items go, their comments stay", "[n]\nl = [\n  # one\n  \"a\",\n]\n", "; one\na", "; one",
         "[n]\nl = [\n  # one\n]\n"},
        {"everything goes", "[n]\nl = [\n  # one\n  \"a\",\n]\n", "; one\na", "", "[n]\nl = []\n"},
        {"an item before the first", "[n]\nl = [\n  # one\n  \"a\",\n]\n", "; one\na", "; zero\nz\n; one\na",
         "[n]\nl = [\n  # zero\n  \"z\",\n  # one\n  \"a\",\n]\n"},
        {"a comment between items of one line", "[n]\nl = [\n  \"a\", \"b\",\n]\n", "a\nb", "a ; one\nb",
         "[n]\nl = [\n  \"a\",  # one\n  \"b\",\n]\n"},
        {"marks in comments", "[n]\nl = [\n  \"a\", # x # y; z, \"w\"\n]\n", "a  ; x # y; z, \"w\"",
         "a ; x # y; z, \"w\"\nb", "[n]\nl = [\n  \"a\", # x # y; z, \"w\"\n  \"b\",\n]\n"},
        {"CR LF", "[n]\r\nl = []\r\n", "", "a ; one", "[n]\r\nl = [\r\n    \"a\",  # one\r\n]\r\n"},
        {"no list", "[n]\nl = \"x\"\n", nullptr, "a ; one", "[n]\nl = [\n    \"a\",  # one\n]\n"},
        {"in an inline table", "n = { l = [\"a\"], m = 1 }\n", "a", "a ; one",
         "n = { l = [\n    \"a\",  # one\n], m = 1 }\n"},
        {"an empty comment", "[n]\nl = [\n  #\n  \"a\", #\n]\n", ";\na  ;", ";\na ;\nb",
         "[n]\nl = [\n  #\n  \"a\", #\n  \"b\",\n]\n"},
    };
    for (const auto& c : cases) {
        CAPTURE(c.why);
        const auto there = settings::list_in(c.before, "n", "l");
        CHECK(there.has_value() == (c.shown != nullptr));
        if (there && c.shown != nullptr) CHECK(settings::guide_text(*there) == c.shown);
        const auto wanted = settings::read_guide_list(c.wanted);
        const auto after = settings::set_list(c.before, "n", "l", wanted);
        REQUIRE(after.has_value());
        CHECK(*after == c.after);
        // It is read back as it was written, and writing it again changes nothing.
        CHECK(settings::list_in(*after, "n", "l").value() == wanted);
        CHECK(settings::value_in(*after, "n", "l").value() == Value(settings::items_of(wanted)));
        CHECK(settings::set_list(*after, "n", "l", wanted).value() == *after);
    }
}

TEST_CASE("settings::list_in: what the guide's form cannot say is not shown as if it could") {
    for (const char* text : {"[n]\nl = [\"a,b\"]\n", "[n]\nl = [\"a;b\"]\n", "[n]\nl = [\" a\"]\n", "[n]\nl = [\"\"]\n",
                             "[n]\nl = [\"a\" # c\n, \"b\"]\n", "[n]\nl = [1]\n", "[n]\n"}) {
        CAPTURE(text);
        CHECK_FALSE(settings::list_in(text, "n", "l").has_value());
    }
    const auto bad = settings::set_list("[n]\n", "n", "l", {{.item = "a", .comment = "x\x01y"}});
    REQUIRE_FALSE(bad.has_value());
    CHECK(bad.error().code == Errc::bad_input);
}

TEST_CASE("settings::reset_value: the key goes, and nothing else") {
    struct {
        const char* why;
        const char* before;
        const char* after;
    } const cases[] = {
        {"a line", "[a]\nk = 1 # c\n# d\nl = 2\n", "[a]\n# d\nl = 2\n"},
        {"several lines", "[a]\nk = [\n  1,\n]\nl = 2\n", "[a]\nl = 2\n"},
        {"the last line", "[a]\nl = 2\nk = 1", "[a]\nl = 2\n"},
        {"first in a table", "a = { k = 1, l = 2 }\n", "a = { l = 2 }\n"},
        {"last in a table", "a = { l = 2, k = 1 }\n", "a = { l = 2 }\n"},
        {"alone in a table", "a = { k = 1 }\n", "a = {  }\n"},
        {"not there", "[b]\nk = 1\n", "[b]\nk = 1\n"},
    };
    for (const auto& c : cases) {
        CAPTURE(c.why);
        const auto after = settings::reset_value(c.before, "a", "k");
        REQUIRE(after.has_value());
        CHECK(*after == c.after);
    }
}

TEST_CASE("settings::set_value: what it cannot do, it refuses") {
    struct {
        const char* why;
        const char* before;
        const char* section;
    } const cases[] = {
        {"no TOML", "[a\nk = 1\n", "a"},
        {"a key twice", "[a]\nk = 1\nk = 2\n", "a"},
        {"a section that is closed", "a = { b = 1 }\n", "a.c"},
        {"a section that is a value", "a = 1\n", "a"},
        {"a section that is a list", "[[a]]\nl = 1\n", "a"},
    };
    for (const auto& c : cases) {
        CAPTURE(c.why);
        const auto after = settings::set_value(c.before, c.section, "k", std::int64_t{2});
        REQUIRE(!after.has_value());
        CHECK(after.error().code == Errc::bad_config);
    }
}
