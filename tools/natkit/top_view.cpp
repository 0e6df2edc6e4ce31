#include "top_view.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "natkit/base/text.hpp"

using namespace natkit;

namespace natkit_tool {
namespace {

constexpr std::size_t longest_filter = 60;

void add_section(std::vector<std::string>& lines, const char* title, const std::vector<std::string>& all,
                 std::size_t total) {
    lines.emplace_back();
    lines.push_back(std::string(title) + " " + std::to_string(total));
    if (total > 0) lines.insert(lines.end(), all.begin(), all.end());
}

/// Of a call its caller's, of a client its own.
std::string user_of(const Json& record) {
    return text::lower(record.contains("aor") ? text_of(record, "aor") : text_of(record, "from"));
}

std::string address_of(const Json& record) {
    if (const auto flow = record.find("flow"); flow != record.end()) return text_of(*flow, "remote");
    const auto caller = record.find("a");
    return caller == record.end() ? std::string() : text_of(*caller, "source");
}

/// The longest calls first, and the registrations that end first.
double time_of(const Json& record) {
    for (const auto& [key, sign] : {std::pair("duration_s", -1.0), std::pair("expires_ms", 1.0)}) {
        const auto found = record.find(key);
        if (found != record.end() && found->is_number()) return sign * found->get<double>();
    }
    return 0;
}

}  // namespace

std::vector<std::string> lines_of(const View& view) {
    if (!view.trouble.empty()) return {view.trouble};
    std::vector<std::string> lines = status_lines(view.status);
    add_section(lines, "calls", call_lines(view.calls, Streams::left_out), view.calls.size());
    add_section(lines, "clients", client_lines(view.clients), view.clients.size());
    return lines;
}

std::string_view Window::order_word() const {
    switch (order_) {
        case Order::user: return "by user";
        case Order::address: return "by address";
        case Order::time: return "by time";
        case Order::as_told: break;
    }
    return "as they come";
}

Json Window::chosen(const Json& records) const {
    std::vector<Json> list;
    const std::string wanted = text::lower(filter_);
    for (const Json& record : records) {
        const std::string text = record.dump(-1, ' ', false, Json::error_handler_t::replace);
        if (wanted.empty() || text::lower(text).find(wanted) != std::string::npos) list.push_back(record);
    }
    const auto sort_by = [&list](const auto& key) {
        std::ranges::stable_sort(list, [&key](const Json& a, const Json& b) { return key(a) < key(b); });
    };
    if (order_ == Order::user) sort_by(user_of);
    if (order_ == Order::address) sort_by(address_of);
    if (order_ == Order::time) sort_by(time_of);
    return list.empty() ? Json::array() : Json(std::move(list));
}

std::string Window::footer(std::size_t shown, std::size_t total) const {
    if (typing_) return "filter: " + filter_ + "_   Enter keeps it, Escape takes it away";
    std::string text = "q quits  arrows scroll  s sorts: " + std::string(order_word()) + "  / filters";
    if (!filter_.empty()) text += ": " + filter_;
    if (shown < total) {
        text += "  lines " + std::to_string(first_ + 1) + "-" + std::to_string(first_ + shown) + " of " +
                std::to_string(total);
    }
    return text;
}

std::vector<std::string> Window::lines(const View& view, std::size_t rows) {
    View seen = view;
    if (view.trouble.empty()) {
        seen.calls = chosen(view.calls);
        seen.clients = chosen(view.clients);
    }
    const std::vector<std::string> all = lines_of(seen);
    page_ = rows > 1 ? rows - 1 : rows;
    last_ = all.size() > page_ ? all.size() - page_ : 0;
    first_ = std::min(first_, last_);
    const std::size_t shown = std::min(page_, all.size());
    std::vector<std::string> lines(all.begin() + static_cast<std::ptrdiff_t>(first_),
                                   all.begin() + static_cast<std::ptrdiff_t>(first_ + shown));
    if (rows < 2) return lines;
    lines.resize(rows - 1);
    lines.push_back(footer(shown, all.size()));
    return lines;
}

void Window::scroll(std::string_view key) {
    const auto up = [this](std::size_t by) { first_ -= std::min(first_, by); };
    const auto down = [this](std::size_t by) { first_ = std::min(first_ + by, last_); };
    if (key == "\x1b[A" || key == "\x1bOA" || key == "k") up(1);
    if (key == "\x1b[B" || key == "\x1bOB" || key == "j") down(1);
    if (key == "\x1b[5~") up(page_);
    if (key == "\x1b[6~" || key == " ") down(page_);
    if (key == "\x1b[H" || key == "\x1b[1~") first_ = 0;
    if (key == "\x1b[F" || key == "\x1b[4~") first_ = last_;
}

/// The text of the filter; what it chooses is seen at once.
void Window::type(std::string_view keys) {
    if (keys.front() == '\x1b') {
        filter_.clear();
        typing_ = false;
        return;
    }
    for (const char key : keys) {
        if (key == '\r' || key == '\n') {
            typing_ = false;
        } else if (key == '\x7f' || key == '\b') {
            if (!filter_.empty()) filter_.pop_back();
        } else if (static_cast<unsigned char>(key) >= 0x20 && filter_.size() < longest_filter) {
            filter_ += key;
        }
    }
}

Window::Wish Window::on_keys(std::string_view bytes) {
    while (!bytes.empty()) {
        if (typing_) {
            type(bytes);
            return Wish::go_on;
        }
        if (bytes == "\x1b") return Wish::end;  // alone: an arrow key sends more with it
        std::size_t length = 1;
        if (bytes.front() == '\x1b') {
            const std::size_t end = bytes.find_first_not_of("[O;0123456789", 1);
            length = end == std::string_view::npos ? bytes.size() : end + 1;
        }
        const std::string_view key = bytes.substr(0, length);
        if (key == "q" || key == "Q" || key == "\x04") return Wish::end;
        if (key == "s")
            order_ = order_ == Order::time ? Order::as_told : static_cast<Order>(static_cast<int>(order_) + 1);
        if (key == "/") {
            typing_ = true;
            filter_.clear();
        }
        scroll(key);
        bytes.remove_prefix(length);
    }
    return Wish::go_on;
}

}  // namespace natkit_tool
