// `natkit reload --dry-run`.
#include <algorithm>

#include "natkit/config/differences.hpp"
#include "natkit/engine/supervise/check.hpp"
#include "supervisor_impl.hpp"

namespace natkit::supervise {
namespace {

Json ranges(const RangeSet& set) {
    Json list = Json::array();
    for (const IpRange& range : set.ranges()) list.push_back(natkit::to_string(range));
    return list;
}

/// The names of `these` that are not among `those`.
Json without(const std::vector<std::string>& these, const std::vector<std::string>& those) {
    Json list = Json::array();
    for (const std::string& name : these) {
        if (std::ranges::find(those, name) == those.end()) list.push_back(name);
    }
    return list;
}

}  // namespace

Error one_error(const config::Problems& problems) {
    std::string text;
    for (const Error& problem : problems) text += (text.empty() ? "" : "\n") + natkit::to_string(problem);
    return {Errc::bad_config, "", text};
}

void Supervisor::Impl::preview(const daemon::Configuration& source, OnPreview done) {
    const auto loaded = check(source);
    if (!loaded) return done(std::unexpected(loaded.error()));
    const config::Config& fresh = loaded->config;
    config::Problems problems = fixed_changes(fresh);
    const auto opened = listeners.prepare(fresh.sip.listen);
    if (!opened) problems.insert(problems.end(), opened.error().begin(), opened.error().end());
    config::locate(problems, loaded->places);
    if (!problems.empty()) return done(std::unexpected(std::move(problems)));

    Json result = {{"type", "preview"}, {"changes", Json::array()}};
    for (const config::Difference& one : config::differences(config, fresh)) {
        Json change = {{"key", one.key}};
        if (!one.before.empty()) change["before"] = one.before;
        if (!one.after.empty()) change["after"] = one.after;
        result["changes"].push_back(std::move(change));
    }
    result["opened"] = without(opened->names, listeners.names());
    result["closed"] = without(listeners.names(), opened->names);
    if (!opened->waiting.empty()) result["no_address"] = opened->waiting;
    Worker* edge = find("sipedge");
    if (edge == nullptr || edge->state() != Worker::State::running) return done(std::move(result));
    const nat::Networks& lists = fresh.network.lists;
    edge->client().request(
        "preview",
        {{"lan", ranges(lists.lan)}, {"nated", ranges(lists.nated)}, {"nat_servers", ranges(lists.nat_servers)}},
        [done = std::move(done), result = std::move(result)](const Result<Json>& answer) mutable {
            if (!answer) return done(std::unexpected(config::Problems{answer.error()}));
            result["clients"] = (*answer)["clients"];
            result["would_change"] = (*answer)["would_change"];
            result["moves"] = (*answer)["changes"];
            done(std::move(result));
        });
}

}  // namespace natkit::supervise
