#include "words.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <set>

#include "natkit/base/text.hpp"
#include "natkit/diagnose/table.hpp"

namespace natkit::html {
namespace {

using diagnose::Diagnosis;
using diagnose::End;
using diagnose::Finding;
using diagnose::Outcome;
using diagnose::Reach;

std::string digits(std::int64_t number, std::size_t width) {
    std::string text = std::to_string(number);
    return text.size() < width ? std::string(width - text.size(), '0') + text : text;
}

/// "The call was refused (486)"
std::string ending(const Diagnosis& diagnosis) {
    const std::string status = diagnosis.status >= 300 ? " (" + std::to_string(diagnosis.status) + ")" : "";
    if (diagnosis.registration) {
        switch (diagnosis.outcome) {
            case Outcome::refused: return "The registration was refused" + status;
            case Outcome::no_answer: return "The registration was not answered" + status;
            default: return "The registration was accepted";
        }
    }
    switch (diagnosis.outcome) {
        case Outcome::answered: return "The call was answered";
        case Outcome::refused: return "The call was refused" + status;
        case Outcome::no_answer: return "The call was not answered" + status;
        case Outcome::dropped: return "The call was answered, and dropped";
        case Outcome::hung: return "The call was answered, and one side does not know that it is over";
    }
    return "The call";
}

std::string deaf(const Diagnosis& diagnosis) {
    std::set<End> parties;
    for (const Finding& finding : diagnosis.findings) {
        if (!finding.hears_nothing || diagnose::harmless(finding)) continue;
        for (const End party : {End::caller, End::callee})
            if (finding.hears_nothing->includes(party)) parties.insert(party);
    }
    if (parties.empty()) return {};
    if (parties.size() == 2) return ", and neither hears the other";
    return *parties.begin() == End::caller ? ", and the caller does not hear the callee"
                                           : ", and the callee does not hear the caller";
}

}  // namespace

const Finding* root(const Diagnosis& diagnosis) {
    const auto found = std::ranges::find_if_not(diagnosis.findings, diagnose::harmless);
    return found == diagnosis.findings.end() ? nullptr : &*found;
}

std::string verdict(const Diagnosis& diagnosis) {
    const std::string hears = deaf(diagnosis);
    if (!hears.empty()) return ending(diagnosis) + hears + ".";
    const bool went_well = diagnosis.outcome == Outcome::answered;
    if (diagnosis.broken()) return ending(diagnosis) + (went_well ? ", and something is wrong with it." : ".");
    if (!went_well || diagnosis.registration) return ending(diagnosis) + ".";
    return ending(diagnosis) +
           (diagnosis.media_seen ? ", and nothing is wrong." : "; its media is not in the capture.");
}

std::string outcome(const Diagnosis& diagnosis) {
    std::string text = diagnose::to_string(diagnosis.outcome);
    std::ranges::replace(text, '_', ' ');
    return diagnosis.status == 0 ? text : text + ", last status " + std::to_string(diagnosis.status);
}

std::string date_time(std::int64_t ns) {
    if (ns == 0) return {};
    const std::chrono::sys_time<std::chrono::nanoseconds> at{std::chrono::nanoseconds(ns)};
    const std::chrono::year_month_day day{std::chrono::floor<std::chrono::days>(at)};
    return digits(static_cast<int>(day.year()), 4) + "-" + digits(static_cast<unsigned>(day.month()), 2) + "-" +
           digits(static_cast<unsigned>(day.day()), 2) + " " + time_of_day(ns) + "." +
           digits(ns % second_ns / 1'000'000, 3) + " UTC";
}

std::string time_of_day(std::int64_t ns) {
    const std::int64_t second = ns / second_ns % 86400;
    return digits(second / 3600, 2) + ":" + digits(second / 60 % 60, 2) + ":" + digits(second % 60, 2);
}

std::string fixed(double number, int digits_behind) {
    std::array<char, 64> text{};
    const auto end =
        std::to_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed, digits_behind);
    return end.ec == std::errc() ? std::string(text.data(), end.ptr) : "?";
}

std::string seconds(std::int64_t ns) {
    return fixed(static_cast<double>(ns) / static_cast<double>(second_ns), 3) + " s";
}

std::string duration(std::int64_t ns) {
    if (ns < 0) return "0 s";
    if (ns < 10 * second_ns) return fixed(static_cast<double>(ns) / static_cast<double>(second_ns), 1) + " s";
    const std::int64_t all = ns / second_ns;
    if (all < 60) return std::to_string(all) + " s";
    if (all < 3600) return std::to_string(all / 60) + " min " + std::to_string(all % 60) + " s";
    return std::to_string(all / 3600) + " h " + std::to_string(all / 60 % 60) + " min";
}

std::string grouped(std::uint64_t number) {
    std::string text = std::to_string(number);
    for (std::size_t at = text.size(); at > 3;) {
        at -= 3;
        text.insert(at, "\u202f");  // a narrow space that breaks no line
    }
    return text;
}

std::string counted(std::uint64_t count, std::string_view one) {
    return grouped(count) + " " + std::string(one) + (count == 1 ? "" : "s");
}

std::string ssrc(std::uint32_t number) {
    return "0x" + text::hex(number, 8);
}

std::string way(End from) {
    return from == End::caller ? "caller → callee" : "callee → caller";
}

const char* to_string(Reach reach) noexcept {
    switch (reach) {
        case Reach::arrives: return "arrives";
        case Reach::on_the_way: return "on its way";
        case Reach::private_address: return "to a private address, from outside";
        case Reach::older_endpoint: return "to an endpoint that was given up";
        case Reach::origin_address: return "to the address of o=";
        case Reach::rtcp_port: return "to the port for RTCP";
        case Reach::other_mapping: return "to another mapping of the NAT";
        case Reach::other_interface: return "to another interface of the receiver";
        case Reach::hairpin: return "to the outer side of the NAT that both are behind";
        case Reach::back_to_sender: return "back to its sender";
        case Reach::to_itself: return "from the relay to itself";
        case Reach::elsewhere: return "to where nobody was announced";
        case Reach::refused: return "refused by ICMP";
    }
    return "";
}

const char* to_string(diagnose::IcmpError::Kind kind) noexcept {
    switch (kind) {
        case diagnose::IcmpError::Kind::port_unreachable: return "port unreachable";
        case diagnose::IcmpError::Kind::host_unreachable: return "host unreachable";
        case diagnose::IcmpError::Kind::net_unreachable: return "network unreachable";
        case diagnose::IcmpError::Kind::prohibited: return "prohibited";
        case diagnose::IcmpError::Kind::hops_exceeded: return "time to live exceeded";
        case diagnose::IcmpError::Kind::other: return "error";
    }
    return "";
}

}  // namespace natkit::html
