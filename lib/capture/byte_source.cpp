#include "natkit/capture/byte_source.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace natkit::capture {
namespace {

constexpr std::size_t chunk_size = 64 * 1024;
constexpr int ready_ms = 20;
constexpr int wait_ms = 250;
constexpr std::string_view gzip_magic = "\x1f\x8b";

}  // namespace

struct ByteSource::State {
    std::string name;
    int fd = -1;
    std::string given;  ///< of(): all bytes
    bool raw_end = false;
    std::uint64_t raw_read = 0;
    std::uint64_t raw_size = 0;  ///< 0: unknown
    std::string raw;             ///< as read, not yet inflated
    std::string ready;           ///< for the reader, from `taken` on
    std::size_t taken = 0;
    bool begun = false;
    bool gzip = false;
    bool inflating = false;
    bool end = false;             ///< nothing follows `ready`
    std::optional<Error> failed;  ///< told once `ready` is taken
    z_stream stream{};
    std::function<bool()> wait;

    State() = default;
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() {
        if (inflating) inflateEnd(&stream);
        if (fd > STDIN_FILENO) ::close(fd);
    }

    Result<void> read_raw();
    Result<void> fill_to(std::size_t count);
    Result<void> fill();
    Result<void> inflate_some();
    Result<void> begin();
    [[nodiscard]] bool wait_for_bytes() const;
    [[nodiscard]] std::string_view available() const { return std::string_view(ready).substr(taken); }
};

/// False: nobody wants to wait any longer.
bool ByteSource::State::wait_for_bytes() const {
    if (!wait || fd < 0) return true;
    for (;;) {
        pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
        if (::poll(&waiting, 1, wait_ms) > 0) return true;
        if (!wait()) return false;
    }
}

Result<void> ByteSource::State::read_raw() {
    if (!wait_for_bytes()) {
        raw_end = true;
        return {};
    }
    const std::size_t before = raw.size();
    raw.resize(before + chunk_size);
    ssize_t count = 0;
    if (fd < 0) {
        count = static_cast<ssize_t>(std::min(chunk_size, given.size() - raw_read));
        std::memcpy(raw.data() + before, given.data() + raw_read, static_cast<std::size_t>(count));
    } else {
        do count = ::read(fd, raw.data() + before, chunk_size);
        while (count < 0 && errno == EINTR);
    }
    raw.resize(before + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    if (count < 0) return fail_errno(name, errno);
    raw_read += static_cast<std::uint64_t>(count);
    raw_end = count == 0;
    return {};
}

Result<void> ByteSource::State::begin() {
    begun = true;
    while (raw.size() < gzip_magic.size() && !raw_end) {
        if (auto ok = read_raw(); !ok) return ok;
    }
    gzip = std::string_view(raw).starts_with(gzip_magic);
    return {};
}

/// More bytes into `ready`, or `end`.
Result<void> ByteSource::State::fill() {
    if (end) return {};
    if (!begun) {
        if (auto ok = begin(); !ok) return ok;
    }
    ready.erase(0, taken);
    taken = 0;
    if (gzip) return inflate_some();
    if (raw.empty() && !raw_end) {
        if (auto ok = read_raw(); !ok) return ok;
    }
    end = raw.empty();
    ready.append(raw);
    raw.clear();
    return {};
}

/// Until `count` bytes are ready, or all there are. An error waits until what came before it is taken.
Result<void> ByteSource::State::fill_to(std::size_t count) {
    while (available().size() < count && !end && !failed) {
        if (auto filled = fill(); !filled) failed = filled.error();
    }
    if (failed && available().empty()) return std::unexpected(*failed);
    return {};
}

Result<void> ByteSource::State::inflate_some() {
    const std::size_t before = ready.size();
    while (ready.size() == before && !end) {
        if (raw.empty() && !raw_end) {
            if (auto ok = read_raw(); !ok) return ok;
        }
        if (!inflating) {  // the next member of the file
            if (raw.empty()) {
                end = true;
                return {};
            }
            stream = {};
            if (inflateInit2(&stream, 15 + 16) != Z_OK) return fail(Errc::system, name + ": zlib refuses to start");
            inflating = true;
        }
        ready.resize(before + chunk_size);
        stream.next_in = reinterpret_cast<Bytef*>(raw.data());
        stream.avail_in = static_cast<uInt>(raw.size());
        stream.next_out = reinterpret_cast<Bytef*>(ready.data() + before);
        stream.avail_out = static_cast<uInt>(chunk_size);
        const int status = inflate(&stream, Z_NO_FLUSH);
        const bool starved = raw.empty() && raw_end && stream.avail_out == chunk_size;
        raw.erase(0, raw.size() - stream.avail_in);
        ready.resize(before + chunk_size - stream.avail_out);
        if (status == Z_STREAM_END) {
            inflateEnd(&stream);
            inflating = false;
            if (!std::string_view(raw).starts_with(gzip_magic.substr(0, raw.size()))) end = true;  // padding
        } else if (status == Z_BUF_ERROR || status == Z_OK) {
            if (starved) end = true;
            if (end && ready.size() == before) return fail(Errc::bad_input, "the gzip data ends too early", name);
        } else {
            end = true;
            return fail(Errc::bad_input, "broken gzip data", name);
        }
    }
    return {};
}

ByteSource::ByteSource(std::unique_ptr<State> state) : state_(std::move(state)) {}
ByteSource::ByteSource(ByteSource&&) noexcept = default;
ByteSource& ByteSource::operator=(ByteSource&&) noexcept = default;
ByteSource::~ByteSource() = default;

Result<ByteSource> ByteSource::open(const std::string& path) {
    auto state = std::make_unique<State>();
    state->name = path == "-" ? "stdin" : path;
    state->fd = path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (state->fd < 0) return fail_errno(path, errno);
    struct stat status{};
    if (::fstat(state->fd, &status) == 0) {
        if (S_ISDIR(status.st_mode)) return fail(Errc::system, path + ": is a directory");
        if (S_ISREG(status.st_mode)) state->raw_size = static_cast<std::uint64_t>(status.st_size);
    }
    return ByteSource(std::move(state));
}

ByteSource ByteSource::of(std::string bytes, std::string name) {
    auto state = std::make_unique<State>();
    state->name = std::move(name);
    state->given = std::move(bytes);
    return ByteSource(std::move(state));
}

Result<std::size_t> ByteSource::read(std::span<char> into) {
    if (auto filled = state_->fill_to(1); !filled) return std::unexpected(filled.error());
    const std::string_view ready = state_->available().substr(0, into.size());
    if (!ready.empty()) std::memcpy(into.data(), ready.data(), ready.size());
    state_->taken += ready.size();
    return ready.size();
}

Result<std::string_view> ByteSource::peek(std::size_t count) {
    count = std::min<std::size_t>(count, 4096);
    if (auto filled = state_->fill_to(count); !filled) return std::unexpected(filled.error());
    return state_->available().substr(0, count);
}

bool ByteSource::ready() const noexcept {
    const bool here = !state_->available().empty() || !state_->raw.empty() || state_->end || state_->failed;
    if (here || state_->fd < 0) return true;
    pollfd waiting{.fd = state_->fd, .events = POLLIN, .revents = 0};
    return ::poll(&waiting, 1, ready_ms) != 0;
}

void ByteSource::on_wait(std::function<bool()> wait) {
    state_->wait = std::move(wait);
}

const std::string& ByteSource::name() const noexcept {
    return state_->name;
}

std::optional<double> ByteSource::progress() const noexcept {
    if (state_->raw_size == 0) return std::nullopt;
    return std::min(1.0, static_cast<double>(state_->raw_read) / static_cast<double>(state_->raw_size));
}

}  // namespace natkit::capture
