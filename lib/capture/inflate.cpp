#include "inflate.hpp"

#include <zlib.h>

namespace natkit::capture {

std::optional<std::string> inflated(Bytes bytes, std::size_t most) {
    constexpr int zlib_or_gzip = 15 + 32;
    z_stream stream{};
    if (inflateInit2(&stream, zlib_or_gzip) != Z_OK) return std::nullopt;
    std::string text(most, '\0');
    stream.next_in = const_cast<Bytef*>(bytes.data());  // zlib reads it only
    stream.avail_in = static_cast<uInt>(bytes.size());
    stream.next_out = reinterpret_cast<Bytef*>(text.data());
    stream.avail_out = static_cast<uInt>(text.size());
    const int status = inflate(&stream, Z_FINISH);
    text.resize(most - stream.avail_out);
    inflateEnd(&stream);
    return status == Z_STREAM_END ? std::optional(std::move(text)) : std::nullopt;
}

}  // namespace natkit::capture
