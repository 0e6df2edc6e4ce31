#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "natkit/base/error.hpp"

namespace natkit::store {

/// A registered address as it is kept. Text fields hold what the parsers of their types read back.
struct BindingRow {
    std::string id;
    std::string aor;
    std::string contact;
    std::string instance;
    std::string flow;
    std::string place;
    std::string rule;
    std::string site;
    std::int64_t expires_ms = 0;     ///< time of day, milliseconds since 1970
    std::int64_t registered_ms = 0;  ///< the same; 0: a version that did not keep it wrote this
    std::string call_id;
    std::uint32_t cseq = 0;
    int q = 1000;
    std::string user_agent;
    bool authenticated = false;
    std::string server;
    bool reached = false;

    friend bool operator==(const BindingRow&, const BindingRow&) = default;
};

/// The registrations, kept in an SQLite file (mode 0600, write-ahead log) or in memory only. A write is safe against
/// the death of the process at once, and against that of the machine within about a second.
class Bindings {
  public:
    /// The SQLite file at `path`, made where it is missing (its folder must exist); memory only when `path` is empty. A
    /// file that is damaged, or of another program, is set aside as PATH.old, and a new one begun: note() says so.
    [[nodiscard]] static Result<Bindings> open(const std::string& path);

    /// The same, and never without: where the file cannot be opened for writing (a full disk, rights), what can be read
    /// of it is loaded, saving fails, and to open it is tried again with a save, at most once in `patience`. note()
    /// says why. When saving succeeds for the first time, the file holds that row only: save all.
    [[nodiscard]] static Bindings open_or_wait(const std::string& path,
                                               std::chrono::milliseconds patience = std::chrono::seconds(10));

    /// What was not as usual at the opening; else empty.
    [[nodiscard]] const std::string& note() const noexcept { return note_; }
    /// Whether what is saved will be there after a restart, as far as is known.
    [[nodiscard]] bool writable() const noexcept;

    Bindings(Bindings&&) noexcept;
    Bindings& operator=(Bindings&&) noexcept;
    ~Bindings();

    [[nodiscard]] Result<void> save(const BindingRow& row);
    [[nodiscard]] Result<void> remove(const std::string& id);
    /// All of it or nothing, which costs much less than one after the other.
    [[nodiscard]] Result<void> apply(std::span<const BindingRow> saved, std::span<const std::string> removed);
    [[nodiscard]] Result<std::vector<BindingRow>> load() const;

  private:
    struct Impl;
    explicit Bindings(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;  ///< null: memory only
    std::string note_;
};

}  // namespace natkit::store
