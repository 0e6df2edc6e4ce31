#include "timeline.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>

#include "natkit/base/text.hpp"
#include "words.hpp"

namespace natkit::html {
namespace {

using diagnose::Case;
using diagnose::MediaDirection;
using diagnose::Path;
using diagnose::Phase;
using diagnose::Reach;
using diagnose::RtpStream;
using diagnose::Stream;

// All in pixels.
constexpr int left = 56, right = 18, plot = 886, band = 84, band_apart = 44, top = 40, axis = 40;
constexpr std::size_t most_graphs = 4;
constexpr std::size_t most_bins = 300;

/// The first of these that cuts the time in at most so many pieces.
std::int64_t nice_width(std::int64_t span_ns, std::int64_t pieces) {
    constexpr std::array<std::int64_t, 14> milliseconds = {
        200, 500, 1000, 2000, 5000, 10'000, 20'000, 30'000, 60'000, 300'000, 600'000, 1'800'000, 3'600'000, 36'000'000};
    for (const std::int64_t each : milliseconds) {
        if (span_ns / (each * 1'000'000) < pieces) return each * 1'000'000;
    }
    return span_ns / pieces + 1;
}

/// Where times are on the picture.
class Scale {
  public:
    explicit Scale(const Case& one) : from_ns_(one.call().first_ns) {
        std::int64_t to_ns = one.end_ns();
        for (const Path& path : one.paths().all()) {
            from_ns_ = std::min(from_ns_, path.stream->first_ns);
            to_ns = std::max(to_ns, path.stream->last_ns);
        }
        // What comes long after the end is told by the table of streams.
        to_ns = std::min(to_ns, one.end_ns() + std::max(5 * second_ns, (one.end_ns() - from_ns_) / 4));
        span_ns_ = std::max(to_ns - from_ns_, second_ns);
        bin_ns_ = nice_width(span_ns_, static_cast<std::int64_t>(most_bins));
    }

    [[nodiscard]] double x(std::int64_t ns) const {
        const double share = static_cast<double>(ns - from_ns_) / static_cast<double>(span_ns_);
        return left + std::clamp(share, 0.0, 1.0) * plot;
    }
    [[nodiscard]] std::int64_t from_ns() const { return from_ns_; }
    [[nodiscard]] std::int64_t to_ns() const { return from_ns_ + span_ns_; }
    [[nodiscard]] std::int64_t bin_ns() const { return bin_ns_; }
    [[nodiscard]] Bins bins() const {
        return {from_ns_, bin_ns_, static_cast<std::size_t>((span_ns_ + bin_ns_ - 1) / bin_ns_)};
    }

  private:
    std::int64_t from_ns_, span_ns_ = 0, bin_ns_ = 0;
};

std::string px(double value) {
    return fixed(value, 1);
}

/// The two curves of one direction, in packets a second.
struct Rates {
    std::vector<double> sent, arrived;
    double most = 0;
};

Rates rates_of(const Case& one, const MediaDirection& direction, const Scale& scale) {
    const Bins bins = scale.bins();
    Rates rates{.sent = bins.rates(direction.sent()), .arrived = {}};
    const std::vector<double> forwarded = bins.rates(direction.forwarded());
    for (std::size_t i = 0; i < rates.sent.size(); ++i) rates.sent[i] = std::max(rates.sent[i], forwarded[i]);
    rates.arrived.assign(rates.sent.size(), 0);
    for (std::size_t p = 0; p < one.phases().size(); ++p) {
        const Phase& phase = one.phases()[p];
        std::vector<const RtpStream*> streams;
        for (const Path* path : direction.paths) {
            if (one.paths().reach(*path, phase) == Reach::arrives) streams.push_back(path->stream);
        }
        const std::vector<double> here = bins.rates(streams);
        for (std::size_t i = 0; i < here.size(); ++i) {
            const std::int64_t middle =
                scale.from_ns() + static_cast<std::int64_t>(i) * scale.bin_ns() + scale.bin_ns() / 2;
            const bool begun = p == 0 || middle >= phase.from_ns;
            const bool over = p + 1 < one.phases().size() && middle >= phase.to_ns;
            if (begun && !over) rates.arrived[i] = std::max(rates.arrived[i], here[i]);
        }
    }
    for (const double rate : rates.sent) rates.most = std::max(rates.most, rate);
    for (const double rate : rates.arrived) rates.most = std::max(rates.most, rate);
    return rates;
}

/// Steps, from the left to the right; a closed area where `closed`.
Markup curve(const std::vector<double>& rates, double most, const Scale& scale, int base, bool closed) {
    Markup path;
    double at = -1;
    for (std::size_t i = 0; i < rates.size(); ++i) {
        const double y = base - rates[i] / most * (band - 8);
        const std::int64_t from = scale.from_ns() + static_cast<std::int64_t>(i) * scale.bin_ns();
        if (i == 0) path.put("M{},{} V{}", px(scale.x(from)), closed ? px(base) : px(y), px(y));
        if (i != 0 && y != at) path.put(" V{}", px(y));
        at = y;
        const bool goes_on = i + 1 < rates.size() && base - rates[i + 1] / most * (band - 8) == y;
        if (!goes_on) path.put(" H{}", px(scale.x(from + scale.bin_ns())));
    }
    if (closed) path.put(" V{} z", base);
    return path;
}

/// What is drawn: first all areas, then lines across them, and text over both.
struct Layers {
    Markup areas, words;
};

void shade(Layers& layers, const Scale& scale, std::int64_t from_ns, std::int64_t to_ns, int base, const char* kind,
           std::string_view text) {
    const double x = scale.x(from_ns), width = scale.x(to_ns) - x;
    if (width < 1) return;
    layers.areas.put(
        "<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{}, {} to {}</title></rect>\n", kind,
        px(x), base - band, px(width), band, text, seconds(from_ns - scale.from_ns()),
        seconds(to_ns - scale.from_ns()));
    if (width > 7.0 * static_cast<double>(text.size()) + 12)
        layers.words.put("<text class=\"{}-word\" x=\"{}\" y=\"{}\">{}</text>\n", kind, px(x + 6), base - band + 15,
                         text);
}

void draw_direction(Layers& layers, const Case& one, const Stream& stream, const MediaDirection& direction,
                    const Scale& scale, int base) {
    const Rates rates = rates_of(one, direction, scale);
    const double most = std::max(rates.most, 1.0);
    layers.areas.put("<rect class=\"ground\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>\n", left, base - band, plot,
                     band);
    for (std::size_t p = 0; p < direction.phases.size(); ++p) {
        const auto& phase = direction.phases[p];
        if (!phase.meant && !one.phases()[p].early)
            shade(layers, scale, phase.from_ns, phase.to_ns, base, "unmeant", "not agreed");
    }
    if (rates.most > 0)
        layers.areas.put("<path class=\"sent\" d=\"{}\"/>\n", curve(rates.sent, most, scale, base, true));
    if (direction.dead)
        shade(layers, scale, direction.dead->from_ns, direction.dead->to_ns, base, "dead", "nothing arrives");
    if (rates.most > 0)
        layers.areas.put("<path class=\"arrived\" d=\"{}\"/>\n", curve(rates.arrived, most, scale, base, false));
    layers.words.put(
        "<text class=\"band\" x=\"{}\" y=\"{}\">{} {}</text>\n"
        "<text class=\"tick\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}/s</text>"
        "<text class=\"tick\" x=\"{}\" y=\"{}\" text-anchor=\"end\">0</text>\n",
        left, base - band - 8, text::printable(stream.kind, 16), way(direction.from), left - 6, base - band + 12,
        std::llround(rates.most), left - 6, base);
}

/// "answer", "early media", "new answer", with its frame.
std::string name_of(const std::vector<Phase>& phases, std::size_t p) {
    const bool first = std::none_of(phases.begin(), phases.begin() + static_cast<std::ptrdiff_t>(p),
                                    [](const Phase& phase) { return !phase.early; });
    const char* word = phases[p].early ? "early media" : first ? "answer" : "new answer";
    return std::string(word) + " #" + std::to_string(phases[p].frame);
}

void draw_phases(Markup& svg, const Case& one, const Scale& scale, int bottom) {
    double free_from = 0;
    const auto mark = [&](std::int64_t ns, const std::string& text) {
        const double x = scale.x(ns);
        svg.put("<g class=\"phase\"><title>{}, {}</title><path d=\"M{},{} V{}\"/>", text, seconds(ns - scale.from_ns()),
                px(x), 20, bottom);
        const double wide = 6.6 * static_cast<double>(text.size());
        const bool turn = x + wide > left + plot;
        const double begin = turn ? x - wide - 4 : x + 4;
        if (begin >= free_from) {
            svg.put("<text x=\"{}\" y=\"16\" text-anchor=\"{}\">{}</text>", px(turn ? x - 4 : x + 4),
                    turn ? "end" : "start", text);
            free_from = begin + wide + 8;
        }
        svg.put("</g>\n");
    };
    for (std::size_t p = 0; p < one.phases().size(); ++p) mark(one.phases()[p].from_ns, name_of(one.phases(), p));
    for (const diagnose::Request& request : one.call().requests) {
        if (request.method != "BYE") continue;
        mark(request.first_ns, "BYE #" + std::to_string(request.frame));
        break;
    }
}

void draw_axis(Markup& svg, const Scale& scale, int bottom) {
    const std::int64_t apart = nice_width(scale.to_ns() - scale.from_ns(), 11);
    for (std::int64_t ns = 0; ns <= scale.to_ns() - scale.from_ns(); ns += apart) {
        const double x = scale.x(scale.from_ns() + ns);
        const int digits = apart < second_ns ? 1 : 0;
        svg.put(
            "<path class=\"grid\" d=\"M{},{} V{}\"/><text class=\"tick\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{} "
            "s</text>\n",
            px(x), top, bottom + 4, px(x), bottom + 20,
            fixed(static_cast<double>(ns) / static_cast<double>(second_ns), digits));
    }
}

/// For who cannot see the picture.
std::string in_words(const Case& one) {
    std::string text;
    const auto add = [&](const Stream& stream, const MediaDirection& direction) {
        text += (text.empty() ? "" : "; ") + text::printable(stream.kind, 16) + " " + way(direction.from) + ": " +
                counted(direction.traffic.sent, "packet") + " sent, " + grouped(direction.traffic.arrived) + " arrived";
        if (direction.dead)
            text += ", none from " + seconds(direction.dead->from_ns - one.call().first_ns) + " to " +
                    seconds(direction.dead->to_ns - one.call().first_ns);
    };
    for (const Stream& stream : one.streams()) {
        add(stream, stream.to_callee);
        add(stream, stream.to_caller);
    }
    return text;
}

}  // namespace

void Bins::spread(std::vector<double>& bins, double from_ns, double to_ns, double packets) const {
    const auto width = static_cast<double>(width_ns_);
    const double from = std::clamp((from_ns - static_cast<double>(from_ns_)) / width, 0.0, static_cast<double>(count_));
    const double to = std::clamp((to_ns - static_cast<double>(from_ns_)) / width, from, static_cast<double>(count_));
    const auto first = std::min(static_cast<std::size_t>(from), count_ - 1);
    const auto last = std::min(static_cast<std::size_t>(to), count_ - 1);
    const double all = (to_ns - from_ns) / width;
    if (all <= 0 || first == last) {
        bins[first] += packets;
        return;
    }
    for (std::size_t i = first; i <= last; ++i) {
        const double share = std::min(to, static_cast<double>(i + 1)) - std::max(from, static_cast<double>(i));
        bins[i] += packets * std::max(share, 0.0) / all;
    }
}

void Bins::add(std::vector<double>& bins, const RtpStream& stream) const {
    if (stream.slots.empty()) {
        spread(bins, static_cast<double>(stream.first_ns), static_cast<double>(stream.last_ns),
               static_cast<double>(stream.distinct()));
        return;
    }
    for (std::size_t i = 0; i < stream.slots.size(); ++i) {
        const std::int64_t from = stream.first_ns + static_cast<std::int64_t>(i) * stream.slot_ns;
        const std::int64_t to = std::min(from + stream.slot_ns, std::max(stream.last_ns, from + 1));
        if (stream.slots[i] != 0)
            spread(bins, static_cast<double>(from), static_cast<double>(to), static_cast<double>(stream.slots[i]));
    }
}

std::vector<double> Bins::rates(const std::vector<const RtpStream*>& streams) const {
    std::map<std::pair<std::uint32_t, Endpoint>, std::vector<double>> senders;
    for (const RtpStream* stream : streams) {
        auto& bins = senders[{stream->ssrc, stream->source}];
        bins.resize(count_);
        add(bins, *stream);
    }
    std::map<std::uint32_t, std::vector<double>> sources;
    for (const auto& [sender, bins] : senders) {
        auto& most = sources[sender.first];
        most.resize(count_);
        for (std::size_t i = 0; i < count_; ++i) most[i] = std::max(most[i], bins[i]);
    }
    std::vector<double> all(count_);
    for (const auto& [source, bins] : sources) {
        for (std::size_t i = 0; i < count_; ++i) all[i] += bins[i];
    }
    for (double& rate : all) rate = rate * static_cast<double>(second_ns) / static_cast<double>(width_ns_);
    return all;
}

Markup timeline_picture(const Case& one, std::string_view id) {
    if (one.streams().empty() || one.phases().empty() || !one.media_seen()) return {};
    const Scale scale(one);
    const auto streams = static_cast<int>(std::min(one.streams().size(), most_graphs));
    const int bottom = top + 2 * streams * (band + band_apart) - band_apart + 24;
    const int width = left + plot + right, height = bottom + axis;
    Markup svg;
    svg.put(
        "<svg class=\"timeline\" role=\"img\" aria-labelledby=\"{}-t {}-d\" width=\"{}\" height=\"{}\" viewBox=\"0 0 "
        "{} {}\">"
        "<title id=\"{}-t\">RTP packets a second</title><desc id=\"{}-d\">{}</desc>\n",
        id, id, width, height, width, height, id, id, in_words(one));
    int base = top + band + 24;
    Layers layers;
    for (int s = 0; s < streams; ++s) {
        const Stream& stream = one.streams()[static_cast<std::size_t>(s)];
        for (const MediaDirection* direction : {&stream.to_callee, &stream.to_caller}) {
            draw_direction(layers, one, stream, *direction, scale, base);
            base += band + band_apart;
        }
    }
    svg.put("{}", layers.areas);
    draw_axis(svg, scale, bottom);
    draw_phases(svg, one, scale, bottom);
    svg.put("{}", layers.words);
    return svg.put("</svg>\n");
}

}  // namespace natkit::html
