// This node's workers: what they are told, and what they hold on its way to Redis.
#include <algorithm>
#include <fstream>
#include <utility>

#include "natkit/base/text.hpp"
#include "natkit/record/replica.hpp"
#include "service_impl.hpp"

namespace natkit::cluster {
namespace {

constexpr std::size_t longest_password = 4096;

}  // namespace

redis::Session::Options Service::Impl::redis_options() {
    const config::Cluster& from = config.cluster;
    return {.host = from.state->host,
            .port = from.state->port,
            .database = from.state->database,
            .user = from.user,
            .password = [this] { return password(); },
            .timeout = from.timeout};
}

std::string Service::Impl::password() {
    const std::string& path = config.cluster.password_file;
    if (path.empty()) return {};
    std::ifstream file(path, std::ios::binary);
    std::string line;
    if (!std::getline(file, line) || line.size() > longest_password) {
        state.troubles.set("password", "[cluster] password_file: no password in " + path);
        return {};
    }
    state.troubles.clear("password");
    return std::string(text::trim(line));
}

void Service::Impl::connect_worker(const char* name, std::optional<Kind> kind) {
    workers.push_back(std::make_unique<WorkerLink>(
        state, name, options.runtime_dir, kind,
        WorkerLink::Handlers{
            .on_replica = [this](std::string_view key,
                                 std::optional<std::string> record) { on_replica(key, std::move(record)); },
            .on_reading =
                [this, kind] {
                    if (kind) state.table.begin_round(*kind);
                },
            .on_read = [this] { on_all_read(); },
            .on_change = [this] { on_worker(); }}));
}

WorkerLink* Service::Impl::worker_of(Kind kind) {
    const auto found = std::ranges::find_if(workers, [kind](const auto& worker) { return worker->kind() == kind; });
    return found == workers.end() ? nullptr : found->get();
}

void Service::Impl::tell_workers(const Standing& standing) {
    for (const auto& worker : workers) worker->set_standing(standing);
}

/// Before anybody is told: a worker that starts meanwhile reads it there.
void Service::Impl::keep_standing(const Standing& standing) {
    if (const auto written = write_standing(options.runtime_dir, boot_id, standing); !written) {
        state.troubles.set("file", to_string(written.error()) + ": workers that are started anew are standbys");
    } else {
        state.troubles.clear("file");
    }
}

/// What an active worker of ours says. Members that it does not know are kept as the other node wrote them.
void Service::Impl::on_replica(std::string_view key, std::optional<std::string> record) {
    if (!writes() || !kind_of(key)) return;
    const Version version{.epoch = state.epoch, .seq = ++state.seq};
    const Replica* before = state.table.find(key);
    if (!record) {
        state.extras.erase(std::string(key));
        if (before == nullptr || !state.table.drop(key, version)) return;
        if (!reading) writer->add(key, version);
        return on_own(key);
    }
    if (record->size() > longest_record) return;
    if (before != nullptr && before->version.epoch != state.epoch) keep_members(key, before->record);
    const auto extra = state.extras.find(std::string(key));
    if (extra != state.extras.end()) record = record::with_members(std::move(*record), extra->second);
    const bool same = before != nullptr && before->record == *record && before->version.epoch == state.epoch;
    if (same) return state.table.touch(key);
    state.table.put(key, {.version = version, .clock_ms = state.clock_ms, .record = std::move(*record)});
    // What is there at the beginning is written as a whole.
    if (!reading) writer->add(key, std::nullopt);
    on_own(key);
}

void Service::Impl::keep_members(std::string_view key, const std::string& record) {
    const WorkerLink* worker = worker_of(*kind_of(key));
    if (worker == nullptr || worker->members().empty()) return;
    std::string members = record::other_members(record, worker->members());
    if (!members.empty()) state.extras.insert_or_assign(std::string(key), std::move(members));
}

void Service::Impl::begin_reading() {
    reading = true;
    reading_since = loop.now();
}

/// What a worker has not named is no more. Once all workers are read, the state is whole.
void Service::Impl::on_all_read() {
    bool all = true;
    for (const auto& worker : workers) {
        if (!worker->kind()) continue;
        all = all && worker->read();
        if (!worker->read()) continue;
        for (const std::string& key : state.table.left_over(*worker->kind())) on_replica(key, std::nullopt);
    }
    if (all && std::exchange(reading, false)) on_read();
    tell_news();
}

}  // namespace natkit::cluster
