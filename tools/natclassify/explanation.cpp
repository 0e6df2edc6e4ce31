#include "natclassify/explanation.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "natkit/base/text.hpp"
#include "natkit/diagnose/table.hpp"
#include "natkit/record/sip.hpp"

namespace natkit::natclassify {
namespace {

constexpr std::size_t most_healthy = 1000;
constexpr std::size_t shown_ssrcs = 3;
constexpr std::size_t shown_phases = 12;

std::string tenths(double seconds) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.1f s", seconds);
    return text.data();
}

std::string hexadecimal(std::uint32_t number) {
    std::array<char, 16> text{};
    std::snprintf(text.data(), text.size(), "0x%08x", number);
    return text.data();
}

std::string milliseconds(double value) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.1f ms", value);
    return text.data();
}

std::string counted(std::uint64_t count, const char* one, const char* many) {
    return std::to_string(count) + " " + (count == 1 ? one : many);
}

std::string outcome(const diagnose::Diagnosis& diagnosis) {
    std::string words = diagnose::to_string(diagnosis.outcome);
    std::ranges::replace(words, '_', ' ');
    if (diagnosis.status != 0) words += " (" + std::to_string(diagnosis.status) + ")";
    return words + ", " + tenths(static_cast<double>(diagnosis.end_ns - diagnosis.first_ns) / 1e9);
}

/// "2026-11-29 10:12:33 UTC, " of what a capture has the time of.
std::string began(const diagnose::Diagnosis& diagnosis) {
    if (diagnosis.first_ns == 0) return {};
    const std::string text = record::time_text(diagnosis.first_ns);  // 2026-11-29T10:12:33.250000Z
    return text.substr(0, 10) + " " + text.substr(11, 8) + " UTC, ";
}

/// "51 sent, 50 arrived"
std::string of_phase(const diagnose::PhaseTraffic& traffic) {
    if (traffic.sent == 0 && traffic.arrived == 0) return traffic.meant ? "nothing" : "nothing, as agreed";
    return std::to_string(traffic.sent) + " sent, " + std::to_string(traffic.arrived) + " arrived" +
           (traffic.meant ? "" : " (not agreed)");
}

std::string parties(const diagnose::Diagnosis& diagnosis) {
    const std::string& from = diagnosis.names[0];
    if (diagnosis.registration) return "REGISTER of " + text::printable(diagnosis.names[1], 80);
    if (from.empty()) return text::printable(diagnosis.call_id, 80);
    return text::printable(from, 80) + " → " + text::printable(diagnosis.names[1], 80);
}

std::string at(const diagnose::Finding& finding) {
    std::string words = diagnose::to_string(finding.confidence);
    if (!finding.frames.empty()) {
        words += finding.frames.size() == 1 ? ", frame " : ", frames ";
        for (std::size_t i = 0; i < finding.frames.size(); ++i)
            words += (i == 0 ? "" : " ") + std::to_string(finding.frames[i]);
    }
    if (finding.from_s) words += ", from " + tenths(*finding.from_s);
    if (finding.to_s) words += " to " + tenths(*finding.to_s);
    return words;
}

}  // namespace

std::string ExplanationText::heading(const diagnose::Diagnosis& diagnosis) const {
    return parties(diagnosis) + "  " + text_.paint(began(diagnosis) + outcome(diagnosis), Text::Ink::dim) + "  " +
           text_.paint(
               "call " + text::printable(diagnosis.call_id, 80) + ", frame " + std::to_string(diagnosis.first_frame),
               Text::Ink::dim) +
           "\n";
}

/// Who sent how much to where, and from where.
std::string ExplanationText::traffic(const diagnose::StreamReport& stream, const diagnose::Traffic& traffic) const {
    const auto padded = [](std::string text, std::size_t width) {
        if (text.size() < width) text.append(width - text.size(), ' ');
        return text;
    };
    std::string line = "  " + padded(stream.kind, 12) +
                       (traffic.from == dialog::End::caller ? " caller → callee  " : " callee → caller  ") +
                       padded(counted(traffic.sent, "packet", "packets"), 14);
    std::string sources;
    for (const Endpoint& source : traffic.sources) sources += (sources.empty() ? "" : ", ") + to_string(source);
    line += padded(sources.empty() ? "" : " from " + sources, 28) + " to " +
            (traffic.told ? to_string(*traffic.told) : "-");
    if (traffic.relayed) line += ", a relay";
    line += ", " + std::to_string(traffic.arrived) + " arrived";
    if (traffic.missing > 0) line += ", " + std::to_string(traffic.missing) + " lost";
    if (traffic.jitter_ms) line += ", jitter " + milliseconds(*traffic.jitter_ms);
    if (traffic.reported_loss && (*traffic.reported_loss > 0 || traffic.reported_jitter_ms.value_or(0) >= 1))
        line += " (its receiver reports " + std::to_string(*traffic.reported_loss) + " % lost, jitter " +
                milliseconds(traffic.reported_jitter_ms.value_or(0)) + ")";
    if (!traffic.codec.empty()) line += ", " + traffic.codec;
    for (std::size_t i = 0; i < std::min(shown_ssrcs, traffic.ssrcs.size()); ++i)
        line += (i == 0 ? ", SSRC " : " ") + hexadecimal(traffic.ssrcs[i]);
    if (traffic.ssrcs.size() > shown_ssrcs) line += " …";
    return line + "\n";
}

/// Where an answer changed something in the middle of the call: what went each way before and after.
std::string ExplanationText::phases(const diagnose::Diagnosis& diagnosis, const diagnose::StreamReport& stream) const {
    if (diagnosis.phases.size() < 2 || stream.to_callee_phases.size() != diagnosis.phases.size()) return {};
    std::string lines;
    for (std::size_t i = 0; i < std::min(shown_phases, diagnosis.phases.size()); ++i) {
        const diagnose::PhaseReport& phase = diagnosis.phases[i];
        lines += "    " +
                 text_.paint("from " + tenths(phase.from_s) + (phase.early ? " (early)" : "") + ", frame " +
                                 std::to_string(phase.frame) + ":  caller → callee  " +
                                 of_phase(stream.to_callee_phases[i]) + ";  callee → caller  " +
                                 of_phase(stream.to_caller_phases[i]),
                             Text::Ink::dim) +
                 "\n";
    }
    if (diagnosis.phases.size() > shown_phases)
        lines += "    … and " + std::to_string(diagnosis.phases.size() - shown_phases) + " more\n";
    return lines;
}

std::string ExplanationText::facts(const diagnose::Diagnosis& diagnosis) const {
    std::string lines;
    for (const diagnose::StreamReport& stream : diagnosis.streams)
        lines += traffic(stream, stream.to_callee) + traffic(stream, stream.to_caller) + phases(diagnosis, stream);
    // Where fragments are missing the finding says more.
    const bool told = std::ranges::find(diagnosis.findings, diagnose::Cause::fragments_lost,
                                        &diagnose::Finding::cause) != diagnosis.findings.end();
    if (diagnosis.cut && !told)
        lines +=
            "  " + text_.paint("•", Text::Ink::blue) +
            " Some messages are cut by the capture and may lack what matters: take it with a larger snapshot length "
            "(tcpdump -s 0).\n";
    return lines;
}

/// A consequence is indented under its root.
std::string ExplanationText::finding(const diagnose::Finding& finding) const {
    const bool harmless = diagnose::harmless(finding);
    const std::string indent = finding.follows_from ? "  " : "";
    return indent + text_.paint(harmless ? "•" : "✗", harmless ? Text::Ink::blue : Text::Ink::red) + " " +
           finding.sentence + "\n" + indent + "  " + text_.paint("→", Text::Ink::dim) + " " + finding.change + "\n" +
           indent + "  " +
           text_.paint(std::string(diagnose::to_string(finding.cause)) + ": " + at(finding), Text::Ink::dim) + "\n";
}

/// "✓ a@x → b@y  2026-11-29 10:12:33 UTC, answered (200), 12.0 s  call …, frame 1: early media"
std::string ExplanationText::line(const diagnose::Diagnosis& diagnosis) const {
    std::string notes;
    const auto note = [&](std::string words) {
        std::ranges::replace(words, '-', ' ');
        if (notes.find(words) == std::string::npos) notes += (notes.empty() ? "" : ", ") + words;
    };
    for (const diagnose::Finding& one : diagnosis.findings) note(diagnose::to_string(one.cause));
    if (!diagnosis.media_seen && !diagnosis.registration) note("no media in the capture");
    if (diagnosis.cut) note("messages cut by the capture");
    std::string head = heading(diagnosis);
    head.pop_back();
    return text_.paint("✓", Text::Ink::green) + " " + head + (notes.empty() ? "" : ": ") + notes + "\n";
}

std::string ExplanationText::whole(const diagnose::Diagnosis& diagnosis, const std::string& policy) const {
    std::string lines = "\n";
    const bool broken = diagnosis.broken();  // then the gravest finding is the verdict
    if (!broken) lines += text_.paint("✓", Text::Ink::green) + " " + heading(diagnosis);
    bool first = true;
    for (const diagnose::Finding& one : diagnosis.findings) {
        lines += finding(one);
        if (first && broken) lines += "  " + heading(diagnosis);
        first = false;
    }
    if (first) {
        const char* why = diagnosis.media_seen || diagnosis.registration
                              ? "Nothing wrong was found."
                              : "Nothing wrong was found in the messages; the capture has no media of this call.";
        lines += std::string("  ") + why + "\n";
    }
    return lines + facts(diagnosis) + policy;
}

std::string ExplanationText::call(const diagnose::Diagnosis& diagnosis, const std::string& policy) {
    ++(diagnosis.registration ? registrations_ : calls_);
    const bool broken = diagnosis.broken();
    if (!diagnosis.media_seen && !diagnosis.registration) ++without_media_;
    if (broken) {
        ++broken_;
        ++by_cause_[diagnose::to_string(diagnosis.findings.front().cause)];
    }
    if (broken || in_full_) return whole(diagnosis, policy);
    const bool only_registered = diagnosis.registration && diagnosis.findings.empty() && !diagnosis.cut;
    if (!only_registered && healthy_.size() < most_healthy) healthy_.push_back(line(diagnosis) + policy);
    return {};
}

std::string ExplanationText::summary() const {
    std::string lines;
    if (!healthy_.empty()) lines += "\n";
    for (const std::string& one : healthy_) lines += one;
    if (calls_ + registrations_ == 0) return lines;
    lines += "\n";
    if (calls_ > 0) lines += counted(calls_, "call", "calls");
    if (registrations_ > 0)
        lines += (calls_ > 0 ? " and " : "") + counted(registrations_, "registration", "registrations");
    lines += ", " + std::to_string(broken_) + " broken";
    if (without_media_ > 0) lines += ", " + std::to_string(without_media_) + " without media in the capture";
    lines += "\n";
    for (const auto& [cause, count] : by_cause_) lines += "  " + cause + ": " + std::to_string(count) + "\n";
    return lines;
}

}  // namespace natkit::natclassify
