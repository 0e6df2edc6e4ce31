#include "control_link.hpp"

#include <memory>
#include <utility>

namespace natkit::rewrite {

ControlLink::ControlLink(const std::string& socket) : client_(loop_, socket, control::random_prefix()) {
    client_.set_timeout(std::chrono::seconds(5));
    client_.on_state([this](bool connected, const std::string& reason) {
        refused_ = !connected;
        if (!connected) why_ = reason;
    });
}

Result<nlohmann::ordered_json> ControlLink::ask(const char* command, const nlohmann::ordered_json& params) {
    const auto kept = std::make_shared<std::optional<Result<control::Json>>>();
    refused_ = false;
    client_.request(command, params, [kept](Result<control::Json> reply) { *kept = std::move(reply); });
    while (!*kept && !refused_) loop_.run_once();
    if (!*kept) return fail(Errc::system, "mediarelay: " + why_);
    const Result<control::Json>& answer = **kept;
    if (answer) return nlohmann::ordered_json(*answer);
    Error error = answer.error();
    error.message = "mediarelay: " + error.message;
    return std::unexpected(std::move(error));
}

}  // namespace natkit::rewrite
