#include "natkit/engine/explain/html/report.hpp"

#include <algorithm>

#include "call_section.hpp"
#include "natkit/diagnose/case.hpp"
#include "natkit/diagnose/table.hpp"
#include "style.hpp"
#include "words.hpp"

namespace natkit::html {
namespace {

constexpr std::size_t most_whole = 200;
constexpr std::size_t most_bytes = 16 * 1024 * 1024;
constexpr std::size_t most_lines = 5000;
constexpr std::size_t most_inputs = 32;

Markup tile(const char* kind, std::size_t count, const char* what) {
    return Markup().put("<li class=\"{}\"><b>{}</b> {}</li>\n", kind, grouped(count), what);
}

template <class Shown>
std::vector<const Shown*> by_time(const std::vector<Shown>& all) {
    std::vector<const Shown*> sorted;
    sorted.reserve(all.size());
    for (const Shown& one : all) sorted.push_back(&one);
    std::ranges::stable_sort(sorted, [](const Shown* a, const Shown* b) {
        return std::pair(a->first_ns, a->frame) < std::pair(b->first_ns, b->frame);
    });
    return sorted;
}

}  // namespace

void Report::add_input(std::string_view name) {
    if (inputs_.size() < most_inputs) {
        inputs_.emplace_back(cut(name, 200));
    } else {
        ++inputs_unnamed_;
    }
}

bool Report::shows_whole(const diagnose::Diagnosis& diagnosis) const {
    return diagnosis.broken() && whole_ < most_whole && bytes_ < most_bytes;
}

void Report::add(const diagnose::Diagnosis& diagnosis, const diagnose::CallFacts& facts,
                 const std::vector<explain::MediaPath>& paths) {
    ++(diagnosis.registration ? registrations_ : calls_);
    if (diagnosis.first_ns != 0) {
        first_ns_ = first_ns_ == 0 ? diagnosis.first_ns : std::min(first_ns_, diagnosis.first_ns);
        last_ns_ = std::max(last_ns_, diagnosis.end_ns);
    }
    const bool broken = diagnosis.broken();
    if (broken) {
        ++broken_count_;
        ++causes_[root(diagnosis)->cause];
    }
    std::vector<Shown>& list = broken ? broken_ : healthy_;
    if (list.size() >= most_lines) {
        ++unshown_[broken ? 0 : 1];
        return;
    }
    Shown shown{.first_ns = diagnosis.first_ns, .frame = diagnosis.first_frame, .line = {}};
    if (shows_whole(diagnosis)) {
        shown.whole = call_section(diagnose::Case(facts), diagnosis, paths, ++whole_);
        shown.line = contents_line(diagnosis, whole_);
        bytes_ += shown.whole.size();
    } else {
        shown.line = call_line(diagnosis);
    }
    list.push_back(std::move(shown));
}

std::string Report::noun(std::size_t count) const {
    const std::string plural = count == 1 ? "" : "s";
    if (registrations_ == 0) return "call" + plural;
    if (calls_ == 0) return "registration" + plural;
    return "call" + plural + (count == 1 ? " or registration" : " and registration") + plural;
}

std::string Report::title() const {
    const std::size_t all = calls_ + registrations_;
    if (all == 0) return "No call";
    if (all == 1) return "One " + noun(1) + (broken_count_ == 0 ? ", not broken" : ", broken");
    if (broken_count_ == 0) return "None of " + grouped(all) + " " + noun(all) + " is broken";
    const std::string of = broken_count_ == all ? "All " : grouped(broken_count_) + " of ";
    return of + grouped(all) + " " + noun(all) + " broken";
}

Markup Report::head() const {
    Markup out;
    out.put(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" "
        "content=\"light dark\">\n"
        "<meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"generator\" "
        "content=\"natclassify " NATKIT_VERSION
        "\">\n"
        "<title>{}</title>\n<style>\n{}</style>\n</head>\n<body>\n<main>\n<header class=\"top\">\n<h1>{}</h1>\n<p "
        "class=\"dim\">",
        title(), style(), title());
    for (std::size_t i = 0; i < inputs_.size(); ++i) out.put("{}<code>{}</code>", i == 0 ? "" : ", ", inputs_[i]);
    if (inputs_unnamed_ > 0) out.put(" and {} more", grouped(inputs_unnamed_));
    if (first_ns_ != 0) out.put("{}{} to {}", inputs_.empty() ? "" : " · ", date_time(first_ns_), date_time(last_ns_));
    return out.put("</p>\n</header>\n");
}

Markup Report::summary() const {
    Markup out;
    const std::size_t all = calls_ + registrations_;
    out.put(
        "<section aria-labelledby=\"summary\">\n<h2 id=\"summary\" class=\"quiet\">Summary</h2>\n<ul "
        "class=\"tiles\">\n{}{}{}",
        tile("broken", broken_count_, "broken"), tile("healthy", all - broken_count_, "healthy"),
        tile("all", calls_, calls_ == 1 ? "call" : "calls"));
    if (registrations_ > 0)
        out.put("{}", tile("all", registrations_, registrations_ == 1 ? "registration" : "registrations"));
    out.put("</ul>\n");
    if (causes_.empty()) return out.put("</section>\n");
    std::vector<std::pair<diagnose::Cause, std::size_t>> causes(causes_.begin(), causes_.end());
    std::ranges::stable_sort(causes, [](const auto& a, const auto& b) { return a.second > b.second; });
    out.put(
        "<table class=\"causes\"><caption>Broken calls by cause</caption><thead><tr><th "
        "class=\"n\">Calls</th><th>Cause</th><th>Which is</th></tr></thead>\n<tbody>");
    for (const auto& [cause, count] : causes)
        out.put("<tr><td class=\"n\">{}</td><td><code class=\"cause\">{}</code></td><td>{}</td></tr>\n", grouped(count),
                diagnose::to_string(cause), diagnose::row(cause).meaning);
    return out.put("</tbody></table>\n</section>\n");
}

Markup Report::contents(const std::vector<const Shown*>& broken) const {
    Markup out;
    out.put(
        "<nav aria-labelledby=\"contents\">\n<h2 id=\"contents\" class=\"quiet\">Broken calls</h2>\n<ol "
        "class=\"lines\">\n");
    for (const Shown* one : broken) out.put("<li>{}</li>\n", one->line);
    out.put("</ol>\n");
    if (unshown_[0] > 0) out.put("<p class=\"dim\">… {} more broken calls</p>\n", grouped(unshown_[0]));
    if (broken.size() + unshown_[0] > whole_)
        out.put("<p class=\"dim\">{} of them are shown whole.</p>\n", grouped(whole_));
    return out.put("</nav>\n");
}

void Report::write(const std::function<void(std::string_view)>& out) const {
    out(head().str());
    out(summary().str());
    const auto broken = by_time(broken_), healthy = by_time(healthy_);
    if (broken.size() > 1) out(contents(broken).str());
    for (const Shown* one : broken) out(one->whole.str());
    if (!healthy.empty()) {
        out(Markup()
                .put("<section class=\"healthy\">\n<details{}><summary><h2>{}</h2></summary>\n<ul class=\"lines\">\n",
                     broken.empty() ? Markup().put(" open") : Markup(),
                     grouped(healthy.size() + unshown_[1]) + " healthy " + noun(healthy.size() + unshown_[1]))
                .str());
        for (const Shown* one : healthy) out(Markup().put("<li>{}</li>\n", one->line).str());
        out("</ul>\n");
        if (unshown_[1] > 0) out(Markup().put("<p class=\"dim\">… {} more</p>\n", grouped(unshown_[1])).str());
        out("</details>\n</section>\n");
    }
    out("</main>\n<footer>Times are of the capture, in UTC. Made by natclassify " NATKIT_VERSION
        ".</footer>\n</body>\n</html>\n");
}

}  // namespace natkit::html
