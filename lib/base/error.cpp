#include "natkit/base/error.hpp"

#include <system_error>

namespace natkit {

std::unexpected<Error> fail_errno(std::string what, int errno_value) {
    std::string reason = std::generic_category().message(errno_value);
    if (!reason.empty() && reason[0] >= 'A' && reason[0] <= 'Z') reason[0] = static_cast<char>(reason[0] - 'A' + 'a');
    return std::unexpected(Error{
        .code = Errc::system, .where = {}, .message = std::move(what) + ": " + reason, .error_number = errno_value});
}

const char* to_string(Errc code) noexcept {
    switch (code) {
        case Errc::bad_input: return "bad-input";
        case Errc::bad_config: return "bad-config";
        case Errc::usage: return "usage";
        case Errc::not_found: return "not-found";
        case Errc::refused: return "refused";
        case Errc::exhausted: return "exhausted";
        case Errc::system: return "system";
        case Errc::timed_out: return "timed-out";
    }
    return "unknown";
}

std::string to_string(const Error& error) {
    return error.where.empty() ? error.message : error.where + ": " + error.message;
}

}  // namespace natkit
