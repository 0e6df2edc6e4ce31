#include <doctest/doctest.h>
#include <zlib.h>

#include <string>

#include "natkit/capture/packet_reader.hpp"

using namespace natkit;
using namespace natkit::capture;

namespace {

std::string little(std::uint64_t value, std::size_t bytes) {
    std::string text;
    for (std::size_t i = 0; i < bytes; ++i) text += static_cast<char>(i < 8 ? value >> (8 * i) : 0);
    return text;
}

std::string big(std::uint64_t value, std::size_t bytes) {
    std::string text = little(value, bytes);
    return {text.rbegin(), text.rend()};
}

std::string classic() {
    return little(0xa1b2c3d4, 4) + little(2, 2) + little(4, 2) + little(0, 8) + little(65535, 4) + little(101, 4) +  //
           little(100, 4) + little(5, 4) + little(3, 4) + little(9, 4) + "abc";
}

/// One block; the content is padded to four bytes.
std::string block(std::uint32_t type, std::string content, bool big_endian = false) {
    content.resize((content.size() + 3) / 4 * 4);
    const auto number = [&](std::uint64_t value) { return big_endian ? big(value, 4) : little(value, 4); };
    const std::uint64_t length = content.size() + 12;
    return number(type) + number(length) + content + number(length);
}

std::string gzip(const std::string& bytes) {
    std::string packed(bytes.size() + 128, '\0');
    z_stream stream{};
    REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    stream.next_out = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    packed.resize(packed.size() - stream.avail_out);
    deflateEnd(&stream);
    return packed;
}

/// "frame time link bytes" of every packet, then "end" or the error.
std::string read_all(std::string bytes) {
    auto reader = PacketReader::open(ByteSource::of(std::move(bytes)));
    if (!reader) return reader.error().message;
    std::string all;
    for (;;) {
        const auto packet = reader->next();
        if (!packet) return all + packet.error().message;
        if (!*packet) return all + "end";
        all += std::to_string((*packet)->frame) + " " + std::to_string((*packet)->time_ns) + " " +
               std::to_string((*packet)->link_type) + " " +
               std::string((*packet)->bytes.begin(), (*packet)->bytes.end()) + "/" +
               std::to_string((*packet)->original_length) +
               ((*packet)->direction == Direction::from_us ? " from us" : "") + "\n";
    }
}

}  // namespace

TEST_CASE("capture::PacketReader: classic pcap, plain and by gzip") {
    const std::string want = "1 100000005000 101 abc/9\nend";
    CHECK(read_all(classic()) == want);
    CHECK(read_all(gzip(classic())) == want);
    CHECK(read_all(gzip(classic().substr(0, 30)) + gzip(classic().substr(30))) == want);  // gzip files in a row are one
    CHECK(read_all(classic().substr(0, 41)).find("1 ") == std::string::npos);
    CHECK(read_all(classic() + "xx").starts_with("1 100000005000 101 abc/9\n"));
    const std::string broken = read_all(gzip(classic()).substr(0, 25));
    CHECK(broken.find("end") != 0);
}

TEST_CASE("capture::PacketReader: pcapng with several sections, byte orders, link types and resolutions") {
    std::string file = block(0x0a0d0d0a, little(0x1a2b3c4d, 4) + little(1, 2) + little(0, 2) + little(~0ULL, 8));
    file += block(1, little(1, 2) + little(0, 2) + little(0, 4));  // Ethernet, microseconds
    file += block(
        1, little(276, 2) + little(0, 2) + little(0, 4) + little(9, 2) + little(1, 2) + little(9, 4));  // nanoseconds
    file += block(6, little(0, 4) + little(0, 4) + little(7, 4) + little(3, 4) + little(3, 4) + "abc");
    file += block(6, little(1, 4) + little(0, 4) + little(7, 4) + little(3, 4) + little(3, 4) + "def");
    file += block(6, little(0, 8) + little(7, 4) + little(1, 4) + little(1, 4) + "i" + little(0, 3) + little(1, 2) +
                         little(3, 2) + "abc" + little(0, 1) + little(2, 2) + little(4, 2) + little(2, 4));
    file += block(5, little(0, 12));  // statistics: skipped
    file += block(3, little(2, 4) + "gh");
    file +=
        block(6, little(9, 4) + little(0, 8) + little(1, 4) + little(1, 4) + "x");  // an interface that is not there
    file += block(0x0a0d0d0a, big(0x1a2b3c4d, 4) + big(1, 2) + big(0, 2) + big(~0ULL, 8), true);
    file += block(1, big(101, 2) + big(0, 2) + big(0, 4), true);
    file += block(6, big(0, 4) + big(0, 4) + big(8, 4) + big(3, 4) + big(3, 4) + "ijk", true);
    CHECK(read_all(file) == "1 7000 1 abc/3\n2 7 276 def/3\n3 7000 1 i/1 from us\n4 0 1 gh/2\n6 8000 101 ijk/3\nend");
    CHECK(read_all(file.substr(0, file.size() - 6)).find("the capture ends within a block") != std::string::npos);
}

TEST_CASE("capture::PacketReader: times of pcapng are those of 136 years, so that sums of them are numbers") {
    std::string file = block(0x0a0d0d0a, little(0x1a2b3c4d, 4) + little(1, 2) + little(0, 2) + little(~0ULL, 8));
    file += block(1, little(1, 2) + little(0, 2) + little(0, 4));  // microseconds
    file += block(6, little(0, 4) + little(0xffffffff, 4) + little(0xffffffff, 4) + little(1, 4) + little(1, 4) + "x");
    CHECK(read_all(file) == "1 4154504685551615000 1 x/1\nend");
}

TEST_CASE("capture::PacketReader: lengths that lie cost nothing and are told") {
    CHECK(read_all("").find("end") != 0);
    CHECK(read_all("\x0a\x0d\x0d\x0a" + little(28, 4) + "????") == "not a pcapng section");
    const std::string section =
        block(0x0a0d0d0a, little(0x1a2b3c4d, 4) + little(1, 2) + little(0, 2) + little(~0ULL, 8));
    CHECK(read_all(section + little(6, 4) + little(0x7ffffffc, 4)) == "a block of impossible length");
    CHECK(read_all(section + little(6, 4) + little(0xfffff0, 4) + "abc") == "the capture ends within a block");
}
