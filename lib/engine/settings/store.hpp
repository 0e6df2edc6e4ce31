#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "natkit/base/error.hpp"
#include "natkit/base/time.hpp"
#include "natkit/settings/confirmation.hpp"

namespace natkit::settings {

using Json = nlohmann::ordered_json;

enum class State : std::uint8_t {
    found,      ///< natkit came upon it: written by hand
    pending,    ///< waits to be confirmed
    confirmed,  ///< made here, and kept
    undone,
};
[[nodiscard]] const char* to_string(State state) noexcept;

/// A text that the file had.
struct Version {
    unsigned number = 0;
    WallTime time;
    std::string who;
    std::string client;   ///< where they came from; may be empty
    std::string summary;  ///< what it changed
    State state{};
    std::string hash;  ///< SHA-256 of the text
    std::string text;
};

/// A change in effect that is not confirmed, and how it is undone.
struct Unconfirmed {
    Pending pending;
    std::string file;
    unsigned before = 0;     ///< the version that comes back
    std::string hash_after;  ///< of the text that was put in its place: of another one nothing is undone
};

/// The last versions of the file and the change that waits, in a folder: what outlives natkit.
class Store {
  public:
    static constexpr std::size_t most = 20;

    /// The folder is made when something is kept for the first time.
    explicit Store(std::string folder) : folder_(std::move(folder)) {}

    /// Why nothing could be kept; empty: it can.
    [[nodiscard]] std::string why_not_writable() const;

    /// Newest first. What cannot be read is left out.
    [[nodiscard]] std::vector<Version> versions() const;
    [[nodiscard]] Result<Version> version(unsigned number) const;
    /// Keeps a version under a new number, which it returns; the oldest goes where there are too many.
    [[nodiscard]] Result<unsigned> add(Version version);
    void set_state(unsigned number, State state);

    [[nodiscard]] std::optional<Unconfirmed> unconfirmed() const;
    [[nodiscard]] Result<void> keep(const Unconfirmed& change);
    void forget_unconfirmed();

  private:
    [[nodiscard]] std::string path_of(unsigned number) const;
    [[nodiscard]] Result<void> write(const std::string& path, const Json& record) const;

    std::string folder_;
};

}  // namespace natkit::settings
