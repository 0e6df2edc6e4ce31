#include "natclassify/text.hpp"

#include <array>

#include "natkit/base/text.hpp"

namespace natkit::natclassify {
namespace {

/// Columns as a terminal counts them: continuation bytes of UTF-8 take none.
std::string padded(std::string text, std::size_t width) {
    std::size_t columns = 0;
    for (const char c : text) columns += (static_cast<unsigned char>(c) & 0xc0U) != 0x80 ? 1 : 0;
    if (columns < width) text.append(width - columns, ' ');
    return text;
}

/// "10:22:31.123" of "2026-01-02T10:22:31.123456Z".
std::string clock(const std::string& time) {
    return time.size() >= 23 && time[10] == 'T' ? time.substr(11, 12) : time;
}

std::string joined(const std::vector<std::string>& words, const char* separator) {
    std::string all;
    for (const std::string& word : words) all += (all.empty() ? "" : separator) + word;
    return all;
}

std::string yes_no(bool yes) {
    return yes ? "yes" : "no";
}

}  // namespace

std::string Text::paint(std::string_view text, Ink ink) const {
    constexpr std::array<const char*, 6> codes = {"1", "2", "31", "32", "33", "34"};
    if (!colour_) return std::string(text);
    return std::string("\x1b[") + codes[static_cast<std::size_t>(ink)] + "m" + std::string(text) + "\x1b[0m";
}

std::string Text::place(const nat::Verdict& verdict) const {
    const Ink ink = verdict.place == nat::Place::far_end ? Ink::yellow
                    : verdict.place == nat::Place::lan   ? Ink::blue
                                                         : Ink::green;
    return paint(padded(nat::to_string(verdict.place), 7), ink);
}

std::string Text::verdict(const record::Nat& nat) const {
    std::string words = place(nat.verdict) + "  ";
    const std::string rule = std::string("rule ") + nat::to_string(nat.verdict.rule);
    const std::vector<std::string> tests = nat.tests();
    return words + padded(rule, 15) + (tests.empty() ? "" : "  " + joined(tests, " "));
}

std::string Text::description(const Endpoint& source, const record::Nat& nat) const {
    return paint(padded("SDP", 13), Ink::bold) + " " + padded(to_string(source), 22) + "  " + verdict(nat) + "\n";
}

std::string Text::message(const record::Sip& sip, const sip::Message& message, const record::Nat& nat,
                          std::span<const explain::PeerVerdict> peers, const explain::Copy* copy) const {
    std::string line;
    if (sip.frame) line += paint(padded("#" + std::to_string(*sip.frame), 7), Ink::dim) + " ";
    if (!sip.time.empty()) line += paint(clock(sip.time), Ink::dim) + "  ";
    const std::string what = message.is_request()
                                 ? text::printable(message.method(), 12)
                                 : std::to_string(message.status()) + " " + text::printable(message.reason(), 8);
    line += paint(padded(what, 13), Ink::bold) + " ";
    std::string way = to_string(*sip.source);
    if (sip.destination) way += " → " + to_string(*sip.destination);
    line += padded(way, sip.destination ? 45 : 22) + "  " + verdict(nat);
    if (nat.nat_uac_test) line += paint("  nat_uac_test " + std::to_string(*nat.nat_uac_test), Ink::dim);
    line += "\n";
    if (sip.cut) line += "        " + paint("cut by the capture: its snapshot length was too short", Ink::dim) + "\n";
    if (copy != nullptr) {
        const bool translated = copy->source_translated || copy->destination_translated;
        line += "        " +
                paint("the packet of frame " + std::to_string(copy->frame) +
                          (translated ? " after a NAT on the capturing machine" : " on another interface"),
                      Ink::dim) +
                "\n";
    }
    for (const record::Evidence& one : nat.alg) {
        line += "        " + paint("ALG suspected", Ink::red) + ": " + one.field + " " + text::printable(one.value) +
                " (" + one.test + ")\n";
    }
    for (const explain::PeerVerdict& peer : peers) {
        const bool ours = nat.verdict.place == nat::Place::far_end;
        line += "        " + padded(peer.peer, 11) + " behind NAT: " + padded(yes_no(peer.behind_nat), 3) + "  by " +
                peer.rule;
        if (!peer.tests.empty()) line += ", fires: " + joined(peer.tests, " ");
        if (peer.number != 0) line += " (" + std::to_string(peer.number) + ")";
        if (ours != peer.behind_nat) line += paint("  natkit says otherwise", Ink::yellow);
        line += "\n";
    }
    return line;
}

std::string Text::party(const char* name, const record::Nat& nat) const {
    std::string line = std::string("  ") + name + "  " + place(nat.verdict) + "  rule " +
                       padded(nat::to_string(nat.verdict.rule), 10) + "  at " + to_string(nat.received);
    const std::string site = to_string(nat.verdict.site);
    if (site != to_string(nat.received)) line += " (site " + site + ")";
    return line + "\n";
}

std::string Text::policy(const record::Decision& decision) const {
    const bool relay = decision.decision.relay;
    std::string reasons;
    for (const nat::Reason reason : decision.decision.reasons)
        reasons += (reasons.empty() ? "" : ", ") + std::string(nat::to_string(reason));
    return "  media proxy: " + paint(relay ? "needed" : "not needed", relay ? Ink::yellow : Ink::green) + " (" +
           reasons + ")\n";
}

std::string Text::decision(const record::Decision& decision) const {
    std::string lines = "\n" + paint("call " + text::printable(decision.call_id, 80), Ink::bold) + "\n";
    if (decision.a) lines += party("from", *decision.a);
    if (decision.b) lines += party("to  ", *decision.b);
    lines += policy(decision);
    for (const record::StreamDecision& stream : decision.streams) {
        lines += "  " + padded(stream.kind, 12) + " " + padded(stream.a ? to_string(*stream.a) : "-", 22) + " ↔ " +
                 (stream.b ? to_string(*stream.b) : "-");
        if (stream.relay_seen) lines += *stream.relay_seen ? "   through a relay" : "   no relay in between";
        lines += "\n";
    }
    if (const auto agrees = decision.agrees()) {
        lines += *agrees ? "  " + paint("the capture agrees", Ink::green) + "\n"
                         : "  " +
                               paint(*decision.relay_seen ? "the capture shows a relay that was not needed"
                                                          : "the capture shows no relay, and one was needed",
                                     Ink::red) +
                               "\n";
    }
    return lines;
}

std::string Text::pair(const record::Decision& decision, bool same) const {
    std::string lines = party("a", *decision.a) + party("b", *decision.b);
    lines += std::string("  the same: ") + (same ? paint("yes", Ink::green) : paint("no", Ink::yellow)) + "\n";
    return lines + policy(decision);
}

}  // namespace natkit::natclassify
