#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "natkit/io/fd.hpp"

namespace natkit::relay {

/// What became of a leg.
struct JournalChange {
    std::string id;
    const std::string* record = nullptr;  ///< the text of an object; null: the leg is gone
};

/// What a killed process leaves to the next one: the legs, one JSON line for each change, each with its CRC-32, after a
/// header {version, boot_id}. Mode 0600, locked, rewritten when it has grown to twice what is alive, and to a megabyte
/// at least. Not synced to the disk: it must outlive the process, not the host, and calls do not outlive the boot.
class Journal {
  public:
    struct Opened;

    /// Takes up the journal at `path`, or starts one. A journal of another boot, of another version or of another kind
    /// is set aside as PATH.old; lines that are torn or damaged are left out, and the file as it was is kept as
    /// PATH.old too, as is what cannot be opened at all. What was read comes back even if nothing can be written now:
    /// then broken() says why, and write() tries again. Refused when another process has it.
    [[nodiscard]] static Result<Opened> open(const std::string& path, const std::string& boot_id);

    using Change = JournalChange;
    /// Writes the changes in one piece, so that a kill cannot part them. The error is told once per kind.
    [[nodiscard]] Result<void> write(const std::vector<Change>& changes);

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    /// Why what was written last is not in the file.
    [[nodiscard]] const std::optional<Error>& broken() const noexcept { return broken_; }

  private:
    Journal() = default;
    [[nodiscard]] Result<void> append(const std::string& text);
    [[nodiscard]] Result<void> rewrite();
    [[nodiscard]] Result<void> write_anew();
    [[nodiscard]] std::string header() const;

    std::string path_;
    std::string boot_id_;
    io::Fd file_;
    std::unordered_map<std::string, std::string> live_;  ///< leg id → its line
    std::size_t live_size_ = 0;
    std::size_t size_ = 0;
    std::string written_;          ///< last; its room is used again
    std::optional<Error> broken_;  ///< the last write failed: a line may be there in part
};

struct Journal::Opened {
    std::unique_ptr<Journal> journal;
    std::vector<std::string> legs;      ///< the text of each, in no order
    std::vector<std::string> messages;  ///< what an operator should know
};

}  // namespace natkit::relay
