#include "looptrace/tracer.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "looptrace/drawing.hpp"
#include "natkit/engine/explain/html/path_picture.hpp"

namespace natkit::looptrace {
namespace {

constexpr const char* program = "looptrace";
constexpr std::size_t most_drawn = 200;
constexpr std::uint64_t least_repeats = 10;

}  // namespace

Tracer::Tracer(const Settings& settings) : settings_(settings), output_(program) {
    hops_.on_exchanges = [this](const std::vector<explain::Exchange>& exchanges) { on_exchanges(exchanges); };
    passes_.on_exchanges = hops_.on_exchanges;
    reader_.on_message = [this](const record::Sip& sip, nlohmann::ordered_json*, const capture::Sighting& seen) {
        return on_message(sip, seen.time_ns);
    };
    reader_.on_other = [this](const std::string& line) { on_other(line); };
    reader_.events.on_media = [this](const explain::CapturedMedia& media) {
        rtp_.on_packet(media.seen.frame, media.source, media.destination, media.seen.time_ns, media.payload,
                       media.seen.hops);
    };
    reader_.on_bad = [this](const std::string& where, const Error& error) { bad(where, error); };
    if (settings.show_progress) reader_.on_progress = tool::show_progress;
}

void Tracer::bad(const std::string& where, const Error& error) {
    any_bad_ = true;
    Error told = error;
    if (!where.empty()) told.where = where + (error.where.empty() ? "" : ": " + error.where);
    output_.flush();
    tool::complain(program, told);
}

void Tracer::read(capture::ByteSource input) {
    reader_.read(std::move(input));
    if (settings_.show_progress) tool::end_progress();
}

Result<void> Tracer::on_message(const record::Sip& sip, std::int64_t time_ns) {
    const auto message = explain::parse_leniently(sip.message);
    if (!message) return std::unexpected(message.error());
    if (!sip.source || !sip.destination)
        return fail(Errc::bad_input,
                    "a path needs source and destination of each message: give a capture, or `sip` records");
    if (time_ns != 0) {
        for (const Endpoint& end : {*sip.source, *sip.destination}) hint_.saw(end.address, settings_.rules.networks);
    }
    const explain::MessageFacts facts = explain::read_facts(*message);
    const explain::Arrival arrival{.transport = sip.transport.empty() ? "udp" : sip.transport,
                                   .source = *sip.source,
                                   .destination = sip.destination};
    const bool copy =
        time_ns != 0 && copies_.find(sip.frame.value_or(0), time_ns, *sip.source, *sip.destination, sip.message);
    hops_.on_message({.message = *message,
                      .facts = facts,
                      .nat = explain::describe(*message, facts, arrival, settings_.rules.networks),
                      .arrival = arrival,
                      .frame = sip.frame.value_or(0),
                      .time_ns = time_ns,
                      .copy = copy});
    return explain::report_control(*message);
}

/// What sipedge tells of itself is read as captures are; other records pass through.
void Tracer::on_other(const std::string& line) {
    const auto json = record::parse_line(line);
    if (json && json->contains("type") && (*json)["type"] == "pass") {
        const auto pass = record::read_pass(*json);
        return pass ? passes_.on_pass(*pass) : bad("pass", pass.error());
    }
    if (settings_.format == tool::Format::json) output_.write(line + "\n");
}

void Tracer::on_exchanges(const std::vector<explain::Exchange>& exchanges) {
    for (explain::MediaPath& path : explain::find_paths(exchanges, rtp_, settings_.rules)) {
        if (settings_.loops_only && !path.loop) continue;
        switch (settings_.format) {
            case tool::Format::json:
                output_.write(to_json(path).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
                break;
            case tool::Format::dot:
            case tool::Format::svg:
                if (drawn_.size() < most_drawn) drawn_.push_back(std::move(path));
                break;
            default: output_.write(to_text(path, settings_.colour));
        }
    }
}

bool Tracer::finish() {
    hops_.finish();
    passes_.finish();
    const bool json = settings_.format == tool::Format::json;
    for (const diagnose::RtpStream* stream : rtp_.repeating(least_repeats)) {
        const Circle circle{
            .from = stream->source, .to = stream->destination, .packets = stream->rtp, .repeats = stream->repeats};
        if (json) output_.write(to_json(circle).dump() + "\n");
        if (settings_.format == tool::Format::text) output_.write(to_text(circle, settings_.colour));
    }
    if (settings_.format == tool::Format::dot) output_.write(to_dot(drawn_));
    if (settings_.format == tool::Format::svg) output_.write(html::to_svg(drawn_));
    output_.flush();
    if (const auto hint = hint_.text(settings_.rules.networks)) tool::complain(program, *hint);
    return any_bad_;
}

}  // namespace natkit::looptrace
