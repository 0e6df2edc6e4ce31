#include "inflate.hpp"

#include <zlib.h>

namespace natkit::capture {

std::optional<Bytes> inflated(Bytes bytes, std::span<std::uint8_t> into) {
    constexpr int zlib_or_gzip = 15 + 32;
    z_stream stream{};
    if (inflateInit2(&stream, zlib_or_gzip) != Z_OK) return std::nullopt;
    stream.next_in = const_cast<Bytef*>(bytes.data());  // zlib reads it only
    stream.avail_in = static_cast<uInt>(bytes.size());
    stream.next_out = into.data();
    stream.avail_out = static_cast<uInt>(into.size());
    const int status = inflate(&stream, Z_FINISH);
    const std::size_t size = into.size() - stream.avail_out;
    inflateEnd(&stream);
    return status == Z_STREAM_END ? std::optional<Bytes>(into.first(size)) : std::nullopt;
}

}  // namespace natkit::capture
