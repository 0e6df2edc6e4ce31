#include "requests/requests.hpp"

#include <doctest/doctest.h>

using namespace natkit::web;

TEST_CASE("web::parse_form: fields of a body or query") {
    struct Case {
        const char* why;
        std::string_view text;
        std::optional<Fields> want;
    };
    const Case cases[] = {
        {"nothing", "", Fields{}},
        {"two fields", "user=alice&password=a+b%21", Fields{{"user", "alice"}, {"password", "a b!"}}},
        {"capital and small digits", "a=%C3%bc", Fields{{"a", "\xc3\xbc"}}},
        {"the first counts", "a=1&a=2", Fields{{"a", "1"}}},
        {"no value", "a&b=", Fields{{"a", ""}, {"b", ""}}},
        {"an escape of one digit", "a=%4", std::nullopt},
        {"no digits", "a=%zz", std::nullopt},
        {"a sign is no digit", "a=%+1", std::nullopt},
        {"a NUL is a byte like others", "a=%00b", Fields{{"a", std::string("\0b", 2)}}},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CHECK(parse_form(c.text) == c.want);
    }
    std::string many;
    for (int i = 0; i < 65; ++i) many += "f" + std::to_string(i) + "=&";
    CHECK(!parse_form(many));
}

TEST_CASE("web::cookie: the value of a name") {
    CHECK(cookie("a=1; natkit_session=abc; b=2", "natkit_session") == "abc");
    CHECK(cookie("xnatkit_session=abc", "natkit_session").empty());
    CHECK(cookie("natkit_session=1;natkit_session=2", "natkit_session") == "1");
    CHECK(cookie("natkit_session", "natkit_session").empty());
    CHECK(cookie("", "a").empty());
    CHECK(cookie(";;;=", "a").empty());
}

TEST_CASE("web::escaped: no markup is left") {
    CHECK(escaped("<img src=x onerror='a(\"&\")'>") == "&lt;img src=x onerror=&#39;a(&quot;&amp;&quot;)&#39;&gt;");
}

TEST_CASE("web::host_allowed: addresses, localhost and the names that were given") {
    struct Case {
        const char* why;
        std::string_view host;
        bool want;
    };
    constexpr Case cases[] = {
        {"an address", "192.0.2.1", true},
        {"with a port", "127.0.0.1:8080", true},
        {"IPv6", "[2001:db8::1]:8080", true},
        {"IPv6 without a port", "[::1]", true},
        {"IPv6 without brackets is no Host", "::1", true},
        {"localhost", "LocalHost:8080", true},
        {"a name that was given", "Edge.example.com:8080", true},
        {"with the root's dot", "edge.example.com.", true},
        {"DNS rebinding", "evil.example:8080", false},
        {"a name that ends like one given", "x.edge.example.com", false},
        {"a name that begins like an address", "127.0.0.1.evil.example", false},
        {"none", "", false},
        {"no port", "localhost:", false},
        {"a port that is none", "localhost:80800", false},
        {"user information", "127.0.0.1@evil.example", false},
        {"two ports", "localhost:80:80", false},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CHECK(host_allowed(c.host, {"edge.example.com"}) == c.want);
    }
    CHECK(!host_allowed(std::string(400, '1'), {}));
}

TEST_CASE("web::same_origin: the page's own place") {
    CHECK(same_origin("http://127.0.0.1:8080", "127.0.0.1:8080", false));
    CHECK(same_origin("https://edge.example.com", "edge.example.com", true));
    CHECK(same_origin("https://edge.example.com", "edge.example.com", false));  // TLS ends in front
    CHECK(!same_origin("http://edge.example.com", "edge.example.com", true));
    CHECK(!same_origin("http://evil.example", "127.0.0.1:8080", false));
    CHECK(!same_origin("null", "127.0.0.1:8080", false));
    CHECK(!same_origin("", "127.0.0.1:8080", false));
    CHECK(!same_origin("http://", "", false));
    CHECK(!same_origin("http://127.0.0.1:8080.evil.example", "127.0.0.1:8080", false));
}

TEST_CASE("web::part_of: multipart/form-data") {
    const std::string body =
        "--xyz\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\nabc\r\n"
        "--xyz\r\nContent-Disposition: form-data; name=\"capture\"; "
        "filename=\"<b>.pcap\"\r\n\r\n\xd4\xc3\r\n\r\n--xy\r\n"
        "--xyz--\r\n";
    constexpr std::string_view type = "multipart/form-data; boundary=xyz";
    CHECK(part_of(body, type, "csrf") == "abc");
    CHECK(part_of(body, type, "capture") == "\xd4\xc3\r\n\r\n--xy");
    CHECK(part_of(body, "multipart/form-data; boundary=\"xyz\"", "csrf") == "abc");
    CHECK(!part_of(body, type, "other"));
    CHECK(!part_of(body, "multipart/form-data", "csrf"));
    CHECK(!part_of(body, "multipart/form-data; boundary=", "csrf"));
    CHECK(!part_of(body.substr(0, 60), type, "csrf"));
    CHECK(part_of("--x\r\nname=\"a\"\r\n\r\n--x", "boundary=x", "a") == "");
}

TEST_CASE("web::find_target: what is there, by which method, for whom") {
    CHECK(find_target("GET", "/")->access == Access::session);
    CHECK(find_target("HEAD", "/")->route == Route::app);
    CHECK(find_target("GET", "/login")->access == Access::anybody);
    CHECK(find_target("POST", "/api/settings/apply")->access == Access::change);
    CHECK(find_target("POST", "/api/hangup")->access == Access::change);
    CHECK(find_target("GET", "/assets/app.js")->route == Route::asset);
    for (const auto& [method, path] : {std::pair("GET", "/api/hangup"), std::pair("POST", "/api/calls"),
                                       std::pair("PUT", "/"), std::pair("GET", "/../etc/passwd"),
                                       std::pair("GET", "//"), std::pair("GET", "/API/calls"), std::pair("GET", "")}) {
        CAPTURE(path);
        CHECK(!find_target(method, path));
    }
    // What changes something asks for the token, all of it.
    for (const char* path : {"/api/settings/preview", "/api/settings/confirm", "/api/settings/undo",
                             "/api/settings/restore", "/api/remove_client"}) {
        CHECK(find_target("POST", path)->access == Access::change);
    }
}
