#include "natkit/engine/explain/selection.hpp"

#include <algorithm>
#include <chrono>

#include "natkit/base/text.hpp"
#include "natkit/sip/message/grammar.hpp"

namespace natkit::explain {
namespace {

constexpr std::int64_t moment_second = 1'000'000'000;
constexpr std::int64_t moment_day = 86'400 * moment_second;
constexpr std::uint64_t most_seconds = 10'000'000'000;
constexpr std::size_t most_users = 16;  // of a call
constexpr std::size_t longest_user = 256;
constexpr std::size_t longest_id = 1024;

/// Reads a text from its front; what does not fit leaves `good` false.
struct Scanner {
    std::string_view rest;
    bool good = true;

    std::uint64_t number(std::size_t digits, std::uint64_t most) {
        const auto value = text::parse_number(rest.substr(0, digits), most);
        if (!value || rest.size() < digits) good = false;
        rest.remove_prefix(std::min(digits, rest.size()));
        return value.value_or(0);
    }
    bool take(char c) {
        if (!rest.starts_with(c)) return false;
        rest.remove_prefix(1);
        return true;
    }
    void want(char c) { good = take(c) && good; }
    /// ".25", or nothing at all; nanoseconds.
    std::int64_t fraction() {
        if (!take('.')) return 0;
        std::int64_t value = 0;
        std::int64_t unit = moment_second;
        std::size_t digits = 0;
        for (; digits < rest.size() && rest[digits] >= '0' && rest[digits] <= '9'; ++digits) {
            unit /= 10;
            value += (rest[digits] - '0') * unit;
        }
        if (digits == 0) good = false;
        rest.remove_prefix(digits);
        return value;
    }
    /// "10:15" or "10:15:00.5"; nanoseconds.
    std::int64_t clock() {
        const auto hours = static_cast<std::int64_t>(number(2, 23));
        want(':');
        const auto minutes = static_cast<std::int64_t>(number(2, 59));
        std::int64_t ns = (hours * 60 + minutes) * 60 * moment_second;
        if (take(':')) {
            ns += static_cast<std::int64_t>(number(2, 60)) * moment_second;
            ns += fraction();
        }
        return ns;
    }
    /// "Z", "+01:00" or nothing; nanoseconds ahead of UTC.
    std::int64_t offset() {
        if (take('Z') || rest.empty()) return 0;
        const bool behind = take('-');
        if (!behind) want('+');
        const std::int64_t ahead = clock();
        return behind ? -ahead : ahead;
    }
};

std::optional<Moment> parse_date(std::string_view text) {
    using namespace std::chrono;
    Scanner scan{.rest = text};
    const auto year_number = static_cast<int>(scan.number(4, 2262 - 1));  // what nanoseconds since 1970 can hold
    scan.want('-');
    const auto month_number = static_cast<unsigned>(scan.number(2, 12));
    scan.want('-');
    const auto day_number = static_cast<unsigned>(scan.number(2, 31));
    if (!scan.take('T')) scan.want(' ');
    const std::int64_t clock = scan.clock();
    const std::int64_t offset = scan.offset();
    const year_month_day date{year(year_number), month(month_number), day(day_number)};
    if (!scan.good || !scan.rest.empty() || !date.ok() || year_number < 1970) return std::nullopt;
    const std::int64_t days = sys_days(date).time_since_epoch().count();
    return Moment{.kind = Moment::Kind::absolute, .ns = days * moment_day + clock - offset};
}

std::optional<Moment> parse_clock(std::string_view text) {
    Scanner scan{.rest = text};
    const std::int64_t ns = scan.clock();
    if (!scan.good || !scan.rest.empty()) return std::nullopt;
    return Moment{.kind = Moment::Kind::time_of_day, .ns = ns};
}

std::optional<Moment> parse_seconds(std::string_view text) {
    if (text.ends_with('s')) text.remove_suffix(1);
    Scanner scan{.rest = text};
    const std::size_t digits = std::min(text.find('.'), text.size());
    const std::uint64_t whole = scan.number(digits, most_seconds);
    const std::int64_t fraction = scan.fraction();
    if (!scan.good || !scan.rest.empty() || digits == 0) return std::nullopt;
    return Moment{.kind = Moment::Kind::from_start, .ns = static_cast<std::int64_t>(whole) * moment_second + fraction};
}

std::int64_t resolve(const Moment& moment, std::int64_t start_ns) {
    switch (moment.kind) {
        case Moment::Kind::absolute: return moment.ns;
        case Moment::Kind::time_of_day: return start_ns - start_ns % moment_day + moment.ns;
        case Moment::Kind::from_start: return start_ns + moment.ns;
    }
    return moment.ns;
}

/// A telephone number without its visual separators (RFC 3966 section 5.1.1), anything else as it is.
std::string comparable(std::string_view user) {
    std::string bare;
    for (const char c : user) {
        if (c == '-' || c == '.' || c == '(' || c == ')' || c == ' ') continue;
        if (!(c >= '0' && c <= '9') && c != '+' && c != '*' && c != '#') return std::string(user);
        bare += c;
    }
    return bare;
}

std::string user_of(std::string_view uri) {
    if (text::istarts_with(uri, "tel:")) return std::string(uri.substr(4, uri.find(';') - 4));
    const auto parsed = sip::Uri::parse(std::string(uri));
    return parsed ? parsed->user : std::string();
}

}  // namespace

Result<Moment> parse_moment(std::string_view text) {
    if (const auto moment = parse_seconds(text)) return *moment;
    if (const auto moment = parse_clock(text)) return *moment;
    if (const auto moment = parse_date(text)) return *moment;
    return fail(Errc::usage, "not a time: '" + text::printable(text) +
                                 "'; write 2026-11-29T10:15:00Z, 10:15:00 of the capture's day (UTC), or seconds from "
                                 "its start");
}

void Selector::on_message(const sip::Message& message) {
    const std::string id(message.call_id());
    if (selection_.user.empty() || id.empty() || id.size() > longest_id) return;
    Users& users = users_.touch(id);
    const auto add = [&](std::string_view uri) {
        const std::string user = comparable(user_of(uri).substr(0, longest_user));
        if (user.empty() || users.size() >= most_users || std::ranges::find(users, user) != users.end()) return;
        users.push_back(user);
    };
    if (message.is_request()) add(message.request_uri());
    if (const auto& from = message.from()) add(from->uri);
    if (const auto& to = message.to()) add(to->uri);
    for (const sip::Header& header : message.headers()) {
        if (!text::iequals(header.name_text, "P-Asserted-Identity")) continue;
        if (const auto identity = sip::NameAddr::parse(std::string(header.value))) add(identity->uri);
    }
}

bool Selector::wants(const Selectable& call, std::int64_t start_ns) const {
    if (!selection_.call_id.empty() && call.call_id != selection_.call_id) return false;
    if (selection_.faulty && !call.faulty) return false;
    if (!selection_.user.empty()) {
        const Users* users = users_.find(std::string(call.call_id));
        if (users == nullptr || std::ranges::find(*users, comparable(selection_.user)) == users->end()) return false;
    }
    if (!selection_.from && !selection_.to) return true;
    if (call.first_ns == 0) return false;
    const auto from = selection_.from ? std::optional(resolve(*selection_.from, start_ns)) : std::nullopt;
    auto to = selection_.to ? std::optional(resolve(*selection_.to, start_ns)) : std::nullopt;
    if (from && to && *to < *from && selection_.to->kind == Moment::Kind::time_of_day)
        *to += moment_day;  // past midnight
    return (!from || call.last_ns >= *from) && (!to || call.first_ns <= *to);
}

}  // namespace natkit::explain
