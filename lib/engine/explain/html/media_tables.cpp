#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "call_section.hpp"
#include "natkit/base/text.hpp"
#include "words.hpp"

namespace natkit::html {
namespace {

using diagnose::Case;
using diagnose::MediaDescription;
using diagnose::MediaDirection;
using diagnose::Path;
using diagnose::Phase;
using diagnose::RtpStream;

constexpr std::size_t most_named = 4;
constexpr std::size_t most_table_rows = 40;

/// "a, b and 3 more"
std::string listed(const std::vector<std::string>& words) {
    std::string text;
    for (std::size_t i = 0; i < std::min(words.size(), most_named); ++i) text += (i == 0 ? "" : ", ") + words[i];
    return words.size() > most_named ? text + " and " + std::to_string(words.size() - most_named) + " more" : text;
}

std::vector<const RtpStream*> streams_of(const MediaDirection& direction) {
    const auto sent = direction.sent();
    return sent.empty() ? direction.forwarded() : sent;
}

std::string format_name(const MediaDirection& direction, std::uint8_t number) {
    for (const MediaDescription* media :
         {direction.receiver_written, direction.receiver_delivered, direction.sender_written}) {
        if (media == nullptr) continue;
        for (const diagnose::Format& format : media->formats) {
            if (format.number == number && !format.name.empty()) return text::printable(format.name, 24);
        }
    }
    return "type " + std::to_string(number);
}

/// Those of the packets, most first.
std::string codecs(const MediaDirection& direction) {
    std::map<std::uint8_t, std::uint64_t> packets;
    for (const RtpStream* stream : streams_of(direction)) {
        for (const auto& type : stream->payload_types) packets[type.number] += type.packets;
    }
    std::vector<std::pair<std::uint8_t, std::uint64_t>> types(packets.begin(), packets.end());
    std::ranges::stable_sort(types, [](const auto& a, const auto& b) { return a.second > b.second; });
    std::vector<std::string> words;
    words.reserve(types.size());
    for (const auto& [number, count] : types)
        words.push_back(format_name(direction, number) + " (" + std::to_string(number) + ")");
    return listed(words);
}

std::string sources(const diagnose::Traffic& traffic) {
    std::vector<std::string> words;
    words.reserve(traffic.ssrcs.size());
    for (const std::uint32_t number : traffic.ssrcs) words.push_back(ssrc(number));
    return listed(words);
}

/// What is missing by the numbers of what arrived, and what the receiver reports by RTCP.
std::string loss(const Case& one, const MediaDirection& direction) {
    const diagnose::Traffic& traffic = direction.traffic;
    std::string text;
    if (traffic.missing > 0) {
        const double all = static_cast<double>(traffic.arrived + traffic.missing);
        text = grouped(traffic.missing) + " (" + fixed(100.0 * static_cast<double>(traffic.missing) / all, 1) + " %)";
    } else if (traffic.arrived > 0) {
        text = "none";
    }
    std::optional<unsigned> reported;
    for (const Path& path : one.paths().all()) {
        if (path.from == direction.to && path.line == direction.line && path.stream->reported_loss)
            reported = std::max(reported.value_or(0), *path.stream->reported_loss);
    }
    if (reported) text += (text.empty() ? "" : "; ") + std::string("RTCP says ") + std::to_string(*reported) + " %";
    return text;
}

/// Of what arrives, and as its receiver reports it.
std::string jitter(const diagnose::Traffic& traffic) {
    std::string text = traffic.jitter_ms ? fixed(*traffic.jitter_ms, 1) + " ms" : "";
    if (traffic.reported_jitter_ms)
        text += (text.empty() ? "" : "; ") + ("RTCP says " + fixed(*traffic.reported_jitter_ms, 1) + " ms");
    return text;
}

Markup mark(std::uint64_t sent, std::uint64_t arrived, bool meant) {
    if (arrived > 0) return Markup().put("<span class=\"good\">{}</span>", grouped(arrived));
    if (meant && sent > 0) return Markup().put("<span class=\"bad\">0</span>");
    return Markup().put("0");
}

void add_traffic(Markup& rows, const Case& one, const diagnose::Stream& stream, const MediaDirection& direction) {
    std::vector<std::string> from;
    from.reserve(direction.traffic.sources.size());
    for (const Endpoint& source : direction.traffic.sources) from.push_back(to_string(source));
    const bool dead = direction.dead.has_value();
    rows.put(
        "<tr><th scope=\"row\">{} {}</th><td class=\"n\">{}</td><td "
        "class=\"n\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>"
        "<td>{}{}</td><td>{}</td></tr>\n",
        text::printable(stream.kind, 16), way(direction.from), grouped(direction.traffic.sent),
        mark(direction.traffic.sent, direction.traffic.arrived, dead), loss(one, direction), jitter(direction.traffic),
        codecs(direction), sources(direction.traffic), direction.traffic.told ? to_string(*direction.traffic.told) : "",
        direction.traffic.relayed ? ", a relay" : "", listed(from));
}

const char* agreed(const diagnose::PhaseTraffic& to_callee, const diagnose::PhaseTraffic& to_caller) {
    if (to_callee.meant && to_caller.meant) return "both ways";
    if (to_callee.meant) return "caller → callee only";
    return to_caller.meant ? "callee → caller only" : "nothing";
}

}  // namespace

Markup traffic_table(const Case& one, const diagnose::Diagnosis& diagnosis) {
    if (diagnosis.streams.empty()) return {};
    if (!one.media_seen())
        return Markup().put(
            "<p class=\"dim\">The capture has no media of this call, or none that can be told to be its own.</p>\n");
    Markup rows;
    for (const diagnose::Stream& stream : one.streams()) {
        add_traffic(rows, one, stream, stream.to_callee);
        add_traffic(rows, one, stream, stream.to_caller);
    }
    return Markup().put(
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Media by direction\"><table "
        "class=\"media\"><caption>RTP packets by direction</caption>"
        "<thead><tr><th></th><th class=\"n\">Sent</th><th "
        "class=\"n\">Arrived</th><th>Missing</th><th>Jitter</th><th>Codec</th><th>SSRC</th>"
        "<th>Told to send to</th><th>Comes from</th></tr></thead>\n<tbody>{}</tbody></table></div>\n",
        rows);
}

Markup phase_table(const Case& one) {
    if (one.phases().size() < 2 || one.streams().empty() || !one.media_seen()) return {};
    Markup rows;
    std::size_t count = 0;
    for (std::size_t p = 0; p < one.phases().size() && count < most_table_rows; ++p) {
        const Phase& phase = one.phases()[p];
        for (const diagnose::Stream& stream : one.streams()) {
            if (p >= stream.to_callee.phases.size() || p >= stream.to_caller.phases.size() || ++count > most_table_rows)
                continue;
            const auto& out = stream.to_callee.phases[p];
            const auto& back = stream.to_caller.phases[p];
            rows.put(
                "<tr><td class=\"n\">{}</td><td class=\"n\">{}</td><td>frame {}{}</td><td>{}</td><td>{}</td><td "
                "class=\"n\">{}</td>"
                "<td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n",
                seconds(phase.from_ns - one.call().first_ns), duration(phase.to_ns - phase.from_ns), phase.frame,
                phase.early ? ", early" : "", text::printable(stream.kind, 16), agreed(out, back), grouped(out.sent),
                mark(out.sent, out.arrived, out.meant), grouped(back.sent), mark(back.sent, back.arrived, back.meant));
        }
    }
    return Markup().put(
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Media by phase\"><table "
        "class=\"media\"><caption>RTP packets by phase</caption>"
        "<thead><tr><th class=\"n\" rowspan=\"2\">From</th><th class=\"n\" rowspan=\"2\">For</th><th "
        "rowspan=\"2\">Answer</th><th rowspan=\"2\">Media</th>"
        "<th rowspan=\"2\">Agreed</th><th class=\"n\" colspan=\"2\">caller → callee</th><th class=\"n\" "
        "colspan=\"2\">callee → caller</th></tr>"
        "<tr><th class=\"n\">sent</th><th class=\"n\">arrived</th><th class=\"n\">sent</th><th "
        "class=\"n\">arrived</th></tr></thead>\n"
        "<tbody>{}</tbody></table></div>\n",
        rows);
}

Markup stream_table(const Case& one) {
    if (!one.media_seen()) return {};
    Markup rows;
    std::size_t count = 0;
    for (const Path& path : one.paths().all()) {
        if (++count > most_table_rows) break;
        const RtpStream& stream = *path.stream;
        const Phase* phase = nullptr;
        for (const Phase& each : one.phases()) {
            if (phase == nullptr || each.from_ns <= stream.last_ns) phase = &each;
        }
        rows.put(
            "<tr><td class=\"n\">{}</td><td>{}</td><td>{}</td><td>{}{}</td><td class=\"n\">{}</td><td "
            "class=\"n\">{}</td><td class=\"n\">{}</td>"
            "<td>{}</td><td>{}</td></tr>\n",
            stream.first_frame, to_string(stream.source), to_string(stream.destination), way(path.from),
            path.forwarded ? ", sent on"
            : path.inner   ? ", behind the NAT"
                           : "",
            grouped(stream.distinct()), seconds(stream.first_ns - one.call().first_ns),
            seconds(stream.last_ns - one.call().first_ns), ssrc(stream.ssrc),
            phase == nullptr ? "" : to_string(one.paths().reach(path, *phase)));
    }
    if (one.paths().all().size() > most_table_rows)
        rows.put("<tr><td colspan=\"9\">… {} more</td></tr>\n", one.paths().all().size() - most_table_rows);
    return Markup().put(
        "<table><thead><tr><th class=\"n\">Frame</th><th>From</th><th>To</th><th>Media</th><th "
        "class=\"n\">Packets</th><th class=\"n\">First</th>"
        "<th class=\"n\">Last</th><th>SSRC</th><th>Gets</th></tr></thead>\n<tbody>{}</tbody></table>\n",
        rows);
}

}  // namespace natkit::html
