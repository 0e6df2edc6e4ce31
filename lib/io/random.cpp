#include "natkit/io/random.hpp"

#include <sys/random.h>

#include <cerrno>
#include <cstdlib>
#include <span>
#include <utility>

namespace natkit::io {
namespace {

void fill(std::span<std::byte> bytes) noexcept {
    while (!bytes.empty()) {
        const ssize_t got = ::getrandom(bytes.data(), bytes.size(), 0);
        if (got < 0 && errno != EINTR) std::abort();  // no kernel that we run on lacks it
        if (got > 0) bytes = bytes.subspan(static_cast<std::size_t>(got));
    }
}

}  // namespace

Random::result_type Random::operator()() noexcept {
    if (next_ == block_.size()) {
        fill(std::as_writable_bytes(std::span(block_)));
        next_ = 0;
    }
    return std::exchange(block_[next_++], 0);
}

}  // namespace natkit::io
