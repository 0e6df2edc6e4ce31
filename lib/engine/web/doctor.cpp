// What other programs make of what strangers sent: natclassify of a capture, looptrace of a call's path. Each runs as a
// process of its own that can do nothing else, and what it read is gone with it.
#include "natkit/crypto/password.hpp"
#include "natkit/record/json_members.hpp"
#include "service_impl.hpp"

namespace natkit::web {
namespace {

constexpr unsigned most_explanations = 2;  ///< at once
constexpr unsigned most_runs = 8;

std::string joined(const RangeSet& ranges) {
    std::string text;
    for (const IpRange& range : ranges.ranges()) text += (text.empty() ? "" : ",") + to_string(range);
    return text;
}

/// In a frame of the doctor's page: its text is a stranger's.
Response framed(int status, std::string html) {
    Response response = refusal(status, "");
    response.content_type = "text/html; charset=utf-8";
    response.body = std::move(html);
    std::erase_if(response.headers, [](const auto& one) { return one.first == "Content-Security-Policy"; });
    response.headers.emplace_back(
        "Content-Security-Policy",
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
        "sandbox");
    return response;
}

Response complaint(int status, const std::string& text) {
    return framed(
        status,
        "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><title>The doctor</title>"
        "<style>:root{color-scheme:light dark}body{font:1rem/1.5 sans-serif;margin:1rem}</style><p role=\"alert\">" +
            escaped(text) + "</p></html>\n");
}

}  // namespace

std::vector<std::string> Service::Impl::command(const char* program) const {
    std::vector<std::string> words = {options.program_dir + "/" + program};
    const nat::Networks& lists = config.network.lists;
    for (const auto& [option, ranges] : {std::pair("--lan", &lists.lan), std::pair("--nated", &lists.nated),
                                         std::pair("--nat-servers", &lists.nat_servers)}) {
        if (!ranges->empty()) words.insert(words.end(), {option, joined(*ranges)});
    }
    words.insert(words.end(), {"--relay-same-nat", nat::to_string(config.media_proxy.policy.same_nat)});
    return words;
}

void Service::Impl::run_limited(std::vector<std::string> argv, std::string_view input,
                                std::function<void(io::LimitedRun::Outcome)> on_done,
                                const std::function<void(const Error&)>& on_failure) {
    if (runs.size() >= most_runs) return on_failure({Errc::exhausted, "", "busy: try again in a moment"});
    io::LimitedRun::Limits limits;
#if defined(__SANITIZE_ADDRESS__)
    limits.memory = 0;
#endif
    const unsigned number = ++last_run;
    auto run = io::LimitedRun::start(loop, argv, input, limits,
                                     [this, number, on_done = std::move(on_done)](io::LimitedRun::Outcome outcome) {
                                         const auto done = on_done;
                                         runs.erase(number);
                                         done(std::move(outcome));
                                     });
    if (!run) return on_failure(run.error());
    runs[number] = std::move(*run);
}

void Service::Impl::draw_path(const std::string& call_id, const Responder& respond) {
    backend.ask("sipedge", "path", {{"call_id", call_id}}, [this, respond](const Result<Json>& reply) {
        if (!reply) return respond(error_response(reply.error()));
        std::string records;
        for (const Json& pass : record::list_of(*reply, "passes")) {
            records += pass.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
        }
        if (records.empty()) return respond(error_response({Errc::not_found, "", "no path is known of this call"}));
        auto words = command("looptrace");
        words.insert(words.end(), {"--format", "svg"});
        run_limited(
            std::move(words), records,
            [respond](io::LimitedRun::Outcome outcome) {
                if (outcome.exit.status != 0 || outcome.output.empty()) {
                    return respond(error_response({Errc::system, "", "looptrace: " + outcome.errors.substr(0, 500)}));
                }
                Response picture = refusal(200, "");
                picture.content_type = "image/svg+xml";
                picture.body = std::move(outcome.output);
                std::erase_if(picture.headers, [](const auto& one) { return one.first == "Content-Security-Policy"; });
                picture.headers.emplace_back("Content-Security-Policy",
                                             "default-src 'none'; style-src 'unsafe-inline'; sandbox");
                respond(std::move(picture));
            },
            [respond](const Error& error) { respond(error_response(error)); });
    });
}

void Service::Impl::explain(const Request& request, const Session& session, const Responder& respond) {
    const std::string_view type = request.header("content-type");
    const auto csrf = part_of(request.body, type, "csrf");
    if (!csrf || !crypto::same_secret(*csrf, session.csrf)) {
        return respond(complaint(403, "This request does not come from the page of this session: load it again."));
    }
    const auto capture = part_of(request.body, type, "capture");
    if (!capture || capture->empty()) return respond(complaint(400, "There is no capture in the request."));
    if (explanations >= most_explanations) {
        return respond(complaint(503, "Other captures are being explained. Try again in a moment."));
    }
    auto words = command("natclassify");
    words.insert(words.end(), {"--explain", "--format", "html"});
    ++explanations;
    run_limited(
        std::move(words), *capture,
        [this, respond](io::LimitedRun::Outcome outcome) {
            --explanations;
            const bool whole = outcome.exit.known && outcome.exit.signal == 0 && outcome.exit.status <= 1;
            if (whole && outcome.output.starts_with("<!DOCTYPE html>")) {
                return respond(framed(200, std::move(outcome.output)));
            }
            if (outcome.timed_out || outcome.exit.signal != 0) {
                log.problems("the doctor gave a capture up: " + to_string(outcome.exit));
                return respond(complaint(
                    422, "This capture takes more time, memory or room than the doctor has. Cut it to one call."));
            }
            respond(complaint(422, "The doctor cannot read this: " + outcome.errors.substr(0, 500)));
        },
        [this, respond](const Error& error) {
            --explanations;
            respond(complaint(503, to_string(error)));
        });
}

}  // namespace natkit::web
