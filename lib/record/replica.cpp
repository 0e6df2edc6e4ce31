#include "natkit/record/replica.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "natkit/record/json_text.hpp"

namespace natkit::record {
namespace {

std::string version_text(cluster::Version version) {
    return "[" + std::to_string(version.epoch) + "," + std::to_string(version.seq) + "]";
}

std::optional<cluster::Version> version_of(const ObjectView& object) {
    const auto member = object.find("v");
    const auto list = member ? member->list() : std::nullopt;
    if (!list || list->size() != 2) return std::nullopt;
    const auto epoch = (*list)[0].number();
    const auto seq = (*list)[1].number();
    if (!epoch || !seq) return std::nullopt;
    return cluster::Version{.epoch = *epoch, .seq = *seq};
}

}  // namespace

std::string envelope_text(std::string_view key, const cluster::Replica& replica) {
    ObjectText out;
    out.reserve(replica.record.size() + key.size() + 64);
    out.raw("v", version_text(replica.version));
    out.number("c", replica.clock_ms);
    out.text("key", key);
    out.raw("record", replica.record);
    return out.close();
}

std::string gone_text(std::string_view key, cluster::Version version) {
    ObjectText out;
    out.raw("v", version_text(version));
    out.text("key", key);
    out.raw("record", "null");
    return out.close();
}

Result<Envelope> parse_envelope(std::string_view text, ObjectReader& reader) {
    const auto object = reader.read(text);
    if (!object) return std::unexpected(object.error());
    Envelope envelope;
    envelope.key = std::string(object->string("key").value_or(""));
    if (!cluster::kind_of(envelope.key)) return fail(Errc::bad_input, "not the key of a replica", "key");
    const auto version = version_of(*object);
    if (!version) return fail(Errc::bad_input, "not a version", "v");
    envelope.replica.version = *version;
    const auto record = object->find("record");
    if (record && record->object()) {
        envelope.replica.record = object->text_of("record");
        if (envelope.replica.record.size() > cluster::longest_record)
            return fail(Errc::bad_input, "longer than a record can be", "record");
    } else if (object->text_of("record") == "null") {
        envelope.gone = true;
    } else {
        return fail(Errc::bad_input, "neither an object nor null", "record");
    }
    if (const auto clock = object->find("c")) {
        const std::int64_t ms = clock->whole_number().value_or(0);
        if (ms > cluster::most_clock_ms || ms < -cluster::most_clock_ms)
            return fail(Errc::bad_input, "no difference of clocks", "c");
        envelope.replica.clock_ms = ms;
    }
    return envelope;
}

Result<ReplicaRequest> parse_replica_request(const ObjectView& request) {
    ReplicaRequest read;
    const auto word = request.string("whole").value_or("");
    read.begins = word == "begin" || word == "both";
    read.ends = word == "end" || word == "both";
    if (!read.begins && !read.ends && request.contains("whole"))
        return fail(Errc::bad_input, "must be 'begin', 'end' or 'both'", "whole");
    const auto records = request.find("records");
    auto list = records ? records->list() : std::nullopt;
    if (records && !list) return fail(Errc::bad_input, "must be a list", "records");
    if (list) read.records = std::move(*list);
    if (const auto found = request.find("ahead_ms")) {
        const auto ahead = found->whole_number();
        // A difference of two that each may be so large.
        if (!ahead || *ahead > 2 * cluster::most_clock_ms || *ahead < -2 * cluster::most_clock_ms)
            return fail(Errc::bad_input, "must be a number of milliseconds", "ahead_ms");
        read.ahead = std::chrono::milliseconds(*ahead);
    }
    return read;
}

std::string other_members(std::string_view record, const std::vector<std::string>& known) {
    const auto object = nlohmann::ordered_json::parse(record, nullptr, false);
    std::string members;
    if (!object.is_object()) return members;
    for (const auto& [name, value] : object.items()) {
        if (std::ranges::binary_search(known, name)) continue;
        if (!members.empty()) members += ',';
        members += json_string(name) + ":" + value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    }
    return members;
}

std::string with_members(std::string record, std::string_view members) {
    if (members.empty() || record.size() < 2 || record.back() != '}') return record;
    record.pop_back();
    if (record.back() != '{') record += ',';
    record += members;
    record += '}';
    return record;
}

}  // namespace natkit::record
