#include "journal.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "natkit/base/text.hpp"
#include "natkit/record/json_text.hpp"
#include "natkit/record/json_view.hpp"

namespace natkit::relay {
namespace {

constexpr unsigned version = 1;
/// A new file costs the file system far more than a line: calls that come and go at once fill this many bytes first.
constexpr std::size_t smallest_rewrite = std::size_t{1} << 20;
constexpr std::size_t largest_file = std::size_t{256} << 20;

using CrcTables = std::array<std::array<std::uint32_t, 256>, 8>;

/// What a byte comes to with `n` bytes after it, in tables[n]: so eight bytes are taken at once.
constexpr CrcTables make_crc_tables() {
    CrcTables tables{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit) value = (value & 1) != 0 ? 0xedb88320U ^ (value >> 1) : value >> 1;
        tables[0][i] = value;
    }
    for (std::size_t n = 1; n < tables.size(); ++n) {
        for (std::size_t i = 0; i < 256; ++i) {
            const std::uint32_t before = tables[n - 1][i];
            tables[n][i] = tables[0][before & 0xff] ^ (before >> 8);
        }
    }
    return tables;
}

/// CRC-32 as in IEEE 802.3 and zlib.
std::uint32_t crc32(std::string_view bytes) {
    static constexpr CrcTables tables = make_crc_tables();
    std::uint32_t value = 0xffffffffU;
    const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])); };
    for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
        const std::uint32_t first = value ^ (byte(0) | byte(1) << 8 | byte(2) << 16 | byte(3) << 24);
        value = tables[7][first & 0xff] ^ tables[6][(first >> 8) & 0xff] ^ tables[5][(first >> 16) & 0xff] ^
                tables[4][first >> 24] ^ tables[3][byte(4)] ^ tables[2][byte(5)] ^ tables[1][byte(6)] ^
                tables[0][byte(7)];
    }
    for (std::size_t i = 0; i < bytes.size(); ++i) value = tables[0][(value & 0xff) ^ byte(i)] ^ (value >> 8);
    return ~value;
}

/// `,"crc":"xxxxxxxx"}` takes the place of the closing brace.
constexpr std::size_t seal_size = 18;

using Seal = std::array<char, seal_size>;

/// What takes the place of the closing brace of an object with that text.
Seal seal_of(std::string_view object) {
    constexpr std::string_view shape = R"(,"crc":"00000000"})";
    static_assert(shape.size() == seal_size);
    Seal seal{};
    shape.copy(seal.data(), seal.size());
    std::uint32_t sum = crc32(object);
    for (std::size_t i = seal_size - 3; sum != 0; --i, sum >>= 4) seal[i] = text::hex_digits[sum & 15];
    return seal;
}

/// Makes a line of the text of an object, which begins there.
void seal(std::string& text, std::size_t start) {
    const Seal end = seal_of(std::string_view(text).substr(start));
    text.pop_back();
    text.append(end.data(), end.size()).push_back('\n');
}

/// The text of a sealed line's record, without its crc; nothing when it is torn or damaged.
std::optional<std::string> unseal(std::string_view line) {
    if (line.size() < seal_size + 1) return std::nullopt;
    std::string text = std::string(line.substr(0, line.size() - seal_size)) + "}";
    const Seal end = seal_of(text);
    if (line.substr(line.size() - seal_size) != std::string_view(end.data(), end.size())) return std::nullopt;
    return text;
}

Result<void> write_all(const io::Fd& file, std::string_view bytes, const std::string& path) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return fail_errno("write " + path, errno);
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

Result<std::string> read_file(const io::Fd& file, const std::string& path) {
    std::string bytes;
    std::array<char, 65536> chunk{};
    for (;;) {
        const ssize_t got = ::read(file.get(), chunk.data(), chunk.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_errno("read " + path, errno);
        if (got == 0) return bytes;
        bytes.append(chunk.data(), static_cast<std::size_t>(got));
        if (bytes.size() > largest_file) return fail(Errc::bad_input, "larger than any journal", path);
    }
}

/// What is wrong with a header; empty when it is ours.
std::string judge_header(const Result<record::ObjectView>& header, const std::string& boot_id) {
    if (!header || header->string("type") != "mediarelay-journal") return "is not a journal of mediarelay";
    const auto written_as = header->find("version");
    if (!written_as || written_as->number() != std::uint64_t{version}) return "is of another version";
    if (header->string("boot_id") != boot_id) return "is from before the host was started";
    return {};
}

/// Puts what is in the way of a journal aside; empty when that cannot be.
std::string set_aside(const std::string& path) {
    std::string old = path + ".old";
    ::unlink(old.c_str());
    return ::rename(path.c_str(), old.c_str()) == 0 ? old : std::string();
}

/// Opens and locks; the lock is that of the open file, so it lasts as long as the process keeps it.
Result<io::Fd> open_locked(const std::string& path, int flags) {
    io::Fd file(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) return fail_errno("open " + path, errno);
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0)
        return fail(Errc::refused, "another process has the journal " + path);
    return file;
}

}  // namespace

std::string Journal::header() const {
    record::ObjectText header;
    header.text("type", "mediarelay-journal");
    header.number("version", version);
    header.text("boot_id", boot_id_);
    std::string line = header.close();
    seal(line, 0);
    return line;
}

Result<Journal::Opened> Journal::open(const std::string& path, const std::string& boot_id) {
    Opened opened;
    opened.journal.reset(new Journal);
    Journal& journal = *opened.journal;
    journal.path_ = path;
    journal.boot_id_ = boot_id;
    auto file = open_locked(path, O_RDWR | O_CREAT | O_APPEND);
    if (!file && file.error().code != Errc::refused) {
        // A folder, a link, somebody else's file: no journal of ours.
        const std::string why = to_string(file.error());
        if (const std::string old = set_aside(path); !old.empty())
            opened.messages.push_back("the journal cannot be opened (" + why + ") and is set aside as " + old);
        file = open_locked(path, O_RDWR | O_CREAT | O_APPEND);
    }
    if (!file) return std::unexpected(file.error());
    journal.file_ = std::move(*file);
    auto bytes = read_file(journal.file_, path);
    if (!bytes) return std::unexpected(bytes.error());

    std::string problem;
    std::size_t damaged = 0;
    bool first = true;
    record::ObjectReader reader;
    for (std::string_view rest = *bytes; !rest.empty();) {
        const std::size_t newline = rest.find('\n');
        // A line without its end was cut off by the kill: it is torn even if its sum should fit.
        const std::string_view line = rest.substr(0, newline);
        const auto text = newline == std::string_view::npos ? std::nullopt : unseal(line);
        const auto record = text ? reader.read(*text) : fail(Errc::bad_input, "torn or damaged");
        rest.remove_prefix(newline == std::string_view::npos ? rest.size() : newline + 1);
        if (std::exchange(first, false)) {
            problem = judge_header(record, boot_id);
            if (!problem.empty()) break;
            continue;
        }
        const std::string id(record ? record->string("leg").value_or("") : "");
        if (id.empty()) {
            ++damaged;
        } else if (record->string("type") == "free") {
            journal.live_.erase(id);
        } else {
            journal.live_[id] = std::string(line) + '\n';
        }
    }
    if (!problem.empty() || damaged > 0) {
        const std::string old = path + ".old";
        ::unlink(old.c_str());
        const bool kept = ::link(path.c_str(), old.c_str()) == 0;
        if (problem.empty())
            problem = "has " + std::to_string(damaged) + " torn or damaged lines, which are left out; as it was it";
        opened.messages.push_back("the journal " + path + " " + problem +
                                  (kept ? " is set aside as " + old : " could not be set aside as " + old));
    }
    for (const auto& [id, line] : journal.live_) {
        journal.live_size_ += line.size();
        opened.legs.push_back(*unseal(std::string_view(line).substr(0, line.size() - 1)));
    }
    (void)journal.rewrite();  // broken() tells
    return opened;
}

Result<void> Journal::rewrite() {
    auto done = write_anew();
    broken_ = done ? std::nullopt : std::optional(done.error());
    return done;
}

Result<void> Journal::write_anew() {
    const std::string next = path_ + ".new";
    ::unlink(next.c_str());
    auto file = open_locked(next, O_WRONLY | O_CREAT | O_EXCL | O_APPEND);
    if (!file) return std::unexpected(file.error());
    std::string text = header();
    for (const auto& [id, line] : live_) text += line;
    if (auto done = write_all(*file, text, next); !done) {
        ::unlink(next.c_str());  // a full disk needs no second journal
        return done;
    }
    if (::rename(next.c_str(), path_.c_str()) != 0) return fail_errno("rename " + next, errno);
    file_ = std::move(*file);
    size_ = text.size();
    return {};
}

Result<void> Journal::write(const std::vector<Change>& changes) {
    std::string text;
    if (written_.capacity() <= smallest_rewrite) text = std::exchange(written_, {});
    text.clear();
    for (const Change& change : changes) {
        const auto old = live_.find(change.id);
        if (old != live_.end()) {
            live_size_ -= old->second.size();
            if (change.record == nullptr) live_.erase(old);
        } else if (change.record == nullptr) {
            continue;
        }
        if (change.record == nullptr) {
            const std::size_t start = text.size();
            record::ObjectText freed(std::move(text));
            freed.text("type", "free");
            freed.text("leg", change.id);
            text = freed.close();
            seal(text, start);
            continue;
        }
        const std::size_t start = text.size();
        text += *change.record;
        seal(text, start);
        live_size_ += text.size() - start;
        if (old != live_.end()) {
            old->second.assign(text, start);
        } else {
            live_.emplace(change.id, text.substr(start));
        }
    }
    written_ = std::move(text);
    return append(written_);
}

/// Writes lines that belong together, or the whole journal anew.
Result<void> Journal::append(const std::string& text) {
    if (text.empty() && !broken_) return {};
    if (broken_ || size_ + text.size() > std::max(smallest_rewrite, 2 * live_size_)) return rewrite();
    size_ += text.size();
    auto written = write_all(file_, text, path_);
    if (!written) broken_ = written.error();  // a line may be there in part: the next attempt writes all anew
    return written;
}

}  // namespace natkit::relay
