#include "call_section.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include "ladder.hpp"
#include "natkit/diagnose/table.hpp"
#include "natkit/engine/explain/html/path_picture.hpp"
#include "timeline.hpp"
#include "words.hpp"

namespace natkit::html {
namespace {

using diagnose::Case;
using diagnose::Diagnosis;
using diagnose::Finding;

constexpr std::size_t most_icmp = 8;

/// What is known of the frames that findings rest on: "0.104 s, 200 OK".
using Evidence = std::map<std::uint64_t, std::string>;

Evidence evidence_of(const Case& one) {
    Evidence known;
    const auto say = [&](std::uint64_t frame, std::int64_t ns, const std::string& what) {
        known.emplace(frame, seconds(ns - one.call().first_ns) + ", " + what);
    };
    for (const diagnose::Request& request : one.call().requests) {
        say(request.frame, request.first_ns, request.method);
        say(request.last_frame, request.last_ns, request.method + " again");
        for (const diagnose::Response& response : request.responses)
            say(response.frame, response.first_ns, std::to_string(response.status) + " to " + request.method);
    }
    for (const diagnose::SessionDescription& description : one.call().descriptions)
        say(description.frame, description.time_ns,
            description.request ? description.method
                                : std::to_string(description.status) + " to " + description.method);
    for (const diagnose::Path& path : one.paths().all()) {
        say(path.stream->first_frame, path.stream->first_ns,
            "first RTP packet to " + to_string(path.stream->destination));
        say(path.stream->last_frame, path.stream->last_ns, "last RTP packet to " + to_string(path.stream->destination));
    }
    for (const diagnose::IcmpError& error : one.facts().icmp)
        say(error.frame, error.first_ns, std::string("ICMP, ") + to_string(error.kind));
    return known;
}

Markup proof(const Finding& finding, const Evidence& known) {
    Markup out;
    out.put("<p class=\"proof\"><span class=\"pill {}\">{}</span> <code class=\"cause\">{}</code>",
            diagnose::to_string(finding.confidence), diagnose::to_string(finding.confidence),
            diagnose::to_string(finding.cause));
    if (finding.from_s)
        out.put(" <span>{} s{}{}</span>", fixed(*finding.from_s, 3), finding.to_s ? " to " : " on",
                finding.to_s ? fixed(*finding.to_s, 3) + " s" : "");
    for (const std::uint64_t frame : finding.frames) {
        const auto found = known.find(frame);
        out.put(" <span class=\"frameref\"><b>frame {}</b>{}</span>", frame,
                found == known.end() ? "" : " " + found->second);
    }
    return out.put("</p>\n");
}

/// The root of it, large; what follows from it, beneath; what is only worth knowing, last.
Markup findings(const Diagnosis& diagnosis, const Evidence& known) {
    Markup out, more, information;
    const Finding* first = root(diagnosis);
    for (const Finding& finding : diagnosis.findings) {
        Markup remedy;
        if (!finding.change.empty())
            remedy.put("<p class=\"remedy\">{}{}</p>\n",
                       diagnose::harmless(finding) ? Markup() : Markup().put("<b>Remedy:</b> "), finding.change);
        if (&finding == first) {
            out.put("<div class=\"finding root\"><p class=\"sentence\">{}</p>\n{}{}</div>\n", finding.sentence, remedy,
                    proof(finding, known));
        } else if (diagnose::harmless(finding) && !finding.follows_from) {
            information.put("<li><p class=\"sentence\">{}</p>\n{}{}</li>\n", finding.sentence, remedy,
                            proof(finding, known));
        } else {
            more.put("<li><p class=\"sentence\">{}</p>\n{}{}</li>\n", finding.sentence, remedy, proof(finding, known));
        }
    }
    if (!more.empty()) out.put("<h4>With it, or because of it</h4>\n<ul class=\"finding more\">{}</ul>\n", more);
    if (!information.empty())
        out.put("<h4>Good to know</h4>\n<ul class=\"finding information\">{}</ul>\n", information);
    return out;
}

void add_row(Markup& list, const char* name, const std::string& value) {
    if (!value.empty()) list.put("<div><dt>{}</dt><dd>{}</dd></div>\n", name, value);
}

/// The same for a long value.
void add_long_row(Markup& list, const char* name, const std::string& value) {
    list.put("<div class=\"long\"><dt>{}</dt><dd>{}</dd></div>\n", name, value);
}

std::string registered(const diagnose::Registration& one) {
    using State = diagnose::Registration::State;
    std::string text = one.state == State::registered ? "registered"
                       : one.state == State::expired  ? "expired"
                       : one.state == State::removed  ? "removed"
                                                      : "refused, " + std::to_string(one.status);
    if (one.contact) text += ", Contact " + to_string(*one.contact);
    if (one.source) text += ", from " + to_string(*one.source);
    return text + " (frame " + std::to_string(one.frame) + ")";
}

Markup who_and_when(const Case& one, const Diagnosis& diagnosis) {
    const diagnose::Call& call = one.call();
    const auto at = [](const std::optional<Endpoint>& source) {
        return source ? " at " + to_string(*source) : std::string();
    };
    Markup list;
    add_row(list, "From", cut(diagnosis.names[0], 100) + at(call.caller_source));
    add_row(list, "To", cut(diagnosis.names[1], 100) + at(call.callee_source));
    add_row(list, "Call-ID", cut(diagnosis.call_id, 120));
    add_row(list, "Began",
            date_time(diagnosis.first_ns) + (diagnosis.first_ns == 0 ? "" : ", ") + "frame " +
                std::to_string(diagnosis.first_frame));
    add_row(list, "Lasted", duration(diagnosis.end_ns - diagnosis.first_ns));
    add_row(list, "Outcome", outcome(diagnosis));
    if (call.callee_registration) add_long_row(list, "Registration", registered(*call.callee_registration));
    std::size_t count = 0;
    for (const diagnose::IcmpError& error : one.facts().icmp) {
        if (++count > most_icmp) break;
        add_long_row(list, "ICMP",
                     std::string(to_string(error.kind)) + ", says " + to_string(error.reporter) + " of " +
                         to_string(error.source) + " → " + to_string(error.destination) + ", " +
                         std::to_string(error.count) + "× from frame " + std::to_string(error.frame) + " on");
    }
    const bool fragments = std::ranges::any_of(diagnosis.findings, [](const diagnose::Finding& finding) {
        return finding.cause == diagnose::Cause::fragments_lost;
    });  // which says more
    if (diagnosis.cut && !fragments)
        add_long_row(list, "Capture", "messages are cut: take it with a larger snapshot length (tcpdump -s 0)");
    return Markup().put("<dl class=\"who\">{}</dl>\n", list);
}

/// A figure that scrolls by itself where the window is narrow.
Markup figure(const char* title, const Markup& picture, const Markup& legend) {
    return Markup().put(
        "<figure><figcaption><h3>{}</h3>{}</figcaption>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" "
        "aria-label=\"{}\">{}</div></figure>\n",
        title, legend, title, picture);
}

Markup folded(const char* title, const Markup& content) {
    if (content.empty()) return {};
    return Markup().put(
        "<details><summary>{}</summary>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" "
        "aria-label=\"{}\">{}</div></details>\n",
        title, title, content);
}

Markup clock(const Diagnosis& diagnosis) {
    if (diagnosis.first_ns == 0) return {};
    return Markup().put("<span class=\"clock\">{}</span> ", time_of_day(diagnosis.first_ns));
}

}  // namespace

Markup call_section(const Case& one, const Diagnosis& diagnosis, const std::vector<explain::MediaPath>& paths,
                    std::size_t number) {
    const std::string id = "call-" + std::to_string(number);
    Markup out;
    out.put(
        "<article class=\"call\" id=\"{}\" aria-labelledby=\"{}-h\">\n<header><p class=\"eyebrow\">{} of frame {} · {} "
        "→ {}</p>\n<h2 id=\"{}-h\">{}</h2>\n</header>\n",
        id, id, diagnosis.registration ? "Registration" : "Call", diagnosis.first_frame, cut(diagnosis.names[0], 60),
        cut(diagnosis.names[1], 60), id, verdict(diagnosis));
    out.put("{}{}", findings(diagnosis, evidence_of(one)), who_and_when(one, diagnosis));
    const Markup timeline = timeline_picture(one, id + "-time");
    if (!timeline.empty())
        out.put("{}", figure("Packets a second", timeline,
                             Markup().put("<p class=\"legend\"><span class=\"key sent-key\">sent</span> <span "
                                          "class=\"key arrived-key\">arrived</span> "
                                          "<span class=\"key dead-key\">nothing arrives that should</span> <span "
                                          "class=\"key unmeant-key\">not agreed</span></p>")));
    out.put("{}{}", traffic_table(one, diagnosis), phase_table(one));
    const Ladder ladder = ladder_of(one, diagnosis);
    if (!ladder.rows.empty())
        out.put("{}", figure("Messages", ladder_picture(ladder, id + "-sip", one.call().first_ns),
                             Markup().put("<p class=\"legend\">Times since the first message; ×: how often it was "
                                          "sent; marked: the cause rests on it.</p>")));
    if (!paths.empty())
        out.put("{}",
                figure("The way of the media, by the session descriptions", path_figure(paths, id + "-path"), {}));
    if (!ladder.rows.empty()) out.put("{}", folded("Table of messages", ladder_table(ladder, one.call().first_ns)));
    out.put("{}", folded("RTP streams", stream_table(one)));
    return out.put("</article>\n");
}

Markup contents_line(const Diagnosis& diagnosis, std::size_t number) {
    Markup out = clock(diagnosis);
    out.put("<a href=\"#call-{}\">{} → {}</a> <span>{}</span>", number, cut(diagnosis.names[0], 60),
            cut(diagnosis.names[1], 60), verdict(diagnosis));
    if (const Finding* first = root(diagnosis))
        out.put(" <code class=\"cause\">{}</code>", diagnose::to_string(first->cause));
    return out;
}

Markup call_line(const Diagnosis& diagnosis) {
    Markup out = clock(diagnosis);
    out.put("<b>{} → {}</b> <span>{}</span> <span class=\"dim\">{}", cut(diagnosis.names[0], 60),
            cut(diagnosis.names[1], 60), verdict(diagnosis), duration(diagnosis.end_ns - diagnosis.first_ns));
    for (const diagnose::StreamReport& stream : diagnosis.streams)
        out.put(" · {} {} → / {} ←", cut(stream.kind, 16), grouped(stream.to_callee.arrived),
                grouped(stream.to_caller.arrived));
    out.put(" · frame {} · {}</span>", diagnosis.first_frame, cut(diagnosis.call_id, 80));
    for (const Finding& finding : diagnosis.findings)
        out.put("\n<p class=\"note\"><code class=\"cause\">{}</code> {}</p>", diagnose::to_string(finding.cause),
                finding.sentence);
    return out;
}

}  // namespace natkit::html
