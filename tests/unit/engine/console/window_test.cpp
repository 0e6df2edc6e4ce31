#include "natkit/engine/console/window.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

using namespace natkit::console;

namespace {

using Kind = Key::Kind;

Json view_of(std::size_t calls, std::size_t clients) {
    Json view;
    view["status"] = {{"state", "running"},
                      {"uptime_s", 75},
                      {"calls", calls},
                      {"clients", clients},
                      {"listen", {"udp:192.0.2.1:5060"}}};
    view["calls"] = Json::array();
    for (std::size_t i = 0; i < calls; ++i)
        view["calls"].push_back({{"call_id", "call" + std::to_string(i)},
                                 {"from", "sip:caller" + std::to_string(i) + "@example.com"},
                                 {"to", "sip:callee@example.com"},
                                 {"state", "established"},
                                 {"duration_s", static_cast<double>(i)},
                                 {"why", "because " + std::to_string(i)}});
    view["clients"] = Json::array();
    for (std::size_t i = 0; i < clients; ++i)
        view["clients"].push_back(
            {{"id", std::to_string(i)}, {"aor", "sip:user" + std::to_string(i) + "@example.com"}, {"why", "so"}});
    return view;
}

std::string text_of_line(const Line& line) {
    std::string text;
    for (const Span& span : line) text += span.text;
    return text;
}

std::string seen(Window& window, Size size = {}) {
    std::string all;
    for (const Line& line : window.lines(size)) all += text_of_line(line) + "\n";
    return all;
}

std::string chosen(Window& window, Size size = {}) {
    const auto lines = window.lines(size);
    for (std::size_t i = 2; i < lines.size(); ++i)
        if (!lines[i].empty() && lines[i][0].style == Style::chosen) return text_of_line(lines[i]);
    return {};
}

bool has(const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
}

void press(Window& window, std::u32string_view letters) {
    for (const char32_t letter : letters)
        CHECK(window.on_key({.kind = Kind::character, .character = letter}) == Window::Wish::go_on);
}

void press(Window& window, Kind kind) {
    CHECK(window.on_key({.kind = kind}) == Window::Wish::go_on);
}

}  // namespace

TEST_CASE("console::Window: as many lines as the terminal has rows, none wider, whatever is shown") {
    for (const std::size_t calls : {0, 1, 5, 300}) {
        Window window;
        Json view = view_of(calls, 40);
        view["status"]["degraded"] = {"one trouble", "another"};
        window.take(view);
        for (const char32_t page : {U'1', U'2', U'3'}) {
            press(window, std::u32string(1, page));
            for (std::size_t rows = 0; rows <= 60; ++rows) {
                for (const std::size_t columns : {0, 1, 2, 10, 39, 40, 80, 200}) {
                    CAPTURE(rows);
                    CAPTURE(columns);
                    const auto lines = window.lines({.rows = rows, .columns = columns});
                    CHECK(lines.size() == (columns == 0 ? 0 : rows));
                    for (const Line& line : lines) CHECK(width_of(text_of_line(line)) <= columns);
                }
                press(window, Kind::down);
            }
        }
    }
}

TEST_CASE("console::Window: head, pages, columns and keys are said") {
    Window window;
    window.take(view_of(3, 40));
    const std::string text = seen(window, {.rows = 24, .columns = 90});
    for (const char* part :
         {"natkit running, up 1:15", " 1 Calls 3 ", " 2 Clients 40 ", "FROM", "LOSS", "JITTER", "caller0@example.com",
          "because 0", "q quits", "1-3 of 3", "s sorts: as they come", "/ filters"}) {
        CAPTURE(part);
        CHECK(has(text, part));
    }
    press(window, Kind::tab);
    CHECK(has(seen(window), "user0@example.com"));
    press(window, Kind::tab);
    CHECK(has(seen(window), "udp:192.0.2.1:5060"));
    press(window, Kind::tab);
    CHECK(has(seen(window), "caller0@example.com"));
    press(window, Kind::back_tab);
    CHECK(has(seen(window), "udp:192.0.2.1:5060"));
}

TEST_CASE("console::Window: the column that is sorted by is marked, and told") {
    Window window;
    window.take(view_of(20, 0));
    press(window, Kind::right);
    press(window, U"ss");
    CHECK(has(seen(window), "s sorts: TIME"));
    CHECK(has(seen(window), "TIMEv"));
    CHECK(has(chosen(window), "caller19@"));
    const auto lines = window.lines({});
    std::size_t marked = 0;
    for (const Span& span : lines[2]) marked += span.style == Style::sorted ? 1 : 0;
    CHECK(marked == 1);
    press(window, U"r");
    CHECK(has(seen(window), "TIME^"));
    CHECK(has(chosen(window), "caller0@"));
    press(window, Kind::left);
    CHECK(has(seen(window), "s sorts: TO "));
    press(window, U"<<");
    CHECK(has(seen(window), "s sorts: as they come"));
    press(window, U"<");
    CHECK(has(seen(window), "s sorts: CALL "));
}

TEST_CASE("console::Window: the chosen record stays chosen while others come and go") {
    Window window;
    window.take(view_of(50, 0));
    for (int i = 0; i < 30; ++i) press(window, Kind::down);
    CHECK(has(chosen(window), "caller30@"));
    Json later = view_of(50, 0);
    later["calls"].erase(later["calls"].begin(), later["calls"].begin() + 20);
    window.take(later);
    CHECK(has(chosen(window), "caller30@"));
    CHECK(has(seen(window), "because 30"));
    later["calls"].erase(later["calls"].begin() + 10);
    window.take(later);
    CHECK(has(chosen(window), "caller31@"));
    window.take(view_of(2, 0));
    CHECK(has(chosen(window), "caller1@"));
    window.take(view_of(0, 0));
    CHECK(chosen(window).empty());
    window.take(view_of(9, 0));
    CHECK(has(chosen(window), "caller0@"));
    press(window, Kind::end);
    CHECK(has(chosen(window), "caller8@"));
    press(window, Kind::page_up);
    CHECK(has(chosen(window), "caller0@"));
}

TEST_CASE("console::Window: a filter is typed, kept, and taken away") {
    Window window;
    window.take(view_of(20, 20));
    press(window, U"/");
    press(window, U"USER1q");
    CHECK(has(seen(window), "filter: USER1q_"));
    press(window, Kind::backspace);
    CHECK(has(seen(window), "2 Clients 11"));
    press(window, Kind::enter);
    press(window, U"2");
    CHECK(has(seen(window, {.rows = 24, .columns = 120}), "/ filters: USER1 "));
    CHECK(has(seen(window), "1-11 of 11"));
    press(window, U"/");
    CHECK(has(seen(window), "2 Clients 20"));
    press(window, U"名\x1b\u009b");
    CHECK(has(seen(window), "filter: 名_"));
    press(window, Kind::escape);
    CHECK(has(seen(window), "2 Clients 20"));
    CHECK(window.on_key({.kind = Kind::escape}) == Window::Wish::end);
    for (const char32_t end : {U'q', U'Q', U'\x04'})
        CHECK(window.on_key({.kind = Kind::character, .character = end}) == Window::Wish::end);
    CHECK(window.on_key({.kind = Kind::gone}) == Window::Wish::end);
}

TEST_CASE("console::Window: natkit's silence is said in place of all else") {
    Window window;
    window.take(view_of(2, 2));
    Json silent;
    silent["trouble"] = "natkit does not answer: \x1b[2J";
    window.take(silent);
    const std::string text = seen(window);
    CHECK(has(text, "natkit does not answer: ?[2J"));
    CHECK(!has(text, "caller0"));
    CHECK(has(text, "q quits"));
    window.take(view_of(2, 2));
    CHECK(has(seen(window), "caller0"));
}

TEST_CASE("console::Window: keys do nothing bad where there is nothing") {
    Window window;
    for (const Kind kind : {Kind::up, Kind::down, Kind::left, Kind::right, Kind::page_up, Kind::page_down, Kind::home,
                            Kind::end, Kind::enter, Kind::backspace}) {
        press(window, kind);
        CHECK(window.lines({}).size() == 24);
    }
    press(window, U"jkgG 3jkgG ssr<>");
    CHECK(window.lines({}).size() == 24);
}

TEST_CASE("console::without_orders: an escape with something behind it is no Escape") {
    const auto typed = [](std::u32string_view text) {
        std::vector<Key> keys;
        for (const char32_t letter : text)
            keys.push_back(letter == 0x1b ? Key{.kind = Kind::escape}
                                          : Key{.kind = Kind::character, .character = letter});
        return keys;
    };
    struct Case {
        const char* why;
        std::u32string_view text;
        std::u32string_view left;
    };
    constexpr Case cases[] = {
        {"Escape alone", U"\x1b", U"\x1b"},
        {"behind letters", U"ab\x1b", U"ab\x1b"},
        {"Ctrl and an arrow", U"a\x1b[1;5Cb", U"ab"},
        {"a key of the keypad", U"\x1bOPb", U"b"},
        {"Alt and a letter", U"\x1bqb", U"b"},
        {"two of them", U"\x1b[99~\x1b[Zb", U"b"},
        {"cut off", U"\x1b[1;5", U""},
        {"cut off at once", U"\x1b[", U""},
        {"Escape twice", U"\x1b\x1b", U"\x1b\x1b"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CHECK(without_orders(typed(c.text)) == typed(c.left));
    }
}
