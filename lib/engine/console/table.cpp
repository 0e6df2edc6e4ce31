#include "natkit/engine/console/table.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "natkit/base/text.hpp"

namespace natkit::console {
namespace {

std::string without_scheme(const std::string& uri) {
    return text::istarts_with(uri, "sip:") ? uri.substr(4) : uri;
}

/// Who it is by its URI; of calls that another proxy handles, where the SIP of that end comes from.
Cell party_cell(const Json& call, const char* uri, const char* end) {
    if (call.contains(uri)) return {.text = without_scheme(text_of(call, uri)), .number = {}};
    return {.text = text_of(member(call, end), "source"), .number = {}};
}

Cell text_cell(const Json& object, const char* key) {
    const Json& value = member(object, key);
    return {.text = value.is_null() ? "" : text_of(object, key), .number = {}};
}

Cell number_cell(const Json& value, std::string text) {
    return {.text = std::move(text), .number = value.is_number() ? std::optional(value.get<double>()) : std::nullopt};
}

Cell talking_cell(const Json& call) {
    const Json& duration = member(call, "duration_s");
    return number_cell(duration,
                       duration.is_number() ? clock_of(static_cast<std::int64_t>(duration.get<double>())) : "");
}

Cell loss_cell(const Json& call) {
    const std::string text = loss_of(call);
    if (text.empty()) return {};
    const Json& quality = member(call, "quality");
    const auto lost = quality["lost"].get<double>();
    return {.text = text, .number = lost / (lost + quality["packets"].get<double>())};
}

Cell jitter_cell(const Json& call) {
    return number_cell(member(member(call, "quality"), "jitter_ms"), jitter_of(call));
}

Cell expires_cell(const Json& client) {
    const Json& left = member(client, "expires_ms");
    return number_cell(
        left, left.is_number() ? clock_of(static_cast<std::int64_t>(left.get<double>() / 1000)) : std::string());
}

constexpr std::array columns_of_calls = {
    Column{"FROM", 15, true, Align::left, false, [](const Json& call) { return party_cell(call, "from", "a"); }},
    Column{"TO", 15, true, Align::left, false, [](const Json& call) { return party_cell(call, "to", "b"); }},
    Column{"TIME", 8, false, Align::right, true, talking_cell},
    Column{"STATE", 5, false, Align::left, false,
           [](const Json& call) {
               return Cell{.text = text_of(call, "state") == "established" ? "talks" : "rings", .number = {}};
           }},
    Column{"LOSS", 7, false, Align::right, true, loss_cell},
    Column{"JITTER", 8, false, Align::right, true, jitter_cell},
    Column{"AUDIO", 7, false, Align::left, false,
           [](const Json& call) { return text_cell(member(call, "quality"), "audio"); }},
    Column{"ADDRESS A", 21, false, Align::left, false,
           [](const Json& call) { return text_cell(member(call, "a"), "source"); }},
    Column{"ADDRESS B", 21, false, Align::left, false,
           [](const Json& call) { return text_cell(member(call, "b"), "source"); }},
    Column{"PLACE A", 7, false, Align::left, false,
           [](const Json& call) { return text_cell(member(call, "a"), "place"); }},
    Column{"PLACE B", 7, false, Align::left, false,
           [](const Json& call) { return text_cell(member(call, "b"), "place"); }},
    Column{"CALL", 20, true, Align::left, false, [](const Json& call) { return text_cell(call, "call_id"); }},
};

constexpr std::array columns_of_clients = {
    Column{"CLIENT", 16, true, Align::left, false,
           [](const Json& client) { return Cell{.text = without_scheme(text_of(client, "aor")), .number = {}}; }},
    Column{"SEEN AS", 21, false, Align::left, false,
           [](const Json& client) { return text_cell(member(client, "flow"), "remote"); }},
    Column{"PLACE", 7, false, Align::left, false, [](const Json& client) { return text_cell(client, "place"); }},
    Column{"EXPIRES", 8, false, Align::right, false, expires_cell},
    Column{"AGENT", 12, true, Align::left, false, [](const Json& client) { return text_cell(client, "user_agent"); }},
    Column{"CONTACT", 24, true, Align::left, false, [](const Json& client) { return text_cell(client, "contact"); }},
};

/// What has no value comes last, whichever way round the others are.
bool missing(const Cell& cell) {
    return !cell.number && cell.text.empty();
}

bool is_before(const Cell& a, const Cell& b) {
    if (a.number && b.number) return *a.number < *b.number;
    return text::lower(a.text) < text::lower(b.text);
}

}  // namespace

std::span<const Column> call_columns() {
    return columns_of_calls;
}

std::span<const Column> client_columns() {
    return columns_of_clients;
}

std::vector<std::size_t> widths_of(std::span<const Column> columns, std::size_t total) {
    std::vector<std::size_t> widths;
    std::size_t used = 0;
    std::size_t growing = 0;
    for (const Column& column : columns) {
        const std::size_t more = column.width + (widths.empty() ? 0 : 1);
        if (!widths.empty() && used + more > total) break;
        widths.push_back(std::min(column.width, total));
        used += std::min(more, total);
        growing += column.grows ? 1 : 0;
    }
    std::size_t left = total - std::min(used, total);
    for (std::size_t i = 0; i < widths.size() && growing > 0; ++i) {
        if (!columns[i].grows) continue;
        const std::size_t share = left / growing--;
        widths[i] += share;
        left -= share;
    }
    return widths;
}

void Table::take(const Json& records) {
    all_.clear();
    std::map<std::string, std::size_t> seen_before;
    for (const Json& record : records) {
        Row row;
        row.cells.reserve(columns_.size());
        for (const Column& column : columns_) row.cells.push_back(column.cell(record));
        row.id = id_(record);
        // A call that passes twice has two records of one name.
        if (const std::size_t count = seen_before[row.id]++; count > 0) row.id += "#" + std::to_string(count);
        row.words = words_(record);
        row.everything = text::lower(record.dump(-1, ' ', false, Json::error_handler_t::replace));
        all_.push_back(std::move(row));
    }
    choose();
}

void Table::filter(std::string text) {
    filter_ = text::lower(text);
    choose();
}

void Table::sort(std::optional<std::size_t> column) {
    sorted_by_ = column;
    turned_ = false;
    choose();
}

void Table::turn() {
    turned_ = !turned_;
    choose();
}

bool Table::ascending() const {
    return turned_ == (sorted_by_ && columns_[*sorted_by_].high_first);
}

void Table::choose() {
    seen_.clear();
    for (std::size_t i = 0; i < all_.size(); ++i) {
        if (filter_.empty() || all_[i].everything.find(filter_) != std::string::npos) seen_.push_back(i);
    }
    if (!sorted_by_) {
        if (turned_) std::ranges::reverse(seen_);
        return;
    }
    std::ranges::stable_sort(seen_, [this, up = ascending(), column = *sorted_by_](std::size_t a, std::size_t b) {
        const Cell& first = all_[a].cells[column];
        const Cell& second = all_[b].cells[column];
        if (missing(first) || missing(second)) return !missing(first) && missing(second);
        return up ? is_before(first, second) : is_before(second, first);
    });
}

}  // namespace natkit::console
